//! The `zmesd.toml` that comes into being: values by key, each checked as the daemon will check it, each with where it
//! came from.

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Complaint, Literal, SECTIONS, TablePlace};

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A text.
    Text(String),
    /// A text that may hold credentials: it goes into the file, but is not shown.
    Private(SecretString),
    /// A list of texts.
    List(Vec<String>),
    /// A secret: it goes into a file of its own.
    Secret(SecretString),
}

impl Value {
    /// Returns it as TOML, for people; `None` where it is not for everybody.
    pub(super) fn shown(&self) -> Option<String> {
        match self {
            Self::Flag(_) | Self::Text(_) | Self::List(_) => Some(self.toml()),
            Self::Private(_) | Self::Secret(_) => None,
        }
    }

    /// Returns it as TOML.
    pub(super) fn toml(&self) -> String {
        self.with_literal(|literal| literal.to_string())
    }

    fn with_literal<T>(&self, use_it: impl FnOnce(Literal<'_>) -> T) -> T {
        match self {
            Self::Flag(flag) => use_it(Literal::Flag(*flag)),
            Self::Text(text) => use_it(Literal::Text(text)),
            Self::Private(text) | Self::Secret(text) => use_it(Literal::Text(text.expose_secret())),
            Self::List(texts) => {
                let texts: Vec<_> = texts.iter().map(String::as_str).collect();
                use_it(Literal::List(&texts))
            }
        }
    }
}

/// A key of `zmesd.toml` that has a value.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// Which section, and which of several.
    pub(super) table: TablePlace,
    /// Its key.
    pub(super) key: &'static str,
    /// Its value.
    pub(super) value: Value,
    /// Where it came from, a line each.
    pub(super) from: Vec<String>,
}

/// A file with a secret.
#[derive(Debug, Clone)]
pub struct SecretFile {
    /// Its name below the directory of `zmesd.toml`: `secrets/push-proxy-app-key`.
    pub name: String,
    /// What it holds.
    pub content: SecretString,
}

/// What is known of the new configuration so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    settings: Vec<Setting>,
}

impl Draft {
    /// Gives a key its value, if the daemon takes it.
    pub(super) fn set(
        &mut self,
        table: TablePlace,
        key: &'static str,
        value: Value,
        from: Vec<String>,
    ) -> Result<(), Complaint> {
        let section = SECTIONS.iter().find(|section| section.path == table.path);
        let form = section
            .and_then(|section| section.keys.iter().find(|known| known.name == key))
            .map(|key| key.form);
        if let Some(form) = form {
            value.with_literal(|literal| form.check(literal))?;
        }
        self.settings.push(Setting { table, key, value, from });
        Ok(())
    }

    /// Returns everything that has a value.
    pub(super) fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Returns the files of the secrets.
    pub(super) fn secrets(&self) -> Vec<SecretFile> {
        let secret = |setting: &Setting| match &setting.value {
            Value::Secret(content) => {
                Some(SecretFile { name: secret_name(setting), content: content.clone() })
            }
            Value::Flag(_) | Value::Text(_) | Value::Private(_) | Value::List(_) => None,
        };
        self.settings.iter().filter_map(secret).collect()
    }
}

/// Returns the name of the file that holds a secret.
pub(super) fn secret_name(setting: &Setting) -> String {
    let table = setting.table.path.replace('.', "-");
    let number =
        if setting.table.index == 0 { String::new() } else { format!("-{}", setting.table.index + 1) };
    format!("secrets/{table}{number}-{}", setting.key)
}
