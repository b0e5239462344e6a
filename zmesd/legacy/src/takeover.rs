//! Takes over settings that zmesd has a key for, and reports why it does not take over the rest.
//!
//! Each entry is in at least one finding.

use secrecy::SecretString;

use super::collection::{Collection, ReferencedFile, ResolvedValue};
use super::draft::{NewSetting, NewValue};
use super::entry::OldEntry;
use super::fates::{self, Judgement};
use super::format::FileFormat;
use super::names::SCRIPT;
use super::report::{Fate, Finding, ImportReport};
use super::template::NewFile;
use super::values;
use super::writer::Conversion;
use super::{hooks, mqtt, picture, push, rules};

/// The port if the file sets only an address.
const DEFAULT_PORT: u16 = 9000;
/// Default of `monitor_reload_interval` in every server from 0.93 on, in seconds: not a choice of the admin.
const OLD_RELOAD_INTERVAL: u64 = 300;
/// Up to this debug level, old servers logged what zmesd logs at `info`.
const USUAL_DEBUG_LEVEL: u64 = 5;

pub(super) struct Takeover<'c> {
    pub(super) old: &'c Collection,
    pub(super) new: Conversion,
}

#[derive(Clone)]
pub(super) struct OldValue<'c> {
    pub(super) entry: &'c OldEntry,
    pub(super) value: ResolvedValue,
}

impl Collection {
    /// Makes the new configuration and the report.
    pub fn convert(&self, file: NewFile) -> Conversion {
        let new =
            Conversion { file, settings: Vec::new(), rules: Vec::new(), report: ImportReport::default() };
        let mut taking = Takeover { old: self, new };
        taking.files();
        let plaintext = taking.tls();
        taking.listen(plaintext);
        taking.auth();
        taking.rest_of_customize();
        push::take(&mut taking);
        picture::take(&mut taking);
        mqtt::take(&mut taking);
        rules::take(&mut taking);
        hooks::take(&mut taking);
        taking.everything_else();
        taking.finish()
    }
}

impl<'c> Takeover<'c> {
    pub(super) fn say(&mut self, entry: &OldEntry, fate: Fate) {
        self.find(Finding { place: Some(entry.place.clone()), old: entry.shown.clone(), fate });
    }

    pub(super) fn find(&mut self, finding: Finding) {
        self.new.report.findings.push(finding);
    }

