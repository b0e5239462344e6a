//! What is generated and checked in is what its sources give: manual pages and completions.
//!
//! `UPDATE=1 cargo nextest run -p zmes-tests --test generated` writes the files. man/README.md says which source gives
//! what.

mod commands;
mod contract;
mod examples;
mod keys;
mod lint;
mod roff;
mod template;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Command, CommandFactory};
use zmes_tests::repository;

use crate::contract::Contract;
use crate::template::fill;

/// The pages, as they are called in `man` and in `man/src`.
const PAGES: [&str; 4] = ["zmesd.8", "zmesctl.1", "zmesd.toml.5", "zmes-control.7"];

/// Compares a file with its expected content, or writes it if `UPDATE` is set.
fn compare(name: &str, expected: &str) -> Result<()> {
    let path = repository()?.join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().context("a file in no directory")?)?;
        fs::write(&path, expected).with_context(|| name.to_owned())?;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        found == expected,
        "{name} is out of date: UPDATE=1 cargo nextest run -p zmes-tests --test generated"
    );
    Ok(())
}

fn built(mut grammar: Command) -> Command {
    grammar.build();
    grammar
}

fn page(name: &str) -> Result<String> {
    match name {
        "zmesd.8" => {
            let grammar = built(zmesd::cli::description());
            fill(
                name,
                &[("synopsis", commands::synopsis(&grammar)), ("commands", commands::details(&grammar))],
            )
        }
        "zmesctl.1" => {
            let grammar = built(zmesctl::cli::Cli::command());
            let exits = contract::exit_codes(&repository()?.join("zmesctl/src/exit.rs"))?;
            fill(
                name,
                &[
                    ("overview", commands::overview(&grammar)),
                    ("options", commands::global_options(&grammar)),
                    ("commands", commands::details(&grammar)),
                    ("exits", exits),
                ],
            )
        }
        "zmesd.toml.5" => fill(name, &[("keys", keys::details()?)]),
        "zmes-control.7" => {
            let contract = Contract::read()?;
            fill(
                name,
                &[
                    ("requests", contract.requests()?),
                    ("answers", contract.answers()?),
                    ("events", contract.events()?),
                    ("words", contract.words()?),
                    ("errors", contract.errors()?),
                ],
            )
        }
        other => anyhow::bail!("no generator for {other}"),
    }
}

#[test]
fn the_manual_is_that_of_its_sources() -> Result<()> {
    for name in PAGES {
        compare(&format!("man/{name}"), &page(name)?)?;
    }
    Ok(())
}

#[test]
fn the_schema_of_the_control_protocol_is_that_of_its_types() -> Result<()> {
    let schema = serde_json::to_string_pretty(&zmes_shared::schema::control())?;
    compare("shared/control.schema.json", &format!("{schema}\n"))
}

/// Those of `zmesctl` are written by hand: they ask `zmesctl` itself.
#[test]
fn the_completions_of_zmesd_are_those_of_its_grammar() -> Result<()> {
    for (name, shell) in [
        ("bash", clap_complete::Shell::Bash),
        ("zsh", clap_complete::Shell::Zsh),
        ("fish", clap_complete::Shell::Fish),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut zmesd::cli::description(), "zmesd", &mut script);
        compare(&format!("completions/zmesd.{name}"), &String::from_utf8(script)?)?;
    }
    Ok(())
}

/// The pages name what the programs themselves know, however they were made.
#[test]
fn nothing_is_missing_in_the_manual() -> Result<()> {
    let text = |name: &str| -> Result<String> { Ok(page(name)?.replace("\\-", "-")) };
    let mut missing = Vec::new();
    let mut look = |page: &str, text: &str, word: String| {
        if !text.contains(&word) {
            missing.push(format!("man/{page}: {word}"));
        }
    };
    let toml = text("zmesd.toml.5")?;
    for section in zmesd::config::SECTIONS {
        look("zmesd.toml.5", &toml, format!("[{}]", section.path));
        for key in section.keys {
            look("zmesd.toml.5", &toml, format!("\\fB{} = ", key.name));
        }
    }
    let control = text("zmes-control.7")?;
    let fixtures = repository()?.join("tests/fixtures/wire/v1");
    for entry in fs::read_dir(fixtures)? {
        let path: PathBuf = entry?.path();
        let frame: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let words = [&frame["request"]["type"], &frame["item"]["type"], &frame["error"]["code"]];
        for word in words.iter().filter_map(|word| word.as_str()) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            // This includes fixtures of a newer peer's messages.
            if !name.contains("unknown") && !name.contains("newer") {
                look("zmes-control.7", &control, word.to_owned());
            }
        }
    }
    let zmesctl = text("zmesctl.1")?;
    let grammar = built(zmesctl::cli::Cli::command());
    for command in grammar.get_subcommands().filter(|command| command.get_name() != "help") {
        look("zmesctl.1", &zmesctl, format!(".SS {}\n", command.get_name()));
        for arg in command.get_subcommands().flat_map(Command::get_arguments).filter(|arg| !arg.is_hide_set())
        {
            look("zmesctl.1", &zmesctl, arg.get_long().map(|long| format!("--{long}")).unwrap_or_default());
        }
    }
    ensure!(missing.is_empty(), "missing:\n{}", missing.join("\n"));
    Ok(())
}
