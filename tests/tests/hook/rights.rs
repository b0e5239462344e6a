//! Which user's alarms a hook receives.

use anyhow::{Result, ensure};
use zmes_tests::UserRow;

use crate::stage::{Place, Run, garage, quiet, wait_log};

#[tokio::test]
async fn a_user_bounds_what_is_run_by_the_rights_of_the_moment() -> Result<()> {
    let world = garage().user(UserRow::new("bob", "pw").monitor_ids("2")).start().await?;
    let place = Place::of(&world)?;
    let script = place.records()?;
    let _hook = place.follow(&world, "log", &["--user", "bob", "--", &script]).await?;
    let chosen =
        ["--monitor", "Garage", "--monitor", "2", "--", "/bin/sh", "-c", "echo $ZMES_EVENT >>$OUT/all"];
    let _all = place.follow(&world, "all", &chosen).await?;
    world.alarm(1, 100).await?;
    world.alarm(2, 101).await?;
    place.wait_runs(1).await?;
    quiet(&world, 1, 100).await?;
    // An admin gives him the garage, too.
    world.database.sql("UPDATE Users SET MonitorIds='1,2' WHERE Username='bob'").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    world.alarm(1, 102).await?;
    let runs = place.wait_runs(2).await?;
    assert_eq!(runs.iter().map(Run::event).collect::<Vec<_>>(), [101, 102]);
    let mut all = place.wait_lines("all", 3).await?;
    all.sort();
    assert_eq!(all, ["100", "101", "102"]);

    let nobody = world.run(&["hook", "--user", "bobby", "--", "true"]).await?.expect_code(4)?;
    ensure!(nobody.stderr.contains("no user of ZoneMinder is called bobby"), "{nobody:#?}");
    let nowhere = world.run(&["hook", "--monitor", "Garag", "--", "true"]).await?.expect_code(4)?;
    ensure!(nowhere.stderr.contains("did you mean Garage (1)?"), "{nowhere:#?}");
    Ok(())
}

#[tokio::test]
async fn programs_read_its_lines_as_json() -> Result<()> {
    let world = garage().start().await?;
    let place = Place::of(&world)?;
    let hook = place.hook(&world, "log", &["--jsonl", "--", "/bin/sh", "-c", "echo no siren >&2; exit 3"])?;
    wait_log(&hook, r#"{"type":"following","command":"/bin/sh"}"#).await?;
    world.alarm(1, 100).await?;
    let log = wait_log(&hook, r#""type":"run""#).await?;
    let line = log.lines().find(|line| line.contains(r#""type":"run""#)).unwrap_or_default();
    let mut line: serde_json::Value = serde_json::from_str(line)?;
    ensure!(line["took_ms"].is_u64() && line["id"].as_str().is_some_and(|id| id.len() == 26), "{line}");
    line["took_ms"] = 0.into();
    line["id"] = "".into();
    assert_eq!(
        line,
        serde_json::json!({"type": "run", "id": "", "event_type": "alarm_start", "monitor": "Garage", "event": 100,
            "ended": "exited", "code": 3, "took_ms": 0, "stderr": "no siren"})
    );
    Ok(())
}
