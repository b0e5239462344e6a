//! Starts the daemon: first opens and binds everything that can fail, then runs the tasks.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::warn;
use zmes_providers::{Neighbours, OwnCertificate, Transports};

use super::config_file::ConfigFile;
use super::inherited::Inherited;
use super::parts::Parts;
use super::reload::InUse;
use super::start_error::StartError;
use super::wiring::Channels;
use super::{App, Conductor};
use crate::auth::Authenticator;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::control::ControlListener;
use crate::lifecycle::{Lifecycle, Vitals};
use crate::links::LinkMaker;
use crate::metrics;
use crate::pictures::{PictureDesk, PictureDeskParts};
use crate::ports::{CertificateInfo, Clock, NodeAddresses, wall_clock};
use crate::route::Tap;
use crate::state::{LinkKeeper, State};
use crate::telemetry::Counters;
use crate::telemetry::log::LogHandle;
use crate::tls::{self, CertStore};
use crate::ws::{self, Listener, ServerSettings};

#[derive(Debug)]
pub(super) struct Start {
    pub(super) config: Config,
    /// Where the configuration came from; `None` for the demo.
    pub(super) file: Option<ConfigFile>,
    pub(super) parts: Parts,
    pub(super) log: LogHandle,
    pub(super) inherited: Inherited,
}

#[derive(Debug)]
pub(super) struct Opened {
    pub(super) certificates: Option<Arc<CertStore>>,
    pub(super) control: ControlListener,
    pub(super) handed: Vec<String>,
    pub(super) listeners: Vec<Listener>,
    pub(super) metrics: Option<metrics::Bound>,
    pub(super) certificate: Arc<dyn CertificateInfo>,
    pub(super) websocket: Arc<ws::WsContext>,
    pub(super) transports: Arc<Transports>,
    pub(super) links: LinkMaker,
    pub(super) pictures: Arc<PictureDesk>,
    pub(super) state: State,
    pub(super) cluster: Option<Cluster>,
}

#[derive(Debug)]
pub(super) struct Common {
    pub(super) counters: Arc<Counters>,
    pub(super) tap: Tap,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started_at: Timestamp,
    pub(super) started: Instant,
}

impl App {
    pub(super) async fn start(mut start: Start, lifecycle: &Lifecycle) -> Result<Self, StartError> {
        let inherited = std::mem::take(&mut start.inherited);
        let Start { config, parts, .. } = &start;
        let clock = Arc::clone(&parts.clock);
        let common = Common {
            counters: Arc::default(),
            tap: Tap::default(),
            started_at: clock.now(),
            started: Instant::now(),
            clock,
        };
        let channels = Channels::new(config);
        let opened = Opened::open(config, parts, &channels, &common, inherited).await?;
        let vitals = Vitals {
            reload: channels.handles.hangups.clone(),
            router: channels.handles.router.clone(),
            catalog: channels.handles.catalog.clone(),
            database: parts.database.clone(),
        };
        let mut conductor = Conductor::new(lifecycle.soft());
        conductor.run_tasks(start, channels, opened, common);
        Ok(Self { conductor, vitals })
    }
}

impl Opened {
    /// The control socket comes first: if another daemon answers there, nothing else may be touched.
    async fn open(
        config: &Config,
        parts: &Parts,
        channels: &Channels,
        common: &Common,
        inherited: Inherited,
    ) -> Result<Self, StartError> {
        inherited.announce(config);
        let handed = inherited.names();
        let control = match inherited.control {
            Some(socket) => ControlListener::from_fd(socket.into())
                .map_err(|source| StartError::System { what: "use the inherited control socket", source })?,
            None => ControlListener::bind(&config.control.socket, &config.control.admin_group)?,
        };
        let certificates = certificates(config, common.started_at)?;
        let transports = transports(config, &common.clock)?;
        let sockets = match inherited.apps {
            none if none.is_empty() => ws::bind(&config.server.listen)?,
            apps => apps,
        };
        let metrics = config.metrics.listen.as_ref().map(metrics::Bound::open).transpose()?;
        let state = State::open(&config.state, Arc::clone(&common.clock)).await?;
        let keeper = keeper(&state, common)?;
        let cluster = cluster(config, &state, &keeper, common).await?;
        let nodes = other_nodes(cluster.as_ref(), certificates.clone());
        let (links, pictures) = pictures(&state, (keeper, nodes), parts, channels, common);
        let login = Authenticator::new(
            Arc::clone(&parts.accounts),
            channels.handles.auth.clone(),
            channels.handles.catalog.watch(),
            Arc::clone(&common.clock),
            Arc::clone(&common.counters),
        );
        let certificate: Arc<dyn CertificateInfo> =
            Arc::new(InUse { store: certificates.clone(), clock: Arc::clone(&common.clock) });
        let websocket = ws::WsContext::new(
            ws::WsParts {
                router: channels.handles.router.clone(),
                login: Arc::new(login),
                record: Arc::new(state.handle.clone()),
                pictures: Arc::clone(&pictures) as _,
                snoozes: Arc::clone(&pictures) as _,
                certificate: Arc::clone(&certificate),
                counters: Arc::clone(&common.counters),
                clock: Arc::clone(&common.clock),
            },
            ServerSettings::new(config),
        );
        let tls = certificates.clone().map(tls::server_config).transpose()?;
        let listener = |socket| Listener::new(socket, tls.clone(), Arc::clone(&websocket));
        let listeners = sockets
            .into_iter()
            .map(listener)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| StartError::System { what: "serve a listening socket", source })?;
        Ok(Self {
            certificates,
            control,
            handed,
            listeners,
            metrics,
            certificate,
            websocket,
            transports,
            links,
            pictures,
            state,
            cluster,
        })
    }
}

