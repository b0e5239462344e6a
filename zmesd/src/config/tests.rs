//! The whole way from a text to a configuration, and the shipped default file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use zmes_providers::{ApnsEndpoint, ApnsIdentity};
use zmes_zoneminder::conf::{DatabaseAddress, ServerScope};

use super::*;

mod reload;

/// A directory with all files that a configuration may name, and the environment of a user called `zmesd`.
pub(super) struct Place {
    directory: TempDir,
    environment: Environment,
}

impl Place {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write(
            "zm.conf",
            "ZM_DB_HOST=localhost\nZM_DB_USER=zmuser\nZM_DB_PASS=hunter2\nZM_DB_NAME=zm\nZM_PATH_MAP=/dev\n",
        );
        for name in ["cert.pem", "key.pem", "account.json", "apns.p8"] {
            write(name, "-");
        }
        write("app.key", "swordfish\n");
        let environment = Environment { user: "zmesd".into(), system: true, ..Environment::default() };
        Self { directory, environment }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("zmesd.toml")
    }

    pub(super) fn read(&self, text: &str) -> Result<Loaded, Problems> {
        fs::write(self.file(), text).unwrap();
        Loaded::read(&self.file(), &self.environment, None)
    }

    pub(super) fn config(&self, text: &str) -> Config {
        self.read(text).unwrap_or_else(|problems| panic!("{problems}")).config
    }

    /// Returns `line:key:message` of each problem.
    fn problems(&self, text: &str) -> Vec<String> {
        let problems = self.read(text).unwrap_err();
        assert!(problems.iter().all(|problem| !problem.hint.is_empty()), "{problems}");
        let line = |problem: &Problem| problem.line.map_or_else(|| "-".to_owned(), |line| line.to_string());
        problems
            .iter()
            .map(|problem| format!("{}:{}:{}", line(problem), problem.key, problem.message))
            .collect()
    }
}

/// The least that holds in [`Place`].
pub(super) const LEAST: &str = "zoneminder.config = 'zm.conf'\nserver.tls = { certificate = 'cert.pem', key = 'key.pem' }\n\
                     control.admin-group = 'root'\n";

/// Every transport of push enabled, every secret given.
const PUSH: &str = "
[push.proxy]
enabled = true
url = 'https://push.example.org:8801'
app-name = 'zmninjapro'
app-key-file = 'app.key'
[push.fcm]
enabled = true
service-account = 'account.json'
[[push.fcm.proxy]]
name = 'zmninja'
url = 'https://a.example.org'
key = 'squeamish'
[[push.fcm.proxy]]
name = 'zmninjang'
url = 'https://b.example.org'
[push.apns]
enabled = true
key = 'apns.p8'
key-id = 'ABCDE12345'
team-id = 'FGHIJ67890'
endpoint = 'sandbox'
[[rule]]
name = 'night'
monitors = ['Garden', 4]
between = ['22:00-06:00']
";

const MQTT: &str = "
[mqtt]
enabled = true
url = 'mqtts://broker.example.org'
username = 'zmesd'
password = 'squeamish'
";

const CLUSTER: &str = "
[cluster]
enabled = true
database-url = 'mysql://zmesd:squeamish@localhost/zmesd'
name = 'nvr1'
";

