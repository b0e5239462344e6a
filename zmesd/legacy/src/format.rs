//! Recognizes a file by its content; after years of upgrades, names of files are not reliable.

use super::collection::Generation;
use super::script;
use super::yaml::{self, NotYaml, YamlNode};
use super::{ini, names};

/// The sections of the event server's own configuration.
const SECTIONS: [&str; 9] = ["general", "network", "auth", "push", "fcm", "mqtt", "ssl", "customize", "hook"];
/// Sections that only the configuration of the object detection has, and keys of its YAML.
const DETECTION: [&str; 8] = ["ml", "animation", "remote", "object", "face", "alpr", "yolo", "monitors"];

pub(super) enum FileFormat {
    /// Perl with the settings in it.
    Script,
    /// Perl of a server that has its settings in another file.
    LaterScript,
    /// The INI of 1.0 to 6.1.
    Ini,
    IniSecrets,
    /// The YAML of 7.
    Yaml(YamlNode),
    YamlSecrets(YamlNode),
    /// `es_rules`.
    Rules(YamlNode),
    /// `tokens.txt`
    Tokens,
    /// `escontrol_interface.dat`
    ControlState,
}

impl FileFormat {
    /// Returns its description, with an article if needed.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Script => "a script up to 0.98",
            Self::LaterScript => "a script since 1.0, which keeps its settings elsewhere",
            Self::Ini => "the INI of 1.0 to 6.1",
            Self::IniSecrets => "secrets of the INI",
            Self::Yaml(_) => "the YAML of 7",
            Self::YamlSecrets(_) => "secrets of the YAML",
            Self::Rules(_) => "rules (es_rules)",
            Self::Tokens => "tokens",
            Self::ControlState => "state of the escontrol interface",
        }
    }

    /// Returns which servers it is the configuration of; `None`: it is not the configuration itself.
    pub(super) fn generation(&self) -> Option<Generation> {
        match self {
            Self::Script => Some(Generation::Script),
            Self::Ini => Some(Generation::Ini),
            Self::Yaml(_) => Some(Generation::Yaml),
            Self::LaterScript
            | Self::IniSecrets
            | Self::YamlSecrets(_)
            | Self::Rules(_)
            | Self::Tokens
            | Self::ControlState => None,
        }
    }
}

/// Why a file is not a file of the event server.
pub(super) enum UnusableFile {
    /// It looks like YAML but is broken.
    Broken(NotYaml),
    /// It is something else.
    Other { what: &'static str, hint: &'static str },
}

/// Says whether the bytes are the state of the escontrol interface, which is not text.
pub(super) fn is_control_state(bytes: &[u8]) -> bool {
    bytes.starts_with(b"pst0")
}

pub(super) fn detect(text: &str) -> Result<FileFormat, UnusableFile> {
    let first = text.trim_start();
    if first.is_empty() {
        return Err(UnusableFile::Other { what: "empty", hint: "is it the right file?" });
    }
    if first.starts_with('{') {
        // Servers from 6.0 on write this while no phone has registered.
        let empty = first.trim_end().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        return if empty.is_some_and(|inner| inner.trim().is_empty()) {
            Ok(FileFormat::Tokens)
        } else {
            yaml_of(text)
        };
    }
    if is_perl(text) {
        return perl(text);
    }
    if is_tokens(text) {
        return Ok(FileFormat::Tokens);
    }
    if is_zm_conf(text) {
        return Err(UnusableFile::Other {
            what: "ZoneMinder's own configuration (zm.conf), not the event server's",
            hint: "pass zmeventnotification.ini (often in /etc/zm); zmesd reads zm.conf itself (zoneminder.config)",
        });
    }
    if let Some(format) = sections(text) {
        return format;
    }
    yaml_of(text)
}

fn is_perl(text: &str) -> bool {
    let shebang = text.lines().next().is_some_and(|line| line.starts_with("#!") && line.contains("perl"));
    shebang || text.lines().any(|line| line.starts_with("use constant ") || line.starts_with("use strict"))
}

fn perl(text: &str) -> Result<FileFormat, UnusableFile> {
    if text.contains("Config::IniFiles") || text.contains("ZmEventNotification::") {
        return Ok(FileFormat::LaterScript);
    }
    let found = script::read(text, |name| names::of_script(name).is_some());
    if found.settings.is_empty() && found.unread.is_empty() {
        let hint = "pass the zmeventnotification.pl that was edited";
        return Err(UnusableFile::Other { what: "a Perl script without the event server's settings", hint });
    }
    Ok(FileFormat::Script)
}

/// Says whether the text has lines and each is a token with its lists.
fn is_tokens(text: &str) -> bool {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let fields = |line: &str| line.rsplit(':').take(2).any(|field| matches!(field, "ios" | "android"));
    lines().next().is_some() && lines().all(|line| !line.contains(' ') && fields(line))
}

/// Says whether every line but comments sets a `ZM_` name, as ZoneMinder's zm.conf and conf.d do.
fn is_zm_conf(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next().is_some_and(|line| line.starts_with("ZM_"));
    first && lines.all(|line| !line.starts_with('[') && line.contains('='))
}

