//! `doctor` as people see it, and its diagnosis if no daemon answers: the tests put scripted programs in place of
//! `zmesd`, `systemctl` and `runuser`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::fake::{Answer, FakeDaemon, Run, on_a_terminal, zmesctl};

const IN_ASCII: &str = "\
OK   configuration  /etc/zmesd/zmesd.toml holds, and is in force
WARN certificate    the certificate expires on 2026-11-11 10:00:00, in 9 days
                    hint: renew it; a changed file is picked up by `zmesctl reload`
FAIL push proxy     push.example.org:8801: tcp: connection refused
                    hint: curl -v https://push.example.org:8801/
First error: push proxy: push.example.org:8801: tcp: connection refused
";

const IN_UNICODE: &str = "\
✓ configuration  /etc/zmesd/zmesd.toml holds, and is in force
! certificate    the certificate expires on 2026-11-11 10:00:00, in 9 days
                 → renew it; a changed file is picked up by `zmesctl reload`
✗ push proxy     push.example.org:8801: tcp: connection refused
                 → curl -v https://push.example.org:8801/
First error: push proxy: push.example.org:8801: tcp: connection refused
";

fn printed(daemon: &FakeDaemon, arguments: &str, locale: &str, terminal: &str) -> String {
    let run = Run::of(daemon.command(arguments).env("LC_ALL", locale).env("TERM", terminal));
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{run:?}");
    run.stdout
}

#[test]
fn people_read_marks_as_far_as_their_terminal_has_them() {
    let daemon = FakeDaemon::answering("reply-doctor");
    assert_eq!(printed(&daemon, "doctor", "C", "xterm"), IN_ASCII);
    assert_eq!(printed(&daemon, "doctor", "en_US.UTF-8", "xterm"), IN_UNICODE);
    assert_eq!(printed(&daemon, "doctor", "en_US.UTF-8", "dumb"), IN_ASCII);
    let coloured = printed(&daemon, "doctor --color always", "C.UTF-8", "xterm");
    assert!(coloured.contains("\u{1b}[31m✗ push proxy   \u{1b}[0m"), "{coloured}");
}

#[test]
fn quiet_leaves_out_what_is_as_it_should_be() {
    let daemon = FakeDaemon::answering("reply-doctor");
    let (_, rest) = IN_ASCII.split_once('\n').unwrap();
    assert_eq!(printed(&daemon, "doctor -q", "C", "xterm"), rest);
}

#[test]
fn a_narrow_terminal_wraps_sentences_and_leaves_commands_whole() {
    let daemon = FakeDaemon::answering("reply-doctor");
    let Some(run) = on_a_terminal(&daemon, "doctor --color never", "") else {
        println!("skipped: needs script (util-linux)");
        return;
    };
    let command = |line: &str| line.contains("curl -v https://push.example.org:8801/");
    assert!(run.stdout.lines().any(command), "{}", run.stdout);
}

/// A directory with programs, and a socket path where nothing listens.
struct Machine {
    directory: TempDir,
}

