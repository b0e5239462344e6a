//! The ways to phones, and which of them a token takes.
//!
//! Each transport speaks a provider's language over a client of its own; what their answers mean is said in
//! [`PushError`]. Nothing here remembers a push: trying again is the business of whoever sends.

mod answer;
mod apns;
mod apns_token;
mod cause;
mod check;
mod fcm;
mod fcm_error;
mod fcm_oauth;
mod fcm_proxy;
mod files;
mod findings;
pub(crate) mod fuzzing;
mod http;
mod problem;
mod proxy;

pub use findings::findings;
pub use http::Timing;
pub use problem::TransportProblem;

use std::sync::Arc;

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use self::answer::Answer;
use self::apns::Apns;
use self::fcm::Fcm;
use self::fcm_proxy::FcmProxy;
use self::proxy::Proxy;
use super::payload::Message;
use crate::config::PushConfig;
use crate::domain::{Platform, Token};
use crate::ports::{Clock, Push, PushError, PushTransport};

/// `Content-Type` of everything but OAuth.
const JSON: &str = "application/json";

/// What all transports share.
#[derive(Debug)]
struct Common {
    clock: Arc<dyn Clock>,
    zone: TimeZone,
    picture_url: Option<SecretString>,
    timing: Timing,
}

impl Common {
    /// Puts a push into words.
    fn message<'a>(&self, push: &'a Push) -> Result<Message<'a>, PushError> {
        let picture_url = self.picture_url.as_ref().map(ExposeSecret::expose_secret);
        Message::new(push, self.clock.now(), &self.zone, picture_url)
            .ok_or_else(|| PushError::Message("there is no alarm in it".to_owned()))
    }
}

/// The transports that are configured.
#[derive(Debug, Default)]
pub struct Transports {
    proxy: Option<Arc<dyn PushTransport>>,
    apns: Option<Arc<dyn PushTransport>>,
    /// The service account, then the functions in the order of the file.
    fcm: Vec<FcmWay>,
}

/// A way through FCM.
#[derive(Debug)]
struct FcmWay {
    /// The app that a function sends for, its name as [`App::as_str`](crate::domain::App::as_str) writes it; `None`:
    /// the service account.
    app: Option<String>,
    transport: Arc<dyn PushTransport>,
}

impl Transports {
    /// Builds what `[push]` asks for. Reads files: not for the event loop.
    pub fn build(config: &PushConfig, clock: Arc<dyn Clock>) -> Result<Self, TransportProblem> {
        Self::build_with(config, clock, Timing::default())
    }

    /// Builds it with other deadlines.
    pub fn build_with(
        config: &PushConfig,
        clock: Arc<dyn Clock>,
        timing: Timing,
    ) -> Result<Self, TransportProblem> {
        let picture_url = config.picture_url.clone();
        let common = Arc::new(Common { clock, zone: TimeZone::system(), picture_url, timing });
        let mut built = Self::default();
        if let Some(config) = &config.proxy {
            built.proxy = Some(Arc::new(Proxy::new(config, Arc::clone(&common))?));
        }
        if let Some(config) = &config.apns {
            built.apns = Some(Arc::new(Apns::new(config, Arc::clone(&common))?));
        }
        if let Some(config) = &config.fcm {
            if let Some(account) = &config.service_account {
                let transport = Arc::new(Fcm::new(config, account, Arc::clone(&common))?);
                built.fcm.push(FcmWay { app: None, transport });
            }
            for proxy in &config.proxies {
                let root = config.ca_certificate.as_deref();
                let transport = Arc::new(FcmProxy::new(proxy, root, Arc::clone(&common))?);
                built.fcm.push(FcmWay { app: Some(app_word(&proxy.name)), transport });
            }
        }
        Ok(built)
    }

    /// Returns all of them, as `push check` lists them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn PushTransport>> {
        let fcm = self.fcm.iter().map(|way| &way.transport);
        self.proxy.iter().chain(fcm).chain(&self.apns)
    }

    /// Returns the place among [`Self::all`] of the transport that a token takes first; how many there are, if none
    /// takes it.
    pub(super) fn gate_of(&self, token: &Token) -> usize {
        let first = self.candidates(token).into_iter().next();
        let all = || self.all().map(|transport| transport.name());
        first.and_then(|first| all().position(|name| name == first.name())).unwrap_or_else(|| all().count())
    }

    /// Takes transports as they are, by their names.
    #[cfg(test)]
    pub(super) fn of(transports: Vec<Arc<dyn PushTransport>>) -> Self {
        let mut built = Self::default();
        for transport in transports {
            match transport.name().to_owned().as_str() {
                "proxy" => built.proxy = Some(transport),
                "apns" => built.apns = Some(transport),
                name => {
                    let app = name.strip_prefix("fcm:").map(app_word);
                    built.fcm.push(FcmWay { app, transport });
                }
            }
        }
        built
    }

    /// Says whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Returns the transports for a token, the first one first; after [`PushError::WrongApp`] the next one is worth
    /// a try. Empty: there is no way to it.
    pub fn candidates(&self, token: &Token) -> Vec<Arc<dyn PushTransport>> {
        if let Some(proxy) = &self.proxy {
            return vec![Arc::clone(proxy)];
        }
        if let Some(apns) = &self.apns
            && token.platform == Platform::Ios
            && token.token.is_apns()
        {
            return vec![Arc::clone(apns)];
        }
        let remembered =
            |way: &FcmWay| token.transport.as_deref().is_some_and(|name| name == way.transport.name());
        let hinted = |way: &FcmWay| way.app.as_deref().is_some_and(|app| app == token.app.as_str());
        let mut ways: Vec<_> = self.fcm.iter().collect();
        // Stable: what is equal stays in the order of the file.
        ways.sort_by_key(|way| (!remembered(way), way.app.is_some(), !hinted(way)));
        ways.into_iter().map(|way| Arc::clone(&way.transport)).collect()
    }
}

/// Returns how `App` writes an app that the configuration names: `zmninja-ng` is `zmninjang`.
fn app_word(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Says whether a proxy reports that the provider knows the token no more. Its words for that are all that there is:
/// only clear ones count, and none where the proxy itself does not want us or is not well.
fn dead_words(answer: &Answer) -> bool {
    const WORDS: [&str; 6] = [
        "notregistered",
        "invalidregistration",
        "registration-token-not-registered",
        "not a valid fcm",
        "entity was not found",
        "baddevicetoken",
    ];
    let said = answer.body.to_lowercase();
    may_be_dead(answer) && WORDS.iter().any(|words| said.contains(words))
}

/// Says whether an answer of this status may be about the token: others say that the provider does not want us, is not
/// well, or was never reached, whatever a body that was copied from elsewhere says.
fn may_be_dead(answer: &Answer) -> bool {
    let status = answer.status.as_u16();
    (400..500).contains(&status) && ![401, 403, 407, 408, 429].contains(&status)
}

#[cfg(test)]
mod tests;
