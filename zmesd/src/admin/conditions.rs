//! What a monitor's condition means for people: a sentence, how severe it is, and what to do about it.
//!
//! `monitors list`, `doctor`, `check`, `status`, `why`, `watch` and `/readyz` all take their words from here.

use zmes_shared::MonitorId;
use zmes_shared::views::{MonitorView, Severity};
use zmes_zoneminder::shm::layout::Numbering;
use zmes_zoneminder::shm::{Denied, Ownership, ReadError};
use zmes_zoneminder::{NotWatched, OtherServer};

use crate::detect::{Condition, MonitorReport, RemoteSight};

/// How a monitor is made one that alarms.
pub(super) const SWITCH_ON: &str =
    "switch detection on in ZoneMinder (Function or Capturing of a monitor), then: zmesctl monitors reload";

pub(super) fn view(report: &MonitorReport) -> MonitorView {
    let MonitorReport { id, name, state, last_event, layout, condition } = report;
    let diagnosis = diagnose(*id, condition);
    let (reason, hint) = diagnosis.map(|found| (found.sentence, found.cure)).unzip();
    let hint = hint.flatten();
    MonitorView {
        id: *id,
        name: name.to_string(),
        source: report.source(),
        state: *state,
        last_event_id: *last_event,
        layout: *layout,
        healthy: condition.healthy(),
        reason,
        trouble: condition.word().trouble(),
        hint,
        snoozed_until: None,
        server: None,
    }
}

/// Reason why a monitor cannot raise the alarms that it should.
pub(crate) struct Diagnosis {
    pub(crate) severity: Severity,
    pub(crate) sentence: String,
    /// What to do about it, usually a command. `None`: an admin has configured it this way.
    pub(crate) cure: Option<String>,
}

/// Describes the problem; `None`: there is none.
pub(crate) fn diagnose(id: MonitorId, condition: &Condition) -> Option<Diagnosis> {
    let (severity, sentence, cure) = match condition {
        Condition::Captured
        | Condition::Database { layout: None, trouble: None }
        | Condition::Elsewhere {
            sight: RemoteSight::Captured | RemoteSight::Unknown, trouble: None, ..
        } => {
            return None;
        }
        Condition::NotWatched(reason) => {
            let sentence = switched_off(*reason).to_owned();
            return Some(Diagnosis { severity: Severity::Error, sentence, cure: None });
        }
        Condition::NotLookedAt => {
            let cure = "zmesctl check ping shows whether the poller runs".to_owned();
            (Severity::Error, "not polled yet".to_owned(), cure)
        }
        Condition::NoPicture => {
            let sentence = "zmc runs, but the camera delivers no picture".to_owned();
            let cure =
                format!("is the camera on, and its address right? see ZoneMinder's log of zmc -m {id}");
            (Severity::Warning, sentence, cure)
        }
        Condition::Numbering(numbering) => {
            let cure = "set zoneminder.version in zmesd.toml, then: systemctl restart zmesd".to_owned();
            (Severity::Warning, numbered(*numbering).to_owned(), cure)
        }
        Condition::Flapping { limit } => {
            let sentence =
                format!("more than {limit} alarms a minute: of the excess only the last is announced");
            let cure =
                "check zones, sensitivity and the camera's signal; zoneminder.alarm-limit sets the limit";
            (Severity::Warning, sentence, cure.to_owned())
        }
        Condition::Unreadable(error) => (Severity::Error, error.to_string(), read_cure(id, error)),
        Condition::Frozen { age } => {
            let sentence =
                format!("zmc's last sign of life is {} s old: it was killed or hangs", age.as_secs());
            (Severity::Error, sentence, restart(id))
        }
        // Alarms come from the database, but late.
        Condition::Database { layout: Some(size), trouble: None } => {
            let cure = "update zmesd to a version that knows this ZoneMinder; to stay with the database without this \
                        error, set zoneminder.source = \"db\"";
            (Severity::Error, fallback(*size), cure.to_owned())
        }
        Condition::Database { layout, trouble: Some(error) } => {
            let layout = layout.map_or_else(String::new, |size| format!("{}; ", fallback(size)));
            (Severity::Error, format!("{layout}{error}"), "zmesctl check db".to_owned())
        }
        Condition::Elsewhere { trouble: Some(error), .. } => {
            (Severity::Error, error.to_string(), "zmesctl check db".to_owned())
        }
        Condition::Elsewhere { server, sight, trouble: None } => return remote(id, server, *sight),
    };
    Some(Diagnosis { severity, sentence, cure: Some(cure) })
}

