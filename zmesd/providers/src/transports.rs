//! The configured transports, and which of them takes a token. Retries are the caller's.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use crate::apns::Apns;
use crate::clock::WallClock;
use crate::fcm::Fcm;
use crate::fcm_proxy::FcmProxy;
use crate::http::{self, Timing};
use crate::payload::Message;
use crate::print::{MachineRoots, Print};
use crate::problem::TransportProblem;
use crate::proxy::Proxy;
use crate::push::{Push, PushError, PushTransport};
use crate::settings::ProviderSettings;
use crate::targets::{self, TargetName, TargetProvider};
use crate::token::{Destination, Platform};

/// `Content-Type` of everything but OAuth.
pub(crate) const JSON: &str = "application/json";

#[derive(Debug, Clone)]
pub(crate) struct TransportContext {
    pub(crate) clock: WallClock,
    zone: TimeZone,
    picture_url: Option<SecretString>,
    pub(crate) timing: Timing,
}

impl TransportContext {
    /// A context in UTC, for unit tests.
    #[cfg(test)]
    pub(crate) fn plain(clock: WallClock) -> Self {
        Self { clock, zone: TimeZone::UTC, picture_url: None, timing: Timing::default() }
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub(crate) fn message<'a>(&self, push: &'a Push) -> Result<Message<'a>, PushError> {
        let picture_url = self.picture_url.as_ref().map(ExposeSecret::expose_secret);
        Message::new(push, self.clock.now(), &self.zone, picture_url)
            .ok_or_else(|| PushError::Message("the push contains no alarm".to_owned()))
    }
}

/// The transports that are configured.
#[derive(Debug, Default)]
pub struct Transports {
    proxy: Option<BuiltTransport>,
    apns: Option<BuiltTransport>,
    /// The service account, then the functions in the order of the file.
    fcm: Vec<FcmWay>,
    /// In the order of the file.
    targets: Vec<TargetWay>,
}

#[derive(Debug)]
struct TargetWay {
    name: TargetName,
    built: BuiltTransport,
}

#[derive(Debug, Clone)]
struct BuiltTransport {
    transport: Arc<dyn PushTransport>,
    /// `None`: made by the caller.
    print: Option<Print>,
}

#[derive(Debug)]
struct FcmWay {
    /// The app that a function sends for, as [`App::as_str`](crate::App::as_str) writes it; `None`: the service account.
    app: Option<String>,
    built: BuiltTransport,
}

impl Transports {
    /// Builds the transports of these settings. Reads files, so it blocks.
    pub fn build(settings: &ProviderSettings, clock: WallClock) -> Result<Self, TransportProblem> {
        Self::default().rebuild(settings, clock)
    }

    /// Builds the transports of new settings; keeps those whose values and files are the same. All or nothing.
    pub fn rebuild(&self, settings: &ProviderSettings, clock: WallClock) -> Result<Self, TransportProblem> {
        self.rebuild_with(settings, clock, Timing::default())
    }

    /// The same with other deadlines.
    pub fn rebuild_with(
        &self,
        settings: &ProviderSettings,
        clock: WallClock,
        timing: Timing,
    ) -> Result<Self, TransportProblem> {
        let machine = MachineRoots::new(&http::machine_roots().0);
        let picture = settings.picture_url.as_ref();
        let picture_url = picture.cloned();
        let common = &Arc::new(TransportContext { clock, zone: TimeZone::system(), picture_url, timing });
        let mut built = Self::default();
        if let Some(config) = &settings.proxy {
            let print = Print::proxy(config, &machine);
            let make = || Ok(Arc::new(Proxy::new(config, Arc::clone(common))?) as Arc<dyn PushTransport>);
            built.proxy = Some(self.take_over("proxy", print, make)?);
        }
        if let Some(config) = &settings.apns {
            let print = Print::apns(config, picture, &machine);
            let make = || Ok(Arc::new(Apns::new(config, Arc::clone(common))?) as Arc<dyn PushTransport>);
            built.apns = Some(self.take_over("apns", print, make)?);
        }
        if let Some(config) = &settings.fcm {
            if let Some(account) = &config.service_account {
                let print = Print::fcm(config, picture, &machine);
                let make = || Ok(Arc::new(Fcm::new(config, account, Arc::clone(common))?) as _);
                built.fcm.push(FcmWay { app: None, built: self.take_over("fcm", print, make)? });
            }
            for proxy in &config.proxies {
                let root = config.ca_certificate.as_deref();
                let print = Print::function(proxy, root, picture, &machine);
                let make = || Ok(Arc::new(FcmProxy::new(proxy, root, Arc::clone(common))?) as _);
                let way = self.take_over(&format!("fcm:{}", proxy.name), print, make)?;
                built.fcm.push(FcmWay { app: Some(app_word(&proxy.name)), built: way });
            }
        }
        for target in &settings.targets {
            let name = format!("{}:{}", target.service.kind(), target.name);
            let make = || targets::build(target, common);
            let way = self.take_over(&name, Print::target(target, &machine), make)?;
            built.targets.push(TargetWay { name: target.name, built: way });
        }
        Ok(built)
    }

