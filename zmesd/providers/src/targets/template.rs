//! Texts with placeholders: `${monitor.name}`. No language: a placeholder is replaced by its value, encoded for the place
//! where it stands.

use std::borrow::Cow;
use std::fmt;

use jiff::tz::TimeZone;
use zmes_shared::machine::MachineMessage;

use super::message::{LOCAL, TargetMessage};

/// Characters that stay as they are in a URL (RFC 3986 2.3).
const UNRESERVED: &[u8] = b"-._~";

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    Id,
    EventType,
    MonitorId,
    MonitorName,
    Event,
    Cause,
    Detected,
    At,
    AtLocal,
    Late,
    Url,
    Picture,
    Digest,
}

const PLACEHOLDERS: [(&str, Placeholder); 13] = [
    ("id", Placeholder::Id),
    ("event_type", Placeholder::EventType),
    ("monitor.id", Placeholder::MonitorId),
    ("monitor.name", Placeholder::MonitorName),
    ("event", Placeholder::Event),
    ("cause", Placeholder::Cause),
    ("detected", Placeholder::Detected),
    ("at", Placeholder::At),
    ("at.local", Placeholder::AtLocal),
    ("late", Placeholder::Late),
    ("url", Placeholder::Url),
    ("picture", Placeholder::Picture),
    ("digest", Placeholder::Digest),
];

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Plain,
    /// Percent-encoded.
    Url,
    /// Without what ends a header.
    Header,
    /// As inside a JSON string.
    Json,
}

impl Encoding {
    /// Returns the encoding for values within a body of that type.
    pub(super) fn of_body(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind == "application/x-www-form-urlencoded" {
            Self::Url
        } else if kind.ends_with("/json") || kind.ends_with("+json") {
            Self::Json
        } else {
            Self::Plain
        }
    }

    fn write(self, value: &str, out: &mut String) {
        match self {
            Self::Plain => out.push_str(value),
            Self::Url => {
                for byte in value.bytes() {
                    if byte.is_ascii_alphanumeric() || UNRESERVED.contains(&byte) {
                        out.push(byte.into());
                    } else {
                        out.push('%');
                        let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
                        out.extend(
                            [byte >> 4, byte & 0xF].map(digit).map(|digit| digit.to_ascii_uppercase()),
                        );
                    }
                }
            }
            Self::Header => out.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c })),
            Self::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                out.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
            }
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Value(Placeholder),
}

/// A text with placeholders. `Debug` hides it: URLs and headers are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<TemplatePart>,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// `${` without `}`.
    #[error("has `${{` without `}}`")]
    Open,
    /// A placeholder that does not exist.
    #[error("has an unknown placeholder `${{{0}}}`")]
    Unknown(String),
}

impl Template {
    /// The names of the placeholders.
    pub const NAMES: [&'static str; 13] = {
        let mut names = [""; 13];
        let mut place = 0;
        while place < names.len() {
            names[place] = PLACEHOLDERS[place].0;
            place += 1;
        }
        names
    };

    /// Reads a template.
    pub fn parse(source: &str) -> Result<Self, TemplateProblem> {
        let (mut parts, mut rest) = (Vec::new(), source);
        while let Some((before, after)) = rest.split_once("${") {
            parts.push(TemplatePart::Text(before.to_owned()));
            let (name, behind) = after.split_once('}').ok_or(TemplateProblem::Open)?;
            let known = PLACEHOLDERS.iter().find(|(known, _)| *known == name);
            let (_, placeholder) =
                known.ok_or_else(|| TemplateProblem::Unknown(zmes_shared::text::stripped(name, 32)))?;
            parts.push(TemplatePart::Value(*placeholder));
            rest = behind;
        }
        parts.push(TemplatePart::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, TemplatePart::Text(text) if text.is_empty()));
        Ok(Self { source: source.to_owned(), parts })
    }

    /// Returns the text as it was written. It may hold secrets.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Says whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// Returns the text with another one in place of each value, to see what is fixed.
    pub(super) fn with_each(&self, value: &str) -> String {
        let part = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => text.clone(),
            TemplatePart::Value(_) => value.to_owned(),
        };
        self.parts.iter().map(part).collect()
    }

    /// Returns the texts between the placeholders: parts of secrets.
    pub(super) fn fixed(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Text(text) => Some(text.as_str()),
            TemplatePart::Value(_) => None,
        })
    }

    pub(super) fn render(&self, message: &TargetMessage<'_>, encoding: Encoding) -> String {
        self.filled(|placeholder| message.value(placeholder), encoding)
    }

    /// Returns the link for an alarm of the JSON for programs; `None`: it is empty, or needs an event and there is none.
    pub fn link(&self, message: &MachineMessage, zone: &TimeZone) -> Option<String> {
        if self.is_empty() || (message.event.is_none() && self.source.contains("${event}")) {
            return None;
        }
        let names = || message.labels.iter().flatten().map(|label| label.name.as_str());
        let value = |placeholder| match placeholder {
            Placeholder::Id => Cow::Borrowed(message.id.as_str()),
            Placeholder::EventType => message.event_type.word().into(),
            Placeholder::MonitorId => {
                message.monitor.as_ref().map_or(Cow::Borrowed(""), |monitor| monitor.id.to_string().into())
            }
            Placeholder::MonitorName => {
                message.monitor.as_ref().map_or("", |monitor| monitor.name.as_str()).into()
            }
            Placeholder::Event => message.event.map_or(Cow::Borrowed(""), |event| event.to_string().into()),
            Placeholder::Detected if names().next().is_some() => {
                names().collect::<Vec<_>>().join(", ").into()
            }
            Placeholder::Cause | Placeholder::Detected => message.cause.as_str().into(),
            Placeholder::At => format!("{:.3}", message.at).into(),
            Placeholder::AtLocal => message.at.to_zoned(zone.clone()).strftime(LOCAL).to_string().into(),
            Placeholder::Late => if message.late { "true" } else { "false" }.into(),
            Placeholder::Url | Placeholder::Picture | Placeholder::Digest => "".into(),
        };
        Some(self.filled(value, Encoding::Url))
    }

    /// Returns ZoneMinder's web page, if this is a link to one of its views.
    pub fn page(&self) -> Option<String> {
        let Some(TemplatePart::Text(beginning)) = self.parts.first() else { return None };
        let (page, query) = beginning.split_once('?')?;
        query.starts_with("view=").then(|| page.trim_end_matches("index.php").to_owned())
    }

    fn filled<'v>(&self, value: impl Fn(Placeholder) -> Cow<'v, str>, encoding: Encoding) -> String {
        let mut out = String::with_capacity(self.source.len());
        for part in &self.parts {
            match part {
                TemplatePart::Text(text) => out.push_str(text),
                TemplatePart::Value(placeholder) => encoding.write(&value(*placeholder), &mut out),
            }
        }
        out
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template([hidden])")
    }
}

