//! The YAML files of the event server 7, and `es_rules` in YAML and JSON, which YAML contains.
//!
//! The tree keeps lines and does not guess types: `yes`, `9000` and `0123` stay text. An unquoted value such
//! as `!ZM_PASSWORD`, for YAML a tag without a value, is read as text.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::entry::{FileContent, RawSetting};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

#[derive(Clone, PartialEq, Eq)]
pub(super) struct YamlNode {
    pub(super) line: usize,
    pub(super) content: NodeContent,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum NodeContent {
    /// A text; empty for nothing and `null`.
    Scalar(String),
    List(Vec<YamlNode>),
    /// A map; each key with its line, in the order of the file.
    Map(Vec<(String, usize, YamlNode)>),
    Alias,
}

impl YamlNode {
    /// Returns what a map has for a key; the last counts.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|(name, ..)| name == key).map(|(.., node)| node)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            NodeContent::Scalar(text) => Some(text),
            NodeContent::List(_) | NodeContent::Map(_) | NodeContent::Alias => None,
        }
    }

    /// Returns the entries of a map; none of anything else.
    pub(super) fn entries(&self) -> &[(String, usize, Self)] {
        match &self.content {
            NodeContent::Map(entries) => entries,
            NodeContent::Scalar(_) | NodeContent::List(_) | NodeContent::Alias => &[],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotYaml {
    pub(super) line: usize,
    /// What the parser says. It quotes a single character at most.
    pub(super) message: String,
}

/// Reads the first document of a text.
pub(super) fn parse(text: &str) -> Result<YamlNode, NotYaml> {
    let mut builder = Builder::default();
    // The parser reports a missing end behind the last line, and only YAML ends lines at a bare carriage return.
    let last = text.lines().count().max(1);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| NotYaml {
            line: error.marker().line().clamp(1, last),
            message: error.info().to_owned(),
        })?;
        let line = span.start.line().clamp(1, last);
        if builder.take(event, line)? {
            break;
        }
    }
    Ok(builder.root.unwrap_or(YamlNode { line: 1, content: NodeContent::Scalar(String::new()) }))
}

/// Reads a configuration: sections with keys.
pub(super) fn read(root: &YamlNode) -> FileContent {
    let mut found = FileContent::default();
    for (section, line, node) in root.entries() {
        match &node.content {
            NodeContent::Map(entries) => {
                for (key, line, node) in entries {
                    match value(node) {
                        Ok(value) => {
                            let (section, key) = (section.clone(), key.clone());
                            found.settings.push(RawSetting { section, key, value, line: *line });
                        }
                        Err(why) => found.unread.push((*line, why)),
                    }
                }
            }
            // `mqtt:` alone, all of its keys commented out.
            NodeContent::Scalar(text) if text.is_empty() => {}
            NodeContent::Scalar(_) | NodeContent::List(_) => {
                found.unread.push((*line, "a section should be keys and values"));
            }
            NodeContent::Alias => found.unread.push((*line, REFERENCE)),
        }
    }
    found
}

const REFERENCE: &str = "a reference (*name) to a whole block: write it out";

/// Returns the value of a key; a list with commas.
fn value(node: &YamlNode) -> Result<String, &'static str> {
    match &node.content {
        NodeContent::Scalar(text) => Ok(text.clone()),
        NodeContent::List(nodes) => {
            let texts: Option<Vec<_>> = nodes.iter().map(YamlNode::text).collect();
            texts.map(|texts| texts.join(",")).ok_or("a list of something other than strings")
        }
        NodeContent::Map(_) => Err("nested deeper than any setting of the event server"),
        NodeContent::Alias => Err(REFERENCE),
    }
}

/// A list or map whose end was not read yet.
struct OpenNode {
    line: usize,
    /// A map, with the key that waits for its value.
    map: Option<Vec<(String, usize, YamlNode)>>,
    key: Option<(String, usize)>,
    list: Vec<YamlNode>,
}

#[derive(Default)]
struct Builder {
    open: Vec<OpenNode>,
    root: Option<YamlNode>,
    anchors: HashMap<usize, String>,
}

