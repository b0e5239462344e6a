//! Links in notifications, and the pictures behind them, at the nodes that have not sent them.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use zmes_tests::standin::TargetPeer;
use zmes_tests::{AppClient, HalfOpen, Site, World, jpeg, wait_until};

const BASE: &str = "https://zm.example.org:9000";

/// Where other nodes reach a node: known before its daemon has a port, and can be cut.
struct NodeAddress {
    url: String,
    /// `None`: connections are closed at once.
    leads_to: watch::Sender<Option<SocketAddr>>,
    // Ends all connections when dropped.
    _serving: JoinSet<()>,
}

impl NodeAddress {
    async fn new() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://{}", listener.local_addr()?);
        let (leads_to, way) = watch::channel(None);
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, way));
        Ok(Self { url, leads_to, _serving: serving })
    }

    async fn lead_to(&self, world: &World) -> Result<()> {
        self.leads_to.send_replace(Some(world.endpoint().await?.address));
        Ok(())
    }

    fn cut(&self) {
        self.leads_to.send_replace(None);
    }
}

async fn serve(listener: TcpListener, way: watch::Receiver<Option<SocketAddr>>) {
    let mut connections = JoinSet::new();
    while let Ok((mut asker, _)) = listener.accept().await {
        let Some(to) = *way.borrow() else { continue };
        connections.spawn(async move {
            if let Ok(mut node) = TcpStream::connect(to).await {
                copy_bidirectional(&mut asker, &mut node).await.ok();
            }
        });
    }
}

/// Two nodes whose pictures lie on the disk of each, and the way to each.
struct Pictures {
    site: Site,
    to_a: NodeAddress,
    to_b: NodeAddress,
    ntfy: TargetPeer,
}

impl Pictures {
    /// All nodes of a site have the same certificate.
    async fn start() -> Result<Self> {
        let mut world = Self::prepare().await?;
        share_certificate(&mut world.site);
        world.begin().await?;
        Ok(world)
    }

    async fn prepare() -> Result<Self> {
        let base = format!("\"{BASE}\"");
        let mut site = Site::new().patient().setting("picture", "base-url", &base).prepare().await?;
        let (to_a, to_b, ntfy) =
            (NodeAddress::new().await?, NodeAddress::new().await?, TargetPeer::ntfy().await?);
        for (world, address) in [(&mut site.a, &to_a), (&mut site.b, &to_b)] {
            world.settings.set_text("cluster", "address", &address.url);
            fs::create_dir_all(world.path("events"))?;
        }
        Ok(Self { site, to_a, to_b, ntfy })
    }

    async fn begin(&mut self) -> Result<()> {
        let Self { site, to_a, to_b, ntfy } = self;
        let target = format!(
            "[[target]]\nname = \"ntfy\"\nkind = \"ntfy\"\nuser = \"admin\"\nurl = \"{}\"\ntopic = \"{}\"\ntoken = \"{}\"\n\
             ca-certificate = \"{}\"\npicture-wait = \"10s\"\nsnooze-buttons = [\"1h\"]\n",
            ntfy.url(),
            TargetPeer::TOPIC,
            TargetPeer::NTFY_TOKEN,
            ntfy.ca().display()
        );
        for world in [&site.a, &site.b] {
            world.write_settings_with(&target)?;
        }
        site.start_daemons().await?;
        to_a.lead_to(&site.a).await?;
        to_b.lead_to(&site.b).await
    }

    /// Writes the picture of an event to the disk of the server that captures the camera.
    async fn write(&self, monitor: u32, event: u64, content: u8) -> Result<Vec<u8>> {
        let query = format!("SELECT DATE(StartDateTime) FROM Events WHERE Id={event}");
        let day = self.site.a.database.sql(&query).await?;
        let day = day.split_whitespace().last().context("no day")?.to_owned();
        let events = self.site.host_of(monitor).path("events");
        let directory = events.join(monitor.to_string()).join(day).join(event.to_string());
        fs::create_dir_all(&directory)?;
        let picture = jpeg(5005, content);
        fs::write(directory.join("alarm.jpg"), &picture)?;
        Ok(picture)
    }
}

fn share_certificate(site: &mut Site) {
    site.b.certificate = site.a.certificate.clone();
    site.b.settings.set_path("server.tls", "certificate", &site.a.certificate.certificate);
    site.b.settings.set_path("server.tls", "key", &site.a.certificate.key);
}

