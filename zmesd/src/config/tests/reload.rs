//! What a reload finds changed, and what it may apply.

use super::*;

#[test]
fn a_reload_knows_what_is_hot() {
    let place = Place::new();
    let before = place.config(LEAST);
    let diff = |text: &str| before.diff(&place.config(text));
    assert!(diff(LEAST).is_empty());
    let hot = "
        zoneminder.poll-interval = '30ms'
        zoneminder.catch-up = '5m'
        server.max-clients = 5
        server.listen = ['[::]:9001']
        log.level = 'debug'
        log.format = 'json'
        metrics.listen = '127.0.0.1:9090'
        push.mode = 'shadow'
    ";
    let diff_hot = diff(&format!("{LEAST}{hot}"));
    assert_eq!(
        diff_hot.hot(),
        ["log.level", "metrics.listen", "push.mode", "server.max-clients", "zoneminder.poll-interval"]
    );
    assert_eq!(diff_hot.needs_restart(), ["log.format", "server.listen", "zoneminder.catch-up"]);
    let phones = place.config(&format!("{LEAST}{PUSH}"));
    let shadow = phones.diff(&place.config(&format!("{LEAST}{PUSH}\n[push]\nmode = 'shadow'\n")));
    assert_eq!((shadow.hot(), shadow.needs_restart()), (vec!["push.mode".to_owned()], vec![]));
    let tls = diff(&LEAST.replace("cert.pem", "apns.p8"));
    assert_eq!((tls.hot(), tls.needs_restart()), (vec!["server.tls.certificate".to_owned()], vec![]));
    let plain = diff(&format!("{LEAST}server.plaintext = true\n"));
    assert!(plain.hot().is_empty(), "{plain:?}");
    assert_eq!(plain.needs_restart(), ["server.plaintext", "server.tls.certificate", "server.tls.key"]);
}

/// Every key of [zoneminder] and beyond that can change without other files, changed.
const CHANGED: &str = "
    metrics.listen = '127.0.0.1:9090'
    log = { level = 'debug', format = 'json' }
    end = { push = true, websocket = true }
    labels = { source = ['notes'], wait = '10s', without = 'drop', update = true }
    picture = { base-url = 'https://zm', link-url = '/', order = ['alarm'], lifetime = '1h', max-size = '1MiB',
        update = true }
    watchdog.notify = ['user:amy']
    watchdog.ping-url = 'https://hc-ping.com/hunter2'
    watchdog.camera-offline = '3m'
    watchdog.camera-to = 'viewers'
    watchdog.probe-interval = '2h'
    watchdog.ping-interval = '2m'
    watchdog.ping-fail-suffix = ''
    [mqtt]
    enabled = true
    url = 'mqtts://broker.example.org'
    plaintext = true
    username = 'amy'
    password = 'hunter2'
    ca-certificate = 'cert.pem'
    certificate = 'cert.pem'
    key = 'key.pem'
    client-id = 'zmesd'
    topic = 'home'
    user = 'amy'
    monitors = [4]
    commands = true
    keep = '1m'
    es-topic = 'zoneminder'
    es-retain = true
    home-assistant.enabled = false
    home-assistant.prefix = 'ha'
    home-assistant.status-topic = 'ha/status'
    [cluster]
    enabled = true
    database-url = 'mysql://zmesd:hunter2@localhost/zmesd'
    name = 'nvr9'
    poll = '100ms'
    lease = '4s'
    prefer = 1
    keep = '2h'
    address = 'https://192.0.2.9:9000'
    alone = 'wait'
    [zoneminder]
    config = 'zm.conf'
    path-map = '/tmp'
    server-id = 3
    version = '1.36.33'
    source = 'db'
    poll-interval = '30ms'
    monitor-reload-interval = '61s'
    reconcile-interval = '3s'
    realarm-interval = '61s'
    alarm-limit = 7
    startup-grace = '11s'
    catch-up = '11m'
    [server]
    listen = ['127.0.0.1:9001']
    advertised-version = '7.0.1'
    max-clients = 19
    max-clients-per-address = 9
    trusted-proxies = ['10.0.0.0/8']
    allowed-origins = ['https://zm.example.org']
    tls = { certificate = 'key.pem', key = 'cert.pem' }
    [auth]
    enabled = false
    timeout = '21s'
    enforce-monitor-permissions = false
    [push]
    interval-default = '1s'
    retry-for = '11m'
    mode = 'shadow'
    storm-limit = 31
    picture-url = 'https://zm/?eid=EVENTID&token=hunter2'
    [state]
    directory = '/tmp/zmesd'
    keep-deliveries = '1d'
    keep-tombstones = '1d'
    keep-events = '1h'
    max-size = '16MiB'
    [control]
    socket = '/tmp/control.sock'
    admin-group = 'daemon'
";

