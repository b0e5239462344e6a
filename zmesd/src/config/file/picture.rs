//! `[picture]`.

use std::time::Duration;

use toml::de::DeTable;
use zmes_providers::targets::Template;
use zmes_zoneminder::pictures::PictureKind;

use crate::config::forms::{BASE_URL, Flag, Listing, PICTURE_NAMES, Size, Span, TEMPLATE, Text};
use crate::config::reader::Reader;
use crate::config::section::{Form, Key, Literal, Reload, Section, Setting, SettingsArea, section};
use crate::config::settings::Resolved;
use crate::config::shown::Shown;

section! {
    /// Pictures in pushes. A phone loads the picture of an event from zmesd itself, by a link that holds no password: it
    /// opens this one picture, for a while, and only as long as the owner of the token may see the monitor.
    PictureSection: Picture = "picture" once {}
    #[derive(Debug, Clone, PartialEq, Eq)]
    PictureConfig {} {
        /// How phones reach the apps' port of this server from outside: "https://zm.example.org:9000". Empty: no links.
        "base-url" base_url: Text<Option<String>> = BASE_URL, Literal::Text(""), Hot;
        /// What a tap opens, for targets without a link of their own: "https://zm.example.org/zm/?view=event&eid=${event}".
        "link-url" link_url: Text<Template> = TEMPLATE, Literal::Text(""), Hot;
        /// Which picture, the first that is there: "objdetect" is zm_detect's, "alarm" the first with motion, "snapshot" the
        /// one with the highest score.
        "order" order: Listing<PictureKind> = PICTURE_NAMES, Literal::List(&["objdetect", "alarm", "snapshot"]), Hot;
        /// How long a link works.
        "lifetime" lifetime: Span =
            Span { min: Duration::from_mins(5), max: Duration::from_hours(24 * 7) }, Literal::Text("24h"), Hot;
        /// Larger pictures are not sent.
        "max-size" max_size: Size = Size { min: 64 << 10, max: 32 << 20 }, Literal::Text("4MiB"), Hot;
        /// Replace a push silently if a better picture comes within a minute, such as that of zm_detect: once for each
        /// event and receiver, together with its labels. Targets need "update" in their phases, too.
        "update" update: Flag = Flag, Literal::Flag(false), Hot;
    }
}