/// Says what is wrong with a monitor of another server.
fn remote(id: MonitorId, server: &OtherServer, sight: RemoteSight) -> Option<Diagnosis> {
    let (severity, sentence) = match sight {
        RemoteSight::Captured | RemoteSight::Unknown => return None,
        RemoteSight::NoPicture => {
            (Severity::Warning, format!("zmc runs on {server}, but the camera delivers no picture"))
        }
        RemoteSight::Unreached(age) => {
            let minutes = age.as_secs() / 60;
            let sentence = format!(
                "zmc on {server} has not reached the camera for {minutes} min, or was killed meanwhile"
            );
            (Severity::Warning, sentence)
        }
        RemoteSight::Stopped => (Severity::Error, format!("zmc has ended on {server}")),
        RemoteSight::Silent(Some(age)) => {
            let minutes = age.as_secs() / 60;
            (Severity::Error, format!("zmc on {server} has not renewed its Monitor_Status for {minutes} min"))
        }
        RemoteSight::Silent(None) => {
            (Severity::Error, format!("no zmc on {server} says in Monitor_Status that it captures"))
        }
    };
    let cure = match (sight, server.id) {
        (RemoteSight::NoPicture, _) => {
            format!("is the camera on, and its address right? see the log of zmc -m {id} there")
        }
        (RemoteSight::Unreached(_), _) => {
            format!(
                "is the camera on? if it is, on {server}: systemctl status zoneminder, and the log of zmc -m {id}"
            )
        }
        (_, 0) => format!("assign monitor {id} to a server in ZoneMinder's console: no server captures it"),
        (_, _) => format!("on {server}: systemctl status zoneminder; zmdc.pl restart zmc -m {id}"),
    };
    Some(Diagnosis { severity, sentence, cure: Some(cure) })
}

/// Returns why ZoneMinder's settings keep a monitor from raising alarms.
pub(super) fn switched_off(reason: NotWatched) -> &'static str {
    match reason {
        NotWatched::NotCapturing => "not captured (Function or Capturing is None)",
        NotWatched::NoDetection => "only viewed (Function is Monitor): it never alarms",
        NotWatched::WebSite => "a web site, not a camera",
    }
}

fn numbered(numbering: Numbering) -> &'static str {
    match numbering {
        Numbering::FromIdle => {
            "state 0 is seen: this is ZoneMinder 1.36.15 or older, not the version that is configured or detected"
        }
        Numbering::FromUnknown => {
            "state 5 is seen: this is ZoneMinder 1.36.16 or newer, not the version that is configured or detected"
        }
    }
}

fn fallback(size: u32) -> String {
    format!("unknown shared-memory layout (size {size}); falling back to the database")
}

pub(crate) fn read_cure(id: MonitorId, error: &ReadError) -> String {
    match error {
        ReadError::Permission(denied) => permission_cure(denied),
        ReadError::UnknownLayout { .. } => {
            "update zmesd; until then: zoneminder.source = \"auto\", then: systemctl restart zmesd".to_owned()
        }
        ReadError::Io { .. } => "journalctl -u zmesd -n 50; dmesg | tail".to_owned(),
        ReadError::NotThere { .. }
        | ReadError::Starting
        | ReadError::Stopped
        | ReadError::HalfInitialised { .. }
        | ReadError::Short { .. }
        | ReadError::Implausible { .. } => restart(id),
    }
}

fn restart(id: MonitorId) -> String {
    format!("zmdc.pl restart zmc -m {id}  (as ZoneMinder's user); then see its log: does the camera answer?")
}

