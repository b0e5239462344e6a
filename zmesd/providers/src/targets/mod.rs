//! Targets: services beside the apps' own pushes, which people run or rent themselves. One `[[target]]`, one transport.

mod canonical;
#[cfg(test)]
mod fixtures;
mod frame;
mod gotify;
mod message;
mod multipart;
mod name;
mod ntfy;
mod pushover;
mod settings;
mod sign;
mod telegram;
mod template;
mod webhook;

use std::sync::Arc;

pub use self::name::TargetName;
pub use self::settings::{
    ExpectedStatus, GotifyConfig, NtfyConfig, PictureForm, PushoverConfig, TargetConfig, TargetPicture,
    TargetPriority, TargetProvider, TargetTexts, TelegramConfig, WebhookConfig, WebhookMethod, WebhookSecret,
};
pub use self::sign::WebhookSecretProblem;
pub use self::template::{Template, TemplateProblem};
use crate::problem::TransportProblem;
use crate::push::PushTransport;
use crate::transports::TransportContext;

/// Builds the transport of a target. Reads files, so it blocks.
pub(crate) fn build(
    target: &TargetConfig,
    common: &Arc<TransportContext>,
) -> Result<Arc<dyn PushTransport>, TransportProblem> {
    Ok(match &target.service {
        TargetProvider::Ntfy(config) => Arc::new(ntfy::Ntfy::new(target, config, common)?),
        TargetProvider::Pushover(config) => Arc::new(pushover::Pushover::new(target, config, common)?),
        TargetProvider::Telegram(config) => Arc::new(telegram::Telegram::new(target, config, common)?),
        TargetProvider::Gotify(config) => Arc::new(gotify::Gotify::new(target, config, common)?),
        TargetProvider::Webhook(config) => Arc::new(webhook::Webhook::new(target, config, common)?),
    })
}

/// Says whether the address that a URL names is this machine's or one of a private network; `None`: it has a name, which
/// is judged when it is resolved.
pub fn has_private_address(url: &str) -> Option<bool> {
    let url = reqwest::Url::parse(url).ok()?;
    frame::literal(url.host_str()?).map(crate::reach::is_private)
}
