//! `zmesd import-config` on configurations of every generation, and a daemon that runs with what comes out.
//!
//! What is expected of each case lies beside its files in `fixtures/import`; `UPDATE=1` writes it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::standin::{FcmFunction, PushProxy};
use zmes_tests::{Daemon, World};

/// Directory of a case, and which of its files are named on the command line: the others are to be found.
const CASES: [(&str, &[&str]); 14] = [
    ("script-0.93", &["zmeventnotification.pl"]),
    ("script-0.93-direct", &["zmeventnotification.pl"]),
    ("script-0.95", &["zmeventnotification.pl"]),
    ("ini-1.0", &["zmeventnotification.ini"]),
    ("ini-3.1", &["zmeventnotification.ini"]),
    ("ini-5.15", &["secrets.ini", "zmeventnotification.ini"]),
    ("ini-6.0", &["zmeventnotification.ini"]),
    ("ini-6.1", &["zmeventnotification.ini"]),
    ("ini-6.1-script", &["zmeventnotification.ini", "zmeventnotification.pl"]),
    ("ini-6.1-mess", &["zmeventnotification.ini"]),
    ("ini-6.1-plain", &["zmeventnotification.ini"]),
    ("yaml-7", &["es_rules.yml", "zmeventnotification.yml", "secrets.yml"]),
    ("yaml-7-unquoted", &["zmeventnotification.yml"]),
    ("yaml-7-least", &["zmeventnotification.yml"]),
];
/// Begins every secret in the cases.
const PLANTED: &str = "planted";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import")
}

fn zmesd(directory: &Path, arguments: &[&str]) -> Result<Output> {
    Daemon::command(directory, arguments)?.current_dir(directory).output().context("zmesd")
}

