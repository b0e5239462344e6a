//! The keys of `zmesd.toml`, from the daemon's own table of them; their examples from `man/src/examples.toml`.

use std::fs;

use anyhow::{Context, Result, ensure};
use zmesd::config::{Key, Reload, SECTIONS, Section};

use crate::roff::{Roff, bold, escape};
use crate::template::source_directory;

/// One `key = value` of the examples.
#[derive(Debug)]
struct Example {
    section: String,
    key: String,
    line: String,
}

/// Returns a section for each section of the file, with each of its keys.
pub(crate) fn details() -> Result<String> {
    let examples = read_examples()?;
    let mut roff = Roff::default();
    for section in SECTIONS {
        let (open, close) = if section.repeated { ("[[", "]]") } else { ("[", "]") };
        roff.line("SS", &[&format!("{open}{}{close}", section.path)]);
        roff.text(&section.about.concat());
        for key in section.keys {
            write_key(&mut roff, section, key, &examples);
        }
    }
    Ok(roff.source().to_owned())
}

fn write_key(roff: &mut Roff, section: &Section, key: &Key, examples: &[Example]) {
    let by_file = format!("{}-file", key.name);
    let tag =
        if key.form.by_file() { format!("{}, {}", bold(key.name), bold(&by_file)) } else { bold(key.name) };
    roff.tagged(&tag, &key.doc.concat());
    roff.line("br", &[]);
    let mut what = format!("Takes {}", key.form.describe());
    if key.form.by_file() {
        what = format!("{what}; `{by_file}` takes the path of a file that holds only this value");
    }
    let when = match key.reload {
        Reload::Hot => "A reload applies changes.",
        Reload::Restart => "Changes need a restart.",
    };
    roff.text(&format!("{what}. {when}"));
    roff.line("br", &[]);
    roff.inline(&format!("Default: {}", bold(&format!("{} = {}", key.name, key.default))));
    let own = |example: &&Example| {
        example.section == section.path && (example.key == key.name || example.key == by_file)
    };
    for example in examples.iter().filter(own) {
        roff.line("br", &[]);
        roff.inline(&format!("Example: \\fB{}\\fR", escape(&example.line)));
    }
}

/// Reads the examples line by line: they go into the page as they are written.
fn read_examples() -> Result<Vec<Example>> {
    let text = fs::read_to_string(source_directory()?.join("examples.toml")).context("examples.toml")?;
    let mut section = String::new();
    let mut examples = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            line.trim_matches(['[', ']']).clone_into(&mut section);
        } else {
            let (key, _) = line.split_once(" = ").with_context(|| format!("not `key = value`: {line}"))?;
            examples.push(Example { section: section.clone(), key: key.to_owned(), line: line.to_owned() });
        }
    }
    Ok(examples)
}

#[test]
fn every_example_is_of_a_key_and_says_something_else_than_the_default() -> Result<()> {
    for Example { section, key, line } in read_examples()? {
        let of_section = SECTIONS.iter().find(|known| known.path == section);
        let of_section = of_section.with_context(|| format!("no section [{section}]"))?;
        let known = of_section.keys.iter().find(|known| {
            known.name == key || (known.form.by_file() && key.strip_suffix("-file") == Some(known.name))
        });
        let known = known.with_context(|| format!("[{section}] has no {key}"))?;
        ensure!(line != format!("{key} = {}", known.default), "[{section}] {line} is the default");
    }
    Ok(())
}

/// Values are judged alone; that the files of the examples do not exist here is not an error.
#[test]
fn every_example_is_a_value_that_its_key_takes() -> Result<()> {
    let file = source_directory()?.join("examples.toml");
    let environment = zmesd::config::Environment::default();
    let Err(problems) = zmesd::config::Config::load(&file, &environment) else { return Ok(()) };
    let said = problems.to_string();
    let wrong =
        said.lines().filter(|line| line.contains("examples.toml:") && !line.contains(": cannot read "));
    let wrong: Vec<_> = wrong.collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
