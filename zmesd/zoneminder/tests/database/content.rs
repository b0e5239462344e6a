//! What is read from each generation of tables.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use zmes_shared::{EventId, Label, MonitorId};
use zmes_zoneminder::conf::{ServerIdentity, ServerScope};
use zmes_zoneminder::database::ZmDb;
use zmes_zoneminder::{
    AccountStore, CaptureReport, CaptureStatus, DbError, DbHealth, EventRow, EventStore, LabelSources,
    LabelsRead, Monitor, MonitorRights, MonitorStore, NotWatched, Recording, User, ZmVersion, Zoneminder,
};

use crate::fixtures::{V1_28, V1_34, V1_36, V1_38};
use crate::mariadb::MariaDb;

async fn server_with(fixture: &str) -> Option<(MariaDb, ZmDb)> {
    let server = MariaDb::start().await?;
    server.load("zm", fixture).await;
    let db = ZmDb::new(server.config("zm"), None, true);
    Some((server, db))
}

fn monitor(zoneminder: &Zoneminder, id: u32) -> Arc<Monitor> {
    Arc::clone(zoneminder.monitors.find(MonitorId(id)).unwrap())
}

fn ids(zoneminder: &Zoneminder) -> Vec<u32> {
    zoneminder.monitors.iter().map(|monitor| monitor.id.0).collect()
}

fn set(monitors: &[u32]) -> Arc<BTreeSet<MonitorId>> {
    Arc::new(monitors.iter().copied().map(MonitorId).collect())
}

async fn user(db: &ZmDb, name: &str) -> User {
    db.find(name).await.unwrap().unwrap_or_else(|| panic!("no user {name}"))
}

fn outline(row: &EventRow) -> (u64, u32, &str, u32, bool) {
    (row.id.0, row.monitor.0, row.cause.as_str(), row.alarm_frames, row.open)
}

#[tokio::test]
async fn tables_of_1_28() {
    let Some((_server, db)) = server_with(V1_28).await else { return };
    assert_eq!(*db.health().borrow(), DbHealth::Untried);
    let zoneminder = db.load().await.unwrap();
    assert_eq!(*db.health().borrow(), DbHealth::Up);
    assert_eq!(zoneminder.version, Some(ZmVersion(1, 28, 1)));
    assert_eq!(zoneminder.watch_max_delay, Duration::from_secs(5));
    let recordings: Vec<_> =
        zoneminder.monitors.iter().map(|monitor| (monitor.recording, monitor.watched)).collect();
    assert_eq!(
        recordings,
        [
            (Recording::OnAlarm, Ok(())),
            (Recording::OnAlarm, Ok(())),
            (Recording::Always, Ok(())),
            (Recording::Always, Ok(())),
            (Recording::Never, Err(NotWatched::NoDetection)),
            (Recording::Never, Err(NotWatched::NotCapturing)),
        ]
    );
    assert!(monitor(&zoneminder, 1).alarm_opens_event, "by ZM_EVENT_CLOSE_MODE");

    let amy = user(&db, "amy").await;
    assert_eq!(amy.rights, MonitorRights::Only(set(&[1, 3])));
    assert_eq!(amy.barred(), None, "there is no APIEnabled yet");
    assert_eq!(user(&db, "admin").await.rights, MonitorRights::All);
    assert_eq!(user(&db, "bob").await.barred(), Some("the user is disabled"));
    assert!(db.token_secret().await.unwrap().is_none());

    assert_eq!(db.newest().await.unwrap(), Some(EventId(12)));
    let rows = db.since(EventId(10), &[], 10).await.unwrap();
    assert_eq!(
        rows.iter().map(outline).collect::<Vec<_>>(),
        [(11, 3, "Continuous", 0, true), (12, 1, "Motion", 0, true)]
    );
}

