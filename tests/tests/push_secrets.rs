//! Secrets of pushes stay secret, even while providers refuse, hang, or echo what they received.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;
use zmes_tests::standin::{Answer, Apns, Authority, Behaviour, Fcm, FcmFunction, PushProxy, Route};
use zmes_tests::{Daemon, World, WorldBuilder, token_ending};

const TOKEN: &str = "planted-token:APA91bHPRgkFLJu6sgFull";
const APNS_TOKEN: &str = "ab1e0000000000000000000000000000000000000000000000000000000000aa";
const IMPORTED: &str = "planted-imported:APA91bHPRgkFLJu6sgFull";
const PASSWORD: &str = "planted-picture-password";
/// What provider's words may hold, too: a phone fetches this.
const PICTURE: &str = "https://zm.example.org/zm/index.php?view=image&eid=EVENTID&username=viewer&password=planted-picture-password";

/// Everything that was printed, for admins and for observers.
#[derive(Default)]
struct Said(String);

impl Said {
    /// Runs a command as an admin, for people and for programs, and as an observer.
    async fn ask(&mut self, world: &World, line: &str) -> Result<()> {
        let arguments: Vec<&str> = line.split(' ').collect();
        let script: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let ctl = world.ctl();
        for arguments in [&arguments, &script] {
            let output = ctl.run(arguments).await?;
            ensure!(output.code != 2, "no such command: {output:#?}");
            writeln!(self.0, "{arguments:?}: {}{}", output.stdout, output.stderr)?;
            if nix::unistd::Uid::effective().is_root() {
                let output = ctl.run_as(65534, 0, arguments).await?;
                writeln!(self.0, "observer {arguments:?}: {}{}", output.stdout, output.stderr)?;
            }
        }
        Ok(())
    }

    /// Runs everything that shows pushes.
    async fn ask_all(&mut self, world: &World, handle: &str, event: u64) -> Result<()> {
        for line in [
            "status",
            "clients list",
            "tokens list",
            "tokens list --failing",
            &format!("tokens show {handle}"),
            &format!("tokens log {handle}"),
            &format!("why {event}"),
            "push queue",
            "push check",
            "check push",
            "check all",
            "latency",
            "config show",
            "reload",
            "alarm test --monitor 1",
            &format!("alarm test --token {handle} --dry-run"),
            &format!("tokens mute {handle} --for 1s"),
            &format!("tokens unmute {handle}"),
            &format!("tokens revoke {handle} --dry-run"),
            &format!("badges reset {handle}"),
            "tokens prune --stale 1ms --dry-run",
            "tokens show 00000000",
            "watch --duration 50ms",
        ] {
            self.ask(world, line).await?;
        }
        Ok(())
    }

    /// Ends the daemon and takes over its log.
    async fn stop(&mut self, world: &mut World) -> Result<()> {
        world.daemon()?.end(Signal::SIGTERM).await?;
        let log = world.daemon()?.log();
        ensure!(log.contains("TRACE"), "the log is not at trace");
        self.0 += &log;
        Ok(())
    }

    /// Fails with the line in which a secret was printed.
    fn ensure_silent(&self, secrets: &[(&str, String)]) -> Result<()> {
        for (what, secret) in secrets {
            ensure!(secret.len() > 8, "{what} is no secret: {secret:?}");
            let line = self.0.lines().find(|line| line.contains(secret.as_str()));
            ensure!(line.is_none(), "{what} was printed: {line:?}");
        }
        Ok(())
    }
}

fn loud() -> WorldBuilder {
    let picture = format!("{PICTURE:?}");
    World::new().monitor(1, "Garage").setting("log", "level", "\"trace\"").setting(
        "push",
        "picture-url",
        &picture,
    )
}

/// A provider that echoes everything it receives.
fn echo(status: u16, told: &[&str]) -> Behaviour {
    let picture = PICTURE.replace("EVENTID", "5");
    let body = json!({"error": format!("bad request: {} {picture}", told.join(" ")), "told": told, "image": picture});
    Behaviour::Answer(Answer::json(status, &body))
}

/// Returns the lines of a PEM file that are its secret.
fn pem_lines(text: &str) -> Vec<(&'static str, String)> {
    let lines = text.lines().filter(|line| line.len() >= 16 && !line.starts_with("-----"));
    lines.map(|line| ("a line of a private key", line.trim().to_owned())).collect()
}

