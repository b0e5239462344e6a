//! ZoneMinder's own configuration files: `zm.conf` and `conf.d/*.conf`, read as ZoneMinder 1.30 to 1.39 reads them.
//!
//! A line is `NAME = VALUE`. The name is trimmed and its case does not matter. Blanks and any run of quotes around
//! the value are dropped; the quotes need not match, and nothing is escaped or expanded. A `#` starts a comment only
//! as the first character of a line. From 1.39.22 on a line that ends in `\` continues in the next; before, the `\` is
//! part of the value ([`Continuation`]). Later values win, and the files of `conf.d` come after `zm.conf` in the order
//! of their bytes. What the names mean is `database`'s and `validate`'s business.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use zmes_files::{FileError, read_bounded, without_bom};

use crate::ZmVersion;

/// Maximum size of a file, in bytes; real ones have a few KiB.
const FILE_MAX: u64 = 1024 * 1024;
/// Maximum number of files in `conf.d`; usual are three.
const FILES_MAX: usize = 256;

/// The first version for which a `\` at the end of a line continues the line.
const CONTINUES_SINCE: ZmVersion = ZmVersion(1, 39, 22);

/// What a `\` at the end of a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    /// Part of the value: ZoneMinder before 1.39.22.
    Never,
    /// The value continues in the next line: ZoneMinder 1.39.22 and later.
    Always,
    /// The version is not known before the database was asked, and for that this file is needed. The value continues
    /// unless the next line is a setting of its own, a comment or empty: with such a line a newer ZoneMinder could not
    /// work, and an older one ignores any other.
    Guess,
}

impl Continuation {
    /// Returns what holds for a version of ZoneMinder; `None`: not known.
    pub fn of(version: Option<ZmVersion>) -> Self {
        match version {
            None => Self::Guess,
            Some(version) if version >= CONTINUES_SINCE => Self::Always,
            Some(_) => Self::Never,
        }
    }

    fn takes(self, next: &[u8]) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Guess => !next.is_empty() && !next.starts_with(b"#") && !is_setting(next),
        }
    }
}

/// Says whether a line looks like `ZM_NAME = VALUE`.
fn is_setting(line: &[u8]) -> bool {
    let Some(equals) = line.iter().position(|byte| *byte == b'=') else { return false };
    let name = line.get(..equals).unwrap_or_default().trim_ascii().to_ascii_uppercase();
    name.starts_with(b"ZM_") && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// What ZoneMinder's files say. Its values do not appear in `Debug`: one of them is the database's password.
#[derive(Default)]
pub struct ZmConf {
    path: PathBuf,
    values: BTreeMap<String, ZmValue>,
    ignored: Vec<(PathBuf, usize)>,
}

/// A value and where it stands. The value does not appear in `Debug`.
#[derive(Clone)]
pub struct ZmValue {
    /// The value, without blanks and quotes around it; bytes that are not UTF-8 replaced.
    pub text: String,
    /// Its file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
}

impl fmt::Debug for ZmValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZmValue").field("file", &self.file).field("line", &self.line).finish_non_exhaustive()
    }
}

impl fmt::Debug for ZmConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZmConf").field("names", &self.values.keys()).finish_non_exhaustive()
    }
}

impl ZmConf {
    /// Reads `path` and `conf.d/*.conf` beside it. Fails with the path of a file that cannot be read: without it the
    /// values could differ from ZoneMinder's.
    pub fn load(path: &Path, continuation: Continuation) -> Result<Self, (PathBuf, FileError)> {
        let mut conf = Self { path: path.to_owned(), ..Self::default() };
        let beside = path.parent().unwrap_or(Path::new("")).join("conf.d");
        conf.add_file(path, continuation)?;
        for file in snippets(&beside).map_err(|error| (beside.clone(), error))? {
            conf.add_file(&file, continuation)?;
        }
        Ok(conf)
    }

    fn add_file(&mut self, file: &Path, continuation: Continuation) -> Result<(), (PathBuf, FileError)> {
        let content = read_bounded(file, FILE_MAX).map_err(|error| (file.to_owned(), error))?;
        self.add(&content, file, continuation);
        Ok(())
    }

    /// Takes the content of one file.
    pub fn add(&mut self, content: &[u8], file: &Path, continuation: Continuation) {
        for (line, text) in logical_lines(content, continuation) {
            let Some(equals) = text.iter().position(|byte| *byte == b'=') else {
                self.ignored.push((file.to_owned(), line));
                continue;
            };
            let (name, value) = text.split_at(equals);
            let name = String::from_utf8_lossy(name.trim_ascii()).to_ascii_uppercase();
            let text = String::from_utf8_lossy(unquoted(value.get(1..).unwrap_or_default())).into_owned();
            self.values.insert(name, ZmValue { text, file: file.to_owned(), line });
        }
    }

    /// Returns the path of `zm.conf`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a value; an empty one counts as not set, as in ZoneMinder.
    pub fn value(&self, name: &str) -> Option<&ZmValue> {
        self.values.get(name).filter(|value| !value.text.is_empty())
    }

