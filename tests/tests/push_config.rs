//! What `check-config` and `reload` say of `[push]`: all problems at once, and what needs a restart.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use zmes_tests::standin::{Apns, Fcm, FcmFunction, PushProxy};
use zmes_tests::{Daemon, World, includes};

/// What `zmesd check-config` says: exit code, and everything that it printed.
fn check_config(world: &World) -> Result<(i32, String)> {
    let file = world.settings_file();
    let output = Daemon::command(world.directory(), &["check-config", "--config", &file.to_string_lossy()])?
        .output()
        .context("zmesd check-config")?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.code().unwrap_or(-1), text))
}

/// Fails unless a problem is reported with the line of its key, these words, and a hint.
fn ensure_told(world: &World, said: &str, key: &str, words: &str) -> Result<()> {
    let problem = said.lines().find(|line| line.contains(&format!(": {key}: ")));
    let problem = problem.with_context(|| format!("nothing about {key}:\n{said}"))?;
    ensure!(problem.contains(words), "not {words:?}: {problem}");
    let hint = said.lines().skip_while(|line| *line != problem).nth(1).unwrap_or_default();
    ensure!(hint.trim_start().starts_with("hint: ") && hint.len() > 15, "{key}: {hint:?}");
    ensure!(problem.matches(key).count() == 1, "the key is told twice: {problem}");
    let text = fs::read_to_string(world.settings_file())?;
    let line: usize = problem
        .split_once("zmesd.toml:")
        .and_then(|(_, rest)| rest.split(':').next()?.parse().ok())
        .with_context(|| format!("no line: {problem}"))?;
    let name = key.rsplit('.').next().unwrap_or_default();
    let there = text.lines().nth(line - 1).unwrap_or_default();
    ensure!(there.starts_with(&format!("{name} = ")), "{key} is not in line {line}: {there:?}");
    Ok(())
}

