use std::fs;

use secrecy::ExposeSecret;
use tempfile::TempDir;
use zmes_providers::ApnsIdentity;
use zmes_zoneminder::conf::{DatabaseAddress, ServerIdentity, ServerScope};

use super::*;

fn read(directory: &TempDir, text: &str) -> Result<Loaded, Problems> {
    let environment = Environment { user: "zmesd".into(), system: true, ..Environment::default() };
    Loaded::from_text(text, &directory.path().join("zmesd.toml"), &environment)
}

/// Returns `key: message` of each problem.
fn problems(directory: &TempDir, text: &str) -> Vec<String> {
    let problems = read(directory, text).unwrap_err();
    problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
}

fn loaded(directory: &TempDir, text: &str) -> Loaded {
    read(directory, text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn with(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// No ZoneMinder, no TLS: the rest holds anywhere.
const BARE: &str = "zoneminder = { config = '', database-url = 'mysql://u:p@localhost/zm', path-map = '/dev' }\n\
                    server = { listen = ['127.0.0.1:9000'], plaintext = true }\ncontrol.admin-group = 'root'\n";

const TLS: &str = "server.tls = { certificate = 'c', key = 'k' }\ncontrol.admin-group = 'root'\n";

#[test]
fn with_plaintext_the_certificate_does_not_matter() {
    let text = "[zoneminder]\nconfig = ''\ndatabase-url = 'mysql://u:p@db/zm'\n[server]\nplaintext = true\n\
                [server.tls]\ncertificate = '/nonexistent'\n";
    assert_eq!(loaded(&with(&[]), text).config.server.tls, None);
}

#[test]
fn both_files_of_a_pair_are_checked() {
    let text = "zoneminder = { config = '', database-url = 'mysql://u:p@db/zm' }\n\
                server.tls = { certificate = '', key = 'k' }\n";
    let problems = problems(&with(&[]), text);
    assert_eq!(problems[0], "server.tls.certificate: is empty");
    assert!(problems[1].starts_with("server.tls.key: cannot read /"), "{problems:?}");
    assert_eq!(problems.len(), 2);
}

#[test]
fn without_zm_conf_the_url_is_enough() {
    let directory = with(&[("c", "-"), ("k", "-")]);
    let absent =
        format!("zoneminder = {{ config = 'none', database-url = 'mysql://u:p@localhost/zm' }}\n{TLS}");
    let loaded = loaded(&directory, &absent);
    assert_eq!(loaded.config.zoneminder.path_map, Path::new("/dev/shm"));
    assert!(loaded.config.origin.database_by_url && loaded.config.origin.zm_conf.is_none());
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let none = format!("zoneminder.config = 'none'\n{TLS}");
    assert!(problems(&directory, &none)[0].ends_with("/none: no such file"));
    let empty = format!("zoneminder.config = ''\n{TLS}");
    assert_eq!(problems(&directory, &empty), ["zoneminder.config: is empty"]);
}

#[test]
fn a_zm_conf_that_is_there_but_unreadable_is_a_warning_beside_a_url() {
    let directory = with(&[("c", "-"), ("k", "-")]);
    fs::create_dir(directory.path().join("zm.conf")).unwrap();
    let text = format!("zoneminder = {{ config = 'zm.conf', database-url = 'mysql://u:p@db/zm' }}\n{TLS}");
    let warnings = loaded(&directory, &text).warnings;
    assert_eq!(warnings[0].key, "zoneminder.config");
    assert!(warnings[0].message.contains("not a regular file"), "{warnings:?}");
}

#[test]
fn keys_override_zm_conf() {
    let conf = "ZM_DB_HOST=localhost:/run/a.sock\nZM_DB_USER=a\nZM_PATH_MAP=/tmp\nZM_PATH_SOCKS=/run/zm\nZM_SERVER_ID=3\n";
    let directory = with(&[("c", "-"), ("k", "-"), ("zm.conf", conf)]);
    let config = loaded(&directory, &format!("zoneminder.config = 'zm.conf'\n{TLS}")).config.zoneminder;
    assert_eq!(config.database.address, DatabaseAddress::Socket("/run/a.sock".into()));
    assert_eq!((config.path_map.as_path(), config.path_socks), (Path::new("/tmp"), Some("/run/zm".into())));
    assert_eq!(config.servers, ServerScope::Own(ServerIdentity::Id(3)));
    let text = format!(
        "zoneminder = {{ config = 'zm.conf', database-url = 'mysql://b:p@db/zm', path-map = '/dev', server-id = 7 }}\n{TLS}"
    );
    let config = loaded(&directory, &text).config.zoneminder;
    assert_eq!((config.database.user.as_str(), config.path_map.as_path()), ("b", Path::new("/dev")));
    assert_eq!(config.servers, ServerScope::Own(ServerIdentity::Id(7)));
    assert_eq!(config.path_socks, Some("/run/zm".into()));
}

#[test]
fn zm_conf_names_the_server_in_three_ways() {
    for (lines, expected) in [
        ("", None),
        ("ZM_SERVER_ID=\nZM_SERVER_NAME=", None),
        ("ZM_SERVER_ID=0", None),
        ("ZM_SERVER_ID=2\nZM_SERVER_NAME=x", Some(ServerIdentity::Id(2))),
        ("ZM_SERVER_HOST=h\nZM_SERVER_NAME=n", Some(ServerIdentity::Name("n".into()))),
        ("ZM_SERVER_HOST=h", Some(ServerIdentity::Name("h".into()))),
    ] {
        let directory = with(&[("c", "-"), ("k", "-"), ("zm.conf", &format!("ZM_DB_USER=u\n{lines}"))]);
        let config = loaded(&directory, &format!("zoneminder.config = 'zm.conf'\n{TLS}")).config;
        assert_eq!(config.zoneminder.servers, ServerScope::from(expected), "{lines}");
    }
}

#[test]
fn all_servers_needs_to_know_which_one_this_is() {
    let read_with = |lines: &str, more: &str| {
        let directory = with(&[("c", "-"), ("k", "-"), ("zm.conf", &format!("ZM_DB_USER=u\n{lines}"))]);
        let text = format!("zoneminder = {{ config = 'zm.conf', server-id = 'all'{more} }}\n{TLS}");
        read(&directory, &text).map(|loaded| loaded.config.zoneminder.servers)
    };
    let named = read_with("ZM_SERVER_ID=2", "").unwrap();
    assert_eq!(named, ServerScope::All(Some(ServerIdentity::Id(2))));
    let named = read_with("ZM_SERVER_NAME=nvr1", "").unwrap();
    assert_eq!(named, ServerScope::All(Some(ServerIdentity::Name("nvr1".into()))));
    assert_eq!(read_with("", ", source = 'db'").unwrap(), ServerScope::All(None));
    let complaint = |lines, more| {
        let problems = read_with(lines, more).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        (problems[0].key.clone(), problems[0].message.clone(), problems[0].hint.clone())
    };
    let (key, message, hint) = complaint("", "");
    assert_eq!(key, "zoneminder.server-id");
    assert!(message.contains("which server this machine is"), "{message}");
    assert!(hint.starts_with("add ZM_SERVER_ID=N to zm.conf"), "{hint}");
    let (_, message, hint) = complaint("ZM_SERVER_ID=2", ", source = 'shm'");
    assert!(message.contains("source = \"shm\""), "{message}");
    assert_eq!(hint, "set zoneminder.source = \"auto\"");
}

#[test]
fn problems_in_zm_conf_name_its_line() {
    let conf = "# comment\nZM_DB_HOST=::1\nZM_SERVER_ID=one\nnonsense\n";
    let directory = with(&[("c", "-"), ("k", "-"), ("zm.conf", conf)]);
    let problems = read(&directory, &format!("zoneminder.config = 'zm.conf'\n{TLS}")).unwrap_err();
    let found: Vec<_> = problems.iter().map(|problem| (problem.key.as_str(), problem.line)).collect();
    assert_eq!(
        found,
        [("ZM_DB_USER", None), ("ZM_DB_HOST", Some(2)), ("ZM_SERVER_ID", Some(3))],
        "{problems}"
    );
    assert!(
        problems.iter().all(|problem| problem.hint.contains("zoneminder.")),
        "the keys that override them"
    );
    let conf = "ZM_DB_USER=u\nnonsense\n";
    fs::write(directory.path().join("zm.conf"), conf).unwrap();
    let warnings = loaded(&directory, &format!("zoneminder.config = 'zm.conf'\n{TLS}")).warnings;
    assert!(warnings.iter().any(|warning| warning.line == Some(2) && warning.file.ends_with("zm.conf")));
}

#[test]
fn a_database_url_may_come_from_a_credential() {
    let credentials = with(&[("db", "mysql://u:hunter2@db/zm\n")]);
    let environment = Environment { credentials: Some(credentials.path().into()), ..Environment::default() };
    let text = "zoneminder = { config = '', database-url-file = 'db' }\nserver.plaintext = true\n";
    let loaded = Loaded::from_text(text, Path::new("/etc/zmesd/zmesd.toml"), &environment).unwrap();
    assert_eq!(loaded.config.zoneminder.database.password.expose_secret(), "hunter2");
}

#[test]
fn what_is_unwise_is_a_warning() {
    assert!(loaded(&with(&[]), BARE).warnings.is_empty());
    let text = BARE
        .replace("127.0.0.1", "192.0.2.1")
        .replace("'/dev'", "'/nonexistent'")
        .replace("'root'", "'no such group'")
        + "auth.enabled = false\npush.proxy = { enabled = true, url = 'http://h', app-name = 'a', app-key = 'k' }\n";
    let mut keys: Vec<_> =
        loaded(&with(&[]), &text).warnings.into_iter().map(|warning| warning.key).collect();
    keys.sort();
    assert_eq!(
        keys,
        ["auth.enabled", "control.admin-group", "push.proxy.url", "server.plaintext", "zoneminder.path-map"]
    );
}

#[test]
fn a_picture_url_with_a_password_is_a_warning_and_is_not_shown() {
    let url = |url: &str| format!("{BARE}push.picture-url = '{url}'\n");
    assert_eq!(
        problems(&with(&[]), &url("zm/EVENTID")),
        ["push.picture-url: is not a URL that starts with https:// or http://"]
    );
    let loaded = loaded(&with(&[]), &url("https://zm/?view=image&username=u&password=hunter2"));
    let warned: Vec<_> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warned, ["does not contain EVENTID", "contains a user, a password or a token"]);
    let shown = format!("{} {:?}", loaded.config.show(), loaded.config);
    assert!(shown.contains("https://zm/?") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_path_in_the_address_of_pictures_is_a_warning_because_a_proxy_must_remove_it() {
    let warned = |url: &str| {
        let loaded = loaded(&with(&[]), &format!("{BARE}picture.base-url = '{url}'\n"));
        loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let told = warned("https://zm.example.org/zm/");
    assert!(told.len() == 1 && told[0].contains("has the path /zm"), "{told:?}");
    for url in ["https://zm.example.org", "https://zm.example.org:9000/"] {
        assert!(warned(url).is_empty(), "{url}");
    }
}

#[test]
fn paths_that_depend_on_the_working_directory_are_refused() {
    let text = BARE.replace("path-map = '/dev'", "path-map = 'dev'")
        + "control.socket = 'x'\nstate.directory = 'y'\n";
    assert_eq!(
        problems(&with(&[]), &text),
        [
            "zoneminder.path-map: is not an absolute path",
            "control.socket: is not an absolute path",
            "state.directory: is not an absolute path",
        ]
    );
    let long = format!("{BARE}control.socket = '/{}'\n", "x".repeat(107));
    assert!(problems(&with(&[]), &long)[0].ends_with("is too long for a socket"));
}

#[test]
fn an_enabled_transport_needs_its_values() {
    let text =
        format!("{BARE}push.proxy.enabled = true\npush.fcm.enabled = true\npush.apns.enabled = true\n");
    let mut found = problems(&with(&[]), &text);
    found.sort();
    assert_eq!(
        found,
        [
            "push.apns.key-id: is empty",
            "push.apns.key: is empty",
            "push.apns.team-id: is empty",
            "push.fcm.enabled: true, but neither a service account nor a function is set",
            "push.proxy.app-key: is empty",
            "push.proxy.app-name: is empty",
            "push.proxy.url: is empty",
        ]
    );
}

#[test]
fn function_proxies_are_told_apart_by_name() {
    let proxy = "[[push.fcm.proxy]]\nname = 'a'\nurl = 'https://h'\n";
    let text = format!("{BARE}push.fcm.enabled = true\n{proxy}[[push.fcm.proxy]]\n{proxy}");
    assert_eq!(problems(&with(&[]), &text), ["push.fcm.proxy[2].name: `a` is listed twice"]);
}

#[test]
fn apns_takes_a_certificate_instead_of_a_signing_key() {
    let directory = with(&[("c.p12", "-"), ("k.p8", "-")]);
    let apns = |keys: &str| format!("{BARE}push.apns = {{ enabled = true, {keys} }}\n");
    let config = loaded(&directory, &apns("certificate = 'c.p12'")).config;
    let ApnsIdentity::Certificate { certificate, key, password } = config.push.apns.unwrap().identity else {
        panic!("a certificate is named");
    };
    assert_eq!((certificate, key), (directory.path().join("c.p12"), None));
    assert!(password.is_none());
    let text = apns("key = 'k.p8', key-id = 'short', team-id = 'ABCDE12345'");
    assert_eq!(problems(&directory, &text), ["push.apns.key-id: is not ten letters and digits"]);
}

#[test]
fn a_secret_is_taken_whatever_editor_wrote_its_file() {
    for content in [
        &b"s3cret"[..],
        b"s3cret\n",
        b"s3cret\r\n",
        b"s3cret\n\n",
        b"\xef\xbb\xbfs3cret",
        b"\xef\xbb\xbfs3cret\r\n",
    ] {
        let secret = one_line(content).unwrap_or_else(|found| panic!("{content:?}: {found:?}"));
        assert_eq!(secret.expose_secret(), "s3cret", "{content:?}");
    }
    assert_eq!(one_line(b" s3cret ").unwrap().expose_secret(), " s3cret ", "blanks may be part of it");
    for (content, found) in [
        (&b""[..], "it is empty"),
        (b"\xef\xbb\xbf\r\n", "it is empty"),
        (b"\xff\xfes\x003\x00", "it is UTF-16 text"),
        (b"s3cr\xe9t", "it is not UTF-8 text"),
        (b"one\ntwo", "it holds several lines or control characters"),
    ] {
        assert_eq!(one_line(content).unwrap_err().0, found, "{content:?}");
    }
}

#[test]
fn a_byte_order_mark_stands_before_neither_configuration() {
    let directory = with(&[("zm.conf", "\u{feff}ZM_DB_USER=zmuser\r\nZM_DB_NAME=cams\r\n")]);
    let path = directory.path().join("zmesd.toml");
    fs::write(&path, "\u{feff}[zoneminder]\nconfig = \"zm.conf\"\n[server]\nplaintext = true\n").unwrap();
    let loaded =
        Loaded::read(&path, &Environment::default(), None).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.zoneminder.database.name, "cams");
}

#[test]
fn each_value_of_the_database_knows_its_file_and_line() {
    let directory = with(&[("zm.conf", "# ZoneMinder\nZM_DB_USER=zmuser\nZM_DB_PASS=old\n")]);
    fs::create_dir(directory.path().join("conf.d")).unwrap();
    fs::write(directory.path().join("conf.d/02-db.conf"), "\nZM_DB_PASS=new\n").unwrap();
    let config =
        loaded(&directory, "[zoneminder]\nconfig = \"zm.conf\"\n[server]\nplaintext = true\n").config;
    let origin = &config.zoneminder.database.origin;
    let root = directory.path().display();
    assert_eq!(origin.of("ZM_DB_USER"), format!("ZM_DB_USER in {root}/zm.conf:2"));
    assert_eq!(origin.of("ZM_DB_PASS"), format!("ZM_DB_PASS in {root}/conf.d/02-db.conf:2"));
    assert_eq!(origin.of("ZM_DB_HOST"), format!("ZM_DB_HOST (not set) in {root}/zm.conf"));
    let url = "[zoneminder]\nconfig = \"\"\ndatabase-url = \"mysql://u:p@localhost/zm\"\n[server]\nplaintext = true\n";
    let origin = loaded(&directory, url).config.zoneminder.database.origin;
    assert_eq!(origin.of("ZM_DB_PASS"), format!("zoneminder.database-url in {root}/zmesd.toml:3"));
}

#[test]
fn a_remote_database_without_ca_is_said_to_be_unverified_with_the_lines_to_add() {
    let warnings = |conf: &str| {
        let directory = with(&[("zm.conf", conf)]);
        let text =
            "[zoneminder]\nconfig = \"zm.conf\"\n[server]\nplaintext = true\nlisten = [\"127.0.0.1:0\"]\n";
        let warnings = loaded(&directory, text).warnings;
        let told = warnings.iter().filter(|warning| warning.message.contains("is not verified"));
        told.map(|warning| (warning.key.clone(), warning.line, warning.hint.clone())).collect::<Vec<_>>()
    };
    let told = warnings("ZM_DB_USER=u\nZM_DB_HOST=db.example.org\n");
    let [(key, line, hint)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((key.as_str(), *line), ("ZM_DB_HOST", Some(2)));
    assert!(
        hint.ends_with("/zm.conf: ZM_DB_SSL_CA_CERT=/path/to/ca.pem and ZM_DB_SSL_VERIFY_SERVER_CERT=1"),
        "{hint}"
    );
    for fine in [
        "ZM_DB_HOST=db.example.org\nZM_DB_SSL_CA_CERT=/ca.pem\n",
        "ZM_DB_HOST=127.0.0.1\n",
        "ZM_DB_HOST=127.0.0.1:3307\n",
        "ZM_DB_HOST=localhost:3307\n",
        "ZM_DB_HOST=localhost\n",
        "ZM_DB_HOST=localhost:/run/mysqld/mysqld.sock\n",
        "",
    ] {
        assert_eq!(warnings(&format!("ZM_DB_USER=u\n{fine}")), [], "{fine}");
    }
}

#[test]
fn rules_are_checked_each_by_itself_and_all_together() {
    let rules = |text: &str| {
        let problems = read(&with(&[]), &format!("{BARE}{text}")).err();
        let lines = |problem: &Problem| format!("{}: {}", problem.key, problem.message);
        problems.iter().flat_map(|problems| problems.iter()).map(lines).collect::<Vec<_>>()
    };
    let named = "[[rule]]\nname = 'a'\n";
    for (text, expected) in [
        (String::from("[[rule]]\n"), None),
        (format!("{named}monitors = ['Garden', 4]\n"), None),
        ("[[rule]]\ncomment = 'x'\n".to_owned(), Some("rule[0].name: is empty")),
        (format!("{named}{named}"), Some("rule[1].name: `a` is listed twice")),
        (format!("{named}channels = []\n"), Some("rule[0].channels: is empty")),
        (format!("{named}channels = ['sms']\n"), Some("rule[0].channels: `sms` is not a channel")),
        (format!("{named}days = ['monday']\n"), Some("rule[0].days: `monday` is not a day")),
        (format!("{named}between = ['22-6']\n"), Some("rule[0].between: `22-6` is not a time of the day")),
        (
            format!("{named}time-zone = 'Mars/Olympus'\n"),
            Some("rule[0].time-zone: `Mars/Olympus` is not a time zone that this machine knows"),
        ),
        (format!("{named}cause-has = ['']\n"), Some("rule[0].cause-has: has an empty entry")),
        (
            format!("{named}cause-has = [true]\n"),
            Some(
                "rule[0].cause-has: must be a list of strings, but is a list whose elements are not all strings",
            ),
        ),
    ] {
        let found = rules(&text);
        assert_eq!(found.first().map(String::as_str), expected, "{text}: {found:?}");
    }
    let many: Vec<_> = (0..257).map(|number| format!("[[rule]]\nname = 'r{number}'\n")).collect();
    assert_eq!(rules(&many.concat()), ["rule[256].name: too many rules (limit 256)"]);
}

#[test]
fn a_rule_without_conditions_makes_those_after_it_unreachable() {
    let warnings = |text: &str| {
        let loaded = loaded(&with(&[]), &format!("{BARE}{text}"));
        let told = loaded.warnings.into_iter().filter(|warning| warning.key.starts_with("rule"));
        told.map(|warning| (warning.key, warning.message)).collect::<Vec<_>>()
    };
    let rule = |name: &str, rest: &str| format!("[[rule]]\nname = '{name}'\n{rest}\n");
    let all = rule("all", "");
    let told = |message: &str| vec![("rule[0].name".to_owned(), message.to_owned())];
    assert_eq!(warnings(&format!("{}{all}", rule("a", "monitors = [1]"))), []);
    assert_eq!(warnings(&format!("{all}{}", rule("a", "channels = ['websocket']"))), []);
    assert_eq!(
        warnings(&format!("{all}{}", rule("a", "monitors = [1]"))),
        told("`all` has no conditions: `a` never decides")
    );
    assert_eq!(
        warnings(&format!("{all}{}{}", rule("a", ""), rule("b", ""))),
        told("`all` has no conditions: `a` and `b` never decide")
    );
}

#[test]
fn a_rule_that_is_not_for_pushes_cannot_make_them_urgent() {
    for (channels, warned) in
        [("'websocket'", true), ("'websocket', 'mqtt'", true), ("'mqtt', 'push'", false), ("'push'", false)]
    {
        let rule = format!("[[rule]]\nname = 'x'\naction = 'urgent'\nchannels = [{channels}]\n");
        let warnings = loaded(&with(&[]), &format!("{BARE}{rule}")).warnings;
        let found = warnings.iter().filter(|warning| warning.key == "rule[0].action");
        let found: Vec<_> = found.map(|warning| warning.message.as_str()).collect();
        let told = "\"urgent\", but the rule is not for pushes";
        assert_eq!(found, if warned { vec![told] } else { Vec::new() }, "{channels}");
    }
}

#[test]
fn rules_and_settings_about_labels_that_do_little_or_lose_alarms_are_warned_of() {
    let warnings = |text: &str| {
        let loaded = loaded(&with(&[]), &format!("{BARE}{text}"));
        let about = |key: &str| key.starts_with("labels") || key.starts_with("rule");
        let told = loaded.warnings.into_iter().filter(|warning| about(&warning.key));
        told.map(|warning| format!("{}: {}", warning.key, warning.message)).collect::<Vec<_>>()
    };
    let rule = "[[rule]]\nname = 'cats'\nlabels = ['cat']\n";
    for (text, expected) in [
        (String::new(), None),
        (format!("labels.wait = '10s'\n{rule}"), None),
        (
            "labels = { wait = '10s', without = 'drop' }".to_owned(),
            Some("labels.without: \"drop\": pushes of alarms without labels are not sent"),
        ),
        (
            "labels.without = 'drop'".to_owned(),
            Some("labels.without: \"drop\" has no effect: pushes do not wait for labels"),
        ),
        (
            "labels = { wait = '10s', source = [] }".to_owned(),
            Some("labels.wait: has no effect: labels.source is empty"),
        ),
        (
            "labels = { update = true, source = [] }".to_owned(),
            Some("labels.update: has no effect: labels.source is empty"),
        ),
        ("labels.update = true".to_owned(), None),
        (
            rule.to_owned(),
            Some("rule[0].labels: rarely match: pushes leave before labels are known (labels.wait is 0s)"),
        ),
        (format!("labels.source = []\n{rule}"), Some("rule[0].labels: never match: labels.source is empty")),
        (
            format!("labels.wait = '10s'\n{rule}channels = ['websocket']"),
            Some("rule[0].labels: rarely match: connected apps and MQTT are told before labels are known"),
        ),
        (
            "[[rule]]\nname = 'x'\nmin-confidence = 50".to_owned(),
            Some("rule[0].min-confidence: has no effect without labels"),
        ),
    ] {
        let found = warnings(&text);
        assert_eq!(found.first().map(String::as_str), expected, "{text}");
    }
    let problem = |text: &str| problems(&with(&[]), &format!("{BARE}{text}")).join("; ");
    for (text, expected) in [
        ("labels.source = ['frames']", "`frames` is not a source of labels"),
        ("labels.wait = '31s'", "31s is out of range"),
        ("[[rule]]\nname = 'x'\nlabels = ['person:95%']", "`person:95%` is not a label"),
    ] {
        assert!(problem(text).contains(expected), "{text}: {}", problem(text));
    }
}
