//! Why an old setting is not needed, or has no counterpart; one table.

use super::names::SCRIPT;

/// The fate of a setting that zmesd has no key for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is taken over, or read together with another one: [`super::takeover`] reports it.
    Read,
    /// zmesd does this without a setting.
    Needless(&'static str),
    /// zmesd does not do this: why, and what to do instead.
    Missing(&'static str, &'static str),
    /// zmesd does this in one way; only the look of a push changes.
    Trifle(&'static str),
    /// zmesd always does this; other values have no counterpart.
    Always(&'static str, &'static Judgement),
    /// A switch: nothing is lost where it is off.
    Switch(&'static Judgement),
}

use Judgement::{Always, Missing, Needless, Read, Switch, Trifle};

const ESCONTROL: Judgement = Missing(
    "zmesctl replaces the escontrol interface",
    "use `zmesctl tokens mute` and `zmesctl reload`; control.admin-group says who may",
);
const SCRIPTS: Judgement = Missing(
    "zmesd sends pushes itself and does not start programs",
    "`zmesctl hook` runs the script: see below",
);
const UNVERIFIED: Judgement = Missing(
    "zmesd always verifies the broker's certificate",
    "set mqtt.ca-certificate to the authority that signed it, and mqtt.url to a name that it is for",
);
const KEPT_OPEN: Judgement = Needless("zmesd keeps the connection to the broker open by itself");
const HOOKS: Judgement = Missing(
    "zmesd does not run hooks: it sends an alarm at once and does not wait for object detection",
    "`zmesctl hook` runs scripts; detection can run from ZoneMinder's EventStartCommand (since 1.37) or a filter",
);
const STARTS: Judgement = Missing(
    "zmesd always announces when an alarm begins",
    "mute the phone with `zmesctl tokens mute`, or turn pushes off in its app",
);
const SKIPPED: Judgement = Missing(
    "zmesd watches every monitor",
    "remove the monitor from the user's rights in ZoneMinder, or from the list in the app",
);
const REPLACED: Judgement =
    Trifle("each alarm stays on the phone's screen; only a repeated push for the same alarm replaces it");
const TAGGED: Judgement = Trifle(
    "the title of a push does not contain the event id; the app gets it with each alarm (the text through a PushProxy has it)",
);
const NAMED: Judgement = Trifle("the text of a push through a PushProxy always contains the event id");
const DATE: Judgement = Trifle("the time in a push always has the form 03:13 PM, 27-Nov");
const PRIORITY: Judgement = Trifle("pushes always have high priority");
const TTL: Judgement = Trifle("a push expires after push.retry-for");
const AUTHOR: Judgement = Needless("it was for debugging the old server");

/// Longer keys are not compared with known ones.
const LONGEST: usize = 64;

/// What becomes of each setting, by section and key.
const FATES: &[(&str, &str, Judgement)] = &[
    ("general", "secrets", Read),
    (
        "general",
        "base_data_path",
        Needless("only other values used it; zmesd keeps its state in state.directory"),
    ),
    ("general", "use_escontrol_interface", Switch(&ESCONTROL)),
    ("general", "escontrol_interface_file", ESCONTROL),
    ("general", "escontrol_interface_password", ESCONTROL),
    ("general", "restart_interval", Needless("zmesd does not need to be restarted every few hours")),
    ("general", "skip_monitors", SKIPPED),
    ("network", "port", Read),
    ("network", "address", Read),
    ("auth", "enable", Read),
    ("auth", "timeout", Read),
    ("push", "use_api_push", Switch(&SCRIPTS)),
    ("push", "api_push_script", SCRIPTS),
    ("fcm", "enable", Read),
    ("fcm", "use_fcmv1", Read),
    ("fcm", "fcm_v1_key", Read),
    ("fcm", "fcm_v1_url", Read),
    ("fcm", "fcm_service_account_file", Read),
    ("fcm", "api_key", Read),
    ("fcm", "token_file", Read),
    ("fcm", "replace_push_messages", Switch(&REPLACED)),
    ("fcm", "date_format", Always("%I:%M %p, %d-%b", &DATE)),
    ("fcm", "fcm_android_priority", Always("high", &PRIORITY)),
    ("fcm", "fcm_android_ttl", TTL),
    ("fcm", "fcm_log_raw_message", AUTHOR),
    ("fcm", "fcm_log_message_id", AUTHOR),
    ("fcm", "include_profile_in_push", Needless("pushes always contain the profile of the token")),
    ("mqtt", "enable", Read),
    ("mqtt", "server", Read),
    ("mqtt", "topic", Read),
    ("mqtt", "username", Read),
    ("mqtt", "password", Read),
    ("mqtt", "retain", Read),
    ("mqtt", "tick_interval", KEPT_OPEN),
    ("mqtt", "close_on_send", KEPT_OPEN),
    ("mqtt", "tls_ca", Read),
    ("mqtt", "tls_cert", Read),
    ("mqtt", "tls_key", Read),
    ("mqtt", "tls_insecure", Switch(&UNVERIFIED)),
    ("ssl", "enable", Read),
    ("ssl", "cert", Read),
    ("ssl", "key", Read),
    (
        "customize",
        "console_logs",
        Needless("zmesd logs to the journal, or to standard error; see log.format"),
    ),
    ("customize", "es_debug_level", Read),
    (
        "customize",
        "event_check_interval",
        Needless("zmesd reads the shared memory every 20 ms; see zoneminder.poll-interval"),
    ),
    ("customize", "monitor_reload_interval", Read),
    ("customize", "read_alarm_cause", Needless("alarms always contain the cause")),
    ("customize", "tag_alarm_event_id", Switch(&TAGGED)),
    ("customize", "use_custom_notification_sound", Needless("the old server has not used it since 0.95")),
    ("customize", "include_picture", Read),
    ("customize", "picture_url", Read),
    ("customize", "picture_portal_username", Read),
    ("customize", "picture_portal_password", Read),
    ("customize", "send_event_start_notification", Always("yes", &STARTS)),
    ("customize", "send_event_end_notification", Read),
    ("customize", "use_hooks", Switch(&HOOKS)),
    ("customize", "es_rules", Read),
    ("hook", "event_start_hook", HOOKS),
    ("hook", "event_end_hook", HOOKS),
    ("hook", "event_start_hook_notify_userscript", HOOKS),
    ("hook", "event_end_hook_notify_userscript", HOOKS),
    ("hook", "event_start_notify_on_hook_success", HOOKS),
    ("hook", "event_start_notify_on_hook_fail", HOOKS),
    ("hook", "event_end_notify_on_hook_success", HOOKS),
    ("hook", "event_end_notify_on_hook_fail", HOOKS),
    ("hook", "event_end_notify_if_start_success", HOOKS),
    ("hook", "use_hook_description", HOOKS),
    ("hook", "keep_frame_match_type", HOOKS),
    ("hook", "hook_skip_monitors", HOOKS),
    ("hook", "hook_pass_image_path", HOOKS),
    ("hook", "max_parallel_hooks", HOOKS),
    ("hook", "tag_detected_objects", HOOKS),
    (SCRIPT, "alarmEventId", Always("1", &NAMED)),
    (SCRIPT, "noAuth", Read),
    (SCRIPT, "usePushProxy", Read),
    (SCRIPT, "pushProxyURL", Read),
    (SCRIPT, "PUSHPROXY_APP_NAME", Read),
    (SCRIPT, "PUSHPROXY_APP_ID", Read),
    (SCRIPT, "useCustomNotificationSound", Read),
    (SCRIPT, "usePushAPNSDirect", Read),
    (SCRIPT, "isSandbox", Read),
    (SCRIPT, "APNS_CERT_FILE", Read),
    (SCRIPT, "APNS_KEY_FILE", Read),
    (
        SCRIPT,
        "APNS_FEEDBACK_CHECK_INTERVAL",
        Needless("Apple reports dead tokens in its answer to each push"),
    ),
    (
        SCRIPT,
        "PUSH_CHECK_REACH_INTERVAL",
        Needless("zmesd notices failures itself; `zmesctl push check proxy` checks at any time"),
    ),
];

/// Sections and keys that have an effect only while a switch is on, with that switch.
const SWITCHES: &[(&str, &str, (&str, &str))] = &[
    ("mqtt", "", ("mqtt", "enable")),
    ("hook", "", ("customize", "use_hooks")),
    ("push", "", ("push", "use_api_push")),
    ("general", "escontrol_interface_file", ("general", "use_escontrol_interface")),
    ("general", "escontrol_interface_password", ("general", "use_escontrol_interface")),
];

/// Returns what becomes of a setting; `None` for one that no server ever had.
pub(super) fn of(section: &str, key: &str) -> Option<Judgement> {
    FATES.iter().find(|fate| fate.0 == section && fate.1 == key).map(|(.., judgement)| *judgement)
}

/// Returns the switch that a setting depends on.
pub(super) fn switch_of(section: &str, key: &str) -> Option<(&'static str, &'static str)> {
    let gated =
        SWITCHES.iter().find(|switch| switch.0 == section && (switch.1.is_empty() || switch.1 == key));
    gated.map(|(.., switch)| *switch).filter(|switch| *switch != (section, key))
}

/// Returns the key of a section that is most like one that no server had.
pub(super) fn nearest(section: &str, key: &str) -> Option<&'static str> {
    if key.len() > LONGEST {
        return None;
    }
    let known = FATES.iter().filter(|fate| fate.0 == section).map(|(_, key, _)| *key);
    let near = known.map(|known| (strsim::damerau_levenshtein(known, key), known));
    near.filter(|(distance, _)| *distance <= 2).min().map(|(_, known)| known)
}
