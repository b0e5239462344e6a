//! Links of snooze buttons: checked as those to pictures are.

use std::net::IpAddr;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use super::{Asked, PER_LINK, PER_NETWORK, PictureDesk, REFUSED_AFTER, lock};
use crate::limits::network;
use crate::links::SnoozeLink;
use crate::ports::{NoAnswer, SnoozeDoor, SnoozeOffer, SnoozePressed};
use crate::route::{LinkSnooze, LinkSnoozed};

impl PictureDesk {
    /// Returns what a link says, and the name of its monitor, if its token may still see that.
    async fn button(&self, link: &str, asked: Asked) -> Result<(SnoozeLink, String), NoAnswer> {
        if !lock(&self.networks).try_take(asked.network, PER_NETWORK, asked.at) {
            return Err(NoAnswer::Busy);
        }
        let now = self.parts.clock.now();
        let keys = self.parts.keeper.keys();
        let opened = keys.open(|key| SnoozeLink::open(link, key, now)).filter(|_| self.has_links());
        let (link, _) = opened.ok_or(NoAnswer::None)?;
        if !lock(&self.buttons).try_take((link.token, link.monitor), PER_LINK, asked.at) {
            return Err(NoAnswer::Busy);
        }
        // A monitor that rights allow is one, also if it is new at another node of a cluster.
        let name = self.parts.catalog.borrow().name_of(link.monitor).map(ToString::to_string);
        let name = name.unwrap_or_else(|| format!("Monitor {}", link.monitor));
        match self.parts.router.who_may_see(link.token, link.monitor).await {
            Ok(Some(_)) => Ok((link, name)),
            Ok(None) => Err(NoAnswer::None),
            Err(_busy) => Err(NoAnswer::Busy),
        }
    }

    async fn pressed(&self, link: &str, client: IpAddr, asked: Asked) -> Result<SnoozePressed, NoAnswer> {
        let (link, monitor) = self.button(link, asked).await?;
        let SnoozeLink { token, minutes, .. } = link;
        let wish = LinkSnooze { token, monitor: link.monitor, minutes, address: client };
        match self.parts.router.link_snooze(wish).await {
            Ok(LinkSnoozed::Set(until)) => {
                let undo = link.undo(until, self.parts.clock.now());
                Ok(SnoozePressed::Set { monitor, until, undo: undo.seal(&self.parts.keeper.keys().current) })
            }
            Ok(LinkSnoozed::Silent(until)) => Ok(SnoozePressed::Silent { monitor, until }),
            Ok(LinkSnoozed::Ended) => Ok(SnoozePressed::Ended { monitor }),
            Ok(LinkSnoozed::Refused) => Err(NoAnswer::None),
            Ok(LinkSnoozed::TooMany) => Ok(SnoozePressed::TooMany),
            Err(_busy) => Err(NoAnswer::Busy),
        }
    }
}

/// Holds a refusal back, so that each takes as long.
async fn answered<T>(answer: Result<T, NoAnswer>, asked: Asked) -> Result<T, NoAnswer> {
    if matches!(answer, Err(NoAnswer::None | NoAnswer::Missing)) {
        sleep_until(asked.at + REFUSED_AFTER).await;
    }
    answer
}

#[async_trait]
impl SnoozeDoor for PictureDesk {
    async fn offer(&self, link: &str, client: IpAddr) -> Result<SnoozeOffer, NoAnswer> {
        let asked = Asked { network: network(client), at: Instant::now() };
        let button = self.button(link, asked).await;
        let offer = button.map(|(link, monitor)| SnoozeOffer { monitor, minutes: link.minutes });
        answered(offer, asked).await
    }

    async fn press(&self, link: &str, client: IpAddr) -> Result<SnoozePressed, NoAnswer> {
        let asked = Asked { network: network(client), at: Instant::now() };
        answered(self.pressed(link, client, asked).await, asked).await
    }
}
