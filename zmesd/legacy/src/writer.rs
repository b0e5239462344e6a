//! The new `zmesd.toml`: the commented default file with the imported values, each below a comment that names the
//! old lines.

use super::draft::{NewSetting, NewValue, SecretFile, secret_name};
use super::report::ImportReport;
use super::rules::NewRule;
use super::template::{Fill, NewFile};

const HEAD: &str = "\
# The configuration of zmesd, the event notification server for ZoneMinder.
#
# Imported from an older event server: each value from there has a comment `from FILE:LINE` above it. All other keys
# have their defaults: change what you need, leave out the rest.
# Durations are written 20ms, 5s, 10m, 1h30m, 60d. Relative paths are looked up in $CREDENTIALS_DIRECTORY, then beside
# this file. `zmesd check-config` lists all mistakes; `zmesctl reload` applies most changes.
";

/// Who can read the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Readers of the file.
    File,
    /// Readers of the terminal: values that may contain a password are left out.
    Terminal,
}

/// The result of an import.
#[derive(Debug)]
pub struct Conversion {
    pub(super) file: NewFile,
    pub(super) settings: Vec<NewSetting>,
    pub(super) rules: Vec<NewRule>,
    /// What became of every line.
    pub report: ImportReport,
}

impl Conversion {
    /// Returns the text of `zmesd.toml`.
    pub fn toml(&self, shown: Audience) -> String {
        let fills: Vec<_> = self.settings.iter().map(|setting| fill(setting, shown, &self.file)).collect();
        let mut text = self.file.filled(HEAD, &fills);
        for NewRule { from, settings } in &self.rules {
            text.extend(["\n# from ", from, "\n[[rule]]\n"]);
            for (key, value) in settings {
                text.extend([key, " = ", &value.toml(), "\n"]);
            }
        }
        text
    }

    /// Returns the files of the secrets.
    pub fn secrets(&self) -> Vec<SecretFile> {
        let secret = |setting: &NewSetting| match &setting.value {
            NewValue::Secret(content) => {
                Some(SecretFile { name: secret_name(setting), content: content.clone() })
            }
            NewValue::Flag(_) | NewValue::Text(_) | NewValue::Private(_) | NewValue::List(_) => None,
        };
        self.settings.iter().filter_map(secret).collect()
    }
}

fn fill(setting: &NewSetting, shown: Audience, file: &NewFile) -> Fill {
    let mut comments: Vec<_> = setting.from.iter().map(|from| format!("from {from}")).collect();
    let line = match (&setting.value, shown) {
        (NewValue::Secret(_), _) => {
            format!("{}-file = {}", setting.key, NewValue::Text(secret_name(setting)).toml())
        }
        (NewValue::Private(_), Audience::Terminal) => {
            comments.push("not shown because it may contain a password; --output writes it".to_owned());
            format!("{} = {}", setting.key, file.default_of(setting.table, setting.key).unwrap_or("\"\""))
        }
        (NewValue::Private(_), Audience::File)
        | (NewValue::Flag(_) | NewValue::Text(_) | NewValue::List(_), _) => {
            format!("{} = {}", setting.key, setting.value.toml())
        }
    };
    Fill { table: setting.table, key: setting.key, comments, line }
}
