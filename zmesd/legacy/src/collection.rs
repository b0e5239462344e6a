//! A configuration with its secrets and its rules, as one list of entries.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zmes_shared::text::{is_hidden, stripped};

use super::entry::{FileContent, FileLine, OldEntry, RawSetting};
use super::format::{self, FileFormat, UnusableFile};
use super::names;
use super::text;
use super::values;
use super::yaml::{self, YamlNode};
use super::{ImportRefusal, MAX_NAME, MAX_SETTINGS, MAX_VALUE, OldFile, ini, script};

/// The versions of the event server that a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// Up to 0.98.
    Script,
    /// 1.0 to 6.1.
    Ini,
    /// 7.
    Yaml,
}

/// A file that a configuration refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencedFile {
    /// What is in it: "secrets" or "rules".
    pub what: &'static str,
    /// Where it may be, the likeliest place first.
    pub candidates: Vec<PathBuf>,
}

#[derive(Debug)]
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    /// What it is, for people.
    pub(super) what: &'static str,
    pub(super) latin: bool,
}

struct NamedSecret {
    name: String,
    value: String,
}

/// The settings of all files.
#[derive(Default)]
pub struct Collection {
    pub(super) files: Vec<InputFile>,
    pub(super) generation: Option<Generation>,
    /// The file that is the configuration itself.
    configuration: PathBuf,
    /// In the order of the files and their lines.
    pub(super) entries: Vec<OldEntry>,
    pub(super) unread: Vec<(FileLine, &'static str)>,
    pub(super) rules: Vec<(Arc<str>, YamlNode)>,
    /// URL and key of the cloud function that a later script holds as its defaults.
    pub(super) shipped: Vec<OldEntry>,
    /// Token files among the input.
    pub(super) tokens: Vec<PathBuf>,
    /// Files that the configuration refers to and that were not found.
    pub(super) absent: Vec<ReferencedFile>,
    secrets: Vec<NamedSecret>,
    secrets_read: bool,
}

impl std::fmt::Debug for Collection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collection").field("files", &self.files).finish_non_exhaustive()
    }
}

/// A value with its references to secrets and other values resolved.
#[derive(Clone)]
pub(super) struct ResolvedValue {
    raw: String,
    pub(super) secret: bool,
}

impl ResolvedValue {
    /// Returns the value of an entry that refers to nothing.
    pub(super) fn plain(entry: &OldEntry) -> Self {
        Self { raw: entry.value.clone(), secret: false }
    }

    pub(super) fn word(&self) -> &str {
        values::word(&self.raw)
    }

    pub(super) fn text(&self) -> &str {
        values::text(&self.raw)
    }
}

impl Collection {
    /// Reads the files; returns every problem.
    pub fn of(sources: &[OldFile]) -> Result<Self, Vec<ImportRefusal>> {
        let mut collection = Self::default();
        let refused: Vec<_> = sources.iter().filter_map(|source| collection.add(source).err()).collect();
        if !refused.is_empty() {
            return Err(refused);
        }
        if collection.generation.is_none() {
            return Err(vec![collection.nothing_to_import()]);
        }
        Ok(collection)
    }

    /// Reads one file.
    pub fn add(&mut self, source: &OldFile) -> Result<(), ImportRefusal> {
        let path = &source.path;
        let refuse = |line, message: String, hint: &str| {
            Err(ImportRefusal { path: path.clone(), line, message, hint: hint.to_owned() })
        };
        if format::is_control_state(&source.bytes) {
            let what = FileFormat::ControlState.as_str();
            self.files.push(InputFile { path: path.clone(), what, latin: false });
            return Ok(());
        }
        let decoded = match text::decode(&source.bytes) {
            Ok(decoded) => decoded,
            Err((what, hint)) => return refuse(None, what.to_owned(), hint),
        };
        let format = match format::detect(&decoded.text) {
            Ok(format) => format,
            Err(UnusableFile::Broken(error)) => {
                let message = format!("cannot be read as YAML: {}", error.message);
                return refuse(
                    Some(error.line),
                    message,
                    "correct that line; the old server cannot read it either",
                );
            }
            Err(UnusableFile::Other { what, hint }) => return refuse(None, format!("is {what}"), hint),
        };
        if format.generation().is_some() && self.generation.is_some() {
            let message = "is a second configuration".to_owned();
            return refuse(None, message, "pass one configuration, with its secrets and its rules");
        }
        if format.generation().is_some() {
            self.configuration.clone_from(path);
        }
        let name = self.name_of(path);
        self.files.push(InputFile { path: path.clone(), what: format.as_str(), latin: decoded.latin });
        self.take(format, &decoded.text, &name, path);
        Ok(())
    }