/// Opens a link at a node, as whatever stands before all of them may do.
async fn open(world: &World, url: &str) -> Result<(u16, Vec<u8>)> {
    let path = url.strip_prefix(BASE).with_context(|| url.to_owned())?;
    let (head, body) = HalfOpen::get(&world.endpoint().await?, path).await?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context(head)?;
    Ok((status, body))
}

async fn post(world: &World, url: &str) -> Result<(String, String)> {
    let path = url.strip_prefix(BASE).with_context(|| url.to_owned())?;
    let (head, body) = HalfOpen::post(&world.endpoint().await?, path).await?;
    Ok((head, String::from_utf8(body)?))
}

/// Waits for an alarm at an app, and returns the link to its picture.
async fn link(app: &mut AppClient, event: u64, monitor: u32) -> Result<String> {
    let frame = app.expect_alarm(event, monitor).await?;
    let url = frame["events"][0]["Picture"].as_str().with_context(|| frame.to_string())?;
    Ok(url.to_owned())
}

async fn wait_opens(what: &str, world: &World, url: &str, picture: &[u8]) -> Result<()> {
    wait_until(what, async || Ok((open(world, url).await? == (200, picture.to_vec())).then_some(()))).await
}

#[tokio::test]
async fn each_node_answers_the_links_of_any_and_asks_the_one_that_has_the_picture() -> Result<()> {
    let mut world = Pictures::start().await?;
    let (mut at_a, mut at_b) = (world.site.a.admin().await?, world.site.b.admin().await?);
    // The sender uploads the picture of a camera of the other node, which is not written yet.
    world.site.alarm(2, 100).await?;
    let links = [link(&mut at_a, 100, 2).await?, link(&mut at_b, 100, 2).await?];
    let picture = world.write(2, 100, 7).await?;
    let sent = world.ntfy.wait_accepted(1).await?.remove(0).request;
    ensure!(sent.body == picture, "{} bytes", sent.body.len());
    for node in [&world.site.a, &world.site.b] {
        for url in &links {
            wait_opens("each link opens at each node", node, url, &picture).await?;
        }
    }

    // A snooze button works at the node that has not made it, and undo at the one that has.
    let actions: Value = serde_json::from_str(sent.header("x-actions").context("no actions")?)?;
    let button = actions[0]["url"].as_str().context("no URL")?.to_owned();
    let (head, page) = post(&world.site.b, &button).await?;
    ensure!(head.starts_with("HTTP/1.1 200 ") && page.contains(">Undo</button>"), "{head}{page}");
    let snoozes = async |node: &World, count: usize| {
        wait_until(&format!("{count} snoozes"), async || {
            let list = node.ctl().json(&["snooze", "list"]).await?;
            let token = list["snoozes"][0]["token"].as_str();
            let same = list["snoozes"].as_array().is_some_and(|list| list.len() == count);
            Ok((same && (count == 0 || token == Some("@ntfy"))).then_some(()))
        })
        .await
    };
    snoozes(&world.site.a, 1).await?;
    world.site.alarm(1, 101).await?;
    world.write(1, 101, 8).await?;
    world.ntfy.wait_accepted(2).await?;
    world.site.alarm(2, 102).await?;
    let skipped = world.site.a.wait_delivery("@ntfy", 102, "skipped").await?;
    ensure!(skipped["reason"].as_str().is_some_and(|reason| reason.contains("snoozed")), "{skipped}");
    let undo = page.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).context("no undo")?;
    let (head, _) = post(&world.site.a, &format!("{BASE}/s/{undo}")).await?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
    snoozes(&world.site.b, 0).await?;

    // The way between the nodes breaks: no picture, no harm, and it comes back with the way.
    at_a.expect_alarm(101, 1).await?;
    let url = link(&mut at_a, 102, 2).await?;
    let picture = world.write(2, 102, 9).await?;
    world.to_b.cut();
    ensure!(open(&world.site.a, &url).await? == (404, b"no picture\n".to_vec()), "the way is cut");
    ensure!(open(&world.site.b, &url).await? == (200, picture.clone()), "its own disk has it");
    world.to_b.lead_to(&world.site.b).await?;
    wait_opens("the way is mended", &world.site.a, &url, &picture).await?;
    for node in [&mut world.site.a, &mut world.site.b] {
        let log = node.daemon()?.log();
        ensure!(
            !log.contains(url.trim_start_matches(BASE)) && !log.contains("/p/"),
            "a link is in the log: {log}"
        );
    }
    world.ntfy.ensure_no_violations()
}

