use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::report::Fate;
use super::*;

fn source(name: &str, text: impl AsRef<[u8]>) -> OldFile {
    OldFile { path: name.into(), bytes: text.as_ref().to_vec() }
}

fn written(files: &[(&str, &str)]) -> Conversion {
    let sources: Vec<_> = files.iter().map(|(name, text)| source(name, text)).collect();
    Collection::of(&sources).unwrap().convert(new_file())
}

/// The packaged file, of a daemon that takes everything but one value.
fn new_file() -> NewFile {
    let check = |table: &str, key: &str, value: Proposal<'_>| match (table, key, value) {
        ("auth", "timeout", Proposal::Text("5000s")) => {
            Err(Objection { message: "5000s is out of range".to_owned(), hint: None })
        }
        _ => Ok(()),
    };
    NewFile { defaults: include_str!("../../../packaging/zmesd.toml").to_owned(), check }
}

/// Returns a line of the new file.
fn line(written: &Conversion, table: &str, key: &str) -> String {
    let toml = written.toml(Audience::File);
    let section = toml
        .split(&format!("\n[{table}]\n"))
        .nth(1)
        .or_else(|| toml.split(&format!("\n[[{table}]]\n")).nth(1));
    let mut lines = section.unwrap().lines().take_while(|line| !line.starts_with('['));
    lines.find(|line| line.starts_with(&format!("{key} = "))).unwrap_or("none").to_owned()
}

/// What the report says of a setting.
fn fates(written: &Conversion, old: &str) -> Vec<String> {
    let of = written.report.findings.iter().filter(|finding| finding.old == old);
    of.map(|finding| match &finding.fate {
        Fate::Taken { key, .. } => format!("taken {key}"),
        Fate::Needless(why) => format!("needless {why}"),
        Fate::Idle(why) => format!("idle {why}"),
        Fate::Missing { why, .. } => format!("missing {why}"),
        Fate::Trifle(why) => format!("trifle {why}"),
        Fate::Open { why, .. } => format!("open {why}"),
        Fate::Unread(why) => format!("unread {why}"),
    })
    .collect()
}

mod mqtt;

const TLS: &str = "[ssl]\ncert = /c.pem\nkey = /k.pem\n";

#[test]
fn a_key_is_found_under_the_name_of_every_generation() {
    for (section, key) in [("network", "event_check_interval"), ("customize", "event_check_interval")] {
        let text = format!("{TLS}[{section}]\n{key} = 5\n");
        let written = written(&[("es.ini", &text)]);
        assert!(
            fates(&written, &format!("[{section}] {key}"))[0].starts_with("needless zmesd reads"),
            "{key}"
        );
    }
    let written = written(&[("es.ini", &format!("{TLS}[auth]\nenabled = 0\n"))]);
    assert_eq!(line(&written, "auth", "enabled"), "enabled = false");
}

#[test]
fn the_last_of_two_counts_and_the_first_is_told() {
    let written = written(&[("es.ini", &format!("{TLS}[network]\nport = 1\nport = 2\n"))]);
    assert_eq!(line(&written, "server", "listen"), "listen = [\"[::]:2\"]");
    let fates = fates(&written, "[network] port");
    assert_eq!(fates.len(), 2);
    assert!(fates.iter().any(|fate| fate.contains("the last value counts")), "{fates:?}");
}

#[test]
fn a_value_that_zmesd_does_not_take_is_left_to_a_person() {
    let written = written(&[("es.ini", &format!("{TLS}[auth]\ntimeout = 5000\n"))]);
    assert_eq!(line(&written, "auth", "timeout"), "timeout = \"20s\"");
    let fates = fates(&written, "[auth] timeout");
    assert!(fates[0].starts_with("open auth.timeout does not accept it: 5000s is out of range"), "{fates:?}");
}

