//! Making the ledger, and looking whether it is as it should be.

use jiff::Timestamp;
use zmes_cluster::LedgerFault;
use zmes_cluster::schema::{Check, CheckFinding, Plan, VERSION, verify};
use zmes_shared::views::Severity;

use crate::mariadb::{MariaDb, PASSWORD, SCHEMA, account};
use crate::nodes::member;

fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the test's own clock against that of a real server")]
    Timestamp::now()
}

fn severity(findings: &[CheckFinding], check: Check) -> Severity {
    findings.iter().find(|finding| finding.check == check).map_or(Severity::Ok, |finding| finding.severity)
}

#[tokio::test]
async fn a_ledger_is_made_once_and_making_it_again_changes_nothing() {
    let Some(server) = MariaDb::bare().await else { return };
    let mut admin = server.admin();
    let plan = Plan::make(&mut admin, SCHEMA, &account()).await.unwrap();
    assert_eq!(plan.found, None);
    let shown: Vec<String> = plan.statements.iter().map(ToString::to_string).collect();
    assert_eq!(shown[0], "CREATE DATABASE IF NOT EXISTS `zmesd`");
    assert!(shown.iter().all(|statement| !statement.contains(PASSWORD)), "{shown:?}");
    // It was interrupted, and is begun again.
    for most in [1, 4, 12] {
        let statements = plan.statements.iter().take(most).cloned().collect();
        Plan { found: None, statements }.run(&mut admin).await.unwrap();
        assert_eq!(Plan::make(&mut admin, SCHEMA, &account()).await.unwrap().found, None, "{most}");
    }
    plan.run(&mut admin).await.unwrap();

    let mut line = server.line();
    let findings = verify(&mut line, now).await.unwrap();
    // The tests' server is not durable, and that is the only thing.
    for finding in &findings {
        let expected = if finding.check == Check::Durability { Severity::Warning } else { Severity::Ok };
        assert_eq!(finding.severity, expected, "{finding:?}");
    }
    assert_eq!(findings.len(), 5, "{findings:?}");

    member(&mut line, "north").await;
    let again = Plan::make(&mut admin, SCHEMA, &account()).await.unwrap();
    assert_eq!(again.found, Some(VERSION));
    assert!(!again.statements.iter().any(|statement| statement.to_string().contains("CREATE TABLE")));
    again.run(&mut admin).await.unwrap();
    assert_eq!(server.number("SELECT COUNT(*) FROM node").await, 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_ledger_is_found() {
    let Some(server) = MariaDb::bare().await else { return };
    // An account that exists, and no ledger.
    server.admin();
    let mut admin = server.admin();
    let plan = Plan::make(&mut admin, SCHEMA, &account()).await.unwrap();
    let error = verify(&mut server.line(), now).await.unwrap_err();
    assert_eq!(error.fault, LedgerFault::Login, "{error:?}");
    plan.run(&mut admin).await.unwrap();

    server.sql("DROP TABLE badge").await;
    let mut line = server.line();
    let findings = verify(&mut line, now).await.unwrap();
    assert_eq!(severity(&findings, Check::Schema), Severity::Error);
    assert!(findings[0].detail.contains("badge"), "{findings:?}");
    // A table is made again, whatever version is noted.
    server.sql("DELETE FROM counter WHERE name = 'schema'").await;
    Plan::make(&mut admin, SCHEMA, &account()).await.unwrap().run(&mut admin).await.unwrap();
    assert_eq!(severity(&verify(&mut line, now).await.unwrap(), Check::Schema), Severity::Ok);

    server.sql("REVOKE DELETE ON zmesd.* FROM 'zmesd'@'127.0.0.1'").await;
    let findings = verify(&mut server.line(), now).await.unwrap();
    assert_eq!(severity(&findings, Check::Grants), Severity::Error);
    server.sql("GRANT DELETE, CREATE, DROP ON zmesd.* TO 'zmesd'@'127.0.0.1'").await;
    let findings = verify(&mut server.line(), now).await.unwrap();
    assert_eq!(severity(&findings, Check::Grants), Severity::Warning);

    // A clock that is ten seconds behind.
    let behind = || now() - jiff::SignedDuration::from_secs(10);
    let findings = verify(&mut line, behind).await.unwrap();
    assert_eq!(severity(&findings, Check::Clock), Severity::Warning);
}

#[tokio::test]
async fn a_newer_ledger_is_refused_unless_it_has_only_more() {
    let Some(server) = MariaDb::start().await else { return };
    let mut admin = server.admin();
    server.sql("UPDATE counter SET value = value + 1 WHERE name = 'schema'").await;
    let plan = Plan::make(&mut admin, SCHEMA, &account()).await.unwrap();
    assert_eq!(plan.found, Some(VERSION + 1));
    let findings = verify(&mut server.line(), now).await.unwrap();
    assert_eq!(severity(&findings, Check::Schema), Severity::Ok);

    server.sql("UPDATE counter SET value = value + 1 WHERE name = 'schema-needs'").await;
    let error = Plan::make(&mut admin, SCHEMA, &account()).await.unwrap_err();
    assert_eq!(error.fault, LedgerFault::NewSchema);
    let findings = verify(&mut server.line(), now).await.unwrap();
    assert_eq!(severity(&findings, Check::Schema), Severity::Error);
}
