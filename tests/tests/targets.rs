//! `[[target]]` end to end: services other than the apps' own pushes, through the whole life of a token.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use zmes_tests::standin::{Answer, Arrival, Behaviour, Fcm, Route, TargetPeer};
use zmes_tests::{UserRow, World, WorldBuilder, includes, wait_until};

const PHONE: &str = "targets-phone:APA91bHPRgkF-one";
/// A signing secret, planted, and the key in it.
const SECRET: &str = "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC1vZi10aGUtaG9vaw==";
const KEY: &str = "planted-signing-secret-of-the-hook";
const KEY_HEX: &str = "706c616e7465642d7369676e696e672d7365637265742d6f662d7468652d686f6f6b";
const HEADER: &str = "planted-header-of-the-hook";

/// Two cameras; amy may see only the first.
fn street() -> WorldBuilder {
    let amy = UserRow::new("amy", "secret").monitor_ids("1");
    World::new().monitor(1, "Garage").monitor(2, "Yard").user(amy)
}

fn ntfy(name: &str, service: &TargetPeer, user: &str, more: &str) -> String {
    format!(
        "\n[[target]]\nname = \"{name}\"\nkind = \"ntfy\"\nuser = \"{user}\"\nurl = \"{}\"\ntopic = \"{}\"\ntoken = \"{}\"\n\
         ca-certificate = \"{}\"\n{more}\n",
        service.url(),
        TargetPeer::TOPIC,
        TargetPeer::NTFY_TOKEN,
        service.ca().display()
    )
}

fn webhook(name: &str, service: &TargetPeer, more: &str) -> String {
    format!(
        "\n[[target]]\nname = \"{name}\"\nkind = \"webhook\"\nuser = \"admin\"\nurl = \"{}{}/${{monitor.id}}\"\ntoken = \"{}\"\n\
         secret = \"{SECRET}\"\nca-certificate = \"{}\"\n{more}\n",
        service.url(),
        TargetPeer::HOOK_PATH,
        TargetPeer::HOOK_TOKEN,
        service.ca().display()
    )
}

fn telegram(name: &str, service: &TargetPeer) -> String {
    format!(
        "\n[[target]]\nname = \"{name}\"\nkind = \"telegram\"\nuser = \"admin\"\nurl = \"{}\"\ntoken = \"{}\"\nchat = \"-100123\"\n\
         ca-certificate = \"{}\"\n",
        service.url(),
        TargetPeer::BOT_TOKEN,
        service.ca().display()
    )
}

async fn start(builder: WorldBuilder, targets: &str) -> Result<World> {
    let mut world = builder.prepare().await?;
    world.write_settings_with(targets)?;
    world.start_daemon().await?;
    Ok(world)
}

async fn listed(world: &World, handle: &str) -> Result<Option<Value>> {
    Ok(world.tokens().await?.into_iter().find(|token| token["handle"] == handle))
}

