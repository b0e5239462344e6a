use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::super::zm_conf::Continuation;
use super::*;

fn conf(lines: &str) -> ZmConf {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zm.conf");
    std::fs::write(&path, lines).unwrap();
    ZmConf::load(&path, Continuation::Guess).unwrap()
}

fn tcp(host: &str, port: u16) -> DatabaseAddress {
    DatabaseAddress::Tcp { host: host.to_owned(), port }
}

#[test]
fn hosts_are_what_zoneminder_takes_them_for() {
    for (text, address) in [
        ("", DatabaseAddress::Default),
        ("localhost", DatabaseAddress::Default),
        ("LocalHost", DatabaseAddress::Default),
        ("localhost:/run/x.sock", DatabaseAddress::Socket("/run/x.sock".into())),
        ("ignored:/run/x.sock", DatabaseAddress::Socket("/run/x.sock".into())),
        ("db.example.org", tcp("db.example.org", 3306)),
        ("127.0.0.1:33600", tcp("127.0.0.1", 33600)),
        ("localhost:3307", tcp("localhost", 3307)),
    ] {
        assert_eq!(host(text).unwrap(), address, "{text}");
    }
    for wrong in ["::1", "db:port", "db:0", "db:70000", ":3306"] {
        assert!(host(wrong).unwrap_err().to_string().contains(wrong), "{wrong}");
    }
}

#[test]
fn zm_conf_says_how_to_reach_the_database() {
    let config = DatabaseConfig::from_zmconf(&conf("ZM_DB_USER=u\nZM_DB_PASS=p=w\nZM_DB_NAME=cams")).unwrap();
    assert_eq!(
        (config.user.as_str(), config.password.expose_secret(), config.name.as_str()),
        ("u", "p=w", "cams")
    );
    assert_eq!((config.address, config.tls), (DatabaseAddress::Default, None));
    let config = DatabaseConfig::from_zmconf(&conf("ZM_DB_USER=u")).unwrap();
    assert_eq!((config.password.expose_secret(), config.name.as_str()), ("", "zm"));
}

#[test]
fn all_that_is_wrong_in_zm_conf_is_said() {
    let conf = conf("ZM_DB_TYPE=pgsql\nZM_DB_HOST=::1\nZM_DB_SSL_CLIENT_KEY=/k");
    let names: Vec<_> =
        DatabaseConfig::from_zmconf(&conf).unwrap_err().iter().map(ConnectionFault::name).collect();
    assert_eq!(names, ["ZM_DB_TYPE", "ZM_DB_HOST", "ZM_DB_USER", "ZM_DB_SSL_CLIENT_KEY"]);
}

#[test]
fn tls_is_used_where_a_root_is_named() {
    let tls =
        |lines: &str| DatabaseConfig::from_zmconf(&conf(&format!("ZM_DB_USER=u\n{lines}"))).unwrap().tls;
    assert_eq!(tls("ZM_DB_SSL_CLIENT_CERT=/c\nZM_DB_SSL_CLIENT_KEY=/k"), None);
    let plain = DatabaseTls { ca: "/ca".into(), client: None, verify_server: false };
    assert_eq!(tls("ZM_DB_SSL_CA_CERT=/ca"), Some(plain.clone()));
    for no in ["0", "false", "No", "OFF", ""] {
        assert_eq!(
            tls(&format!("ZM_DB_SSL_CA_CERT=/ca\nZM_DB_SSL_VERIFY_SERVER_CERT={no}")),
            Some(plain.clone())
        );
    }
    let full = "ZM_DB_SSL_CA_CERT=/ca\nZM_DB_SSL_VERIFY_SERVER_CERT=1\nZM_DB_SSL_CLIENT_CERT=/c\nZM_DB_SSL_CLIENT_KEY=/k";
    let client = Some(("/c".into(), "/k".into()));
    assert_eq!(tls(full), Some(DatabaseTls { ca: "/ca".into(), client, verify_server: true }));
}

#[test]
fn urls_are_read() {
    for (url, user, password, address, name) in [
        ("mysql://u:p@localhost/zm", "u", "p", DatabaseAddress::Default, "zm"),
        ("mysql://u@localhost/zm", "u", "", DatabaseAddress::Default, "zm"),
        ("mysql://u:p@/zm", "u", "p", DatabaseAddress::Default, "zm"),
        ("mysql://u:p@db/zm", "u", "p", tcp("db", 3306), "zm"),
        ("mariadb://u:p@db:33/zm", "u", "p", tcp("db", 33), "zm"),
        ("mysql://u:p@[::1]/zm", "u", "p", tcp("::1", 3306), "zm"),
        ("mysql://u:p@[::1]:33/zm", "u", "p", tcp("::1", 33), "zm"),
        ("mysql://u%40x:p%3A%2f%25@db/z%20m", "u@x", "p:/%", tcp("db", 3306), "z m"),
        ("mysql://u:p@w/d@db/zm", "u", "p@w/d", tcp("db", 3306), "zm"),
        (
            "mysql://u:p@h/zm?socket=/run/my%20sql.sock",
            "u",
            "p",
            DatabaseAddress::Socket("/run/my sql.sock".into()),
            "zm",
        ),
    ] {
        let config = DatabaseConfig::from_url(url).unwrap_or_else(|fault| panic!("{url}: {fault:?}"));
        assert_eq!((config.user.as_str(), config.password.expose_secret()), (user, password), "{url}");
        assert_eq!((config.address, config.name.as_str(), config.tls), (address, name, None), "{url}");
    }
    let tls = DatabaseConfig::from_url("mysql://u:p@db/zm?ssl-ca=/ca&ssl-cert=/c&ssl-key=/k").unwrap().tls;
    let client = Some(("/c".into(), "/k".into()));
    assert_eq!(tls, Some(DatabaseTls { ca: "/ca".into(), client, verify_server: true }));
}

#[test]
fn wrong_urls_are_refused_without_quoting_them() {
    for url in [
        "postgres://u:hunter2@db/zm",
        "mysql://db/zm",
        "mysql://:hunter2@db/zm",
        "mysql://u:hunter2@db",
        "mysql://u:hunter2@db/",
        "mysql://u:hunter2@db:x/zm",
        "mysql://u:hunter2@[::1/zm",
        "mysql://u:hunter2@[::1]x/zm",
        "mysql://u:hunter2%@db/zm",
        "mysql://u:hunter2%zz@db/zm",
        "mysql://u:hunter2%ff@db/zm",
        "mysql://u:hunter2@db/zm?timezone=x",
        "mysql://u:hunter2@db/zm?socket=relative",
        "mysql://u:hunter2@db/zm?ssl-cert=/c",
        "mysql://u:hunter2@db/zm?ssl-cert=/c&ssl-key=/k",
    ] {
        let fault = DatabaseConfig::from_url(url).unwrap_err();
        assert!(!format!("{fault:?} {fault}").contains("hunter2"), "{fault:?}");
    }
}

#[test]
fn the_password_is_not_in_debug() {
    let config = DatabaseConfig::from_url("mysql://u:hunter2@db/zm").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn any_url_is_harmless(rest in "\\PC*") {
        drop(DatabaseConfig::from_url(&format!("mysql://{rest}")));
        drop(host(&rest));
    }

    #[test]
    fn any_password_survives_escaping(password in "\\PC*") {
        let escaped: Vec<_> = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let escaped = escaped.concat();
        let config = DatabaseConfig::from_url(&format!("mysql://u:{escaped}@db/zm")).unwrap();
        prop_assert_eq!(config.password.expose_secret(), password.as_str());
    }
}
