//! Which transport a token takes, and what cannot be built.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::settings::{ApnsConfig, ApnsEndpoint, ApnsIdentity, FcmConfig, FcmProxyConfig, PushProxyConfig};
use crate::token::{App, PushToken};

const APNS: &str = "a1b2c3d4e5f60718a1b2c3d4e5f60718a1b2c3d4e5f60718a1b2c3d4e5f60718";

fn function(name: &str) -> FcmProxyConfig {
    FcmProxyConfig { name: name.to_owned(), url: format!("https://{name}.example.org"), key: None }
}

fn fcm(service_account: Option<&Path>, names: &[&str]) -> FcmConfig {
    FcmConfig {
        service_account: service_account.map(Path::to_owned),
        endpoint: None,
        ca_certificate: None,
        proxies: names.iter().copied().map(function).collect(),
    }
}

fn apns(identity: ApnsIdentity) -> ApnsConfig {
    ApnsConfig {
        identity,
        topic: "com.example.app".to_owned(),
        endpoint: ApnsEndpoint::Production,
        ca_certificate: None,
    }
}

fn signing_key(directory: &TempDir) -> ApnsConfig {
    let key = directory.path().join("key.p8");
    fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    apns(ApnsIdentity::Token { key, key_id: "ABCDE12345".to_owned(), team_id: "FGHIJ67890".to_owned() })
}

fn build(config: &ProviderSettings) -> Result<Transports, TransportProblem> {
    Transports::build(config, WallClock::default())
}

/// Returns the names of the transports that take a token.
fn names(
    transports: &Transports,
    text: &str,
    platform: Platform,
    app: App,
    proven: Option<&str>,
) -> Vec<String> {
    let token = PushToken::parse(text).unwrap();
    let destination = Destination { token: &token, platform, app, proven };
    transports.candidates(&destination).iter().map(|transport| transport.name().to_owned()).collect()
}

#[test]
fn the_push_proxy_takes_every_token() {
    let directory = TempDir::new().unwrap();
    let proxy = PushProxyConfig {
        url: "https://push.example.org:8801".to_owned(),
        app_name: "zmninjapro".to_owned(),
        app_key: "k".into(),
        sound: String::new(),
        ca_certificate: None,
    };
    let config = ProviderSettings {
        proxy: Some(proxy),
        fcm: Some(fcm(None, &["zmninja"])),
        apns: Some(signing_key(&directory)),
        ..ProviderSettings::default()
    };
    let transports = build(&config).unwrap();
    assert_eq!(names(&transports, APNS, Platform::Ios, App::ZmNinja, Some("fcm:zmninja")), ["proxy"]);
    let all: Vec<_> =
        transports.all().map(|transport| format!("{} {}", transport.name(), transport.target())).collect();
    assert_eq!(
        all,
        ["proxy push.example.org:8801", "fcm:zmninja zmninja.example.org:443", "apns api.push.apple.com:443"]
    );
}

#[test]
fn apns_takes_its_own_tokens_and_fcm_the_rest() {
    let directory = TempDir::new().unwrap();
    let apns = Some(signing_key(&directory));
    let config =
        ProviderSettings { apns: apns.clone(), fcm: Some(fcm(None, &["a"])), ..ProviderSettings::default() };
    let both = build(&config).unwrap();
    assert_eq!(names(&both, APNS, Platform::Ios, App::Unknown, None), ["apns"]);
    assert_eq!(names(&both, APNS, Platform::Android, App::Unknown, None), ["fcm:a"]);
    assert_eq!(names(&both, "c:A", Platform::Ios, App::Unknown, None), ["fcm:a"]);
    let alone = build(&ProviderSettings { apns, ..ProviderSettings::default() }).unwrap();
    assert!(names(&alone, "c:A", Platform::Ios, App::Unknown, None).is_empty());
    assert!(!alone.is_empty() && build(&ProviderSettings::default()).unwrap().is_empty());
}

#[test]
fn of_the_functions_the_one_that_worked_comes_first_then_the_apps_own() {
    let config = ProviderSettings {
        fcm: Some(fcm(None, &["other", "zmNinja-NG", "zmninja"])),
        ..ProviderSettings::default()
    };
    let transports = build(&config).unwrap();
    let order = |app, transport| names(&transports, "c:A", Platform::Android, app, transport);
    assert_eq!(order(App::Unknown, None), ["fcm:other", "fcm:zmNinja-NG", "fcm:zmninja"]);
    assert_eq!(order(App::ZmNinja, None), ["fcm:zmninja", "fcm:other", "fcm:zmNinja-NG"]);
    assert_eq!(order(App::ZmNinjaNg, None), ["fcm:zmNinja-NG", "fcm:other", "fcm:zmninja"]);
    assert_eq!(order(App::ZmNinjaNg, Some("fcm:zmninja")), ["fcm:zmninja", "fcm:zmNinja-NG", "fcm:other"]);
    assert_eq!(order(App::ZmNinja, Some("fcm:gone")), ["fcm:zmninja", "fcm:other", "fcm:zmNinja-NG"]);
}

