//! What scripts rely on, for every command alike: one JSON document, JSON lines, silence, exit codes; and selections that
//! change what lists show.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::command_lines::{COMMAND_LINES, Prints, Things, ensure_none_is_missing};
use zmes_tests::standin::PushProxy;
use zmes_tests::{CtlOutput, UserRow, World, WorldBuilder, includes};

const EVENT: u64 = 32_910;

fn street(proxy: &PushProxy) -> WorldBuilder {
    World::new()
        .monitor(1, "Front")
        .monitor(2, "Yard")
        .user(UserRow::new("bob", "pw"))
        .with_push_proxy(proxy)
        .setting("control", "admin-group", "\"root\"")
}

async fn run(world: &World, arguments: &[String], more: &[&str]) -> Result<CtlOutput> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    world.run(&arguments).await
}

fn is_json_lines(text: &str) -> bool {
    text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())
}

#[tokio::test]
async fn every_command_speaks_to_people_and_to_programs() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = street(&proxy).start().await?;
    ensure_none_is_missing(&world.ctl()).await?;
    let (mut things, mut app) = Things::of(&world, EVENT).await?;
    for forms in [&[][..], &["--json"], &["--jsonl"], &["-q"], &["-q", "--json"]] {
        for line in COMMAND_LINES {
            let output = run(&world, &things.arguments(line.line), forms).await?;
            let told = || format!("{} {forms:?}: {output:#?}", line.line);
            ensure!(output.code == 0 && output.stderr.is_empty(), told());
            let quiet = forms.contains(&"-q");
            let right = match (line.prints, forms) {
                (Prints::Answer | Prints::Stream, _) if quiet => output.stdout.is_empty(),
                (Prints::Stream, ["--json" | "--jsonl"]) => {
                    output.stdout.lines().count() == 4 && is_json_lines(&output.stdout)
                }
                // A file is what it is.
                (Prints::Document, _) if line.line.starts_with("completions") => !output.stdout.is_empty(),
                (_, [.., "--json"]) => output.json()?.is_object(),
                (_, ["--jsonl"]) => is_json_lines(&output.stdout),
                (Prints::List, ["-q"]) => output.stdout.lines().all(|line| !line.contains(' ')),
                (Prints::Document, ["-q"]) => !output.stdout.is_empty(),
                (_, _) => !output.stdout.is_empty() && !output.stdout.contains('\u{1b}'),
            };
            ensure!(right, told());
            let reveals = line.line.contains("--reveal") || line.line.contains("export");
            ensure!(reveals || !output.stdout.contains(things.secret()), told());
        }
        // The last line has disconnected the app.
        drop(app);
        app = world.admin().await?;
        things.take_newest_client(&world.ctl()).await?;
    }
    Ok(())
}

