//! Targets: what each service is sent, that no redirect is followed, and that nobody waits for long.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use zmes_providers::targets::{
    ExpectedStatus, GotifyConfig, NtfyConfig, PictureForm, PushoverConfig, TargetConfig, TargetName,
    TargetPicture, TargetPriority, TargetProvider, TargetTexts, TelegramConfig, Template, WebhookConfig,
    WebhookMethod,
};
use zmes_providers::{Platform, ProviderSettings, Push, PushToken, PushTransport};

use crate::server::{Authority, Reply, Server, answer};
use crate::world::{FCM_TOKEN, hasty, kind, only, push};

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

const PICTURE: TargetPicture = TargetPicture { form: PictureForm::File, wait: Duration::ZERO };

fn settings(service: TargetProvider, root: &Path) -> ProviderSettings {
    let texts = TargetTexts {
        title: template("${monitor.name}"),
        text: template("${cause}"),
        link: template(""),
        priority: TargetPriority::Normal,
    };
    let name = TargetName::parse("guard").unwrap();
    let target = TargetConfig {
        name,
        texts,
        picture: PICTURE,
        snooze_buttons: Vec::new(),
        ca_certificate: Some(root.to_owned()),
        service,
    };
    ProviderSettings { targets: vec![target], ..ProviderSettings::default() }
}

fn ntfy(url: String) -> TargetProvider {
    let (url, topic) = (url.into(), "s3cret-topic".into());
    TargetProvider::Ntfy(NtfyConfig { url, topic, token: Some("tk_s3cret".into()) })
}

fn webhook(url: &str, method: WebhookMethod) -> TargetProvider {
    TargetProvider::Webhook(Box::new(WebhookConfig {
        url: template(url),
        method,
        headers: BTreeMap::from([("X-Cause".to_owned(), template("${cause}"))]),
        token: None,
        secret: None,
        body: template(""),
        content_type: "application/json".to_owned(),
        expect: ExpectedStatus::Success,
    }))
}

fn alarm() -> Push {
    let token = PushToken::of_target(TargetName::parse("guard").unwrap());
    Push { token, ..push(FCM_TOKEN, Platform::Target) }
}

fn transport(service: TargetProvider, authority: &Authority) -> Arc<dyn PushTransport> {
    only(&settings(service, &authority.file))
}