#[tokio::test]
async fn a_push_proxy_that_refuses_hangs_or_is_a_stranger_draws_out_no_secret() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = loud().with_push_proxy(&proxy).start().await?;
    let mut said = Said::default();
    let _phone = world.phone("android", TOKEN).await?;
    let handle = world.handle(TOKEN).await?;
    let told = [PushProxy::APP_KEY, TOKEN, token_ending(TOKEN)];
    proxy.always_on(Route::Register, echo(401, &told));
    let mut app = world.admin().await?;
    app.send(&json!({"event": "push", "data": {"type": "token", "platform": "android", "token": TOKEN,
                     "state": "enabled"}}))
        .await?;
    app.sync().await?;
    proxy.always(echo(400, &told));
    world.alarm(1, 5).await?;
    world.wait_delivery(&handle, 5, "failed").await?;
    said.ask(&world, &format!("alarm test --token {handle} --wait")).await?;
    said.ask_all(&world, &handle, 5).await?;

    let file = world.path("tokens.txt");
    let import = format!("tokens import {}", file.display());
    for text in [
        format!("{IMPORTED}:1:0:ios:enabled\n{IMPORTED}:1:0:windows:enabled\n"),
        format!("{{\"tokens\": {{\"{IMPORTED}\" 7}}}}"),
        format!("{{\"tokens\": {{\"{IMPORTED}\": \"{IMPORTED}\"}}}}"),
    ] {
        fs::write(&file, text)?;
        said.ask(&world, &format!("{import} --dry-run")).await?;
        said.ask(&world, &import).await?;
    }
    proxy.always(echo(401, &told));
    world.alarm(1, 6).await?;
    let before = proxy.wait_pushes_to(TOKEN, 3).await?.len();
    said.ask_all(&world, &handle, 6).await?;
    proxy.always(Behaviour::Hang);
    proxy.wait_pushes_to(TOKEN, before + 1).await?;
    said.ask_all(&world, &handle, 6).await?;
    said.stop(&mut world).await?;

    // A proxy whose certificate is not signed by an authority that the daemon trusts.
    let stranger = Authority::new()?;
    world.settings.set_path("push.proxy", "ca-certificate", &stranger.ca());
    world.write_settings()?;
    world.start_daemon().await?;
    said.ask_all(&world, &handle, 6).await?;
    said.ask(&world, &format!("tokens revoke {handle} --yes")).await?;
    said.ask(&world, &format!("tokens restore {handle}")).await?;
    said.stop(&mut world).await?;
    ensure!(
        said.0.contains("Garage") && said.0.contains(&handle) && said.0.contains("bad request"),
        "silent"
    );
    said.ensure_silent(&[
        ("the key of the proxy", PushProxy::APP_KEY.to_owned()),
        ("the push token", TOKEN.to_owned()),
        ("the imported token", IMPORTED.to_owned()),
        ("the picture's password", PASSWORD.to_owned()),
    ])?;
    // Users who may see it do.
    ensure!(!proxy.pushes_to(TOKEN).is_empty());
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn google_and_apple_draw_out_no_secret_either() -> Result<()> {
    let (fcm, apns) = (Fcm::start().await?, Apns::with_key().await?);
    let function = FcmFunction::start_under(fcm.messages.authority()).await?;
    let world = loud().with_fcm(&fcm).with_fcm_function("zmninja", &function).with_apns(&apns);
    let mut world = world.start().await?;
    let mut said = Said::default();
    let (_android, _ios) = (world.phone("android", TOKEN).await?, world.phone("ios", APNS_TOKEN).await?);
    let (android, ios) = (world.handle(TOKEN).await?, world.handle(APNS_TOKEN).await?);
    // All is well once: that is when credentials are made.
    world.alarm(1, 5).await?;
    for handle in [&android, &ios] {
        world.wait_delivery(handle, 5, "sent").await?;
    }
    said.ask_all(&world, &android, 5).await?;
    let signed =
        apns.pushes().first().and_then(|push| push.request.header("authorization").map(str::to_owned));
    let signed = signed.context("no provider token")?.replace("bearer ", "");
    let bearer = fcm.messages.pushes()[0].request.header("authorization").context("no bearer")?.to_owned();
    let bearer = bearer.replace("Bearer ", "");
    let told = [TOKEN, FcmFunction::KEY];
    apns.always(echo(403, &[APNS_TOKEN, &signed]));
    fcm.messages.always(Fcm::sender_mismatch());
    function.always(echo(401, &told));
    function.always_on(Route::Probe, echo(401, &told));
    world.alarm(1, 6).await?;
    function.wait_pushes(1).await?;
    apns.wait_pushes_to(APNS_TOKEN, 2).await?;
    for handle in [&android, &ios] {
        said.ask_all(&world, handle, 6).await?;
    }
    // Google echoes the request, then rejects the service account.
    fcm.messages.always(echo(503, &[TOKEN, &bearer]));
    let pushes = fcm.messages.push_count();
    fcm.messages.wait_pushes(pushes + 1).await?;
    said.ask_all(&world, &android, 6).await?;
    fcm.oauth.always_on(Route::Login, echo(400, &["assertion"]));
    fcm.messages.always(Fcm::unauthenticated());
    // After all these failures the transport rests, for up to a minute; a new daemon asks at once.
    world.daemon()?.end(Signal::SIGTERM).await?;
    world.start_daemon().await?;
    fcm.oauth.wait_on(Route::Login, 2).await?;
    world.alarm(1, 7).await?;
    said.ask_all(&world, &android, 7).await?;
    let assertions = fcm.oauth.arrivals_on(Route::Login);
    let assertion =
        assertions.last().map(|arrival| String::from_utf8_lossy(&arrival.request.body).into_owned());
    let assertion =
        assertion.and_then(|form| form.rsplit('=').next().map(str::to_owned)).context("no login")?;
    said.stop(&mut world).await?;

    ensure!(said.0.contains("bad request") && said.0.contains(&ios), "the providers' words are not told");
    let account: serde_json::Value = serde_json::from_slice(&fs::read(fcm.service_account())?)?;
    let mut secrets = pem_lines(account["private_key"].as_str().context("no key")?);
    secrets.extend(pem_lines(&fs::read_to_string(apns.key().context("no .p8")?)?));
    ensure!(secrets.len() > 10, "the keys have {} lines", secrets.len());
    secrets.extend([
        ("the FCM token", TOKEN.to_owned()),
        ("the APNs token", APNS_TOKEN.to_owned()),
        ("the function's key", FcmFunction::KEY.to_owned()),
        ("the picture's password", PASSWORD.to_owned()),
        ("a bearer", bearer),
        ("a provider token", signed),
        ("an assertion", assertion),
    ]);
    said.ensure_silent(&secrets)
}

