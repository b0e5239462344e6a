//! `config check` and `config default`, which run `zmesd`, and how it is found.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::fake::Run;

/// A `zmesctl` with a scripted `zmesd` beside it.
struct Installed {
    directory: TempDir,
    zmesctl: PathBuf,
}

impl Installed {
    fn without_zmesd() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let zmesctl = directory.path().join("zmesctl");
        std::fs::hard_link(env!("CARGO_BIN_EXE_zmesctl"), &zmesctl).unwrap();
        Self { directory, zmesctl }
    }

    fn with_zmesd(script: &str) -> Self {
        let installed = Self::without_zmesd();
        place_zmesd(installed.directory.path(), script);
        installed
    }

    fn run(&self, arguments: &str, path: impl AsRef<OsStr>) -> Run {
        let mut command = Command::new(&self.zmesctl);
        command.args(arguments.split_whitespace()).env("PATH", path).current_dir(self.directory.path());
        Run::of(&mut command)
    }
}

fn place_zmesd(directory: &Path, script: &str) {
    let zmesd = directory.join("zmesd");
    std::fs::write(&zmesd, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&zmesd, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn a_check_passes_the_words_of_zmesd_on() {
    let installed = Installed::with_zmesd(r#"echo "asked: $*""#);
    let run = installed.run("config check my.toml", "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "asked: check-config --config my.toml\n"));
    let run = installed.run("config check --json", "");
    assert_eq!(
        (run.code, run.json()),
        (Some(0), json!({"ok": true, "check": "config", "detail": "asked: check-config"}))
    );
    assert_eq!(installed.run("config check -q", "").stdout, "");
}

#[test]
fn problems_are_exit_1_a_file_without_permission_exit_5() {
    let installed = Installed::with_zmesd("echo '  line 14: push.url: bad' >&2; exit 78");
    let run = installed.run("config check -q", "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), "  line 14: push.url: bad\n"));
    let run = installed.run("config check --json", "");
    assert_eq!((run.code, run.json()["ok"].clone()), (Some(1), json!(false)));
    let installed = Installed::with_zmesd("exit 77");
    assert_eq!(installed.run("config check", "").code, Some(5));
}

#[test]
fn the_default_comes_from_zmesd() {
    let installed =
        Installed::with_zmesd(r#"test "$*" = default-config && printf '# comment\n\n[server]\n'"#);
    let run = installed.run("config default", "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "# comment\n\n[server]\n"));
    let run = installed.run("config default --json", "");
    assert_eq!(run.json(), json!({"toml": "# comment\n\n[server]\n"}));
}

#[test]
fn a_zmesd_that_fails_is_an_error_with_its_words() {
    let installed = Installed::with_zmesd("echo 'no such subcommand' >&2; exit 64");
    for command in ["config check", "config default"] {
        let run = installed.run(command, "");
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains("failed (exit status: 64): no such subcommand"), "{run:?}");
    }
}

#[test]
fn zmesd_is_found_in_path_but_never_in_the_current_directory() {
    let elsewhere = tempfile::tempdir().unwrap();
    place_zmesd(elsewhere.path(), "echo elsewhere");
    let installed = Installed::without_zmesd();
    assert_eq!(installed.run("config check", elsewhere.path()).stdout, "elsewhere\n");

    let trap = installed.directory.path().join("trap");
    std::fs::create_dir(&trap).unwrap();
    place_zmesd(&trap, "echo trapped");
    let run = installed.run("config check", ".:trap::");
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    let expected = "error: cannot find the program zmesd beside zmesctl or in PATH\n\
                    hint: install zmesd beside zmesctl, or add its directory to PATH\n";
    assert_eq!(run.stderr, expected);
}