#[tokio::test]
async fn a_node_that_shows_neither_the_certificate_of_all_nodes_nor_one_that_is_trusted_is_asked_for_nothing()
-> Result<()> {
    let mut world = Pictures::prepare().await?;
    world.begin().await?;
    let mut at_a = world.site.a.admin().await?;
    world.site.alarm(2, 100).await?;
    let url = link(&mut at_a, 100, 2).await?;
    let picture = world.write(2, 100, 7).await?;
    ensure!(open(&world.site.a, &url).await?.0 == 404);
    let log = world.site.a.daemon()?.log();
    ensure!(log.contains("another node was not reached for a picture"), "{log}");
    ensure!(open(&world.site.b, &url).await? == (200, picture.clone()));
    share_certificate(&mut world.site);
    world.site.b.daemon()?.end(Signal::SIGTERM).await?;
    world.site.b.write_settings()?;
    world.site.b.start_daemon().await?;
    world.to_b.lead_to(&world.site.b).await?;
    wait_opens("it has the certificate of all nodes", &world.site.a, &url, &picture).await
}

#[tokio::test]
async fn a_key_that_is_replaced_at_one_node_ends_all_links_at_each() -> Result<()> {
    let mut world = Pictures::start().await?;
    let mut at_a = world.site.a.admin().await?;
    world.site.alarm(1, 100).await?;
    let old = link(&mut at_a, 100, 1).await?;
    let picture = world.write(1, 100, 7).await?;
    wait_opens("it opens at b", &world.site.b, &old, &picture).await?;
    let rotated = world.site.b.run(&["pictures", "rotate", "--yes"]).await?.expect_code(0)?;
    ensure!(rotated.stdout.contains("at other nodes they do within 10 s"), "{}", rotated.stdout);
    ensure!(open(&world.site.b, &old).await?.0 == 404, "b has replaced it");
    wait_until("a has heard of it", async || Ok((open(&world.site.a, &old).await?.0 == 404).then_some(())))
        .await?;
    world.site.alarm(1, 101).await?;
    let new = link(&mut at_a, 101, 1).await?;
    let picture = world.write(1, 101, 8).await?;
    for node in [&world.site.a, &world.site.b] {
        wait_opens("new links open", node, &new, &picture).await?;
    }

    // Without the ledger nothing is replaced, as the other node would go on with the old one.
    world.site.a.database.stop().await?;
    let refused = world.site.a.run(&["pictures", "rotate", "--yes"]).await?;
    ensure!(refused.code != 0 && refused.stderr.contains("hint: "), "{}", refused.stderr);
    world.site.a.database.resume().await?;
    wait_opens("it still opens", &world.site.b, &new, &picture).await?;

    // The key is on the disk: a node that finds no ledger at its start makes and opens the same links.
    world.site.a.daemon()?.end(Signal::SIGTERM).await?;
    world.site.a.start_daemon().await?;
    world.to_a.lead_to(&world.site.a).await?;
    wait_opens("it opens after a restart", &world.site.a, &new, &picture).await?;
    ensure!(open(&world.site.a, &old).await?.0 == 404, "the old key is back");
    Ok(())
}

#[tokio::test]
async fn links_of_a_node_from_before_it_joined_still_open_there() -> Result<()> {
    let base = format!("\"{BASE}\"");
    let mut site = Site::new().patient().setting("picture", "base-url", &base).apart().await?;
    for world in [&mut site.a, &mut site.b] {
        fs::create_dir_all(world.path("events"))?;
        world.start_daemon().await?;
    }
    let mut alone = site.b.admin().await?;
    site.alarm(2, 100).await?;
    let url = link(&mut alone, 100, 2).await?;
    for world in [&mut site.a, &mut site.b] {
        world.daemon()?.end(Signal::SIGTERM).await?;
    }
    site.make_ledger().await?;
    site.join()?;
    site.start_daemons().await?;
    wait_until("b has taken over the key of the cluster", async || {
        Ok(site.b.daemon()?.log().contains("with the key of the cluster from now on").then_some(()))
    })
    .await?;
    // There is a picture only if the link is good.
    let (status, _) = open(&site.b, &url).await?;
    let refused = site.b.daemon()?.log().contains("no picture for a phone");
    ensure!(status == 404 && refused, "{status}");
    ensure!(open(&site.a, &url).await?.0 == 404);
    ensure!(!site.a.daemon()?.log().contains("no picture for a phone"), "it is no link of a's");
    Ok(())
}