    fn take(&mut self, format: FileFormat, text: &str, name: &Arc<str>, path: &Path) {
        self.generation = self.generation.or(format.generation());
        self.secrets_read |= matches!(format, FileFormat::IniSecrets | FileFormat::YamlSecrets(_));
        match format {
            FileFormat::Script => {
                let found = script::read(text, |name| names::of_script(name).is_some());
                self.keep(found, name, of_script);
            }
            FileFormat::Ini | FileFormat::IniSecrets => {
                self.keep(ini::read(text), name, |setting| of_file(setting, "[", "] "));
            }
            FileFormat::Yaml(root) | FileFormat::YamlSecrets(root) => {
                self.keep(yaml::read(&root), name, |setting| of_file(setting, "", "."));
            }
            FileFormat::Rules(root) => self.rules.push((Arc::clone(name), root)),
            FileFormat::Tokens => self.tokens.push(path.to_owned()),
            FileFormat::LaterScript => {
                let shipped =
                    script::function_of(text).into_iter().filter(|found| found.value.len() <= MAX_VALUE);
                self.shipped.extend(shipped.map(|RawSetting { section, key, value, line }| OldEntry {
                    section,
                    shown: format!("DEFAULT_{}", key.to_ascii_uppercase()),
                    key,
                    value,
                    place: FileLine { file: Arc::clone(name), line },
                }));
            }
            FileFormat::ControlState => {}
        }
    }

    /// Stores what a reader found; settings of `[secrets]` are stored apart.
    fn keep(
        &mut self,
        found: FileContent,
        file: &Arc<str>,
        named: impl Fn(&RawSetting) -> (String, String, String),
    ) {
        let place = |line| FileLine { file: Arc::clone(file), line };
        self.unread.extend(found.unread.into_iter().map(|(line, why)| (place(line), why)));
        if let Some(first) = found.settings.get(MAX_SETTINGS) {
            self.unread.push((place(first.line), "too many settings: the file is not read any further"));
        }
        for setting in found.settings.into_iter().take(MAX_SETTINGS) {
            if setting.value.len() > MAX_VALUE {
                self.unread.push((place(setting.line), "the value is longer than 4096 bytes"));
                continue;
            }
            let (section, key, shown) = named(&setting);
            let RawSetting { key: spelt, value, line, .. } = setting;
            if section == "secrets" {
                self.secrets.push(NamedSecret { name: spelt, value });
            } else {
                self.entries.push(OldEntry { section, key, shown, value, place: place(line) });
            }
        }
    }

    /// Returns the name of a file for people: without directories, unless another file has the same name.
    fn name_of(&self, path: &Path) -> Arc<str> {
        let twin = self.files.iter().any(|file| file.path.file_name() == path.file_name());
        let name =
            path.file_name().filter(|_| !twin).map_or(path.to_string_lossy(), |name| name.to_string_lossy());
        name.chars()
            .map(|character| if is_hidden(character) { '?' } else { character })
            .collect::<String>()
            .into()
    }

    fn nothing_to_import(&self) -> ImportRefusal {
        let first = self.files.first();
        let what = first.map_or("nothing", |file| file.what);
        ImportRefusal {
            path: first.map(|file| file.path.clone()).unwrap_or_default(),
            line: None,
            message: format!("is {what}: there is no configuration among the files"),
            hint: match (first, self.tokens.first()) {
                (_, Some(path)) => format!("import it with `zmesctl tokens import {}`", path.display()),
                (Some(first), None) if first.what == FileFormat::LaterScript.as_str() => {
                    let script = first.path.display();
                    format!("zmesd import-config /etc/zm/zmeventnotification.ini {script}")
                }
                (Some(_), None) => {
                    "pass the configuration too: zmeventnotification.pl, .ini or .yml".to_owned()
                }
                (None, None) => "pass a file".to_owned(),
            },
        }
    }

    /// Returns the files that the configuration refers to and that were not passed.
    pub fn wanted(&self) -> Vec<ReferencedFile> {
        let mut wanted = Vec::new();
        if !self.secrets_read && self.secrets.is_empty() {
            let named = self.word("general", "secrets");
            let refers = || self.entries.iter().any(|entry| values::text(&entry.value).starts_with('!'));
            let usual = if self.generation == Some(Generation::Yaml) { "secrets.yml" } else { "secrets.ini" };
            if named.is_some() || refers() {
                let candidates = self.candidates(named.as_deref(), usual);
                wanted.push(ReferencedFile { what: "secrets", candidates });
            }
        }
        if let Some(named) = self.word("customize", "es_rules").filter(|_| self.rules.is_empty()) {
            wanted.push(ReferencedFile {
                what: "rules",
                candidates: self.candidates(Some(&named), "es_rules.json"),
            });
        }
        wanted
    }

