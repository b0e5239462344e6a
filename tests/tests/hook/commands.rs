//! What a command receives, and how one that misbehaves is handled.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;
use zmes_tests::{EventRow, World, includes, jpeg, wait_until};

use crate::stage::{Place, Run, garage, quiet, wait_gone, wait_log};

/// A name and a cause that a shell would run.
const HOSTILE: &str = "Ga'ra\"ge $(touch PLANTED) `touch PLANTED`; touch PLANTED &\nx";

#[tokio::test]
async fn a_command_is_told_on_stdin_and_in_its_environment_what_watch_tells() -> Result<()> {
    let world = garage().start().await?;
    let place = Place::of(&world)?;
    let script = place.records()?;
    let mut watch = world.ctl().stream(&["watch", "--jsonl", "--type", "alarm"])?;
    let mut hook = place.follow(&world, "log", &["--", &script, "one", "two words"]).await?;
    world.alarm(1, 32_910).await?;
    let runs = place.wait_runs(1).await?;
    let line = watch.next().await?.context("no line")?;
    let run = &runs[0];
    let at = run.message["at"].as_str().context("no time")?;
    ensure!(at.len() == "2026-11-02T10:00:07.512Z".len() && at.ends_with('Z'), "{at}");
    ensure!(line["at"].as_str().is_some_and(|live| live.starts_with(&at[..23])), "{at}: {line}");
    let id = run.id();
    ensure!(id.len() == 26 && id.bytes().all(|digit| digit.is_ascii_alphanumeric()), "{id}");
    assert_eq!(
        run.message,
        json!({"v": 1, "event_type": "alarm_start", "id": id, "at": at, "late": false,
            "monitor": {"id": 1, "name": "Garage"}, "event": 32_910, "cause": "Motion"})
    );
    let variable = |name: &str| run.environment.get(name).map(String::as_str);
    for (name, value) in [
        ("ZMES_EVENT", "32910"),
        ("ZMES_MONITOR", "1"),
        ("ZMES_MONITOR_NAME", "Garage"),
        ("ZMES_CAUSE", "Motion"),
        ("ZMES_PHASE", "start"),
        ("ZMES_ID", id.as_str()),
    ] {
        assert_eq!(variable(name), Some(value), "{name}");
    }
    assert_eq!(run.arguments, ["one", "two words"]);
    wait_log(&hook, "alarm_start Garage, event 32910: done in").await?;

    // A test alarm is one, and says so.
    world.run(&["alarm", "test", "--monitor", "2"]).await?.expect_code(0)?;
    let runs = place.wait_runs(2).await?;
    let test = runs.iter().find(|run| run.message["event_type"] == "test").context("no test")?;
    assert_eq!(test.environment.get("ZMES_PHASE").map(String::as_str), Some("test"));
    let status = hook.end(Signal::SIGTERM).await?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn an_end_runs_it_after_its_start_and_once() -> Result<()> {
    let world = garage().start().await?;
    let place = Place::of(&world)?;
    let script = place.records()?;
    let cursor = place.cursor();
    let arguments = ["--on", "start,end", "--cursor", cursor.as_str(), "--", script.as_str()];
    let mut hook = place.follow(&world, "log", &arguments).await?;
    world.alarm(1, 100).await?;
    place.wait_runs(1).await?;
    quiet(&world, 1, 100).await?;
    let runs = place.wait_runs(2).await?;
    let end = &runs[1];
    let expected =
        json!({"v": 1, "event_type": "alarm_end", "monitor": {"id": 1, "name": "Garage"}, "event": 100});
    ensure!(includes(&end.message, &expected) && end.message["duration"].is_u64(), "{end:?}");
    assert_eq!(
        (end.environment["ZMES_PHASE"].as_str(), end.environment["ZMES_EVENT"].as_str()),
        ("end", "100")
    );
    // From the record it has the id that it had live.
    wait_log(&hook, "alarm_end Garage, event 100: done").await?;
    ensure!(hook.end(Signal::SIGTERM).await?.success());
    world.alarm(2, 101).await?;
    let _hook = place.follow(&world, "again", &arguments).await?;
    let runs = place.wait_runs(3).await?;
    assert_eq!(runs.iter().map(Run::event).collect::<Vec<_>>(), [100, 100, 101]);
    Ok(())
}

#[tokio::test]
async fn names_never_reach_a_shell_and_are_single_arguments() -> Result<()> {
    let world = World::new().monitor(1, HOSTILE).monitor(2, "--help").start().await?;
    let place = Place::of(&world)?;
    let script = place.records()?;
    let _hook = place.follow(&world, "log", &["--es-arguments", "--", &script, "fixed"]).await?;
    let row = EventRow::new(7, 1).cause("'$(touch PLANTED)`touch P`");
    world.shm(1)?.alarm(7, "Motion $(touch PLANTED)", async || world.insert_event(row.clone()).await).await?;
    world.alarm(2, 8).await?;
    let runs = place.wait_runs(2).await?;
    for run in &runs {
        let name = run.message["monitor"]["name"].as_str().context("no name")?;
        let cause = run.message["cause"].as_str().context("no cause")?;
        let event = run.event().to_string();
        let monitor = run.message["monitor"]["id"].to_string();
        // The order of the old server: event, monitor, its name, the cause.
        assert_eq!(run.arguments, ["fixed", &event, &monitor, name, cause]);
        assert_eq!(run.environment["ZMES_MONITOR_NAME"], name);
        assert_eq!(run.environment["ZMES_CAUSE"], cause);
        ensure!(!name.contains('\n') && !cause.contains('\n'), "{run:?}");
    }
    let hostile = runs.iter().find(|run| run.event() == 7).context("no run")?;
    ensure!(hostile.arguments[3].contains("Ga'ra\"ge $(touch PLANTED) `touch PLANTED`"), "{hostile:?}");
    for directory in [world.directory().to_owned(), place.path("out"), std::env::current_dir()?] {
        ensure!(!directory.join("PLANTED").exists(), "a shell ran a name: {}", directory.display());
    }
    Ok(())
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_with_all_that_it_started() -> Result<()> {
    let world = garage().start().await?;
    let place = Place::of(&world)?;
    // It and its child ignore SIGTERM; a second child waits in the background of a command that ends.
    let script = place.script(
        "hangs",
        "#!/bin/sh\n\
         if [ \"$ZMES_MONITOR\" = 1 ]; then trap '' TERM; fi\n\
         sleep 60 &\n\
         echo \"$$ $!\" >>\"$OUT/pids.$ZMES_MONITOR\"\n\
         [ \"$ZMES_MONITOR\" = 2 ] || wait\n",
    )?;
    let hook = place.follow(&world, "log", &["--timeout", "1s", "--", &script]).await?;
    world.alarm(1, 100).await?;
    world.alarm(2, 101).await?;
    for monitor in [1, 2] {
        for pid in place.wait_lines(&format!("pids.{monitor}"), 1).await?[0].split(' ') {
            wait_gone(pid).await?;
        }
    }
    wait_log(&hook, "alarm_start Garage, event 100: ended after").await?;
    let log = wait_log(&hook, "alarm_start Yard, event 101: ended after").await?;
    ensure!(log.contains("it took longer than --timeout"), "{log}");
    // Its monitor is free for the next one.
    quiet(&world, 1, 100).await?;
    world.alarm(1, 102).await?;
    place.wait_lines("pids.1", 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_command_that_fails_or_floods_is_told_in_a_line() -> Result<()> {
    let world = garage().start().await?;
    let place = Place::of(&world)?;
    // It does not read its input either.
    let script = place.script(
        "floods",
        "#!/bin/sh\n\
         exec <&-\n\
         [ \"$ZMES_MONITOR\" = 1 ] || kill -KILL $$\n\
         yes 'no siren here' | head -c 5000000 >&2\n\
         printf 'the \\033[31mend' >&2\n\
         exit 3\n",
    )?;
    let hook = place.follow(&world, "log", &["--", &script]).await?;
    world.alarm(1, 100).await?;
    let log = wait_log(&hook, "event 100: failed with exit code 3 after").await?;
    ensure!(log.contains("no siren here") && log.contains("the \\u{1b}[31mend"), "{log}");
    ensure!(log.len() < 4096, "{} bytes", log.len());
    world.alarm(2, 101).await?;
    wait_log(&hook, "event 101: killed by signal 9 after").await?;
    Ok(())
}

#[tokio::test]
async fn a_command_that_cannot_run_is_said_at_the_start() -> Result<()> {
    let world = garage().start().await?;
    let place = Place::of(&world)?;
    let plain = place.path("plain");
    std::fs::write(&plain, "#!/bin/sh\n")?;
    let plain = plain.display().to_string();
    for (command, why) in [
        ("/nowhere/on-alarm", "cannot run /nowhere/on-alarm: there is no such file"),
        ("no-such-command-anywhere", "there is no such file"),
        (plain.as_str(), "this user may not execute it"),
        ("/usr", "it is a directory"),
    ] {
        let refused = world.run(&["hook", "--", command]).await?.expect_code(2)?;
        ensure!(refused.stderr.contains(why) && refused.stderr.contains("hint: "), "{refused:#?}");
    }
    let both = world.run(&["hook", "--es-arguments", "--on", "start,trouble", "--", "true"]).await?;
    ensure!(both.expect_code(2)?.stderr.contains("--es-arguments cannot be used with --on trouble"));
    world.run(&["hook", "true"]).await?.expect_code(2)?;
    // An executable file that is not a program: each run reports it, and the hook continues.
    let empty = place.script("nothing", "just text\n")?;
    let hook = place.follow(&world, "log", &["--", &empty]).await?;
    world.alarm(1, 100).await?;
    wait_log(
        &hook,
        "event 100: could not start: it is no program: a script begins with a line such as #!/bin/sh",
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn runs_of_one_monitor_follow_each_other_and_too_many_are_dropped() -> Result<()> {
    let world = garage().setting("zoneminder", "realarm-interval", "\"1s\"").start().await?;
    let place = Place::of(&world)?;
    let script = place.script(
        "slow",
        "#!/bin/sh\n\
         echo \"begin $ZMES_MONITOR\" >>\"$OUT/order\"\n\
         while [ -d \"$OUT\" ] && [ ! -e \"$OUT/go\" ]; do sleep 0.05; done\n\
         echo \"end $ZMES_MONITOR\" >>\"$OUT/order\"\n",
    )?;
    let hook = place.follow(&world, "log", &["--", &script]).await?;
    for event in 100..104 {
        world.run(&["alarm", "test", "--monitor", "1"]).await?.expect_code(0)?;
        world.alarm(2, event).await?;
        quiet(&world, 2, event).await?;
    }
    place.wait_lines("order", 2).await?;
    std::fs::write(place.path("out/go"), "")?;
    let order = place.wait_lines("order", 16).await?;
    for monitor in ["1", "2"] {
        let own = order.iter().filter(|line| line.ends_with(monitor)).map(|line| line.starts_with("begin"));
        assert!(own.enumerate().all(|(index, begins)| begins == (index % 2 == 0)), "{order:?}");
    }
    let first: Vec<_> = order.iter().take(2).map(String::as_str).collect();
    ensure!(first.contains(&"begin 1") && first.contains(&"begin 2"), "side by side: {order:?}");
    // More than can wait, while the first one runs.
    std::fs::remove_file(place.path("out/go"))?;
    for _ in 0..260 {
        world.run(&["-q", "alarm", "test", "--monitor", "1"]).await?.expect_code(0)?;
    }
    wait_log(&hook, "dropped, because more than 256 wait; 3 dropped so far").await?;
    Ok(())
}

#[tokio::test]
async fn a_command_gets_the_picture_of_its_alarm_in_a_file_that_vanishes() -> Result<()> {
    let world = garage().start().await?;
    let place = Place::of(&world)?;
    let files = "echo \"$ZMES_EVENT:$ZMES_PICTURE_FILE\" >>\"$OUT/files\"";
    let copy = "[ -z \"$ZMES_PICTURE_FILE\" ] || cp \"$ZMES_PICTURE_FILE\" \"$OUT/picture.$ZMES_EVENT\"";
    let script = place.script("pictured", &format!("#!/bin/sh\n{copy}\n{files}\n"))?;
    std::fs::create_dir_all(world.path("events"))?;
    let mut hook = place.follow(&world, "log", &["--picture-wait", "10s", "--", &script]).await?;
    // ZoneMinder writes it after the alarm.
    world.alarm(1, 10).await?;
    std::fs::write(world.event_directory(1, 10).await?.join("alarm.jpg"), jpeg(300_000, b'a'))?;
    let told = place.wait_lines("files", 1).await?.remove(0);
    let file = told.strip_prefix("10:").context("another event")?;
    ensure!(std::path::Path::new(file).extension().is_some_and(|kind| kind == "jpg"), "{told}");
    ensure!(std::fs::read(place.path("out/picture.10"))? == jpeg(300_000, b'a'));
    wait_until("the file is removed", async || Ok((!std::path::Path::new(file).exists()).then_some(())))
        .await?;

    // The disk is away: the command runs all the same, without a picture.
    std::fs::rename(world.path("events"), world.path("away"))?;
    world.alarm(2, 11).await?;
    let told = place.wait_lines("files", 2).await?;
    ensure!(told[1] == "11:", "{told:?}");
    std::fs::rename(world.path("away"), world.path("events"))?;
    world.end_alarm(2, 11).await?;
    world.alarm(2, 12).await?;
    std::fs::write(world.event_directory(2, 12).await?.join("alarm.jpg"), jpeg(5000, b'b'))?;
    place.wait_lines("files", 3).await?;
    ensure!(std::fs::read(place.path("out/picture.12"))? == jpeg(5000, b'b'));
    // A test has no event of ZoneMinder.
    world.run(&["alarm", "test", "--monitor", "1"]).await?.expect_code(0)?;
    let told = place.wait_lines("files", 4).await?;
    ensure!(told[3].ends_with(':'), "{told:?}");
    ensure!(hook.end(Signal::SIGTERM).await?.success());
    Ok(())
}