/// Returns how many tokens a list shows, and their handles as `-q` prints them.
async fn listed(world: &World, selection: &[&str]) -> Result<Vec<String>> {
    let arguments: Vec<&str> = ["tokens", "list", "-q"].iter().chain(selection).copied().collect();
    let output = world.run(&arguments).await?.expect_code(0)?;
    Ok(output.stdout.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn what_a_list_selects_a_change_changes() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = street(&proxy).start().await?;
    let (android, ios) = ("script:APA91bHPRgkF-android", "script:APA91bHPRgkF-ios");
    let _phones = (world.phone("android", android).await?, world.phone("ios", ios).await?);
    let mut bob = world.login("bob", "pw").await?;
    let token = json!({"type": "token", "platform": "android", "token": "script:APA91bHPRgkF-bob",
                       "state": "enabled", "monlist": "2", "intlist": "0"});
    bob.send(&json!({"event": "push", "data": token})).await?;
    bob.sync().await?;
    let (android, ios) = (world.handle(android).await?, world.handle(ios).await?);
    let bobs = world.handle("script:APA91bHPRgkF-bob").await?;

    assert_eq!(listed(&world, &["--user", "b*"]).await?, std::slice::from_ref(&bobs));
    assert_eq!(listed(&world, &["--platform", "ios"]).await?, std::slice::from_ref(&ios));
    assert_eq!(listed(&world, &["--monitor", "Front"]).await?, [android.clone(), ios.clone()]);
    assert_eq!(listed(&world, &["--monitor", "2"]).await?.len(), 3);
    assert_eq!(listed(&world, &["--stale", "60d"]).await?, Vec::<String>::new());
    // An unknown name is not found, and the error suggests similar ones.
    let unknown = world.run(&["tokens", "list", "--monitor", "Fornt"]).await?.expect_code(4)?;
    ensure!(unknown.stderr.contains("did you mean Front (1)?"), "{unknown:#?}");

    // Without a terminal nobody can confirm, so nothing happens without --yes.
    let refused = world.run(&["tokens", "mute", "--user", "b*"]).await?.expect_code(2)?;
    ensure!(refused.stderr.contains("--yes"), "{refused:#?}");
    for line in [
        &["tokens", "revoke", "--json"][..],
        &["tokens", "revoke", &ios, "--all", "--yes"],
        &["tokens", "mute", &ios, "--user", "b*", "--yes"],
        &["clients", "disconnect", "--yes"],
        &["clients", "disconnect", "1", "--all", "--yes"],
    ] {
        world.run(line).await?.expect_code(2)?;
    }
    let muted = world.ctl().json(&["tokens", "mute", "--user", "b*", "--for", "1h", "--yes"]).await?;
    ensure!(
        includes(&muted, &json!({"change": "muted", "count": 1, "tokens": [{"handle": bobs}]})),
        "{muted}"
    );
    assert_eq!(listed(&world, &["--state", "muted"]).await?, std::slice::from_ref(&bobs));
    world.run(&["tokens", "unmute", "--state", "muted", "--yes"]).await?.expect_code(0)?;
    assert_eq!(listed(&world, &["--state", "muted"]).await?, Vec::<String>::new());
    let several =
        world.run(&["tokens", "mute", &android, "ffffffff", "--json"]).await?.expect_code(7)?.json()?;
    ensure!(several["count"] == 1 && several["failed"][0]["code"] == "not_found", "{several}");

    // Of the stale tokens only the matching ones are revoked, and they can be restored from the list.
    let arguments = ["tokens", "prune", "--stale", "1ms", "--platform", "ios"];
    let dry = world.ctl().json(&[&arguments[..], &["--dry-run"]].concat()).await?;
    ensure!(includes(&dry, &json!({"dry_run": true, "count": 1, "tokens": [{"handle": ios}]})), "{dry}");
    world.run(&[&arguments[..], &["--yes"]].concat()).await?.expect_code(0)?;
    world.run(&["tokens", "revoke", "--user", "bob", "--yes"]).await?.expect_code(0)?;
    let mut gone = listed(&world, &["--state", "revoked"]).await?;
    gone.sort();
    let mut expected = [ios.clone(), bobs.clone()];
    expected.sort();
    assert_eq!(gone, expected);
    let back: Vec<&str> = ["tokens", "restore"].into_iter().chain(gone.iter().map(String::as_str)).collect();
    let restored = world.ctl().json(&back).await?;
    ensure!(includes(&restored, &json!({"change": "restored", "count": 2, "failed": []})), "{restored}");
    assert_eq!(listed(&world, &[]).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn clients_are_disconnected_by_number_by_user_or_all_at_once() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = street(&proxy).start().await?;
    let mut admins = [world.admin().await?, world.admin().await?];
    let mut bob = world.login("bob", "pw").await?;
    let dry = world.ctl().json(&["clients", "disconnect", "--user", "bob", "--dry-run"]).await?;
    ensure!(dry["dry_run"] == true && dry["disconnected"][0]["user"] == "bob", "{dry}");
    bob.sync().await?;
    let done = world.ctl().json(&["clients", "disconnect", "--user", "b*", "--yes"]).await?;
    ensure!(done["disconnected"].as_array().map(Vec::len) == Some(1), "{done}");
    ensure!(matches!(bob.next().await?, zmes_tests::Incoming::Closed(_)));
    for admin in &mut admins {
        admin.sync().await?;
    }
    let ids = world.run(&["clients", "list", "-q"]).await?.expect_code(0)?.stdout;
    let first = ids.lines().next().context("no client")?;
    // One exists, one does not: partly done.
    let partly =
        world.run(&["clients", "disconnect", first, "999", "--yes", "--json"]).await?.expect_code(7)?;
    let partly = partly.json()?;
    ensure!(partly["failed"][0]["id"] == 999 && partly["failed"][0]["code"] == "not_found", "{partly}");
    world.run(&["clients", "disconnect", "998", "999", "--yes"]).await?.expect_code(4)?;
    world.run(&["clients", "disconnect", "--all", "--yes"]).await?.expect_code(0)?;
    let none = world.ctl().json(&["clients", "list"]).await?;
    ensure!(none["clients"] == json!([]), "{none}");
    Ok(())
}

#[tokio::test]
async fn a_monitoring_system_reads_one_line_with_numbers_and_four_exit_codes() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = street(&proxy).start().await?;
    let first_line = |output: &CtlOutput| output.stdout.lines().next().unwrap_or_default().to_owned();
    let tls = world.run(&["check", "tls", "--within", "14d", "--nagios"]).await?.expect_code(0)?;
    let line = first_line(&tls);
    ensure!(line.starts_with("ZMESD OK - tls: ") && line.contains(" | tls_days="), "{line}");
    ensure!(line.ends_with(";14:;0:"), "{line}");
    let soon = world.run(&["check", "tls", "--within", "1000000d", "--nagios"]).await?.expect_code(1)?;
    ensure!(first_line(&soon).starts_with("ZMESD WARNING - tls: "), "{soon:#?}");
    let all = world.run(&["check", "all", "--nagios"]).await?.expect_code(0)?;
    let numbers =
        first_line(&all).split_once(" | ").map(|(_, numbers)| numbers.to_owned()).context("no numbers")?;
    for number in
        ["clients=", "monitors=2", "monitors_failed=0;0;0", "db=", "push=", "push_ways=1", "store_size="]
    {
        ensure!(numbers.split(' ').any(|one| one.starts_with(number)), "{number} in {numbers}");
    }
    assert_eq!(all.stdout.lines().count(), 13, "a line for each check: {all:#?}");

    // A red finding of doctor is critical, even for one camera of two; without --nagios the exit code is 1.
    for (monitor, word, severity, code) in [(2, "CRITICAL", "error", 2), (1, "CRITICAL", "error", 2)] {
        world.shm(monitor)?.stop()?;
        world.wait_monitor(monitor, "down", |monitor| monitor["healthy"] == false).await?;
        let shm = world.run(&["check", "shm", "--nagios"]).await?.expect_code(code)?;
        ensure!(first_line(&shm).starts_with(&format!("ZMESD {word} - shm: monitor ")), "{shm:#?}");
        let json = world.run(&["check", "shm", "--nagios", "--json"]).await?.expect_code(code)?.json()?;
        ensure!(includes(&json, &json!({"ok": false, "check": "shm", "severity": severity})), "{json}");
        world.run(&["check", "shm"]).await?.expect_code(1)?;
    }
    world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    let away = world.run(&["check", "ping", "--nagios"]).await?.expect_code(3)?;
    ensure!(first_line(&away).starts_with("ZMESD UNKNOWN - cannot reach zmesd at "), "{away:#?}");
    ensure!(away.stderr.is_empty(), "{away:#?}");
    let wrong = world.run(&["check", "pong", "--nagios"]).await?.expect_code(3)?;
    ensure!(first_line(&wrong).starts_with("ZMESD UNKNOWN - "), "{wrong:#?}");
    world.run(&["check", "ping"]).await?.expect_code(3)?;
    Ok(())
}
