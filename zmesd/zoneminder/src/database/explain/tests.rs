//! Each failure in the words and with the cure that an admin reads.

use std::io::{Error, ErrorKind};
use std::sync::Arc;

use rustls::OtherError;

use super::*;
use crate::conf::DatabaseOrigin;

fn database(address: DatabaseAddress) -> DatabaseConfig {
    DatabaseConfig {
        address,
        user: "zmuser".into(),
        password: "s3cret".to_owned().into(),
        name: "zm".into(),
        tls: None,
        origin: DatabaseOrigin::default(),
    }
}

fn local() -> DatabaseConfig {
    database(DatabaseAddress::Default)
}

fn remote() -> DatabaseConfig {
    database(DatabaseAddress::Tcp { host: "db.lan".to_owned(), port: 3306 })
}

fn told(fault: Fault, database: &DatabaseConfig) -> DatabaseTrouble {
    let trouble = fault.explain(database).trouble().clone();
    let text = format!("{} {}", trouble.message, trouble.hint);
    for developers in ["sqlx", "::", "Some(", "DnsName(", "os error", "s3cret"] {
        assert!(!text.contains(developers), "{developers} in: {text}");
    }
    trouble
}

#[test]
fn every_place_that_was_tried_is_named() {
    let places = vec![
        (ServerAddress::Socket("/run/mysqld/mysqld.sock".into()), Error::from(ErrorKind::NotFound)),
        (ServerAddress::Tcp("127.0.0.1".to_owned(), 3306), Error::from(ErrorKind::ConnectionRefused)),
    ];
    let trouble = told(Fault::Unreachable(places), &local());
    assert_eq!(
        trouble.message,
        "/run/mysqld/mysqld.sock: no such socket; 127.0.0.1:3306: connection refused"
    );
    assert_eq!(
        (trouble.fault, trouble.hint.as_str()),
        (DatabaseFault::Unreachable, "systemctl start mariadb")
    );
}

#[test]
fn each_way_of_not_reaching_a_server_has_its_cure() {
    let tcp = |error| vec![(ServerAddress::Tcp("db.lan".to_owned(), 3306), error)];
    let unknown = Error::other("failed to lookup address information: Name or service not known");
    let trouble = told(Fault::Unreachable(tcp(unknown)), &remote());
    assert_eq!(
        (trouble.fault, trouble.message.as_str()),
        (DatabaseFault::Name, "db.lan:3306: the name is not known")
    );
    assert!(trouble.hint.starts_with("getent hosts db.lan"), "{}", trouble.hint);
    let refused = told(Fault::Unreachable(tcp(Error::from(ErrorKind::ConnectionRefused))), &remote());
    assert!(refused.hint.starts_with("mysqladmin -h db.lan -P 3306 ping"), "{}", refused.hint);
    let socket = DatabaseAddress::Socket("/run/db.sock".into());
    let denied =
        vec![(ServerAddress::Socket("/run/db.sock".into()), Error::from(ErrorKind::PermissionDenied))];
    assert!(told(Fault::Unreachable(denied), &database(socket)).hint.starts_with("namei -l /run/db.sock"));
}

#[test]
fn a_login_method_that_the_driver_does_not_speak_comes_with_its_cure() {
    for (plugin, method) in [("client_ed25519", "ed25519"), ("parsec", "parsec")] {
        let text = format!("unknown authentication plugin: {plugin} (sqlx_mysql::protocol::auth:36)");
        let trouble = told(Fault::Sql(sqlx::Error::Protocol(text)), &local());
        assert_eq!(trouble.fault, DatabaseFault::Plugin);
        assert_eq!(
            trouble.message,
            format!("`zmuser` uses a login method that zmesd does not support ({method})")
        );
        assert!(
            trouble.hint.contains("IDENTIFIED VIA mysql_native_password USING PASSWORD"),
            "{}",
            trouble.hint
        );
    }
    let rsa = "RSA auth backend disabled; enable feature `mysql-rsa` (or `rsa` if using sqlx-mysql directly) or use TLS.";
    let trouble = told(Fault::Sql(sqlx::Error::Configuration(rsa.into())), &local());
    assert_eq!(trouble.fault, DatabaseFault::Plugin);
    assert!(trouble.message.contains("caching_sha2_password without TLS"), "{}", trouble.message);
}

