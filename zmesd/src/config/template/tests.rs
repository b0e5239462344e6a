use std::fs;
use std::path::Path;

use super::*;
use crate::config::file::File;
use crate::config::problem::Problems;
use crate::config::tests::{LEAST, Place};

/// The keys that were promised, with their defaults. A line here is never changed or removed.
const PROMISED: &str = r#"
[zoneminder]
config = "/etc/zm/zm.conf"
database-url = ""
path-map = ""
server-id = 0
version = "auto"
source = "auto"
poll-interval = "20ms"
monitor-reload-interval = "60s"
reconcile-interval = "2s"
realarm-interval = "60s"
alarm-limit = 60
startup-grace = "10s"
catch-up = "10m"
[server]
listen = ["[::]:9000"]
plaintext = false
advertised-version = "7.0.0"
max-clients = 20000
max-clients-per-address = 500
trusted-proxies = []
allowed-origins = []
[server.tls]
certificate = "/etc/zmesd/tls/cert.pem"
key = "/etc/zmesd/tls/key.pem"
[auth]
enabled = true
timeout = "20s"
enforce-monitor-permissions = true
[push]
enabled = true
interval-default = "0s"
retry-for = "10m"
mode = "live"
storm-limit = 30
[push.proxy]
enabled = false
url = ""
app-name = ""
app-key = ""
sound = "blop.caf"
ca-certificate = ""
[push.fcm]
enabled = false
service-account = ""
[[push.fcm.proxy]]
name = "zmninja"
url = ""
key = ""
[push.apns]
enabled = false
key = ""
key-id = ""
team-id = ""
topic = "com.pliablepixels.zmninja"
endpoint = "production"
[[rule]]
name = ""
monitors = []
receivers = []
channels = ["push"]
days = []
between = []
time-zone = ""
cause-has = []
cause-lacks = []
labels = []
labels-lack = []
min-confidence = 0
action = "mute"
comment = ""
[end]
push = false
websocket = false
[labels]
source = ["notes", "tags"]
wait = "0s"
without = "send"
update = false
[[target]]
name = ""
kind = "ntfy"
user = ""
monitors = []
interval = "0s"
phases = ["start"]
title = "${monitor.name}"
text = "${detected}"
link = ""
priority = "normal"
picture = "auto"
snooze-buttons = []
picture-wait = "2s"
url = ""
plaintext = false
ca-certificate = ""
token = ""
topic = ""
user-key = ""
device = ""
sound = ""
chat = ""
thread = 0
method = "POST"
secret = ""
body = ""
content-type = "application/json"
expect = "2xx"
[picture]
base-url = ""
link-url = ""
order = ["objdetect", "alarm", "snapshot"]
lifetime = "24h"
max-size = "4MiB"
[watchdog]
notify = []
camera-offline = "2m"
camera-to = "admin"
probe-interval = "1h"
ping-url = ""
ping-interval = "1m"
ping-fail-suffix = "/fail"
[mqtt]
enabled = false
url = ""
plaintext = false
username = ""
password = ""
ca-certificate = ""
certificate = ""
key = ""
client-id = ""
topic = "zmesd"
user = ""
monitors = []
commands = false
keep = "10m"
picture = true
max-picture = "512KiB"
es-topic = ""
es-ends = false
es-retain = false
[mqtt.home-assistant]
enabled = true
prefix = "homeassistant"
status-topic = "homeassistant/status"
[cluster]
enabled = false
database-url = ""
name = ""
poll = "50ms"
lease = "3s"
prefer = 0
keep = "24h"
address = ""
alone = "push"
[state]
directory = ""
keep-deliveries = "14d"
keep-tombstones = "30d"
keep-events = "24h"
max-size = "256MiB"
[control]
socket = ""
admin-group = "zmesd"
[metrics]
listen = ""
[log]
level = "info"
format = "auto"
"#;

/// Puts every value of `table` into a list with its dotted key.
fn flat(table: &toml::Table, path: &str, values: &mut Vec<(String, toml::Value)>) {
    for (name, value) in table {
        let key = format!("{path}.{name}");
        let nested = value.as_array().filter(|list| list.first().is_some_and(toml::Value::is_table));
        if let Some(inner) = value.as_table() {
            flat(inner, &key, values);
        } else if let Some(list) = nested {
            list.iter().filter_map(toml::Value::as_table).for_each(|inner| flat(inner, &key, values));
        } else {
            values.push((key, value.clone()));
        }
    }
}

fn values(text: &str) -> Vec<(String, toml::Value)> {
    let mut values = Vec::new();
    flat(&text.parse().unwrap(), "", &mut values);
    values
}

#[test]
fn every_promised_key_is_there_with_its_default() {
    let present = values(&default_file());
    for promised in values(PROMISED) {
        assert!(present.contains(&promised), "{promised:?}");
    }
    let names: Vec<_> = values(PROMISED).into_iter().map(|(key, _)| key).collect();
    let added: Vec<_> = present.into_iter().map(|(key, _)| key).filter(|key| !names.contains(key)).collect();
    assert_eq!(
        added,
        [
            ".picture.update",
            ".push.apns.ca-certificate",
            ".push.apns.certificate",
            ".push.apns.certificate-password",
            ".push.fcm.ca-certificate",
            ".push.fcm.endpoint",
            ".push.picture-url",
        ]
    );
}

#[test]
fn the_default_file_is_the_shipped_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/zmesd.toml");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, default_file()).unwrap();
    }
    let shipped = fs::read_to_string(&path).unwrap();
    assert_eq!(shipped, default_file(), "run the tests with UPDATE=1 and look at the difference");
    assert!(shipped.lines().all(|line| line.chars().count() <= 120), "lines fit a screen");
}

#[test]
fn the_default_file_says_what_its_absence_means() {
    let mut problems = Problems::new(Path::new("zmesd.toml"));
    let stated = File::read(&default_file(), &mut problems);
    assert!(problems.is_empty() && stated.whole, "{problems}");
    let place = Place::new();
    let absent = |text: &str| text.replace("/etc/zm/zm.conf", "zm.conf").replace("/etc/zmesd/tls/", "");
    let by_default_file =
        place.config(&absent(&default_file()).replace("admin-group = \"zmesd\"", "admin-group = 'root'"));
    let by_nothing = place.config(LEAST);
    assert!(by_nothing.diff(&by_default_file).is_empty(), "{:?}", by_nothing.diff(&by_default_file));
}
