use std::path::Path;

use super::*;
use crate::config::environment::Environment;
use crate::config::problem::Problems;
use crate::config::validate::{Loaded, Looks};

/// No ZoneMinder, no TLS: the rest holds anywhere.
const BARE: &str = "zoneminder = { config = '', database-url = 'mysql://u:p@localhost/zm', path-map = '/dev' }\n\
                    server = { listen = ['127.0.0.1:9000'], plaintext = true }\ncontrol.admin-group = 'root'\n";

fn read(targets: &str) -> Result<Loaded, Problems> {
    read_with(targets, None)
}

fn read_with(targets: &str, looks: Option<Looks<'_>>) -> Result<Loaded, Problems> {
    let environment = Environment { user: "zmesd".into(), system: true, ..Environment::default() };
    Loaded::check(&format!("{BARE}{targets}"), Path::new("/tmp/zmesd.toml"), &environment, looks)
}

/// Returns `line:key: message` of each problem.
fn problems(targets: &str) -> Vec<String> {
    let problems = match read(targets) {
        Ok(loaded) => panic!("{:?}", loaded.config.targets),
        Err(problems) => problems,
    };
    told(&problems)
}

fn told(problems: &Problems) -> Vec<String> {
    assert!(problems.iter().all(|problem| !problem.hint.is_empty()), "{problems}");
    let line = |line: Option<usize>| line.map(|line| line.to_string()).unwrap_or_default();
    problems.iter().map(|one| format!("{}:{}: {}", line(one.line), one.key, one.message)).collect()
}

fn loaded(targets: &str) -> Loaded {
    read(targets).unwrap_or_else(|problems| panic!("{problems}"))
}

const GUARD: &str = "[[target]]\nname = 'guard'\nuser = 'amy'\ntopic = 's3cret-topic'\n";

