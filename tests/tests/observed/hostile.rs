//! Scrapers that stall, flood or talk nonsense: others are answered, and alarms do not wait.

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zmes_tests::{World, within};

#[tokio::test]
async fn scrapers_that_stall_do_not_lock_out_others() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    let mut app = world.admin().await?;
    let mut stalled = Vec::new();
    for number in 0..60 {
        let mut stream = place.open().await?;
        // One sends nothing, one half a head, and one never reads the answer.
        let said: &[u8] =
            [b"".as_slice(), b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"][number % 3];
        stream.write_all(said).await?;
        stalled.push(stream);
    }
    ensure!(place.get("/metrics").await?.status == 200);
    world.alarm(1, 600).await?;
    app.expect_alarm(600, 1).await?;
    ensure!(place.get("/healthz").await?.status == 200);
    // The oldest connections were closed in favour of new ones.
    let mut first = stalled.swap_remove(0);
    within("the end of the oldest", first.read_to_end(&mut Vec::new())).await?.ok();
    world.daemon()?.ensure_running()
}

#[tokio::test]
async fn who_says_nothing_is_cut_off_in_the_end() -> Result<()> {
    let mut world = World::new().prepare().await?;
    let place = world.observe()?;
    world.launch_daemon().await?;
    let mut silent = place.open().await?;
    let mut answer = Vec::new();
    within("the end of a silent connection", silent.read_to_end(&mut answer)).await?.ok();
    ensure!(!String::from_utf8_lossy(&answer).contains("200"), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn nonsense_is_refused_and_forgotten() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    let long = "x".repeat(64 * 1024);
    for request in [
        format!("GET /metrics HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(),
        "GET http://evil.example/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "BREW /metrics HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(1000)),
    ] {
        // A connection that is cut in the middle of a request is an answer, too.
        if let Ok(page) = place.ask(&request).await {
            ensure!(page.status >= 400, "{page:?}");
        }
    }
    // The body of a request means nothing, and is not waited for.
    let body = place.ask("GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc").await?;
    ensure!(body.status == 200, "{body:?}");
    ensure!(place.get("/metrics").await?.status == 200);
    world.daemon()?.ensure_running()
}