#[test]
fn what_is_used_after_a_reload_differs_only_in_what_needs_a_restart() {
    let place = Place::new();
    let (old, new) = (place.config(LEAST), place.config(&format!("{CHANGED}{}", PUSH.replace("[push]", ""))));
    let all = old.diff(&new);
    let now = old.following(&new);
    let left = now.diff(&new);
    assert_eq!((left.hot(), left.needs_restart()), (Vec::new(), all.needs_restart()));
    let changed = |diff: &ConfigDiff, key: &str| diff.changes.iter().any(|change| change.key == key);
    for section in SECTIONS.iter().filter(|section| !section.repeated) {
        for key in section.keys {
            let dotted = format!("{}.{}", section.path, key.name);
            // Those that nothing above changes, and those that exclude others.
            let same = ["zoneminder.config", "zoneminder.database-url", "server.plaintext", "push.enabled"];
            assert!(changed(&all, &dotted) || same.contains(&&*dotted), "{dotted}");
            assert_eq!(
                changed(&left, &dotted),
                key.reload == Reload::Restart && changed(&all, &dotted),
                "{dotted}"
            );
        }
    }
    assert_eq!((now.zoneminder.alarm_limit, now.zoneminder.catch_up), (7, old.zoneminder.catch_up));
    assert_eq!((now.server.max_clients, &now.server.listen), (19, &old.server.listen));
    assert_eq!(now.server.tls, new.server.tls);
    assert!(now.push.proxy.is_some() && now.push.fcm.is_some() && now.push.apns.is_some());
    assert_eq!((now.push.mode, now.push.storm_limit), (PushMode::Shadow, old.push.storm_limit));
    assert_eq!((now.control.admin_group.as_str(), &now.control.socket), ("daemon", &old.control.socket));
    assert_eq!((now.log.level.as_str(), now.log.format), ("debug", old.log.format));
    assert_eq!(now.rules.iter().count(), 1);
    assert_eq!(now.mqtt, new.mqtt);
    assert_eq!((now.auth, &now.metrics, &now.state), (new.auth, &new.metrics, &old.state));
    let areas: Vec<_> = all.hot_areas().into_iter().collect();
    let expected = [
        SettingsArea::Zoneminder,
        SettingsArea::Server,
        SettingsArea::Auth,
        SettingsArea::Push,
        SettingsArea::Picture,
        SettingsArea::Rule,
        SettingsArea::End,
        SettingsArea::Labels,
        SettingsArea::Watchdog,
        SettingsArea::Mqtt,
        SettingsArea::Control,
        SettingsArea::Metrics,
        SettingsArea::Log,
    ];
    assert_eq!(areas, expected);
}

#[test]
fn a_change_tells_old_and_new_but_no_secret() {
    let place = Place::new();
    let url = |word: &str| format!("{LEAST}push.picture-url = 'https://zm/?eid=EVENTID&token={word}'\n");
    let change = |old: &str, new: &str| {
        let diff = place.config(old).diff(&place.config(new));
        let [SettingChange { key, old, new, .. }] = &diff.changes[..] else { panic!("{diff:?}") };
        (key.clone(), old.clone().unwrap_or_default(), new.clone().unwrap_or_default())
    };
    let told = change(LEAST, &format!("{LEAST}zoneminder.poll-interval = '1s'\n"));
    assert_eq!(told, ("zoneminder.poll-interval".into(), "\"20ms\"".into(), "\"1s\"".into()));
    let hidden = "\"https://zm/?[hidden]\"".to_owned();
    assert_eq!(change(&url("a"), &url("b")), ("push.picture-url".into(), hidden.clone(), hidden));
}

#[test]
fn a_reload_sees_what_changed_in_other_files() {
    let place = Place::new();
    let text = format!("{LEAST}{PUSH}");
    let before = place.config(&text);
    let zm_conf = place.directory.path().join("zm.conf");
    let other = fs::read_to_string(&zm_conf).unwrap().replace("hunter2", "hunter3").replace("/dev", "/tmp");
    fs::write(zm_conf, other).unwrap();
    fs::write(place.directory.path().join("app.key"), "other").unwrap();
    let diff = before.diff(&place.config(&text));
    assert_eq!(diff.needs_restart(), ["zoneminder.config", "zoneminder.path-map"]);
    assert_eq!(diff.hot(), ["push.proxy.app-key"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_harmless(text in "\\PC{0,300}") {
        drop(Loaded::from_text(&text, Path::new("zmesd.toml"), &Environment::default()));
    }

    #[test]
    fn any_toml_like_text_is_harmless(
        text in "(\\[{1,2}(zoneminder|server|server\\.tls|push\\.fcm\\.proxy|push)\\]{1,2}\n|(listen|url|key|key-file|poll-interval|tls|\"\\\\u0000\")( |=|\\.|\\[|\\{|\\}|\\]|,|\"|'|1|true|1e5|20ms|\n){0,6}\n){0,12}"
    ) {
        drop(Loaded::from_text(&text, Path::new("zmesd.toml"), &Environment::default()));
    }

    #[test]
    fn any_bytes_are_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zmesd.toml");
        fs::write(&path, bytes).unwrap();
        drop(Config::load(&path, &Environment::default()));
    }
}