#[test]
fn what_is_left_out_has_the_pinned_default() {
    let place = Place::new();
    let config = place.config(LEAST);
    let zoneminder = &config.zoneminder;
    assert_eq!(zoneminder.database.address, DatabaseAddress::Default);
    assert_eq!(zoneminder.database.password.expose_secret(), "hunter2");
    assert_eq!(
        (zoneminder.path_map.as_path(), &zoneminder.servers),
        (Path::new("/dev"), &ServerScope::Single)
    );
    assert_eq!((zoneminder.version, zoneminder.source), (None, Source::Auto));
    assert_eq!(zoneminder.poll_interval, Duration::from_millis(20));
    assert_eq!(zoneminder.monitor_reload_interval, Duration::from_mins(1));
    assert_eq!(zoneminder.reconcile_interval, Duration::from_secs(2));
    assert_eq!(zoneminder.realarm_interval, Duration::from_mins(1));
    assert_eq!(zoneminder.alarm_limit, 60);
    assert_eq!(zoneminder.startup_grace, Duration::from_secs(10));
    assert_eq!(zoneminder.catch_up, Duration::from_mins(10));
    let server = &config.server;
    assert_eq!(server.listen, ["[::]:9000".parse().unwrap()]);
    assert_eq!(server.advertised_version, "7.0.0");
    assert_eq!((server.max_clients, server.max_clients_per_address), (20_000, 500));
    assert!(server.trusted_proxies.is_empty() && server.allowed_origins.is_empty());
    assert_eq!(server.tls.as_ref().unwrap().key, place.directory.path().join("key.pem"));
    assert_eq!(
        config.auth,
        AuthConfig { enabled: true, timeout: Duration::from_secs(20), enforce_monitor_permissions: true }
    );
    let (push, preset) = (&config.push, PushConfig::default());
    assert!(push.enabled && push.proxy.is_none() && push.fcm.is_none() && push.apns.is_none());
    assert_eq!((push.mode, push.storm_limit), (preset.mode, preset.storm_limit));
    assert_eq!((push.interval_default, push.retry_for), (preset.interval_default, preset.retry_for));
    assert_eq!(
        config.state,
        StateConfig {
            directory: "/var/lib/zmesd".into(),
            keep_deliveries: Duration::from_hours(14 * 24),
            keep_tombstones: Duration::from_hours(30 * 24),
            keep_events: Duration::from_hours(24),
            max_size: 256 << 20,
        }
    );
    assert_eq!(config.control.socket, Path::new("/run/zmesd/control.sock"));
    assert_eq!(config.metrics, MetricsConfig { listen: None });
    assert_eq!((config.log.level.as_str(), config.log.format), ("info", LogFormat::Auto));
    assert_eq!(
        config.origin,
        Origin {
            file: place.file(),
            zm_conf: Some(place.directory.path().join("zm.conf")),
            database_by_url: false
        }
    );
}

#[test]
fn many_problems_are_said_at_once_with_their_lines() {
    let place = Place::new();
    let text = "\
[zoneminder]
config = 'zm.conf'
pol-interval = '20ms'
reconcile-interval = 2
catch-up = '10 minutes'

[server]
listen = '[::]:9000'
max-clients = 0
timeout = '5s'
tls = 'cert.pem'

[sever]
plaintext = true

[auth]
enabled = 'yes'

[push.fcm.proxy]
name = 'a'

[log]
level = 'inof'
";
    assert_eq!(
        place.problems(text),
        [
            "3:zoneminder.pol-interval:unknown key, did you mean `poll-interval`?",
            "4:zoneminder.reconcile-interval:must be a duration from 100ms to 1h, but is a number",
            "5:zoneminder.catch-up:`10 minutes` is not a duration such as 20ms, 5s, 10m, 1h or 60d",
            "8:server.listen:must be a list of addresses such as [\"[::]:9000\"], but is a string",
            "9:server.max-clients:0 is out of range: it must be from 1 to 1000000",
            "10:server.timeout:unknown key",
            "11:server.tls:must be a table, but is a string",
            "13:sever:unknown key, did you mean `server`?",
            "17:auth.enabled:must be true or false, but is a string",
            "19:push.fcm.proxy:must be a list of tables, but is a table",
            "23:log.level:`inof` is not a log level, did you mean `info`?",
        ]
    );
    let problems = place.read(text).unwrap_err().to_string();
    assert!(
        problems.contains(&format!(
            "{}:10: server.timeout: unknown key\n      hint: `timeout` belongs to [auth]",
            place.file().display()
        )),
        "{problems}"
    );
    assert!(problems.contains("hint: write [[push.fcm.proxy]]"), "{problems}");
}

#[test]
fn broken_toml_names_its_lines_and_other_findings_stay() {
    let place = Place::new();
    let problems = place.problems("[zoneminder]\npoll-interval = 20ms\n[auth]\ntimeot = '5s'\nenabled = \n");
    let lines: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["2", "4", "5"], "{problems:?}");
    assert!(problems[0].starts_with("2::not TOML: "), "{problems:?}");
    assert_eq!(problems[1], "4:auth.timeot:unknown key, did you mean `timeout`?");
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let place = Place::new();
    fs::write(place.file(), b"[log]\nlevel = '\xff'\n").unwrap();
    let problems = Config::load(&place.file(), &place.environment).unwrap_err();
    assert!(problems.to_string().contains("zmesd.toml:2: is not UTF-8"), "{problems}");
    fs::write(place.file(), vec![b'#'; 300_000]).unwrap();
    let problems = Config::load(&place.file(), &place.environment).unwrap_err();
    assert!(problems.to_string().contains("larger than"), "{problems}");
}