/// Verifies a signature with OpenSSL, as a receiver does that was not written here.
fn verify(arrival: &Arrival) -> Result<()> {
    let header = |name: &str| arrival.request.header(name).with_context(|| format!("no {name}"));
    let (id, at, signature) =
        (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("signed");
    let body = String::from_utf8(arrival.request.body.clone())?;
    fs::write(&file, format!("{id}.{at}.{body}"))?;
    let script = format!(
        "openssl dgst -sha256 -mac HMAC -macopt hexkey:{KEY_HEX} -binary '{}' | openssl base64 -A",
        file.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().context("openssl")?;
    let expected = String::from_utf8(output.stdout)?;
    ensure!(!expected.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(signature == format!("v1,{}", expected.trim()), "{signature} instead of {expected}");
    Ok(())
}

#[tokio::test]
async fn an_alarm_reaches_ntfy_and_a_webhook_and_is_told_of_as_of_a_phone() -> Result<()> {
    let (guard, hook) = (TargetPeer::ntfy().await?, TargetPeer::webhook().await?);
    let link = "link = \"https://zm.example.org/zm/?view=event&eid=${event}\"";
    let targets = format!("{}{}", ntfy("guard", &guard, "admin", link), webhook("node-red", &hook, link));
    let world = start(street(), &targets).await?;
    let first = listed(&world, "@guard").await?.context("no @guard")?;
    let expected = json!({"platform": "target", "state": "enabled", "user": "admin", "badge": 0});
    ensure!(includes(&first, &expected), "{first}");

    world.alarm(1, 32_910).await?;
    let sent = world.wait_delivery("@guard", 32_910, "sent").await?;
    let expected = json!({"transport": "ntfy:guard", "provider_id": "hwQ2YpKdmg", "monitor": "Garage"});
    ensure!(includes(&sent, &expected), "{sent}");
    let pushed = guard.wait_accepted(1).await?;
    let mut message = pushed[0].json();
    let sequence = message.as_object_mut().and_then(|message| message.remove("sequence_id"));
    ensure!(
        sequence.is_some_and(|id| id.as_str().is_some_and(|id| !id.is_empty())),
        "an update replaces it by that"
    );
    ensure!(
        message
            == json!({"topic": TargetPeer::TOPIC, "title": "Garage", "message": "Motion", "priority": 3,
                "tags": ["camera"], "click": "https://zm.example.org/zm/?view=event&eid=32910"}),
        "{message}"
    );

    world.wait_delivery("@node-red", 32_910, "sent").await?;
    let pushed = hook.wait_accepted(1).await?;
    ensure!(pushed[0].request.path == format!("{}/1", TargetPeer::HOOK_PATH), "{:?}", pushed[0].request.path);
    let body = pushed[0].json();
    let expected = json!({"v": 1, "event_type": "alarm_start", "late": false, "event": 32_910, "cause": "Motion",
        "monitor": {"id": 1, "name": "Garage"}, "urgent": false,
        "url": "https://zm.example.org/zm/?view=event&eid=32910"});
    ensure!(includes(&body, &expected) && body["at"].is_string(), "{body}");
    ensure!(pushed[0].request.header("webhook-id") == body["id"].as_str(), "{body}");
    verify(&pushed[0])?;

    let why = world.ctl().json(&["why", "32910", "--token", "@guard"]).await?;
    ensure!(
        includes(&why["targets"], &json!([{"id": "@guard", "decision": "sent", "user": "admin"}])),
        "{why}"
    );
    let check = world.ctl().json(&["push", "check"]).await?;
    let names: Vec<_> =
        check["checks"].as_array().into_iter().flatten().map(|one| &one["transport"]).collect();
    ensure!(names == ["ntfy:guard", "webhook:node-red"], "{check}");
    let check = world.ctl().json(&["push", "check", "@guard"]).await?;
    let steps = check["checks"][0]["steps"].as_array().cloned().unwrap_or_default();
    let steps: Vec<_> = steps.iter().map(|step| step["name"].clone()).collect();
    ensure!(steps == ["dns", "tcp", "tls", "http", "credentials"], "{check}");
    world.run(&["push", "check", "@nobody"]).await?.expect_code(4)?;
    world.run(&["push", "check", "gotify"]).await?.expect_code(1)?;
    world.run(&["push", "check", "webhook"]).await?.expect_code(0)?;
    world.run(&["push", "retry", "@guard"]).await?.expect_code(0)?;
    world.run(&["doctor", "@guard"]).await?.expect_code(0)?;
    ensure!(guard.push_count() == 1, "a check sends nothing");

    let test = world.ctl().json(&["alarm", "test", "--token", "@guard", "--wait"]).await?;
    ensure!(includes(&test["targets"], &json!([{"id": "@guard", "decision": "sent"}])), "{test}");
    let pushed = guard.wait_accepted(2).await?;
    ensure!(pushed[1].json()["title"] == "Garage (test)", "{}", pushed[1].json());
    guard.ensure_no_violations()?;
    hook.ensure_no_violations()
}

#[tokio::test]
async fn an_alarm_reaches_pushover_telegram_and_gotify() -> Result<()> {
    let (pager, bot, gotify) =
        (TargetPeer::pushover().await?, TargetPeer::telegram().await?, TargetPeer::gotify().await?);
    let keys = |service: &TargetPeer, kind: &str| {
        format!(
            "\n[[target]]\nname = \"{kind}\"\nkind = \"{kind}\"\nuser = \"admin\"\nurl = \"{}\"\ntoken = \"{}\"\n\
             ca-certificate = \"{}\"\n",
            service.url(),
            TargetPeer::APP_TOKEN,
            service.ca().display()
        )
    };
    let user_key = format!("user-key = \"{}\"\n", TargetPeer::USER_KEY);
    let rule = "\n[[rule]]\nname = \"burglar\"\nmonitors = [1]\naction = \"urgent\"\n";
    let targets =
        [keys(&pager, "pushover"), user_key, telegram("bot", &bot), keys(&gotify, "gotify"), rule.to_owned()];
    let world = start(street(), &targets.concat()).await?;
    let check = world.run(&["push", "check"]).await?;
    ensure!(check.code == 0, "{check:#?}");
    world.alarm(1, 32_910).await?;
    for (handle, id) in
        [("@pushover", "647d2300-702c-4b38-8b2f-d56326ae460b"), ("@bot", "4711"), ("@gotify", "25")]
    {
        let sent = world.wait_delivery(handle, 32_910, "sent").await?;
        ensure!(sent["provider_id"] == id, "{handle}: {sent}");
    }
    let urgent = pager.wait_accepted(1).await?[0].json();
    ensure!(
        includes(
            &urgent,
            &json!({"title": "Garage", "message": "Motion", "priority": 2, "retry": 30, "expire": 1800})
        ),
        "{urgent}"
    );
    let message = bot.wait_accepted(1).await?[0].json();
    ensure!(
        includes(&message, &json!({"text": "Garage\nMotion", "disable_notification": false})),
        "{message}"
    );
    let message = gotify.wait_accepted(1).await?[0].json();
    ensure!(message == json!({"title": "Garage", "message": "Motion", "priority": 10}), "{message}");
    pager.ensure_no_violations()?;
    bot.ensure_no_violations()?;
    gotify.ensure_no_violations()
}

#[tokio::test]
async fn rights_monitors_interval_rules_mute_and_snooze_decide_for_a_target() -> Result<()> {
    let service = TargetPeer::ntfy().await?;
    let rule = "\n[[rule]]\nname = \"quiet\"\nmonitors = [2]\nreceivers = [\"@ruled\"]\n";
    let targets = [
        ntfy("amys", &service, "amy", ""),
        ntfy("yard", &service, "admin", "monitors = [\"yard\"]"),
        ntfy("slow", &service, "admin", "interval = \"1h\""),
        ntfy("ruled", &service, "admin", ""),
        ntfy("still", &service, "admin", "phases = [\"trouble\"]"),
        rule.to_owned(),
    ];
    let mut world = start(street(), &targets.concat()).await?;
    world.alarm(2, 1).await?;
    for (handle, decision, reason) in [
        ("@amys", "skipped", "rights"),
        ("@yard", "sent", ""),
        ("@slow", "sent", ""),
        ("@ruled", "skipped", "muted by rule"),
    ] {
        let told = world.wait_delivery(handle, 1, decision).await?;
        ensure!(told["reason"].as_str().unwrap_or_default() == reason, "{handle}: {told}");
    }
    world.end_alarm(2, 1).await?;
    world.run(&["tokens", "mute", "@yard", "--yes"]).await?.expect_code(0)?;
    world.run(&["snooze", "1", "--for", "1h", "--token", "@ruled"]).await?.expect_code(0)?;
    world.alarm(1, 2).await?;
    world.wait_delivery("@amys", 2, "sent").await?;
    for (handle, reason) in [("@yard", "muted"), ("@ruled", "snoozed")] {
        let told = world.wait_delivery(handle, 2, "skipped").await?;
        ensure!(told["reason"] == reason, "{handle}: {told}");
    }
    // Interval, mute and snooze hold over a restart, too.
    world.end_alarm(1, 2).await?;
    world.daemon()?.end(Signal::SIGTERM).await?;
    world.start_daemon().await?;
    world.alarm(2, 3).await?;
    for (handle, reason) in [("@slow", "interval"), ("@yard", "muted")] {
        let told = world.wait_delivery(handle, 3, "skipped").await?;
        ensure!(told["reason"] == reason, "{handle}: {told}");
    }
    ensure!(world.delivery("@still", 1).await?.is_none(), "it hears of troubles alone");
    service.ensure_no_violations()
}

#[tokio::test]
async fn a_target_that_leaves_the_file_is_told_of_nothing_more_and_may_come_back() -> Result<()> {
    let (service, hook) = (TargetPeer::ntfy().await?, TargetPeer::webhook().await?);
    let (first, second) = (ntfy("guard", &service, "admin", ""), webhook("red", &hook, ""));
    let world = start(street(), &format!("{first}{second}")).await?;
    service.always(Behaviour::status(503, "busy"));
    world.alarm(1, 1).await?;
    wait_until("an attempt has failed", async || {
        let delivery = world.delivery("@guard", 1).await?;
        Ok(delivery.filter(|delivery| delivery["attempts"].as_u64() >= Some(1)))
    })
    .await?;
    // Targets are defined by the file alone.
    for command in [["tokens", "revoke"], ["tokens", "block"]] {
        let refused = world.run(&[&command[..], &["@guard", "--yes"]].concat()).await?;
        ensure!(refused.code == 1 && refused.stderr.contains("tokens mute @guard"), "{refused:#?}");
    }
    let badge = world.run(&["badges", "reset", "@guard"]).await?;
    ensure!(badge.code == 1 && badge.stderr.contains("has no badge"), "{badge:#?}");
    let pruned = world.run(&["tokens", "prune", "--stale", "1ms", "--yes", "--json"]).await?.json()?;
    ensure!(pruned["count"] == 0, "{pruned}");

    world.write_settings_with(&second)?;
    let reloaded = world.ctl().json(&["reload"]).await?;
    ensure!(reloaded["applied"].to_string().contains("target[0].name"), "{reloaded}");
    let told = world.wait_delivery("@guard", 1, "skipped").await?;
    ensure!(told["reason"] == "not configured", "{told}");
    ensure!(listed(&world, "@guard").await?.is_none());
    let restored = world.run(&["tokens", "restore", "@guard"]).await?;
    ensure!(restored.code == 1 && restored.stderr.contains("add it to zmesd.toml"), "{restored:#?}");
    world.end_alarm(1, 1).await?;
    world.alarm(1, 2).await?;
    world.wait_delivery("@red", 2, "sent").await?;
    ensure!(world.delivery("@guard", 2).await?.is_none());

    service.always(Behaviour::Accept);
    world.write_settings_with(&format!("{first}{second}"))?;
    world.run(&["reload"]).await?.expect_code(0)?;
    listed(&world, "@guard").await?.context("it is back")?;
    world.end_alarm(1, 2).await?;
    world.alarm(1, 3).await?;
    world.wait_delivery("@guard", 3, "sent").await?;
    // A mistake changes nothing.
    world.write_settings_with(&format!("{first}\n[[target]]\nname = \"guard\"\nkind = \"gotify\"\n"))?;
    let refused = world.run(&["reload"]).await?.expect_code(1)?;
    ensure!(refused.stderr.contains("`guard` is listed twice"), "{}", refused.stderr);
    listed(&world, "@red").await?.context("it is still there")?;
    service.ensure_no_violations()?;
    hook.ensure_no_violations()
}

#[tokio::test]
async fn what_waits_for_a_target_outlives_kill_9() -> Result<()> {
    let service = TargetPeer::ntfy().await?;
    let mut world = start(street(), &ntfy("guard", &service, "admin", "")).await?;
    service.refuse().await?;
    world.alarm(1, 1).await?;
    world.wait_delivery("@guard", 1, "queued").await?;
    wait_until("an attempt has failed", async || {
        let delivery = world.delivery("@guard", 1).await?;
        Ok(delivery.filter(|delivery| delivery["attempts"].as_u64() >= Some(1)))
    })
    .await?;
    world.kill_daemon().await?;
    service.resume().await?;
    world.start_daemon().await?;
    world.wait_delivery("@guard", 1, "sent").await?;
    ensure!(service.count_accepted() == 1);
    service.ensure_no_violations()
}

#[tokio::test]
async fn a_service_that_refuses_us_is_red_and_no_answer_kills_the_target() -> Result<()> {
    let service = TargetPeer::ntfy().await?;
    let world = start(street(), &ntfy("guard", &service, "admin", "")).await?;
    let refuse = |status| {
        let said = json!({"code": 40301, "error": "forbidden"});
        service.always(Behaviour::Answer(Answer::json(status, &said)));
    };
    let attempted = async |times: u64| {
        wait_until("the service has refused", async || {
            let delivery = world.delivery("@guard", 1).await?;
            Ok(delivery.filter(|delivery| delivery["attempts"].as_u64() >= Some(times)))
        })
        .await
    };
    refuse(403);
    world.alarm(1, 1).await?;
    attempted(1).await?;
    let doctor = world.run(&["doctor", "--json"]).await?.json()?;
    let findings = doctor["findings"].as_array().cloned().unwrap_or_default();
    let red = findings.iter().find(|finding| finding["step"] == "push ntfy:guard" && finding["ok"] == false);
    let red = red.with_context(|| format!("nothing red: {doctor}"))?;
    ensure!(red["hint"].as_str().is_some_and(|hint| hint.contains("[[target]] guard")), "{red}");
    refuse(410);
    world.run(&["push", "retry", "@guard"]).await?.expect_code(0)?;
    attempted(2).await?;
    listed(&world, "@guard").await?.context("it is still there")?;
    service.always(Behaviour::Accept);
    world.run(&["push", "retry", "@guard"]).await?.expect_code(0)?;
    world.wait_delivery("@guard", 1, "sent").await?;
    service.ensure_no_violations()
}

#[tokio::test]
async fn troubles_reach_those_who_asked_for_them() -> Result<()> {
    let (named, asked, other) =
        (TargetPeer::ntfy().await?, TargetPeer::webhook().await?, TargetPeer::ntfy().await?);
    let targets = [
        ntfy("named", &named, "admin", ""),
        webhook("asked", &asked, "phases = [\"trouble\"]"),
        ntfy("other", &other, "admin", ""),
    ]
    .concat();
    let mut world = start(street().setting("watchdog", "camera-offline", "\"1s\""), &targets).await?;
    // Its own phases are enough: `watchdog.notify` is empty.
    world.shm(1)?.stop()?;
    let told = asked.wait_accepted(1).await?;
    let body = told[0].json();
    ensure!(includes(&body, &json!({"event_type": "trouble", "monitor": {"id": 1}})), "{body}");
    verify(&told[0])?;
    world.settings.set("watchdog", "notify", "[\"@named\", \"user:admin\"]");
    world.write_settings_with(&targets)?;
    world.run(&["reload"]).await?.expect_code(0)?;
    world.shm(2)?.stop()?;
    let message = named.wait_accepted(1).await?[0].json();
    ensure!(message["tags"] == json!(["warning"]) && message["title"] == "Yard", "{message}");
    asked.wait_accepted(2).await?;
    ensure!(other.push_count() == 0, "it asked for alarms alone");
    named.ensure_no_violations()?;
    asked.ensure_no_violations()
}

#[tokio::test]
async fn phones_and_targets_hear_of_the_same_alarm_and_apps_cannot_be_a_target() -> Result<()> {
    let (fcm, service) = (Fcm::start().await?, TargetPeer::ntfy().await?);
    let world = start(street().with_fcm(&fcm), &ntfy("guard", &service, "admin", "")).await?;
    let mut app = world.phone("android", PHONE).await?;
    let steal = json!({"event": "push", "data":
        {"type": "token", "platform": "android", "token": "target:guard", "state": "disabled"}});
    app.send(&steal).await?;
    app.expect(&json!({"event": "push", "type": "token", "status": "Fail", "reason": "BADTOKEN"})).await?;
    let guard = listed(&world, "@guard").await?.context("no @guard")?;
    ensure!(guard["state"] == "enabled" && guard["platform"] == "target", "{guard}");
    world.alarm(1, 1).await?;
    world.wait_delivery("@guard", 1, "sent").await?;
    fcm.messages.wait_pushes_to(PHONE, 1).await?;
    let exported = world.run(&["tokens", "export"]).await?.expect_code(0)?.stdout;
    ensure!(exported.contains(PHONE) && !exported.contains("target:"), "{exported}");
    let list = world.run(&["tokens", "list", "--platform", "target", "-q"]).await?.expect_code(0)?;
    ensure!(list.stdout.trim() == "@guard", "{}", list.stdout);
    service.ensure_no_violations()
}

/// Every command that shows targets.
const ASKED: [&str; 18] = [
    "status",
    "tokens list",
    "tokens show @guard",
    "tokens show @bot --reveal",
    "tokens log @red",
    "why 1",
    "push queue",
    "push check",
    "push check @bot",
    "check push",
    "check all",
    "doctor",
    "doctor @guard",
    "config show",
    "config check",
    "reload",
    "troubles",
    "latency",
];

/// Runs commands with and without --json, and as an observer; returns all their output.
async fn ask(world: &World, lines: &[&str]) -> Result<String> {
    let mut said = String::new();
    for line in lines {
        let arguments: Vec<&str> = line.split(' ').collect();
        let script: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        for arguments in [&arguments, &script] {
            let output = world.run(arguments).await?;
            ensure!(output.code != 2, "no such command: {output:#?}");
            said.extend([output.stdout, output.stderr]);
            if nix::unistd::Uid::effective().is_root() {
                let output = world.ctl().run_as(65534, 0, arguments).await?;
                said.extend([output.stdout, output.stderr]);
            }
        }
    }
    Ok(said)
}

#[tokio::test]
async fn topics_tokens_and_paths_are_printed_nowhere() -> Result<()> {
    let (guard, hook, bot) =
        (TargetPeer::ntfy().await?, TargetPeer::webhook().await?, TargetPeer::telegram().await?);
    let headers = format!("headers = {{ X-Key = \"{HEADER}\" }}");
    let targets =
        [ntfy("guard", &guard, "admin", ""), webhook("red", &hook, &headers), telegram("bot", &bot)];
    let mut world = start(street().setting("log", "level", "\"trace\""), &targets.concat()).await?;
    let secrets = [
        TargetPeer::TOPIC,
        TargetPeer::NTFY_TOKEN,
        TargetPeer::HOOK_PATH,
        TargetPeer::HOOK_TOKEN,
        TargetPeer::BOT_TOKEN,
        SECRET,
        KEY,
        HEADER,
    ];
    // Each service echoes all that it received.
    let told: [(&TargetPeer, &[&str]); 3] = [
        (&guard, &[TargetPeer::TOPIC, TargetPeer::NTFY_TOKEN]),
        (&hook, &[TargetPeer::HOOK_PATH, TargetPeer::HOOK_TOKEN, SECRET, HEADER]),
        (&bot, &[TargetPeer::BOT_TOKEN]),
    ];
    for (service, told) in told {
        let said = json!({"error": told.join(" "), "description": told.join(" ")});
        let echo = Behaviour::Answer(Answer::json(403, &said));
        service.answer_next(3, &echo);
        service.always_on(Route::Probe, echo);
    }
    world.alarm(1, 1).await?;
    for handle in ["@guard", "@red"] {
        wait_until("the service has refused", async || {
            let delivery = world.delivery(handle, 1).await?;
            Ok(delivery.filter(|delivery| delivery["attempts"].as_u64() >= Some(1)))
        })
        .await?;
    }
    world.wait_delivery("@bot", 1, "failed").await?;
    let bundle = world.path("report.tar.gz");
    let report = format!("report --output {}", bundle.display());
    let lines: Vec<&str> = ASKED.into_iter().chain([report.as_str()]).collect();
    let mut said = ask(&world, &lines).await?;
    let unpacked = Command::new("tar").args(["-xzOf", &bundle.to_string_lossy()]).output().context("tar")?;
    ensure!(unpacked.status.success() && !unpacked.stdout.is_empty(), "the report cannot be read");
    said.push_str(&String::from_utf8_lossy(&unpacked.stdout));
    world.daemon()?.end(Signal::SIGTERM).await?;
    said.push_str(&world.daemon()?.log());
    ensure!(said.contains("TRACE"), "the log is not at trace");
    for secret in secrets {
        let line = said.lines().find(|line| line.contains(secret));
        ensure!(line.is_none(), "{secret} was printed: {line:?}");
    }
    Ok(())
}