    /// Records that a file was not found.
    pub fn miss(&mut self, wanted: ReferencedFile) {
        self.absent.push(wanted);
    }

    /// Returns where a file may be: at the path in the configuration, else beside the configuration under that name.
    fn candidates(&self, named: Option<&str>, usual: &str) -> Vec<PathBuf> {
        let beside = self.configuration.parent().unwrap_or(Path::new(""));
        let named = Path::new(named.unwrap_or(usual));
        let mut candidates = vec![beside.join(named)];
        let near = beside.join(named.file_name().unwrap_or_default());
        if candidates.first() != Some(&near) {
            candidates.push(near);
        }
        candidates
    }

    fn word(&self, section: &str, key: &str) -> Option<String> {
        let resolved = self.resolve(self.latest(section, key)?).ok()?;
        Some(resolved.word().to_owned()).filter(|word| !word.is_empty())
    }

    /// Returns the entry of that name; the last value counts.
    pub(super) fn latest(&self, section: &str, key: &str) -> Option<&OldEntry> {
        self.entries.iter().rev().find(|entry| entry.is(section, key))
    }

    /// Returns the value of an entry, or why it cannot be resolved.
    pub(super) fn resolve(&self, entry: &OldEntry) -> Result<ResolvedValue, String> {
        let text = values::text(&entry.value);
        let Some(name) = text.strip_prefix('!') else {
            return Ok(ResolvedValue { raw: self.filled(entry), secret: false });
        };
        let name = values::word(name);
        let exact = self.secrets.iter().rev().find(|secret| secret.name == name);
        let alike = || self.secrets.iter().rev().find(|secret| secret.name.eq_ignore_ascii_case(name));
        match exact.or_else(alike) {
            Some(secret) => Ok(ResolvedValue { raw: secret.value.clone(), secret: true }),
            None if self.secrets_read || !self.secrets.is_empty() => {
                Err("it refers to a secret that the file of secrets does not have".to_owned())
            }
            None => Err("it refers to a secret, and the file of secrets was not found".to_owned()),
        }
    }

    /// Replaces `{{key}}` and `${key}` with the values of those keys; unknown keys stay.
    fn filled(&self, entry: &OldEntry) -> String {
        let mut filled = String::with_capacity(entry.value.len());
        let mut rest = entry.value.as_str();
        while let Some((at, open, close)) = next_mark(rest) {
            let (before, marked) = rest.split_at(at);
            let rest_of_mark = marked.get(open..).unwrap_or_default();
            let near = rest_of_mark.get(..rest_of_mark.floor_char_boundary(MAX_NAME)).unwrap_or_default();
            let inner = near
                .split_once(close)
                .and_then(|(key, _)| Some((key, rest_of_mark.get(key.len() + close.len()..)?)));
            let value = inner.and_then(|(key, _)| self.value_of(entry, &key.trim().to_ascii_lowercase()));
            filled.push_str(before);
            if let (Some((_, after)), Some(value)) = (inner, value) {
                filled.push_str(value);
                rest = after;
            } else {
                let (mark, after) = marked.split_at(open);
                filled.push_str(mark);
                rest = after;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value_of(&self, entry: &OldEntry, key: &str) -> Option<&str> {
        let found = self.latest("general", key).or_else(|| self.latest(&entry.section, key))?;
        Some(values::word(&found.value)).filter(|_| found != entry)
    }
}

/// Returns position and length of the next `{{` or `${`, and what ends it.
fn next_mark(text: &str) -> Option<(usize, usize, &'static str)> {
    let marks = [("{{", "}}"), ("${", "}")];
    let found = marks.into_iter().filter_map(|(open, close)| Some((text.find(open)?, open.len(), close)));
    found.min_by_key(|(at, ..)| *at)
}

fn of_script(setting: &RawSetting) -> (String, String, String) {
    let (section, key) = names::of_script(&setting.key).unwrap_or((names::SCRIPT, ""));
    let constant = setting.key.chars().all(|character| !character.is_ascii_lowercase());
    let shown = if constant { setting.key.clone() } else { format!("${}", setting.key) };
    (section.to_owned(), key.to_owned(), shown)
}

fn of_file(setting: &RawSetting, open: &str, close: &str) -> (String, String, String) {
    let (section, key) = names::of_file(&setting.section, &setting.key);
    let clean = |text: &str| stripped(text, 60);
    (section, key, format!("{open}{}{close}{}", clean(&setting.section), clean(&setting.key)))
}
