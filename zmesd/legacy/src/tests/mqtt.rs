//! The old `[mqtt]`: what becomes of each setting.

use super::*;

fn imported(mqtt: &str) -> Conversion {
    written(&[("es.ini", &format!("{TLS}[mqtt]\nenable = yes\n{mqtt}"))])
}

/// Returns lines of `[mqtt]` of the new file.
fn lines(written: &Conversion, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| line(written, "mqtt", key)).collect()
}

#[test]
fn a_broker_on_the_same_machine_is_taken_over_with_the_topic_of_old() {
    let written = imported("server = 127.0.0.1\n");
    assert_eq!(
        lines(
            &written,
            &["enabled", "url", "plaintext", "username", "es-topic", "es-ends", "es-retain", "topic"]
        ),
        [
            "enabled = true",
            "url = \"mqtt://127.0.0.1\"",
            "plaintext = false",
            "username = \"\"",
            "es-topic = \"zoneminder\"",
            "es-ends = false",
            "es-retain = false",
            "topic = \"zmesd\""
        ]
    );
    let report = written.report.human(&ReportView::default());
    assert!(report.contains("`hookvalue` is always 0") && report.contains("zmesctl mqtt check"), "{report}");
    assert!(!report.contains("not encrypted"), "{report}");
    // Without a server, the old one's default holds.
    assert_eq!(lines(&imported(""), &["url"]), ["url = \"mqtt://127.0.0.1\""]);
}

#[test]
fn a_broker_elsewhere_without_tls_is_taken_over_and_told_of() {
    let written = imported(
        "server = 192.0.2.9:1884\ntopic = home/zm\nusername = zm\npassword = planted\nretain = yes\n",
    );
    assert_eq!(
        lines(&written, &["url", "plaintext", "username", "es-topic", "es-retain"]),
        [
            "url = \"mqtt://192.0.2.9:1884\"",
            "plaintext = true",
            "username = \"zm\"",
            "es-topic = \"home/zm\"",
            "es-retain = true"
        ]
    );
    assert!(fates(&written, "[mqtt] server").iter().any(|fate| fate.contains("not encrypted, as before")));
    let toml = written.toml(Audience::File);
    assert!(
        toml.contains("password-file = \"secrets/mqtt-password\"") && !toml.contains("planted"),
        "{toml}"
    );
    assert!(!written.report.human(&ReportView::default()).contains("planted"));
}

#[test]
fn tls_needs_what_the_old_server_needed_for_it() {
    let all = "server = broker.example.org\ntls_ca = /ca.pem\ntls_cert = /c.pem\ntls_key = /k.pem\n";
    let login = format!("{all}username = zm\npassword = planted\ntls_insecure = 1\n");
    let written = imported(&login);
    assert_eq!(
        lines(&written, &["url", "plaintext", "ca-certificate", "certificate", "key"]),
        [
            "url = \"mqtts://broker.example.org\"",
            "plaintext = false",
            "ca-certificate = \"/ca.pem\"",
            "certificate = \"/c.pem\"",
            "key = \"/k.pem\""
        ]
    );
    assert_eq!(
        fates(&written, "[mqtt] tls_insecure"),
        ["missing zmesd always verifies the broker's certificate"]
    );
    let without = imported(all);
    assert_eq!(
        lines(&without, &["url", "ca-certificate"]),
        ["url = \"mqtt://broker.example.org\"", "ca-certificate = \"\""]
    );
    assert!(fates(&without, "[mqtt] tls_ca")[0].starts_with("open the old server used TLS only with"));
}

#[test]
fn a_broker_that_is_none_leaves_mqtt_off() {
    let written = imported("server = tcp://broker\ntopic = t\n");
    assert_eq!(lines(&written, &["enabled", "url"]), ["enabled = false", "url = \"\""]);
    assert!(fates(&written, "[mqtt] server")[0].starts_with("open not the name or the address"));
    assert_eq!(fates(&written, "[mqtt] enable"), ["idle its broker could not be taken over"]);
}

#[test]
fn a_login_is_whole_or_none() {
    for half in ["username = zm\n", "password = planted\n"] {
        let written = imported(half);
        assert_eq!(lines(&written, &["username", "password"]), ["username = \"\"", "password = \"\""]);
        let fates = fates(&written, &format!("[mqtt] {}", half.split(' ').next().unwrap()));
        assert_eq!(fates, ["idle the old server logged in only with a user and a password"]);
    }
}

#[test]
fn ends_are_published_where_the_old_server_published_them() {
    let of = |rest: &str| {
        let text = format!("{TLS}[mqtt]\nenable = yes\n[customize]\n{rest}");
        line(&written(&[("es.ini", &text)]), "mqtt", "es-ends")
    };
    assert_eq!(of("send_event_end_notification = no\n"), "es-ends = false");
    assert_eq!(of("send_event_end_notification = yes\nuse_hooks = no\n"), "es-ends = true");
    assert_eq!(of("send_event_end_notification = yes\n[hook]\nevent_end_hook = /h\n"), "es-ends = false");
    let listed = "send_event_end_notification = yes\n[hook]\nevent_end_hook = /h\n\
                  event_end_notify_on_hook_success = fcm, mqtt\n";
    assert_eq!(of(listed), "es-ends = true");
}

#[test]
fn what_was_off_stays_off() {
    let text =
        format!("{TLS}[mqtt]\nenable = no\nserver = 127.0.0.1\npassword = planted\ntick_interval = 15\n");
    let written = written(&[("es.ini", &text)]);
    assert_eq!(
        lines(&written, &["enabled", "url", "es-topic"]),
        ["enabled = false", "url = \"\"", "es-topic = \"\""]
    );
    assert_eq!(fates(&written, "[mqtt] enable"), ["idle it was off"]);
    for old in ["server", "password", "tick_interval"] {
        assert_eq!(
            fates(&written, &format!("[mqtt] {old}")),
            ["idle it belongs to a feature that was off"],
            "{old}"
        );
    }
}
