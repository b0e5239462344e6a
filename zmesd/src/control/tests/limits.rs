//! Peers that are broken, slow or many.

use serde_json::json;
use zmes_shared::control::MAX_REQUEST;

use super::world::{Peer, World};

#[tokio::test]
async fn what_is_no_request_is_answered_and_the_connection_goes_on() {
    let world = World::start().await;
    let mut peer = world.peer().await;
    for (line, id) in [
        ("{", json!(null)),
        ("", json!(null)),
        ("[]", json!(null)),
        (r#"{"id":5}"#, json!(5)),
        (r#"{"id":6,"request":{"type":"clients_disconnect","client":"x"}}"#, json!(6)),
        (r#"{"id":-1,"request":{"type":"status"}}"#, json!(null)),
        (&"[".repeat(5000), json!(null)),
    ] {
        peer.send(line).await;
        let answer = peer.read().await;
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&id, &json!("bad_request")),
            "{line}: {answer}"
        );
        assert!(answer["error"]["hint"].is_string());
    }
    peer.send_raw(b"\xff\xfe\n").await;
    assert_eq!(peer.read().await["error"]["code"], "bad_request");
    peer.send(r#"{"id":9,"request":{"type":"status"}}"#).await;
    let answer = peer.read().await;
    assert_eq!((&answer["id"], &answer["ok"]["database"]), (&json!(9), &json!("ok")));
}

#[tokio::test]
async fn requests_of_one_connection_are_answered_in_order() {
    let world = World::start().await;
    let mut peer = world.peer().await;
    for id in 1..=20 {
        peer.send(&format!(r#"{{"id":{id},"request":{{"type":"status"}}}}"#)).await;
    }
    for id in 1..=20 {
        assert_eq!(peer.read().await["id"], id);
    }
}

#[tokio::test]
async fn an_unknown_request_is_unsupported() {
    let world = World::start().await;
    let answer = world.ask(r#"{"type":"make_coffee","cups":2}"#).await;
    assert_eq!(answer["error"]["code"], "unsupported");
}

#[tokio::test]
async fn one_byte_too_many_is_refused_and_ends_the_connection() {
    let world = World::start().await;
    let request = r#"{"id":1,"request":{"type":"status","padding":""}}"#;
    let padding = "x".repeat(MAX_REQUEST - request.len());
    let longest = request.replace(r#""""#, &format!(r#""{padding}""#));
    assert_eq!(longest.len(), 65536);
    let mut peer = world.peer().await;
    peer.send(&longest).await;
    assert_eq!(peer.read().await["ok"]["database"], "ok");
    peer.send(&longest.replace("padding", "paddings")).await;
    let answer = peer.read().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(null), &json!("too_large")));
    assert!(peer.is_closed().await);
    world.ask(r#"{"type":"status"}"#).await;
}

#[tokio::test]
async fn half_a_line_and_then_silence_ends_the_connection() {
    let world = World::start().await;
    let mut peer = world.peer().await;
    tokio::time::pause();
    peer.send_raw(br#"{"id":1,"#).await;
    let answer = peer.read().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(null), &json!("timeout")));
    assert!(peer.is_closed().await);
}

#[tokio::test]
async fn a_silent_peer_is_let_go_but_not_a_silent_watcher() {
    let world = World::start().await;
    let (mut silent, mut watcher) = (world.peer().await, world.peer().await);
    watcher.send(r#"{"id":1,"request":{"type":"watch"}}"#).await;
    assert_eq!(watcher.item("monitor").await["monitor"]["id"], 1);
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    assert!(silent.is_closed().await);
    // Its silence began a moment before the clock was stopped.
    assert!((599..=600).contains(&start.elapsed().as_secs()));
    tokio::time::sleep(std::time::Duration::from_hours(1)).await;
    tokio::time::resume();
    world.alarm(1, 32910).await;
    assert_eq!(watcher.item("alarm").await["event_id"], 32910);
}

#[tokio::test]
async fn a_last_line_without_its_line_feed_is_answered() {
    let world = World::start().await;
    let script = r#"printf '{"id":3,"request":{"type":"status"}}' | socat -t 10 - "UNIX-CONNECT:$0""#;
    let output = tokio::task::spawn_blocking({
        let socket = world.socket.clone();
        move || std::process::Command::new("sh").args(["-c", script]).arg(socket).output().unwrap()
    });
    let output = output.await.unwrap();
    if output.status.code() == Some(127) {
        assert!(std::env::var_os("CI").is_none(), "socat is missing");
        eprintln!("SKIPPED: socat is missing");
        return;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with(r#"{"hello":{"protocol":{"major":1,"#), "{text}");
    assert!(lines.next().unwrap().starts_with(r#"{"id":3,"ok":{"#), "{text}");
}

#[tokio::test]
async fn the_seventeenth_peer_waits_for_a_free_place() {
    let world = World::start().await;
    let mut peers = Vec::new();
    for _ in 0..16 {
        peers.push(world.peer().await);
    }
    let mut waiting = Peer::connect(&world.socket).await;
    let short = std::time::Duration::from_millis(100);
    assert!(
        tokio::time::timeout(short, waiting.read()).await.is_err(),
        "served although all places are taken"
    );
    // The others are not troubled by it.
    peers[0].send(r#"{"id":1,"request":{"type":"status"}}"#).await;
    assert_eq!(peers[0].read().await["id"], 1);
    peers.pop();
    assert_eq!(waiting.read().await["hello"]["role"], "admin");
}

#[tokio::test]
async fn a_stop_ends_every_session_and_frees_the_name() {
    let world = World::start().await;
    let mut peer = world.peer().await;
    world.draining.cancel();
    peer.send(r#"{"id":1,"request":{"type":"status"}}"#).await;
    assert_eq!(peer.read().await["ok"]["stopping"], true, "questions are answered to the end");
    world.stop.cancel();
    assert!(peer.is_closed().await);
    world.tasks.wait().await;
    assert!(!world.socket.exists());
}
