use serde_json::{Value, json};

use super::*;

fn site(monitors: &[(u32, &str)]) -> Site<'static> {
    Site {
        instance: "7f3a91c2",
        topic: "zmesd",
        prefix: "homeassistant",
        version: "0.3.0",
        zoneminder_version: Some("1.38.4"),
        portal: Some("https://zm.example.org/zm"),
        commands: true,
        picture: true,
        monitors: monitors.iter().map(|(id, name)| Announced { id: *id, name: (*name).to_owned() }).collect(),
    }
}

fn read(config: &Config) -> Value {
    serde_json::from_str(&config.payload).unwrap()
}

fn told(changes: &[Publication]) -> Vec<(&str, bool)> {
    changes.iter().map(|change| (change.topic.as_str(), change.payload.is_empty())).collect()
}

const SERVER: &str = "homeassistant/device/zmesd_7f3a91c2/config";
const GARAGE: &str = "homeassistant/device/zmesd_7f3a91c2_3/config";
const YARD: &str = "homeassistant/device/zmesd_7f3a91c2_4/config";

#[test]
fn a_monitor_is_a_device_with_these_entities() {
    let configs = configs(&site(&[(3, "Garage")]));
    assert_eq!((configs[1].object.as_str(), configs[1].topic.as_str()), ("zmesd_7f3a91c2_3", GARAGE));
    assert_eq!(
        read(&configs[1]),
        json!({
            "device": {
                "identifiers": ["zmesd_7f3a91c2_3"], "name": "Garage", "manufacturer": "ZoneMinder",
                "model": "Monitor 3", "sw_version": "1.38.4", "via_device": "zmesd_7f3a91c2",
                "configuration_url": "https://zm.example.org/zm/?view=watch&mid=3"
            },
            "origin": {"name": "zmesd", "sw_version": "0.3.0"},
            "availability": [{"topic": "zmesd/status"}],
            "qos": 1,
            "components": {
                "motion": {
                    "platform": "binary_sensor", "unique_id": "zmesd_7f3a91c2_3_motion", "name": "Motion",
                    "device_class": "motion", "state_topic": "zmesd/3/alarm",
                    "json_attributes_topic": "zmesd/3/attributes",
                    "json_attributes_template": "{{ value or '{}' }}",
                    "availability": [
                        {"topic": "zmesd/status"},
                        {"topic": "zmesd/3/watching", "payload_available": "ON", "payload_not_available": "OFF"}
                    ],
                    "availability_mode": "all"
                },
                "alarm": {
                    "platform": "event", "unique_id": "zmesd_7f3a91c2_3_alarm", "name": "Alarm",
                    "device_class": "motion",
                    "event_types": ["alarm_start", "alarm_update", "alarm_end", "test"],
                    "state_topic": "zmesd/3/event"
                },
                "picture": {
                    "platform": "image", "unique_id": "zmesd_7f3a91c2_3_picture", "name": "Last alarm",
                    "image_topic": "zmesd/3/picture", "content_type": "image/jpeg"
                },
                "watching": {
                    "platform": "binary_sensor", "unique_id": "zmesd_7f3a91c2_3_watching", "name": "Watching",
                    "device_class": "connectivity", "entity_category": "diagnostic",
                    "state_topic": "zmesd/3/watching", "json_attributes_topic": "zmesd/3/watching/attributes",
                    "json_attributes_template": "{{ value or '{}' }}"
                },
                "until": {
                    "platform": "sensor", "unique_id": "zmesd_7f3a91c2_3_until", "name": "Snoozed until",
                    "device_class": "timestamp", "entity_category": "diagnostic",
                    "state_topic": "zmesd/3/snoozed-until", "value_template": "{{ value or 'None' }}"
                },
                "notify": {
                    "platform": "switch", "unique_id": "zmesd_7f3a91c2_3_notify", "name": "Notifications",
                    "icon": "mdi:bell", "state_topic": "zmesd/3/notifications",
                    "command_topic": "zmesd/3/notifications/set"
                },
                "snooze": {
                    "platform": "number", "unique_id": "zmesd_7f3a91c2_3_snooze", "name": "Snooze",
                    "icon": "mdi:bell-sleep", "entity_category": "config",
                    "command_topic": "zmesd/3/snooze/set",
                    "min": 0, "max": 43200, "step": 1, "mode": "box", "unit_of_measurement": "min"
                }
            }
        })
    );
}

