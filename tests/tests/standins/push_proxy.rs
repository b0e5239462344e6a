//! The PushProxy of the seed.

use anyhow::{Result, ensure};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use zmes_tests::standin::{PushProxy, Route};

use super::client::{answer, client, old_client, send};
use super::{changed, ensure_noticed};

fn post(client: &Client, proxy: &PushProxy, path: &str, body: &Value) -> RequestBuilder {
    client
        .post(format!("{}{path}", proxy.url()))
        .header("X-AN-APP-NAME", PushProxy::APP_NAME)
        .header("X-AN-APP-KEY", PushProxy::APP_KEY)
        .json(body)
}

fn ios() -> Value {
    json!({"device": "ios", "token": "T", "alert": "Alarms: Garage (32910)", "sound": "blop.caf",
           "custom": {"mid": "1"}, "badge": 1})
}

fn android() -> Value {
    json!({"device": "android", "token": "a:b", "alert": "Alarms: Garage (32910),Front (32911)", "sound": "blop",
           "extra": {"mid": "1,5"}})
}

#[tokio::test]
async fn what_the_seed_sends_is_taken() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let client = client(&proxy.ca())?;
    ensure!(send(client.get(proxy.url())).await?.status() == 200);
    let device = json!({"device": "ios", "token": "T", "channel": "default"});
    ensure!(answer(post(&client, &proxy, "/api/v2/tokens", &device)).await?.0 == 200);
    for body in [ios(), android(), changed(&android(), "/sound", None)?] {
        ensure!(answer(post(&client, &proxy, "/api/v2/push", &body)).await?.0 == 202, "{body}");
    }
    proxy.ensure_no_violations()?;
    let pushes = proxy.wait_accepted(3).await?;
    ensure!(pushes[1].token.as_deref() == Some("a:b") && pushes[1].json() == android(), "{pushes:?}");
    ensure!(
        proxy.arrivals_on(Route::Probe).len() == 1 && proxy.wait_on(Route::Register, 1).await?.len() == 1
    );
    ensure!(proxy.pushes_to("T").len() == 1 && proxy.connections() == 1, "{proxy:?}");
    Ok(())
}

#[tokio::test]
async fn what_the_seed_does_not_send_is_noticed() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let client = old_client(&proxy.ca())?;
    let (number, text) = (json!(1), json!("1"));
    for (what, body, pointer, value) in [
        ("/badge", ios(), "/badge", Some(&text)),
        ("/badge", ios(), "/badge", None),
        ("/sound", ios(), "/sound", None),
        ("/custom/mid", ios(), "/custom/mid", Some(&number)),
        ("/custom/mid", ios(), "/custom/mid", Some(&json!("Garage"))),
        ("/custom/eid", ios(), "/custom/eid", Some(&text)),
        ("/custom is missing", ios(), "/custom", None),
        ("/device", ios(), "/device", Some(&json!("web"))),
        ("/token", ios(), "/token", Some(&json!(""))),
        ("/alert", android(), "/alert", None),
        ("/badge", android(), "/badge", Some(&number)),
        ("/extra", android(), "/extra", Some(&json!("1"))),
        ("/more", android(), "/more", Some(&text)),
    ] {
        let body = changed(&body, pointer, value)?;
        let known = proxy.violations().len();
        let (status, _) = answer(post(&client, &proxy, "/api/v2/push", &body)).await?;
        ensure_noticed(&proxy, known, status, what)?;
    }
    ensure!(proxy.accepted().is_empty() && proxy.ensure_no_violations().is_err());
    Ok(())
}

#[tokio::test]
async fn a_foreign_app_another_path_and_another_body_are_noticed() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let client = client(&proxy.ca())?;
    let url = format!("{}/api/v2/push", proxy.url());
    let device = json!({"device": "ios", "token": "T", "channel": "other"});
    let named = || client.post(&url).header("X-AN-APP-NAME", PushProxy::APP_NAME);
    for (what, request) in [
        ("x-an-app-key is there 0 times", named().json(&ios())),
        ("x-an-app-key", named().header("X-AN-APP-KEY", "other").json(&ios())),
        ("x-an-app-key is there 2 times", named().header("X-AN-APP-KEY", "a").header("X-AN-APP-KEY", "b")),
        ("no such path", post(&client, &proxy, "/api/v1/push", &ios())),
        ("no such path", client.get(format!("{url}/other"))),
        ("x-an-app-key is there 0 times", client.get(&url)),
        ("/channel", post(&client, &proxy, "/api/v2/tokens", &device)),
        ("not JSON", post(&client, &proxy, "/api/v2/push", &ios()).body("{")),
        ("content-type", named().header("X-AN-APP-KEY", PushProxy::APP_KEY).body(ios().to_string())),
    ] {
        let known = proxy.violations().len();
        let status = send(request).await?.status().as_u16();
        ensure_noticed(&proxy, known, status, what)?;
    }
    Ok(())
}
