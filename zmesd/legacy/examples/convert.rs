//! Prints what becomes of an old configuration: `cargo run -p zmes-legacy --example convert -- zmeventnotification.ini`.
//!
//! Values are not checked here, because only zmesd knows what its keys take; `zmesd import-config` does check them.

#![expect(clippy::print_stdout, reason = "an example for a terminal")]

use std::path::PathBuf;

use zmes_legacy::{Audience, Collection, NewFile, OldFile, ReportView, disk};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths = std::env::args_os().skip(1).map(PathBuf::from);
    let files: Vec<OldFile> = paths.map(|path| disk::read(&path)).collect::<Result<_, _>>()?;
    let mut collection = match Collection::of(&files) {
        Ok(collection) => collection,
        Err(refusals) => return Err(refusals.into_iter().next().ok_or("nothing to convert")?.into()),
    };
    for referenced in collection.wanted() {
        match referenced.candidates.iter().find_map(|path| disk::read(path).ok()) {
            Some(file) => collection.add(&file)?,
            None => collection.miss(referenced),
        }
    }
    let defaults = include_str!("../../../packaging/zmesd.toml").to_owned();
    let conversion = collection.convert(NewFile { defaults, check: |_table, _key, _value| Ok(()) });
    println!("{}", conversion.toml(Audience::Terminal));
    println!("{}", conversion.report.human(&ReportView::default()));
    Ok(())
}