#[test]
fn the_server_is_a_device_that_comes_first() {
    let configs = configs(&site(&[(3, "Garage")]));
    assert_eq!((configs[0].object.as_str(), configs[0].topic.as_str()), ("zmesd_7f3a91c2", SERVER));
    assert_eq!(
        read(&configs[0]),
        json!({
            "device": {
                "identifiers": ["zmesd_7f3a91c2"], "name": "ZoneMinder notifications",
                "manufacturer": "ZoneMinder", "model": "zmesd", "sw_version": "0.3.0",
                "configuration_url": "https://zm.example.org/zm"
            },
            "origin": {"name": "zmesd", "sw_version": "0.3.0"},
            "availability": [{"topic": "zmesd/status"}],
            "qos": 1,
            "components": {
                "push": {
                    "platform": "binary_sensor", "unique_id": "zmesd_7f3a91c2_push", "name": "Problem",
                    "device_class": "problem", "state_topic": "zmesd/push",
                    "json_attributes_topic": "zmesd/push/attributes",
                    "json_attributes_template": "{{ value or '{}' }}"
                },
                "trouble": {
                    "platform": "event", "unique_id": "zmesd_7f3a91c2_trouble", "name": "Trouble",
                    "event_types": ["trouble", "resolved"], "state_topic": "zmesd/trouble"
                },
                "clients": {
                    "platform": "sensor", "unique_id": "zmesd_7f3a91c2_clients", "name": "Clients",
                    "state_class": "measurement", "entity_category": "diagnostic",
                    "state_topic": "zmesd/clients"
                }
            }
        })
    );
}

#[test]
fn without_commands_and_pictures_nothing_is_offered_that_does_nothing() {
    let site =
        Site { commands: false, picture: false, portal: None, zoneminder_version: None, ..site(&[(3, "G")]) };
    let config = read(&configs(&site)[1]);
    let keys: Vec<&String> = config["components"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["alarm", "motion", "until", "watching"]);
    let device: Vec<&String> = config["device"].as_object().unwrap().keys().collect();
    assert!(
        !device.iter().any(|key| ["configuration_url", "sw_version"].contains(&key.as_str())),
        "{device:?}"
    );
    assert!(!config.to_string().contains("/set"));
}

#[test]
fn no_name_of_a_monitor_breaks_a_device() {
    let long = "x".repeat(10_000);
    for (name, expected) in [
        ("", "Monitor 3"),
        ("  \t ", "Monitor 3"),
        ("\u{0}\u{1b}", "Monitor 3"),
        ("\u{202e}", "Monitor 3"),
        ("a\"b\\c'd", "a\"b\\c'd"),
        ("line\nbreak\u{7f}", "line\u{fffd}break\u{fffd}"),
        (" Möbel +/# $SYS ", "Möbel +/# $SYS"),
        (long.as_str(), &long[..128]),
    ] {
        let configs = configs(&site(&[(3, name)]));
        assert_eq!(read(&configs[1])["device"]["name"], expected, "{name:?}");
        assert_eq!(configs[1].topic, GARAGE, "{name:?}");
    }
}

#[test]
fn a_portal_that_home_assistant_would_refuse_is_left_out() {
    for (portal, expected) in [
        ("https://zm.example.org/zm/", Some("https://zm.example.org/zm")),
        ("http://[fd00::1]:8080/zm", Some("http://[fd00::1]:8080/zm")),
        ("https://", None),
        ("https:///zm", None),
        ("ftp://zm.example.org", None),
        ("zm.example.org", None),
        ("https://zm.example.org/z m", None),
        ("https://user:pass@zm.example.org/zm", None),
        ("https://zm.example.org/?view=x", None),
        ("https://zm.example.org/\"", None),
    ] {
        let site = Site { portal: Some(portal), ..site(&[]) };
        assert_eq!(read(&configs(&site)[0])["device"]["configuration_url"].as_str(), expected, "{portal}");
    }
    let long = format!("https://zm.example.org/{}", "x".repeat(2000));
    let site = Site { portal: Some(&long), ..site(&[]) };
    assert_eq!(read(&configs(&site)[0])["device"].get("configuration_url"), None);
}