#[tokio::test]
async fn tables_of_1_34() {
    let Some((_server, db)) = server_with(V1_34).await else { return };
    let zoneminder = db.load().await.unwrap();
    assert_eq!(zoneminder.version, Some(ZmVersion(1, 34, 26)), "of the schema, where the programs' is empty");
    assert_eq!(ids(&zoneminder), [1, 2, 3, 4]);
    assert_eq!(monitor(&zoneminder, 3).watched, Err(NotWatched::WebSite));
    assert_eq!(db.newest().await.unwrap(), Some(EventId(4_294_967_300)));
    assert_eq!(db.token_secret().await.unwrap().unwrap().expose_secret(), "secret of 1.34");

    // ZM_CASE_INSENSITIVE_USERNAMES is on, but who is named exactly so comes first.
    assert_eq!(user(&db, "amy").await.rights, MonitorRights::Only(set(&[2])));
    assert_eq!(user(&db, "Amy").await.rights, MonitorRights::Only(set(&[1])));
    assert_eq!(user(&db, "AMY").await.name, "Amy");
    assert_eq!(user(&db, "Admin").await.name, "admin");
    assert_eq!(user(&db, "Amy").await.token_min_expiry, 1_700_000_000);
    assert_eq!(user(&db, "amy").await.barred(), Some("the API is disabled for the user"));
}

