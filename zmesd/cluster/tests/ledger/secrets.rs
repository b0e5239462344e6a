//! Keys in common: whoever proposes one, all have the same.

use secrecy::{ExposeSecret, SecretSlice};
use zmes_cluster::LedgerFault;
use zmes_cluster::secrets::{agree, replace};

use crate::mariadb::MariaDb;
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
