//! Names of settings in old servers, and in the latest one.

/// The section of settings that only scripts have.
pub(super) const SCRIPT: &str = "script";

/// The constants and variables of scripts up to 0.98, with the section and key of later files; [`SCRIPT`] for those
/// without one.
const OF_SCRIPTS: &[(&str, &str, &str)] = &[
    ("EVENT_NOTIFICATION_PORT", "network", "port"),
    ("useSecure", "ssl", "enable"),
    ("SSL_CERT_FILE", "ssl", "cert"),
    ("SSL_KEY_FILE", "ssl", "key"),
    ("WEBSOCKET_AUTH_DELAY", "auth", "timeout"),
    ("MONITOR_RELOAD_INTERVAL", "customize", "monitor_reload_interval"),
    ("SLEEP_DELAY", "customize", "event_check_interval"),
    ("PUSH_TOKEN_FILE", "fcm", "token_file"),
    ("APNS_TOKEN_FILE", "fcm", "token_file"),
    ("useFCM", "fcm", "enable"),
    ("NINJA_API_KEY", "fcm", "api_key"),
    ("printDebugToConsole", "customize", "console_logs"),
    ("verbose", "customize", "console_logs"),
    ("alarmEventId", SCRIPT, "alarmEventId"),
    ("tagAlarmEventId", "customize", "tag_alarm_event_id"),
    ("readAlarmCause", "customize", "read_alarm_cause"),
    ("hook", "hook", "event_start_hook"),
    ("useHookDescription", "hook", "use_hook_description"),
    ("noAuth", SCRIPT, "noAuth"),
    ("usePushProxy", SCRIPT, "usePushProxy"),
    ("pushProxyURL", SCRIPT, "pushProxyURL"),
    ("PUSHPROXY_APP_NAME", SCRIPT, "PUSHPROXY_APP_NAME"),
    ("PUSHPROXY_APP_ID", SCRIPT, "PUSHPROXY_APP_ID"),
    ("useCustomNotificationSound", SCRIPT, "useCustomNotificationSound"),
    ("usePushAPNSDirect", SCRIPT, "usePushAPNSDirect"),
    ("isSandbox", SCRIPT, "isSandbox"),
    ("APNS_CERT_FILE", SCRIPT, "APNS_CERT_FILE"),
    ("APNS_KEY_FILE", SCRIPT, "APNS_KEY_FILE"),
    ("APNS_FEEDBACK_CHECK_INTERVAL", SCRIPT, "APNS_FEEDBACK_CHECK_INTERVAL"),
    ("PUSH_CHECK_REACH_INTERVAL", SCRIPT, "PUSH_CHECK_REACH_INTERVAL"),
];

type Name = (&'static str, &'static str);

/// Keys that were renamed or moved, with their current names.
const RENAMED: &[(Name, Name)] = &[
    // until 0.98.4
    (("auth", "enabled"), ("auth", "enable")),
    (("fcm", "enabled"), ("fcm", "enable")),
    (("ssl", "enabled"), ("ssl", "enable")),
    (("mqtt", "enabled"), ("mqtt", "enable")),
    (("network", "event_check_interval"), ("customize", "event_check_interval")),
    (("network", "monitor_reload_interval"), ("customize", "monitor_reload_interval")),
    // until 3.5
    (("customize", "verbose"), ("customize", "console_logs")),
    (("customize", "log_to_console"), ("customize", "console_logs")),
    // until 2.x, 4.6 and 4.7
    (("customize", "hook"), ("hook", "event_start_hook")),
    (("customize", "hook_script"), ("hook", "event_start_hook")),
    (("hook", "hook_script"), ("hook", "event_start_hook")),
    (("hook", "hook_on_event_start"), ("hook", "event_start_hook")),
    (("hook", "hook_on_event_end"), ("hook", "event_end_hook")),
    (("customize", "use_hook_description"), ("hook", "use_hook_description")),
    (("customize", "keep_frame_match_type"), ("hook", "keep_frame_match_type")),
    (("hook", "notify_on_hook_success"), ("hook", "event_start_notify_on_hook_success")),
    (("hook", "notify_on_hook_fail"), ("hook", "event_start_notify_on_hook_fail")),
    (("hook", "store_frame_in_zm"), ("hook", "hook_pass_image_path")),
    // until 5.10; [general] skip_monitors is another one
    (("hook", "skip_monitors"), ("hook", "hook_skip_monitors")),
    (("customize", "skip_monitors"), ("hook", "hook_skip_monitors")),
    // The sample of 3.1 had these in the wrong section.
    (("fcm", "server"), ("mqtt", "server")),
    (("fcm", "username"), ("mqtt", "username")),
    (("fcm", "password"), ("mqtt", "password")),
];

/// Returns section and key of a constant or variable of a script, if it is a setting.
pub(super) fn of_script(name: &str) -> Option<Name> {
    OF_SCRIPTS.iter().find(|(old, ..)| *old == name).map(|(_, section, key)| (*section, *key))
}

/// Returns the current section and key for those of a file, in lower case.
pub(super) fn of_file(section: &str, key: &str) -> (String, String) {
    let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
    let renamed =
        RENAMED.iter().find(|((old_section, old_key), _)| *old_section == section && *old_key == key);
    match renamed {
        Some((_, (section, key))) => ((*section).to_owned(), (*key).to_owned()),
        None => (section, key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_lead_to_the_latest_ones_in_one_step() {
        for (_, (section, key)) in RENAMED {
            assert_eq!(of_file(section, key), ((*section).to_owned(), (*key).to_owned()));
        }
        assert_eq!(of_file("Customize", "VERBOSE"), ("customize".to_owned(), "console_logs".to_owned()));
        assert_eq!(of_script("useSecure"), Some(("ssl", "enable")));
        assert_eq!(of_script("dbh"), None);
    }
}
