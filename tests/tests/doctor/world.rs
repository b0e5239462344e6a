//! The world in which faults are planted, and how its doctor is asked.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::standin::PushProxy;
use zmes_tests::{AppClient, Database, MetricsPlace, World, WorldBuilder};

/// Amy's phone.
pub(crate) const PHONE: &str = "fcm:APA91b-a-phone-in-the-pocket";

/// A world without anything to warn of: its group of admins exists everywhere.
pub(crate) fn quiet_world() -> WorldBuilder {
    World::new().setting("control", "admin-group", "\"root\"")
}

/// Starts a world that serves metrics, which are compared with what doctor says.
pub(crate) async fn open(builder: WorldBuilder) -> Result<World> {
    let mut world = builder.prepare().await?;
    world.observe()?;
    world.start_daemon().await?;
    Ok(world)
}

/// Two cameras and a way to phones.
pub(crate) fn house(proxy: &PushProxy) -> WorldBuilder {
    quiet_world().monitor(1, "Garage").monitor(2, "Yard").with_push_proxy(proxy)
}

/// Asks, expects that exit code, and returns the answer, in which no secret may be.
pub(crate) async fn doctor(world: &World, line: &str, code: i32) -> Result<Value> {
    let arguments: Vec<&str> =
        ["doctor"].into_iter().chain(line.split_whitespace()).chain(["--json"]).collect();
    let answer = world.run(&arguments).await?.expect_code(code)?;
    for secret in [Database::PASSWORD, World::AUTH_SECRET, PushProxy::APP_KEY, PHONE] {
        ensure!(!answer.stdout.contains(secret) && !answer.stderr.contains(secret), "{secret}: {answer:#?}");
    }
    answer.json()
}

/// Returns the first red finding as (step, detail, hint).
pub(crate) fn first_red(answer: &Value) -> Result<(String, String, String)> {
    let findings = answer["findings"].as_array().with_context(|| format!("no findings: {answer}"))?;
    let red = findings.iter().find(|finding| finding["ok"] == false);
    let red = red.with_context(|| format!("nothing is red: {answer:#}"))?;
    ensure!(answer["ok"] == false && red["severity"] == "error", "{answer}");
    let text =
        |member: &str| red[member].as_str().map(str::to_owned).with_context(|| format!("no {member}: {red}"));
    Ok((text("step")?, text("detail")?, text("hint")?))
}

/// Asks, and expects that this step is the first that is red, with these words in sentence and hint.
pub(crate) async fn ails(world: &World, line: &str, step: &str, detail: &str, hint: &str) -> Result<String> {
    let answer = doctor(world, line, 1).await?;
    let found = first_red(&answer)?;
    if line.is_empty() {
        agree(world, &answer).await?;
    }
    ensure!(found.0 == step, "{found:?} instead of {step}: {answer:#}");
    ensure!(found.1.contains(detail), "no `{detail}` in {found:?}");
    ensure!(found.2.contains(hint), "no `{hint}` in {found:?}");
    Ok(found.2)
}

/// Asks, and expects that nothing is red.
pub(crate) async fn is_well(world: &World, line: &str) -> Result<Value> {
    let answer = doctor(world, line, 0).await?;
    ensure!(answer["ok"] == true, "{answer:#}");
    if line.is_empty() {
        agree(world, &answer).await?;
    }
    Ok(answer)
}

/// Registers a phone for these monitors; the app stays connected.
pub(crate) async fn phone(world: &World, token: &str, monitors: &str, intervals: &str) -> Result<AppClient> {
    let mut app = world.admin().await?;
    app.send(&json!({"event": "push", "data": {"type": "token", "platform": "android", "token": token,
        "state": "enabled", "monlist": monitors, "intlist": intervals}}))
        .await?;
    app.sync().await?;
    world.wait_token(token, "registered", |_| true).await?;
    Ok(app)
}

/// Fails unless `check all`, `status` and the metrics agree with doctor on the level and the worst finding.
pub(crate) async fn agree(world: &World, doctor: &Value) -> Result<()> {
    let findings = doctor["findings"].as_array().context("no findings")?;
    let first = |severity: &str| findings.iter().find(|finding| finding["severity"] == severity);
    let worst = first("error").or_else(|| first("warning"));
    let severity = worst.map_or("ok", |worst| worst["severity"].as_str().unwrap_or_default());
    let code = i32::from(severity != "ok");
    let all = world.run(&["check", "all", "--json"]).await?.expect_code(code)?.json()?;
    ensure!(all["severity"] == severity && all["ok"] == (code == 0), "{severity} in doctor: {all:#}");
    let plugin = world.run(&["check", "all", "--nagios"]).await?;
    let codes = [("ok", 0), ("warning", 1), ("error", 2)];
    ensure!(codes.contains(&(severity, plugin.code)), "{severity} in doctor: {plugin:#?}");
    let status = world.status().await?;
    let step = worst.map(|worst| [&worst["step"], &worst["severity"]]);
    let named = status.get("worst").map(|worst| [&worst["step"], &worst["severity"]]);
    ensure!(named == step, "{step:?} in doctor, in status {named:?}: {status:#}");
    let socket = world.path("metrics.sock");
    if socket.exists() {
        let metrics = MetricsPlace::Socket(socket).metrics().await?;
        let errors = metrics.value("zmesd_findings{severity=\"error\"}")?;
        let warnings = metrics.value("zmesd_findings{severity=\"warning\"}")?;
        let judged = if errors > 0.0 {
            "error"
        } else if warnings > 0.0 {
            "warning"
        } else {
            "ok"
        };
        ensure!(judged == severity, "{severity} in doctor, {errors} and {warnings} in the metrics");
    }
    Ok(())
}
