//! Keys in common: whoever proposes one, all have the same.

use secrecy::{ExposeSecret, SecretSlice};
use zmes_cluster::LedgerFault;
use zmes_cluster::secrets::{agree, replace};

use crate::mariadb::{MariaDb, PASSWORD};
use crate::nodes::beside;

#[tokio::test]
async fn all_nodes_have_the_same_key() {
    let Some(server) = MariaDb::start().await else { return };
    let mut tasks = Vec::new();
    for node in 0..6_u8 {
        let mut line = server.line();
        tasks
            .push(beside(async move { agree(&mut line, "pictures", &vec![node; 32].into()).await.unwrap() }));
    }
    let mut keys = Vec::new();
    for task in tasks {
        keys.push(task.await.unwrap().expose_secret().to_vec());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1);
    let mut line = server.line();
    replace(&mut line, "pictures", &vec![77; 32].into()).await.unwrap();
    let now: SecretSlice<u8> = agree(&mut line, "pictures", &vec![1; 32].into()).await.unwrap();
    assert_eq!(now.expose_secret(), [77; 32]);
    let long = agree(&mut line, "pictures", &vec![1; 65].into()).await.unwrap_err();
    assert_eq!(long.fault, LedgerFault::Unfit);
}

#[tokio::test]
async fn no_password_is_in_a_line_or_an_error() {
    let Some(server) = MariaDb::start().await else { return };
    let mut line = server.line();
    let key: SecretSlice<u8> = vec![7; 32].into();
    agree(&mut line, "pictures", &key).await.unwrap();
    assert!(!format!("{line:?}").contains(PASSWORD), "{line:?}");
    server.sql("ALTER USER 'zmesd'@'127.0.0.1' IDENTIFIED BY 'another'").await;
    let error = agree(&mut server.line(), "pictures", &key).await.unwrap_err();
    assert_eq!(error.fault, LedgerFault::Login);
    assert!(!format!("{error:?}").contains(PASSWORD), "{error:?}");
}