#[test]
fn a_secret_that_is_not_there_is_told_and_never_quoted() {
    let text = "[general]\nsecrets = /none\n[ssl]\ncert = !A\nkey = !B\n";
    let collection = Collection::of(&[source("/etc/zm/es.ini", text)]).unwrap();
    let wanted = collection.wanted();
    assert_eq!(wanted.len(), 1);
    assert_eq!(wanted[0].candidates, [PathBuf::from("/none"), PathBuf::from("/etc/zm/none")]);
    let mut collection = collection;
    collection.miss(wanted[0].clone());
    let all = collection.convert(new_file());
    assert!(fates(&all, "[general] secrets")[0].starts_with("open cannot read the file of secrets"));
    assert!(fates(&all, "[ssl] cert")[0].contains("the file of secrets was not found"));

    let two =
        written(&[("es.ini", "[ssl]\ncert = !A\nkey = !b\n"), ("s.ini", "[secrets]\nB = '/k #1.pem'\n")]);
    assert!(fates(&two, "[ssl] cert")[0].contains("does not have"));
    assert_eq!(line(&two, "server.tls", "key"), "key = \"/k #1.pem\"");
}

#[test]
fn secrets_beside_the_configuration_are_looked_for_where_something_refers_to_them() {
    let wanted = |text: &str| Collection::of(&[source("/x/es.ini", text)]).unwrap().wanted();
    assert_eq!(wanted("[ssl]\ncert = !A\n")[0].candidates, [PathBuf::from("/x/secrets.ini")]);
    assert!(wanted(TLS).is_empty());
    assert!(wanted("[ssl]\ncert = !A\n[secrets]\nA = /c\n").is_empty(), "they are in the same file");
    let rules = wanted("[customize]\nes_rules = '/etc/zm/es_rules.json'\n");
    assert_eq!((rules[0].what, &rules[0].candidates[1]), ("rules", &PathBuf::from("/x/es_rules.json")));
}

#[test]
fn a_picture_url_with_a_password_is_left_out_with_the_reason_and_the_way_without_one() {
    for entries in [
        "picture_url = https://a.example.org/?eid=EVENTID\n\
         picture_portal_username = me\npicture_portal_password = planted word\n",
        "picture_url = https://a.example.org/?eid=EVENTID&token=planted\n",
        "picture_url = https://me:planted@a.example.org/?eid=EVENTID\n",
    ] {
        let text = format!("{TLS}[customize]\ninclude_picture = yes\n{entries}");
        let written = written(&[("es.ini", &text)]);
        assert_eq!(line(&written, "push", "picture-url"), "picture-url = \"\"", "{entries}");
        let report = written.report.human(&ReportView::default());
        assert!(!report.contains("planted"), "{report}");
        let told = "a URL with a user, a password or a token";
        assert!(report.contains(told) && report.contains("set picture.base-url"), "{report}");
    }
}

#[test]
fn a_later_script_says_where_its_settings_are() {
    let refused = Collection::of(&[source("es.pl", "#!/usr/bin/perl\nuse Config::IniFiles;\n")]).unwrap_err();
    assert!(refused[0].message.contains("keeps its settings elsewhere"), "{refused:?}");
    let both = written(&[("es.pl", "#!/usr/bin/perl\nuse Config::IniFiles;\n"), ("es.ini", TLS)]);
    assert_eq!(line(&both, "server.tls", "key"), "key = \"/k.pem\"");
}

/// Event server 6.1 as it came: the file has no URL and no key, the script beside it has both.
const SCRIPT_OF_6: &str = "#!/usr/bin/perl -T\nuse Config::IniFiles;\nuse constant {\n\
    \x20 DEFAULT_FCM_V1_KEY => 'eyJplanted.key.of-the-script',\n\
    \x20 DEFAULT_FCM_V1_URL => 'https://us-central1-zoneminder-ninja.cloudfunctions.net/send_push',\n};\n";

#[test]
fn url_and_key_of_a_stock_6_1_come_from_the_admins_own_script() {
    let ini = format!("{TLS}[fcm]\nenable = yes\nuse_fcmv1 = yes\n");
    let without = written(&[("es.ini", &ini)]);
    let fates_without = fates(&without, "[fcm] enable");
    assert!(fates_without[0].contains("a URL and a key from its own script"), "{fates_without:?}");
    assert!(without.report.human(&ReportView::default()).contains("/usr/bin/zmeventnotification.pl"));

    let with = written(&[("es.ini", &ini), ("zmeventnotification.pl", SCRIPT_OF_6)]);
    let [secret] = with.secrets().try_into().unwrap();
    assert_eq!(secret.content.expose_secret(), "eyJplanted.key.of-the-script");
    let url = "url = \"https://us-central1-zoneminder-ninja.cloudfunctions.net/send_push\"";
    assert_eq!(line(&with, "push.fcm.proxy", "url"), url);
    assert_eq!(line(&with, "push.fcm.proxy", "name"), "name = \"zmninja\"");
    assert_eq!(line(&with, "push.fcm", "enabled"), "enabled = true");
    let report = with.report.human(&ReportView::default());
    assert!(report.contains("zmeventnotification.pl:4 DEFAULT_FCM_V1_KEY"), "{report}");
    assert!(report.contains("it is not yours") && !report.contains("planted"), "{report}");
}

