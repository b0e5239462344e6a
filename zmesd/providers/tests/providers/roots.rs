//! Whom a machine trusts. The environment decides, so each case has a process of its own.

use std::process::{Command, Output};

use zmes_providers::{Platform, TransportProblem, Transports, WallClock};

use crate::server::{Authority, Server, answer};
use crate::world::{FCM_TOKEN, only, proxy, push};

/// Where the process of a case finds its server.
const URL: &str = "ZMESD_TEST_URL";

fn run(case: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", case]).envs(environment.iter().copied());
    command.output().unwrap()
}

fn assert_passed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ssl_cert_file_is_honoured() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| answer(202, "")).await;
    let (url, file) = (server.url(), authority.file.to_str().unwrap().to_owned());
    let environment = [(URL, url.as_str()), ("SSL_CERT_FILE", file.as_str())];
    let output = tokio::task::block_in_place(|| run("roots::case_system_roots", &environment));
    assert_passed(&output);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_machine_that_trusts_nobody_is_a_problem_and_no_panic() {
    let empty = tempfile::tempdir().unwrap();
    let (file, directory) = (empty.path().join("none.pem"), empty.path().to_str().unwrap());
    let environment = [("SSL_CERT_FILE", file.to_str().unwrap()), ("SSL_CERT_DIR", directory)];
    assert_passed(&run("roots::case_no_roots", &environment));
}

#[tokio::test]
#[ignore = "a case of ssl_cert_file_is_honoured, which runs it in a process of its own"]
async fn case_system_roots() {
    let url = std::env::var_os(URL).unwrap().into_string().unwrap();
    only(&proxy(url, None)).send(&push(FCM_TOKEN, Platform::Android)).await.unwrap();
}

#[test]
#[ignore = "a case of a_machine_that_trusts_nobody, which runs it in a process of its own"]
fn case_no_roots() {
    let config = proxy("https://localhost".to_owned(), None);
    let problem = Transports::build(&config, WallClock::default()).unwrap_err();
    assert!(matches!(problem, TransportProblem::NoRoots { .. }), "{problem}");
    assert!(problem.hint().contains("ca-certificates"));
    // An authority of one's own is enough.
    let authority = Authority::new();
    let config = proxy("https://localhost".to_owned(), Some(&authority.file));
    assert!(Transports::build(&config, WallClock::default()).is_ok());
}