#[test]
fn what_speaks_no_mysql_is_said_without_the_drivers_words() {
    let error = sqlx::Error::Protocol("expected to read 4 bytes (sqlx_mysql::connection:1)".to_owned());
    let trouble = told(Fault::Sql(error), &remote());
    assert_eq!(trouble.message, "db.lan:3306: the peer does not speak MySQL's protocol");
}

#[test]
fn each_refusal_of_the_server_has_its_kind_and_its_cure() {
    let denied = "SELECT command denied to user\n'zmuser'@'10.0.0.5' for table `zm`.`Events`";
    for (number, text, fault, hint) in [
        (1045, "Access denied", DatabaseFault::Login, "mysql -u zmuser -p zm"),
        (1698, "Access denied", DatabaseFault::Login, "bound to the system's user"),
        (1044, "Access denied", DatabaseFault::Privileges, "TO 'zmuser'@'localhost'"),
        (1049, "Unknown database", DatabaseFault::Schema, "correct ZM_DB_NAME in zm.conf"),
        (1142, denied, DatabaseFault::Privileges, "GRANT SELECT ON \\`zm\\`.* TO 'zmuser'@'10.0.0.5'\""),
        (1040, "Too many connections", DatabaseFault::Busy, "max_connections"),
        (1129, "Host is blocked", DatabaseFault::Busy, "flush-hosts"),
        (3159, "insecure transport", DatabaseFault::Tls, "ZM_DB_SSL_CA_CERT"),
        (1317, "Query interrupted", DatabaseFault::Unreachable, "processlist"),
        (126, "Index file is crashed", DatabaseFault::Other, "mysqlcheck zm"),
    ] {
        let error = refusal::explain(number, text, &local());
        let trouble = error.trouble();
        assert_eq!(trouble.fault, fault, "{number}");
        assert!(trouble.hint.contains(hint), "{number}: {}", trouble.hint);
        assert!(!trouble.message.contains('\n'), "the server's text is cleaned");
    }
    let DbError::Unexpected(_) = refusal::explain(1142, denied, &local()) else {
        panic!("a missing privilege is no outage")
    };
}

#[derive(Debug)]
struct UnsupportedCertVersion;

impl std::fmt::Display for UnsupportedCertVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("version")
    }
}

impl std::error::Error for UnsupportedCertVersion {}

#[test]
fn the_servers_certificate_is_blamed_for_what_is_wrong_with_it() {
    use rustls::CertificateError;
    let name = CertificateError::NotValidForNameContext {
        expected: "db.lan".try_into().unwrap(),
        presented: vec!["DnsName(\"other.lan\")".to_owned()],
    };
    for (problem, words, cure) in [
        (
            CertificateError::Other(OtherError(Arc::new(UnsupportedCertVersion))),
            "certificate is X.509 version 1",
            "replace the database server's certificate",
        ),
        (name, "certificate is for other.lan, not for db.lan", "ZM_DB_SSL_VERIFY_SERVER_CERT"),
        (
            CertificateError::UnknownIssuer,
            "was not issued by the named CA",
            "openssl s_client -starttls mysql",
        ),
        (CertificateError::BadSignature, "key of less than 2048 bits", "subjectAltName=DNS:db.lan"),
        (CertificateError::Expired, "has expired", "openssl x509 -req"),
    ] {
        let inner = rustls::Error::InvalidCertificate(problem);
        let error = sqlx::Error::Io(Error::new(ErrorKind::InvalidData, inner));
        let fault = TlsFault::of(&error).unwrap();
        let place = ServerAddress::Tcp("db.lan".to_owned(), 3306);
        let trouble = told(Fault::Tls { place, fault }, &remote());
        assert_eq!(trouble.fault, DatabaseFault::Tls);
        assert!(trouble.message.contains(words), "{}", trouble.message);
        assert!(trouble.hint.contains(cure), "{}", trouble.hint);
    }
}

#[test]
fn what_was_said_without_tls_comes_first() {
    let refused = sqlx::Error::Protocol("unknown authentication plugin: client_ed25519".to_owned());
    let reason = TlsFault::NotOffered;
    let trouble = told(Fault::WithoutTls { error: refused, reason }, &local());
    assert_eq!(trouble.fault, DatabaseFault::Plugin);
    assert!(
        trouble.message.ends_with("; TLS is not possible: the database server offers no TLS"),
        "{}",
        trouble.message
    );
}
