//! What happens while the database is away, deaf, locked or locked up.

use std::time::Duration;

use sqlx::Executor;
use zmes_shared::EventId;
use zmes_zoneminder::conf::{DatabaseAddress, DatabaseConfig};
use zmes_zoneminder::database::ZmDb;
use zmes_zoneminder::{AccountStore, DbError, DbHealth, EventStore, MonitorStore};

use crate::fixtures::V1_36;
use crate::mariadb::{MariaDb, PASSWORD, USER};

async fn started() -> Option<MariaDb> {
    let server = MariaDb::start().await?;
    server.load("zm", V1_36).await;
    Some(server)
}

/// The trouble that the health shows, which must be the one that the caller got: its sentence and its cure.
async fn down(config: DatabaseConfig) -> String {
    let db = ZmDb::new(config, None, true);
    let (DbError::Unavailable(said) | DbError::Unexpected(said)) = db.load().await.unwrap_err();
    match db.health().borrow().clone() {
        DbHealth::Down(shown) => assert_eq!(shown, said),
        other @ (DbHealth::Untried | DbHealth::Up) => panic!("{other:?}"),
    }
    let said = format!("{}; hint: {}", said.message, said.hint);
    assert!(!said.contains(PASSWORD), "{said}");
    said
}

#[tokio::test]
async fn a_server_that_dies_is_missed_and_found_again() {
    let Some(mut server) = started().await else { return };
    let db = ZmDb::new(server.config("zm"), None, true);
    let mut health = db.health();
    let before = db.load().await.unwrap();
    server.kill();
    for _ in 0..2 {
        let Err(DbError::Unavailable(cause)) = db.load().await else { panic!("nobody is there") };
        assert!(cause.message.contains("db.sock: no such socket"), "{cause}");
        assert!(matches!(db.find("viewer").await, Err(DbError::Unavailable(_))));
    }
    assert!(matches!(*health.borrow_and_update(), DbHealth::Down(_)));
    server.resume().await;
    assert_eq!(db.load().await.unwrap(), before);
    assert!(health.has_changed().unwrap());
    assert_eq!(*health.borrow_and_update(), DbHealth::Up);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced_unseen() {
    let Some(mut server) = started().await else { return };
    let db = ZmDb::new(server.config("zm"), None, true);
    db.load().await.unwrap();
    server.kill();
    server.resume().await;
    assert_eq!(db.newest().await, Ok(None), "the idle connection is dead, and nobody hears of it");
}

#[tokio::test]
async fn a_frozen_server_is_given_up_in_time() {
    let Some(server) = started().await else { return };
    let db = ZmDb::new(server.config("zm"), None, true);
    db.load().await.unwrap();
    server.freeze().await;
    // Without a deadline this would not end at all.
    let Err(DbError::Unavailable(cause)) = db.newest().await else { panic!("a frozen server answered") };
    assert!(cause.message.contains("no answer") && cause.message.contains("within 5 s"), "{cause}");
    server.thaw();
    assert_eq!(db.newest().await, Ok(None));
    assert_eq!(*db.health().borrow(), DbHealth::Up);
}

#[tokio::test]
async fn a_locked_table_leaves_no_statement_behind() {
    let Some(server) = started().await else { return };
    let db = ZmDb::new(server.config("zm"), None, true);
    db.load().await.unwrap();
    let mut holder = server.connection("zm").await;
    holder.execute("LOCK TABLES Events WRITE").await.unwrap();
    let Err(DbError::Unavailable(cause)) = db.newest().await else { panic!("read through a lock") };
    assert!(cause.message.contains("Lock wait timeout"), "the server's own limit comes first: {cause}");
    // A connection that is thrown away is seen for a moment.
    let gone = async {
        let query = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'zmuser' AND command <> 'Sleep'";
        while sqlx::query_scalar::<_, i64>(query).fetch_one(&mut holder).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("a statement is left behind");
    holder.execute("UNLOCK TABLES").await.unwrap();
    assert_eq!(db.newest().await, Ok(None));
}

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    let Some(server) = started().await else { return };
    let good = || server.config("zm");

    let cause = down(DatabaseConfig { password: "wrong".to_owned().into(), ..good() }).await;
    assert!(cause.contains("access denied for `zmuser`") && cause.contains("ZM_DB_PASS"), "{cause}");

    let cause = down(DatabaseConfig { password: String::new().into(), ..good() }).await;
    assert!(cause.contains("access denied"), "{cause}");

    server.sql("", "GRANT SELECT ON `nowhere`.* TO zmuser").await;
    let cause = down(DatabaseConfig { name: "nowhere".to_owned(), ..good() }).await;
    assert!(cause.contains("there is no database `nowhere`"), "{cause}");

    let cause = down(DatabaseConfig { name: "mysql".to_owned(), ..good() }).await;
    assert!(cause.contains("GRANT SELECT ON \\`mysql\\`.* TO 'zmuser'@"), "{cause}");

    server.sql("", "CREATE DATABASE empty; GRANT SELECT ON empty.* TO zmuser").await;
    let cause = down(DatabaseConfig { name: "empty".to_owned(), ..good() }).await;
    assert!(cause.contains("table `Config` is missing in database `empty` or hidden"), "{cause}");

    server.sql("", "INSTALL SONAME 'auth_ed25519'").await;
    server.sql("", &format!("CREATE USER modern IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')")).await;
    let cause = down(DatabaseConfig { user: "modern".to_owned(), ..good() }).await;
    assert!(cause.contains("ed25519") && cause.contains("mysql_native_password"), "{cause}");

    let cause =
        down(DatabaseConfig { address: DatabaseAddress::Socket("/nonexistent/db.sock".into()), ..good() })
            .await;
    assert!(
        cause.starts_with("/nonexistent/db.sock: no such socket; hint: systemctl start mariadb"),
        "{cause}"
    );

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = DatabaseAddress::Tcp { host: "127.0.0.1".to_owned(), port: free };
    let cause = down(DatabaseConfig { address, ..good() }).await;
    assert!(cause.starts_with(&format!("127.0.0.1:{free}: connection refused; hint: ")), "{cause}");
}

#[tokio::test]
async fn an_account_without_password_logs_in() {
    let Some(server) = started().await else { return };
    server.sql("", "CREATE USER open; GRANT SELECT ON zm.* TO open").await;
    let config =
        DatabaseConfig { user: "open".to_owned(), password: String::new().into(), ..server.config("zm") };
    assert!(ZmDb::new(config, None, true).load().await.is_ok());
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_named_while_others_answer() {
    let Some(server) = started().await else { return };
    server.sql("", &format!("CREATE USER half IDENTIFIED BY '{PASSWORD}'")).await;
    for table in ["Config", "Monitors", "Events"] {
        server.sql("", &format!("GRANT SELECT ON zm.{table} TO half")).await;
    }
    let config = DatabaseConfig { user: "half".to_owned(), ..server.config("zm") };
    let db = ZmDb::new(config, None, true);
    db.load().await.unwrap();
    let Err(DbError::Unexpected(cause)) = db.all().await else { panic!("read without leave") };
    assert!(cause.message.contains("`Users`"), "{cause}");
    assert!(cause.hint.contains("GRANT SELECT ON \\`zm\\`.* TO 'half'@"), "{}", cause.hint);
    assert_eq!(db.since(EventId(0), &[], 1).await, Ok(Vec::new()));
    assert_eq!(*db.health().borrow(), DbHealth::Down(cause), "not hidden by what works");
}

#[tokio::test]
async fn tls_is_checked_where_it_is_asked_for() {
    let Some(server) = started().await else { return };
    let ca = server.ca();
    let load = async |config| ZmDb::new(config, None, true).load().await;
    assert!(load(server.tls_config("zm", "127.0.0.1", &ca, true)).await.is_ok());
    // The certificate does not name `localhost`, which matters only if the name is to be checked.
    assert!(load(server.tls_config("zm", "localhost", &ca, false)).await.is_ok());
    let cause = down(server.tls_config("zm", "localhost", &ca, true)).await;
    assert!(cause.contains("certificate is for 127.0.0.1, not for localhost"), "{cause}");

    let other = tempfile::TempDir::new().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let stranger = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    let stranger_ca = other.path().join("ca.pem");
    std::fs::write(&stranger_ca, stranger.pem()).unwrap();
    let cause = down(server.tls_config("zm", "127.0.0.1", &stranger_ca, false)).await;
    // Its CA has the same name, so it is the signature that tells them apart.
    assert!(cause.contains("a signature that the named CA did not make"), "{cause}");
}

#[tokio::test]
async fn many_questions_at_once_share_few_connections() {
    let Some(server) = started().await else { return };
    let db = ZmDb::new(server.config("zm"), None, true);
    let logins = futures_util::future::join_all((0..200).map(|_| db.find("viewer"))).await;
    assert!(logins.iter().all(|login| matches!(login, Ok(Some(_)))));
    let mut root = server.connection("").await;
    let connections: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM information_schema.processlist WHERE user = ?")
            .bind(USER)
            .fetch_one(&mut root)
            .await
            .unwrap();
    assert!((1..=4).contains(&connections), "{connections}");
}
