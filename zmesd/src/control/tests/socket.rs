//! Binding: modes, and what may be in the way.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::world::{Peer, World};
use crate::control::ControlListener;
use crate::sockets::BindFault;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn the_directory_is_made_and_both_have_their_modes() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("run/control.sock");
    let listener = ControlListener::bind(&socket, "no-such-group").unwrap();
    assert_eq!(format!("{:o}", mode(&socket)), "660");
    assert_eq!(format!("{:o}", mode(socket.parent().unwrap())), "750");
    drop(listener);
    assert!(!socket.exists(), "the name is free again");
}

#[tokio::test]
async fn a_directory_that_is_there_keeps_its_mode() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let _listener = ControlListener::bind(&directory.path().join("control.sock"), "").unwrap();
    assert_eq!(format!("{:o}", mode(directory.path())), "711");
}

#[tokio::test]
async fn what_a_dead_daemon_left_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let listener = ControlListener::bind(&socket, "").unwrap();
    let (accepted, _) = tokio::join!(listener.accept(), Peer::connect(&socket));
    accepted.unwrap();
}

#[tokio::test]
async fn a_living_daemon_is_left_alone() {
    let world = World::start().await;
    let error = ControlListener::bind(&world.socket, "").unwrap_err();
    assert!(matches!(error.fault, BindFault::Answered), "{error:?}");
    assert!(!error.is_permission());
    let status = world.ask(r#"{"type":"status"}"#).await;
    assert_eq!(status["ok"]["database"], "ok", "it still answers under its name");
}

#[tokio::test]
async fn a_daemon_that_is_just_starting_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let starting = File::open(directory.path()).unwrap();
    starting.lock().unwrap();
    let socket = directory.path().join("control.sock");
    let error = ControlListener::bind(&socket, "").unwrap_err();
    assert!(matches!(error.fault, BindFault::Answered), "{error:?}");
    drop(starting);
    ControlListener::bind(&socket, "").unwrap();
}

#[tokio::test]
async fn a_file_in_the_way_is_neither_removed_nor_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    fs::write(&path, "precious").unwrap();
    let error = ControlListener::bind(&path, "").unwrap_err();
    assert!(matches!(error.fault, BindFault::NotASocket), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot bind {}: it exists and is not a socket", path.display()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn an_inherited_socket_serves_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let inherited = OwnedFd::from(UnixListener::bind(&path).unwrap());
    let listener = ControlListener::from_fd(inherited).unwrap();
    let (accepted, _) = tokio::join!(listener.accept(), Peer::connect(&path));
    accepted.unwrap();
    drop(listener);
    assert!(path.exists(), "its name belongs to whoever made it");
}