    /// Returns the text of a value.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name).map(|value| value.text.as_str())
    }

    /// Iterates over all values by name, empty ones too.
    pub fn values(&self) -> impl Iterator<Item = (&String, &ZmValue)> {
        self.values.iter()
    }

    /// Iterates over the lines that are neither a comment nor `NAME = VALUE`. ZoneMinder warns of them too.
    pub fn ignored(&self) -> impl Iterator<Item = &(PathBuf, usize)> {
        self.ignored.iter()
    }
}

/// Returns the `*.conf` files of a directory in the order of their bytes; none where there is no such directory.
fn snippets(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = match fs::read_dir(directory).map_err(FileError::from) {
        Ok(entries) => entries,
        Err(FileError::Missing) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        // A pattern `*.conf` of the shell does not match hidden files.
        if name.as_bytes().ends_with(b".conf") && !name.as_bytes().starts_with(b".") {
            files.push(directory.join(name));
        }
    }
    files.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    files.truncate(FILES_MAX);
    Ok(files)
}

/// Returns the lines that are not empty and no comment, continued ones joined, each with the number of its first.
fn logical_lines(content: &[u8], continuation: Continuation) -> Vec<(usize, Vec<u8>)> {
    let content = without_bom(content);
    let mut physical = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).zip(1..).peekable();
    let mut lines = Vec::new();
    while let Some((mut text, number)) = physical.next() {
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        let mut line = Vec::new();
        while let Some(head) = text.strip_suffix(b"\\")
            && continuation.takes(physical.peek().map(|(next, _)| *next).unwrap_or_default())
        {
            line.extend_from_slice(head);
            text = physical.next().map(|(text, _)| text).unwrap_or_default();
        }
        line.extend_from_slice(text);
        lines.push((number, line));
    }
    lines
}