/// Recognizes a file by its `[sections]`; `None` if it has none.
fn sections(text: &str) -> Option<Result<FileFormat, UnusableFile>> {
    let names: Vec<_> = text.lines().filter_map(ini::header).map(str::to_ascii_lowercase).collect();
    let has = |wanted: &[&str]| names.iter().any(|name| wanted.contains(&name.as_str()));
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(['#', ';']))?;
    // YAML has brackets too, but not at the beginning of the first line that counts; INI may have a stray key there.
    if names.is_empty() || !(first.starts_with('[') || first.contains('=')) {
        return None;
    }
    if has(&["zoneminder", "server", "server.tls", "state", "log"])
        && !has(&["customize", "network", "ssl", "fcm"])
    {
        let hint = "`zmesd check-config --config FILE` checks it";
        return Some(Err(UnusableFile::Other { what: "already a configuration of zmesd", hint }));
    }
    if has(&["customize", "network", "ssl", "fcm", "auth", "mqtt", "push", "hook"]) {
        return Some(Ok(FileFormat::Ini));
    }
    if has(&["secrets"]) {
        return Some(Ok(FileFormat::IniSecrets));
    }
    if has(&DETECTION) || names.iter().any(|name| name.starts_with("monitor-")) {
        return Some(Err(detection()));
    }
    if has(&["general"]) {
        return Some(Ok(FileFormat::Ini));
    }
    Some(Err(unknown()))
}

fn yaml_of(text: &str) -> Result<FileFormat, UnusableFile> {
    let root = yaml::parse(text).map_err(UnusableFile::Broken)?;
    let names: Vec<_> = root.entries().iter().map(|(name, ..)| name.to_ascii_lowercase()).collect();
    let has = |wanted: &[&str]| names.iter().any(|name| wanted.contains(&name.as_str()));
    if has(&["tokens"]) {
        return Ok(FileFormat::Tokens);
    }
    if has(&["notifications"]) {
        return Ok(FileFormat::Rules(root));
    }
    if has(&DETECTION) {
        return Err(detection());
    }
    if has(&SECTIONS) {
        return Ok(FileFormat::Yaml(root));
    }
    if has(&["secrets"]) {
        return Ok(FileFormat::YamlSecrets(root));
    }
    Err(unknown())
}

fn detection() -> UnusableFile {
    UnusableFile::Other {
        what: "the configuration of the object detection, not of the event server",
        hint: "pass zmeventnotification.ini or zmeventnotification.yml; zmesd does not run hooks",
    }
}

fn unknown() -> UnusableFile {
    UnusableFile::Other {
        what: "not a file of the event server",
        hint: "zmesd reads zmeventnotification.pl (up to 0.98), .ini (1.0 to 6.1) and .yml (7), their secrets and es_rules",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> &'static str {
        match detect(text) {
            Ok(format) => format.as_str(),
            Err(UnusableFile::Broken(_)) => "broken",
            Err(UnusableFile::Other { what, .. }) => what,
        }
    }

    #[test]
    fn the_content_tells_what_a_file_is() {
        for (text, what) in [
            ("#!/usr/bin/perl -T\nuse constant SLEEP_DELAY=>5;\n", "a script up to 0.98"),
            ("my $x;\nuse constant SLEEP_DELAY=>5;\n", "a script up to 0.98"),
            (
                "#!/usr/bin/perl\nuse Config::IniFiles;\n",
                "a script since 1.0, which keeps its settings elsewhere",
            ),
            ("#!/usr/bin/perl\nprint 1;\n", "a Perl script without the event server's settings"),
            ("# c\n[general]\nsecrets = /x\n[network]\nport=1\n", "the INI of 1.0 to 6.1"),
            ("port = 3\n[network]\n", "the INI of 1.0 to 6.1"),
            ("[secrets]\nA=b\n", "secrets of the INI"),
            (
                "[general]\nx=1\n[monitor-3]\ny=2",
                "the configuration of the object detection, not of the event server",
            ),
            ("general:\n  base: x\nfcm:\n  enable: yes\n", "the YAML of 7"),
            ("---\nsecrets:\n  A: b\n", "secrets of the YAML"),
            ("notifications:\n  monitors: {}\n", "rules (es_rules)"),
            ("{\"notifications\":{\"monitors\":{}}}", "rules (es_rules)"),
            ("{\"tokens\":{}}", "tokens"),
            ("abc:1,2:0,0:ios:enabled\nd:e:::android:\n", "tokens"),
            ("{ }\n", "tokens"),
            (
                "# ZoneMinder\nZM_DB_HOST=localhost\n\nZM_DB_NAME = zm\n",
                "ZoneMinder's own configuration (zm.conf), not the event server's",
            ),
            ("[zoneminder]\n[server]\n", "already a configuration of zmesd"),
            (
                "ml:\n  x: 1\ngeneral:\n  y: 2\n",
                "the configuration of the object detection, not of the event server",
            ),
            ("a: b: c\n", "broken"),
            ("hello\n", "not a file of the event server"),
            (" \n", "empty"),
        ] {
            assert_eq!(seen(text), what, "{text}");
        }
        assert!(is_control_state(b"pst0\x04\x0b"));
    }
}
