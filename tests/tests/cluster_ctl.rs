//! `zmesctl cluster`: the ledger is made in a real MariaDB, with the least rights and without a password in any output.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use zmes_tests::{
    CtlOutput, Database, Schema, World, includes, installed, repository, standin::PushProxy, wait_until,
    within, zmesctl_binary, zmesd_binary,
};

/// Planted in each URL that has a password: no output may show it.
const PLANTED: &str = "planted-admin-password";

struct Site {
    directory: TempDir,
    database: Database,
}

impl Site {
    async fn start() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("zmes-").tempdir()?;
        let database = Database::start(&directory.path().join("db"), Schema::V1_36).await?;
        Ok(Self { directory, database })
    }

    /// Returns a URL of this database: `mysql://USER@localhost/NAME?socket=…`.
    fn url(&self, user: &str, name: &str) -> String {
        format!("mysql://{user}@localhost/{name}?socket={}", self.database.socket().display())
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Runs `zmesctl cluster init`, whose output must show no password.
    async fn init(&self, arguments: &[&str], variable: Option<&str>) -> Result<CtlOutput> {
        let mut command = Command::new(zmesctl_binary()?);
        command.args(["cluster", "init"]).args(arguments).env_remove("ZMESCTL_DATABASE_URL");
        command.envs(variable.map(|url| ("ZMESCTL_DATABASE_URL", url)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = within("zmesctl cluster init", command.output()).await??;
        let output = CtlOutput {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        };
        let own = fs::read_to_string(self.file("url")).unwrap_or_default();
        let own = own.split_once(':').and_then(|(_, rest)| rest.split_once(':')).map_or("", |(_, rest)| rest);
        let own = own.split('@').next().unwrap_or_default();
        for secret in [PLANTED, Database::PASSWORD, own].iter().filter(|secret| !secret.is_empty()) {
            ensure!(!format!("{output:?}").contains(secret), "{secret} is shown: {output:?}");
        }
        Ok(output)
    }
}

#[tokio::test]
async fn a_ledger_is_made_once_and_its_account_may_do_no_more_than_it_must() -> Result<()> {
    let site = Site::start().await?;
    let (url, file) = (site.url("root", "zmesd"), site.file("url"));
    let arguments = ["--database-url", &url, "--output", &file];
    let with = |more: &[&'static str]| [&arguments[..], more].concat();

    // Looked at, and not made.
    let dry = site.init(&with(&["--dry-run", "--json"]), None).await?.expect_code(0)?.json()?;
    let expected = json!({"schema": "zmesd", "found": null, "version": 1, "account": "zmesd@%", "changed": false,
        "dry_run": true, "url_file": file, "findings": []});
    ensure!(includes(&dry, &expected), "{dry}");
    let statements = dry["statements"].as_array().context("no statements")?;
    ensure!(statements[0] == "CREATE DATABASE IF NOT EXISTS `zmesd`", "{dry}");
    let last = statements.last().context("no statements")?;
    ensure!(last == "GRANT SELECT, INSERT, UPDATE, DELETE ON `zmesd`.* TO 'zmesd'@'%'", "{last}");
    ensure!(statements.iter().any(|one| one == "CREATE USER IF NOT EXISTS 'zmesd'@'%' IDENTIFIED BY '…'"));
    let shown = site.init(&with(&["--dry-run"]), None).await?.expect_code(0)?.stdout;
    ensure!(shown.contains("Schema   zmesd (new)") && shown.ends_with("Nothing was changed.\n"), "{shown}");
    ensure!(site.database.sql("SHOW DATABASES LIKE 'zmesd'").await?.is_empty() && !Path::new(&file).exists());
    let refused = site.init(&arguments, None).await?.expect_code(2)?;
    ensure!(refused.stderr.contains("hint: zmesctl cluster init --yes"), "{refused:?}");

    // Made.
    let made = site.init(&with(&["--yes"]), None).await?.expect_code(0)?.stdout;
    for part in
        ["The ledger is made: schema zmesd at ", "  [cluster]\n  enabled = true\n  database-url-file = "]
    {
        ensure!(made.contains(part), "{part}: {made}");
    }
    let written = fs::read_to_string(&file)?;
    ensure!(
        written.starts_with("mysql://zmesd:") && written.contains("@localhost/zmesd?socket="),
        "{written}"
    );
    ensure!(fs::metadata(&file)?.permissions().mode().trailing_zeros() >= 3, "others may not read it");
    let grants = site.database.sql("SHOW GRANTS FOR 'zmesd'@'%'").await?;
    ensure!(grants.contains("GRANT SELECT, INSERT, UPDATE, DELETE ON `zmesd`.*"), "{grants}");
    ensure!(grants.lines().count() == 2, "and USAGE: {grants}");
    let count = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'zmesd'";
    ensure!(site.database.sql(count).await? == "9");

    // Again: from the environment, and from a file.
    let before = site.database.sql("SELECT * FROM zmesd.counter ORDER BY name").await?;
    let quiet = site.init(&["--output", &file, "--yes", "-q"], Some(&url)).await?.expect_code(0)?;
    ensure!(quiet.stdout.is_empty() && quiet.stderr.is_empty(), "{quiet:?}");
    fs::write(site.file("admin"), format!("{url}\n"))?;
    let from_file = ["--database-url-file", &site.file("admin"), "--output", &file, "--yes"];
    let again = site.init(&[&from_file[..], &["--json"]].concat(), None).await?.expect_code(0)?.json()?;
    let expected = json!({"found": 1, "changed": false, "statements": []});
    ensure!(includes(&again, &expected), "{again}");
    ensure!(
        again["findings"].as_array().is_some_and(|found| found.iter().all(|one| one["ok"] == true)),
        "{again}"
    );
    let told = site.init(&from_file, None).await?.expect_code(0)?.stdout;
    ensure!(told.contains("is complete; nothing was changed."), "{told}");
    ensure!(site.database.sql("SELECT * FROM zmesd.counter ORDER BY name").await? == before);
    ensure!(fs::read_to_string(&file)? == written);

    // What is lost is made again, and rows of others stay.
    site.database.sql("DROP TABLE zmesd.badge; REVOKE DELETE ON zmesd.* FROM 'zmesd'@'%'").await?;
    let mended = site.init(&[&from_file[..], &["--json"]].concat(), None).await?.expect_code(0)?.json()?;
    ensure!(mended["changed"] == true && mended["found"] == 1, "{mended}");
    ensure!(site.database.sql(count).await? == "9");
    ensure!(site.database.sql("SHOW GRANTS FOR 'zmesd'@'%'").await? == grants);

    // A newer one is not touched.
    site.database.sql("UPDATE zmesd.counter SET value = 9 WHERE name LIKE 'schema%'").await?;
    let newer = site.init(&[&from_file[..], &["--json"]].concat(), None).await?.expect_code(8)?;
    let error = json!({"error": {"code": "version", "hint": "install the version of zmesd that the other nodes run"}});
    ensure!(includes(&newer.json()?, &error), "{newer:?}");
    Ok(())
}

/// Checks that `init` ends with `code`, and says `part` on the error output.
async fn fails(site: &Site, arguments: &[&str], code: i32, part: &str) -> Result<()> {
    let output = site.init(arguments, None).await?.expect_code(code)?;
    ensure!(output.stderr.contains(part), "{part}: {output:?}");
    ensure!(output.stderr.contains("hint: "), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn what_keeps_a_ledger_from_being_made_is_said_with_its_exit_code() -> Result<()> {
    let site = Site::start().await?;
    let (url, file) = (site.url("root", "zmesd"), site.file("url"));
    let planted = format!("root:{PLANTED}");
    let (login, zm) = (site.url(&planted, "zmesd"), site.url("root", "zm"));
    let poor = site.url(&format!("{}:{}", Database::USER, Database::PASSWORD), "zmesd");
    let (host, port) = (
        format!("mysql://{planted}@no-such-host.invalid/zmesd"),
        format!("mysql://{planted}@127.0.0.1:1/zmesd"),
    );
    let (scheme, unread) = (format!("pgsql://{planted}@db/zmesd"), format!("{url}&ssl-ca=/no/such/ca.pem"));
    for (url, code, part) in [
        (&host, 3, "no-such-host.invalid:3306"),
        (&port, 3, "127.0.0.1:1"),
        (&login, 5, "access denied"),
        (&poor, 5, "the account may not do this"),
        (&zm, 1, "the schema zm has other tables"),
        (&scheme, 2, "does not start with mysql://"),
        (&unread, 1, "/no/such/ca.pem"),
    ] {
        fails(&site, &["--database-url", url, "--output", &file, "--yes"], code, part).await?;
    }
    fails(&site, &["--yes"], 2, "no database URL given").await?;
    fails(&site, &["--database-url-file", "/no/such/file", "--yes"], 1, "cannot read /no/such/file").await?;
    let unexpected = site.init(&[&login], None).await?.expect_code(2)?;
    ensure!(unexpected.stderr.contains("root:[hidden]@localhost"), "{unexpected:?}");
    ensure!(site.database.sql("SHOW DATABASES LIKE 'zmesd'").await?.is_empty());

    // A file of another account, and an account whose file is elsewhere.
    fs::write(site.file("other"), format!("mysql://amy:{PLANTED}@localhost/zmesd\n"))?;
    let other = ["--database-url", &url, "--output", &site.file("other"), "--yes"];
    fails(&site, &other, 2, "is for account amy and schema zmesd, not for zmesd").await?;
    site.database.sql("CREATE USER 'zmesd'@'%' IDENTIFIED BY 'elsewhere'").await?;
    let arguments = ["--database-url", &url, "--output", &file, "--yes"];
    fails(&site, &arguments, 2, "the account zmesd@% exists").await?;
    fs::write(&file, url.replace("root@", &format!("zmesd:{PLANTED}@")))?;
    fails(&site, &arguments, 5, "the account exists with another password").await?;
    fs::remove_file(&file)?;
    site.database.sql("DROP USER 'zmesd'@'%'").await?;

    // A database that stands still; afterwards it works.
    site.database.freeze().await?;
    let late = site.init(&[&arguments[..], &["--timeout", "1s"]].concat(), None).await;
    site.database.thaw()?;
    let late = late?.expect_code(6)?;
    ensure!(late.stderr.contains("no answer from the database"), "{late:?}");
    let made: Value =
        site.init(&[&arguments[..], &["--json"]].concat(), None).await?.expect_code(0)?.json()?;
    ensure!(made["changed"] == true, "{made}");
    Ok(())
}

#[tokio::test]
async fn where_there_is_no_cluster_each_command_says_so() -> Result<()> {
    let world = World::new().monitor(1, "Garage").start().await?;
    for arguments in [&["status"][..], &["handover"], &["handover", "nvr2"], &["leave", "nvr2", "--yes"]] {
        let output = world.run(&[&["cluster"], arguments, &["--json"]].concat()).await?.expect_code(1)?;
        let error = json!({"error": {"code": "conflict", "message": "this zmesd is not part of a cluster: [cluster] is not \
                           enabled"}});
        ensure!(includes(&output.json()?, &error), "{output:?}");
        ensure!(output.stderr.contains("hint: zmesctl cluster init makes the ledger"), "{output:?}");
    }
    let unasked = world.run(&["cluster", "leave", "nvr2"]).await?.expect_code(2)?;
    ensure!(unasked.stderr.contains("needs a confirmation"), "{unasked:?}");
    let check = world.run(&["check", "cluster", "--json"]).await?.expect_code(0)?.json()?;
    ensure!(includes(&check, &json!({"ok": true, "check": "cluster"})), "{check}");
    let doctor = world.run(&["doctor", "--json"]).await?.json()?;
    let steps = doctor["findings"].as_array().context("no findings")?;
    ensure!(steps.iter().all(|finding| finding["step"] != "cluster"), "{doctor}");
    Ok(())
}

#[tokio::test]
async fn the_examples_of_a_cluster_are_valid() -> Result<()> {
    let examples = repository()?.join("packaging/examples/cluster");
    let world = World::new().prepare().await?;
    fs::write(world.path("url"), "mysql://zmesd:x@127.0.0.1/zmesd\n")?;
    let places = [
        ("[zoneminder]\n", format!("[zoneminder]\nconfig = \"{}\"\n", world.path("zm.conf").display())),
        ("/etc/zmesd/tls/cert.pem", world.certificate.certificate.display().to_string()),
        ("/etc/zmesd/tls/key.pem", world.certificate.key.display().to_string()),
        ("/etc/zmesd/cluster-url", world.path("url").display().to_string()),
    ];
    for node in ["nvr1", "nvr2", "nvr3"] {
        let mut text = fs::read_to_string(examples.join(format!("{node}.toml")))?;
        for (from, to) in &places {
            ensure!(text.contains(from), "{node}: {from}");
            text = text.replace(from, to);
        }
        let (state, socket) = (world.path("state"), world.path("run/control.sock"));
        let (state, socket) = (state.display(), socket.display());
        write!(text, "[state]\ndirectory = \"{state}\"\n[control]\nsocket = \"{socket}\"\n")?;
        let file = world.path("node.toml");
        fs::write(&file, text)?;
        let output =
            Command::new(zmesd_binary()?).arg("check-config").arg("--config").arg(&file).output().await?;
        ensure!(output.status.success(), "{node}: {output:?}");
    }
    if installed("/usr/sbin/haproxy")? {
        let output =
            Command::new("/usr/sbin/haproxy").arg("-c").arg("-f").arg(examples.join("haproxy.cfg")).output();
        let output = output.await?;
        ensure!(output.status.success(), "{output:?}");
    }
    Ok(())
}

/// Returns a world whose daemon is a node; `url`: of the ledger.
async fn node(name: &str, proxy: &PushProxy) -> Result<World> {
    let mut world = World::new().monitor(1, "Garage").with_push_proxy(proxy).prepare().await?;
    world.settings.set("cluster", "enabled", "true");
    world.settings.set_text("cluster", "name", name);
    Ok(world)
}

/// Returns `cluster status --json` once it is as wanted, whatever the exit code.
async fn status_when(world: &World, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_until(what, async || {
        let status = world.run(&["cluster", "status", "--json"]).await?.json()?;
        Ok(wanted(&status).then_some(status))
    })
    .await
}

async fn ensure_both_are_shown(first: &World, second: &World, status: &Value) -> Result<()> {
    let [one, two] = status["nodes"].as_array().context("no nodes")?.as_slice() else {
        anyhow::bail!("{status}");
    };
    for (node, name) in [(one, "nvr1"), (two, "nvr2")] {
        let expected = json!({"name": name, "lag_ms": 0, "version": env!("CARGO_PKG_VERSION")});
        ensure!(
            includes(node, &expected) && node["seen_ms"].is_u64() && node["pusher"].is_boolean(),
            "{node}"
        );
    }
    ensure!(
        status["clock_offset_ms"].is_i64() && status["name"] == "nvr1" && status["connected"] == true,
        "{status}"
    );
    let human = first.run(&["cluster", "status"]).await?.expect_code(0)?.stdout;
    ensure!(
        human.starts_with("Connected to ") && human.contains("nvr1 *") && human.contains("at work"),
        "{human}"
    );
    let names = second.run(&["cluster", "status", "-q"]).await?.expect_code(0)?.stdout;
    ensure!(names == "nvr1\nnvr2\n", "{names}");
    Ok(())
}

/// The database goes, and comes back; nothing shows the password, which is in `file`.
async fn ensure_an_outage_is_told(first: &mut World, file: &str) -> Result<()> {
    first.database.stop().await?;
    let away = status_when(first, "the ledger is away", |status| status["connected"] == false).await?;
    ensure!(away["last_error"].is_string() && away["hint"].is_string(), "{away}");
    first.run(&["cluster", "status", "-q"]).await?.expect_code(1)?;
    let check = first.run(&["check", "cluster"]).await?.expect_code(1)?.stdout;
    ensure!(check.contains("cannot be used"), "{check}");
    let password = fs::read_to_string(file)?;
    let password = password.split([':', '@']).nth(2).context("no password")?.to_owned();
    first.database.resume().await?;
    let back = |status: &Value| status["connected"] == true && status["pusher"] == "nvr1";
    let status = status_when(first, "the ledger answers again", back).await?;
    let log = first.daemon()?.log();
    ensure!(!format!("{status}{away}{check}{log}").contains(&password), "the password is shown");
    Ok(())
}

#[tokio::test]
async fn two_nodes_are_seen_handed_over_and_left() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let (mut first, mut second) = (node("nvr1", &proxy).await?, node("nvr2", &proxy).await?);
    let admin = format!("mysql://root@localhost/zmesd?socket={}", first.database.socket().display());
    let file = first.path("url").display().to_string();
    let init = ["cluster", "init", "--database-url", &admin, "--output", &file, "--yes"];
    first.run(&init).await?.expect_code(0)?;
    for world in [&mut first, &mut second] {
        world.settings.set_text("cluster", "database-url-file", &file);
        world.write_settings()?;
        world.start_daemon().await?;
    }
    let both = |status: &Value| {
        let nodes = status["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        nodes.len() == 2 && nodes.iter().all(|node| node["alive"] == true) && status["pusher"].is_string()
    };
    let status = status_when(&first, "both nodes are at work", both).await?;
    ensure_both_are_shown(&first, &second, &status).await?;

    // The other one is asked to send, at the node that does not know it best.
    let before = status["pusher"].as_str().context("no pusher")?.to_owned();
    let other = if before == "nvr1" { "nvr2" } else { "nvr1" };
    let asked = second.run(&["cluster", "handover", "--json"]).await?.expect_code(0)?.json()?;
    let done = json!({"done": format!("{other} was asked to send the pushes; it takes over within seconds")});
    ensure!(asked == done, "{asked}");
    status_when(&first, "the other node sends", |status| status["pusher"] == other).await?;
    let again = first.run(&["cluster", "handover", other]).await?.expect_code(1)?;
    ensure!(again.stderr.contains(&format!("{other} already sends the pushes")), "{again:?}");
    let nobody = first.run(&["cluster", "handover", "nvr9"]).await?.expect_code(4)?;
    ensure!(nobody.stderr.contains("hint: there are: nvr1, nvr2"), "{nobody:?}");
    let at_work = first.run(&["cluster", "leave", "nvr2", "--yes"]).await?.expect_code(1)?;
    ensure!(at_work.stderr.contains("cannot remove node nvr2: it is running"), "{at_work:?}");

    // Doctor looks at the ledger itself; the test's database is not durable, and says so.
    let check = first.run(&["check", "cluster", "--nagios", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(
        check["detail"].as_str().is_some_and(|text| text.contains("innodb_flush_log_at_trx_commit")),
        "{check}"
    );
    first.database.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1").await?;
    let check = first.run(&["check", "cluster", "--json"]).await?.expect_code(0)?.json()?;
    let told = check["detail"].as_str().unwrap_or_default();
    ensure!(told.contains(&format!("2 nodes are at work, {other} sends the pushes")), "{check}");

    // A node that is stopped, and left.
    second.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    let stopped = |status: &Value| {
        status.pointer("/nodes/1/stopped") == Some(&json!(true)) && status["pusher"] == "nvr1"
    };
    status_when(&first, "nvr2 has stopped, and nvr1 sends", stopped).await?;
    let check = first.run(&["check", "cluster", "--nagios"]).await?.expect_code(1)?.stdout;
    ensure!(check.starts_with("ZMESD WARNING - cluster: node nvr2 is stopped"), "{check}");
    let left = first.run(&["cluster", "leave", "nvr2", "--yes"]).await?.expect_code(0)?.stdout;
    ensure!(left == "nvr2 is removed from the cluster\n", "{left}");
    status_when(&first, "nvr1 is alone", |status| {
        status["nodes"].as_array().is_some_and(|all| all.len() == 1)
    })
    .await?;

    ensure_an_outage_is_told(&mut first, &file).await
}
