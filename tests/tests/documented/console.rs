//! Shell sessions: `$ ` and `# ` begin a command (as any user, as root), the lines below are its output.
//!
//! A block ```` ```console WORD… ```` may name directions, which happen before it, and `exit=N` where its last command
//! ends with that code and the page does not show `echo $?`. A line `...` stands for any lines. Blocks ```` ```sh ````
//! have no prompts and show no output; each of their commands must succeed.

use anyhow::{Context, Result, ensure};
use tokio::time::{Duration, Instant, sleep};

use crate::fate::{self, Fate};
use crate::normal;
use crate::page::{Block, Page};
use crate::stage::{Printed, Stage};

/// How long a read-only command is repeated until it prints what the page shows.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same while the page is being updated: long enough for pending deliveries.
const SETTLING: Duration = Duration::from_secs(2);
/// Matches any number of lines.
const ELLIPSIS: &str = "...";

/// One command of a page, with its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Index of the command's line in the page.
    pub(crate) line: usize,
    /// The command.
    pub(crate) command: String,
    /// Index of the first line of output.
    pub(crate) output_at: usize,
    /// What the page says it prints.
    pub(crate) output: Vec<String>,
}

/// An edit of a page: first line, number of lines, replacement.
pub(crate) type Edit = (usize, usize, Vec<String>);

/// Takes a block apart.
pub(crate) fn entries(page: &Page, block: &Block) -> Result<Vec<Entry>> {
    let prompts = block.language == "console";
    let mut entries: Vec<Entry> = Vec::new();
    let mut continued = false;
    for (index, text) in block.lines.iter().enumerate() {
        let line = block.start + index;
        let prompt =
            if prompts { text.strip_prefix("$ ").or_else(|| text.strip_prefix("# ")) } else { Some(&**text) };
        match (prompt, entries.last_mut()) {
            (_, Some(last)) if continued => {
                last.command.truncate(last.command.len() - 1);
                last.command.push_str(text.trim_start());
                last.output_at = line + 1;
            }
            (Some(""), _) => continue,
            (Some(command), _) => entries.push(Entry {
                line,
                command: command.to_owned(),
                output_at: line + 1,
                output: Vec::new(),
            }),
            (None, Some(last)) => last.output.push(text.clone()),
            (None, None) => anyhow::bail!("{}: output before the first command", page.place(line)),
        }
        continued = entries.last().is_some_and(|last| last.output.is_empty() && last.command.ends_with('\\'));
    }
    entries.retain(|entry| !entry.command.trim_start().starts_with('#'));
    Ok(entries)
}

/// Runs all commands of a block. Returns what differs from the page, for people, with the edit that would fix it.
pub(crate) async fn check(
    page: &Page,
    block: &Block,
    stage: &mut Stage,
) -> Result<Vec<(String, Option<Edit>)>> {
    let mut findings = Vec::new();
    let entries = entries(page, block)?;
    let exit = block.words.iter().find_map(|word| word.strip_prefix("exit="));
    for (index, entry) in entries.iter().enumerate() {
        let place = page.place(entry.line);
        let fate = match fate::of(&entry.command) {
            Ok(fate) => fate,
            Err(error) => {
                findings.push((format!("{place}: `{}`: {error:#}", entry.command), None));
                continue;
            }
        };
        if let Fate::NotRun(why) = fate {
            if !entry.output.is_empty() {
                findings.push((format!("{place}: output of what is not run ({why})"), None));
            }
            continue;
        }
        let next = entries.get(index + 1);
        let shown = next.is_some_and(|next| next.command.contains("$?"));
        let last = exit.filter(|_| next.is_none());
        let wanted = last.map_or(Ok(0), str::parse).with_context(|| place.clone())?;
        let code = (!shown).then_some(wanted);
        let printed =
            run(entry, fate, code, block.language == "sh", stage).await.with_context(|| place.clone())?;
        let finding = compare(&place, entry, &printed, code, block.language == "sh");
        if finding.is_some() && next.is_none() && code.is_some_and(|code| code != printed.code) {
            findings.push((format!("{place}: exit={}", printed.code), Some(fence(block, printed.code))));
        }
        findings.extend(finding);
    }
    Ok(findings)
}

/// Returns the edit that notes the exit code of a block's last command.
fn fence(block: &Block, code: i32) -> Edit {
    let words = block.words.iter().filter(|word| !word.starts_with("exit=")).cloned();
    let exit = (code != 0).then(|| format!("exit={code}"));
    let words: Vec<String> = [block.language.clone()].into_iter().chain(words).chain(exit).collect();
    (block.start - 1, 1, vec![format!("```{}", words.join(" "))])
}

