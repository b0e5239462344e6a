//! What a key of `zmesd.toml` is, so that one table serves parsing, the default file, `config show`, reload and the
//! manual.
//!
//! [`section!`] declares a section once: a struct that mirrors it with typed values, and the [`Section`] that
//! describes it. It knows nothing of what the keys mean.

use std::fmt;
use std::path::PathBuf;

use super::problem::KeyPlace;
use super::shown::{Shown, toml_list, toml_string};

/// A value as TOML has it, before it is known what it should be; also how defaults are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal<'a> {
    Flag(bool),
    Number(i64),
    Text(&'a str),
    List(&'a [&'a str]),
    /// A table whose values are all strings.
    Pairs(&'a [(&'a str, &'a str)]),
    /// Anything else, by its name with article: "a table".
    Other(&'static str),
}

impl Literal<'_> {
    /// Returns what kind of value this is, with its article.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list of strings",
            Self::Pairs(_) => "a table",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Literal<'_> {
    /// Writes it as TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(&toml_string(text)),
            Self::List(texts) => f.write_str(&toml_list(texts)),
            Self::Pairs([]) => f.write_str("{}"),
            Self::Pairs(pairs) => {
                let pairs: Vec<_> =
                    pairs.iter().map(|(name, value)| format!("{name} = {}", toml_string(value))).collect();
                write!(f, "{{ {} }}", pairs.join(", "))
            }
            Self::Other(name) => f.write_str(name),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub message: String,
    /// What to do; `None`: the form's own hint, and the default.
    pub hint: Option<String>,
}

impl Complaint {
    /// A complaint whose remedy is to read what the form takes.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// How the value of a key is written and read.
pub trait Form: fmt::Debug + Sync {
    type Value;

    /// Whether `…-file` may name a file that holds the value.
    const BY_FILE: bool = false;

    fn read(&self, literal: Literal<'_>) -> Result<Self::Value, Complaint>;

    /// Describes the accepted values: "a duration from 1ms to 10s".
    fn describe(&self) -> String;

    /// Writes a value as text, secrets hidden.
    fn show(&self, value: &Self::Value) -> Shown;

    /// Returns the value that means "in that file", if [`Self::BY_FILE`] holds.
    fn by_file(&self, _file: PathBuf) -> Option<Self::Value> {
        None
    }

    /// Returns the required text.
    fn text<'t>(&self, literal: Literal<'t>) -> Result<&'t str, Complaint> {
        if let Literal::Text(text) = literal { Ok(text) } else { Err(self.mismatch(literal)) }
    }

    /// Complains that the value is of another kind.
    fn mismatch(&self, literal: Literal<'_>) -> Complaint {
        Complaint::new(format!("must be {}, but is {}", self.describe(), literal.what()))
    }
}

/// What the table keeps of a [`Form`].
pub trait AnyForm: fmt::Debug + Sync {
    /// Describes the accepted values: "a duration from 1ms to 10s".
    fn describe(&self) -> String;

    /// Whether `…-file` may name a file that holds the value.
    fn by_file(&self) -> bool;

    /// Says whether a value is accepted, and otherwise what is wrong with it.
    fn check(&self, literal: Literal<'_>) -> Result<(), Complaint>;
}

impl<F: Form> AnyForm for F {
    fn describe(&self) -> String {
        Form::describe(self)
    }

    fn by_file(&self) -> bool {
        F::BY_FILE
    }

    fn check(&self, literal: Literal<'_>) -> Result<(), Complaint> {
        self.read(literal).map(drop)
    }
}

/// A part of the daemon with its own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingsArea {
    Zoneminder,
    Server,
    Auth,
    Push,
    Picture,
    Rule,
    End,
    Labels,
    Target,
    Watchdog,
    Mqtt,
    Cluster,
    State,
    Control,
    Metrics,
    Log,
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    Hot,
    Restart,
}

#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    /// Its description, one line each, from the doc comment.
    pub doc: &'static [&'static str],
    /// What holds where the file does not say it.
    pub default: Literal<'static>,
    pub reload: Reload,
    pub form: &'static dyn AnyForm,
}

#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its dotted name: `push.proxy`.
    pub path: &'static str,
    pub area: SettingsArea,
    /// Whether it may appear several times, as `[[path]]`.
    pub repeated: bool,
    pub about: &'static [&'static str],
    /// Its keys in the order of the default file.
    pub keys: &'static [Key],
}

impl Section {
    /// Returns the line above its keys: `[path]`, or `[[path]]` if it may appear several times.
    pub fn heading(&self) -> String {
        let path = self.path;
        if self.repeated { format!("[[{path}]]") } else { format!("[{path}]") }
    }

    /// Says whether this is the name of one of its keys, or the `…-file` of one.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.keys.iter().any(|key| {
            key.name == name || (key.form.by_file() && name.strip_suffix("-file") == Some(key.name))
        })
    }

    pub(super) fn names(&self) -> Vec<String> {
        let names = self.keys.iter().flat_map(|key| {
            let by_file = key.form.by_file().then(|| format!("{}-file", key.name));
            std::iter::once(key.name.to_owned()).chain(by_file)
        });
        names.collect()
    }
}

/// A value with the place that it came from.
#[derive(Debug, Clone)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    /// The dotted key as the table has it, without an index.
    pub(super) key: &'static str,
    pub(super) place: KeyPlace,
}

