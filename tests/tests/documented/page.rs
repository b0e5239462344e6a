//! Markdown as far as it matters here: the fenced blocks of a page, each with its place.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use zmes_tests::repository;

/// The fence around a block.
const FENCE: &str = "```";

/// One page.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Path below the repository: `docs/install.md`.
    pub(crate) name: String,
    /// All of its lines.
    pub(crate) lines: Vec<String>,
    /// Its fenced blocks, from top to bottom.
    pub(crate) blocks: Vec<Block>,
}

/// One fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Index of its first line in the page, below the fence.
    pub(crate) start: usize,
    /// Its language: `console`, `sh`, `toml`, `text`; empty if the fence does not say.
    pub(crate) language: String,
    /// The other words of the fence: what happens before the block, and its kind of text.
    pub(crate) words: Vec<String>,
    /// Its lines, without the fences.
    pub(crate) lines: Vec<String>,
}

impl Page {
    /// Reads a page.
    pub(crate) fn read(name: &str) -> Result<Self> {
        let text = fs::read_to_string(repository()?.join(name)).with_context(|| name.to_owned())?;
        Self::parse(name, &text)
    }

    /// Takes a page apart.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self> {
        let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        let (mut blocks, mut open) = (Vec::new(), None::<Block>);
        for (index, line) in lines.iter().enumerate() {
            let fence = line.strip_prefix(FENCE);
            match (fence, &mut open) {
                (Some(info), None) => {
                    let mut words = info.split_whitespace().map(ToOwned::to_owned);
                    let language = words.next().unwrap_or_default();
                    let words = words.collect();
                    open = Some(Block { start: index + 1, language, words, lines: Vec::new() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => block.lines.push(line.clone()),
                (None, None) => {
                    let indented = line.trim_start().starts_with(FENCE);
                    ensure!(!indented, "{name}:{}: an indented fence, which no test would see", index + 1);
                }
            }
        }
        ensure!(open.is_none(), "{name}: the last block has no end");
        Ok(Self { name: name.to_owned(), lines, blocks })
    }

    /// Returns where something is, for people: `docs/install.md:12`.
    pub(crate) fn place(&self, line: usize) -> String {
        format!("{}:{}", self.name, line + 1)
    }

    /// Writes the page with other lines in place of some; `edits` hold the first index, how many, and what instead.
    pub(crate) fn rewrite(&self, mut edits: Vec<(usize, usize, Vec<String>)>) -> Result<()> {
        let mut lines = self.lines.clone();
        edits.sort_by_key(|(start, ..)| *start);
        for (start, count, instead) in edits.into_iter().rev() {
            lines.splice(start..start + count, instead);
        }
        let path = repository()?.join(&self.name);
        fs::write(&path, lines.join("\n") + "\n").with_context(|| self.name.clone())
    }
}

/// Returns the names of all pages with commands to type.
pub(crate) fn names() -> Result<Vec<String>> {
    let mut names = vec!["README.md".to_owned()];
    for entry in fs::read_dir(repository()?.join("docs"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_words() {
        let text = "a\n```console stopped\n$ x\n```\n\n```\ny\n```\n";
        let page = Page::parse("p", text).unwrap();
        let block = |start, language: &str, words: &[&str], line: &str| Block {
            start,
            language: language.into(),
            words: words.iter().map(ToString::to_string).collect(),
            lines: vec![line.into()],
        };
        assert_eq!(page.blocks, [block(2, "console", &["stopped"], "$ x"), block(6, "", &[], "y")]);
        assert!(Page::parse("p", "```\n").is_err());
        assert!(Page::parse("p", "- x\n  ```sh\n  ls\n  ```\n").is_err());
    }
}