#[test]
fn a_key_of_the_file_counts_and_the_scripts_own_does_not() {
    let ini = format!("{TLS}[fcm]\nfcm_v1_key = mine\nfcm_v1_url = https://a.example.org/\n");
    let written = written(&[("es.ini", &ini), ("zmeventnotification.pl", SCRIPT_OF_6)]);
    let [secret] = written.secrets().try_into().unwrap();
    assert_eq!(secret.content.expose_secret(), "mine");
    assert!(!written.report.human(&ReportView::default()).contains("not yours"));
}

#[test]
fn what_is_lost_is_counted_apart_from_what_only_looks_different() {
    let hooks = "[customize]\nuse_hooks = yes\n[hook]\nevent_start_hook = /a\nevent_end_hook = /b\n";
    let text = format!("{TLS}{hooks}[fcm]\nenable = no\ndate_format = %c\nreplace_push_messages = yes\n");
    let report = written(&[("es.ini", &text)]).report.human(&ReportView::default());
    assert!(report.contains("\nYou lose (1, in 3 settings):\n"), "{report}");
    assert!(report.contains("\nHarmless: a push looks different (2):\n"), "{report}");
    let lost = report.find("You lose").unwrap();
    assert!(lost < report.find("Taken over").unwrap() && lost < report.find("Harmless").unwrap());
}

#[test]
fn the_old_default_of_the_reload_interval_is_no_wish() {
    let interval = |value: &str| {
        let text = format!("{TLS}[customize]\nmonitor_reload_interval = {value}\n");
        line(&written(&[("es.ini", &text)]), "zoneminder", "monitor-reload-interval")
    };
    assert_eq!(interval("300"), "monitor-reload-interval = \"60s\"");
    assert_eq!(interval("'300' # s"), "monitor-reload-interval = \"60s\"");
    assert_eq!(interval("120"), "monitor-reload-interval = \"120s\"");
}

#[test]
fn the_placeholder_of_the_examples_picture_is_named() {
    let text = format!(
        "{TLS}[customize]\ninclude_picture = yes\npicture_url = https://<your domain>/zm/index.php?view=image&eid=EVENTID\n"
    );
    let written = written(&[("es.ini", &text)]);
    let fates = fates(&written, "[customize] picture_url");
    assert_eq!(fates, ["open `<your domain>` is the example's placeholder, so pushes had no picture"],);
    assert_eq!(line(&written, "push", "picture-url"), "picture-url = \"\"");
}

#[test]
fn zoneminders_own_file_is_known_and_the_right_one_is_named() {
    let text = "# ZoneMinder\nZM_PATH_DATA=/usr/share\n\nZM_DB_PASS=planted\n";
    let refused = Collection::of(&[source("/etc/zm/zm.conf", text)]).unwrap_err();
    let said = format!("{} {}", refused[0], refused[0].hint);
    assert!(
        said.contains("ZoneMinder's own configuration") && said.contains("zmeventnotification.ini"),
        "{said}"
    );
    assert!(!said.contains("planted"));
}

#[test]
fn tokens_and_state_among_the_files_are_told_what_to_do_with() {
    let sources =
        [source("es.ini", TLS), source("t.txt", "a:::ios:enabled\n"), source("c.dat", b"pst0\x04\x0b\0")];
    let written = Collection::of(&sources).unwrap().convert(new_file());
    let report = written.report.human(&ReportView::default());
    assert!(report.contains("`zmesctl tokens import t.txt`"), "{report}");
    assert_eq!(fates(&written, "c.dat"), ["missing mutes of the escontrol interface are not imported"]);
}