#[cfg(test)]
mod tests {
    use zmes_shared::machine::MachineAlarm;
    use zmes_shared::words::MachineKind;
    use zmes_shared::{EventId, MonitorId};

    use super::*;

    fn encoded(encoding: Encoding, value: &str) -> String {
        let mut out = String::new();
        encoding.write(value, &mut out);
        out
    }

    #[test]
    fn values_are_encoded_for_their_place() {
        let value = "a \"b\"\r\n/ü?&%";
        assert_eq!(encoded(Encoding::Plain, value), value);
        assert_eq!(encoded(Encoding::Url, value), "a%20%22b%22%0D%0A%2F%C3%BC%3F%26%25");
        assert_eq!(encoded(Encoding::Header, value), "a \"b\"  /ü?&%");
        assert_eq!(encoded(Encoding::Json, value), "a \\\"b\\\"\\r\\n/ü?&%");
    }

    #[test]
    fn a_link_for_programs_has_the_event_and_its_page_is_zoneminders() {
        let template = |text: &str| Template::parse(text).unwrap();
        let link = template("https://zm/zm/index.php?view=event&eid=${event}&n=${monitor.name}");
        let message = |event| {
            MachineMessage::of_alarm(MachineAlarm {
                kind: MachineKind::AlarmStart,
                at: "2026-11-02T10:00:07.512Z".parse().unwrap(),
                late: false,
                monitor: MonitorId(3),
                name: "A&B",
                event,
                cause: "Motion",
                lasted: None,
            })
        };
        let with = link.link(&message(Some(EventId(7))), &TimeZone::UTC);
        assert_eq!(with.as_deref(), Some("https://zm/zm/index.php?view=event&eid=7&n=A%26B"));
        assert_eq!(link.link(&message(None), &TimeZone::UTC), None);
        assert_eq!(template("").link(&message(Some(EventId(7))), &TimeZone::UTC), None);
        assert_eq!(link.page().as_deref(), Some("https://zm/zm/"));
        for other in ["", "https://ha/lovelace?x=1", "${url}?view=event", "https://zm/${event}?view=event"] {
            assert_eq!(template(other).page(), None, "{other}");
        }
    }

    #[test]
    fn only_known_placeholders_are_taken() {
        for name in Template::NAMES {
            Template::parse(&format!("x ${{{name}}} y")).unwrap();
        }
        assert_eq!(Template::parse("a ${monitor} b"), Err(TemplateProblem::Unknown("monitor".to_owned())));
        assert_eq!(Template::parse("a ${cause b"), Err(TemplateProblem::Open));
        assert_eq!(Template::parse("$5 {x} $").unwrap().with_each("-"), "$5 {x} $");
        assert_eq!(Template::parse("${id}${at}").unwrap().with_each("-"), "--");
        assert_eq!(format!("{:?}", Template::parse("s3cret").unwrap()), "Template([hidden])");
    }

    #[test]
    fn the_type_of_a_body_decides_how_its_values_are_written() {
        for (kind, wanted) in [
            ("application/json", Encoding::Json),
            ("Application/JSON; charset=utf-8", Encoding::Json),
            ("application/cloudevents+json", Encoding::Json),
            ("application/x-www-form-urlencoded", Encoding::Url),
            ("text/plain", Encoding::Plain),
        ] {
            assert_eq!(Encoding::of_body(kind), wanted, "{kind}");
        }
    }
}
