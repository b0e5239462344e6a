//! `control/snooze`: an app wants no pushes for a while.

use serde_json::{Map, Value};
use zmes_shared::control::SNOOZE_MAX_MS;

use super::incoming::{KEEP, list, text};
use crate::domain::MonitorFilter;

/// The longest snooze, in minutes.
const MINUTES_MAX: u64 = SNOOZE_MAX_MS / 60_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnoozeStatement {
    pub monitors: MonitorFilter,
    /// 0 ends the snooze.
    pub minutes: u32,
}

/// Why a snooze is refused, in the words of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnoozeRefusal {
    #[error("NOMINUTES")]
    NoMinutes,
    /// Not a whole number from 0 to 43,200.
    #[error("BADMINUTES")]
    BadMinutes,
    /// `monlist` contains something other than monitors that the user may see.
    #[error("BADMONITORLIST")]
    BadMonitorList,
    #[error("TOOMANYSNOOZES")]
    TooMany,
    /// Push is off on this server.
    #[error("PUSHDISABLED")]
    PushDisabled,
}

pub(super) fn snooze(mut data: Map<String, Value>) -> Result<SnoozeStatement, SnoozeRefusal> {
    let minutes = text(data.remove("minutes")).map_err(|_| SnoozeRefusal::BadMinutes)?;
    let minutes = minutes.ok_or(SnoozeRefusal::NoMinutes)?;
    let minutes = minutes.trim().parse::<u32>().ok().filter(|minutes| u64::from(*minutes) <= MINUTES_MAX);
    let minutes = minutes.ok_or(SnoozeRefusal::BadMinutes)?;
    let monlist = list(data.remove("monlist")).map_err(|_| SnoozeRefusal::BadMonitorList)?;
    let monlist = monlist.unwrap_or_default();
    let monlist = if monlist.trim() == KEEP { "" } else { &monlist };
    let monitors = MonitorFilter::parse(monlist, "").map_err(|_| SnoozeRefusal::BadMonitorList)?;
    Ok(SnoozeStatement { monitors, minutes })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(data: Value) -> Result<(String, u32), SnoozeRefusal> {
        let Value::Object(data) = data else { panic!("an object") };
        snooze(data).map(|read| (read.monitors.lists().0, read.minutes))
    }

    #[test]
    fn monitors_and_minutes_are_read_as_apps_write_them() {
        for (data, monitors, minutes) in [
            (json!({"monlist": "3", "minutes": 120}), "3", 120),
            (json!({"monlist": [5, "3", 3], "minutes": "120"}), "3,5", 120),
            (json!({"monlist": 3, "minutes": " 0 "}), "3", 0),
            (json!({"monlist": "", "minutes": 1}), "", 1),
            (json!({"monlist": "-1", "minutes": 43_200}), "", 43_200),
            (json!({"monlist": null, "minutes": 1, "more": {}}), "", 1),
            (json!({"minutes": 1}), "", 1),
        ] {
            assert_eq!(read(data.clone()), Ok((monitors.to_owned(), minutes)), "{data}");
        }
    }

    #[test]
    fn what_is_no_number_of_minutes_or_no_list_is_refused() {
        use SnoozeRefusal::{BadMinutes, BadMonitorList, NoMinutes};
        let long = vec![1; 5000];
        for (data, refusal) in [
            (json!({}), NoMinutes),
            (json!({"minutes": null}), NoMinutes),
            (json!({"minutes": ""}), BadMinutes),
            (json!({"minutes": 43_201}), BadMinutes),
            (json!({"minutes": -1}), BadMinutes),
            (json!({"minutes": 1.5}), BadMinutes),
            (json!({"minutes": 1e300}), BadMinutes),
            (json!({"minutes": "18446744073709551617"}), BadMinutes),
            (json!({"minutes": "1h"}), BadMinutes),
            (json!({"minutes": true}), BadMinutes),
            (json!({"minutes": [1]}), BadMinutes),
            (json!({"minutes": 1, "monlist": "Garage"}), BadMonitorList),
            (json!({"minutes": 1, "monlist": "3;4"}), BadMonitorList),
            (json!({"minutes": 1, "monlist": "99999999999"}), BadMonitorList),
            (json!({"minutes": 1, "monlist": {"3": true}}), BadMonitorList),
            (json!({"minutes": 1, "monlist": [[3]]}), BadMonitorList),
            (json!({"minutes": 1, "monlist": long}), BadMonitorList),
        ] {
            assert_eq!(read(data.clone()), Err(refusal), "{data}");
        }
    }
}
