//! Rules of a site, which both nodes are configured with: each alarm counts once, where it was decided by them.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::{Site, World, wait_until};

use crate::{PHONE, ensure_all};

const RULES: &str = "
[[rule]]
name = \"quiet-yard\"
monitors = [2]
receivers = [\"android\"]

[[rule]]
name = \"front\"
monitors = [1]
action = \"urgent\"
channels = [\"push\", \"websocket\"]
";

/// Returns how often each rule decided, by the word of a node.
async fn hits(world: &World) -> Result<Value> {
    let list = world.ctl().json(&["rules", "list"]).await?;
    let rules = list["rules"].as_array().with_context(|| list.to_string())?;
    Ok(rules.iter().map(|rule| json!([rule["name"], rule["hits_24h"]])).collect())
}

/// Waits until the nodes say that the rules decided so often: of each node the yard's and the front's. Counted once is
/// never taken back, so that more than that is a failure.
async fn wait_hits(site: &Site, wanted: [[u64; 2]; 2]) -> Result<()> {
    for (name, world, [yard, front]) in [("a", &site.a, wanted[0]), ("b", &site.b, wanted[1])] {
        let wanted = json!([["quiet-yard", yard], ["front", front]]);
        wait_until(&format!("{name} counts {wanted}"), async || {
            let hits = hits(world).await?;
            let over = |place: usize| hits[place][1].as_u64() > wanted[place][1].as_u64();
            ensure!(!over(0) && !over(1), "counted twice at {name}: {hits}, not {wanted}");
            Ok((hits == wanted).then_some(()))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn each_alarm_counts_once_for_a_rule_at_each_node_that_decides_by_it() -> Result<()> {
    let mut site = Site::new().patient().prepare().await?;
    for world in [&site.a, &site.b] {
        world.write_settings_with(RULES)?;
    }
    site.start_daemons().await?;
    // Sessions at both nodes, and a phone: each node decides for its own sessions, and the one that sends for the phone.
    let mut at_a = site.a.phone("android", PHONE).await?;
    let mut at_b = site.b.admin().await?;
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    let mut event = 100;
    for (sender, hits) in [("a", [[1, 2], [0, 2]]), ("b", [[1, 4], [1, 4]])] {
        if sender == "b" {
            site.a.run(&["cluster", "handover", "b"]).await?.expect_code(0)?;
            site.wait_pusher("b").await?;
        }
        for monitor in [1, 2, 1] {
            site.alarm(monitor, event).await?;
            at_a.expect_alarm(event, monitor).await?;
            at_b.expect_alarm(event, monitor).await?;
            event += 1;
        }
        site.wait_rung(event - 1).await?;
        site.wait_settled().await?;
        wait_hits(&site, hits).await?;
    }
    // They are on the disk of each, and a takeover counts nothing again.
    site.b.kill_daemon().await?;
    site.alarm(1, event).await?;
    at_a.expect_alarm(event, 1).await?;
    site.wait_rung(event).await?;
    site.b.start_daemon().await?;
    Site::wait_alive(&site.a, 2).await?;
    site.wait_settled().await?;
    wait_hits(&site, [[1, 5], [1, 4]]).await?;
    ensure_all(&site.rung(), [100, 102, 103, 105, 106], 0)?;
    ensure!(!site.rung().contains_key(&101) && !site.rung().contains_key(&104), "{:?}", site.rung());
    Ok(())
}