/// Strips a value: blanks then quotes before it, blanks and quotes in any order after it.
fn unquoted(value: &[u8]) -> &[u8] {
    let mut value = value.trim_ascii_start();
    while let [b'\'' | b'"', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b'\'' | b'"' | b' ' | b'\t' | b'\r'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(content: &[u8]) -> ZmConf {
        parsed_as(content, Continuation::Guess)
    }

    fn parsed_as(content: &[u8], continuation: Continuation) -> ZmConf {
        let mut conf = ZmConf::default();
        conf.add(content, Path::new("zm.conf"), continuation);
        conf
    }

    fn version(text: &str) -> Continuation {
        Continuation::of(Some(text.parse().unwrap()))
    }

    /// A password that ends in a backslash, as every ZoneMinder before 1.39.22 takes it.
    #[test]
    fn a_password_that_ends_in_a_backslash_does_not_swallow_the_next_line() {
        for (next, host) in [
            ("ZM_DB_HOST=db.example.org", Some("db.example.org")),
            ("  zm_db_host = \"db.example.org\"", Some("db.example.org")),
            ("# the host\nZM_DB_HOST=db.example.org", Some("db.example.org")),
            ("\nZM_DB_HOST=db.example.org", Some("db.example.org")),
            ("", None),
        ] {
            let conf = parsed(format!("ZM_DB_PASS=s3cret\\\n{next}").as_bytes());
            assert_eq!(conf.text("ZM_DB_PASS"), Some("s3cret\\"), "{next:?}");
            assert_eq!(conf.text("ZM_DB_HOST"), host, "{next:?}");
        }
        let crlf = parsed(b"ZM_DB_PASS=s3cret\\\r\nZM_DB_HOST=db\r\n");
        assert_eq!((crlf.text("ZM_DB_PASS"), crlf.text("ZM_DB_HOST")), (Some("s3cret\\"), Some("db")));
    }

    #[test]
    fn a_backslash_continues_a_line_from_1_39_22_on_alone() {
        let content = b"ZM_DB_PASS=one\\  \n  two\nZM_DB_HOST=a\\\nZM_DB_NAME=zm\n";
        let old = parsed_as(content, version("1.39.21"));
        assert_eq!(old.text("ZM_DB_PASS"), Some("one\\"));
        assert_eq!((old.text("ZM_DB_HOST"), old.text("ZM_DB_NAME")), (Some("a\\"), Some("zm")));
        let new = parsed_as(content, version("1.39.22"));
        assert_eq!(new.text("ZM_DB_PASS"), Some("onetwo"));
        assert_eq!((new.text("ZM_DB_HOST"), new.text("ZM_DB_NAME")), (Some("aZM_DB_NAME=zm"), None));
        let unknown = parsed(content);
        assert_eq!(unknown.text("ZM_DB_PASS"), Some("onetwo"), "an older ZoneMinder would warn of this line");
        assert_eq!((unknown.text("ZM_DB_HOST"), unknown.text("ZM_DB_NAME")), (Some("a\\"), Some("zm")));
        // Quotes end the value, so this is a backslash for every version.
        let quoted = parsed_as(b"ZM_DB_PASS=\"one\\\"\nZM_DB_NAME=zm", version("1.40.0"));
        assert_eq!((quoted.text("ZM_DB_PASS"), quoted.text("ZM_DB_NAME")), (Some("one\\"), Some("zm")));
    }

    #[test]
    fn the_grammar_is_zoneminders() {
        for (line, expected) in [
            ("ZM_DB_NAME=zm", Some("zm")),
            ("  ZM_DB_NAME \t=  zm  ", Some("zm")),
            ("zm_db_name=zm", Some("zm")),
            ("ZM_DB_NAME=\"zm\"", Some("zm")),
            ("ZM_DB_NAME='zm\"", Some("zm")),
            ("ZM_DB_NAME=''zm'' ", Some("zm")),
            ("ZM_DB_NAME=z'm", Some("z'm")),
            ("ZM_DB_NAME=a=b", Some("a=b")),
            ("ZM_DB_NAME=zm # no comment", Some("zm # no comment")),
            ("ZM_DB_NAME=a\\b", Some("a\\b")),
            ("ZM_DB_NAME=$HOME", Some("$HOME")),
            ("ZM_DB_NAME=zm\r", Some("zm")),
            ("ZM_DB_NAME=one \\\n   two", Some("one two")),
            ("ZM_DB_NAME=one\\  \ntwo\\\nthree\nZM_X=1", Some("onetwothree")),
            ("ZM_DB_NAME=last\\", Some("last\\")),
            ("\u{feff}ZM_DB_NAME=zm", Some("zm")),
            ("ZM_DB_NAME=a\nZM_DB_NAME=b", Some("b")),
            ("ZM_DB_NAME=", None),
            ("ZM_DB_NAME=\"\"", None),
            ("#ZM_DB_NAME=zm", None),
            ("  # ZM_DB_NAME=zm", None),
            ("# comment \\\nZM_DB_NAME=zm", Some("zm")),
        ] {
            assert_eq!(parsed(line.as_bytes()).text("ZM_DB_NAME"), expected, "{line:?}");
        }
    }

    #[test]
    fn places_are_kept_and_odd_lines_reported() {
        let conf = parsed(b"# one\nZM_A=1\\\n2\n\nnonsense\nZM_B=x\n");
        assert_eq!(conf.value("ZM_A").map(|value| (value.text.as_str(), value.line)), Some(("12", 2)));
        assert_eq!(conf.value("ZM_B").map(|value| value.line), Some(6));
        assert_eq!(conf.ignored().collect::<Vec<_>>(), [&(PathBuf::from("zm.conf"), 5)]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_tolerated() {
        assert_eq!(parsed(b"# caf\xe9\nZM_DB_NAME=z\xffm").text("ZM_DB_NAME"), Some("z\u{fffd}m"));
    }

    #[test]
    fn files_of_conf_d_come_later_in_the_order_of_their_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zm.conf");
        let conf_d = directory.path().join("conf.d");
        fs::create_dir(&conf_d).unwrap();
        fs::write(&path, "ZM_A=main\nZM_B=main\nZM_C=main").unwrap();
        fs::write(conf_d.join("10-a.conf"), "ZM_A=ten\nZM_B=ten").unwrap();
        fs::write(conf_d.join("9-b.conf"), "ZM_B=nine").unwrap();
        for ignored in ["README", "z.conf.bak", ".hidden.conf"] {
            fs::write(conf_d.join(ignored), "ZM_C=wrong").unwrap();
        }
        let conf = ZmConf::load(&path, Continuation::Guess).unwrap();
        assert_eq!(conf.text("ZM_A"), Some("ten"));
        assert_eq!(conf.text("ZM_B"), Some("nine"), "`9` sorts after `1`");
        assert_eq!(conf.text("ZM_C"), Some("main"));
        assert_eq!(conf.value("ZM_B").unwrap().file, conf_d.join("9-b.conf"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zm.conf");
        let (file, error) = ZmConf::load(&path, Continuation::Guess).unwrap_err();
        assert_eq!((file, error.to_string()), (path.clone(), "no such file".to_owned()));
        fs::write(&path, "ZM_A=1").unwrap();
        assert!(ZmConf::load(&path, Continuation::Guess).is_ok(), "conf.d need not be there");
        fs::create_dir_all(directory.path().join("conf.d/x.conf")).unwrap();
        let (file, error) = ZmConf::load(&path, Continuation::Guess).unwrap_err();
        assert_eq!(
            (file, error.to_string()),
            (directory.path().join("conf.d/x.conf"), "not a regular file".to_owned())
        );
    }

    #[test]
    fn no_value_appears_in_debug() {
        let debug = format!("{:?}", parsed(b"ZM_DB_PASS=hunter2"));
        assert!(debug.contains("ZM_DB_PASS") && !debug.contains("hunter2"), "{debug}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_harmless(content in proptest::collection::vec(any::<u8>(), 0..2000)) {
            drop(parsed(&content));
        }

        #[test]
        fn any_grammar_like_text_is_harmless(content in "([ \t\r\n#='\"\\\\A-Z_]|\u{fffd}){0,200}") {
            let conf = parsed(content.as_bytes());
            prop_assert!(conf.values.values().all(|value| !value.text.ends_with(['\'', '"', ' '])));
        }
    }
}