#[tokio::test]
async fn every_file_of_push_that_is_wrong_is_told_at_once() -> Result<()> {
    let apns = Apns::with_key().await?;
    let mut world = World::new().with_apns(&apns).prepare().await?;
    let write = |name: &str, text: &str| -> Result<_> {
        let path = world.path(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let account =
        write("account.json", r#"{"project_id":"p","client_email":"e","private_key":"planted-text"}"#)?;
    let broken = write("key.p8", "-----BEGIN PRIVATE KEY-----\nplantedText+\n-----END PRIVATE KEY-----\n")?;
    let (no_root, bad_root) = (
        write("no-root.pem", "planted-text")?,
        write("bad-root.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")?,
    );
    let settings = &mut world.settings;
    settings.set("push.proxy", "enabled", "true");
    settings.set_text("push.proxy", "url", "https://push.example.org:8801");
    settings.set_text("push.proxy", "app-name", "zmninjapro");
    settings.set_path("push.proxy", "app-key-file", &no_root.with_file_name("absent"));
    settings.set_path("push.proxy", "ca-certificate", &no_root);
    settings.set("push.fcm", "enabled", "true");
    settings.set_path("push.fcm", "service-account", &account);
    settings.set_path("push.fcm", "ca-certificate", &bad_root);
    settings.add_block("push.fcm.proxy", &[("name", ""), ("url", "https://a.example.org")]);
    settings.add_block("push.fcm.proxy", &[("name", "b"), ("url", "https://b.exa<mple.org")]);
    settings.set_path("push.apns", "key", &broken);
    settings.set_path("push.apns", "ca-certificate", &no_root);
    settings.set_text("push.apns", "team-id", "short");
    settings.set_text("auth", "timeout", "never");
    world.write_settings()?;

    let (code, said) = check_config(&world)?;
    ensure!(code == 78, "exit code {code}: {said}");
    for (key, words) in [
        ("auth.timeout", ""),
        ("push.proxy.app-key-file", "absent"),
        ("push.proxy.ca-certificate", "no-root.pem holds no certificate in PEM form"),
        ("push.fcm.service-account", "account.json is not a service account: it has no `token_uri`"),
        ("push.fcm.ca-certificate", "bad-root.pem cannot be read"),
        ("push.fcm.proxy[0].name", "is empty"),
        ("push.fcm.proxy[1].url", "is not a URL"),
        ("push.apns.key", "key.p8 cannot be used"),
        ("push.apns.ca-certificate", "no-root.pem holds no certificate"),
        ("push.apns.team-id", "is not ten letters and digits"),
    ] {
        ensure_told(&world, &said, key, words)?;
    }
    ensure!(said.contains("has 10 problems"), "{said}");
    ensure!(!said.contains("planted"), "{said}");
    // With push off, none of the files is opened at the start, so none is checked.
    world.settings.set("push", "enabled", "false");
    world.write_settings()?;
    let (_, said) = check_config(&world)?;
    ensure!(!said.contains("service account") && said.contains("push.apns.team-id"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_certificate_for_apns_is_looked_into_with_its_key_and_its_password() -> Result<()> {
    let (apns, other) = (Apns::with_certificate().await?, Apns::with_certificate().await?);
    let (own, others) = (apns.identity().context("none")?, other.identity().context("none")?);
    let mut world = World::new().with_apns(&apns).prepare().await?;
    let (code, said) = check_config(&world)?;
    ensure!(code == 0, "{said}");

    world.settings.set_path("push.apns", "key", &others.key);
    world.write_settings()?;
    let (code, said) = check_config(&world)?;
    ensure!(code == 78, "{said}");
    ensure_told(&world, &said, "push.apns.certificate", "the certificate and its key cannot be used")?;

    let (no_key, no_certificate) = (world.path("no-key.pem"), world.path("no-cert.pem"));
    fs::write(&no_key, "nothing")?;
    fs::write(&no_certificate, "nothing")?;
    world.settings.set_path("push.apns", "certificate", &no_certificate);
    world.settings.set_path("push.apns", "key", &no_key);
    world.write_settings()?;
    let (code, said) = check_config(&world)?;
    ensure!(code == 78 && said.contains("has 2 problems"), "{said}");
    ensure_told(&world, &said, "push.apns.certificate", "holds no certificate in PEM form")?;
    ensure_told(&world, &said, "push.apns.key", "holds no private key in PEM form")?;

    world.settings.remove("push.apns", "key");
    for p12 in [own.p12("planted-right")?, own.legacy_p12("planted-right")?] {
        world.settings.set_path("push.apns", "certificate", &p12);
        for (password, wanted) in [("planted-wrong", 78), ("planted-right", 0)] {
            world.settings.set_text("push.apns", "certificate-password", password);
            world.write_settings()?;
            let (code, said) = check_config(&world)?;
            ensure!(code == wanted && !said.contains("planted"), "{code}: {said}");
            if wanted != 0 {
                ensure_told(&world, &said, "push.apns.certificate", "cannot be opened with this password")?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_check_config_finds_a_start_finds_too() -> Result<()> {
    let fcm = Fcm::start().await?;
    let mut world = World::new().with_fcm(&fcm).prepare().await?;
    let account = world.path("account.json");
    fs::write(&account, "{}")?;
    world.settings.set_path("push.fcm", "service-account", &account);
    world.write_settings()?;
    let (code, said) = check_config(&world)?;
    ensure!(code == 78, "{said}");
    ensure_told(&world, &said, "push.fcm.service-account", "it has no `project_id`")?;
    let file = world.settings_file();
    let run = Daemon::command(world.directory(), &["--config", &file.to_string_lossy()])?.output()?;
    let stderr = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.code() == Some(78) && stderr.contains("it has no `project_id`"), "{stderr}");
    // `config check` of zmesctl is the same by another name.
    let checked = world.run(&["config", "check", &file.to_string_lossy(), "--json"]).await?.expect_code(1)?;
    ensure!(checked.stdout.contains("push.fcm.service-account"), "{checked:#?}");
    Ok(())
}

/// Writes other values for what `[push]` has; returns the keys that a reload applies, and those that it cannot.
fn change_everything(
    world: &mut World,
    other: &PushProxy,
    others_root: &Path,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut hot, mut restart) = (BTreeSet::new(), BTreeSet::new());
    for (table, key, value) in [
        ("push", "interval-default", "\"3s\""),
        ("push", "retry-for", "\"7m\""),
        ("push", "storm-limit", "7"),
    ] {
        world.settings.set(table, key, value);
        restart.insert(format!("{table}.{key}"));
    }
    for (table, key, value) in [
        ("push", "picture-url", "https://zm.example.org/?eid=EVENTID&token=planted-picture"),
        ("push.proxy", "url", &*other.url()),
        ("push.proxy", "sound", "other.caf"),
        ("push.fcm", "endpoint", "https://other.example.org"),
        ("push.apns", "endpoint", "sandbox"),
        ("push.apns", "topic", "org.example.other"),
        ("push.apns", "key-id", "AAAAAAAAAA"),
        ("push.apns", "team-id", "BBBBBBBBBB"),
    ] {
        world.settings.set_text(table, key, value);
        hot.insert(format!("{table}.{key}"));
    }
    for table in ["push.proxy", "push.fcm", "push.apns"] {
        world.settings.set_path(table, "ca-certificate", others_root);
        hot.insert(format!("{table}.ca-certificate"));
    }
    world.settings.add_block("push.fcm.proxy", &[("name", "b"), ("url", "https://b.example.org")]);
    hot.extend(["name", "url", "key"].map(|key| format!("push.fcm.proxy[1].{key}")));
    (hot, restart)
}

#[tokio::test]
async fn a_reload_puts_the_transports_in_force_and_names_what_waits_for_a_restart() -> Result<()> {
    let (proxy, fcm, apns) = (PushProxy::start().await?, Fcm::start().await?, Apns::with_key().await?);
    let function = FcmFunction::start_under(fcm.messages.authority()).await?;
    let world = World::new().monitor(1, "Garage").with_push_proxy(&proxy).with_fcm(&fcm);
    let mut world = world.with_fcm_function("zmninja", &function).with_apns(&apns).start().await?;
    let other = PushProxy::start().await?;
    let others_root = world.path("other-root.pem");
    fs::copy(other.ca(), &others_root)?;
    let (hot, restart) = change_everything(&mut world, &other, &others_root);
    world.write_settings()?;
    let reloaded = world.ctl().json(&["reload"]).await?;
    ensure!(!reloaded.to_string().contains("planted"), "{reloaded}");
    let told = |list: &str| serde_json::from_value::<BTreeSet<String>>(reloaded[list].clone());
    ensure!(told("applied")? == hot, "told    {:?}\nwanted  {hot:?}", told("applied")?);
    ensure!(told("needs_restart")? == restart, "told    {:?}\nwanted  {restart:?}", told("needs_restart")?);
    let people = world.run(&["reload"]).await?.expect_code(0)?;
    ensure!(
        people.stdout.contains("needs a restart") && people.stdout.contains("push.retry-for"),
        "{people:#?}"
    );
    // The change is applied: the other proxy gets the pushes.
    let token = "reload:APA91bHPRgkF-moves";
    let mut phone = world.phone("ios", token).await?;
    world.alarm(1, 5).await?;
    phone.expect_alarm(5, 1).await?;
    let pushes = other.wait_pushes_to(token, 1).await?;
    ensure!(pushes[0].json()["sound"] == "other.caf" && proxy.push_count() == 0, "{pushes:?}");

    // A transport that is switched off, and one whose key cannot be read any more: neither change is applied.
    world.settings.set("push.proxy", "enabled", "false");
    world.settings.set_path("push.fcm", "service-account", &world.path("absent.json"));
    world.write_settings()?;
    let refused = world.run(&["reload", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(includes(&refused, &json!({"error": {"code": "config_invalid"}})), "{refused}");
    ensure!(refused.to_string().contains("push.fcm.service-account"), "{refused}");
    let handle = world.handle(token).await?;
    world.alarm(1, 6).await?;
    world.wait_delivery(&handle, 6, "sent").await?;
    ensure!(other.pushes_to(token).len() == 2);
    // Switched off alone, and on again.
    world.settings.remove("push.fcm", "service-account");
    world.write_settings()?;
    let reloaded = world.ctl().json(&["reload"]).await?;
    ensure!(reloaded["applied"].to_string().contains("push.proxy.enabled"), "{reloaded}");
    let names: Vec<_> = transports(&world).await?;
    ensure!(!names.contains(&"proxy".to_owned()) && !names.contains(&"fcm".to_owned()), "{names:?}");
    world.settings.set("push.proxy", "enabled", "true");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    world.alarm(1, 7).await?;
    world.wait_delivery(&handle, 7, "sent").await?;
    other.ensure_no_violations()
}

async fn transports(world: &World) -> Result<Vec<String>> {
    let queue = world.ctl().json(&["push", "queue"]).await?;
    let transports = queue["transports"].as_array().cloned().unwrap_or_default();
    Ok(transports.iter().filter_map(|transport| Some(transport["transport"].as_str()?.to_owned())).collect())
}

#[tokio::test]
async fn the_first_way_to_phones_comes_with_a_reload() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new().monitor(1, "Garage").start().await?;
    world.settings.use_push_proxy(&proxy);
    world.write_settings()?;
    let reloaded = world.ctl().json(&["reload"]).await?;
    ensure!(reloaded["needs_restart"] == json!([]), "{reloaded}");
    let token = "reload:APA91bHPRgkF-first";
    let _phone = world.phone("android", token).await?;
    world.alarm(1, 5).await?;
    proxy.wait_pushes_to(token, 1).await?;
    proxy.ensure_no_violations()
}