#[test]
fn two_hundred_monitors_with_long_names_stay_within_2_mib() {
    let name = "日".repeat(10_000);
    let monitors: Vec<(u32, &str)> = (0..200).map(|number| (u32::MAX - number, name.as_str())).collect();
    let configs = configs(&site(&monitors));
    let bytes: usize = configs.iter().map(|config| config.payload.len() + config.topic.len()).sum();
    assert!(configs.len() == 201 && bytes < 2 * 1024 * 1024, "{bytes}");
    assert!(configs.iter().all(|config| config.payload.len() < 8 * 1024));
}

#[test]
fn nothing_changed_is_nothing_to_publish() {
    let site = site(&[(3, "Garage"), (4, "Yard")]);
    assert_eq!(changes(&remember(&site), &site), []);
}

#[test]
fn all_of_it_is_new_at_first() {
    let site = site(&[(3, "Garage")]);
    let expected: Vec<_> = configs(&site).into_iter().map(|config| (config.topic, config.payload)).collect();
    let first: Vec<_> = changes(&[], &site).into_iter().map(|new| (new.topic, new.payload)).collect();
    assert_eq!(first, expected);
}

#[test]
fn a_renamed_monitor_is_published_again_and_a_vanished_one_is_emptied_first() {
    let before = remember(&site(&[(3, "Garage"), (4, "Yard")]));
    let renamed = site(&[(3, "Carport"), (4, "Yard")]);
    assert_eq!(told(&changes(&before, &renamed)), [(GARAGE, false)]);
    let vanished = site(&[(3, "Carport")]);
    assert_eq!(told(&changes(&before, &vanished)), [(YARD, true), (GARAGE, false)]);
    assert_eq!(changes(&remember(&vanished), &vanished), []);
}

#[test]
fn a_component_is_removed_in_two_steps() {
    let before = remember(&site(&[(3, "Garage")]));
    let now = Site { commands: false, ..site(&[(3, "Garage")]) };
    let order = changes(&before, &now);
    assert_eq!(told(&order), [(GARAGE, false), (GARAGE, false)]);
    let first: Value = serde_json::from_str(&order[0].payload).unwrap();
    assert_eq!(first["components"]["notify"], json!({"platform": "switch"}));
    assert_eq!(first["components"]["snooze"], json!({"platform": "number"}));
    assert_eq!(first["components"]["motion"]["unique_id"], "zmesd_7f3a91c2_3_motion");
    assert_eq!(order[1].payload, configs(&now)[1].payload);
    assert!(!order[1].payload.contains("notify"));
    // And back: one step.
    assert_eq!(told(&changes(&remember(&now), &site(&[(3, "Garage")]))), [(GARAGE, false)]);
}

#[test]
fn what_a_newer_version_announced_is_removed_with_its_device() {
    let mut before = remember(&site(&[(3, "Garage")]));
    before[1].components.push("hologram".to_owned());
    before[1].hash.clear();
    let order = changes(&before, &site(&[(3, "Garage")]));
    assert_eq!(told(&order), [(GARAGE, true), (GARAGE, false)]);
}

#[test]
fn another_prefix_empties_the_old_topics() {
    let before = remember(&site(&[(3, "Garage")]));
    let moved = Site { prefix: "ha", ..site(&[(3, "Garage")]) };
    assert_eq!(
        told(&changes(&before, &moved)),
        [
            (SERVER, true),
            (GARAGE, true),
            ("ha/device/zmesd_7f3a91c2/config", false),
            ("ha/device/zmesd_7f3a91c2_3/config", false)
        ]
    );
}

#[test]
fn another_topic_keeps_devices_and_entities() {
    let before = remember(&site(&[(3, "Garage")]));
    let moved = Site { topic: "cameras", ..site(&[(3, "Garage")]) };
    let order = changes(&before, &moved);
    assert_eq!(told(&order), [(SERVER, false), (GARAGE, false)]);
    assert!(order[1].payload.contains("zmesd_7f3a91c2_3_motion") && !order[1].payload.contains("zmesd/"));
}
