//! Rules of `zmesd.toml`: which phones they mute, what they make urgent, a reload, and what admins see of them.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::Fcm;
use zmes_tests::{AppClient, UserRow, World, includes, skipped, token_ending};

const OF_ADMIN: &str = "rules-admin:APA91bHPRgkF-one";
const OF_AMY: &str = "rules-amy:APA91bHPRgkF-two";
/// A user other than the daemon's, whose group may open the socket.
const OBSERVER: (u32, u32) = (65534, 0);

const RULES: &str = "
[[rule]]
name = \"not-for-amy\"
monitors = [\"Garage\"]
receivers = [\"Amy\"]
between = [\"00:00-24:00\"]

[[rule]]
name = \"burglar\"
monitors = [2]
action = \"urgent\"
";

/// A street with two cameras, an admin and amy, each with a phone.
struct Street {
    fcm: Fcm,
    world: World,
    admin: AppClient,
    amy: AppClient,
}

impl Street {
    async fn with_rules(rules: &str) -> Result<Self> {
        let fcm = Fcm::start().await?;
        let world = World::new().monitor(1, "Garage").monitor(2, "Yard").user(UserRow::new("amy", "secret"));
        let mut world = world.with_fcm(&fcm).prepare().await?;
        world.write_settings_with(rules)?;
        world.start_daemon().await?;
        let admin = world.phone("android", OF_ADMIN).await?;
        let amy = world.register(world.login("amy", "secret").await?, "ios", OF_AMY).await?;
        Ok(Self { fcm, world, admin, amy })
    }

    /// Starts an alarm that both apps receive over their sockets.
    async fn alarm(&mut self, monitor: u32, event: u64) -> Result<()> {
        self.world.alarm(monitor, event).await?;
        self.admin.expect_alarm(event, monitor).await?;
        self.amy.expect_alarm(event, monitor).await.map(drop)
    }
}

fn of_token<'v>(why: &'v Value, handle: &str) -> Result<&'v Value> {
    let mut targets = why["targets"].as_array().into_iter().flatten();
    targets.find(|target| target["id"] == handle).with_context(|| format!("{handle} is not in {why}"))
}

#[tokio::test]
async fn a_rule_mutes_the_phone_of_a_user_and_no_socket_and_is_named_everywhere() -> Result<()> {
    let mut street = Street::with_rules(RULES).await?;
    let amy = street.world.handle(OF_AMY).await?;
    let admin = street.world.handle(OF_ADMIN).await?;
    let ctl = street.world.ctl();
    let test = ctl.json(&["rules", "test", "--monitor", "Garage", "--for", "amy"]).await?;
    ensure!(includes(&test, &json!({"rule": "not-for-amy", "action": "mute", "user": "amy"})), "{test}");
    let test = ctl.json(&["rules", "test", "--monitor", "1", "--for", token_ending(OF_ADMIN)]).await?;
    let expected = json!({"rule": null, "action": "notify", "token": admin, "rules": [
        {"name": "not-for-amy", "order": 1, "decides": false, "mismatch": "receiver", "explanation": "is for Amy only"},
        {"name": "burglar", "order": 2, "decides": false, "mismatch": "monitor",
            "explanation": "is for other monitors: 2"},
    ]});
    ensure!(includes(&test, &expected), "{test}");
    let quiet =
        ctl.run(&["rules", "test", "--monitor", "1", "--for", "amy", "--channel", "websocket", "-q"]).await?;
    ensure!(quiet.expect_code(0)?.stdout.is_empty(), "no rule is for sockets");

    let mut watch = ctl.stream(&["watch", "--type", "decision,session", "--jsonl"])?;
    watch.find("the state at the beginning", |line| line["type"] == "session").await?;
    street.alarm(1, 32_910).await?;
    let decision =
        watch.find("the decision", |line| line["type"] == "decision" && line["id"] == amy.as_str()).await?;
    ensure!(includes(&decision, &json!({"reason": "muted by rule", "rule": "not-for-amy"})), "{decision}");
    street.world.wait_delivery(&admin, 32_910, "sent").await?;
    let skipped = street.world.wait_delivery(&amy, 32_910, "skipped").await?;
    ensure!(includes(&skipped, &json!({"reason": "muted by rule", "rule": "not-for-amy"})), "{skipped}");
    ensure!(street.fcm.messages.pushes_to(OF_AMY).is_empty());
    let why = ctl.json(&["why", "32910"]).await?;
    let told = of_token(&why, &amy)?;
    let explanation = "rule \"not-for-amy\" mutes it (00:00-24:00)";
    let expected = json!({"decision": "skipped", "reason": "muted by rule", "rule": "not-for-amy", "explanation": explanation});
    ensure!(includes(told, &expected), "{told}");
    let log = ctl.run(&["tokens", "log", &amy]).await?.expect_code(0)?;
    ensure!(log.stdout.contains("by rule"), "{}", log.stdout);

    let list = ctl.json(&["rules", "list"]).await?;
    let first = json!({"name": "not-for-amy", "order": 1, "monitors": ["Garage"], "receivers": ["Amy"],
        "when": "00:00-24:00", "action": "mute", "active": true, "hits_24h": 1});
    ensure!(includes(&list["rules"][0], &first) && list["rules"][0]["last_hit"].is_string(), "{list}");
    ensure!(includes(&list["rules"][1], &json!({"hits_24h": 0, "last_hit": null})), "{list}");
    let doctor = ctl.run(&["doctor", &amy, "--monitor", "1", "--json"]).await?.json()?;
    let mutes =
        doctor["findings"].as_array().into_iter().flatten().find(|finding| finding["step"] == "rules");
    let mutes = mutes.with_context(|| format!("no finding: {doctor}"))?;
    let detail = mutes["detail"].as_str().unwrap_or_default();
    ensure!(detail.starts_with("rule \"not-for-amy\" mutes this phone for monitor 1 now"), "{mutes}");

    let tested = ctl.json(&["alarm", "test", "--monitor", "1", "--dry-run"]).await?;
    let expected = json!({"decision": "skipped", "rule": "not-for-amy", "explanation": explanation});
    ensure!(includes(of_token(&tested, &amy)?, &expected), "{tested}");
    ensure!(of_token(&tested, &admin)?.get("rule").is_none(), "{tested}");
    let table = ctl.run(&["alarm", "test", "--monitor", "1", "--dry-run"]).await?.expect_code(0)?;
    ensure!(table.stdout.contains("rule \"not-for-amy\" mutes it"), "{}", table.stdout);

    // Hits survive a restart.
    street.world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    street.world.start_daemon().await?;
    let list = ctl.json(&["rules", "list"]).await?;
    ensure!(list["rules"][0]["hits_24h"] == 1, "{list}");
    Ok(())
}

#[tokio::test]
async fn an_urgent_rule_reaches_the_provider_and_a_reload_changes_what_holds() -> Result<()> {
    let mut street = Street::with_rules(RULES).await?;
    let admin = street.world.handle(OF_ADMIN).await?;
    let amy = street.world.handle(OF_AMY).await?;
    street.alarm(2, 32_920).await?;
    street.world.wait_delivery(&admin, 32_920, "sent").await?;
    let pushes = street.fcm.messages.wait_pushes_to(OF_ADMIN, 1).await?;
    let body = pushes[0].json();
    let android = &body["message"]["android"]["notification"];
    ensure!(android["notification_priority"] == "PRIORITY_MAX", "{body}");
    let pushes = street.fcm.messages.wait_pushes_to(OF_AMY, 1).await?;
    let body = pushes[0].json();
    ensure!(body["message"]["apns"]["payload"]["aps"]["interruption-level"] == "time-sensitive", "{body}");
    let ctl = street.world.ctl();
    let why = ctl.json(&["why", "32920"]).await?;
    let told = of_token(&why, &admin)?["explanation"].as_str().unwrap_or_default();
    ensure!(told.ends_with("rule \"burglar\" makes it urgent"), "{told}");

    // A file with a mistake is refused with its line, and the rules stay.
    street.world.write_settings_with("[[rule]]\nname = \"x\"\nbetween = [\"22-6\"]\n")?;
    let refused = ctl.run(&["reload", "--json"]).await?.expect_code(1)?;
    ensure!(refused.stdout.contains("22-6") && refused.stdout.contains("zmesd.toml:"), "{}", refused.stdout);
    ensure!(ctl.json(&["rules", "list"]).await?["rules"][1]["name"] == "burglar");

    street
        .world
        .write_settings_with("[[rule]]\nname = \"all-quiet\"\nchannels = [\"push\", \"websocket\"]\n")?;
    let reloaded = ctl.json(&["reload"]).await?;
    ensure!(reloaded.to_string().contains("rule"), "{reloaded}");
    street.world.alarm(2, 32_921).await?;
    let skipped = street.world.wait_delivery(&amy, 32_921, "skipped").await?;
    ensure!(skipped["rule"] == "all-quiet", "{skipped}");
    let why = ctl.json(&["why", "32921"]).await?;
    let sessions: Vec<_> = why["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|target| target["kind"] == "session")
        .collect();
    ensure!(sessions.len() == 2 && sessions.iter().all(|session| session["rule"] == "all-quiet"), "{why}");
    let list = ctl.json(&["rules", "list"]).await?;
    ensure!(list["rules"][0]["hits_24h"] == 1, "an alarm counts once, whoever it was for: {list}");

    // What the file no longer has is still named.
    street.world.write_settings_with("")?;
    ctl.json(&["reload"]).await?;
    let why = ctl.json(&["why", "32921"]).await?;
    let told = of_token(&why, &amy)?["explanation"].as_str().unwrap_or_default();
    ensure!(told == "rule \"all-quiet\" muted it; zmesd.toml no longer has it", "{told}");
    let none = ctl.run(&["rules", "list"]).await?.expect_code(0)?;
    ensure!(none.stdout.contains("no rules"), "{}", none.stdout);
    Ok(())
}

#[tokio::test]
async fn rules_that_name_what_does_not_exist_are_findings_and_questions_about_nothing_are_refused()
-> Result<()> {
    let rules = "[[rule]]\nname = \"lost\"\nmonitors = [\"Gardne\"]\nreceivers = [\"bob\"]\n\
                 [[rule]]\nname = \"all\"\n[[rule]]\nname = \"never\"\n";
    let street = Street::with_rules(rules).await?;
    let ctl = street.world.ctl();
    let doctor = ctl.run(&["doctor", "--json"]).await?.json()?;
    let details: Vec<_> = doctor["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|finding| finding["severity"] == "warning")
        .filter_map(|finding| finding["detail"].as_str())
        .collect();
    for expected in [
        "no monitor is called so: Gardne (rule \"lost\")",
        "no user and no token is called so: bob (rule \"lost\")",
        "`all` has no conditions: `never` never decides",
    ] {
        ensure!(details.iter().any(|detail| detail.contains(expected)), "{expected}: {details:?}");
    }
    ctl.run(&["rules", "test", "--monitor", "99"]).await?.expect_code(4)?;
    ctl.run(&["rules", "test", "--monitor", "1", "--for", "nobody-here"]).await?.expect_code(4)?;
    ctl.run(&["rules", "test", "--monitor", "1", "--at", "tomorrow"]).await?.expect_code(2)?;
    let names = ctl.run(&["rules", "list", "-q"]).await?.expect_code(0)?;
    ensure!(names.stdout == "lost\nall\nnever\n", "{}", names.stdout);
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("becoming another user needs root");
    }
    let (user, group) = OBSERVER;
    ctl.run_as(user, group, &["rules", "list"]).await?.expect_code(0)?;
    ctl.run_as(user, group, &["rules", "test", "--monitor", "1"]).await?.expect_code(0)?;
    let by_end = ["rules", "test", "--monitor", "1", "--for", token_ending(OF_AMY)];
    ctl.run_as(user, group, &by_end).await?.expect_code(4)?;
    Ok(())
}