#[test]
fn a_secret_of_a_repeated_section_has_a_file_of_its_own() {
    let text = format!("{TLS}[fcm]\nfcm_v1_key = k\nfcm_v1_url = https://a.example.org/\n");
    let written = written(&[("es.ini", &text)]);
    let [secret] = written.secrets().try_into().unwrap();
    assert_eq!((secret.name.as_str(), secret.content.expose_secret()), ("secrets/push-fcm-proxy-key", "k"));
    assert_eq!(line(&written, "push.fcm.proxy", "key-file"), "key-file = \"secrets/push-fcm-proxy-key\"");
    assert!(!format!("{written:?}").contains("\"k\""));
}

/// Pieces that make files look like old configurations, often enough to come deep into the readers.
const PIECES: &[&str] = &[
    "[general]\n",
    "[network]\n",
    "[fcm]\n",
    "[ssl]\n",
    "[customize]\n",
    "[hook]\n",
    "[secrets]\n",
    "port",
    "enable",
    "cert",
    "key",
    "picture_url",
    "include_picture",
    "fcm_v1_key",
    "fcm_v1_url",
    "secrets",
    " = ",
    "=",
    ": ",
    "yes\n",
    "no\n",
    "9000\n",
    "!NAME\n",
    "{{secrets}}\n",
    "${port}\n",
    "{{",
    "}}",
    "${",
    "}",
    "'",
    "\"",
    "#",
    ";",
    "\n",
    "\r\n",
    "  ",
    "\t",
    "<<EOT\n",
    "EOT\n",
    "\\\n",
    "https://a.example.org/?fid=objdetect_jpg\n",
    "fcm:\n  ",
    "ssl:\n  ",
    "- ",
    "&a ",
    "*a\n",
    "[",
    "]",
    "{",
    ",",
    "|\n",
    "use constant ",
    "EVENT_NOTIFICATION_PORT",
    "=>",
    "my $useSecure",
    "my $usePushProxy",
    "my $pushProxyURL",
    "q{",
    "=cut\n",
    "=pod\n",
    "__END__\n",
    "*60",
    "\u{fc}",
    "notifications:\n  monitors:\n    3:\n      rules:\n        - action: mute\n",
    "          from: 9:30 pm\n          to: 1:00 am\n",
    "          daysofweek: Mon,Tue\n",
    "          cause_has: ^(?!.*(person|car)).*$\n",
    "          comment: not at night\n        - action: critical_notify\n",
    "#!/usr/bin/perl\n",
];

/// Files made of them.
fn files() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        30 => proptest::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    prop_oneof![
        9 => proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat()),
        1 => proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

/// Returns the rules of the new file, each on one line, and the report.
fn imported_rules(rules: &str, hooks: &str) -> (Vec<String>, String) {
    let old = format!("{TLS}[customize]\nuse_hooks = {hooks}\nes_rules = es_rules.yml\n");
    let rules = format!("notifications:\n  monitors:\n    3:\n      rules:\n{rules}");
    let written = written(&[("es.ini", &old), ("es_rules.yml", &rules)]);
    let toml: toml::Table = written.toml(Audience::File).parse().unwrap();
    let taken = toml["rule"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule.get("comment").is_none_or(|text| text.as_str() != Some("")));
    (taken.map(ToString::to_string).collect(), written.report.human(&ReportView::default()))
}

#[test]
fn rules_become_rules_and_what_has_no_counterpart_is_told_of() {
    let old = "        - action: mute\n          from: 9:30 pm\n          to: 1:00 am\n          daysofweek: Mon,Tue\n          \
        cause_has: ^(?!.*(person|car)).*$\n          comment: cats\n        - action: critical_notify\n          cause_has: person\n";
    let (rules, report) = imported_rules(old, "no");
    let rules: Vec<toml::Table> = rules.iter().map(|rule| format!("r = {rule}").parse().unwrap()).collect();
    let expected: toml::Table = "r = { name = 'monitor-3-1', monitors = ['3'], channels = ['push', 'websocket'], \
        days = ['mon', 'tue'], between = ['21:30-01:01'], cause-lacks = ['person', 'car'], action = 'mute', comment = 'cats' }"
        .parse()
        .unwrap();
    assert_eq!(rules[0], expected);
    let urgent: toml::Table =
        "r = { name = 'monitor-3-2', monitors = ['3'], cause-has = ['person'], action = 'urgent' }"
            .parse()
            .unwrap();
    assert_eq!(rules[1], urgent);
    for note in
        ["applied only the part after it", "had no effect in the old server", "ZoneMinder's own cause"]
    {
        assert!(report.contains(note), "{note}: {report}");
    }
}