    /// Returns the transport of that name if nothing about it changed, else a new one.
    fn take_over(
        &self,
        name: &str,
        print: Print,
        make: impl FnOnce() -> Result<Arc<dyn PushTransport>, TransportProblem>,
    ) -> Result<BuiltTransport, TransportProblem> {
        let same =
            |built: &&BuiltTransport| built.transport.name() == name && built.print.as_ref() == Some(&print);
        match self.built().find(same) {
            Some(built) => Ok(built.clone()),
            None => Ok(BuiltTransport { transport: make()?, print: Some(print) }),
        }
    }

    fn built(&self) -> impl Iterator<Item = &BuiltTransport> {
        let phones = self.proxy.iter().chain(self.fcm.iter().map(|way| &way.built)).chain(&self.apns);
        phones.chain(self.targets.iter().map(|way| &way.built))
    }

    /// Returns the keys whose values or files differ in transports that both have.
    pub fn changes(&self, other: &Self) -> BTreeSet<&'static str> {
        let pairs = self.built().filter_map(|ours| {
            let twin = other.built().find(|theirs| theirs.transport.name() == ours.transport.name());
            twin.and_then(|theirs| Some((ours.print.as_ref()?, theirs.print.as_ref()?)))
        });
        pairs.flat_map(|(ours, theirs)| ours.changes(theirs).collect::<Vec<_>>()).collect()
    }

    /// Returns all of them in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn PushTransport>> {
        self.built().map(|built| &built.transport)
    }

    /// Returns the index in [`Self::all`] of the first transport for a token; their number, if none takes it.
    pub fn index_for(&self, destination: &Destination<'_>) -> usize {
        let first = self.candidates(destination).into_iter().next();
        let all = || self.all().map(|transport| transport.name());
        first.and_then(|first| all().position(|name| name == first.name())).unwrap_or_else(|| all().count())
    }

    /// Takes transports that the caller made; their names decide which tokens they take.
    pub fn of(transports: Vec<Arc<dyn PushTransport>>) -> Self {
        let mut built = Self::default();
        for transport in transports {
            let name = transport.name().to_owned();
            let way = BuiltTransport { transport, print: None };
            match name.as_str() {
                "proxy" => built.proxy = Some(way),
                "apns" => built.apns = Some(way),
                name => {
                    if let Some(name) = target_of(name) {
                        built.targets.push(TargetWay { name, built: way });
                    } else {
                        let app = name.strip_prefix("fcm:").map(app_word);
                        built.fcm.push(FcmWay { app, built: way });
                    }
                }
            }
        }
        built
    }

    /// Says whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Returns the transports for a token, the best first; after [`PushError::WrongApp`] the next one is worth
    /// a try. Empty: no transport takes it.
    pub fn candidates(&self, destination: &Destination<'_>) -> Vec<Arc<dyn PushTransport>> {
        if let Some(name) = destination.token.target() {
            let own = self.targets.iter().find(|way| way.name == name);
            return own.map(|way| Arc::clone(&way.built.transport)).into_iter().collect();
        }
        if let Some(proxy) = &self.proxy {
            return vec![Arc::clone(&proxy.transport)];
        }
        if let Some(apns) = &self.apns
            && destination.platform == Platform::Ios
            && destination.token.is_apns()
        {
            return vec![Arc::clone(&apns.transport)];
        }
        let remembered = |way: &FcmWay| destination.proven == Some(way.built.transport.name());
        let hinted = |way: &FcmWay| way.app.as_deref().is_some_and(|app| app == destination.app.as_str());
        let mut ways: Vec<_> = self.fcm.iter().collect();
        // The sort is stable: equal ones stay in the order of the file.
        ways.sort_by_key(|way| (!remembered(way), way.app.is_some(), !hinted(way)));
        ways.into_iter().map(|way| Arc::clone(&way.built.transport)).collect()
    }
}

/// Returns the target of a transport by its name: `ntfy:night-guard`.
fn target_of(transport: &str) -> Option<TargetName> {
    let (kind, name) = transport.split_once(':')?;
    TargetName::parse(name).filter(|_| TargetProvider::KINDS.contains(&kind))
}

/// Returns the word of `App` for a name in the configuration: `zmninja-ng` is `zmninjang`.
fn app_word(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
