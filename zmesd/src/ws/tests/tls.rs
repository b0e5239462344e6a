//! TLS versions, and certificates that change under open connections.

use rustls::version::{TLS12, TLS13};

use super::app::{App, Stream, VERSION, client_config, request, tls};
use super::settings;
use super::world::{WsWorld, write_pair};

#[tokio::test]
async fn both_versions_of_tls_are_spoken() {
    let world = WsWorld::secure(settings());
    for version in [&TLS12, &TLS13] {
        let stream = tls(&world, client_config(&world, &[version])).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let mut app = App::upgrade(Box::new(stream) as Box<dyn Stream>, request(&[])).await.unwrap();
        app.say(VERSION).await;
        assert_eq!(app.json().await["version"], "7.0.0");
    }
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections() {
    let mut world = WsWorld::secure(settings());
    let mut old = App::logged_in(&world).await;
    let directory = tempfile::tempdir().unwrap();
    let (files, certificate) = write_pair(&directory, "second");
    world.store.as_ref().unwrap().reload(&files, jiff::Timestamp::UNIX_EPOCH).unwrap();

    assert!(
        App::try_connect(&world, request(&[])).await.is_err(),
        "the first certificate is not served any more"
    );
    world.root = Some(certificate);
    for app in [&mut App::logged_in(&world).await, &mut old] {
        app.say(VERSION).await;
        assert_eq!(app.json().await["version"], "7.0.0");
    }

    std::fs::write(&files.certificate, "damaged").unwrap();
    world.store.as_ref().unwrap().reload(&files, jiff::Timestamp::UNIX_EPOCH).unwrap_err();
    App::logged_in(&world).await;
}
