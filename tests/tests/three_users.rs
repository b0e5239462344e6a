//! An admin, an observer and a stranger at the same socket: three real users of this machine, who run every command.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::unistd::{Gid, Uid};
use zmes_tests::command_lines::{COMMAND_LINES, CommandLine, May, Prints, Things};
use zmes_tests::standin::PushProxy;
use zmes_tests::{Ctl, SystemUsers, World, skipped, zmesd_binary};

const EVENT: u64 = 32_910;

/// One of the three.
struct Somebody {
    name: String,
    uid: Uid,
}

/// What becomes of a command that one of them runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The command succeeds.
    Done,
    /// The daemon refuses it: changes are for admins.
    Refused,
    /// The socket cannot even be opened.
    Denied,
}

/// Returns the expected result. The rule: users of the admin group may do everything, users who may open the socket may
/// read, and others get a hint how to get access.
fn fate(who: &str, line: CommandLine) -> Fate {
    match (who, line.may) {
        (_, May::Anybody) | ("admin", _) | ("observer", May::Observer) => Fate::Done,
        ("observer", May::Admin) => Fate::Refused,
        (_, _) => Fate::Denied,
    }
}

/// Sets up the socket as a package does: directory 0750, socket 0660, both of the observers' group.
fn hand_over(socket: &Path, group: Gid) -> Result<()> {
    let directory = socket.parent().context("the socket lies nowhere")?;
    for (path, mode) in [(directory, 0o750), (socket, 0o660)] {
        chown(path, None, Some(group.as_raw()))?;
        let found = fs::metadata(path)?.permissions().mode() & 0o777;
        ensure!(found == mode, "{}: mode {found:o}", path.display());
    }
    Ok(())
}

/// doctor's exit code depends on its findings, not on who runs it.
async fn ensure_walks(who: &str, somebody: &Somebody, ctl: &Ctl, secret: &str) -> Result<()> {
    let walk = ctl.run_as_user(&somebody.name, &["doctor", "--json"]).await?;
    let allowed = fate(who, DOCTOR) == Fate::Done;
    ensure!(if allowed { [0, 1].contains(&walk.code) } else { walk.code == 5 }, "{who}: {walk:#?}");
    let steps = walk.json()?["findings"].as_array().map_or(0, Vec::len);
    ensure!(if allowed { steps > 8 } else { steps == 1 }, "{who}: {walk:#?}");
    ensure!(!walk.stdout.contains(secret), "{who}: {walk:#?}");
    Ok(())
}

/// It is not in the table of commands, where each is known to end well.
const DOCTOR: CommandLine = CommandLine { line: "doctor", may: May::Observer, prints: Prints::Answer };

#[tokio::test]
async fn an_admin_an_observer_and_a_stranger_run_every_command() -> Result<()> {
    if !Uid::effective().is_root() {
        return skipped("to make three users takes root");
    }
    let mut users = SystemUsers::new();
    let (look, look_id) = users.group("look")?;
    let (admins, _) = users.group("adm")?;
    let (name, uid) = users.user("a", &[look.as_str(), admins.as_str()])?;
    let admin = Somebody { name, uid };
    let (name, uid) = users.user("o", &[look.as_str()])?;
    let observer = Somebody { name, uid };
    let (name, uid) = users.user("s", &[])?;
    let stranger = Somebody { name, uid };

    let proxy = PushProxy::start().await?;
    let world = World::new()
        .monitor(1, "Front")
        .setting("control", "admin-group", &format!("\"{admins}\""))
        .with_push_proxy(&proxy)
        .start()
        .await?;
    let ctl = world.ctl();
    hand_over(ctl.socket(), look_id)?;
    // `config` runs the daemon's binary, which is searched beside the tool.
    fs::copy(zmesd_binary()?, world.path("zmesd"))?;
    let (mut things, app) = Things::of(&world, EVENT).await?;
    let mut apps = vec![app];
    // The admin comes last: what he changes the others would see.
    for (who, somebody) in [("stranger", &stranger), ("observer", &observer), ("admin", &admin)] {
        for line in COMMAND_LINES {
            let arguments = things.arguments(line.line);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--json"]).collect();
            let output = ctl.run_as_user(&somebody.name, &arguments).await?;
            let told = || format!("{who} ({}): {}: {output:#?}", somebody.uid, line.line);
            let nagios = line.line.contains("--nagios");
            match fate(who, line) {
                Fate::Done => ensure!(output.code == 0 && output.stderr.is_empty(), told()),
                Fate::Refused => {
                    ensure!(output.code == 5 && output.json()?["error"]["code"] == "forbidden", told());
                    let hint = format!("usermod -aG {admins} {}", somebody.name);
                    ensure!(output.stderr.contains(&hint), told());
                }
                Fate::Denied => {
                    // A monitoring plugin without access reports UNKNOWN.
                    ensure!(output.code == if nagios { 3 } else { 5 }, told());
                    let hint = output.json()?["error"]["hint"].to_string();
                    ensure!(hint.contains(&format!("usermod -aG {look} $USER")), told());
                }
            }
            // A user who can list tokens sees only handles.
            let revealed = output.stdout.contains(things.secret()) || output.stderr.contains(things.secret());
            let may_reveal =
                who == "admin" && (line.line.contains("--reveal") || line.line.contains("export"));
            ensure!(!revealed || may_reveal, told());
        }
        ensure_walks(who, somebody, &ctl, things.secret()).await?;
        // The last line has disconnected the app, if it was allowed.
        apps.push(world.admin().await?);
        things.take_newest_client(&ctl).await?;
    }
    // What the two others tried has changed nothing but what the admin changed after them.
    let token = world.ctl().json(&["tokens", "show", things.ending()]).await?;
    ensure!(token["state"] == "enabled" && token["badge"] == 0, "{token}");
    Ok(())
}