#[tokio::test]
async fn errors_of_check_config_quote_no_secret() -> Result<()> {
    let world = World::new().prepare().await?;
    let good = fs::read_to_string(world.settings_file())?;
    let write = |name: &str, text: &str| -> Result<String> {
        fs::write(world.path(name), text)?;
        Ok(world.path(name).display().to_string())
    };
    let account = |key: &str| {
        format!(
            "{{\"project_id\":\"p\",\"client_email\":\"e\",\"private_key\":{key},\"token_uri\":\"https://h/\"}}"
        )
    };
    let proxy = "[push.proxy]\nenabled = true\nurl = 'https://h'\napp-name = 'a'\n";
    let fcm = "[push.fcm]\nenabled = true\nservice-account = ";
    let apns = "[push.apns]\nenabled = true\nkey-id = 'ABCDE12345'\nteam-id = 'ABCDE12345'\n";
    let cases = [
        format!("{proxy}app-key = \"planted-secret"),
        format!("{proxy}app-key = planted-secret"),
        format!("{proxy}app-key = ['planted-secret']"),
        format!("{proxy}app-key = 'planted\\u0007secret' 'planted-secret'"),
        format!("{proxy}app-kee = 'planted-secret'"),
        format!(
            "{proxy}app-key = 'x'\napp-key-file = '{}'",
            write("key", "planted-secret\nplanted-secret\n")?
        ),
        format!("{proxy}app-key-file = '{}'", write("key2", "planted-secret\nplanted-secret\n")?),
        "[push]\npicture-url = 'ftp://h/?password=planted-secret'".to_owned(),
        "[push]\npicture-url = ['https://h/?password=planted-secret']".to_owned(),
        "[push]\npicture-url = 'https://h/?eid=EVENTID&password=planted-secret'\nmode = 'x'".to_owned(),
        "[push.proxy]\nenabled = true\nurl = 'https://u:planted-secret@h'".to_owned(),
        format!("{fcm}'{}'", write("a1", &account("[\"planted-secret\"]"))?),
        format!("{fcm}'{}'", write("a2", &account("\"planted-secret\""))?),
        format!("{fcm}'{}'", write("a3", "\"planted-secret\"")?),
        format!("{fcm}'{}'", write("a4", "-----BEGIN PRIVATE KEY-----\nplanted-secret")?),
        format!("{apns}key = '{}'", write("p1", "-----BEGIN PRIVATE KEY-----\nplanted-secret")?),
        format!("{apns}key = '{}'", write("p2", "-----BEGIN planted-secret PRIVATE KEY-----\nAAAA\n")?),
        format!(
            "{apns}certificate = '{}'\ncertificate-password = 'planted-secret'",
            write("c", "0planted-secret")?
        ),
        format!("{apns}certificate = '{}'", write("c2", "-----BEGIN CERTIFICATE-----\nplanted-secret")?),
    ];
    let file = world.settings_file().display().to_string();
    for case in cases {
        fs::write(world.settings_file(), format!("{good}\n{case}\n"))?;
        let output = Daemon::command(world.directory(), &["check-config", "--config", &file])?.output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(output.status.code() == Some(78), "taken: {case}\n{said}");
        ensure!(!said.contains("planted"), "{case}\n{said}");
        let checked = world.run(&["config", "check", &file, "--json"]).await?;
        ensure!(!format!("{checked:?}").contains("planted"), "{case}\n{checked:#?}");
        // A start says the same, and no more.
        let output =
            Daemon::command(world.directory(), &["--config", &file, "--log-level", "trace"])?.output()?;
        let said = [output.stdout, output.stderr].concat();
        ensure!(
            !String::from_utf8_lossy(&said).contains("planted"),
            "{case}\n{}",
            String::from_utf8_lossy(&said)
        );
    }
    Ok(())
}