#[test]
fn a_rule_that_would_mute_more_than_before_is_not_taken() {
    let lacks = "        - action: mute\n          cause_has: ^(?!.*person).*$\n";
    let (rules, report) = imported_rules(lacks, "yes");
    assert_eq!(rules, Vec::<String>::new());
    assert!(report.contains("it would mute every alarm"), "{report}");
    let shadowed =
        "        - action: critical_notify\n          cause_has: pers?on\n        - action: mute\n";
    let (rules, report) = imported_rules(shadowed, "no");
    assert_eq!(rules, Vec::<String>::new());
    assert!(report.contains("an earlier rule of this monitor is not taken over"), "{report}");
}

proptest! {
    #[test]
    fn whatever_bytes_come_every_entry_is_told_of_and_the_file_is_whole(
        first in files(),
        second in files(),
    ) {
        let Ok(mut collection) = Collection::of(&[source("a", first), source("b", second)]) else { return Ok(()) };
        for wanted in collection.wanted() {
            collection.miss(wanted);
        }
        let written = collection.convert(new_file());
        for entry in &collection.entries {
            let told = written.report.findings.iter().any(|finding| finding.place.as_ref() == Some(&entry.place));
            prop_assert!(told, "nothing is said of {:?}", entry);
        }
        for (place, _) in &collection.unread {
            prop_assert!(written.report.findings.iter().any(|finding| finding.place.as_ref() == Some(place)));
        }
        let toml: Result<toml::Table, _> = written.toml(Audience::File).parse();
        prop_assert!(toml.is_ok(), "{toml:?}");
        written.report.json(&ReportView::default());
    }

    #[test]
    fn a_secret_reaches_the_file_of_secrets_whole_and_nothing_else(secret in "[!-~]{1,8}planted[ -~]{0,12}[!-~]") {
        prop_assume!(!secret.starts_with(['!', '\'', '"']) && !secret.contains("{{") && !secret.contains("${"));
        prop_assume!(!secret.ends_with('\\') && !secret.starts_with("<<"));
        let text = format!("{TLS}[fcm]\nfcm_v1_url = https://a.example.org/\nfcm_v1_key = {secret}\n");
        let written = written(&[("es.ini", &text)]);
        let secrets = written.secrets();
        prop_assert_eq!(secrets[0].content.expose_secret(), &secret);
        let report = written.report;
        prop_assert!(!report.human(&ReportView::default()).contains("planted"));
        prop_assert!(!report.json(&ReportView::default()).to_string().contains("planted"));
    }
}

#[test]
fn scripts_of_hooks_become_command_lines() {
    let steps = |hooks: &str| {
        let text = format!("{TLS}{hooks}[fcm]\nenable = no\n");
        let report = written(&[("es.ini", &text)]).report.human(&ReportView::default());
        report
            .lines()
            .filter(|line| line.contains("zmesctl hook --on"))
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    let [start] = steps("[customize]\nuse_hooks = yes\n[hook]\nevent_start_hook = '/var/lib/es/start.sh'\n")
        .try_into()
        .unwrap();
    assert_eq!(
        start,
        "  - to go on running the script of es.ini:7 for each alarm: `zmesctl hook --on start --es-arguments --cursor \
         /var/lib/zmes-hook/event_start_hook -- /var/lib/es/start.sh`, as a service (zmes-hook@.service). What it prints does not \
         decide who is told; its arguments are the same, but for the path of the event at the end"
    );
    assert_eq!(steps("[customize]\nuse_hooks = no\n[hook]\nevent_start_hook = /a\n"), Vec::<String>::new());
    for hidden in ["/a --password planted", "/a;b", "!ZM_PASSWORD", "a"] {
        let hooks = format!("[customize]\nuse_hooks = yes\n[hook]\nevent_end_hook = {hidden}\n");
        let [end] = steps(&hooks).try_into().unwrap();
        assert!(end.contains("--on end") && end.contains("-- SCRIPT`"), "{end}");
    }
}
