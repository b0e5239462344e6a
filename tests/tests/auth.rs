//! Which logins succeed, and how each is answered: literal JSON over real TLS.

use anyhow::{Result, ensure};
use serde_json::json;
use zmes_tests::{AppClient, Claims, UserRow, World, access_token, epoch_seconds, wait_until};

/// `bcryptpass`, as ZoneMinder's web interface has stored passwords since 1.34 (with a cheaper cost).
const BCRYPT: &str = "$2y$04$BW5fSPbNQHsTxXG8D8ozYOZJWAJp7hJeEnX0mZ9OjIQvcMX9v9NBK";
/// `migratedpass`: an old `*HEX` hash under bcrypt, as zmupdate.pl leaves it.
const MIGRATED: &str = "-ZM-$2a$04$.l146JKFtRGraJTBD5RBauZi55Wfkn9i.uZS0zUACIca.wjLxDR0O";

/// Takes the answer to wrong credentials, and the close after it.
async fn expect_badauth(app: &mut AppClient) -> Result<()> {
    app.expect(&json!({"event": "auth", "type": "", "status": "Fail", "reason": "BADAUTH"})).await?;
    app.expect_close(1008).await
}

#[tokio::test]
async fn every_stored_form_of_a_password_is_understood() -> Result<()> {
    let world = World::new()
        .user(UserRow::new("old", "oldpass"))
        .user(UserRow::new("new", "").stored(BCRYPT))
        .user(UserRow::new("b", "").stored(&BCRYPT.replace("$2y$", "$2b$")))
        .user(UserRow::new("migrated", "").stored(MIGRATED))
        .user(UserRow::new("müller", "päßwörd \u{1F511}\"'\\"))
        .user(UserRow::new("plain", "").stored("plaintext"))
        .start()
        .await?;
    for (user, password) in [
        ("old", "oldpass"),
        ("new", "bcryptpass"),
        ("b", "bcryptpass"),
        ("migrated", "migratedpass"),
        ("müller", "päßwörd \u{1F511}\"'\\"),
    ] {
        world.login(user, password).await?;
    }
    for (user, password) in [
        ("old", "oldpasS"),
        ("Old", "oldpass"), // names are compared to the letter
        ("old", "*2470C0C06DEE42FD1618BBB99005ADCA2EC9D1E19"),
        ("new", "bcryptpasS"),
        ("migrated", "migrated"),
        ("plain", "plaintext"), // stored in plain text: refused, the log says why
        ("nobody", "oldpass"),
        ("old", ""),
        ("", ""),
        ("old' OR '1'='1", "x"),
    ] {
        let mut app = world.app().await?;
        app.send_auth(user, password).await?;
        expect_badauth(&mut app).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_answer_to_auth_is_what_apps_compare() -> Result<()> {
    let world = World::new().start().await?;
    let mut app = world.app().await?;
    let answer = app.authenticate("admin", "adminpass").await?;
    assert_eq!(answer["version"], "7.0.0");
    let server = answer["server"].as_str().unwrap_or_default();
    ensure!(server.starts_with("zmesd/"), "{answer}");
    // Sent again it is verified again and answered again.
    app.authenticate("admin", "adminpass").await?;
    app.send_auth("admin", "wrong").await?;
    expect_badauth(&mut app).await
}

#[tokio::test]
async fn the_advertised_version_is_a_string_that_can_be_set() -> Result<()> {
    let world = World::new().setting("server", "advertised-version", "\"6.1.29\"").start().await?;
    let mut app = world.app().await?;
    app.send(&json!({"event": "control", "data": {"type": "version"}})).await?;
    app.expect(&json!({"event": "control", "type": "version", "type:": "version", "status": "Success",
                       "reason": "", "version": "6.1.29"}))
        .await?;
    let answer = app.authenticate("admin", "adminpass").await?;
    assert_eq!(answer["version"], "6.1.29");
    Ok(())
}

#[tokio::test]
async fn who_says_nothing_is_told_noauth_and_closed() -> Result<()> {
    let world = World::new().setting("auth", "timeout", "\"1s\"").start().await?;
    let noauth = json!({"event": "auth", "type": "", "status": "Fail", "reason": "NOAUTH"});
    let mut silent = world.app().await?;
    silent.expect(&noauth).await?;
    silent.expect_close(1008).await?;
    // Talking does not buy time, authenticating does.
    let mut talker = world.app().await?;
    talker.sync().await?;
    talker.expect(&noauth).await?;
    talker.expect_close(1008).await?;
    let mut member = world.admin().await?;
    let mut second = world.app().await?;
    second.expect(&noauth).await?;
    member.sync().await?;
    Ok(())
}

#[tokio::test]
async fn before_auth_only_auth_and_version_do_anything() -> Result<()> {
    let world = World::new().monitor(1, "Front").monitor(2, "Yard").start().await?;
    let mut app = world.app().await?;
    let refused = |event: &str, kind: &str| json!({"event": event, "type": kind, "status": "Fail", "reason": "NOTAUTHORIZED"});
    app.filter("2", "0").await?;
    app.expect(&refused("control", "filter")).await?;
    app.send(&json!({"event": "push", "data": {"type": "token", "platform": "ios", "token": "T"}})).await?;
    app.expect(&refused("push", "token")).await?;
    app.send(&json!({"event": "push", "data": {"type": "badge", "badge": 1}})).await?;
    app.expect(&refused("push", "badge")).await?;
    app.send(&json!({"event": "control", "data": {"type": "replay", "since": "1"}})).await?;
    app.expect(&refused("control", "replay")).await?;
    app.sync().await?;
    // Nothing of it has changed anything.
    app.authenticate("admin", "adminpass").await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn zoneminder_s_own_tokens_are_credentials() -> Result<()> {
    let now = epoch_seconds();
    let world = World::new()
        .monitor(1, "Front")
        .user(UserRow::new("amy", "pw").monitor_ids("1").tokens_since(now - 100))
        .user(UserRow::new("gone", "pw").disabled())
        .user(UserRow::new("noapi", "pw").without_api())
        .start()
        .await?;
    let auth = |token: &str| json!({"event": "auth", "data": {"token": token}});
    let fresh = access_token(Claims::of("amy"), World::AUTH_SECRET)?;
    let mut app = world.app().await?;
    app.send(&auth(&fresh)).await?;
    app.expect(&json!({"event": "auth", "type": "", "status": "Success", "reason": ""})).await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;

    let of = Claims::of("amy");
    let refused = [
        ("signed with another secret", access_token(of, "another secret")?),
        ("expired", access_token(Claims { issued: -50, expires: -10, ..of }, World::AUTH_SECRET)?),
        ("a refresh token", access_token(Claims { kind: "refresh", ..of }, World::AUTH_SECRET)?),
        ("revoked", access_token(Claims { issued: -200, ..of }, World::AUTH_SECRET)?),
        ("of a disabled user", access_token(Claims::of("gone"), World::AUTH_SECRET)?),
        ("of a user without the API", access_token(Claims::of("noapi"), World::AUTH_SECRET)?),
        ("of an unknown user", access_token(Claims::of("nobody"), World::AUTH_SECRET)?),
        ("unsigned", unsigned(&fresh)),
        ("no token", "x.y.z".to_owned()),
    ];
    for (what, token) in refused {
        let mut app = world.app().await?;
        app.send(&auth(&token)).await?;
        let verdict = expect_badauth(&mut app).await;
        ensure!(verdict.is_ok(), "{what}: {verdict:?}");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_secret_no_token_is_good() -> Result<()> {
    let mut world = World::new().prepare().await?;
    world.database.sql("UPDATE Config SET Value='' WHERE Name='ZM_AUTH_HASH_SECRET'").await?;
    world.start_daemon().await?;
    for secret in ["", World::AUTH_SECRET] {
        let mut app = world.app().await?;
        let token = access_token(Claims::of("admin"), secret)?;
        app.send(&json!({"event": "auth", "data": {"token": token}})).await?;
        expect_badauth(&mut app).await?;
    }
    Ok(())
}

/// Returns the token with its algorithm changed to `none` and no signature.
fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap_or_default();
    // {"typ":"JWT","alg":"none"}
    format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.{claims}.")
}

#[tokio::test]
async fn with_auth_off_everybody_sees_everything() -> Result<()> {
    let world = World::new().monitor(1, "Front").setting("auth", "enabled", "false").start().await?;
    for (user, password) in [("", ""), ("anybody", "x")] {
        let mut app = world.login(user, password).await?;
        app.sync().await?;
    }
    let mut app = world.login("x", "").await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn guessing_passwords_is_slowed_and_others_still_get_in() -> Result<()> {
    let world = World::new().monitor(1, "Front").user(UserRow::new("amy", "pw")).start().await?;
    let mut member = world.admin().await?;
    // An attacker guesses amy's password; after some attempts the connection is closed without BADAUTH.
    for _ in 0..40 {
        let Ok(mut guesser) = world.app().await else { break };
        let verdict = async {
            guesser.send_auth("amy", "guess").await?;
            expect_badauth(&mut guesser).await
        };
        if verdict.await.is_err() {
            break;
        }
    }
    let status = world.status().await?;
    ensure!(status["clients"]["rejected"].as_u64() > Some(0), "{status}");
    // No ban of an address: another user of the same house gets in, if perhaps a little later, and members stay.
    wait_until("another user gets in", async || Ok(world.admin().await.ok())).await?;
    world.alarm(1, 5).await?;
    member.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_browser_of_another_site_is_refused() -> Result<()> {
    let world =
        World::new().setting("server", "allowed-origins", "[\"https://cctv.example\"]").start().await?;
    let endpoint = world.endpoint().await?;
    AppClient::connect_with(&endpoint, &[("origin", "https://cctv.example")]).await?;
    // A page of this server itself, and libraries that say its URL, over TLS with `http` too.
    for scheme in ["https", "http"] {
        let own = format!("{scheme}://localhost:{}", endpoint.address.port());
        let mut app = AppClient::connect_with(&endpoint, &[("origin", own.as_str())]).await?;
        app.authenticate("admin", "adminpass").await?;
    }
    let stranger = AppClient::connect_with(&endpoint, &[("origin", "https://evil.example")]).await;
    ensure!(format!("{:?}", stranger.err()).contains("403"), "not refused with 403");
    Ok(())
}

#[tokio::test]
async fn only_a_trusted_proxy_may_say_who_is_behind_it() -> Result<()> {
    for (trusted, told) in [("[\"127.0.0.0/8\"]", "203.0.113.7"), ("[\"192.0.2.0/24\"]", "127.0.0.1")] {
        let world = World::new().setting("server", "trusted-proxies", trusted).start().await?;
        let forwarded = [("x-forwarded-for", "203.0.113.7")];
        let mut app = AppClient::connect_with(&world.endpoint().await?, &forwarded).await?;
        app.authenticate("admin", "adminpass").await?;
        let list = world.ctl().json(&["clients", "list"]).await?;
        let address = list["clients"][0]["address"].as_str().unwrap_or_default();
        ensure!(address.starts_with(told), "trusting {trusted}: {list}");
    }
    Ok(())
}