#[test]
fn a_target_has_the_promised_defaults() {
    let config = loaded(GUARD).config;
    let [receiver] = &*config.targets else { panic!("{:?}", config.targets) };
    assert_eq!((receiver.name.as_str(), receiver.user.as_str()), ("guard", "amy"));
    assert!(receiver.monitors.is_empty() && receiver.interval.is_zero());
    let [target] = &*config.push.targets else { panic!("{:?}", config.push.targets) };
    assert_eq!((target.texts.title.source(), target.texts.text.source()), ("${monitor.name}", "${detected}"));
    let TargetProvider::Ntfy(ntfy) = &target.service else { panic!("{target:?}") };
    assert_eq!((ntfy.url.expose_secret(), ntfy.topic.expose_secret()), ("https://ntfy.sh", "s3cret-topic"));
    assert!(!config.push.has_way(), "no phone is reached by it");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_line() {
    let text = "[[target]]\nname = 'Guard'\ntopic = 'a/b'\n[[target]]\nuser = 'amy'\nkind = 'gotify'\n\
                [[target]]\nname = 'a'\nuser = 'amy'\nkind = 'telegram'\ntoken = 'x'\nphases = []\n\
                [[target]]\nname = 'a'\nuser = 'amy'\ntopic = 't'\nphases = ['begin']\ntitle = '${monitor}'\n";
    let problems = problems(text);
    for wanted in [
        "5:target[0].name: must be a name of 1 to 32 characters",
        ":target[0].user: is empty",
        "6:target[0].topic: is not a topic of ntfy",
        ":target[1].name: is empty",
        ":target[1].url: is empty",
        ":target[1].token: is empty",
        "14:target[2].token: is not the token of a bot",
        ":target[2].chat: is empty",
        "15:target[2].phases: is empty",
        "17:target[3].name: `a` is listed twice",
        "20:target[3].phases: `begin` is not a phase",
        "21:target[3].title: has an unknown placeholder `${monitor}`",
    ] {
        assert!(problems.iter().any(|problem| problem.contains(wanted)), "{wanted}: {problems:#?}");
    }
}

#[test]
fn a_url_is_encrypted_or_private_and_never_quoted() {
    let hook = |url: &str, more: &str| {
        format!("[[target]]\nname = 'h'\nkind = 'webhook'\nuser = 'amy'\nurl = '{url}'\n{more}\n")
    };
    for (url, more, wanted) in [
        ("http://s3cret.lan/x", "", "is not encrypted"),
        (
            "http://8.8.8.8/s3cret",
            "plaintext = true",
            "is not encrypted, and its address is not a private one",
        ),
        ("https://amy:s3cret@host/", "", "contains a user or a password"),
        ("ftp://host/s3cret", "", "does not begin with https://"),
        ("https://host/${s3cret", "", "has `${` without `}`"),
    ] {
        let problems = problems(&hook(url, more));
        assert!(problems.len() == 1 && problems[0].contains(wanted), "{url}: {problems:?}");
        assert!(!problems[0].contains("s3cret"), "{problems:?}");
    }
    for url in
        ["http://127.0.0.1:1880/${monitor.id}", "http://192.168.1.2/", "http://[fd00::1]/", "http://ha.lan/"]
    {
        loaded(&hook(url, "plaintext = true"));
    }
    loaded(&hook("http://169.254.1.2/", "plaintext = true"));
}

#[test]
fn the_topic_of_ntfy_does_not_go_into_its_url() {
    for url in ["https://ntfy.sh/s3cret", "https://ntfy.sh/?s3cret", "https://ntfy.sh?s3cret"] {
        let text = format!("{GUARD}url = '{url}'\n");
        assert_eq!(problems(&text), ["8:target[0].url: has a path"]);
        assert!(read(&text).unwrap_err()[0].hint.ends_with("the topic goes into topic"));
    }
    for url in ["https://ntfy.sh/", "https://ntfy.example.org:8443"] {
        loaded(&format!("{GUARD}url = '{url}'\n"));
    }
}

#[test]
fn a_url_that_cannot_be_used_is_blamed_itself() {
    let push = |part: &PushPart<'_>| zmes_providers::findings(part, &zmes_providers::WallClock::default());
    let looks = Looks { pair: &|_, _| Vec::new(), push: &push };
    for (url, wanted) in [
        ("https://hooks.${cause}/x", "10:target[1].url: a placeholder stands in the host"),
        ("https://host:${event}/x", "10:target[1].url: a placeholder stands in the host"),
        ("https://host:99999/s3cret", "10:target[1].url: is not a URL: invalid port number"),
    ] {
        let text = format!("{GUARD}[[target]]\nname = 'h'\nurl = '{url}'\nkind = 'webhook'\nuser = 'amy'\n");
        assert_eq!(told(&read_with(&text, Some(looks)).unwrap_err()), [wanted]);
    }
}

#[test]
fn secrets_are_not_shown_and_their_changes_are_seen() {
    let text = "[[target]]\nname = 'h'\nkind = 'webhook'\nuser = 'amy'\nurl = 'https://host/s3cret'\n\
                headers = { X-Key = 's3cret' }\ntoken = 's3cret'\nbody = '{\"key\": \"s3cret\"}'\nsecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'\n";
    let config = loaded(&format!("{text}{GUARD}")).config;
    let shown = config.show();
    assert!(!shown.contains("s3cret") && !shown.contains("MfKQ"), "{shown}");
    assert!(shown.contains("headers = { X-Key = \"[hidden]\" }") && shown.contains("topic = \"[hidden]\""));
    // Keys of other kinds do not count.
    assert!(!shown.contains("user-key") && shown.matches("title = ").count() == 1, "{shown}");
    assert!(!format!("{config:?}").contains("s3cret"));
    let other = loaded(&format!("{}{GUARD}", text.replace("X-Key = 's3cret'", "X-Key = 'other'"))).config;
    assert_eq!(config.diff(&other).hot(), ["target[0].headers"]);
    let other = loaded(&format!("{}{GUARD}", text.replace("\"s3cret\"", "\"other\""))).config;
    assert_eq!(config.diff(&other).hot(), ["target[0].body"]);
    assert_eq!(config.following(&other).push.targets.len(), 2);
}

#[test]
fn what_does_nothing_is_warned_of() {
    let warnings = |text: &str| {
        let warnings = loaded(text).warnings;
        warnings.iter().map(|one| format!("{}: {}", one.key, one.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings(&format!("{GUARD}chat = '1'\n")),
        ["target[0].chat: has no effect for kind \"ntfy\""]
    );
    let off = warnings(&format!("push.enabled = false\n{GUARD}"));
    assert_eq!(off, ["target[0].name: a target is configured, but push.enabled is false"]);
    let bot = "[[target]]\nname = 'b'\nkind = 'telegram'\nuser = 'amy'\ntoken = '1:a'\nchat = '@c'\npriority = 'high'\n";
    assert_eq!(warnings(bot), ["target[0].priority: has no effect"]);
}

#[test]
fn headers_cannot_contradict_content_type_and_token() {
    let hook = |more: &str| {
        format!("[[target]]\nname = 'h'\nkind = 'webhook'\nuser = 'amy'\nurl = 'https://host/x'\n{more}\n")
    };
    for (more, wanted, hint) in [
        (
            "headers = { Content-type = 'text/plain' }",
            "9:target[0].headers: zmesd sets the header `Content-type` itself",
            "set content-type",
        ),
        (
            "headers = { authorization = 'Basic s3cret' }\ntoken = 's3cret'",
            "9:target[0].headers: has `Authorization`, and token is set, too",
            "remove one of them",
        ),
    ] {
        assert_eq!(problems(&hook(more)), [wanted]);
        assert!(read(&hook(more)).unwrap_err()[0].hint.starts_with(hint));
    }
    loaded(&hook("headers = { Authorization = 'Basic s3cret' }"));
}

#[test]
fn without_a_login_a_target_needs_no_user() {
    loaded(&format!("auth.enabled = false\n{}", GUARD.replace("user = 'amy'\n", "")));
}

#[test]
fn a_link_local_address_can_be_named() {
    for (url, named) in [
        ("http://169.254.1.2/x", true),
        ("http://169.254.1.2:80", true),
        ("http://[fe80::1]:80/", true),
        ("http://8.8.8.8/", false),
        ("http://host/", false),
    ] {
        assert_eq!(is_named_local(url), named, "{url}");
    }
}

#[test]
fn snooze_buttons_are_up_to_three_times_of_whole_minutes_for_services_that_show_them() {
    let problem = |buttons: &str| problems(&format!("{GUARD}snooze-buttons = {buttons}\n"));
    for (buttons, told) in [
        ("['1h', '2h', '3h', '4h']", "lists more than 3"),
        ("['90s']", "`90s` is not from 1m to 30d, in whole minutes"),
        ("['31d']", "`31d` is not from 1m to 30d, in whole minutes"),
        ("['1h', '60m']", "`60m` is listed twice"),
    ] {
        let found = problem(buttons);
        assert!(found.len() == 1 && found[0].ends_with(told), "{found:?}");
    }
    let buttons = "snooze-buttons = ['1h', '8h']\n";
    let warned = |text: &str| {
        let warnings = loaded(text).warnings;
        warnings.iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    let links = "picture.base-url = 'https://zm.example.org'\n";
    let with = loaded(&format!("{links}{GUARD}{buttons}"));
    assert!(with.warnings.is_empty(), "{:?}", with.warnings);
    let times: Vec<_> = with.config.push.targets[0].snooze_buttons.iter().map(|time| time.0).collect();
    assert_eq!(times, [60, 480]);
    assert_eq!(warned(&format!("{GUARD}{buttons}")), ["has no effect, because picture.base-url is empty"]);
    let gotify = "[[target]]\nname = 'g'\nkind = 'gotify'\nuser = 'amy'\nurl = 'https://g.example.org'\ntoken = 't'\n\
                  picture = 'none'\n";
    assert_eq!(warned(&format!("{links}{gotify}{buttons}")), ["has no effect for kind \"gotify\""]);
}