fn permission_cure(denied: &Denied) -> String {
    let restart = "systemctl restart zmesd";
    match &denied.ownership {
        Some(ownership) if ownership.mode & 0o040 != 0 => {
            format!("usermod -aG {} {} && {restart}", ownership.group, denied.own_user)
        }
        // Up to ZoneMinder 1.32 the file is 0600: no group helps.
        Some(Ownership { user, .. }) => {
            format!("systemctl edit zmesd: User={user} below [Service]; then: {restart}")
        }
        None => format!("namei -l {} shows which directory zmesd may not enter", denied.path),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use zmes_zoneminder::{DatabaseTrouble, DbError};

    fn sentence(condition: &Condition) -> String {
        diagnose(MonitorId(3), condition).unwrap().sentence
    }

    fn denied(mode: Option<u32>) -> ReadError {
        let ownership = mode.map(|mode| Ownership { mode, user: "www-data".into(), group: "zm".into() });
        ReadError::Permission(Denied {
            path: "/dev/shm/zm.mmap.3".into(),
            ownership,
            own_user: "zmesd".into(),
        })
    }

    fn unreadable() -> Vec<Condition> {
        let errors = [
            ReadError::NotThere { name: "zm.mmap.3".into(), directory: "/dev/shm".into() },
            ReadError::Starting,
            ReadError::Stopped,
            ReadError::UnknownLayout(880),
            ReadError::HalfInitialised(7),
            ReadError::Short { found: 4, needed: 1328 },
            ReadError::Implausible { field: "state", value: 9 },
            denied(Some(0o640)),
            ReadError::Io { path: "/dev/shm/zm.mmap.3".into(), detail: "input/output error".into() },
        ];
        errors.map(Condition::Unreadable).into()
    }

    fn all() -> Vec<Condition> {
        let error = || Some(Arc::new(DbError::Unavailable(DatabaseTrouble::late("down"))));
        let off = [NotWatched::NotCapturing, NotWatched::NoDetection, NotWatched::WebSite];
        let mut all = unreadable();
        all.extend(off.map(Condition::NotWatched));
        all.extend([
            Condition::NotLookedAt,
            Condition::NoPicture,
            Condition::Numbering(Numbering::FromIdle),
            Condition::Numbering(Numbering::FromUnknown),
            Condition::Flapping { limit: 60 },
            Condition::Frozen { age: Duration::from_secs(46) },
            Condition::Database { layout: Some(880), trouble: None },
            Condition::Database { layout: Some(880), trouble: error() },
            Condition::Database { layout: None, trouble: error() },
        ]);
        let server = Arc::new(OtherServer { id: 2, name: Some("nvr2".to_owned()) });
        let sights = [
            RemoteSight::NoPicture,
            RemoteSight::Unreached(Duration::from_mins(3)),
            RemoteSight::Stopped,
            RemoteSight::Silent(Some(Duration::from_mins(3))),
            RemoteSight::Silent(None),
        ];
        all.extend(sights.map(|sight| Condition::Elsewhere {
            server: Arc::clone(&server),
            sight,
            trouble: None,
        }));
        all
    }

    #[test]
    fn each_condition_has_a_sentence_of_its_own() {
        let all = all();
        let sentences: BTreeSet<_> = all.iter().map(sentence).collect();
        assert_eq!(sentences.len(), all.len(), "{sentences:?}");
        for healthy in [Condition::Captured, Condition::Database { layout: None, trouble: None }] {
            assert!(diagnose(MonitorId(3), &healthy).is_none());
        }
    }

    #[test]
    fn sentences_name_sizes_ages_and_causes() {
        let told = sentence;
        assert_eq!(told(&unreadable()[0]), "no zm.mmap.3 in /dev/shm: zmc is not running");
        assert_eq!(
            told(&Condition::Frozen { age: Duration::from_secs(46) }),
            "zmc's last sign of life is 46 s old: it was killed or hangs"
        );
        let error = Some(Arc::new(DbError::Unavailable(DatabaseTrouble::late("down"))));
        assert_eq!(
            told(&Condition::Database { layout: Some(880), trouble: error }),
            "unknown shared-memory layout (size 880); falling back to the database; database not available: down"
        );
    }

    #[test]
    fn what_stops_alarms_is_red_and_has_a_cure() {
        for condition in all() {
            let Diagnosis { severity, cure, .. } = diagnose(MonitorId(3), &condition).unwrap();
            assert!(severity > Severity::Ok, "{condition:?}");
            assert!(condition.healthy() || severity == Severity::Error, "{condition:?}");
            let set_up_so = matches!(condition, Condition::NotWatched(_));
            assert_eq!(cure.is_none(), set_up_so, "{condition:?}");
        }
    }

    #[test]
    fn a_file_that_zmesd_may_not_read_names_the_command_for_its_mode() {
        let cure = |mode| read_cure(MonitorId(3), &denied(mode));
        assert_eq!(cure(Some(0o640)), "usermod -aG zm zmesd && systemctl restart zmesd");
        assert!(cure(Some(0o600)).starts_with("systemctl edit zmesd: User=www-data below [Service]"));
        assert!(cure(None).starts_with("namei -l /dev/shm/zm.mmap.3"));
    }
}
