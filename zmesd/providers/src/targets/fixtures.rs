//! What the unit tests of the targets send.

use std::sync::Arc;
use std::time::Duration;

use zmes_shared::{EventId, MonitorId};

use super::name::TargetName;
use super::settings::{
    PictureForm, TargetConfig, TargetPicture, TargetPriority, TargetProvider, TargetTexts,
};
use super::template::Template;
use crate::clock::WallClock;
use crate::push::{Push, PushSubject, PushedAlarm, Urgency};
use crate::token::{App, Platform, PushToken};
use crate::transports::TransportContext;

pub(super) fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

pub(super) fn message_texts() -> TargetTexts {
    TargetTexts {
        title: template("${monitor.name}"),
        text: template("${cause}"),
        link: template(""),
        priority: TargetPriority::Normal,
    }
}

pub(super) fn target(service: TargetProvider) -> TargetConfig {
    let name = TargetName::parse("night-guard").unwrap();
    let picture = TargetPicture { form: PictureForm::File, wait: Duration::from_secs(2) };
    TargetConfig {
        name,
        texts: message_texts(),
        picture,
        snooze_buttons: Vec::new(),
        ca_certificate: None,
        service,
    }
}

pub(super) fn context() -> Arc<TransportContext> {
    Arc::new(TransportContext::plain(WallClock::default()))
}

/// A push of 2026-11-25T16:02:00Z.
pub(super) fn push(event: u64) -> Push {
    let at = "2026-11-25T16:02:00Z".parse().unwrap();
    let alarm = PushedAlarm {
        event: Some(EventId(event)),
        monitor: MonitorId(1),
        monitor_name: "Garage".into(),
        cause: "Motion: All".into(),
        labels: Arc::new([]),
        at,
        test: false,
        ended: None,
        updates: None,
        late: false,
        subject: PushSubject::default(),
    };
    Push {
        token: PushToken::of_target(TargetName::parse("night-guard").unwrap()),
        platform: Platform::Target,
        app: App::Unknown,
        app_version: String::new(),
        profile: String::new(),
        alarms: vec![alarm],
        digest: None,
        badge: 0,
        urgency: Urgency::Normal,
        picture: None,
        replaces: None,
        snooze: Vec::new(),
        expires_at: at,
    }
}
