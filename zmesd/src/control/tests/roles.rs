//! Permissions, tested with processes of other users.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use serde_json::Value;
use tokio::time::Instant;

use super::world::World;

/// The user `nobody`: in no group that matters.
const NOBODY: u32 = 65534;

/// Runs socat as another user with `requests` as its input; `None` if that is not possible here.
fn as_user(socket: PathBuf, uid: u32, gid: u32, requests: &str) -> Option<Vec<Value>> {
    let able = Uid::effective().is_root() && ["setpriv", "socat"].iter().all(|tool| installed(tool));
    if !able {
        assert!(std::env::var_os("CI").is_none(), "this test needs root, setpriv and socat");
        eprintln!("SKIPPED: this test needs root, setpriv and socat");
        return None;
    }
    let script = r#"printf '%s\n' "$1" | socat -t 10 - "UNIX-CONNECT:$0""#;
    let ids = [format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()];
    let mut command = Command::new("setpriv");
    command.args(ids).args(["--", "sh", "-c", script]).arg(socket).arg(requests);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn installed(tool: &str) -> bool {
    Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Lets every user of the machine connect.
fn open_to_all(world: &World) {
    for directory in [world.directory.path(), world.socket.parent().unwrap()] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(&world.socket, fs::Permissions::from_mode(0o666)).unwrap();
}

/// Starts a daemon whose socket every user can open, and asks it as another user.
async fn answers(group: &str, uid: u32, gid: u32, requests: &'static str) -> Option<Vec<Value>> {
    let world = World::start().await;
    world.admin_group.send_replace(group.to_owned());
    open_to_all(&world);
    let socket = world.socket.clone();
    tokio::task::spawn_blocking(move || as_user(socket, uid, gid, requests)).await.unwrap()
}

/// A process of `nobody` that connects, prints the greeting, and holds the connection until it is killed.
struct Watcher(Child, BufReader<ChildStdout>);

impl Watcher {
    fn start(socket: &Path) -> Self {
        let script = "use IO::Socket::UNIX; $| = 1; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!; \
                      print while <$s>;";
        let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
        let mut command = Command::new("setpriv");
        command.args(ids).args(["--", "perl", "-e", script]).arg(socket);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    /// Returns the next line of the daemon.
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn observers_cannot_keep_admins_out() {
    let able = Uid::effective().is_root() && ["setpriv", "perl"].iter().all(|tool| installed(tool));
    if !able {
        assert!(std::env::var_os("CI").is_none(), "this test needs root, setpriv and perl");
        eprintln!("SKIPPED: this test needs root, setpriv and perl");
        return;
    }
    let world = World::start().await;
    open_to_all(&world);
    let socket = world.socket.clone();
    let crowd = tokio::task::spawn_blocking(move || {
        let mut crowd: Vec<Watcher> = (0..12).map(|_| Watcher::start(&socket)).collect();
        for watcher in &mut crowd {
            assert_eq!(watcher.line()["hello"]["role"], "observer");
        }
        let refused = Watcher::start(&socket).line();
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&Value::Null, &"busy".into()), "{refused}");
        assert!(refused["error"]["hint"].as_str().unwrap().contains("sudo"), "{refused}");
        crowd
    });
    let mut crowd = crowd.await.unwrap();
    // Admins are still served.
    let mut admins = Vec::new();
    for _ in 0..4 {
        admins.push(world.peer().await);
    }
    drop(admins);
    let socket = world.socket.clone();
    let served = tokio::task::spawn_blocking(move || {
        crowd.pop();
        // The daemon may notice a little later that a client has disconnected.
        let deadline = Instant::now() + Duration::from_secs(20);
        while Watcher::start(&socket).line().get("hello").is_none() {
            assert!(Instant::now() < deadline, "the place of one who has gone stays taken");
        }
    });
    served.await.unwrap();
}

const LEVEL: &str = r#"{"id":1,"request":{"type":"log_level","level":"debug"}}"#;

#[tokio::test]
async fn root_and_the_daemons_own_user_are_admins() {
    let world = World::start().await;
    let mut peer = super::world::Peer::connect(&world.socket).await;
    assert_eq!(peer.read().await["hello"]["role"], "admin");
}

#[tokio::test]
async fn another_user_may_look_but_change_nothing() {
    let requests = concat!(
        r#"{"id":1,"request":{"type":"log_level","level":"debug"}}"#,
        "\n",
        r#"{"id":2,"request":{"type":"clients_disconnect","client":1}}"#,
        "\n",
        r#"{"id":3,"request":{"type":"alarm_test"}}"#,
        "\n",
        r#"{"id":4,"request":{"type":"config_show"}}"#,
        "\n",
        r#"{"id":5,"request":{"type":"alarm_test","dry_run":true}}"#,
        "\n",
        r#"{"id":6,"request":{"type":"status"}}"#
    );
    let Some(lines) = answers("zmesd-admins", NOBODY, NOBODY, requests).await else { return };
    let [hello, refused @ .., dry, status] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(hello["hello"]["role"], "observer");
    assert_eq!(refused.len(), 4, "{lines:?}");
    for answer in refused {
        assert_eq!(answer["error"]["code"], "forbidden", "{answer}");
        let hint = answer["error"]["hint"].as_str().unwrap();
        assert!(hint.starts_with("sudo usermod -aG zmesd-admins nobody"), "{hint}");
    }
    assert_eq!(dry["ok"]["dry_run"], true, "{dry}");
    assert_eq!(status["ok"]["database"], "ok");
}

#[tokio::test]
async fn the_group_of_the_process_makes_an_admin() {
    let Some(group) = Group::from_gid(Gid::from_raw(NOBODY)).unwrap() else { return };
    let name = group.name.clone();
    let Some(lines) = answers(&name, NOBODY, NOBODY, LEVEL).await else { return };
    assert_eq!(lines[0]["hello"]["role"], "admin");
    assert_eq!(lines[1]["ok"]["before"], "info", "{:?}", lines[1]);
}

#[tokio::test]
async fn a_supplementary_group_in_the_user_database_makes_an_admin() {
    let Some((user, group)) = somebody_with_another_group() else {
        eprintln!("SKIPPED: no user of this machine is in a second group");
        return;
    };
    // The process itself has neither that group nor any other: only the database knows.
    let name = group.name.clone();
    let Some(lines) = answers(&name, user.uid.as_raw(), NOBODY, LEVEL).await else { return };
    assert_eq!(lines[0]["hello"]["role"], "admin", "{} in {}", user.name, group.name);
}

fn somebody_with_another_group() -> Option<(User, Group)> {
    let groups = fs::read_to_string("/etc/group").unwrap();
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (group, members) = (fields.next()?, fields.next_back()?);
        let group = Group::from_name(group).ok()??;
        members.split(',').find_map(|member| {
            let user = User::from_name(member).ok()??;
            let name = std::ffi::CString::new(member).ok()?;
            let known = getgrouplist(&name, user.gid).ok()?.contains(&group.gid);
            (known && !user.uid.is_root() && user.gid != group.gid).then(|| (user, group.clone()))
        })
    })
}

