//! `[cluster]`: several zmesd of one site, by a ledger in the site's database.

use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;
use zmes_zoneminder::conf::DatabaseConfig;

use super::forms::{Choice, Flag, NODE_ADDRESS, NODE_NAME, Number, Secret, Span, Text};
use super::problem::Problems;
use super::reader::Reader;
use super::section::{Form, Key, Literal, Reload, Section, Setting, SettingsArea, section};
use super::settings::Resolved;
use super::shown::Shown;

const HOUR: Duration = Duration::from_hours(1);

section! {
    /// Several zmesd of one ZoneMinder site, each beside its own cameras: all of them serve any app, and one of them sends
    /// the pushes. What they have in common is in a schema of ZoneMinder's database server. Make it first:
    /// `zmesctl cluster init`. Without this section there is one zmesd, as always.
    ClusterSection: Cluster = "cluster" once {
        /// Take part in the cluster.
        "enabled" enabled: Flag = Flag, Literal::Flag(false), Restart;
        /// URL of the ledger: "mysql://zmesd:password@host/zmesd". Empty: ZoneMinder's server and account, schema zmesd.
        "database-url" database_url: Secret = Secret, Literal::Text(""), Restart;
        /// Name of this node; each has its own. Empty: ZM_SERVER_NAME, or the name of the host.
        "name" name: Text<String> = NODE_NAME, Literal::Text(""), Restart;
    }
    #[derive(Debug, Clone)]
    ClusterConfig {
        /// Who this node is, and where the ledger; `None` where `[cluster]` is not enabled.
        node: Option<NodeConfig>,
    } {
        /// How often the ledger is asked for news.
        "poll" poll: Span = Span { min: Duration::from_millis(20), max: Duration::from_secs(1) }, Literal::Text("50ms"), Restart;
        /// How long the node that sends pushes may be silent before another one takes over. The same at all nodes.
        "lease" lease: Span = Span { min: Duration::from_secs(2), max: Duration::from_secs(30) }, Literal::Text("3s"), Restart;
        /// The node with the highest number sends the pushes while it is well.
        "prefer" prefer: Number<i16> = Number { min: -100, max: 100 }, Literal::Number(0), Restart;
        /// How long alarms stay in the ledger.
        "keep" keep: Span = Span { min: HOUR, max: HOUR.saturating_mul(24 * 30) }, Literal::Text("24h"), Restart;
        /// Where other nodes reach this one, to ask for pictures of its cameras: "https://nvr1.example.org:9000". Empty: all
        /// nodes have the storages of all servers mounted.
        "address" address: Text<Option<String>> = NODE_ADDRESS, Literal::Text(""), Restart;
        /// What this node does while it cannot reach the ledger: "push" sends for its own cameras, "wait" does not.
        "alone" alone: Choice<Alone> = Choice(&[("push", Alone::Push), ("wait", Alone::Wait)]), Literal::Text("push"), Restart;
    }
}

/// What a node does while it cannot reach the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// It sends for its own cameras.
    Push,
    /// It sends nothing.
    Wait,
}

/// Who a node is, and where the ledger.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    pub name: String,
    pub database: DatabaseConfig,
}

impl Default for ClusterConfig {
    /// What a file that does not mention `[cluster]` means.
    fn default() -> Self {
        let mut problems = Problems::new(Path::new(""));
        let (mut reader, nothing) = (Reader::new("", &[], &mut problems), DeTable::new());
        ClusterSection::once(&mut reader, &nothing).config(None)
    }
}