#[tokio::test]
async fn each_service_is_asked_at_its_own_path() {
    let authority = Authority::new();
    let server = Server::start(&authority, |seen| match seen.path.as_str() {
        "/1/messages.json" => answer(200, r#"{"status":1,"request":"r1"}"#),
        "/bot12:s3cret/sendMessage" => answer(200, r#"{"ok":true,"result":{"message_id":7}}"#),
        "/" | "/sub/message" => answer(200, r#"{"id":"m1"}"#),
        _ => answer(204, ""),
    })
    .await;
    let url = || server.url().into();
    let services = [
        (ntfy(server.url()), "ntfy:guard", Some("m1")),
        (
            TargetProvider::Gotify(GotifyConfig {
                url: format!("{}/sub", server.url()).into(),
                token: "s3cret".into(),
            }),
            "gotify:guard",
            Some("m1"),
        ),
        (
            TargetProvider::Pushover(PushoverConfig {
                url: url(),
                token: "s3cret".into(),
                user_key: "s3cret-user".into(),
                device: String::new(),
                sound: String::new(),
            }),
            "pushover:guard",
            Some("r1"),
        ),
        (
            TargetProvider::Telegram(TelegramConfig {
                url: url(),
                token: "12:s3cret".into(),
                chat: "-100".to_owned(),
                thread: None,
            }),
            "telegram:guard",
            Some("7"),
        ),
        (webhook(&format!("{}/hook/${{event}}", server.url()), WebhookMethod::Get), "webhook:guard", None),
    ];
    for (service, name, id) in services {
        let transport = transport(service, &authority);
        assert_eq!(transport.name(), name);
        let delivered = transport.send(&alarm()).await.unwrap();
        assert_eq!(delivered.provider_id.as_deref(), id, "{name}");
    }
    let seen = server.seen();
    let asked: Vec<_> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(
        asked,
        [
            "POST /",
            "POST /sub/message",
            "POST /1/messages.json",
            "POST /bot12:s3cret/sendMessage",
            "GET /hook/32910"
        ]
    );
    assert_eq!(seen[0].header("authorization"), "Bearer tk_s3cret");
    assert_eq!(seen[0].json()["topic"], json!("s3cret-topic"));
    assert_eq!(seen[1].header("x-gotify-key"), "s3cret");
    assert_eq!((seen[4].header("x-cause"), seen[4].body.as_str()), ("Motion: All", ""));
    assert_eq!(seen[4].header("webhook-id").len(), 26);
}

#[tokio::test]
async fn no_redirect_is_followed_and_no_path_is_told() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| {
        let place = "https://user:s3cret@elsewhere.example.org/s3cret?x=s3cret".to_owned();
        Reply::Answer(307, vec![("location", place)], String::new())
    })
    .await;
    let services =
        [ntfy(server.url()), webhook(&format!("{}/s3cret-path", server.url()), WebhookMethod::Post)];
    for service in services {
        let error = transport(service, &authority).send(&alarm()).await.unwrap_err();
        assert_eq!(kind(&error), "redirect");
        assert!(error.to_string().contains("redirects to https://elsewhere.example.org"), "{error}");
    }
    assert_eq!(server.seen().len(), 2, "nothing is sent twice");
}

#[tokio::test]
async fn a_service_that_never_answers_costs_one_deadline() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| Reply::Hang).await;
    let url = format!("{}/s3cret-path", server.url());
    let transport = hasty(&settings(webhook(&url, WebhookMethod::Post), &authority.file));
    let error = transport.send(&alarm()).await.unwrap_err();
    assert_eq!(kind(&error), "timeout");
}

#[tokio::test]
async fn a_check_sends_nothing() {
    let authority = Authority::new();
    let server = Server::start(&authority, |seen| match seen.path.as_str() {
        "/v1/health" => answer(200, r#"{"healthy":true}"#),
        "/s3cret-topic/auth" => answer(401, r#"{"code":40101,"error":"unauthorized"}"#),
        _ => answer(500, ""),
    })
    .await;
    let steps = transport(ntfy(server.url()), &authority).check().await;
    let last = steps.last().unwrap();
    assert_eq!((last.name, last.ok()), ("credentials", false), "{steps:?}");
    let url = format!("{}/hook", server.url());
    let steps = transport(webhook(&url, WebhookMethod::Post), &authority).check().await;
    assert!(steps.iter().all(zmes_providers::CheckStep::ok) && steps.len() == 3, "{steps:?}");
    assert!(server.seen().iter().all(|seen| seen.method == "GET"), "{:?}", server.seen());
}

#[test]
fn a_reload_builds_the_targets_that_have_changed_and_keeps_the_rest() {
    use zmes_providers::{Transports, WallClock};
    let authority = Authority::new();
    let first = settings(ntfy("https://ntfy.example.org".to_owned()), &authority.file);
    let running = Transports::build(&first, WallClock::default()).unwrap();
    let same = running.rebuild(&first, WallClock::default()).unwrap();
    let own = |transports: &Transports| Arc::clone(transports.all().next().unwrap());
    assert!(Arc::ptr_eq(&own(&running), &own(&same)));
    let other = settings(ntfy("https://ntfy2.example.org".to_owned()), &authority.file);
    let changed = running.rebuild(&other, WallClock::default()).unwrap();
    assert!(!Arc::ptr_eq(&own(&running), &own(&changed)));
    assert!(running.changes(&changed).contains("target.url"));
}
