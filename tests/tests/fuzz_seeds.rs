//! What the fuzzer starts from, fed to its targets as ordinary tests: every seed, every input that once broke a promise,
//! and some thousand mutations of them. The same targets under coverage guidance: `tests/run --fuzz SECONDS`.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use zmes_tests::repository;

type Target = fn(&[u8]);

/// Mutations of the seeds of one target.
const MUTATIONS: usize = 3000;
/// Longest mutated input, in bytes: what grows with its length is found with less, too.
const LONGEST: usize = 4096;
/// Changes to one input.
const MOST_CHANGES: usize = 6;

fn targets() -> impl Iterator<Item = (&'static str, Target)> {
    zmesd::fuzzing::TARGETS.iter().chain(zmesctl::fuzzing::TARGETS).map(|(name, target)| (*name, *target))
}

/// Writes the seeds and returns their directory.
fn seeds() -> Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    let script = repository()?.join("fuzz/seeds");
    let status = Command::new(&script).arg(directory.path()).status().context("fuzz/seeds")?;
    ensure!(status.success(), "{}: {status}", script.display());
    Ok(directory)
}

/// Returns the files of a directory sorted by name; an empty list if there is no such directory.
fn files(directory: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    files.into_iter().map(|path| Ok((path.clone(), fs::read(&path)?))).collect()
}

/// Feeds one input; where a promise breaks, the input is kept and named.
fn feed(name: &str, target: Target, input: &[u8], what: &str) -> Result<()> {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_ok() {
        return Ok(());
    }
    let kept = std::env::temp_dir().join(format!("zmesd-fuzz-{name}"));
    fs::write(&kept, input)?;
    anyhow::bail!("{name}: a promise is broken by {what}; the input is kept in {}", kept.display())
}

/// Changes some bytes, repeats, cuts, and crosses with another seed.
fn mutated(rng: &mut Rng, seeds: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut pick = || rng.choice(seeds).map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    let (mut input, other) = (pick(), pick());
    input.truncate(LONGEST);
    for _ in 0..rng.usize(1..=MOST_CHANGES) {
        let at = rng.usize(0..=input.len());
        let until = rng.usize(at..=input.len().min(at + 64));
        match rng.u8(0..6) {
            0 if at < input.len() => input[at] ^= 1 << rng.u8(0..8),
            1 if at < input.len() => {
                input[at] = *rng.choice(&[0, 1, 9, 10, 13, 34, 92, 127, 255]).unwrap_or(&0);
            }
            2 => drop(input.drain(at..until)),
            3 => {
                let piece = input[at..until].to_vec();
                input.splice(at..at, piece);
            }
            4 => {
                let from = rng.usize(0..=other.len());
                let piece = other[from..other.len().min(from + 64)].to_vec();
                input.splice(at..until, piece);
            }
            _ => input.insert(at, rng.u8(..)),
        }
    }
    input
}

#[test]
fn every_seed_and_its_mutations_keep_the_promises_of_their_target() -> Result<()> {
    let (seeds, seed) = (seeds()?, fastrand::u64(..));
    for (name, target) in targets() {
        let known = files(&seeds.path().join(name))?;
        ensure!(known.len() > 4, "{name}: only {} seeds", known.len());
        for (path, bytes) in &known {
            feed(name, target, bytes, &path.display().to_string())?;
        }
        let mut rng = Rng::with_seed(seed);
        for number in 0..MUTATIONS {
            let input = mutated(&mut rng, &known);
            feed(name, target, &input, &format!("mutation {number} of Rng::with_seed({seed})"))?;
        }
    }
    Ok(())
}

#[test]
fn what_the_fuzzer_once_found_stays_mended() -> Result<()> {
    let found = repository()?.join("fuzz/found");
    for (name, target) in targets() {
        for (path, bytes) in files(&found.join(name))? {
            feed(name, target, &bytes, &path.display().to_string())?;
        }
    }
    Ok(())
}

#[test]
fn each_target_has_seeds_and_each_directory_a_target() -> Result<()> {
    let seeds = seeds()?;
    let written: BTreeSet<String> = fs::read_dir(seeds.path())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    let known: BTreeSet<String> = targets().map(|(name, _)| name.to_owned()).collect();
    ensure!(written == known, "seeds {written:?}, targets {known:?}");
    Ok(())
}

/// The targets must be able to fail: a session that answers without bounds would be found.
#[test]
fn a_broken_promise_is_noticed() {
    let broken: Target = |bytes| assert!(bytes.is_empty(), "planted");
    assert!(feed("planted", broken, b"x", "a planted input").is_err());
    assert!(feed("planted", broken, b"", "nothing").is_ok());
}
