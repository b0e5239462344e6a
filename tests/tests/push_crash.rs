//! The daemon is killed with SIGKILL again and again while alarms come: every phone gets every alarm, and repeats only
//! of pushes in flight at that moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;
use zmes_tests::standin::PushProxy;
use zmes_tests::{EventRow, World, epoch_seconds, wait_until};

/// How often the daemon is killed.
const KILLS: u32 = 100;
/// Phones.
const TOKENS: [&str; 4] = ["crash-token-a", "crash-token-b", "crash-token-c", "crash-token-d"];
/// Cameras. Each new event is a new alarm, so one at a time is enough for each.
const MONITORS: [u32; 2] = [1, 2];
/// The first event.
const FIRST: u64 = 1000;
/// Between two alarms.
const PACE: Duration = Duration::from_millis(60);
/// A push that the provider accepted this long before a kill must have been recorded by then.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// What the cameras do, independent of the daemon.
#[derive(Debug, Default)]
struct Cameras {
    events: AtomicU64,
    stop: AtomicBool,
}

impl Cameras {
    /// Makes events until it is stopped: row and shared memory, as `zmc` does.
    async fn run(&self, world: &World) -> Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.events.fetch_add(1, Ordering::Relaxed);
            let monitor = MONITORS[usize::try_from(number)? % MONITORS.len()];
            world.alarm(monitor, FIRST + number).await?;
            tokio::time::sleep(PACE).await;
        }
        Ok(())
    }
}

/// Chance that can be repeated: the seed is printed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

async fn register(world: &World) -> Result<()> {
    for token in TOKENS {
        let mut app = world.admin().await?;
        let data = json!({"type": "token", "platform": "android", "token": token, "state": "enabled"});
        app.send(&json!({"event": "push", "data": data})).await?;
        app.sync().await?;
    }
    Ok(())
}

/// When the provider got each event for each phone, in order.
fn arrived(proxy: &PushProxy) -> Result<BTreeMap<(String, u64), Vec<Instant>>> {
    let mut arrived = BTreeMap::<_, Vec<_>>::new();
    for arrival in proxy.pushes() {
        let token = arrival.token.clone().context("no token")?;
        let event = arrival.event().with_context(|| arrival.json().to_string())?;
        arrived.entry((token, event)).or_default().push(arrival.at);
    }
    Ok(arrived)
}

#[tokio::test]
async fn no_alarm_is_lost_for_any_phone_when_the_daemon_is_killed_a_hundred_times() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = World::new()
        .with_push_proxy(&proxy)
        .setting("push", "storm-limit", "100000")
        .setting("zoneminder", "alarm-limit", "0")
        .setting("log", "level", "\"info\"")
        .monitor(MONITORS[0], "Front")
        .monitor(MONITORS[1], "Yard")
        .start()
        .await?;
    register(&world).await?;
    world.wait_comparing().await?;
    // The first event marks where the record begins.
    world.insert_event(EventRow::new(FIRST - 1, MONITORS[0]).closed()).await?;

    let mut dice = Dice(0x5eed);
    let mut kills = Vec::new();
    let cameras = Arc::new(Cameras::default());
    for _ in 0..KILLS {
        let length = Duration::from_millis(20 + dice.below(600));
        // One round of alarms; at its end the daemon is killed at an arbitrary moment.
        let round = async {
            tokio::time::sleep(length).await;
            cameras.stop.store(true, Ordering::Relaxed);
            Ok(())
        };
        cameras.stop.store(false, Ordering::Relaxed);
        tokio::try_join!(cameras.run(&world), round)?;
        kills.push(Instant::now());
        world.kill_daemon().await?;
        // While it is down, something happens, too.
        let number = cameras.events.fetch_add(1, Ordering::Relaxed);
        world.alarm(MONITORS[usize::try_from(number)? % MONITORS.len()], FIRST + number).await?;
        // The cameras live on, however long a slow machine takes for all this.
        for monitor in MONITORS {
            world.shm(monitor)?.set_heartbeat(epoch_seconds())?;
        }
        world.launch_daemon().await?;
    }
    world.wait_watching().await?;

    let last = FIRST + cameras.events.load(Ordering::Relaxed);
    let wanted: Vec<_> = TOKENS
        .iter()
        .flat_map(|token| (FIRST..last).map(move |event| ((*token).to_owned(), event)))
        .collect();
    let missing = || -> Result<Vec<(String, u64)>> {
        let arrived = arrived(&proxy)?;
        Ok(wanted.iter().filter(|pushed| !arrived.contains_key(*pushed)).cloned().collect())
    };
    let complete =
        wait_until("every phone has heard of every alarm", async || Ok(missing()?.is_empty().then_some(())))
            .await;
    ensure!(complete.is_ok(), "lost: {:?} of {} ({complete:?})", missing()?, wanted.len());

    let mut repeats = 0;
    for (pushed, times) in arrived(&proxy)? {
        for pair in times.windows(2) {
            repeats += 1;
            let excused = kills.iter().any(|kill| {
                // The kill is noted a moment before it happens: what came in between was on its way, too.
                *kill <= pair[1] && pair[0] <= *kill + UNDER_WAY && pair[0] + UNDER_WAY >= *kill
            });
            ensure!(
                excused,
                "{pushed:?} was sent again though it was not on its way when the daemon was killed"
            );
        }
    }
    println!("{} alarms, {} pushes, {KILLS} kills, {repeats} repeats", last - FIRST, wanted.len());
    proxy.ensure_no_violations()?;
    let queue: Value = world.ctl().json(&["push", "queue"]).await?;
    ensure!(queue["queued"] == 0, "{queue}");
    Ok(())
}