/// Returns the problem and its hint.
fn problem(config: &ProviderSettings) -> String {
    let problem = build(config).unwrap_err();
    assert!(!problem.hint().is_empty());
    problem.to_string()
}

#[test]
fn files_that_are_not_what_they_should_be_are_named_with_their_key() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let account = |text: &str| {
        let path = file("account.json", text);
        problem(&ProviderSettings { fcm: Some(fcm(Some(&path), &[])), ..ProviderSettings::default() })
    };
    assert!(account("{").contains("it is not Google's JSON (line 1)"));
    let text = r#"{"project_id":"p","client_email":"e","private_key":"hunter2","token_uri":"https://h/"}"#;
    let said = account(text);
    assert!(
        said.contains("account.json is not a service account: `private_key` is not an RSA key"),
        "{said}"
    );
    assert!(!said.contains("hunter2"));
    assert!(account(&text.replace("token_uri", "x")).contains("it has no `token_uri`"));
    assert!(account(&text.replace("\"p\"", "\"a/b\"")).contains("`project_id` is not the id"));
    let key = |path| {
        let identity =
            ApnsIdentity::Token { key: path, key_id: "ABCDE12345".into(), team_id: "FGHIJ67890".into() };
        problem(&ProviderSettings { apns: Some(apns(identity)), ..ProviderSettings::default() })
    };
    assert!(key(directory.path().join("none.p8")).starts_with("push.apns.key: cannot read "));
    assert!(
        key(file("k.p8", "x"))
            .ends_with("k.p8 holds no private key in PEM form: it is text without a BEGIN line")
    );
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(
        key(file("b.p8", broken)).ends_with("b.p8 cannot be used: it is not an ECDSA key of the curve P-256")
    );
    let root = ProviderSettings {
        fcm: Some(FcmConfig { ca_certificate: Some(file("ca.pem", "x")), ..fcm(None, &["a"]) }),
        ..ProviderSettings::default()
    };
    assert!(problem(&root).starts_with("push.fcm.ca-certificate: "));
}

/// The same key again, where there is one.
fn signing_key_kept(directory: &TempDir) -> ApnsConfig {
    if directory.path().join("key.p8").exists() {
        let key = directory.path().join("key.p8");
        let (key_id, team_id) = ("ABCDE12345".to_owned(), "FGHIJ67890".to_owned());
        return apns(ApnsIdentity::Token { key, key_id, team_id });
    }
    signing_key(directory)
}

#[test]
fn a_reload_builds_what_has_changed_and_keeps_the_rest() {
    let directory = TempDir::new().unwrap();
    let key = directory.path().join("key.p8");
    let proxy = |app_key: &str| PushProxyConfig {
        url: "https://push.example.org:8801".to_owned(),
        app_name: "zmninjapro".to_owned(),
        app_key: app_key.into(),
        sound: String::new(),
        ca_certificate: None,
    };
    let config = |app_key: &str, names: &[&str]| ProviderSettings {
        proxy: Some(proxy(app_key)),
        fcm: Some(fcm(None, names)),
        apns: Some(signing_key_kept(&directory)),
        ..ProviderSettings::default()
    };
    let before = build(&config("k", &["a", "b"])).unwrap();
    let kept = |after: &Transports| -> Vec<String> {
        let same = |after: &&Arc<dyn PushTransport>| before.all().any(|before| Arc::ptr_eq(before, after));
        after.all().filter(same).map(|transport| transport.name().to_owned()).collect()
    };
    let same = before.rebuild(&config("k", &["a", "b"]), WallClock::default()).unwrap();
    assert_eq!(kept(&same), ["proxy", "fcm:a", "fcm:b", "apns"]);
    assert!(before.changes(&same).is_empty());
    let other_key = before.rebuild(&config("k2", &["b", "c"]), WallClock::default()).unwrap();
    assert_eq!(kept(&other_key), ["fcm:b", "apns"]);
    assert_eq!(before.changes(&other_key).into_iter().collect::<Vec<_>>(), ["push.proxy.app-key"]);
    // The same name, another key in it.
    fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let renewed = before.rebuild(&config("k", &["a", "b"]), WallClock::default()).unwrap();
    assert_eq!(kept(&renewed), ["proxy", "fcm:a", "fcm:b"]);
    assert_eq!(before.changes(&renewed).into_iter().collect::<Vec<_>>(), ["push.apns.key"]);
    fs::write(&key, "no key").unwrap();
    let refused = before.rebuild(&config("k", &["a", "b"]), WallClock::default()).unwrap_err();
    assert_eq!(refused.key(), Some("push.apns.key"));
}
