//! Clients refused at the apps' port are visible in `clients rejected`, `doctor`, `watch`, the log, the metrics, and to
//! fail2ban. After each refusal another client gets in.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zmes_tests::{
    AppClient, Endpoint, HalfOpen, Incoming, UserRow, World, installed, repository, wait_until, within,
};

/// Waits until `clients rejected` has an entry; returns it.
async fn rejected(world: &World, reason: &str, user: Option<&str>, count: u64) -> Result<Value> {
    wait_until(&format!("{reason} of {user:?} is told {count} times"), async || {
        let answer = world.ctl().json(&["clients", "rejected"]).await?;
        let entries = answer["rejected"].as_array().context("no list")?.clone();
        let wanted = |entry: &Value| {
            entry["reason"] == reason
                && entry["user"] == json!(user)
                && entry["count"].as_u64() >= Some(count)
        };
        Ok(entries.into_iter().find(wanted))
    })
    .await
}

/// Returns what `check all` makes of clients that were refused.
async fn judged(world: &World) -> Result<Value> {
    let all = world.run(&["check", "all", "--json"]).await?.json()?;
    let clients = all["checks"].as_array().and_then(|all| all.iter().find(|part| part["check"] == "clients"));
    Ok(clients.with_context(|| all.to_string())?["severity"].clone())
}

async fn findings(world: &World, arguments: &[&str], step: &str) -> Result<Vec<Value>> {
    let output = world.run(&[&["doctor", "--json"], arguments].concat()).await?;
    let answer: Value = serde_json::from_str(&output.stdout)?;
    let all = answer["findings"].as_array().context("no findings")?;
    Ok(all.iter().filter(|finding| finding["step"] == step).cloned().collect())
}

/// Sends a wrong password and takes BADAUTH and 1008.
async fn wrong(world: &World, user: &str, password: &str, headers: &[(&str, &str)]) -> Result<()> {
    let mut app = AppClient::connect_with(&world.endpoint().await?, headers).await?;
    app.send_auth(user, password).await?;
    app.expect(&json!({"event": "auth", "type": "", "status": "Fail", "reason": "BADAUTH"})).await?;
    app.expect_close(1008).await
}

/// Opens TLS for a name with the given roots; it must fail, or the peer hangs up.
async fn give_up(endpoint: &Endpoint, config: Arc<ClientConfig>, name: &'static str) -> Result<()> {
    let tcp = TcpStream::connect(endpoint.address).await?;
    let connected =
        within("TLS", TlsConnector::from(config).connect(ServerName::try_from(name)?, tcp)).await?;
    ensure!(connected.is_err(), "the client trusts anybody");
    Ok(())
}

