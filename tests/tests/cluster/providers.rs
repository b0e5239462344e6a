//! The push provider of the node that sends is away, and that of the other one is not.

use anyhow::{Result, ensure};
use serde_json::Value;
use zmes_tests::standin::{Arrival, PushProxy};
use zmes_tests::{Site, wait_long, wait_until};

use crate::{PHONE, ensure_all};

/// What keeps node `a` from sending, as node `b` knows it.
async fn trouble_of_a(site: &Site) -> Result<Option<String>> {
    let status = site.b.run(&["cluster", "status", "--json"]).await?.json()?;
    let nodes = status["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let a = nodes.iter().find(|node| node["name"] == "a");
    Ok(a.and_then(|node| node["trouble"].as_str()).map(ToOwned::to_owned))
}

#[tokio::test]
async fn a_node_whose_provider_is_away_hands_over_and_finds_out_by_itself_that_it_is_back() -> Result<()> {
    let own = PushProxy::start().await?;
    let mut site = Site::new().patient().prepare().await?;
    site.a.settings.use_push_proxy(&own);
    site.a.write_settings()?;
    site.start_daemons().await?;
    drop(site.a.phone("android", PHONE).await?);
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    own.refuse().await?;
    site.alarm(1, 100).await?;
    wait_long("b sends the pushes", async || {
        site.beat()?;
        Ok((site.pusher().await? == "b").then_some(()))
    })
    .await?;
    site.wait_rung(100).await?;
    wait_until("b knows why", async || {
        let trouble = trouble_of_a(&site).await?;
        Ok(trouble.is_some_and(|text| text.contains("no push provider")).then_some(()))
    })
    .await?;
    let refused = site.b.run(&["cluster", "handover", "a"]).await?;
    ensure!(refused.code != 0 && refused.stderr.contains("no push provider"), "{}", refused.stderr);
    own.resume().await?;
    wait_long("a has found its provider", async || {
        site.beat()?;
        Ok(trouble_of_a(&site).await?.is_none().then_some(()))
    })
    .await?;
    site.b.run(&["cluster", "handover", "a"]).await?.expect_code(0)?;
    Site::wait_cluster(&site.a, "that of the node that sends", |status: &Value| status["may_send"] == true)
        .await?;
    site.alarm(2, 101).await?;
    own.wait_pushes(1).await?;
    site.wait_settled().await?;
    ensure_all(&site.rung(), [100], 0)?;
    let by_a: Vec<_> = own.pushes_to(PHONE).iter().filter_map(Arrival::event).collect();
    ensure!(by_a == [101], "{by_a:?}");
    own.ensure_no_violations()?;
    site.proxy.ensure_no_violations()
}
