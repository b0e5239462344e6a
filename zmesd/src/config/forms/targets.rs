//! The values of `[[target]]`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use zmes_providers::SnoozeTime;
use zmes_providers::targets::{ExpectedStatus, TargetName, Template, TemplateProblem};
use zmes_shared::control::SNOOZE_MAX_MS;
use zmes_shared::duration;

use super::network::Listing;
use super::{Text, bounded, nearest};
use crate::config::problem::quotable;
use crate::config::section::{Complaint, Form, Literal};
use crate::config::shown::{HIDDEN, Shown, toml_string};
use crate::config::target::TargetPhase;

/// Most buttons of a message: ntfy takes no more (server/actions.go, `actionsMax`).
const BUTTONS_MAX: usize = 3;
/// How long the snooze of a button may be: as long as any snooze.
const SNOOZE: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_millis(SNOOZE_MAX_MS);
/// Most headers of a webhook.
const HEADERS_MAX: usize = 32;
/// Longest name of a header, in bytes.
const HEADER_NAME_MAX: usize = 64;
/// Headers that zmesd writes itself, or that would change where a request ends, with what to do instead. The type of a
/// body also decides how values in it are escaped.
const OWN_HEADERS: [(&str, &str); 9] = [
    ("host", REMOVE),
    ("content-length", REMOVE),
    ("Content-Type", "set content-type"),
    ("transfer-encoding", REMOVE),
    ("connection", REMOVE),
    ("te", REMOVE),
    ("webhook-id", REMOVE),
    ("webhook-timestamp", REMOVE),
    ("webhook-signature", REMOVE),
];
const REMOVE: &str = "remove it";
/// Most codes of `expect`.
const CODES_MAX: usize = 16;
/// Longest `body`, in bytes.
const BODY_MAX: usize = 16 * 1024;

const NAMES: &str = "a name of 1 to 32 characters from a-z, 0-9 and -, the first one a letter or digit";

/// The name of a target; `None` if the entry is still to be filled in.
pub(in crate::config) const TARGET_NAME: Text<Option<TargetName>> = Text {
    takes: NAMES,
    read: |text| match text {
        "" => Ok(None),
        text => TargetName::parse(text).map(Some).ok_or_else(|| {
            let complaint = Complaint::new(format!("must be {NAMES}, but is `{}`", quotable(text)));
            if text.starts_with('@') {
                complaint.hint("leave out the @: only its handle has one")
            } else {
                complaint
            }
        }),
    },
    show: |name| Shown::text(name.as_ref().map(TargetName::as_str).unwrap_or_default()),
};

pub(in crate::config) const PHASES: Listing<TargetPhase> = Listing {
    takes: "a list of \"start\", \"update\", \"end\" and \"trouble\"",
    read: |texts| {
        let phase = |text: &&str| {
            let known = TargetPhase::ALL.into_iter().find(|phase| phase.word() == *text);
            let words = TargetPhase::ALL.map(TargetPhase::word);
            known.ok_or_else(|| {
                let meant = nearest(text, words);
                Complaint::new(format!("`{}` is not a phase{meant}", quotable(text))).hint(
                    "write \"start\" for alarms, \"update\" for their labels, \"end\" for their ends, \"trouble\" for troubles of zmesd",
                )
            })
        };
        texts.iter().map(phase).collect()
    },
};

/// Buttons of a message.
pub(in crate::config) const SNOOZE_BUTTONS: Listing<SnoozeTime> =
    Listing { takes: "a list of up to three durations", read: snooze_buttons };

fn snooze_buttons(texts: &[&str]) -> Result<Vec<SnoozeTime>, Complaint> {
    if texts.len() > BUTTONS_MAX {
        return Err(Complaint::new(format!("lists more than {BUTTONS_MAX}"))
            .hint("messages have room for three buttons: [\"1h\", \"8h\"]"));
    }
    let mut times: Vec<SnoozeTime> = Vec::new();
    for text in texts {
        let wrong = |why: &str| {
            Complaint::new(format!("`{}` {why}", quotable(text)))
                .hint("write durations of whole minutes, up to 30 days: [\"1h\", \"8h\"]")
        };
        let span = duration::parse(text).map_err(|error| wrong(&format!("is {error}")))?;
        let minutes = u32::try_from(span.as_secs() / 60).unwrap_or(u32::MAX);
        let whole = span == Duration::from_mins(minutes.into());
        if !whole || !SNOOZE.contains(&span) {
            return Err(wrong("is not from 1m to 30d, in whole minutes"));
        }
        if times.contains(&SnoozeTime(minutes)) {
            return Err(wrong("is listed twice"));
        }
        times.push(SnoozeTime(minutes));
    }
    Ok(times)
}

/// A text with placeholders.
pub(in crate::config) const TEMPLATE: Text<Template> =
    Text { takes: "a string with placeholders", read: template, show: |text| Shown::text(text.source()) };

/// The same for a body, which may have several lines. It is hidden: some services want their token in it.
pub(in crate::config) const BODY: Text<Template> = Text {
    takes: "a string with placeholders",
    read: |text| {
        if text.len() > BODY_MAX {
            return Err(Complaint::new(format!("is longer than {BODY_MAX} bytes")));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
            return Err(Complaint::new("contains a control character").hint("remove it"));
        }
        parsed(text)
    },
    show: |text| match text.source() {
        "" => Shown::text(""),
        source => Shown::text(HIDDEN).exactly(source),
    },
};

