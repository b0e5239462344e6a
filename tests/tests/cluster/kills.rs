//! The node that sends is killed with SIGKILL again and again, while alarms come at both hosts: no phone misses one, and only
//! what was on its way comes again.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;
use zmes_tests::{Site, wait_until};

use crate::load::Load;

/// Two register at each node.
const PHONES: [&str; 4] =
    ["cluster-kill-phone-1", "cluster-kill-phone-2", "cluster-kill-phone-3", "cluster-kill-phone-4"];
/// A push that the provider accepted this long before a kill must be in the ledger by then.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Chance that can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

struct Kill {
    at: Instant,
    /// The node that was killed.
    name: String,
    /// It was started again before another one could take over.
    is_short: bool,
}

/// Waits until a node sends, and returns its name.
async fn sender(site: &Site) -> Result<String> {
    wait_until("a node sends", async || {
        for (name, world) in [("a", &site.a), ("b", &site.b)] {
            let status = world.run(&["cluster", "status", "--json"]).await?.json()?;
            if status["may_send"] == true {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    })
    .await
}

/// One kill under load. In one of four the node is back at once.
async fn kill(site: &mut Site, load: &Load, dice: &mut Dice) -> Result<Kill> {
    let sending = load.during(site, sender(site)).await?;
    let length = Duration::from_millis(20 + dice.below(600));
    load.during(site, async {
        tokio::time::sleep(length).await;
        Ok(())
    })
    .await?;
    let kill = Kill { at: Instant::now(), name: sending.clone(), is_short: dice.below(4) == 0 };
    site.node(&sending).kill_daemon().await?;
    // Both cameras have an alarm while it is down.
    load.strike(site).await?;
    load.strike(site).await?;
    if !kill.is_short {
        load.during(site, site.wait_pusher(Site::other(&sending))).await?;
    }
    site.node(&sending).launch_daemon().await?;
    Ok(kill)
}

/// When the provider got each event for each phone, in order.
fn arrived(site: &Site) -> BTreeMap<(String, u64), Vec<Instant>> {
    let mut arrived = BTreeMap::<_, Vec<_>>::new();
    for push in site.pushes() {
        arrived.entry((push.token, push.event)).or_default().push(push.at);
    }
    arrived
}

/// Counts what came again; each must have been on its way at a kill.
fn repeats(site: &Site, kills: &[Kill]) -> Result<usize> {
    let mut repeats = 0;
    for (pushed, times) in arrived(site) {
        for pair in times.windows(2) {
            repeats += 1;
            let excused = kills.iter().any(|kill| {
                kill.at <= pair[1] && pair[0] <= kill.at + UNDER_WAY && pair[0] + UNDER_WAY >= kill.at
            });
            ensure!(excused, "{pushed:?} was sent again though it was not on its way when a node was killed");
        }
    }
    Ok(repeats)
}

/// Returns how long it took until the other node had sent a push, the shortest time first.
fn gaps(site: &Site, kills: &[Kill]) -> Vec<Duration> {
    let pushes = site.pushes();
    let gap = |kill: &Kill| {
        let next = pushes.iter().find(|push| push.at > kill.at && push.node != kill.name);
        next.map(|push| push.at - kill.at)
    };
    let mut gaps: Vec<_> = kills.iter().filter(|kill| !kill.is_short).filter_map(gap).collect();
    gaps.sort_unstable();
    gaps
}

#[tokio::test]
async fn no_phone_misses_an_alarm_when_the_node_that_sends_is_killed_again_and_again() -> Result<()> {
    let kills: usize = std::env::var_os("ZMES_CLUSTER_KILLS")
        .and_then(|text| text.to_str().and_then(|text| text.parse().ok()))
        .unwrap_or(3);
    let mut site = Site::new().setting("log", "level", "\"info\"").start().await?;
    for (number, phone) in PHONES.iter().enumerate() {
        let (at, other) = if number % 2 == 0 { (&site.a, &site.b) } else { (&site.b, &site.a) };
        drop(at.phone("android", phone).await?);
        other.wait_token(phone, "known", |token| token["state"] == "enabled").await?;
    }
    let (load, mut dice, mut done) = (Load::default(), Dice(0x5eed), Vec::new());
    for _ in 0..kills {
        let kill = kill(&mut site, &load, &mut dice).await;
        done.push(kill.with_context(|| format!("kill {}", done.len() + 1))?);
    }
    load.during(&site, sender(&site)).await?;
    for phone in PHONES {
        let rung = site.wait_rung_at(phone, load.events()).await;
        rung.with_context(|| format!("of {} alarms and {} kills", load.events().count(), done.len()))?;
    }
    site.wait_settled().await?;
    let repeats = repeats(&site, &done)?;
    let gaps = gaps(&site, &done);
    eprintln!("until the other node sends: p50 {:?}, worst {:?}", gaps.get(gaps.len() / 2), gaps.last());
    let alarms = load.events().count();
    eprintln!("{alarms} alarms, {} pushes, {} kills, {repeats} repeats", alarms * PHONES.len(), done.len());
    site.proxy.ensure_no_violations()
}
