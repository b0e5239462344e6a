//! Requests of snooze buttons on the apps' port, byte for byte.

use super::pictures::answer;
use super::settings;
use super::world::WsWorld;

const HEAD: &str = "Content-Type: text/html; charset=utf-8\r\nContent-Length: ";
const HEADERS: &str = "\r\nCache-Control: private, no-store\r\nX-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'sha256-8SgkZIywY50iHjqkNICcGse935oRFzz2N9hByxMbwLg='; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n\
    Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n";

/// Sends a request; returns status line and body, after a look at the headers.
async fn told(world: &WsWorld, method: &str, path: &str, body: &str) -> (String, String) {
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: zm.example.org\r\nContent-Length: {length}\r\n\r\n{body}");
    let answer = String::from_utf8(answer(world, &request).await).unwrap();
    let (status, rest) = answer.split_once("\r\n").unwrap();
    let (head, body) = rest.split_once("\r\n\r\n").unwrap();
    if !status.contains("426") {
        assert_eq!(format!("{head}\r\n\r\n"), format!("{HEAD}{}{HEADERS}", body.len()));
    }
    (status.to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_button_opens_a_page_with_one_button_that_does_it_and_one_that_undoes_it() {
    let world = WsWorld::plain(settings());
    let (status, page) = told(&world, "GET", "/s/right", "").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(page.contains("<form method=\"post\"><button>Snooze for 1 hour</button></form>"), "{page}");
    let (status, page) = told(&world, "POST", "/s/right", "").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(page.contains("<form method=\"post\" action=\"undo\"><button>Undo</button></form>"), "{page}");
    let (status, page) = told(&world, "POST", "/s/undo", "").await;
    assert!(status.ends_with(" 200 OK") && !page.contains("<form"), "{page}");
    assert_eq!(told(&world, "POST", "/s/full", "").await.0, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(told(&world, "GET", "/s/busy", "").await.0, "HTTP/1.1 503 Service Unavailable");
}

#[tokio::test]
async fn every_refusal_of_a_button_is_the_same() {
    let world = WsWorld::plain(settings());
    let refused = told(&world, "GET", "/s/wrong", "").await;
    assert_eq!(refused.0, "HTTP/1.1 404 Not Found");
    for path in ["/s/", "/s/right/", "/s/right.jpg", "/s/%72ight", "/s/../s/right"] {
        assert_eq!(told(&world, "GET", path, "").await, refused, "{path}");
        assert_eq!(told(&world, "POST", path, "").await, refused, "{path}");
    }
}

#[tokio::test]
async fn the_body_of_a_post_is_dropped_however_long_it_is() {
    let world = WsWorld::plain(settings());
    for body in ["a=b", &"x".repeat(60_000)] {
        assert_eq!(told(&world, "POST", "/s/right", body).await.0, "HTTP/1.1 200 OK");
    }
    // One that promises more than ever comes is answered at once.
    let request = "POST /s/right HTTP/1.1\r\nHost: zm\r\nContent-Length: 9999999999\r\n\r\nx";
    assert!(answer(&world, request).await.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn nothing_else_is_posted_to_or_asked_for_there() {
    let world = WsWorld::plain(settings());
    for (method, path) in [
        ("POST", "/"),
        ("POST", "/p/right.jpg"),
        ("POST", "/S/right"),
        ("HEAD", "/s/right"),
        ("PUT", "/s/right"),
        ("DELETE", "/s/right"),
        ("OPTIONS", "/s/right"),
        ("GET", "/s"),
    ] {
        let (status, body) = told(&world, method, path, "").await;
        assert_eq!(status, "HTTP/1.1 426 Upgrade Required", "{method} {path}");
        assert_eq!(body, "This port speaks WebSocket.\n");
    }
}
