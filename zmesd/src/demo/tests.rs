//! The demo's parts that work without the daemon.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zmes_zoneminder::MonitorStore;

use super::*;
use crate::ports::SystemClock;

fn prepare(options: &Options) -> Result<Demo, DemoError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Demo::prepare(options, "zmesctl", &clock)
}

fn somewhere() -> Options {
    let listen = Some("127.0.0.1:0".parse().unwrap());
    Options { listen, monitors: DEFAULT_MONITORS, every: Duration::from_secs(5), keep: None }
}

#[tokio::test]
async fn everything_lies_in_one_directory_that_vanishes() {
    let demo = prepare(&Options { monitors: 2, ..somewhere() }).unwrap();
    let directory = demo.directory.path().to_owned();
    let tls = demo.config.server.tls.clone().expect("TLS");
    for path in [
        &demo.config.zoneminder.path_map.join("zm.mmap.1"),
        &demo.config.zoneminder.path_map.join("zm.mmap.2"),
        &tls.certificate,
        &tls.key,
        &demo.config.state.directory,
    ] {
        assert!(path.starts_with(&directory) && path.exists(), "{}", path.display());
    }
    assert!(demo.config.control.socket.starts_with(&directory));
    assert_eq!(demo.database.load().await.unwrap().monitors.len(), 2);
    demo.directory.close().unwrap();
    assert!(!directory.exists());
}

#[test]
fn a_kept_directory_stays_and_must_have_been_empty() {
    let parent = tempfile::tempdir().unwrap();
    let keep = parent.path().join("a/b");
    let options = Options { keep: Some(keep.clone()), ..somewhere() };
    prepare(&options).unwrap().directory.close().unwrap();
    assert!(keep.join("shm/zm.mmap.1").exists());
    assert!(matches!(prepare(&options), Err(DemoError::NotEmpty(path)) if path.ends_with("a/b")));
}

#[test]
fn a_taken_usual_port_gives_way_to_a_free_one() {
    // Now the port is taken, by this test or by another process.
    let usual = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT));
    let address = choose_address(None).unwrap();
    assert_ne!(address.port(), PORT);
    assert!(address.ip().is_loopback());
    drop(usual);
    let asked = "127.0.0.1:1".parse().unwrap();
    assert_eq!(choose_address(Some(asked)).unwrap(), asked, "a port that was asked for is not replaced");
}

#[test]
fn the_introduction_names_address_credentials_and_commands_to_paste() {
    let demo = prepare(&somewhere()).unwrap();
    let address = demo.config.server.listen[0];
    let socket = demo.config.control.socket.display().to_string();
    for part in [
        format!("wss://{address}  user admin, password admin"),
        format!("zmesctl --socket {socket} status"),
        format!("zmesctl --socket {socket} alarm test --wait"),
        "4 monitors, an alarm every 5s".to_owned(),
    ] {
        assert!(demo.introduction.contains(&part), "{part}\n{}", demo.introduction);
    }
}

#[test]
fn zmesctl_is_called_where_the_daemon_came_from() {
    let built = tempfile::tempdir().unwrap();
    let daemon = built.path().join("zmesd");
    assert_eq!(zmesctl_command(Some(Path::new("/usr/bin/zmesd"))), "zmesctl");
    assert_eq!(zmesctl_command(Some(&daemon)), "cargo run -q -p zmesctl --");
    std::fs::write(built.path().join("zmesctl"), "").unwrap();
    assert_eq!(zmesctl_command(Some(&daemon)), built.path().join("zmesctl").display().to_string());
    assert_eq!(zmesctl_command(None), "zmesctl");
}

#[tokio::test]
async fn cameras_and_app_are_tasks_that_end_when_told() {
    let demo = prepare(&somewhere()).unwrap();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (simulation, client) = (demo.simulation, demo.client);
    let cameras = tasks.spawn(simulation.run(stop.clone()));
    let app_stop = stop.clone();
    let app = tasks.spawn(async move { client.run(&mut io::sink(), app_stop).await });
    stop.cancel();
    cameras.await.unwrap().unwrap();
    app.await.unwrap().unwrap();
}
