//! The main job: an alarm in ZoneMinder's shared memory reaches every app that may see it, with the right id.

use anyhow::{Result, ensure};
use serde_json::json;
use zmes_tests::{EventRow, MonitorRow, Schema, State, UserRow, World, wait_until};

#[tokio::test]
async fn an_alarm_reaches_the_app_with_its_event_its_names_and_its_cause() -> Result<()> {
    let world = World::new().monitor(3, "Porch").start().await?;
    let mut app = world.admin().await?;
    world.alarm(3, 32910).await?;
    let event = json!({"EventId": "32910", "MonitorId": "3", "Name": "Porch", "MonitorName": "Porch", "Cause": "Motion"});
    let frame =
        app.expect(&json!({"event": "alarm", "type": "", "status": "Success", "events": [event]})).await?;
    assert_eq!(frame.get("late"), None);
    assert_eq!(frame.get("supplementary"), None);
    let status = world.status().await?;
    assert_eq!(status["events"], json!({"seen": 1, "reconciled": 0}));
    Ok(())
}

#[tokio::test]
async fn one_alarm_reaches_every_app_once() -> Result<()> {
    let world = World::new().monitor(1, "Front").monitor(2, "Yard").start().await?;
    let mut apps = Vec::new();
    for _ in 0..10 {
        apps.push(world.admin().await?);
    }
    world.alarm(1, 100).await?;
    world.alarm(2, 101).await?;
    for app in &mut apps {
        app.expect_alarm(100, 1).await?;
        app.expect_alarm(101, 2).await?;
        app.sync().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_filter_lets_through_what_it_names() -> Result<()> {
    let world = World::new().monitor(1, "Front").monitor(2, "Yard").start().await?;
    let mut all = world.admin().await?;
    let mut filtered = world.device("filtered").await?;
    filtered.filter(" 2 ,9,", "0,0,").await?;
    filtered.sync().await?;
    world.alarm(1, 10).await?;
    all.expect_alarm(10, 1).await?;
    world.alarm(2, 11).await?;
    all.expect_alarm(11, 2).await?;
    filtered.expect_alarm(11, 2).await?;

    // An empty list is all monitors again.
    filtered.filter("", "").await?;
    filtered.sync().await?;
    world.alarm(1, 12).await?;
    filtered.expect_alarm(12, 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_interval_holds_back_what_follows_too_soon() -> Result<()> {
    let world = World::new().monitor(1, "Front").monitor(2, "Yard").start().await?;
    let mut all = world.admin().await?;
    let mut slow = world.device("slow").await?;
    slow.filter("1,2", "3600,0").await?;
    slow.sync().await?;
    for event in 20..23 {
        world.alarm(1, event).await?;
        all.expect_alarm(event, 1).await?;
    }
    world.alarm(2, 30).await?;
    slow.expect_alarm(20, 1).await?;
    slow.expect_alarm(30, 2).await?;
    // The interval belongs to the device, not to the socket: it continues after a reconnect.
    drop(slow);
    let mut again = world.device("slow").await?;
    world.alarm(1, 40).await?;
    all.expect_alarm(30, 2).await?;
    all.expect_alarm(40, 1).await?;
    world.alarm(2, 41).await?;
    again.expect_alarm(41, 2).await?;
    Ok(())
}

#[tokio::test]
async fn an_interval_ends() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    let mut all = world.admin().await?;
    let mut slow = world.device("slow").await?;
    slow.filter("1", "1").await?;
    slow.sync().await?;
    world.alarm(1, 50).await?;
    all.expect_alarm(50, 1).await?;
    slow.expect_alarm(50, 1).await?;
    // One of the following is more than a second later; it comes, whichever it is.
    let mut event = 50;
    let frame = tokio::select! {
        frame = slow.next_json() => frame?,
        result = wait_until("the interval is over", async || {
            event += 1;
            world.alarm(1, event).await?;
            all.expect_alarm(event, 1).await?;
            Ok(None::<()>)
        }) => { result?; anyhow::bail!("the interval never ended") }
    };
    ensure!(frame["events"][0]["MonitorId"] == "1", "{frame}");
    Ok(())
}

#[tokio::test]
async fn a_user_sees_the_monitors_he_may_see_whatever_he_asks_for() -> Result<()> {
    let viewer = UserRow::new("viewer", "viewerpass").monitor_ids(" 1, 77");
    let world = World::new().monitor(1, "Front").monitor(2, "Yard").user(viewer).start().await?;
    let mut admin = world.admin().await?;
    let mut viewer = world.login("viewer", "viewerpass").await?;
    for (round, filter) in [None, Some("1,2"), Some("2"), Some("")].into_iter().enumerate() {
        if let Some(monitors) = filter {
            viewer.filter(monitors, "0,0").await?;
            viewer.sync().await?;
        }
        let event = 100 + 10 * round as u64;
        world.alarm(2, event).await?;
        admin.expect_alarm(event, 2).await?;
        world.alarm(1, event + 1).await?;
        admin.expect_alarm(event + 1, 1).await?;
        if filter == Some("2") {
            viewer.sync().await?;
        } else {
            viewer.expect_alarm(event + 1, 1).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn users_without_the_right_get_badauth() -> Result<()> {
    let world = World::new()
        .monitor(1, "Front")
        .user(UserRow::new("disabled", "pw").disabled())
        .user(UserRow::new("noapi", "pw").without_api())
        .user(UserRow::new("noevents", "pw").without_events())
        .start()
        .await?;
    for user in ["disabled", "noapi", "noevents"] {
        let mut app = world.app().await?;
        app.send_auth(user, "pw").await?;
        app.expect(&json!({"event": "auth", "type": "", "status": "Fail", "reason": "BADAUTH"})).await?;
        app.expect_close(1008).await?;
    }
    Ok(())
}

#[tokio::test]
async fn no_client_gets_alarms_before_it_authenticates() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    let mut witness = world.admin().await?;
    let mut stranger = world.app().await?;
    world.alarm(1, 5).await?;
    witness.expect_alarm(5, 1).await?;
    stranger.sync().await?;
    Ok(())
}

#[tokio::test]
async fn changed_rights_hold_from_the_next_reload_on() -> Result<()> {
    let amy = UserRow::new("amy", "pw").monitor_ids("1");
    let world = World::new().monitor(1, "Front").monitor(2, "Yard").user(amy).start().await?;
    let mut amy = world.login("amy", "pw").await?;
    let mut admin = world.admin().await?;
    world.alarm(2, 10).await?;
    admin.expect_alarm(10, 2).await?;
    world.database.sql("UPDATE Users SET MonitorIds='2' WHERE Username='amy'").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    world.alarm(1, 11).await?;
    admin.expect_alarm(11, 1).await?;
    world.alarm(2, 12).await?;
    amy.expect_alarm(12, 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_disabled_or_deleted_user_is_closed() -> Result<()> {
    let world = World::new()
        .monitor(1, "Front")
        .user(UserRow::new("amy", "pw"))
        .user(UserRow::new("bob", "pw"))
        .start()
        .await?;
    let mut admin = world.admin().await?;
    let mut amy = world.login("amy", "pw").await?;
    let mut bob = world.login("bob", "pw").await?;
    world.database.sql("UPDATE Users SET Enabled=0 WHERE Username='amy'").await?;
    world.database.sql("DELETE FROM Users WHERE Username='bob'").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    amy.expect_close(1008).await?;
    bob.expect_close(1008).await?;
    world.alarm(1, 7).await?;
    admin.expect_alarm(7, 1).await?;
    Ok(())
}

#[tokio::test]
async fn monitors_come_and_go() -> Result<()> {
    let late = MonitorRow::new(2, "Yard").function("None");
    let world = World::new().monitor(1, "Front").camera(late).prepare().await?;
    let mut world = world;
    world.launch_daemon().await?;
    let mut app = world.admin().await?;
    world.database.sql("UPDATE Monitors SET `Function`='Modect', Name='Garden' WHERE Id=2").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    world.wait_monitor(2, "watched", |monitor| monitor["healthy"] == true).await?;
    world.alarm(2, 8).await?;
    let frame = app.expect_alarm(8, 2).await?;
    assert_eq!(frame["events"][0]["Name"], "Garden");
    world.database.sql("DELETE FROM Monitors WHERE Id=2").await?;
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    let list = world.ctl().json(&["monitors", "list"]).await?;
    assert_eq!(list["monitors"].as_array().map(Vec::len), Some(1), "{list}");
    Ok(())
}

#[tokio::test]
async fn permissions_of_zoneminder_1_38_decide() -> Result<()> {
    let world = World::new()
        .schema(Schema::V1_38)
        .camera(MonitorRow::new(1, "Front").layout(zmes_tests::Layout::of(872)))
        .camera(MonitorRow::new(2, "Yard").layout(zmes_tests::Layout::of(872)))
        .camera(MonitorRow::new(3, "Garage").layout(zmes_tests::Layout::of(872)))
        .user(UserRow::new("amy", "pw"))
        .prepare()
        .await?;
    let mut world = world;
    // Monitor 1 is denied by name; 2 is denied by its group, but allowed by name; 3 falls back to Users.Monitors.
    world
        .database
        .sql(
            "SET @amy = (SELECT Id FROM Users WHERE Username='amy');
             INSERT INTO `Groups` (Id, Name) VALUES (5, 'outside');
             INSERT INTO Groups_Monitors (GroupId, MonitorId) VALUES (5, 2);
             INSERT INTO Groups_Permissions (UserId, GroupId, Permission) VALUES (@amy, 5, 'None');
             INSERT INTO Monitors_Permissions (UserId, MonitorId, Permission) VALUES (@amy, 1, 'None'), (@amy, 2, 'View');",
        )
        .await?;
    world.start_daemon().await?;
    let mut admin = world.admin().await?;
    let mut amy = world.login("amy", "pw").await?;
    for (monitor, event) in [(1, 10), (2, 11), (3, 12)] {
        world.alarm(monitor, event).await?;
        admin.expect_alarm(event, monitor).await?;
    }
    amy.expect_alarm(11, 2).await?;
    amy.expect_alarm(12, 3).await?;
    amy.sync().await?;
    Ok(())
}

#[tokio::test]
async fn a_later_alarm_inside_one_long_event_is_announced_again() -> Result<()> {
    let world = World::new()
        .camera(MonitorRow::new(4, "Garage").function("Mocord"))
        .monitor(5, "Marker")
        .setting("zoneminder", "realarm-interval", "\"0s\"")
        .start()
        .await?;
    let mut app = world.admin().await?;
    world.insert_event(EventRow::new(70, 4).continuous()).await?;
    let garage = world.shm(4)?;
    garage.set_last_event(70)?;
    garage.set_state(State::Tape)?;
    world.wait_monitor(4, "recording", |monitor| monitor["state"] == "tape").await?;
    for _ in 0..3 {
        garage.set_state(State::Alarm)?;
        app.expect_alarm(70, 4).await?;
        // The way back is through ALERT, in which motion is the same alarm.
        garage.set_state(State::Alert)?;
        world.wait_monitor(4, "calming down", |monitor| monitor["state"] == "alert").await?;
        garage.set_state(State::Tape)?;
        world.wait_monitor(4, "recording", |monitor| monitor["state"] == "tape").await?;
    }
    // A new section without an alarm is nothing.
    world.insert_event(EventRow::new(71, 4).continuous()).await?;
    garage.set_last_event(71)?;
    world.wait_monitor(4, "in the next section", |monitor| monitor["last_event_id"] == 71).await?;
    world.alarm(5, 80).await?;
    app.expect_alarm(80, 5).await?;
    Ok(())
}

#[tokio::test]
async fn inside_one_long_event_alarms_are_announced_at_most_once_in_the_interval() -> Result<()> {
    let world = World::new()
        .camera(MonitorRow::new(4, "Garage").function("Mocord"))
        .monitor(5, "Marker")
        .setting("zoneminder", "realarm-interval", "\"1h\"")
        .start()
        .await?;
    let mut app = world.admin().await?;
    let garage = world.shm(4)?;
    world.insert_event(EventRow::new(70, 4).continuous()).await?;
    garage.set_last_event(70)?;
    for _ in 0..3 {
        garage.set_state(State::Alarm)?;
        world.wait_monitor(4, "alarmed", |monitor| monitor["state"] == "alarm").await?;
        garage.set_state(State::Tape)?;
        world.wait_monitor(4, "recording", |monitor| monitor["state"] == "tape").await?;
    }
    world.alarm(5, 80).await?;
    app.expect_alarm(70, 4).await?;
    app.expect_alarm(80, 5).await?;
    Ok(())
}