/// Runs a command; a read-only one is repeated until it prints what the page shows.
async fn run(
    entry: &Entry,
    fate: Fate,
    code: Option<i32>,
    silent: bool,
    stage: &mut Stage,
) -> Result<Printed> {
    let deadline = Instant::now() + if crate::updates() { SETTLING } else { PATIENCE };
    loop {
        let printed = stage.run(&entry.command).await?;
        let same = silent || matches(&printed.lines, &entry.output);
        let fine = same && code.is_none_or(|code| code == printed.code);
        if fine || fate != Fate::Ask || Instant::now() > deadline {
            return Ok(printed);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

fn compare(
    place: &str,
    entry: &Entry,
    printed: &Printed,
    code: Option<i32>,
    silent: bool,
) -> Option<(String, Option<Edit>)> {
    let Entry { command, output, output_at, .. } = entry;
    if let Some(code) = code.filter(|code| *code != printed.code) {
        let text = printed.lines.join("\n");
        let found = printed.code;
        let edit = (!silent).then(|| (*output_at, output.len(), printed.lines.clone()));
        return Some((format!("{place}: `{command}` ends with {found}, not {code}:\n{text}"), edit));
    }
    if silent || matches(&printed.lines, output) {
        return None;
    }
    let edit = (*output_at, output.len(), printed.lines.clone());
    Some((
        format!("{place}: `{command}` prints something else:\n{}", difference(output, &printed.lines)),
        Some(edit),
    ))
}

/// Says whether an output is what a page says.
pub(crate) fn matches(printed: &[String], documented: &[String]) -> bool {
    let printed = normal::output(printed);
    let documented = normal::output(documented);
    let pieces: Vec<&[String]> = documented.split(|line| line == ELLIPSIS).collect();
    let mut rest = printed.as_slice();
    for (index, piece) in pieces.iter().enumerate() {
        let first = index == 0;
        let last = index + 1 == pieces.len();
        let at = match (first, last) {
            (true, true) => return rest == *piece,
            (true, false) => rest.starts_with(piece).then_some(0),
            (false, true) => rest.ends_with(piece).then(|| rest.len() - piece.len()),
            (false, false) if piece.is_empty() => Some(0),
            (false, false) => rest.windows(piece.len()).position(|window| window == *piece),
        };
        match at {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// Returns both outputs, line by line where they differ.
fn difference(documented: &[String], printed: &[String]) -> String {
    let mut lines = Vec::new();
    for index in 0..documented.len().max(printed.len()) {
        let (said, found) = (documented.get(index), printed.get(index));
        let same = said.zip(found).is_some_and(|(said, found)| normal::line(said) == normal::line(found));
        if same {
            lines.extend(found.map(|found| format!("    {found}")));
        } else {
            lines.extend(said.map(|said| format!("  - {said}")));
            lines.extend(found.map(|found| format!("  + {found}")));
        }
    }
    lines.join("\n")
}

/// Parses every command of a block that nothing runs; returns what the programs do not know.
pub(crate) fn check_words(page: &Page, block: &Block) -> Result<Vec<String>> {
    let entries = entries(page, block)?;
    ensure!(!entries.is_empty(), "{}: a block without a command", page.place(block.start));
    let wrong = entries.iter().filter_map(|entry| {
        let error = fate::of(&entry.command).err()?;
        Some(format!("{}: `{}`: {error:#}", page.place(entry.line), entry.command))
    });
    Ok(wrong.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn commands_and_outputs_are_told_apart() {
        let page =
            Page::parse("p", "```console\n$ a \\\n    b\nx\n\n# c\n```\n```sh\n# why\nd\n\ne # f\n```\n")
                .unwrap();
        let found = entries(&page, &page.blocks[0]).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].command.as_str(), found[0].output_at), ("a b", 3));
        assert_eq!(found[0].output, ["x", ""]);
        assert_eq!(found[1].command, "c");
        let commands: Vec<_> =
            entries(&page, &page.blocks[1]).unwrap().into_iter().map(|entry| entry.command).collect();
        assert_eq!(commands, ["d", "e # f"]);
    }

    #[test]
    fn an_ellipsis_stands_for_any_lines() {
        let printed = lines("a\nb\nc\nd");
        for right in
            ["a\nb\nc\nd", "a\n...", "...\nd", "a\n...\nd", "...\nb\nc\n...", "...", "a\n...\nb\nc\nd"]
        {
            assert!(matches(&printed, &lines(right)), "{right}");
        }
        for wrong in ["a", "b\n...", "...\nc", "a\n...\nb\n...\nb\n...", "a\nb\nc\nd\ne"] {
            assert!(!matches(&printed, &lines(wrong)), "{wrong}");
        }
    }
}
