//! The few tones of the output, and how a terminal shows them.

use zmes_shared::words::DeliveryState;

/// What a text conveys besides its words. Never the only carrier of a meaning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    /// Look here first.
    Strong,
    /// Only if you care.
    Faint,
    Good,
    Warning,
    Bad,
}

impl Tone {
    pub fn of_decision(decision: DeliveryState) -> Self {
        match decision {
            DeliveryState::Sent => Self::Good,
            DeliveryState::Failed => Self::Bad,
            DeliveryState::Queued | DeliveryState::Skipped | DeliveryState::Unknown => Self::Faint,
        }
    }
}

/// Returns `text` in a tone, if colours are on. `text` must be clean.
pub fn paint(color: bool, tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Strong => "1",
        Tone::Faint => "2",
        Tone::Good => "32",
        Tone::Warning => "33",
        Tone::Bad => "31",
    };
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