fn template(text: &str) -> Result<Template, Complaint> {
    parsed(bounded(text)?)
}

/// Reads a template; what is wrong with it is told with the placeholders that there are.
pub(in crate::config) fn parsed(text: &str) -> Result<Template, Complaint> {
    Template::parse(text).map_err(|problem| {
        let meant = match &problem {
            TemplateProblem::Unknown(name) => nearest(name, Template::NAMES),
            TemplateProblem::Open => String::new(),
        };
        let all = Template::NAMES.map(|name| format!("${{{name}}}")).join(" ");
        Complaint::new(format!("{problem}{meant}")).hint(format!("placeholders are: {all}"))
    })
}

/// A chat of Telegram.
pub(in crate::config) const CHAT: Text<String> = Text {
    takes: "the id of a chat such as \"-1001234567890\", or \"@channel\"",
    read: |text| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let number =
            !digits.is_empty() && digits.len() <= 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let channel = text
            .strip_prefix('@')
            .is_some_and(|name| !name.is_empty() && name.len() <= 64 && name.bytes().all(plain));
        if text.is_empty() || number || channel {
            return Ok(text.to_owned());
        }
        Err(Complaint::new(format!("`{}` is neither the id of a chat nor a channel", quotable(text)))
            .hint("write the number in quotes: send the bot a message, then look at its getUpdates"))
    },
    show: |chat| Shown::text(chat),
};

/// The headers of a webhook, by name. Their values are hidden: they may be secrets.
#[derive(Debug)]
pub(in crate::config) struct Headers;

impl Form for Headers {
    type Value = BTreeMap<String, Template>;

    fn read(&self, literal: Literal<'_>) -> Result<Self::Value, Complaint> {
        let Literal::Pairs(pairs) = literal else {
            return Err(self.mismatch(literal).hint("write { X-Source = \"zmesd\" }"));
        };
        if pairs.len() > HEADERS_MAX {
            return Err(Complaint::new(format!("has {} entries: the limit is {HEADERS_MAX}", pairs.len())));
        }
        pairs.iter().map(|(name, value)| Ok((header_name(name)?, template(value)?))).collect()
    }

    fn describe(&self) -> String {
        "a table of strings such as { X-Source = \"zmesd\" }".to_owned()
    }

    fn show(&self, value: &Self::Value) -> Shown {
        if value.is_empty() {
            return Shown::toml("{}");
        }
        let written = |shown: fn(&Template) -> &str| {
            let pairs: Vec<_> =
                value.iter().map(|(name, value)| format!("{name} = {}", toml_string(shown(value)))).collect();
            format!("{{ {} }}", pairs.join(", "))
        };
        Shown::toml(written(|_| HIDDEN)).exactly(&written(Template::source))
    }
}

fn header_name(name: &str) -> Result<String, Complaint> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > HEADER_NAME_MAX || !name.bytes().all(plain) {
        return Err(Complaint::new(format!("`{}` is not the name of a header", quotable(name)))
            .hint("names are letters, digits, - and _"));
    }
    if let Some((_, hint)) = OWN_HEADERS.iter().find(|(own, _)| name.eq_ignore_ascii_case(own)) {
        return Err(Complaint::new(format!("zmesd sets the header `{name}` itself")).hint(*hint));
    }
    Ok(name.to_owned())
}

/// The statuses that count as success.
#[derive(Debug)]
pub(in crate::config) struct Expected;

impl Form for Expected {
    type Value = ExpectedStatus;

    fn read(&self, literal: Literal<'_>) -> Result<ExpectedStatus, Complaint> {
        match literal {
            Literal::Text("2xx") => Ok(ExpectedStatus::Success),
            Literal::Text(text) => codes(&[text]),
            Literal::List(texts) => codes(texts),
            Literal::Number(number) => codes(&[&number.to_string()]),
            Literal::Flag(_) | Literal::Pairs(_) | Literal::Other(_) => Err(self.mismatch(literal)),
        }
    }

    fn describe(&self) -> String {
        "\"2xx\" or a list of statuses such as [200, 202]".to_owned()
    }

    fn show(&self, value: &ExpectedStatus) -> Shown {
        match value {
            ExpectedStatus::Success => Shown::text("2xx"),
            ExpectedStatus::Codes(codes) => Shown::toml(format!("{codes:?}")),
        }
    }
}

fn codes(texts: &[&str]) -> Result<ExpectedStatus, Complaint> {
    if texts.is_empty() || texts.len() > CODES_MAX {
        return Err(Complaint::new(format!("must list from 1 to {CODES_MAX} statuses")));
    }
    let code = |text: &&str| {
        let number = text.parse().ok().filter(|number| (200..600).contains(number));
        number.ok_or_else(|| Complaint::new(format!("`{}` is not a status from 200 to 599", quotable(text))))
    };
    texts.iter().map(code).collect::<Result<_, _>>().map(ExpectedStatus::Codes)
}
