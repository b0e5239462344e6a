//! Clients without a login lock out no other: a correct login succeeds during each attack and after it, on the first attempt.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use zmes_tests::{AppClient, Endpoint, Incoming, UserRow, World, WorldBuilder, within};

/// `password` with bcrypt's lowest cost: these tests are about turns, not about the price of one.
const CHEAP: &str = "$2y$04$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC";
/// `password` as ZoneMinder stores it.
const USUAL: &str = "$2y$10$zmesdzmesdzmesdzmesdzef5Gy7ng5eh6M1k6qA2E7OOBeBKdJt6C";
const HOME: &str = "203.0.113.9";

fn town() -> WorldBuilder {
    World::new()
        .monitor(1, "Front")
        .user(UserRow::new("amy", "").stored(CHEAP))
        .user(UserRow::new("bob", "").stored(CHEAP))
        .setting("server", "trusted-proxies", "[\"127.0.0.1\"]")
}

async fn from(endpoint: &Endpoint, address: &str) -> Result<AppClient> {
    AppClient::connect_with(endpoint, &[("x-forwarded-for", address)]).await
}

async fn login(endpoint: &Endpoint, address: &str, user: &str, password: &str) -> Result<AppClient> {
    let mut app = from(endpoint, address).await?;
    app.authenticate(user, password).await.with_context(|| format!("{user} from {address}"))?;
    Ok(app)
}

/// Opens a TCP connection from an address of the loopback network and says nothing.
async fn silent(endpoint: &Endpoint, source: &str) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{source}:0").parse()?)?;
    Ok(within("TCP connection", socket.connect(endpoint.address)).await??)
}

#[tokio::test]
async fn anonymous_sessions_take_no_seats() -> Result<()> {
    let world = town()
        .setting("server", "max-clients", "20")
        .setting("server", "max-clients-per-address", "15")
        .start()
        .await?;
    let endpoint = world.endpoint().await?;
    let mut anonymous = Vec::new();
    for address in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        for _ in 0..15 {
            anonymous.push(from(&endpoint, address).await?);
        }
    }
    let mut member = login(&endpoint, HOME, "amy", "password").await?;
    // One more connection of an address at its limit closes its own oldest one, and no other.
    let mut newest = from(&endpoint, "203.0.113.1").await?;
    anonymous[0].expect_close(1013).await?;
    newest.authenticate("bob", "password").await?;
    anonymous[15].sync().await?;
    world.alarm(1, 5).await?;
    member.expect_alarm(5, 1).await?;
    newest.expect_alarm(5, 1).await?;
    drop(anonymous);
    let mut after = login(&endpoint, "203.0.113.1", "amy", "password").await?;
    world.alarm(1, 6).await?;
    after.expect_alarm(6, 1).await?;
    let told = world.ctl().json(&["clients", "rejected"]).await?;
    ensure!(told["rejected"][0]["reason"] == "evicted", "{told}");
    Ok(())
}

#[tokio::test]
async fn silent_connections_by_the_hundred_delay_no_other_client() -> Result<()> {
    let mut world = town().setting("server", "max-clients-per-address", "50").start().await?;
    let endpoint = world.endpoint().await?;
    // 127.0.0.66 is not a trusted proxy: it is limited as a client.
    let mut crowd = Vec::new();
    for round in 0..8 {
        for _ in 0..100 {
            // The daemon hangs up on the oldest of them.
            crowd.extend(silent(&endpoint, "127.0.0.66").await.ok());
        }
        login(&endpoint, HOME, "amy", "password").await.with_context(|| format!("in round {round}"))?;
        // Not even clients that share the address with them.
        let neighbour = AppClient::connect_from(&endpoint, "127.0.0.66").await;
        let mut neighbour = neighbour.with_context(|| format!("a neighbour in round {round}"))?;
        neighbour.authenticate("bob", "password").await?;
    }
    let told = world.ctl().json(&["clients", "rejected"]).await?;
    let reasons: Vec<_> = told["rejected"].as_array().context("no list")?.iter().collect();
    ensure!(
        reasons.iter().any(|entry| entry["reason"] == "evicted" && entry["address"] == "127.0.0.66"),
        "{told}"
    );
    ensure!(reasons.iter().all(|entry| entry["address"] == "127.0.0.66"), "{told}");
    drop(crowd);
    world.daemon()?.ensure_running()?;
    let mut app = login(&endpoint, HOME, "amy", "password").await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn wrong_logins_side_by_side_refuse_no_right_one() -> Result<()> {
    let world = town().user(UserRow::new("carol", "").stored(USUAL)).start().await?;
    let endpoint = world.endpoint().await?;
    let mut wrong = JoinSet::new();
    for number in 0..120 {
        let endpoint = endpoint.clone();
        wrong.spawn(async move {
            let mut app = from(&endpoint, "203.0.113.66").await?;
            app.send_auth(&format!("guess{}", number % 7), &format!("guess{number}")).await?;
            // BADAUTH, or closed without being looked at.
            let answer = app.next().await?;
            ensure!(answer != Incoming::Json(json!({"event": "auth", "type": "", "status": "Success"})));
            anyhow::Ok(())
        });
    }
    for user in ["amy", "bob", "carol", "admin"] {
        let password = if user == "admin" { "adminpass" } else { "password" };
        login(&endpoint, HOME, user, password).await.context("during the attack")?;
    }
    while let Some(done) = wrong.join_next().await {
        done??;
    }
    let mut app = login(&endpoint, HOME, "carol", "password").await.context("after it")?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn wrong_logins_from_elsewhere_do_not_lock_out_clients_at_home() -> Result<()> {
    let world = town().start().await?;
    let endpoint = world.endpoint().await?;
    drop(login(&endpoint, HOME, "amy", "password").await?);
    let mut locked = 0;
    for host in 1..=12 {
        for guess in 0..12 {
            let mut app = from(&endpoint, &format!("198.51.100.{host}")).await?;
            app.send_auth("amy", &format!("guess{host}-{guess}")).await?;
            locked += u32::from(matches!(app.next().await?, Incoming::Closed(Some(1013))));
        }
    }
    let mut home =
        login(&endpoint, HOME, "amy", "password").await.context("at home, after 144 guesses elsewhere")?;
    // Others of the addresses that guessed are not punished for it.
    login(&endpoint, "198.51.100.1", "bob", "password").await?;
    world.alarm(1, 5).await?;
    home.expect_alarm(5, 1).await?;
    let told = world.ctl().json(&["clients", "rejected"]).await?;
    let throttled =
        told["rejected"].as_array().context("no list")?.iter().filter(|entry| entry["reason"] == "throttled");
    let counted: u64 = throttled.filter_map(|entry| entry["count"].as_u64()).sum();
    ensure!(counted == u64::from(locked), "{locked} were closed with 1013: {told}");
    Ok(())
}
