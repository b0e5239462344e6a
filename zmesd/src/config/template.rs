//! The commented default file, written from the table of keys.

use std::fmt::Write;

use super::file::SECTIONS;
use super::section::{Key, Section};

const HEAD: &str = "\
# The configuration of zmesd, the event notification server for ZoneMinder.
#
# Every key is listed with its default: change what you need; you can leave out the rest.
# Durations are written 20ms, 5s, 10m, 1h30m, 60d. Relative paths are looked up in $CREDENTIALS_DIRECTORY, then beside
# this file. `zmesd check-config` lists all mistakes; `zmesctl reload` applies most changes.
";

pub fn default_file() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        write_section(&mut text, section);
    }
    text
}

// Writing to a String cannot fail, hence the dropped results.
fn write_section(text: &mut String, section: &Section) {
    text.push('\n');
    for line in section.about {
        let _ = writeln!(text, "#{line}");
    }
    let _ = writeln!(text, "{}", section.heading());
    for key in section.keys {
        write_key(text, key);
    }
}

fn write_key(text: &mut String, key: &Key) {
    for line in key.doc {
        let _ = writeln!(text, "#{line}");
    }
    if key.form.by_file() {
        let _ = writeln!(text, "# Or {}-file = \"/path\": a file that holds only this value.", key.name);
    }
    let _ = writeln!(text, "{} = {}", key.name, key.default);
}

#[cfg(test)]
mod tests;