#[tokio::test]
async fn tables_of_1_36() {
    let Some((server, db)) = server_with(V1_36).await else { return };
    let zoneminder = db.load().await.unwrap();
    let names: Vec<_> = zoneminder.monitors.iter().map(|monitor| monitor.name.to_string()).collect();
    assert_eq!(names, ["Gärten 🏡", "Line\u{fffd}break", "Monitor 3"], "what cannot be read is left out");
    assert!(!monitor(&zoneminder, 1).alarm_opens_event);

    assert_eq!(db.newest().await.unwrap(), None, "no event yet");
    assert_eq!(db.since(EventId(0), &[EventId(7)], 10).await.unwrap(), []);
    assert!(db.token_secret().await.unwrap().is_none(), "an empty secret is none");

    assert_eq!(user(&db, "Jürgen").await.name, "Jürgen", "through a latin1 column");
    for stranger in
        ["ADMIN", "admin ", "jürgen", "Jurgen", "🏡", "", "admin\0", "' OR 1=1 -- ", &"x".repeat(5000)]
    {
        assert!(db.find(stranger).await.unwrap().is_none(), "{stranger:?}");
    }
    let viewer = user(&db, "viewer").await;
    assert_eq!(viewer.password.expose_secret(), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
    assert_eq!(viewer.rights, MonitorRights::Only(set(&[1])));
    assert_eq!(user(&db, "noevents").await.barred(), Some("the user may not see events"));
    assert_eq!(user(&db, "noapi").await.barred(), Some("the API is disabled for the user"));
    assert_eq!(user(&db, "admin").await.barred(), None, "who edits users can switch the API on for himself");
    assert_eq!(db.all().await.unwrap().len(), 5);
    db.enforce_permissions(false);
    assert_eq!(user(&db, "viewer").await.rights, MonitorRights::All);
    assert!(!user(&db, "noevents").await.may_see_events, "that is no right to a monitor");

    // The columns of 1.34 in a table that the running daemon knows otherwise: an upgrade, the other way round.
    server.sql("zm", "ALTER TABLE Events CHANGE StartDateTime StartTime datetime").await;
    server.sql("zm", "ALTER TABLE Events CHANGE EndDateTime EndTime datetime").await;
    assert!(matches!(db.newest().await, Ok(None)));
    assert!(db.since(EventId(0), &[], 10).await.is_err(), "the old columns are gone");
    assert_eq!(db.since(EventId(0), &[], 10).await, Ok(Vec::new()), "and the new ones are found at once");
}

#[tokio::test]
async fn tables_of_1_38() {
    let Some((server, db)) = server_with(V1_38).await else { return };
    let zoneminder = db.load().await.unwrap();
    assert_eq!(ids(&zoneminder), [1, 2, 3, 5, 6], "4 is deleted");
    let facts = |id| {
        let monitor = monitor(&zoneminder, id);
        (monitor.recording, monitor.watched, monitor.alarm_opens_event)
    };
    assert_eq!(facts(1), (Recording::OnAlarm, Ok(()), true), "the system's mode is alarm");
    assert_eq!(facts(2), (Recording::Always, Ok(()), false));
    assert_eq!(facts(3), (Recording::Never, Ok(()), true), "alarms, but without an event");
    assert_eq!(facts(5).1, Err(NotWatched::NotCapturing));
    assert_eq!(facts(6).1, Err(NotWatched::WebSite));

    let table = [
        ("admin", true, MonitorRights::All),
        ("list", true, MonitorRights::Only(set(&[1]))),
        ("nanny", true, MonitorRights::Except(set(&[3]))),
        ("tree", true, MonitorRights::Only(set(&[1, 2]))),
        ("guard", true, MonitorRights::Only(set(&[1]))),
        ("owner", true, MonitorRights::Except(set(&[3]))),
        ("nobody", false, MonitorRights::none()),
    ];
    for (name, events, rights) in &table {
        let user = user(&db, name).await;
        assert_eq!((user.may_see_events, &user.rights), (*events, rights), "{name}");
    }
    let all = db.all().await.unwrap();
    for (name, events, rights) in &table {
        let user = all.iter().find(|user| user.name == *name).unwrap();
        assert_eq!((user.may_see_events, &user.rights), (*events, rights), "{name}");
    }

    let rows = db.since(EventId(0), &[], 10).await.unwrap();
    assert_eq!(outline(&rows[0]), (1, 1, "", 0, true), "NULL wherever there may be one");
    assert_eq!(rows[1].age, Duration::ZERO, "begun in the future");
    assert_eq!(rows[1].cause.chars().count(), 255, "a cause has no end from 1.37 on");

    // Hidden denials must not read as leave.
    server.sql("zm", "DROP TABLE Monitors_Permissions").await;
    db.load().await.unwrap();
    let Err(DbError::Unexpected(cause)) = db.find("owner").await else {
        panic!("rights without permissions")
    };
    assert!(cause.message.contains("Monitors_Permissions"), "{cause}");
    assert!(cause.hint.contains("GRANT SELECT"), "{}", cause.hint);
    // The same questions are asked for a name that nobody has: how a login fails must not tell which names there are.
    assert!(matches!(db.find("stranger").await, Err(DbError::Unexpected(_))), "a stranger is told apart");
    assert!(db.newest().await.is_ok(), "the database itself is not well");
}

#[tokio::test]
async fn events_since_and_open_ones() {
    let Some((server, db)) = server_with(V1_36).await else { return };
    server
        .sql(
            "zm",
            "INSERT INTO Events (Id, MonitorId, Cause, StartDateTime, EndDateTime, AlarmFrames, StateId) VALUES \
             (3, 1, 'Motion', NOW() - INTERVAL 1 HOUR, NOW() - INTERVAL 59 MINUTE, 12, 1), \
             (4, 2, 'Continuous', NOW() - INTERVAL 10 MINUTE, NULL, 0, 1), \
             (5, 1, 'Forced Web\\n[2J', NOW() - INTERVAL 100 SECOND, NOW(), 5, 1), \
             (9, 2, 'Linked', NOW() - INTERVAL 3 SECOND, NULL, 2, 1)",
        )
        .await;
    let seen = |rows: Vec<EventRow>| rows.iter().map(|row| row.id.0).collect::<Vec<_>>();
    assert_eq!(seen(db.since(EventId(3), &[], 10).await.unwrap()), [4, 5, 9]);
    assert_eq!(seen(db.since(EventId(3), &[], 2).await.unwrap()), [4, 5]);
    assert_eq!(
        seen(db.since(EventId(5), &[EventId(4), EventId(3), EventId(7)], 10).await.unwrap()),
        [3, 4, 9]
    );
    assert_eq!(seen(db.since(EventId(9), &[], 10).await.unwrap()), [] as [u64; 0]);
    assert_eq!(seen(db.open_events(MonitorId(2)).await.unwrap()), [9, 4], "newest first");
    assert_eq!(seen(db.open_events(MonitorId(1)).await.unwrap()), [] as [u64; 0]);

    let rows = db.since(EventId(4), &[], 10).await.unwrap();
    assert!(!rows[0].cause.contains('\n'), "{:?}", rows[0].cause);
    assert!((99..160).contains(&rows[0].age.as_secs()), "the server's own clock and zone: {:?}", rows[0].age);
}

#[tokio::test]
async fn a_time_zone_of_the_server_does_not_age_events() {
    let Some((server, _)) = server_with(V1_36).await else { return };
    server.sql("", "SET GLOBAL time_zone = '-05:00'").await;
    // A new session, as `zmc` has one, and a new daemon.
    server.sql("zm", "INSERT INTO Events (MonitorId, StartDateTime, StateId) VALUES (1, NOW(), 1)").await;
    let db = ZmDb::new(server.config("zm"), None, true);
    let rows = db.since(EventId(0), &[], 1).await.unwrap();
    assert!(rows[0].age < Duration::from_mins(1), "{:?}", rows[0].age);
}

/// Writes an event as `zmc` of 1.38 does whose zone is `hours` ahead of UTC: its start as a literal in that zone, its
/// end and its pictures by the server.
async fn write_event(server: &MariaDb, id: u64, hours: i64, began: &str, pictures: bool) {
    let start = format!("UTC_TIMESTAMP() + INTERVAL {hours} HOUR - INTERVAL {began}");
    let event = format!(
        "INSERT INTO Events (Id, MonitorId, Cause, StartDateTime, StateId) VALUES ({id}, 1, 'Motion', {start}, 1)"
    );
    server.sql("zm", &event).await;
    if pictures {
        let pictures = format!(
            "INSERT INTO Frames (EventId, FrameId, TimeStamp, Delta) VALUES \
             ({id}, 1, from_unixtime(UNIX_TIMESTAMP(NOW() - INTERVAL {began})), 0), \
             ({id}, 2, from_unixtime(UNIX_TIMESTAMP(NOW() - INTERVAL {began}) + 5), 5.25)"
        );
        server.sql("zm", &pictures).await;
    }
}

#[tokio::test]
async fn a_database_in_another_time_zone_than_zmc_does_not_age_events() {
    let Some((server, _)) = server_with(V1_38).await else { return };
    for (zone, hours) in [("+00:00", -5), ("+00:00", 2), ("-03:30", 9), ("+05:45", 0)] {
        server.sql("", &format!("SET GLOBAL time_zone = '{zone}'")).await;
        server.sql("zm", "DELETE FROM Events; DELETE FROM Frames").await;
        write_event(&server, 3, hours, "1 DAY", true).await;
        write_event(&server, 4, hours, "11 MINUTE", true).await;
        write_event(&server, 5, hours, "90 SECOND", true).await;
        // Just opened: its pictures are still to be written.
        write_event(&server, 6, hours, "4 SECOND", false).await;
        let db = ZmDb::new(server.config("zm"), None, true);
        let rows = db.since(EventId(0), &[], 10).await.unwrap();
        let open = db.open_events(MonitorId(1)).await.unwrap();
        for rows in [rows, open.into_iter().rev().collect()] {
            let ages: Vec<u64> = rows.iter().map(|row| row.age.as_secs()).collect();
            for (age, wanted) in ages.iter().zip([86_400, 660, 90, 4]) {
                assert!((wanted..wanted + 60).contains(age), "{zone}, zmc {hours} h: {ages:?}");
            }
            assert_eq!(ages.len(), 4);
        }
        // Alone, the one without pictures tells nothing; the others are asked.
        let alone = db.since(EventId(5), &[], 1).await.unwrap();
        assert!(alone[0].age < Duration::from_mins(1), "{zone}, zmc {hours} h: {:?}", alone[0].age);
    }
}

#[tokio::test]
async fn an_account_that_may_not_read_frames_still_reads_events() {
    let Some((server, _)) = server_with(V1_38).await else { return };
    server.sql("zm", "REVOKE SELECT ON zm.* FROM zmuser").await;
    for table in ["Config", "Monitors", "Events"] {
        server.sql("zm", &format!("GRANT SELECT ON zm.{table} TO zmuser")).await;
    }
    let db = ZmDb::new(server.config("zm"), None, true);
    assert_eq!(db.since(EventId(0), &[], 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn each_server_has_its_own_monitors() {
    let Some((server, _)) = server_with(V1_34).await else { return };
    let of = |identity| ZmDb::new(server.config("zm"), Some(identity), true);
    let house = of(ServerIdentity::Id(1)).load().await.unwrap();
    assert_eq!(ids(&house), [1, 3]);
    let place = |monitor: &Arc<Monitor>| (monitor.id.0, monitor.elsewhere.as_ref().map(ToString::to_string));
    let others = |house: &Zoneminder| house.others.iter().map(place).collect::<Vec<_>>();
    let unnamed = [(2, Some("server 2".to_owned())), (4, Some("no server".to_owned()))];
    assert_eq!((house.own_server, others(&house)), (Some(1), unnamed.to_vec()));
    let named = of(ServerIdentity::Id(1)).naming_servers(true).load().await.unwrap();
    assert_eq!(ids(&named), [1, 3]);
    assert_eq!(others(&named)[0].1.as_deref().map(str::to_lowercase).as_deref(), Some("server 2 (barn)"));
    // As the table's collation compares names: whatever the case, and blanks at the end.
    for name in ["barn", "Barn", "BARN "] {
        let barn = of(ServerIdentity::Name(name.into())).load().await.unwrap();
        assert_eq!((ids(&barn), barn.own_server), (vec![2], Some(2)), "{name:?}");
    }
    let Err(DbError::Unexpected(cause)) = of(ServerIdentity::Name("attic".into())).load().await else {
        panic!("a server that nobody knows")
    };
    assert!(cause.message.contains("`attic`"), "{cause}");
}

#[tokio::test]
async fn all_servers_have_their_monitors_and_each_knows_where_it_is_captured() {
    let Some((server, _)) = server_with(V1_34).await else { return };
    let places = async |own: Option<ServerIdentity>| {
        let house = ZmDb::new(server.config("zm"), ServerScope::All(own), true).load().await.unwrap();
        let place =
            |monitor: &Arc<Monitor>| (monitor.id.0, monitor.elsewhere.as_ref().map(ToString::to_string));
        house.monitors.iter().map(place).collect::<Vec<_>>()
    };
    let barn = Some("server 2 (Barn)".to_owned());
    let own = places(Some(ServerIdentity::Id(1))).await;
    assert_eq!(own.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(own[3].1.as_deref(), Some("no server"));
    assert!(own[0].1.is_none() && own[2].1.is_none(), "{own:?}");
    assert_eq!(own[1].1.as_ref().map(|place| place.to_lowercase()), barn.map(|place| place.to_lowercase()));
    assert!(places(None).await.iter().all(|(_, place)| place.is_some()), "this machine is none of them");
    assert!(
        places(Some(ServerIdentity::Id(9))).await[0]
            .1
            .as_ref()
            .is_some_and(|place| place.starts_with("server 1"))
    );
    let nobody = ServerScope::All(Some(ServerIdentity::Name("attic".into())));
    assert!(ZmDb::new(server.config("zm"), nobody, true).load().await.is_err());
}

#[tokio::test]
async fn what_each_zmc_says_of_itself_is_read_from_every_generation() {
    let columns = "MonitorId INT UNSIGNED PRIMARY KEY, Status ENUM('Unknown','NotRunning','Running','Connected','Signal') NOT NULL, \
                   CaptureFPS DECIMAL(10,2) NOT NULL";
    let rows = "(1, 'Connected', 5.01), (2, 'NotRunning', 0), (3, 'Running', 0)";
    let Some((server, db)) = server_with(V1_36).await else { return };
    server.sql("zm", "DROP TABLE IF EXISTS Monitor_Status").await;
    assert_eq!(db.capture_reports().await, Ok(None), "as up to 1.30");
    server
        .sql(
            "zm",
            &format!("CREATE TABLE Monitor_Status ({columns}); INSERT INTO Monitor_Status VALUES {rows}"),
        )
        .await;
    let db = ZmDb::new(server.config("zm"), None, true);
    let read = db.capture_reports().await.unwrap().unwrap();
    assert!(read.reports.values().all(|report| report.age.is_none()), "as up to 1.36.33");
    let report = |status, pictures| CaptureReport { status, pictures: Some(pictures), age: None };
    assert_eq!(read.reports[&MonitorId(1)], report(CaptureStatus::Connected, true));
    assert_eq!(read.reports[&MonitorId(2)], report(CaptureStatus::NotRunning, false));
    assert_eq!(read.reports[&MonitorId(3)], report(CaptureStatus::Connecting, false));
    // The zone of the server does not age them.
    server.sql("", "SET GLOBAL time_zone = '-05:00'").await;
    server.sql("zm", "ALTER TABLE Monitor_Status ADD UpdatedOn TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP; UPDATE Monitor_Status SET UpdatedOn = UpdatedOn - INTERVAL 100 SECOND WHERE MonitorId = 2").await;
    let db = ZmDb::new(server.config("zm"), None, true);
    let read = db.capture_reports().await.unwrap().unwrap();
    let age = |id| read.reports[&MonitorId(id)].age.unwrap().as_secs();
    assert!(age(1) < 60 && (100..160).contains(&age(2)), "{read:?}");
    assert!(!read.returning, "1.36 only updates a row");
    // A table that is damaged says nothing of the database.
    let health = db.health();
    server.sql("zm", "ALTER TABLE Monitor_Status DROP COLUMN Status").await;
    assert!(db.capture_reports().await.is_err());
    assert_eq!(*health.borrow(), DbHealth::Untried, "only captures were asked for");
    server.sql("zm", "ALTER TABLE Monitor_Status ADD Status ENUM('Unknown','NotRunning','Running','Connected','Signal') NOT NULL DEFAULT 'Connected'").await;
    let mended = db.capture_reports().await.unwrap().unwrap();
    assert_eq!(mended.reports[&MonitorId(2)].status, CaptureStatus::Connected);
}

#[tokio::test]
async fn servers_in_different_zones_age_each_others_events_by_nothing() {
    let Some((server, db)) = server_with(V1_38).await else { return };
    server.sql("zm", "DELETE FROM Events; DELETE FROM Frames").await;
    write_event(&server, 3, -5, "11 MINUTE", true).await;
    write_event(&server, 4, 9, "10 MINUTE", true).await;
    server.sql("zm", "UPDATE Events SET MonitorId = 2 WHERE Id = 4").await;
    // Neither has pictures yet.
    write_event(&server, 5, -5, "4 SECOND", false).await;
    write_event(&server, 6, 9, "4 SECOND", false).await;
    server.sql("zm", "UPDATE Events SET MonitorId = 2 WHERE Id = 6").await;
    let rows = db.since(EventId(4), &[], 10).await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert!(row.age < Duration::from_mins(1), "{row:?}");
    }
}

#[tokio::test]
async fn labels_come_from_notes_and_from_tags_where_there_are_any() {
    let Some((server, db)) = server_with(V1_38).await else { return };
    let (both, ids) = (LabelSources { notes: true, tags: true }, [3, 4, 5, 6, 99].map(EventId));
    let told = |read: LabelsRead| {
        let told =
            read.found.into_iter().map(|(event, labels)| format!("{event}: {}", Label::listed(&labels)));
        told.collect::<Vec<_>>()
    };
    server.sql("zm", "DELETE FROM Events").await;
    for (id, notes) in [
        (3, "'[a] detected:person:95% car:87% Motion: Front'"),
        (4, "CONCAT(REPEAT('Motion: All ', 4000), '[s] detected:cat:51%')"),
        (5, "'Detected:dog'"),
        (6, "NULL"),
    ] {
        let event = "INSERT INTO Events (Id, MonitorId, Cause, StartDateTime, StateId, Notes)";
        server.sql("zm", &format!("{event} VALUES ({id}, 1, 'Motion', NOW(), 1, {notes})")).await;
    }
    let read = db.labels(&ids, both).await.unwrap();
    assert!(read.possible);
    assert_eq!(told(read), ["3: person 95 %, car 87 %", "4: cat 51 %"]);
    let tags = LabelSources { notes: false, tags: true };
    assert_eq!(db.labels(&ids, tags).await.unwrap(), LabelsRead::default(), "this one has no tags");
    server.sql("zm", "CREATE TABLE Tags (Id int unsigned PRIMARY KEY, Name varchar(64) NOT NULL)").await;
    let pairs = "CREATE TABLE Events_Tags (TagId int unsigned, EventId bigint unsigned)";
    server.sql("zm", pairs).await;
    server.sql("zm", "INSERT INTO Tags VALUES (1, 'Person'), (2, 'truck'), (3, 'a\\nb')").await;
    server.sql("zm", "INSERT INTO Events_Tags VALUES (1, 3), (2, 3), (2, 6), (3, 6), (2, 77)").await;
    // Reading the monitors looks at the tables again.
    db.load().await.unwrap();
    let read = db.labels(&ids, both).await.unwrap();
    assert_eq!(told(read), ["3: person 95 %, car 87 %, truck", "4: cat 51 %", "6: truck"]);
    assert_eq!(told(db.labels(&ids, tags).await.unwrap()), ["3: Person, truck", "6: truck"]);
    let none = db.labels(&[], both).await.unwrap();
    assert!(none.possible && none.found.is_empty());
}
