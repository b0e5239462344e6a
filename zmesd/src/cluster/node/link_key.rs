//! The key of links: all nodes have the same, so that each answers the links of any.

use secrecy::ExposeSecret;
use tokio::time::Instant;
use tracing::{info, warn};
use zmes_cluster::secrets::{agree, replace};

use super::NodeTask;
use crate::cluster::handle::ClusterRefusal;
use crate::links::LinkKey;

/// Its name in the ledger.
const NAME: &str = "links";

impl NodeTask {
    /// Takes over the key that the ledger has; the first node gives it its own.
    pub(super) async fn agree_on_links(&mut self) {
        let own = self.links.keys().current;
        let agreed = match agree(&mut self.line, NAME, &own.bytes().to_vec().into()).await {
            Ok(agreed) => agreed,
            Err(error) => return self.failed(&error),
        };
        let Some(key) = LinkKey::stored(agreed.expose_secret()) else {
            if self.reading.no_key_since.is_none() {
                self.reading.no_key_since = Some(Instant::now());
                warn!(
                    hint = "zmesctl pictures rotate makes a new one",
                    "the key of links in the ledger is unreadable: links work only at the node that has sent them"
                );
            }
            return;
        };
        self.reading.no_key_since = None;
        let differs = key != own;
        if self.links.agree(key, self.clock.now()) && differs {
            info!("links in notifications are made with the key of the cluster from now on");
        }
    }

    /// Gives the cluster a new key; the other nodes find it within seconds. Returns whether this node's disk will have it.
    pub(super) async fn rotate_links(&mut self) -> Result<bool, ClusterRefusal> {
        let key = LinkKey::generate().ok_or(ClusterRefusal::NoKey)?;
        replace(&mut self.line, NAME, &key.bytes().to_vec().into()).await.map_err(ClusterRefusal::Ledger)?;
        Ok(self.links.replaced(key, self.clock.now()))
    }
}