impl Builder {
    /// Takes an event; says whether the document is over.
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<bool, NotYaml> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = scalar(text, style, tag.as_deref());
                if anchor != 0 {
                    self.anchors.insert(anchor, text.clone());
                }
                self.place(YamlNode { line, content: NodeContent::Scalar(text) });
            }
            Event::Alias(anchor) => {
                let content =
                    self.anchors.get(&anchor).cloned().map_or(NodeContent::Alias, NodeContent::Scalar);
                self.place(YamlNode { line, content });
            }
            Event::SequenceStart(..) => self.begin(line, None)?,
            Event::MappingStart(..) => self.begin(line, Some(Vec::new()))?,
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentEnd => return Ok(true),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
        Ok(false)
    }

    fn begin(&mut self, line: usize, map: Option<Vec<(String, usize, YamlNode)>>) -> Result<(), NotYaml> {
        if self.open.len() >= MAX_DEPTH {
            return Err(NotYaml { line, message: format!("nested deeper than {MAX_DEPTH} levels") });
        }
        self.open.push(OpenNode { line, map, key: None, list: Vec::new() });
        Ok(())
    }

    fn end(&mut self) {
        let Some(OpenNode { line, map, list, .. }) = self.open.pop() else { return };
        let content = map.map_or(NodeContent::List(list), NodeContent::Map);
        self.place(YamlNode { line, content });
    }

    fn place(&mut self, node: YamlNode) {
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        let Some(map) = &mut open.map else {
            open.list.push(node);
            return;
        };
        match open.key.take() {
            Some((key, line)) => map.push((key, line, node)),
            // A key that is not text matches no known name.
            None => open.key = Some((node.text().unwrap_or_default().to_owned(), node.line)),
        }
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> String {
    if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema() && text.is_empty()) {
        return format!("!{}", tag.suffix);
    }
    if style == ScalarStyle::Plain && matches!(text.as_ref(), "~" | "null" | "Null" | "NULL") {
        return String::new();
    }
    text.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vec<String> {
        let found = read(&parse(text).unwrap_or_else(|error| panic!("{error:?}")));
        found.settings.iter().map(|s| format!("{} {}.{}={}", s.line, s.section, s.key, s.value)).collect()
    }

    #[test]
    fn scalars_are_the_texts_that_stand_there() {
        let text = "---\n# c\nnetwork:\n  port: 9000   # c\n  address: \"[::]\"\nauth:\n  enable: yes\n  timeout: '020'\nmqtt:\n";
        assert_eq!(
            settings(text),
            ["4 network.port=9000", "5 network.address=[::]", "7 auth.enable=yes", "8 auth.timeout=020"]
        );
    }

    #[test]
    fn a_secret_without_quotes_is_no_tag() {
        let text = "a:\n  p: !ZM_PASSWORD\n  q: \"!ZM_USER\"\n  r: '!X'\n  s: !!str 5\n  t: ~\n  u: !!str\n";
        assert_eq!(
            settings(text),
            ["2 a.p=!ZM_PASSWORD", "3 a.q=!ZM_USER", "4 a.r=!X", "5 a.s=5", "6 a.t=", "7 a.u="]
        );
    }

    #[test]
    fn lists_anchors_and_blocks_are_read() {
        let text =
            "a:\n  l: [1, 2]\n  m:\n    - 3\n    - 4\n  n: &x five\n  o: *x\n  p: >-\n    six\n    seven\n";
        assert_eq!(settings(text), ["2 a.l=1,2", "3 a.m=3,4", "6 a.n=five", "7 a.o=five", "8 a.p=six seven"]);
    }

    #[test]
    fn json_is_yaml() {
        let root = parse("{\n\t\"a\": {\"b\": [1, {\"c\": \"d\\u00fc\"}]}\n}\n").unwrap();
        assert_eq!(root.get("a").and_then(|a| a.get("b")).map(|b| b.line), Some(2));
    }

    #[test]
    fn what_is_missing_at_the_end_is_named_in_a_line_that_exists() {
        // Found by the fuzzer: line 3 of a file of two.
        for text in ["general: {secrets: x", "general: {secrets: #\n# secret", "a: b\rc: d: e", "a: [b\r\n"] {
            let broken = parse(text).err().unwrap();
            assert!(broken.line <= text.lines().count(), "{text:?}: line {}", broken.line);
        }
    }

    #[test]
    fn what_is_broken_is_named_with_its_line() {
        let error = parse("a:\n  b: 1\n c: 2\n").err().unwrap();
        assert_eq!(error.line, 3, "{error:?}");
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(parse(&deep).err().unwrap().message.contains("nested deeper"));
        assert!(parse(&"[".repeat(100_000)).is_err());
        let deep = read(&parse("a:\n  b:\n    c: 1\nd: 5\ne: &r {f: 1}\ng: *r\n").unwrap());
        assert_eq!(deep.unread.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 6]);
    }
}
