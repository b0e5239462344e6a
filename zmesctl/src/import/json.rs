//! `{"tokens":{"<token>":{"monlist":…,"platform":…,…}}}`, as written by servers from 6.0 on, even if truncated.
//!
//! The file is read token by token: tokens before a truncation are taken, and the truncation is reported. Any other
//! syntax error makes the whole file doubtful, and nothing is taken.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{EntryRefusal, FileEntry, FilePlace, Raw, Unparsable, shown};

pub(super) fn parse(text: &[u8]) -> Result<Vec<FileEntry>, Unparsable> {
    let mut found = TokenList::default();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = FileSeed(&mut found).deserialize(&mut reader).and_then(|()| reader.end());
    match read {
        // `{}` is what a server from 6.0 on writes if no phone has registered.
        Ok(()) if found.tokens || !found.others => Ok(found.entries),
        Ok(()) => Err(unparsable(1, 1, "not a token file: no \"tokens\"".to_owned())),
        Err(error) if error.is_eof() && found.tokens => {
            let reason =
                format!("the file was cut off here (line {}, column {})", error.line(), error.column());
            let place = FilePlace::Entry(found.entries.len() + 1);
            let content = Err(EntryRefusal::Damaged(reason));
            found.entries.push(FileEntry { place, shown: "…".to_owned(), content });
            Ok(found.entries)
        }
        Err(error) => Err(unparsable(error.line(), error.column(), plain(&error))),
    }
}

fn unparsable(line: usize, column: usize, detail: String) -> Unparsable {
    Unparsable { line: line.max(1), column: column.max(1), detail }
}

/// Describes an error without any text of the file: serde quotes what it finds, and that may be a token.
fn plain(error: &serde_json::Error) -> String {
    let text = match error.classify() {
        serde_json::error::Category::Syntax => "not valid JSON",
        serde_json::error::Category::Eof => "the file was cut off before its first token",
        serde_json::error::Category::Data => "not the JSON of a token file: {\"tokens\":{…}}",
        serde_json::error::Category::Io => "cannot be read",
    };
    text.to_owned()
}

#[derive(Default)]
struct TokenList {
    /// The list of tokens was found.
    tokens: bool,
    others: bool,
    entries: Vec<FileEntry>,
}

/// The file: an object of which only the member `tokens` matters.
struct FileSeed<'f>(&'f mut TokenList);

impl<'de> DeserializeSeed<'de> for FileSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FileSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with tokens")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "tokens" {
                map.next_value_seed(TokensSeed(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
                self.0.others = true;
            }
        }
        Ok(())
    }
}

/// The list of tokens, kept one by one, so that those before a truncation are not lost.
struct TokensSeed<'f>(&'f mut TokenList);

impl<'de> DeserializeSeed<'de> for TokensSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TokensSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tokens")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.tokens = true;
        while let Some(token) = map.next_key::<String>()? {
            let value = map.next_value::<Value>()?;
            let place = FilePlace::Entry(self.0.entries.len() + 1);
            self.0.entries.push(entry(place, &token, &value));
        }
        Ok(())
    }

    /// A server without tokens may have written an empty list.
    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.tokens = true;
        match list.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("a list where an object of tokens should be")),
        }
    }
}

fn entry(place: FilePlace, token: &str, value: &Value) -> FileEntry {
    let not = |reason: EntryRefusal| FileEntry { place, shown: shown(token), content: Err(reason) };
    if token.trim().is_empty() {
        return not(EntryRefusal::Useless("no token".to_owned()));
    }
    let Some(members) = value.as_object() else {
        return not(EntryRefusal::Damaged("not an object".to_owned()));
    };
    let member = |name: &str| text(members, name);
    let names = ["monlist", "intlist", "platform", "pushstate", "appversion", "profile"];
    let [monlist, intlist, platform, pushstate, appversion, profile] = names.map(member);
    if [&monlist, &intlist, &platform, &pushstate].iter().all(|text| text.is_empty()) {
        // A server that had deleted the token wrote its counter back.
        return not(EntryRefusal::Useless("only a counter, without the data of a phone".to_owned()));
    }
    Raw {
        token,
        monlist: &monlist,
        intlist: &intlist,
        platform: &platform,
        pushstate: &pushstate,
        appversion: &appversion,
        profile: &profile,
    }
    .judge(place)
}

/// Returns a member as text: servers and people have also written numbers and lists.
fn text<'v>(members: &'v Map<String, Value>, name: &str) -> Cow<'v, str> {
    match members.get(name) {
        None | Some(Value::Null | Value::Object(_)) => Cow::Borrowed(""),
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Cow::Owned(value.to_string()),
        Some(Value::Array(elements)) => {
            let element = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            Cow::Owned(elements.iter().map(element).collect::<Vec<_>>().join(","))
        }
    }
}