#[tokio::test]
async fn an_observer_is_told_nothing_about_how_a_token_ends() {
    let world = World::start().await;
    drop(world.app(1, "192.0.2.1:1000", Some("amy")).await);
    let secret = "cXyz:APA91bHPRgkFLJu6sg";
    world.token(1, secret, zmes_providers::Platform::Ios, crate::domain::MonitorFilter::All).await;
    open_to_all(&world);
    let handle = zmes_providers::PushToken::parse(secret).unwrap().handle();
    let mut requests: Vec<_> = ["RgkFLJu6sg", "SgkFLJu6sg", secret]
        .iter()
        .flat_map(|name| {
            [
                serde_json::json!({"type": "tokens_show", "token": name}),
                serde_json::json!({"type": "tokens_revoke", "tokens": [name], "dry_run": true}),
                serde_json::json!({"type": "doctor", "target": name}),
            ]
        })
        .collect();
    requests.push(serde_json::json!({"type": "tokens_show", "token": handle.to_string()}));
    let numbered = requests.iter().zip(1..);
    let lines: Vec<_> =
        numbered.map(|(request, id)| serde_json::json!({"id": id, "request": request}).to_string()).collect();
    let (socket, lines) = (world.socket.clone(), lines.join("\n"));
    let asked = move || as_user(socket, NOBODY, NOBODY, &lines);
    let Some(answers) = tokio::task::spawn_blocking(asked).await.unwrap() else { return };
    let [_hello, guessed @ .., shown] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!(shown["ok"]["handle"], handle.to_string());
    for answer in guessed {
        let failed = answer["ok"]["failed"][0]["code"].as_str().or(answer["error"]["code"].as_str());
        assert_eq!(failed, Some("not_found"), "{answer}");
    }
    let told = |answer: &Value| {
        let body = [&answer["ok"], &answer["error"]].map(Value::to_string).concat();
        body.replace("SgkFLJu6sg", "RgkFLJu6sg")
    };
    for (right, wrong) in guessed[..3].iter().zip(&guessed[3..6]) {
        assert_eq!(told(right), told(wrong), "the right end is told apart");
    }
}
