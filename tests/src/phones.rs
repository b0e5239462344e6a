//! Phones: apps that register a push token, and what the daemon reports about their tokens.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::app_client::AppClient;
use crate::wait::wait_until;
use crate::world::World;

/// Number of characters at the end of a token by which `zmesctl` finds it.
const ENDING: usize = 10;

/// Returns the last ten characters of a token, which name it to `zmesctl`.
pub fn token_ending(token: &str) -> &str {
    let start = token.char_indices().rev().nth(ENDING - 1).map_or(0, |(at, _)| at);
    token.get(start..).unwrap_or_default()
}

/// Returns the settings that apps choose for a token, from any JSON that shows them: monitors in order, each with its
/// interval in milliseconds, or `"all"`.
pub fn registration(token: &Value) -> Result<Value> {
    let monitors = token["monitors"].as_array().filter(|monitors| !monitors.is_empty());
    let filter = monitors.map(|monitors| -> Result<Value> {
        let mut pairs = Vec::new();
        for (place, monitor) in monitors.iter().enumerate() {
            let id = monitor.as_u64().with_context(|| format!("not an id: {monitor}"))?;
            pairs.push((id, token["intervals"][place].as_u64().unwrap_or(0)));
        }
        pairs.sort_unstable();
        Ok(json!(pairs))
    });
    Ok(json!({
        "platform": token["platform"], "state": token["state"], "user": token["user"], "badge": token["badge"],
        "filter": filter.transpose()?.unwrap_or(json!("all")),
    }))
}

impl World {
    /// Connects an app of user `admin` that registers a token without lists. Returns once the daemon has stored it.
    pub async fn phone(&self, platform: &str, token: &str) -> Result<AppClient> {
        self.register(self.admin().await?, platform, token).await
    }

    /// As [`Self::phone`], for another user with an Android phone.
    pub async fn phone_of(&self, user: &str, password: &str, token: &str) -> Result<AppClient> {
        self.register(self.login(user, password).await?, "android", token).await
    }

    /// Registers a token without lists over an app's connection. Returns once the daemon has stored it.
    pub async fn register(&self, mut app: AppClient, platform: &str, token: &str) -> Result<AppClient> {
        app.send(&json!({"event": "push", "data":
            {"type": "token", "platform": platform, "token": token, "state": "enabled"}}))
            .await?;
        app.sync().await?;
        self.wait_token(token, "registered", |_| true).await?;
        Ok(app)
    }

    /// Returns `zmesctl tokens list`.
    pub async fn tokens(&self) -> Result<Vec<Value>> {
        let list = self.ctl().json(&["tokens", "list"]).await?;
        list["tokens"].as_array().cloned().with_context(|| format!("no list: {list}"))
    }

    /// Returns `zmesctl tokens show` of a token; `None` if it does not exist.
    pub async fn token(&self, token: &str) -> Result<Option<Value>> {
        let shown = self.run(&["tokens", "show", token_ending(token), "--json"]).await?;
        if shown.code == 4 { Ok(None) } else { Ok(Some(shown.expect_code(0)?.json()?)) }
    }

    /// Waits until `tokens show` of a token matches `wanted`.
    pub async fn wait_token(
        &self,
        token: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        wait_until(&format!("the token {token} is {what}"), async || {
            Ok(self.token(token).await?.filter(|shown| wanted(shown)))
        })
        .await
    }

    /// Returns the handle of an existing token.
    pub async fn handle(&self, token: &str) -> Result<String> {
        let shown = self.token(token).await?.with_context(|| format!("no token {token}"))?;
        Ok(shown["handle"].as_str().with_context(|| format!("no handle: {shown}"))?.to_owned())
    }

    /// Returns whether `tokens list` contains a token with this handle.
    pub async fn lists(&self, handle: &str) -> Result<bool> {
        Ok(self.tokens().await?.iter().any(|token| token["handle"] == handle))
    }

    /// Returns the entry of `tokens log` for one event.
    pub async fn delivery(&self, handle: &str, event: u64) -> Result<Option<Value>> {
        let log = self.ctl().json(&["tokens", "log", handle]).await?;
        let deliveries = log["deliveries"].as_array().with_context(|| format!("no log: {log}"))?;
        let of_event: Vec<&Value> = deliveries.iter().filter(|one| one["event_id"] == event).collect();
        ensure!(of_event.len() <= 1, "event {event} is there {} times: {log}", of_event.len());
        Ok(of_event.first().copied().cloned())
    }

    /// Waits until `tokens log` shows this decision for an event (`sent`, `skipped`, `failed`), and returns the entry.
    pub async fn wait_delivery(&self, handle: &str, event: u64, decision: &str) -> Result<Value> {
        wait_until(&format!("event {event} is {decision} for {handle}"), async || {
            Ok(self.delivery(handle, event).await?.filter(|one| one["decision"] == decision))
        })
        .await
    }

    /// Waits until `tokens log` shows a sent message of this origin, without an event, and returns the entry.
    pub async fn wait_notice(&self, handle: &str, origin: &str) -> Result<Value> {
        wait_until(&format!("{origin} is sent to {handle}"), async || {
            let log = self.ctl().json(&["tokens", "log", handle]).await?;
            let deliveries = log["deliveries"].as_array().cloned().unwrap_or_default();
            let sent = |one: &Value| one["origin"] == origin && one["decision"] == "sent";
            Ok(deliveries.into_iter().find(sent))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_the_same_in_every_order_of_its_lists() {
        let one = json!({"platform": "ios", "state": "enabled", "user": "admin", "badge": 0,
                         "monitors": [2, 1], "intervals": [60_000, 0], "handle": "x"});
        let other = json!({"platform": "ios", "state": "enabled", "user": "admin", "badge": 0,
                           "monitors": [1, 2], "intervals": [0, 60_000]});
        assert_eq!(registration(&one).unwrap(), registration(&other).unwrap());
        assert_eq!(registration(&json!({"monitors": null, "intervals": null})).unwrap()["filter"], "all");
        assert_eq!(
            registration(&json!({"monitors": [1], "intervals": null})).unwrap()["filter"],
            json!([[1, 0]])
        );
    }

    #[test]
    fn a_token_is_named_by_its_end() {
        assert_eq!(token_ending("0123456789abc"), "3456789abc");
        assert_eq!(token_ending("short"), "short");
    }
}
