//! Checks a PushProxy, or sends one test push through it.
//!
//! ```text
//! PUSH_APP_KEY=… cargo run -p zmes-providers --example send -- https://push.example.org:8801 zmninjapro
//! PUSH_APP_KEY=… cargo run -p zmes-providers --example send -- https://push.example.org:8801 zmninjapro android TOKEN
//! ```

#![expect(clippy::print_stdout, reason = "an example for a terminal")]

use std::time::Duration;

use zmes_providers::{
    App, Platform, ProviderSettings, Push, PushProxyConfig, PushSubject, PushToken, PushedAlarm, Transports,
    Urgency, WallClock,
};
use zmes_shared::MonitorId;

type Failure = Box<dyn std::error::Error>;

#[expect(clippy::disallowed_methods, reason = "an example reads its own environment")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (url, app_name, phone) = match arguments.as_slice() {
        [url, app_name] => (url, app_name, None),
        [url, app_name, platform, token] => (url, app_name, Some((platform, token))),
        _ => {
            return Err(
                "usage: send URL APP-NAME [ios|android TOKEN], with the app's key in PUSH_APP_KEY".into()
            );
        }
    };
    let proxy = PushProxyConfig {
        url: url.clone(),
        app_name: app_name.clone(),
        app_key: std::env::var("PUSH_APP_KEY")?.into(),
        sound: String::new(),
        ca_certificate: None,
    };
    let settings = ProviderSettings { proxy: Some(proxy), ..ProviderSettings::default() };
    let clock = WallClock::default();
    let transports = Transports::build(&settings, clock.clone())?;
    let Some(transport) = transports.all().next() else { return Ok(()) };
    let Some((platform, token)) = phone else {
        for step in transport.check().await {
            let outcome = if step.ok() { "ok" } else { "failed" };
            println!("{:<12} {outcome:<7} {:>5} ms  {}", step.name, step.took.as_millis(), step.detail);
        }
        return Ok(());
    };
    let platform = Platform::parse(platform).ok_or("the platform is ios or android")?;
    let delivered = transport.send(&test_push(PushToken::parse(token)?, platform, &clock)?).await?;
    println!("accepted; message id: {}", delivered.provider_id.as_deref().unwrap_or("none"));
    Ok(())
}

fn test_push(token: PushToken, platform: Platform, clock: &WallClock) -> Result<Push, Failure> {
    let alarm = PushedAlarm {
        event: None,
        monitor: MonitorId(1),
        monitor_name: "Front Door".into(),
        cause: "Test".into(),
        labels: std::sync::Arc::default(),
        at: clock.now(),
        test: true,
        ended: None,
        updates: None,
        late: false,
        subject: PushSubject::default(),
    };
    Ok(Push {
        token,
        platform,
        app: App::Unknown,
        app_version: String::new(),
        profile: String::new(),
        alarms: vec![alarm],
        digest: None,
        badge: 1,
        urgency: Urgency::Normal,
        picture: None,
        replaces: None,
        snooze: Vec::new(),
        expires_at: clock.now().checked_add(Duration::from_mins(1))?,
    })
}