/// Declares one section of the file, and what the daemon uses of it.
///
/// The first block has the keys that the check turns into something else, the last one those that are used as they are
/// read. Between them stands the struct that the daemon uses, with what the check makes; a section all of whose keys
/// become something else has none.
///
/// ```text
/// section! {
///     /// What the section is about.
///     StateSection: State = "state" once {
///         /// What the key does.
///         "directory" directory: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Restart;
///     }
///     #[derive(Debug)]
///     StateConfig { directory: PathBuf, } {
///         /// What the key does.
///         "keep-events" keep_events: Span = Span { min, max }, Literal::Text("24h"), Restart;
///     }
/// }
/// ```
///
/// It makes the mirror struct with a [`Setting`] for each key, its `SECTION`, how it is read, and its values in use; and
/// the struct for the daemon, how it is made, and which of its values a reload takes over.
macro_rules! section {
    (@repeated once) => { false };
    (@repeated many) => { true };
    (@reading once) => {
        /// Reads the section of that document.
        pub(in crate::config) fn once(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Self {
            Self::read(reader, Reader::table(root, Self::SECTION.path), Self::SECTION.path)
        }
    };
    (@reading many) => {
        /// Reads all sections of that name, in the order of the document.
        pub(in crate::config) fn all(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Vec<Self> {
            let tables = Reader::tables(root, Self::SECTION.path);
            tables.into_iter().map(|(table, path)| Self::read(reader, Some(table), &path)).collect()
        }
    };
    (@take Hot $now:ident $new:ident $field:ident) => { $now.$field.clone_from(&$new.$field) };
    (@take Restart $now:ident $new:ident $field:ident) => {};
    (
        $(#[doc = $about:literal])+
        $name:ident: $area:ident = $path:literal $times:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:literal $field:ident: $form:ty = $take:expr, $default:expr, $reload:ident;
            )+
        }
    ) => {
        // The texts are for readers of a TOML file: as documentation of Rust they would be full of broken links.
        #[doc = concat!("`[", $path, "]`")]
        #[derive(Debug)]
        pub(in crate::config) struct $name {
            $(#[doc = concat!("`", $key, "`")] pub(in crate::config) $field: Setting<<$form as Form>::Value>,)+
        }

        impl $name {
            pub(in crate::config) const SECTION: &'static Section = &Section {
                path: $path,
                area: SettingsArea::$area,
                repeated: section!(@repeated $times),
                about: &[$($about),+],
                keys: &[$(
                    Key {
                        name: $key,
                        doc: &[$($doc),+],
                        default: $default,
                        reload: Reload::$reload,
                        form: &$take,
                    },
                )+],
            };

            section!(@reading $times);

            /// Reads the section; `path` is its name with the index where it is one of several.
            pub(in crate::config) fn read(reader: &mut Reader<'_>, table: Option<&DeTable<'_>>, path: &str) -> Self {
                Self { $(
                    $field: {
                        let (value, place) = reader.value::<$form>(table, path, $key, &$take, $default);
                        Setting { value, place, key: concat!($path, ".", $key) }
                    },
                )+ }
            }

            /// Returns its values in use, in the order of its keys.
            pub(in crate::config) fn values(&self, resolved: &Resolved) -> Vec<Shown> {
                let resolved = |place| resolved.get(place);
                vec![$(
                    resolved(&self.$field.place).unwrap_or_else(|| Form::show(&$take, &self.$field.value)),
                )+]
            }
        }
    };
    (
        $(#[doc = $about:literal])+
        $name:ident: $area:ident = $path:literal $times:ident {
            $(
                $(#[doc = $made_doc:literal])+
                $made_key:literal $made_field:ident: $made_form:ty = $made_take:expr, $made_default:expr, $made_reload:ident;
            )*
        }
        $(#[$meta:meta])*
        $config:ident { $($(#[$part_meta:meta])* $part:ident: $part_type:ty,)* } {
            $(
                $(#[doc = $doc:literal])+
                $key:literal $field:ident: $form:ty = $take:expr, $default:expr, $reload:ident;
            )+
        }
    ) => {
        section! {
            $(#[doc = $about])+
            $name: $area = $path $times {
                $($(#[doc = $made_doc])+
                $made_key $made_field: $made_form = $made_take, $made_default, $made_reload;)*
                $($(#[doc = $doc])+ $key $field: $form = $take, $default, $reload;)+
            }
        }

        #[doc = concat!("`[", $path, "]`")]
        $(#[$meta])*
        #[expect(private_interfaces, reason = "the values are public, the forms that read them are the table's own")]
        pub struct $config {
            $($(#[$part_meta])* pub $part: $part_type,)*
            $(#[doc = concat!("`", $key, "`")] pub $field: <$form as Form>::Value,)+
        }

        impl $name {
            /// Returns what the daemon uses of it, with what the check has made.
            pub(in crate::config) fn config(&self, $($part: $part_type),*) -> $config {
                $config { $($part,)* $($field: Clone::clone(&self.$field.value),)+ }
            }
        }

        impl $config {
            /// Takes over the values that a reload applies.
            pub(in crate::config) fn take_hot(&mut self, new: &Self) {
                let (now, new) = (self, new);
                let _ = (&now, new);
                $(section!(@take $reload now new $field);)+
            }
        }
    };
}
pub(super) use section;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_written_as_toml() {
        for text in ["", "plain", "with \"quotes\" and \\", "tab\tnew\nline\u{7f}\u{1b}", "ü€"] {
            let document = format!("key = {}", Literal::Text(text));
            let table: toml::Table = document.parse().unwrap();
            assert_eq!(table["key"].as_str(), Some(text), "{document}");
        }
        assert_eq!(Literal::List(&["a", "b\""]).to_string(), r#"["a", "b\""]"#);
        assert_eq!(Literal::Flag(true).to_string(), "true");
        assert_eq!(Literal::Number(-3).to_string(), "-3");
    }
}
