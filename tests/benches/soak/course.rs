//! From the first round to the verdict.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep, sleep_until};
use zmes_tests::standin::Fcm;
use zmes_tests::{World, wait_until};

use crate::crowd::Crowd;
use crate::ledger::Ledger;
use crate::measure::{Report, Round, Usage};
use crate::strikes::Cameras;
use crate::trouble::{Trouble, Troublemaker};

/// Length of a round.
const ROUND: Duration = Duration::from_secs(10);
/// Cameras.
const MONITORS: u32 = 6;
/// Phones, each with its app connected all the time.
const PHONES: usize = 5;
/// Alarms that each visitor asks for again: as many in the last round as in the first.
const REPLAYED: u64 = 20;
/// How long the last pushes may take: a provider that was away is asked again after a minute at most, a push too.
const LAST_PUSHES: Duration = Duration::from_mins(4);

/// Runs rounds for about `length`.
pub(crate) async fn run(length: Duration) -> Result<Report> {
    let fcm = Fcm::start().await?;
    let mut builder = World::new()
        .with_fcm(&fcm)
        .setting("zoneminder", "reconcile-interval", "\"2s\"")
        .setting("zoneminder", "realarm-interval", "\"0s\"")
        .setting("push", "storm-limit", "100000")
        .setting("server", "trusted-proxies", "[\"127.0.0.0/8\"]")
        .setting("log", "level", "\"warn\"");
    for id in 1..=MONITORS {
        builder = builder.monitor(id, &format!("Camera {id}"));
    }
    let mut world = builder.start().await?;
    let usage = Usage::of(world.daemon()?.pid(), world.path("state"));
    let mut cameras = Cameras::of(&world, MONITORS)?;
    let ledger = Ledger::open(&world, PHONES).await?;
    let crowd = Crowd::of(&world).await?;
    let mut troublemaker = Troublemaker::new(&world);
    let mut report = Report::default();
    let rounds = usize::try_from((length.as_secs() / ROUND.as_secs()).max(9))?;
    for number in 0..rounds {
        let trouble = Trouble::of_round(number);
        let (end, pushed) = (Instant::now() + ROUND, fcm.messages.push_count());
        let certificate = world.certificate.clone();
        let since = cameras.events().end.saturating_sub(REPLAYED).max(1);
        let others = async {
            if trouble == Trouble::Certificate {
                // Visitors trust the certificate that they find.
                troublemaker.make(trouble, &mut world, &fcm).await?;
                return crowd.visit(number, since, &world.certificate).await;
            }
            let troubled = troublemaker.make(trouble, &mut world, &fcm);
            tokio::try_join!(crowd.visit(number, since, &certificate), troubled).map(drop)
        };
        let (struck, ()) = tokio::try_join!(cameras.strike_until(end, trouble), others)?;
        sleep_until(end).await;
        ledger.all_told(&struck).await?;
        cameras.write_rows(&world, &struck).await?;
        world.daemon()?.ensure_running()?;
        let delays = ledger.delays(&struck, &fcm.messages.pushes().split_off(pushed));
        report.add(Round::new(trouble, struck.len(), usage.now()?, &delays));
    }
    conclude(&mut world, &fcm, &ledger, &cameras, &mut report).await?;
    Ok(report)
}

/// Waits for pending deliveries, then checks that every alarm arrived everywhere.
async fn conclude(
    world: &mut World,
    fcm: &Fcm,
    ledger: &Ledger,
    cameras: &Cameras,
    report: &mut Report,
) -> Result<()> {
    let deadline = Instant::now() + LAST_PUSHES;
    loop {
        cameras.beat()?;
        let missing = ledger.missing_pushes(&fcm.messages.accepted(), cameras.events());
        if missing == 0 || Instant::now() >= deadline {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    ledger.judge(&fcm.messages.accepted(), cameras.events(), report);
    fcm.messages.ensure_no_violations()?;
    world.daemon()?.ensure_running()?;
    // The visitors have disconnected: what is still open now is a leak.
    let clients = wait_until("only the phones' apps are connected", async || {
        let clients = world.status().await?["clients"]["total"].as_u64();
        Ok(clients.filter(|count| *count <= PHONES as u64))
    })
    .await?;
    ensure!(clients == PHONES as u64, "{clients} of {PHONES} apps are still connected");
    Ok(())
}
