//! The completions that are checked in are those that the grammar gives. `UPDATE=1` writes them.

use std::path::Path;

use crate::fake::{Run, zmesctl};

#[test]
fn the_files_are_those_of_the_grammar() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../completions");
    for shell in ["bash", "zsh", "fish"] {
        let run = Run::of(&mut zmesctl(&format!("completions {shell}")));
        assert_eq!(run.code, Some(0), "{run:?}");
        let file = directory.join(format!("zmesctl.{shell}"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&file, &run.stdout).unwrap();
        }
        let stored = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            stored == run.stdout,
            "completions/zmesctl.{shell} is out of date: run the tests with UPDATE=1"
        );
    }
}