fn import(directory: &Path, arguments: &[&str]) -> Result<Output> {
    zmesd(directory, &[&["import-config"], arguments].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Copies the files of a case into a directory that vanishes.
fn copied(case: &str) -> Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    for entry in fs::read_dir(fixtures().join(case)).with_context(|| case.to_owned())? {
        let entry = entry?;
        if !text(entry.file_name().as_encoded_bytes()).starts_with("expected.") {
            fs::copy(entry.path(), directory.path().join(entry.file_name()))?;
        }
    }
    Ok(directory)
}

/// Compares with a file that is checked in, or writes it.
fn expect(case: &str, name: &str, found: &str) -> Result<()> {
    let path = fixtures().join(case).join(name);
    if std::env::var_os("UPDATE").is_some() {
        return fs::write(&path, found).with_context(|| path.display().to_string());
    }
    let expected =
        fs::read_to_string(&path).with_context(|| format!("{}: UPDATE=1 writes it", path.display()))?;
    for (number, (found, expected)) in (1..).zip(found.lines().zip(expected.lines())) {
        ensure!(found == expected, "{}:{number}:\nfound    {found}\nexpected {expected}", path.display());
    }
    ensure!(found == expected, "{}: one is longer:\n{found}", path.display());
    Ok(())
}

#[test]
fn every_generation_is_imported_as_expected() -> Result<()> {
    for (case, files) in CASES {
        let directory = copied(case)?;
        let output = import(directory.path(), &[files, &["--output", "new.toml"]].concat())?;
        ensure!(output.status.success() && output.stderr.is_empty(), "{case}: {output:?}");
        let (report, toml) = (text(&output.stdout), fs::read_to_string(directory.path().join("new.toml"))?);
        ensure!(!report.contains(PLANTED), "{case}: a secret in the report:\n{report}");
        // Who logs in at the broker stands there as in any file.
        let may = |line: &str| line.starts_with("username = ");
        let told = toml.lines().find(|line| line.contains(PLANTED) && !may(line));
        ensure!(told.is_none(), "{case}: a secret in the file: {told:?}");
        expect(case, "expected.toml", &toml)?;
        expect(case, "expected.report", &report)?;
    }
    Ok(())
}

#[test]
fn check_config_finds_nothing_but_files_that_are_not_on_this_machine() -> Result<()> {
    for (case, files) in CASES {
        let directory = copied(case)?;
        import(directory.path(), &[files, &["--output", "new.toml"]].concat())?;
        let checked = zmesd(directory.path(), &["check-config", "--config", "new.toml"])?;
        let said = text(&checked.stderr);
        let told = |line: &&str| {
            !line.trim_start().starts_with("hint: ") && !line.starts_with("zmesd: configuration has")
        };
        for line in said.lines().filter(told) {
            // A warning does not stop a start; the missing files are those of ZoneMinder, TLS, Apple and Google.
            let missing = line.contains("No such file") || line.contains("no such file");
            ensure!(missing || line.starts_with("warning: "), "{case}: {line}\n{said}");
        }
    }
    Ok(())
}

#[test]
fn without_output_nothing_is_written_and_nothing_secret_is_shown() -> Result<()> {
    for (case, files) in CASES {
        let directory = copied(case)?;
        let before = fs::read_dir(directory.path())?.count();
        let output = import(directory.path(), files)?;
        let (toml, report) = (text(&output.stdout), text(&output.stderr));
        ensure!(output.status.success(), "{case}: {report}");
        ensure!(
            toml.starts_with("# The configuration of zmesd") && toml.contains("\n[server.tls]\n"),
            "{toml}"
        );
        ensure!(!toml.contains(PLANTED) && !report.contains(PLANTED), "{case}: a secret is shown");
        ensure!(report.contains("nothing has been written yet"), "{report}");
        ensure!(fs::read_dir(directory.path())?.count() == before, "{case}: something was written");
    }
    Ok(())
}

#[test]
fn secrets_lie_in_files_of_their_own_that_others_cannot_read() -> Result<()> {
    let directory = copied("script-0.93")?;
    import(directory.path(), &["zmeventnotification.pl", "--output", "new.toml"])?;
    let secret = directory.path().join("secrets/push-proxy-app-key");
    ensure!(fs::read_to_string(&secret)? == "planted-app-key-0.93");
    for path in [secret, directory.path().join("new.toml")] {
        let mode = fs::metadata(&path)?.permissions().mode() & 0o7777;
        ensure!(mode == 0o640, "{}: {mode:o}", path.display());
    }
    let toml = fs::read_to_string(directory.path().join("new.toml"))?;
    ensure!(toml.contains("app-key-file = \"secrets/push-proxy-app-key\"\n"), "{toml}");
    Ok(())
}

#[test]
fn nothing_is_overwritten_without_force() -> Result<()> {
    let directory = copied("script-0.93")?;
    let path = directory.path();
    fs::write(path.join("new.toml"), "mine\n")?;
    let refused = import(path, &["zmeventnotification.pl", "--output", "new.toml"])?;
    let said = text(&refused.stderr);
    ensure!(refused.status.code() == Some(64) && said.contains("new.toml: exists already"), "{said}");
    ensure!(said.contains("hint: ") && said.contains("--force"), "{said}");
    ensure!(fs::read_to_string(path.join("new.toml"))? == "mine\n" && !path.join("secrets").exists());
    // A secret that is in the way stops all of it, too.
    fs::remove_file(path.join("new.toml"))?;
    fs::create_dir(path.join("secrets"))?;
    fs::write(path.join("secrets/push-proxy-app-key"), "mine")?;
    let refused = import(path, &["zmeventnotification.pl", "--output", "new.toml"])?;
    ensure!(refused.status.code() == Some(64) && !path.join("new.toml").exists(), "{refused:?}");
    let forced = import(path, &["zmeventnotification.pl", "--output", "new.toml", "--force"])?;
    ensure!(forced.status.success(), "{forced:?}");
    ensure!(fs::read_to_string(path.join("secrets/push-proxy-app-key"))? == "planted-app-key-0.93");
    // Existing files are never overwritten.
    let old = fs::read(path.join("zmeventnotification.pl"))?;
    let refused = import(path, &["zmeventnotification.pl", "--output", "zmeventnotification.pl", "--force"])?;
    ensure!(refused.status.code() == Some(64), "{refused:?}");
    ensure!(fs::read(path.join("zmeventnotification.pl"))? == old);
    Ok(())
}

#[test]
fn what_cannot_be_imported_is_named_with_a_hint() -> Result<()> {
    let directory = copied("yaml-7")?;
    let path = directory.path();
    fs::write(path.join("broken.yml"), "fcm:\n  enable: yes\n fcm_v1_key: planted-broken\n")?;
    fs::write(path.join("utf16.ini"), b"\xff\xfe[\0f\0c\0m\0]\0")?;
    fs::write(path.join("own.toml"), "[zoneminder]\n[server]\n")?;
    fs::write(path.join("tokens.txt"), "planted-token:1:0:ios:enabled\n")?;
    for (arguments, code, words) in [
        (&["none.ini"][..], 64, "none.ini: no such file"),
        (&["."], 78, ".: not a regular file"),
        (&["broken.yml"], 78, "broken.yml:3: cannot be read as YAML"),
        (&["utf16.ini"], 78, "utf16.ini: is UTF-16"),
        (&["own.toml"], 78, "already a configuration of zmesd"),
        (&["secrets.yml"], 78, "there is no configuration among the files"),
        (&["tokens.txt"], 78, "zmesctl tokens import tokens.txt"),
        (&["zmeventnotification.yml", "zmeventnotification.yml"], 78, "is a second configuration"),
        (&[], 64, "required"),
        (&["zmeventnotification.yml", "--force"], 64, "--output"),
        (&["zmeventnotification.yml", "--output", "none/new.toml"], 64, "none/new.toml: cannot be written"),
    ] {
        let output = import(path, arguments)?;
        let said = text(&output.stderr);
        ensure!(output.status.code() == Some(code), "{arguments:?}: {:?}\n{said}", output.status);
        ensure!(
            said.contains(words) && output.stdout.is_empty() && !said.contains(PLANTED),
            "{arguments:?}: {said}"
        );
    }
    Ok(())
}

#[test]
fn the_report_is_json_for_scripts() -> Result<()> {
    let directory = copied("ini-6.1")?;
    let output = import(directory.path(), &["zmeventnotification.ini", "--output", "new.toml", "--json"])?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let taken = report["taken"].as_array().context("taken")?;
    let port = taken.iter().find(|taken| taken["old"] == "[network] port").context("port")?;
    ensure!(port["file"] == "zmeventnotification.ini" && port["line"] == 6, "{port}");
    ensure!(port["key"] == "server.listen" && port["value"] == "[\"192.0.2.7:9000\"]", "{port}");
    ensure!(
        report["output"] == "new.toml" && report["secrets"][0] == "secrets/push-fcm-proxy-key",
        "{report:#}"
    );
    for chapter in ["decide", "unread", "no_counterpart", "taken", "not_needed", "no_effect", "next", "notes"]
    {
        ensure!(report[chapter].is_array(), "{chapter}: {report:#}");
    }
    ensure!(!text(&output.stdout).contains(PLANTED));
    Ok(())
}

/// Sets a key of an imported file to another piece of TOML, as an admin would.
fn edit(toml: &str, table: &str, key: &str, value: &str) -> Result<String> {
    let (mut inside, mut done) = (false, false);
    let lines: Vec<_> = toml
        .lines()
        .map(|line| {
            if line.starts_with('[') {
                inside = line == format!("[{table}]");
            }
            let hit = inside && line.split(" = ").next() == Some(key);
            done |= hit;
            if hit { format!("{key} = {value}") } else { line.to_owned() }
        })
        .collect();
    ensure!(done, "no {key} in [{table}]");
    Ok(lines.join("\n") + "\n")
}

/// Imports `old` over the world's configuration, and sets what an admin would have to on a machine like this one.
async fn start_with_import(world: &mut World, name: &str, old: &str, ca: (&str, &Path)) -> Result<()> {
    fs::write(world.path(name), old)?;
    let file = world.settings_file();
    let output = file.to_string_lossy();
    let imported = import(world.directory(), &[name, "--output", &output, "--force"])?;
    ensure!(imported.status.success(), "{imported:?}");
    let quoted = |path: &Path| format!("{:?}", path.to_string_lossy());
    let mut toml = fs::read_to_string(&file)?;
    for (table, key, value) in [
        ("zoneminder", "config", quoted(&world.path("zm.conf"))),
        ("server", "listen", "[\"127.0.0.1:0\"]".to_owned()),
        (ca.0, "ca-certificate", quoted(ca.1)),
        ("state", "directory", quoted(&world.path("state"))),
        ("control", "socket", quoted(&world.path("run/control.sock"))),
        ("log", "level", "\"debug\"".to_owned()),
        ("log", "format", "\"text\"".to_owned()),
    ] {
        toml = edit(&toml, table, key, &value)?;
    }
    fs::write(&file, toml)?;
    let checked = zmesd(world.directory(), &["check-config", "--config", &output])?;
    ensure!(checked.status.success(), "{}", text(&checked.stderr));
    world.start_daemon().await
}

#[tokio::test]
async fn a_daemon_with_an_imported_script_rings_a_phone_through_its_push_proxy() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    let script = format!(
        "#!/usr/bin/perl -T\nmy $useSecure = 1;\nuse constant SSL_CERT_FILE=>'{}';\nuse constant SSL_KEY_FILE=>'{}';\n\
         my $usePushProxy = 1; # ours\nmy $pushProxyURL = \"{}\";\nuse constant PUSHPROXY_APP_NAME => '{}';\n\
         use constant PUSHPROXY_APP_ID => '{}';\nuse constant EVENT_NOTIFICATION_PORT=>9000;\n",
        world.certificate.certificate.display(),
        world.certificate.key.display(),
        proxy.url(),
        PushProxy::APP_NAME,
        PushProxy::APP_KEY,
    );
    start_with_import(&mut world, "zmeventnotification.pl", &script, ("push.proxy", &proxy.ca())).await?;
    // A phone of the old server is taken over with its token file.
    let token = "imported:APA91bHPRgkF-script";
    let tokens = world.path("tokens.txt");
    fs::write(&tokens, format!("{token}:1:0:android:enabled\n"))?;
    world.run(&["tokens", "import", &tokens.to_string_lossy()]).await?.expect_code(0)?;
    world.alarm(1, 5).await?;
    let pushes = proxy.wait_pushes_to(token, 1).await?;
    ensure!(pushes.len() == 1, "{pushes:?}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_daemon_with_an_imported_ini_rings_a_phone_through_its_function() -> Result<()> {
    let function = FcmFunction::start().await?;
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    fs::write(
        world.path("secrets.ini"),
        format!(
            "[secrets]\nES_CERT_FILE={}\nES_KEY_FILE={}\nKEY={}\n",
            world.certificate.certificate.display(),
            world.certificate.key.display(),
            FcmFunction::KEY,
        ),
    )?;
    let ini = format!(
        "[general]\nsecrets = /etc/nowhere/secrets.ini\n[network]\nport = 9000\n[fcm]\nenable = yes\n\
         fcm_v1_url = '{}'\nfcm_v1_key = !KEY\n[ssl]\ncert = !ES_CERT_FILE\nkey = !ES_KEY_FILE\n",
        function.send_url(),
    );
    start_with_import(&mut world, "zmeventnotification.ini", &ini, ("push.fcm", &function.ca())).await?;
    let token = "imported:APA91bHPRgkF-ini";
    let mut phone = world.phone("android", token).await?;
    world.alarm(1, 5).await?;
    phone.expect_alarm(5, 1).await?;
    function.wait_pushes_to(token, 1).await?;
    function.ensure_no_violations()
}
