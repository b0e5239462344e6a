//! The lifecycle of a real process: this test binary runs itself, with real signals and a real systemd socket.

use std::os::unix::net::UnixDatagram;
use std::process::{self, Child, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal as Signum, kill};
use nix::unistd::Pid;
use tokio::sync::oneshot;
use zmes_shared::views::ClientCounts;

use super::*;
use crate::monitors::Catalog;
use crate::route::RouterCommand;

/// Set only for the child process: how it should behave.
const BEHAVIOUR: &str = "ZMESD_TEST_LIFECYCLE";

/// A router that answers, or does not.
async fn router(mut commands: mpsc::Receiver<RouterCommand>, answers: bool, stop: CancellationToken) {
    let mut kept = Vec::new();
    loop {
        let command = tokio::select! {
            Some(command) = commands.recv() => command,
            () = stop.cancelled() => return,
        };
        if !answers {
            kept.push(command);
        } else if let RouterCommand::Ping(reply) = command {
            reply.send(()).ok();
        } else if let RouterCommand::Count(reply) = command {
            reply.send(ClientCounts::default()).ok();
        }
    }
}

async fn live(behaviour: &str) -> Ended {
    let lifecycle = Lifecycle::install().unwrap();
    let (commands, commands_rx) = mpsc::channel(16);
    let tracker = lifecycle.tracker();
    tracker.spawn(router(commands_rx, behaviour != "hung", lifecycle.soft()));
    if behaviour == "stubborn" {
        tracker.spawn(async {
            let (_open, never) = oneshot::channel::<()>();
            never.await.ok();
        });
    }
    let (reload, mut reloads) = mpsc::channel(1);
    let soft = lifecycle.soft();
    tracker.spawn(async move {
        tokio::select! {
            Some(()) = reloads.recv() => soft.cancel(),
            () = soft.cancelled() => {}
        }
    });
    let (refresh, _refreshes) = mpsc::channel(1);
    let (_catalog, catalog) = watch::channel(Arc::new(Catalog::default()));
    let (_database, database) = watch::channel(DbHealth::Up);
    let catalog = CatalogHandle::new(refresh, catalog);
    let router = RouterHandle::new(commands);
    lifecycle.run(Vitals { reload, router, catalog, database }).await
}

/// Not a test of its own: the process that the tests below start and signal.
#[test]
#[ignore = "is started by the other tests of this file"]
fn process() {
    #[expect(clippy::disallowed_methods, reason = "the only word from the parent process")]
    let Ok(behaviour) = std::env::var(BEHAVIOUR) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(live(&behaviour));
    runtime.shutdown_background();
    println!("ended: {ended:?}");
}

struct Process {
    child: Child,
    systemd: UnixDatagram,
    _directory: tempfile::TempDir,
}

impl Process {
    fn start(behaviour: &str, watchdog: Option<Duration>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("notify");
        let systemd = UnixDatagram::bind(&socket).unwrap();
        systemd.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut command = process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "lifecycle::tests::process", "--ignored", "--nocapture"]);
        command.env(BEHAVIOUR, behaviour).env("NOTIFY_SOCKET", &socket).env_remove("WATCHDOG_PID");
        if let Some(every) = watchdog {
            command.env("WATCHDOG_USEC", every.as_micros().to_string());
        }
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        let process = Self { child, systemd, _directory: directory };
        process.hear("READY=1");
        process
    }

    /// Waits until `word` is sent to systemd. Returns everything received until then.
    fn hear(&self, word: &str) -> String {
        let mut heard = String::new();
        let mut buffer = [0; 1024];
        while !heard.contains(word) {
            let length = self.systemd.recv(&mut buffer).unwrap_or_else(|error| {
                panic!("no {word} from the process: {error}; only {heard:?}");
            });
            heard.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        heard
    }

    fn signal(&self, signal: Signum) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Waits for the end. Returns the process's report.
    fn ended(self) -> String {
        let output = self.child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{:?}: {text}", output.status);
        text.lines().find_map(|line| line.split_once("ended: ")).unwrap().1.to_owned()
    }
}

#[test]
fn a_signal_ends_it_in_order_and_systemd_hears_of_it() {
    let process = Process::start("good", None);
    process.hear("STATUS=0 monitors, 0 clients, database ok");
    process.signal(Signum::SIGTERM);
    process.hear("STOPPING=1");
    assert_eq!(process.ended(), r#"Ended { cause: Signal("SIGTERM"), in_time: true }"#);
}

#[test]
fn signals_that_zoneminders_scripts_send_are_harmless_and_sighup_reloads() {
    let process = Process::start("good", None);
    for signal in [Signum::SIGWINCH, Signum::SIGUSR1, Signum::SIGUSR2] {
        process.signal(signal);
    }
    // The reload of this process makes it end.
    process.signal(Signum::SIGHUP);
    assert_eq!(process.ended(), "Ended { cause: Asked, in_time: true }");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let process = Process::start("stubborn", None);
    process.signal(Signum::SIGTERM);
    process.hear("STOPPING=1");
    process.signal(Signum::SIGINT);
    assert_eq!(process.ended(), r#"Ended { cause: Signal("SIGTERM"), in_time: false }"#);
}

#[test]
fn the_watchdog_is_fed_while_the_router_moves() {
    let process = Process::start("good", Some(Duration::from_millis(100)));
    for _ in 0..3 {
        process.hear("WATCHDOG=1");
    }
    process.signal(Signum::SIGINT);
    assert_eq!(process.ended(), r#"Ended { cause: Signal("SIGINT"), in_time: true }"#);
}

#[test]
fn a_hung_router_starves_the_watchdog() {
    let process = Process::start("hung", Some(Duration::from_millis(100)));
    // Longer than the ping's deadline: if the router had answered, the watchdog would have been fed by now.
    process.systemd.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut buffer = [0; 1024];
    let silence = process.systemd.recv(&mut buffer).unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
    process.signal(Signum::SIGTERM);
    process.systemd.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    process.hear("STOPPING=1");
    assert!(process.ended().contains("in_time: true"));
}