impl Machine {
    /// `zmesd` prints `findings`, and writes its arguments to the file `called`.
    fn new(findings: &str, code: i32) -> Self {
        let machine = Self { directory: tempfile::tempdir().unwrap() };
        fs::copy(env!("CARGO_BIN_EXE_zmesctl"), machine.path("zmesctl")).unwrap();
        fs::set_permissions(machine.directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let called = machine.path("called");
        machine.program("zmesd", &format!("echo \"$@\" > {called}\necho '{findings}'\nexit {code}"));
        machine
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// systemd has given up, and the service runs as zmesd.
    fn failed_service(&self) {
        let exec =
            format!("{{ path=/usr/bin/zmesd ; argv[]=/usr/bin/zmesd --config {} ; }}", self.path("a.toml"));
        self.program(
            "systemctl",
            &format!(
                "echo LoadState=loaded\necho ActiveState=failed\necho SubState=failed\necho Result=exit-code\n\
                 echo ExecMainStatus=78\necho User=zmesd\necho 'ExecStart={exec}'"
            ),
        );
        self.program("runuser", "[ \"$1 $2 $3\" = '-u zmesd --' ] || exit 1\nshift 3\nexec \"$@\"");
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(self.path("zmesctl"));
        command.args(arguments.split_whitespace()).arg("--socket").arg(self.path("control.sock"));
        command.env("LC_ALL", "C").env("PATH", format!("{}:/usr/bin:/bin", self.directory.path().display()));
        command.env_remove("XDG_RUNTIME_DIR");
        command
    }

    fn run(&self, arguments: &str) -> Run {
        Run::of(&mut self.command(arguments))
    }

    fn called(&self) -> String {
        fs::read_to_string(self.path("called")).unwrap_or_default().trim_end().to_owned()
    }
}

const BAD_KEY: &str = r#"{"ok":false,"findings":[{"step":"certificate","ok":false,"severity":"error","detail":"key.pem: permission denied for user zmesd","hint":"chgrp zmesd key.pem"}]}"#;
const GOOD: &str = r#"{"ok":true,"findings":[{"step":"configuration","ok":true,"severity":"ok","detail":"it holds","hint":null}]}"#;

fn steps(document: &Value) -> Vec<(String, bool)> {
    let findings = document["findings"].as_array().unwrap();
    let step =
        |finding: &Value| (finding["step"].as_str().unwrap().to_owned(), finding["ok"].as_bool().unwrap());
    findings.iter().map(step).collect()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn what_keeps_the_daemon_from_starting_is_the_first_red_step() {
    let machine = Machine::new(BAD_KEY, 78);
    machine.failed_service();
    let run = machine.run("doctor --json");
    assert_eq!(run.code, Some(3), "{run:?}");
    let document = run.json();
    assert_eq!(document["error"]["code"], "unreachable", "{document}");
    let daemon = document["findings"].as_array().unwrap().last().unwrap();
    assert!(daemon["detail"].as_str().unwrap().ends_with("; systemd: failed (Result: exit-code, status 78)"));
    if !is_root() {
        // Only root can check what the daemon may read.
        assert_eq!(steps(&document), [("configuration".to_owned(), true), ("daemon".to_owned(), false)]);
        assert_eq!(document["findings"][0]["hint"], "sudo zmesctl doctor");
        return;
    }
    assert_eq!(steps(&document), [("certificate".to_owned(), false), ("daemon".to_owned(), false)]);
    assert_eq!(daemon["hint"], "fix the errors above, then: systemctl restart zmesd");
    assert_eq!(
        machine.called(),
        format!("check-config --json --rehearse --config {}", machine.path("a.toml"))
    );
    let run = machine.run("doctor");
    assert_eq!((run.code, run.stderr.as_str()), (Some(3), ""));
    assert!(run.stdout.starts_with("FAIL certificate"), "{run:?}");
    let last = "First error: certificate: key.pem: permission denied for user zmesd; 1 more error may follow from it\n";
    assert!(run.stdout.ends_with(last), "{run:?}");
}

#[test]
fn a_daemon_that_was_only_stopped_is_started() {
    let machine = Machine::new(GOOD, 0);
    let run = machine.run("doctor --json --config ./z.toml");
    assert_eq!(steps(&run.json()), [("configuration".to_owned(), true), ("daemon".to_owned(), false)]);
    assert_eq!(run.json()["findings"][1]["hint"], "systemctl start zmesd; then: systemctl status zmesd");
    assert!(machine.called().ends_with("/z.toml"), "{}", machine.called());
    // A daemon that was killed leaves its socket behind.
    drop(UnixListener::bind(machine.path("control.sock")).unwrap());
    let detail = machine.run("doctor --json").json()["findings"][1]["detail"].to_string();
    assert!(detail.contains("left the socket"), "{detail}");
    // One finding per line for programs that want lines.
    assert_eq!(machine.run("doctor --jsonl").jsonl().len(), 2);
}

#[test]
fn without_zmesd_there_is_still_an_answer() {
    let machine = Machine::new("", 0);
    machine.program("zmesd", "echo 'Segmentation fault' >&2; exit 139");
    let run = machine.run("doctor --json");
    assert_eq!(steps(&run.json()), [("configuration".to_owned(), false), ("daemon".to_owned(), false)]);
    fs::remove_file(machine.path("zmesd")).unwrap();
    let run = Run::of(machine.command("doctor --json").env("PATH", "/nonexistent"));
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!(steps(&run.json()), [("configuration".to_owned(), true), ("daemon".to_owned(), false)]);
}

#[test]
fn a_daemon_that_hangs_is_told_apart_from_one_that_is_gone() {
    let daemon = FakeDaemon::start("", |_| Answer::Silence);
    let run = daemon.run("doctor --timeout 50ms --json");
    assert_eq!(run.code, Some(6), "{run:?}");
    let document = run.json();
    assert_eq!(document["error"]["code"], "timeout", "{document}");
    let finding = document["findings"].as_array().unwrap().last().unwrap().clone();
    assert!(finding["detail"].as_str().is_some_and(|detail| detail.contains("it hangs")), "{finding}");
}

#[test]
fn an_older_daemon_and_a_wrong_name_are_errors_as_ever() {
    let daemon = FakeDaemon::answering("error-unsupported");
    assert_eq!(daemon.run("doctor").code, Some(8));
    let daemon = FakeDaemon::answering("error-not_found");
    let run = daemon.run("doctor nobody");
    assert_eq!((run.code, run.stdout.as_str()), (Some(4), ""), "{run:?}");
    assert!(run.stderr.starts_with("error: "), "{run:?}");
    assert_eq!(Run::of(&mut zmesctl("doctor --monitor 3")).code, Some(2));
}

#[test]
fn a_socket_that_we_may_not_open_is_no_reason_to_look_further() {
    let machine = Machine::new(BAD_KEY, 78);
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let directory = machine.directory.path().join("run");
    fs::create_dir(&directory).unwrap();
    let _listener = UnixListener::bind(directory.join("control.sock")).unwrap();
    fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(machine.path("zmesctl"));
    command.args(["doctor", "--json", "--socket"]).arg(directory.join("control.sock"));
    let run = Run::of(command.current_dir(Path::new("/")));
    assert_eq!(run.code, Some(5), "{run:?}");
    let document = run.json();
    assert_eq!(steps(&document), [("daemon".to_owned(), false)]);
    let hint = document["findings"][0]["hint"].as_str().unwrap();
    assert!(hint.starts_with("sudo usermod -aG zmesd $USER"), "{hint}");
}
