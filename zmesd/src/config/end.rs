//! `[end]`: receivers of the end of an alarm.

use toml::de::DeTable;

use super::forms::Flag;
use super::reader::Reader;
use super::section::{Form, Key, Literal, Reload, Section, Setting, SettingsArea, section};
use super::settings::Resolved;
use super::shown::Shown;

section! {
    /// Whether it is told, too, that an alarm has ended: once when the monitor is quiet again, to those who were told that it
    /// had begun. `zmesctl watch` and `zmesctl events` always show it.
    EndSection: End = "end" once {}
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    EndConfig {} {
        /// Phones get a push without a sound, which takes the place of the alarm's: "Garage: quiet again".
        "push" push: Flag = Flag, Literal::Flag(false), Hot;
        /// Connected apps get the alarm again, its cause begins with "End:".
        "websocket" websocket: Flag = Flag, Literal::Flag(false), Hot;
    }
}
