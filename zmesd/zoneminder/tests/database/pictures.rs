//! Where events lie, as the tables of each generation say it.

use std::path::{Path, PathBuf};

use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::PictureStore;
use zmes_zoneminder::conf::{ServerIdentity, ServerScope};
use zmes_zoneminder::database::ZmDb;
use zmes_zoneminder::pictures::{EventPlace, Scheme, Storage};

use crate::fixtures::{V1_28, V1_38};
use crate::mariadb::MariaDb;

async fn server_with(fixture: &str) -> Option<(MariaDb, ZmDb)> {
    let server = MariaDb::start().await?;
    server.load("zm", fixture).await;
    let db = ZmDb::new(server.config("zm"), None, true);
    Some((server, db))
}

fn storage(id: u32, path: Option<&str>) -> Storage {
    Storage { id, path: path.map(PathBuf::from), elsewhere: false }
}

async fn place(db: &ZmDb, event: u64) -> EventPlace {
    db.place(EventId(event)).await.unwrap().unwrap_or_else(|| panic!("no event {event}"))
}

#[tokio::test]
async fn before_there_were_storages_the_settings_tell() {
    let Some((server, db)) = server_with(V1_28).await else { return };
    let bare = place(&db, 12).await;
    assert_eq!((bare.monitor, bare.scheme, bare.digits), (MonitorId(1), Scheme::Shallow, 5));
    assert_eq!(bare.storages, [storage(0, None)]);
    assert!(bare.start.is_some());
    server
        .sql(
            "zm",
            "INSERT INTO Config (Name, Value) VALUES ('ZM_DIR_EVENTS', 'events'), ('ZM_USE_DEEP_STORAGE', '1'), \
             ('ZM_EVENT_IMAGE_DIGITS', '3')",
        )
        .await;
    let told = place(&db, 12).await;
    assert_eq!((told.scheme, told.digits), (Scheme::Deep, 3));
    assert_eq!(told.storages, [storage(0, Some("events"))]);
    assert_eq!(db.place(EventId(99)).await.unwrap(), None);
}

#[tokio::test]
async fn an_event_has_a_storage_a_copy_and_a_layout_of_its_own() {
    let Some((server, db)) = server_with(V1_38).await else { return };
    for statement in [
        "ALTER TABLE Events ADD COLUMN SecondaryStorageId smallint unsigned, ADD COLUMN Scheme enum('Deep','Medium','Shallow') NOT NULL DEFAULT 'Medium'",
        "CREATE TABLE Storage (Id smallint unsigned PRIMARY KEY, Path varchar(64) NOT NULL DEFAULT '')",
        "INSERT INTO Storage VALUES (1, '/srv/events'), (2, '/mnt/näs')",
        "UPDATE Events SET StorageId = 2, SecondaryStorageId = 1, Scheme = 'Deep', StartDateTime = '2026-11-30 14:03:59' WHERE Id = 2",
        "INSERT INTO Frames (EventId, FrameId, Type) VALUES (2, 1, 'Normal'), (2, 7, 'Alarm'), (2, 9, 'Alarm'), (2, 8, 'Alarm'), (1, 99, 'Alarm')",
    ] {
        server.sql("zm", statement).await;
    }
    let moved = place(&db, 2).await;
    assert_eq!(moved.storages, [storage(2, Some("/mnt/näs")), storage(1, Some("/srv/events"))]);
    assert_eq!(moved.scheme, Scheme::Deep);
    assert_eq!(moved.start, "2026-11-30T14:03:59".parse().ok());
    let plain = place(&db, 1).await;
    assert_eq!(plain.storages, [storage(0, None)], "zm.conf says where");
    assert_eq!((plain.scheme, plain.start), (Scheme::Medium, None));
    assert_eq!(db.alarm_frames(EventId(2), 2).await.unwrap(), [9, 8]);

    // A row that is missing is a storage whose path nobody knows.
    server.sql("zm", "DELETE FROM Storage WHERE Id = 2").await;
    let lost = place(&db, 2).await;
    assert_eq!(
        lost.storages.iter().map(|storage| storage.path.as_deref()).collect::<Vec<_>>(),
        [None, Some(Path::new("/srv/events"))]
    );
}

/// One storage of each of two servers, and one of any.
async fn make_storages(server: &MariaDb) {
    for statement in [
        "CREATE TABLE Storage (Id smallint unsigned PRIMARY KEY, Path varchar(64) NOT NULL DEFAULT '', ServerId int unsigned)",
        "INSERT INTO Storage VALUES (1, '/srv/events', 1), (2, '/srv/events', 2), (3, '/mnt/nas', NULL)",
    ] {
        server.sql("zm", statement).await;
    }
}

#[tokio::test]
async fn a_storage_of_another_server_is_known_as_such() {
    let Some((server, _)) = server_with(V1_38).await else { return };
    make_storages(&server).await;
    let elsewhere = async |scope: ServerScope| {
        let db = ZmDb::new(server.config("zm"), scope, true);
        let mut told = Vec::new();
        for id in 1..=3 {
            server.sql("zm", &format!("UPDATE Events SET StorageId = {id} WHERE Id = 2")).await;
            told.extend(place(&db, 2).await.storages.iter().map(|storage| storage.elsewhere));
        }
        told
    };
    let first = Some(ServerIdentity::Id(1));
    assert_eq!(elsewhere(ServerScope::All(first)).await, [false, true, false]);
    assert_eq!(elsewhere(ServerScope::All(None)).await, [true, true, false], "none of them is this machine");
    assert_eq!(elsewhere(ServerScope::Single).await, [false, false, false]);
}

#[tokio::test]
async fn the_server_that_has_written_an_event_is_that_of_its_storage_or_else_of_its_monitor() {
    let Some((server, _)) = server_with(V1_38).await else { return };
    make_storages(&server).await;
    let of = async |scope: ServerScope, storage: u32, monitor: &str| {
        let move_to = format!(
            "UPDATE Events SET StorageId = {storage} WHERE Id = 2; UPDATE Monitors SET ServerId = {monitor} \
             WHERE Id = (SELECT MonitorId FROM Events WHERE Id = 2)"
        );
        server.sql("zm", &move_to).await;
        place(&ZmDb::new(server.config("zm"), scope, true), 2).await.server
    };
    let first = || ServerScope::Own(ServerIdentity::Id(1));
    assert_eq!(of(first(), 2, "1").await, Some(2), "the storage says more than the monitor");
    assert_eq!(of(first(), 1, "2").await, None);
    assert_eq!(of(first(), 3, "2").await, Some(2));
    assert_eq!(of(first(), 3, "1").await, None);
    assert_eq!(of(first(), 3, "NULL").await, None);
    let unknown = ServerScope::Own(ServerIdentity::Name("nobody".to_owned()));
    assert_eq!(of(unknown, 3, "2").await, None, "it is not known which one this is");
    assert_eq!(of(ServerScope::Single, 2, "2").await, None);
}