#[test]
fn transports_are_typed() {
    let config = Place::new().config(&format!("{LEAST}{PUSH}"));
    let proxy = config.push.proxy.unwrap();
    assert_eq!((proxy.app_key.expose_secret(), proxy.sound.as_str()), ("swordfish", "blop.caf"));
    let fcm = config.push.fcm.unwrap();
    assert_eq!(fcm.proxies.len(), 2);
    assert_eq!(fcm.proxies[0].key.as_ref().map(ExposeSecret::expose_secret), Some("squeamish"));
    assert!(fcm.service_account.is_some() && fcm.proxies[1].key.is_none());
    let apns = config.push.apns.unwrap();
    assert_eq!((apns.topic.as_str(), apns.endpoint), ("com.pliablepixels.zmninja", ApnsEndpoint::Sandbox));
    assert!(matches!(apns.identity, ApnsIdentity::Token { key_id, .. } if key_id == "ABCDE12345"));
}

/// Returns a configuration in which every key of the table has a value in force.
fn full(place: &Place) -> Config {
    place.config(&format!("{LEAST}{PUSH}{MQTT}{CLUSTER}{}", target::ONE_OF_EACH_KIND))
}

#[test]
fn every_key_of_the_table_is_shown() {
    let place = Place::new();
    let shown: toml::Table = full(&place).show().parse().unwrap();
    for section in SECTIONS {
        let mut value = &toml::Value::Table(shown.clone());
        for name in section.path.split('.') {
            value = &value[name];
        }
        // Each kind of target has keys of its own.
        let tables = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let nested =
            |name: &str| SECTIONS.iter().any(|inner| inner.path == format!("{}.{name}", section.path));
        let shown = tables.iter().flat_map(|table| table.as_table().unwrap().keys().map(String::as_str));
        let known: BTreeSet<_> = section.keys.iter().map(|key| key.name).collect();
        assert_eq!(shown.filter(|name| !nested(name)).collect::<BTreeSet<_>>(), known, "[{}]", section.path);
    }
}

#[test]
fn secrets_are_in_no_output() {
    let place = Place::new();
    let config = full(&place);
    let outputs = [format!("{config:?}"), config.show(), format!("{:?}", config.diff(&config))];
    for secret in ["hunter2", "swordfish", "squeamish"] {
        assert!(outputs.iter().all(|output| !output.contains(secret)), "{secret}");
    }
    let wrong = "
        [zoneminder]
        config = ''
        database-url = 'mysql://u:hunter2@db'
        [push.proxy]
        app-key = ['hunter2']
        [[push.fcm.proxy]]
        key = \"hunter2\\n\"
        url = 'https://u:hunter2@host'
    ";
    let problems = place.read(wrong).unwrap_err();
    assert_eq!(problems.iter().filter(|problem| problem.file == place.file()).count(), 6, "{problems}");
    assert!(!format!("{problems} {problems:?}").contains("hunter2"), "{problems}");
}

#[test]
fn a_secret_from_a_file_that_fails_is_named_but_not_quoted() {
    let place = Place::new();
    let secret = place.directory.path().join("two-lines");
    fs::write(&secret, "hunter2\nmore\n").unwrap();
    let proxy = "[push.proxy]\nenabled = true\nurl = 'https://h'\napp-name = 'a'\n";
    let both = format!("{LEAST}{proxy}app-key = 'x'\napp-key-file = 'two-lines'\n");
    let problems = place.problems(&both);
    assert_eq!(problems, ["9:push.proxy.app-key-file:`app-key` and `app-key-file` are both given"]);
    let problems = place.problems(&format!("{LEAST}{proxy}app-key-file = 'two-lines'\n"));
    assert_eq!(
        problems,
        [format!(
            "8:push.proxy.app-key-file:{} does not hold a secret on one line: it holds several lines or control characters",
            secret.display()
        )]
    );
    let problems = place.problems(&format!("{LEAST}{proxy}app-key-file = 'none'\n"));
    assert!(problems[0].ends_with("/none: no such file"), "{problems:?}");
}

#[test]
fn the_level_of_the_command_line_wins_over_the_file_and_is_shown() {
    let mut place = Place::new();
    place.environment.log_level = Some("trace".into());
    let config = place.config(&format!("{LEAST}log.level = 'error'\n"));
    assert_eq!(config.log.level, "trace");
    assert!(config.show().contains("level = \"trace\"\n"), "{}", config.show());
}