/// Registers this node, if it is one of several.
async fn cluster(
    config: &Config,
    state: &State,
    keeper: &Arc<LinkKeeper>,
    common: &Common,
) -> Result<Option<Cluster>, StartError> {
    let Some(node) = &config.cluster.node else { return Ok(None) };
    let (own, clock) = (config.zoneminder.servers.own(), Arc::clone(&common.clock));
    let (pushes, retry_for) = (config.push.enabled, config.push.retry_for);
    let cluster = (&config.cluster, node);
    let kept = (&state.handle, Arc::clone(keeper));
    Ok(Some(Cluster::join(cluster, pushes, own, kept, retry_for, clock).await?))
}

/// Takes up the key of links that is kept in the state.
fn keeper(state: &State, common: &Common) -> Result<Arc<LinkKeeper>, StartError> {
    let none = || io::Error::other("the system has none");
    LinkKeeper::new(state.remembered.link_keys.clone(), state.handle.clone(), common.started_at)
        .map(Arc::new)
        .ok_or_else(|| StartError::System { what: "get random numbers", source: none() })
}

/// Where other nodes are, and what asks them.
type OtherNodes = (Arc<dyn NodeAddresses>, Neighbours);

/// Returns what pictures of other nodes are asked with; `None`: this is no node, or the system has no roots.
fn other_nodes(cluster: Option<&Cluster>, certificates: Option<Arc<CertStore>>) -> Option<OtherNodes> {
    let handle = cluster?.handle();
    let own: OwnCertificate = Arc::new(move || Some(certificates.as_ref()?.current().end_entity()?.to_vec()));
    // This reads files, and a disk may have to spin up.
    match tokio::task::block_in_place(|| Neighbours::new(own)) {
        Ok(neighbours) => Some((Arc::new(handle), neighbours)),
        Err(error) => {
            warn!(error = &error as &dyn std::error::Error, "no pictures of other nodes");
            None
        }
    }
}

/// Joins what makes links to pictures with what answers them; both follow the same key.
fn pictures(
    state: &State,
    (keeper, nodes): (Arc<LinkKeeper>, Option<OtherNodes>),
    parts: &Parts,
    channels: &Channels,
    common: &Common,
) -> (LinkMaker, Arc<PictureDesk>) {
    let links = LinkMaker::new(channels.handles.pictures.clone(), keeper.watch());
    let parts = PictureDeskParts {
        store: Arc::clone(&parts.pictures),
        roots: parts.roots.clone(),
        settings: channels.handles.pictures.clone(),
        keeper,
        catalog: channels.handles.catalog.watch(),
        router: channels.handles.router.clone(),
        state: state.handle.clone(),
        counters: Arc::clone(&common.counters),
        clock: Arc::clone(&common.clock),
    };
    (links, Arc::new(PictureDesk::new(parts, nodes)))
}

/// Loads the certificate. Problems that apps may complain about are logged, but the certificate is served.
fn certificates(config: &Config, now: Timestamp) -> Result<Option<Arc<CertStore>>, StartError> {
    let Some(files) = &config.server.tls else { return Ok(None) };
    let pair = tls::load(files, now)?;
    for warning in &pair.warnings {
        warn!(certificate = %files.certificate.display(), hint = warning.hint(), "{warning}");
    }
    Ok(Some(CertStore::new(pair)))
}

fn transports(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<Transports>, StartError> {
    if !config.push.enabled {
        return Ok(Arc::default());
    }
    // This reads files, and a disk may have to spin up.
    let built =
        tokio::task::block_in_place(|| Transports::build(&config.push.providers(), wall_clock(clock)));
    Ok(Arc::new(built?))
}
