//! What is changed about a phone at one node holds at the other, which sends: mute, filter, badge, block.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;
use zmes_tests::standin::Arrival;
use zmes_tests::{Site, World};

use crate::PHONE;

/// A phone that nobody changes: what it has rung for, the other one could have rung for, too.
const OTHER: &str = "cluster-android:APA91bHPRgkF-other";

/// One node where something is changed, while the other one sends.
struct Change<'a> {
    site: &'a Site,
    /// Where it is changed.
    at: &'a World,
    /// Which sends.
    sender: &'a World,
    next_event: u64,
    /// The longest time until the node that sends knew of a change.
    slowest: Duration,
}

impl Change<'_> {
    async fn run(&self, arguments: &[&str]) -> Result<()> {
        self.at.run(arguments).await?.expect_code(0).map(drop)
    }

    /// Waits until the node that sends knows the change.
    async fn known(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
        let begin = Instant::now();
        self.sender.wait_token(PHONE, what, wanted).await?;
        self.slowest = self.slowest.max(begin.elapsed());
        Ok(())
    }

    /// Starts an alarm of a camera, and waits until the other phone has rung.
    async fn alarm(&mut self, monitor: u32) -> Result<u64> {
        let event = self.next_event;
        self.next_event += 1;
        self.site.alarm(monitor, event).await?;
        self.site.wait_rung_at(OTHER, [event]).await?;
        Ok(event)
    }

    /// Shows that the phone did not ring for `silent`, once it has rung for the next alarm of camera 2.
    async fn ensure_silent(&mut self, silent: u64) -> Result<()> {
        let next = self.alarm(2).await?;
        self.site.wait_rung(next).await?;
        ensure!(!self.site.rung().contains_key(&silent), "rung for {silent}: {:?}", self.site.rung());
        Ok(())
    }

    async fn mute(&mut self) -> Result<()> {
        let handle = self.at.handle(PHONE).await?;
        self.run(&["tokens", "mute", &handle, "--for", "1h"]).await?;
        self.known("muted", |token| token["state"] == "muted").await?;
        let silent = self.alarm(1).await?;
        self.run(&["tokens", "unmute", &handle]).await?;
        self.known("unmuted", |token| token["state"] == "enabled").await?;
        self.ensure_silent(silent).await
    }

    async fn filter(&mut self) -> Result<()> {
        self.register("2", "0").await?;
        self.known("filtered", |token| token["monitors"] == json!([2])).await?;
        let silent = self.alarm(1).await?;
        self.ensure_silent(silent).await?;
        self.register("1,2", "0,0").await?;
        self.known("unfiltered", |token| token["monitors"] == json!([1, 2])).await
    }

    async fn register(&self, monitors: &str, intervals: &str) -> Result<()> {
        let mut app = self.at.admin().await?;
        let data = json!({"type": "token", "platform": "ios", "token": PHONE, "state": "enabled", "monlist": monitors,
            "intlist": intervals});
        app.send(&json!({"event": "push", "data": data})).await?;
        app.sync().await
    }

    async fn block(&mut self) -> Result<()> {
        let handle = self.at.handle(PHONE).await?;
        self.run(&["tokens", "block", &handle, "--yes"]).await?;
        self.known("blocked", |token| token["state"] == "blocked").await?;
        let silent = self.alarm(1).await?;
        let mut app = self.sender.admin().await?;
        let register = json!({"event": "push", "data": {"type": "token", "platform": "ios", "token": PHONE, "state": "enabled"}});
        app.send(&register).await?;
        let refused = json!({"event": "push", "type": "token", "status": "Fail", "reason": "TOKENBLOCKED"});
        app.expect(&refused).await?;
        self.run(&["tokens", "unblock", &handle]).await?;
        self.known("unblocked", |token| token["state"] != "blocked").await?;
        app.send(&register).await?;
        app.sync().await?;
        self.at.wait_token(PHONE, "registered again", |token| token["state"] == "enabled").await?;
        self.ensure_silent(silent).await
    }

    async fn badge(&mut self) -> Result<()> {
        let handle = self.at.handle(PHONE).await?;
        self.run(&["badges", "reset", &handle, "--to", "7"]).await?;
        self.known("badge set", |token| token["badge"] == 7).await?;
        self.counts(8).await
    }

    /// Shows the number on the icon with the next push.
    async fn counts(&mut self, badge: u64) -> Result<()> {
        let event = self.alarm(1).await?;
        self.site.wait_rung(event).await?;
        let pushes = self.site.proxy.pushes_to(PHONE);
        let push = pushes.iter().find(|push| push.event() == Some(event)).map(Arrival::json);
        ensure!(push.as_ref().is_some_and(|push| push["badge"] == badge), "not {badge}: {push:?}");
        Ok(())
    }
}

#[tokio::test]
async fn what_is_changed_about_a_phone_at_one_node_holds_at_the_node_that_sends() -> Result<()> {
    let site = Site::new().patient().start().await?;
    drop(site.a.phone("ios", PHONE).await?);
    drop(site.b.phone("android", OTHER).await?);
    for (world, token) in [(&site.a, OTHER), (&site.b, PHONE)] {
        world.wait_token(token, "known", |token| token["state"] == "enabled").await?;
    }
    let mut change =
        Change { site: &site, at: &site.b, sender: &site.a, next_event: 100, slowest: Duration::ZERO };
    change.mute().await?;
    change.filter().await?;
    change.block().await?;
    change.badge().await?;
    // The number goes on at the next node that sends.
    site.a.run(&["cluster", "handover", "b"]).await?.expect_code(0)?;
    site.wait_pusher("b").await?;
    let mut change =
        Change { site: &site, at: &site.a, sender: &site.b, next_event: 200, slowest: change.slowest };
    change.counts(9).await?;
    change.mute().await?;
    change.block().await?;
    change.badge().await?;
    eprintln!("each change is known to the other node within {:?}", change.slowest);
    site.proxy.ensure_no_violations()
}