    /// Adds a difference that does not depend on the old file.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.new.report.notes.push(note.into());
    }

    /// Adds something for the admin to do next.
    pub(super) fn next(&mut self, step: impl Into<String>) {
        self.new.report.next.push(step.into());
    }

    pub(super) fn say_of(&mut self, old: impl Into<String>, fate: Fate) {
        self.find(Finding { place: None, old: old.into(), fate });
    }

    /// Reports an entry that a person has to decide about.
    pub(super) fn open(&mut self, entry: &OldEntry, why: impl Into<String>, hint: impl Into<String>) {
        self.say(entry, Fate::Open { why: why.into(), hint: hint.into() });
    }

    /// Reports an entry that had no effect.
    pub(super) fn idle(&mut self, got: Option<&OldValue<'_>>, why: &str) {
        if let Some(got) = got {
            self.say(got.entry, Fate::Idle(why.to_owned()));
        }
    }

    /// Returns an entry with its value. An entry that cannot be resolved is reported and ignored.
    pub(super) fn get(&mut self, section: &str, key: &str) -> Option<OldValue<'c>> {
        let entry = self.old.latest(section, key)?;
        match self.old.resolve(entry) {
            Ok(value) => Some(OldValue { entry, value }),
            Err(why) => {
                let hint = "pass the file of secrets too, or write the value into zmesd.toml yourself";
                self.open(entry, why, hint);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, section: &str, key: &str) -> Option<(bool, OldValue<'c>)> {
        let got = self.get(section, key)?;
        match values::flag(got.value.word()) {
            Some(flag) => Some((flag, got)),
            None if got.value.word().is_empty() => {
                self.say(got.entry, Fate::Idle("it is empty: the default held".to_owned()));
                None
            }
            None => {
                self.open(
                    got.entry,
                    "neither yes nor no",
                    "zmesd.toml has the default: change it there if needed",
                );
                None
            }
        }
    }

    /// Sets a key of `zmesd.toml` from these entries; says whether the value was accepted.
    pub(super) fn take(
        &mut self,
        from: &[&OldEntry],
        table: &'static str,
        key: &'static str,
        value: NewValue,
    ) -> bool {
        let shown = value.shown();
        let named = format!("{table}.{key}");
        match value.propose(|proposal| self.new.file.check(table, key, proposal)) {
            Ok(()) => {
                let lines = from.iter().map(|entry| format!("{} {}", entry.place, entry.shown)).collect();
                self.new.settings.push(NewSetting { table, key, value, from: lines });
                for entry in from {
                    self.say(entry, Fate::Taken { key: named.clone(), value: shown.clone() });
                }
                true
            }
            Err(complaint) => {
                // An objection quotes the value, which may be a secret.
                let why = if shown.is_some() {
                    format!("{named} does not accept it: {}", complaint.message)
                } else {
                    format!("{named} does not accept its value")
                };
                let hint = complaint.hint.unwrap_or_else(|| format!("zmesd.toml has the default of {named}"));
                for entry in from {
                    self.open(entry, why.clone(), hint.clone());
                }
                false
            }
        }
    }

    /// Takes over a path or another word; says whether it was accepted.
    pub(super) fn take_word(&mut self, got: &OldValue<'_>, table: &'static str, key: &'static str) -> bool {
        let word = got.value.word();
        if word.is_empty() {
            self.open(got.entry, "it is empty", format!("set {table}.{key} in zmesd.toml"));
            return false;
        }
        if ["{{", "${"].iter().any(|mark| word.contains(mark)) {
            let why = "it refers to a value that the file does not have";
            self.open(got.entry, why, format!("correct {table}.{key} in zmesd.toml"));
        }
        self.take(&[got.entry], table, key, NewValue::Text(word.to_owned()))
    }

    /// Takes over a secret; says whether it was accepted.
    pub(super) fn take_secret(&mut self, got: &OldValue<'_>, table: &'static str, key: &'static str) -> bool {
        let text = got.value.text();
        if text.is_empty() {
            self.open(got.entry, "it is empty", format!("set {table}.{key} in zmesd.toml"));
            return false;
        }
        self.take(&[got.entry], table, key, NewValue::Secret(SecretString::from(text)))
    }

    fn take_seconds(&mut self, section: &str, key: &str, table: &'static str, new: &'static str) {
        let Some(got) = self.get(section, key) else { return };
        match values::seconds(got.value.word()) {
            Some(seconds) => {
                self.take(&[got.entry], table, new, NewValue::Text(format!("{seconds}s")));
            }
            None => {
                self.open(got.entry, "not a number of seconds", format!("set {table}.{new} in zmesd.toml"));
            }
        }
    }

    /// Reports what concerns files as a whole.
    fn files(&mut self) {
        for (place, why) in &self.old.unread {
            let fate = Fate::Unread((*why).to_owned());
            self.find(Finding { place: Some(place.clone()), old: String::new(), fate });
        }
        for ReferencedFile { what, candidates } in &self.old.absent {
            let places: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
            let key = if *what == "secrets" { ("general", "secrets") } else { ("customize", "es_rules") };
            let why = format!("cannot read the file of {what}: looked for {}", places.join(", "));
            let hint = format!(
                "pass it on the command line too, as root if needed; without it, its {what} are missing"
            );
            match self.old.latest(key.0, key.1) {
                Some(entry) => self.open(entry, why, hint),
                None => self.say_of(*what, Fate::Open { why, hint }),
            }
        }
        if self.old.absent.iter().all(|wanted| wanted.what != "secrets")
            && let Some(entry) = self.old.latest("general", "secrets")
        {
            self.say(entry, Fate::Needless("the secrets were read".to_owned()));
        }
        for file in &self.old.files {
            if file.latin {
                let name = file.path.display();
                self.note(format!(
                    "{name} is not UTF-8 and was read as Latin-1: check its special characters"
                ));
            }
            if file.what == FileFormat::ControlState.as_str() {
                let why = "mutes of the escontrol interface are not imported".to_owned();
                let instead = "mute phones with `zmesctl tokens mute`".to_owned();
                self.say_of(file.path.display().to_string(), Fate::Missing { why, instead });
            }
        }
        for path in &self.old.tokens {
            self.next(format!("`zmesctl tokens import {}`", path.display()));
        }
    }

    /// Takes over TLS; says whether it is off.
    fn tls(&mut self) -> bool {
        let enabled = self.flag("ssl", "enable");
        let (certificate, key) = (self.get("ssl", "cert"), self.get("ssl", "key"));
        if let Some((enabled, got)) = &enabled {
            self.take(&[got.entry], "server", "plaintext", NewValue::Flag(!enabled));
        }
        if matches!(enabled, Some((false, _))) {
            self.idle(certificate.as_ref(), "TLS was off");
            self.idle(key.as_ref(), "TLS was off");
            return true;
        }
        let mut missing = Vec::new();
        for (got, new) in [(certificate, "certificate"), (key, "key")] {
            match got {
                Some(got) => {
                    self.take_word(&got, "server.tls", new);
                }
                None => missing.push(format!("server.tls.{new}")),
            }
        }
        if !missing.is_empty() {
            let why = format!(
                "the file does not set {}, without which the old server did not start",
                missing.join(" and ")
            );
            let hint = "set it in zmesd.toml, or server.plaintext = true behind a proxy that terminates TLS"
                .to_owned();
            self.say_of("[ssl]", Fate::Open { why, hint });
        }
        false
    }

    fn listen(&mut self, plaintext: bool) {
        let (port, address) = (self.get("network", "port"), self.get("network", "address"));
        let number = match &port {
            Some(got) => got.value.word().parse::<u16>().ok(),
            None => Some(DEFAULT_PORT),
        };
        let place = match &address {
            Some(got) => values::address(got.value.word()),
            None => values::address(""),
        };
        for (got, missing, what) in [
            (&port, number.is_none(), "not a port from 0 to 65535"),
            (&address, place.is_none(), "not an IP address"),
        ] {
            if let Some(got) = got.as_ref().filter(|_| missing) {
                self.open(got.entry, what, "set server.listen in zmesd.toml: [\"192.0.2.7:9000\"]");
            }
        }
        let good = [port.filter(|_| number.is_some()), address.clone().filter(|_| place.is_some())];
        let from: Vec<_> = good.iter().flatten().map(|got| got.entry).collect();
        if from.is_empty() {
            return;
        }
        let number = number.unwrap_or(DEFAULT_PORT);
        let place = place.or_else(|| values::address("")).unwrap_or(values::EVERY_IPV4);
        let listener = values::listener(place, number);
        self.take(&from, "server", "listen", NewValue::List(vec![listener]));
        if let Some(address) = address.filter(|_| plaintext && !place.is_unspecified()) {
            let everywhere = values::listener(values::EVERY_IPV4, number);
            let why =
                "without TLS the old server ignored it and listened on every IPv4 address; zmesd uses it";
            self.open(
                address.entry,
                why,
                format!("server.listen = [\"{everywhere}\"] if apps connect to other addresses"),
            );
        }
    }

    fn auth(&mut self) {
        let enabled = self.flag("auth", "enable");
        let open_to_all = self.flag(SCRIPT, "noAuth").map(|(no_auth, got)| (!no_auth, got));
        for (enabled, got) in [enabled, open_to_all].into_iter().flatten() {
            self.take(&[got.entry], "auth", "enabled", NewValue::Flag(enabled));
            if !enabled {
                let why = "every client gets the alarms of every monitor, as before";
                self.open(got.entry, why, "set auth.enabled = true unless you want that");
            }
        }
        self.take_seconds("auth", "timeout", "auth", "timeout");
        self.note(
            "users get only alarms of monitors that ZoneMinder lets them see; the old server sent all alarms to \
             everyone, as auth.enforce-monitor-permissions = false does",
        );
    }

    fn rest_of_customize(&mut self) {
        match self.flag("customize", "send_event_end_notification") {
            Some((true, got)) => {
                for key in ["push", "websocket"] {
                    self.take(&[got.entry], "end", key, NewValue::Flag(true));
                }
            }
            Some((false, got)) => {
                let why = "zmesd tells of ends only where [end] says so";
                self.say(got.entry, Fate::Needless(why.to_owned()));
            }
            None => {}
        }
        let section = "zoneminder";
        match self.get("customize", "monitor_reload_interval") {
            Some(got) if values::seconds(got.value.word()) == Some(OLD_RELOAD_INTERVAL) => {
                let why = "300 s was the old server's default; zmesd's is 60 s, so that it notices new cameras sooner";
                self.say(got.entry, Fate::Needless(why.to_owned()));
            }
            None => {}
            Some(_) => {
                self.take_seconds("customize", "monitor_reload_interval", section, "monitor-reload-interval");
            }
        }
        let Some(got) = self.get("customize", "es_debug_level") else { return };
        match got.value.word().parse::<u64>() {
            Ok(level) if level > USUAL_DEBUG_LEVEL => {
                self.take(&[got.entry], "log", "level", NewValue::Text("debug".to_owned()));
            }
            Ok(_) => {
                let why = "log.level = \"info\" is enough; for more, use `zmesctl log level debug --for 10m`";
                self.say(got.entry, Fate::Needless(why.to_owned()));
            }
            Err(_) => self.open(got.entry, "not a debug level", "see log.level in zmesd.toml"),
        }
    }

    /// Reports the entries that no other function handles.
    fn everything_else(&mut self) {
        for entry in &self.old.entries {
            let counts = self.old.latest(&entry.section, &entry.key).filter(|latest| *latest != entry);
            if let Some(latest) = counts {
                let why =
                    format!("{} is set again ({}), and the last value counts", latest.shown, latest.place);
                self.say(entry, Fate::Idle(why));
                continue;
            }
            let Some(judgement) = fates::of(&entry.section, &entry.key) else {
                let near = fates::nearest(&entry.section, &entry.key);
                let meant = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                let why = format!("no event server had this key{meant}");
                self.say(entry, Fate::Unread(why));
                continue;
            };
            let gated = fates::switch_of(&entry.section, &entry.key);
            let fate = match gated.filter(|switch| !self.is_on(*switch)) {
                Some(_) if judgement != Judgement::Read => {
                    Some(Fate::Idle("it belongs to a feature that was off".to_owned()))
                }
                Some(_) | None => judged(judgement, values::word(&entry.value)),
            };
            if let Some(fate) = fate {
                self.say(entry, fate);
            }
        }
    }

    /// Says whether a switch was on. Hooks had no switch at first, so they default to on.
    pub(super) fn is_on(&self, (section, key): (&str, &str)) -> bool {
        let default = key == "use_hooks";
        self.old.latest(section, key).map_or(default, |entry| values::flag(&entry.value).unwrap_or(default))
    }

    fn finish(mut self) -> Conversion {
        self.next(
            "stop the old server first, because it holds the port; or let zmesd listen on another port with push.mode \
             = \"shadow\", which decides and logs but does not send",
        );
        let files = self.old.files.iter().map(|file| (file.path.clone(), file.what.to_owned())).collect();
        self.new.report.files = files;
        self.new
    }
}

/// Returns the fate of a value; `None` if another function reports it.
fn judged(judgement: Judgement, value: &str) -> Option<Fate> {
    match judgement {
        Judgement::Read => None,
        Judgement::Needless(why) => Some(Fate::Needless(why.to_owned())),
        Judgement::Missing(..) | Judgement::Trifle(_) if value.is_empty() => {
            Some(Fate::Idle("it is empty".to_owned()))
        }
        Judgement::Missing(why, instead) => {
            Some(Fate::Missing { why: why.to_owned(), instead: instead.to_owned() })
        }
        Judgement::Trifle(why) => Some(Fate::Trifle(why.to_owned())),
        Judgement::Always(always, otherwise) => {
            let same = value.eq_ignore_ascii_case(always)
                || (values::flag(always).is_some() && values::flag(always) == values::flag(value));
            if same {
                Some(Fate::Needless("zmesd always does this".to_owned()))
            } else {
                judged(*otherwise, value)
            }
        }
        Judgement::Switch(on) => match values::flag(value) {
            Some(false) => Some(Fate::Idle("it was off".to_owned())),
            Some(true) | None => judged(*on, value),
        },
    }
}
