//! What the tests send, and with which configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zmes_providers::{
    ApnsConfig, ApnsEndpoint, ApnsIdentity, App, FcmConfig, FcmProxyConfig, Platform, ProviderSettings, Push,
    PushError, PushProxyConfig, PushSubject, PushToken, PushTransport, PushedAlarm, Timing, Transports,
    Urgency, WallClock,
};
use zmes_shared::{EventId, MonitorId};

pub(crate) const FCM_TOKEN: &str = "cXyz:APA91bHPRgkFLJu6sg";
pub(crate) const APNS_TOKEN: &str = "a1b2c3d4e5f60718a1b2c3d4e5f60718a1b2c3d4e5f60718a1b2c3d4e5f60718";

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/providers/fixtures").join(name)
}

pub(crate) fn push(token: &str, platform: Platform) -> Push {
    let now = jiff::Timestamp::from_second(1_795_620_120).unwrap();
    let alarm = PushedAlarm {
        event: Some(EventId(32910)),
        monitor: MonitorId(1),
        monitor_name: "Garage".into(),
        cause: "Motion: All".into(),
        labels: Arc::default(),
        at: now,
        test: false,
        ended: None,
        updates: None,
        late: false,
        subject: PushSubject::default(),
    };
    Push {
        token: PushToken::parse(token).unwrap(),
        platform,
        app: App::ZmNinja,
        app_version: String::new(),
        profile: String::new(),
        alarms: vec![alarm],
        digest: None,
        badge: 1,
        urgency: Urgency::Normal,
        picture: None,
        replaces: None,
        snooze: Vec::new(),
        expires_at: now,
    }
}

pub(crate) fn proxy(url: String, root: Option<&Path>) -> ProviderSettings {
    let proxy = PushProxyConfig {
        url,
        app_name: "zmninjapro".to_owned(),
        app_key: "s3cret-key".into(),
        sound: "blop.caf".to_owned(),
        ca_certificate: root.map(Path::to_owned),
    };
    ProviderSettings { proxy: Some(proxy), ..ProviderSettings::default() }
}

pub(crate) fn function(url: String, root: &Path) -> ProviderSettings {
    let proxy = FcmProxyConfig { name: "zmninja".to_owned(), url, key: Some("jwt-of-the-app".into()) };
    let fcm = FcmConfig {
        service_account: None,
        endpoint: None,
        ca_certificate: Some(root.to_owned()),
        proxies: vec![proxy],
    };
    ProviderSettings { fcm: Some(fcm), ..ProviderSettings::default() }
}

/// A service account whose tokens come from `oauth`, written beside the root.
pub(crate) fn account(endpoint: String, oauth: &str, root: &Path) -> ProviderSettings {
    let key = std::fs::read_to_string(fixture("account.key")).unwrap();
    let text = serde_json::json!({
        "type": "service_account", "project_id": "zmes-test", "private_key_id": "k1", "private_key": key,
        "client_email": "push@zmes-test.iam.gserviceaccount.com", "token_uri": format!("{oauth}/token"),
    });
    let path = root.with_file_name("account.json");
    std::fs::write(&path, text.to_string()).unwrap();
    let fcm = FcmConfig {
        service_account: Some(path),
        endpoint: Some(endpoint),
        ca_certificate: Some(root.to_owned()),
        proxies: Vec::new(),
    };
    ProviderSettings { fcm: Some(fcm), ..ProviderSettings::default() }
}

pub(crate) fn apns(url: String, identity: ApnsIdentity, root: &Path) -> ProviderSettings {
    let apns = ApnsConfig {
        identity,
        topic: "com.example.app".to_owned(),
        endpoint: ApnsEndpoint::Other(url),
        ca_certificate: Some(root.to_owned()),
    };
    ProviderSettings { apns: Some(apns), ..ProviderSettings::default() }
}

/// Returns the one transport of a configuration.
pub(crate) fn only(config: &ProviderSettings) -> Arc<dyn PushTransport> {
    timed(config, Timing::default())
}

/// The same, with a short deadline: for those who never answer.
pub(crate) fn hasty(config: &ProviderSettings) -> Arc<dyn PushTransport> {
    timed(config, Timing { total: Duration::from_secs(2), ..Timing::default() })
}

fn timed(config: &ProviderSettings, timing: Timing) -> Arc<dyn PushTransport> {
    let transports = Transports::default().rebuild_with(config, WallClock::default(), timing).unwrap();
    Arc::clone(transports.all().next().unwrap())
}

/// Returns the kind of an error, and asserts that it gives nothing away.
pub(crate) fn kind(error: &PushError) -> &'static str {
    let text = error.to_string();
    for secret in ["APA91b", "RgkFLJu6sg", "a1b2c3d4", "s3cret", "jwt-of-the-app", "ya29"] {
        assert!(!text.contains(secret), "{text}");
    }
    match error {
        PushError::Dead(_) => "dead",
        PushError::WrongApp(_) => "wrong app",
        PushError::Message(_) => "message",
        PushError::Phone { .. } => "phone",
        PushError::Transport(fault) => fault.kind.word(),
    }
}