fn trusting_no_authority() -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[tokio::test]
async fn what_newcomers_get_wrong_is_told_with_its_cure() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    let endpoint = world.endpoint().await?;
    let tls = endpoint.tls.clone().context("no TLS")?;
    // ws:// where wss:// is spoken, a phone that does not know the CA, another name, a web page, a browser.
    for _ in 0..2 {
        ensure!(AppClient::connect(&Endpoint { tls: None, ..endpoint.clone() }).await.is_err());
        give_up(&endpoint, trusting_no_authority()?, "localhost").await?;
        give_up(&endpoint, Arc::clone(&tls), "zm.lan").await?;
        let page = AppClient::connect_with(&endpoint, &[("origin", "https://evil.example")]).await;
        ensure!(format!("{:?}", page.err()).contains("403"), "not refused with 403");
        let mut browser = HalfOpen::connect(&endpoint).await?;
        browser.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    }
    for (reason, detail) in [
        ("plain_on_tls", Value::Null),
        ("untrusted_certificate", json!("localhost")),
        ("wrong_name", json!("zm.lan")),
        ("origin", json!("https://evil.example")),
        ("not_websocket", Value::Null),
    ] {
        let entry = rejected(&world, reason, None, 2).await?;
        ensure!(entry["address"] == "127.0.0.1" && entry["detail"] == detail, "{entry}");
        ensure!(entry["last_at"].is_string() && entry["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
        let metric = format!("zmesd_ws_refused_total{{reason=\"{reason}\"}}");
        place.wait(&metric, 2.0).await?;
    }
    let log = world.daemon()?.log();
    for reason in ["plain_on_tls", "untrusted_certificate", "wrong_name", "origin", "not_websocket"] {
        let told = log.lines().filter(|line| {
            line.contains(" WARN ")
                && line.contains("client refused: 127.0.0.1")
                && line.contains(&format!("reason=\"{reason}\""))
        });
        let told: Vec<_> = told.collect();
        ensure!(told.len() == 1 && told[0].contains("hint=\""), "{reason}: {told:#?}");
    }
    let told = findings(&world, &[], "clients refused").await?;
    ensure!(
        told.iter().all(|finding| finding["ok"] == true && finding["severity"] == "warning"),
        "{told:#?}"
    );
    ensure!(judged(&world).await? == "warning", "check all takes it for something else than doctor");
    let by_name = told.iter().find(|finding| {
        finding["detail"].as_str().is_some_and(|detail| detail.contains("it asked for zm.lan"))
    });
    let by_name = by_name.with_context(|| format!("{told:#?}"))?;
    let detail = by_name["detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("127.0.0.1") && detail.contains("the certificate is for localhost"), "{detail}");
    // A time before any record: no refusals.
    let none = world.ctl().json(&["clients", "rejected", "--since", "1ms"]).await?;
    ensure!(none == json!({"rejected": []}), "{none}");
    // The next success: it gets its alarm, and the doctor has nothing more to say.
    let mut app = world.admin().await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    ensure!(findings(&world, &[], "clients refused").await?.is_empty());
    ensure!(judged(&world).await? == "ok", "check all remembers what is mended");
    ensure!(world.status().await?["clients"]["rejected"] == 10);
    Ok(())
}

#[tokio::test]
async fn wrong_passwords_of_a_user_are_told_with_user_address_and_count() -> Result<()> {
    let world = World::new().monitor(1, "Front").user(UserRow::new("amy", "pw")).start().await?;
    let mut watch = world.ctl().stream(&["watch", "--jsonl", "--user", "amy"])?;
    let mut everything = world.ctl().stream(&["watch", "--jsonl"])?;
    everything.find("the start", |event| event["type"] == "monitor").await?;
    // `watch` is running once it shows another client's connection.
    let mut member = world.login("amy", "pw").await?;
    watch.find("amy", |event| event["client"]["user"] == "amy").await?;
    for password in ["old", "older", "oldest"] {
        wrong(&world, "amy", password, &[]).await?;
    }
    let closed = |event: &Value| event["change"] == "closed" && event["reason"] == "bad authentication";
    for count in 1..=3 {
        let event = watch.find("a login that failed", closed).await?;
        ensure!(event["tried"] == "amy" && event["count"] == count, "{event}");
        let address = event["client"]["address"].as_str().unwrap_or_default();
        ensure!(address.starts_with("127.0.0.1:"), "{event}");
    }
    let entry = rejected(&world, "bad_credentials", Some("amy"), 3).await?;
    ensure!(entry["detail"] == "wrong password" && entry["address"] == "127.0.0.1", "{entry}");
    let told = findings(&world, &["amy"], "logins").await?;
    let detail = told.first().and_then(|finding| finding["detail"].as_str()).unwrap_or_default();
    ensure!(
        detail.starts_with("login as amy refused 3 times, last at ")
            && detail.ends_with(", from 127.0.0.1: wrong password"),
        "{told:#?}"
    );
    // The next success clears it.
    world.alarm(1, 5).await?;
    member.expect_alarm(5, 1).await?;
    world.login("amy", "pw").await?;
    ensure!(findings(&world, &["amy"], "logins").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn scripts_with_an_old_password_do_not_lock_out_others() -> Result<()> {
    let world = World::new()
        .monitor(1, "Front")
        .user(UserRow::new("amy", "pw"))
        .user(UserRow::new("bob", "pw"))
        .setting("server", "trusted-proxies", "[\"127.0.0.0/8\"]")
        .start()
        .await?;
    let behind = [("x-forwarded-for", "203.0.113.7")];
    // Two of them at one address, as iMouseGuard does it every 3 s: each time BADAUTH and 1008, never 1013.
    for _ in 0..60 {
        wrong(&world, "amy", "old", &behind).await?;
        wrong(&world, "nobody", "old", &behind).await?;
    }
    let entry = rejected(&world, "bad_credentials", Some("amy"), 60).await?;
    ensure!(entry["address"] == "203.0.113.7", "{entry}");
    for user in ["bob", "amy"] {
        let mut app = AppClient::connect_with(&world.endpoint().await?, &behind).await?;
        app.authenticate(user, "pw").await?;
    }
    // The password becomes the one that the script has.
    world.database.sql(&format!("UPDATE Users SET Password='{OLD}' WHERE Username='amy'")).await?;
    let mut script = AppClient::connect_with(&world.endpoint().await?, &behind).await?;
    script.authenticate("amy", "old").await?;
    world.alarm(1, 5).await?;
    script.expect_alarm(5, 1).await?;
    Ok(())
}

/// `old`, hashed as by MySQL's `PASSWORD()`.
const OLD: &str = "*CD02AC33DE7D3D2AFEDF5F2BAB51B07CDB499E79";

/// Applies the filter of the documentation to lines, as fail2ban's Python does.
const JUDGE: &str = r#"
import configparser, re, sys
parser = configparser.RawConfigParser()
parser.read(sys.argv[1])
prefix = r"(?:\S+ )?(?:zmesd\[\d+\]: )?"
forms = parser["Definition"]["failregex"].replace("%(__prefix_line)s", prefix).split("\n")
forms = [re.compile(form.replace("<HOST>", r"(?P<host>\S+)")) for form in forms]
for line in open(sys.argv[2]):
    line = re.sub(r"^\d{4}-\d\d-\d\dT[\d:.]+Z", "", line.rstrip("\n"))
    for found in filter(None, (form.search(line) for form in forms)):
        print(found["host"])
        break
"#;

#[tokio::test]
async fn fail2ban_bans_only_addresses_that_guess_passwords() -> Result<()> {
    let mut world = World::new()
        .user(UserRow::new("amy", "pw"))
        .setting("server", "trusted-proxies", "[\"127.0.0.0/8\"]")
        .start()
        .await?;
    let from = |address| [("x-forwarded-for", address)];
    for number in 0..4 {
        wrong(&world, "amy", &format!("guess{number}"), &from("203.0.113.66")).await?;
    }
    // A user name made to get another address banned, and a script with an old password.
    let forged = "x\nBad authentication provided by 192.0.2.9 address=192.0.2.9";
    for _ in 0..3 {
        wrong(&world, forged, "x", &from("2001:db8::66")).await?;
    }
    let mut app = AppClient::connect_with(&world.endpoint().await?, &from("203.0.113.7")).await?;
    app.authenticate("amy", "pw").await?;
    let log = world.path("for-fail2ban.log");
    fs::write(&log, world.daemon()?.log())?;
    let filter = repository()?.join("docs/examples/fail2ban/zmesd.conf");
    let judged = Command::new("python3").arg("-c").arg(JUDGE).arg(&filter).arg(&log).output()?;
    ensure!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    let hosts = String::from_utf8(judged.stdout)?;
    let mut hosts: Vec<_> = hosts.lines().collect();
    hosts.sort_unstable();
    let guesser = "203.0.113.66";
    ensure!(hosts == ["2001:db8::66", guesser, guesser, guesser, guesser], "{hosts:?}");
    if !installed("fail2ban-regex")? {
        return Ok(());
    }
    // A filter of fail2ban includes files beside it.
    let place = world.path("filter.d");
    fs::create_dir(&place)?;
    fs::copy("/etc/fail2ban/filter.d/common.conf", place.join("common.conf"))?;
    let filter = {
        fs::copy(&filter, place.join("zmesd.conf"))?;
        place.join("zmesd.conf")
    };
    let output = Command::new("fail2ban-regex").args(["-o", "ip"]).arg(&log).arg(&filter).output()?;
    let told = String::from_utf8(output.stdout)?;
    let mut hosts: Vec<_> = told.lines().filter(|line| !line.is_empty()).collect();
    hosts.sort_unstable();
    ensure!(hosts == ["2001:db8::66", guesser, guesser, guesser, guesser], "fail2ban: {told}");
    Ok(())
}

#[tokio::test]
async fn who_says_nothing_is_told_as_such() -> Result<()> {
    let world = World::new().setting("auth", "timeout", "\"1s\"").start().await?;
    let mut silent = world.app().await?;
    silent.expect(&json!({"event": "auth", "reason": "NOAUTH"})).await?;
    silent.expect_close(1008).await?;
    rejected(&world, "auth_timeout", None, 1).await?;
    let mut chatter = world.app().await?;
    while chatter.send(&json!({"event": "control", "data": {"type": "version"}})).await.is_ok() {
        if matches!(chatter.next().await, Ok(Incoming::Closed(_)) | Err(_)) {
            break;
        }
    }
    let entry = rejected(&world, "protocol", None, 1).await?;
    ensure!(entry["detail"] == "rate", "{entry}");
    world.admin().await?;
    Ok(())
}
