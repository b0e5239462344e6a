//! Help, version, colours, and how the socket is found.

use std::os::unix::net::UnixListener;

use crate::fake::{FakeDaemon, Run, zmesctl};

#[test]
fn help_lists_the_exit_codes_and_ends_well() {
    let run = Run::of(&mut zmesctl("--help"));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(
        run.stdout.contains("Exit codes:") && run.stdout.contains("7  partial success"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 100), "{}", run.stdout);
    for command in ["status", "clients disconnect", "alarm test", "watch", "check", "config check"] {
        let run = Run::of(&mut zmesctl(&format!("{command} --help")));
        assert_eq!(run.code, Some(0), "{command}");
        assert!(run.stdout.contains("Example"), "{command}: {}", run.stdout);
    }
    let run = Run::of(&mut zmesctl("--version"));
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), concat!("zmesctl ", env!("CARGO_PKG_VERSION"), "\n"))
    );
}

#[test]
fn colours_are_on_where_asked_for() {
    let daemon = FakeDaemon::answering("reply-status-degraded");
    assert!(daemon.run("status --color always").stdout.contains("\u{1b}[31m"));
    for line in ["status", "status --color auto", "status --color never"] {
        assert!(!daemon.run(line).stdout.contains('\u{1b}'), "{line}");
    }
}

#[test]
fn the_socket_is_the_one_that_was_told_then_the_users() {
    let daemon = FakeDaemon::answering("reply-status");
    let elsewhere = daemon.directory.path().join("elsewhere");
    let run = Run::of(daemon.command("status").arg("--socket").arg(&elsewhere));
    assert_eq!(run.code, Some(3));
    assert!(run.stderr.contains(elsewhere.to_str().unwrap()), "{run:?}");

    let users = FakeDaemon::answering("reply-status");
    let runtime = users.directory.path().join("runtime");
    std::fs::create_dir_all(runtime.join("zmesd")).unwrap();
    let run = Run::of(zmesctl("status").env("XDG_RUNTIME_DIR", &runtime));
    assert!(
        run.stderr.contains("/run/zmesd/control.sock") || run.code == Some(0),
        "no socket there: {run:?}"
    );
    // A socket that refuses connections shows which path was used.
    let socket = runtime.join("zmesd/control.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let run = Run::of(zmesctl("status").env("XDG_RUNTIME_DIR", &runtime));
    assert!(run.stderr.contains(socket.to_str().unwrap()), "{run:?}");
    // An empty variable counts as not set.
    let run = Run::of(zmesctl("status").env("XDG_RUNTIME_DIR", &runtime).env("ZMESCTL_SOCKET", ""));
    assert!(run.stderr.contains(socket.to_str().unwrap()), "{run:?}");
}
