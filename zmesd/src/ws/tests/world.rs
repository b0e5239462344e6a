//! A listener with a scripted environment.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zmes_shared::control::Since;
use zmes_shared::{EventId, MonitorId, SessionId};
use zmes_zoneminder::pictures::{Picture, PictureKind};
use zmes_zoneminder::{MonitorRights, User};

use super::super::{AlarmRecord, Listener, ServerSettings, WsContext, WsParts, bind};
use crate::config::TlsFiles;
use crate::domain::{Credentials, Login, LoginVerdict, MonitorFilter};
use crate::ports::{
    CertificateInfo, CertificateSummary, LoginCheck, NoAnswer, PictureAnswer, PictureDoor, SnoozeDoor,
    SnoozeOffer, SnoozePressed, SystemClock,
};
use crate::protocol::TokenFault;
use crate::route::{Outgoing, RouterCommand, RouterHandle, SessionOpening, TokenCommand, Visibility};
use crate::state::{RecordedAlarm, ReplaySpan, StateError};
use crate::telemetry::Counters;
use crate::tls::{CertStore, load, server_config};

/// Nothing in these tests takes longer than this unless it is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Messages that the router received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Opened(String),
    Attached { user: String, app: Option<String>, filter: Option<MonitorFilter> },
    Filter(MonitorFilter),
    Registered(String),
    Badge(u32, Option<String>),
    Closed(&'static str),
}

/// A served port.
pub(super) struct WsWorld {
    pub(super) address: SocketAddr,
    pub(super) stop: CancellationToken,
    pub(super) tracker: TaskTracker,
    pub(super) context: Arc<WsContext>,
    pub(super) counters: Arc<Counters>,
    pub(super) login: Arc<ScriptedLogin>,
    pub(super) store: Option<Arc<CertStore>>,
    pub(super) root: Option<CertificateDer<'static>>,
    pub(super) sessions: Sessions,
    heard: mpsc::Receiver<Heard>,
    _directory: tempfile::TempDir,
}

pub(super) type Sessions = Arc<Mutex<HashMap<SessionId, SessionOpening>>>;

impl WsWorld {
    /// Serves WSS.
    pub(super) fn secure(settings: ServerSettings) -> Self {
        Self::start(settings, true)
    }

    /// Serves WS.
    pub(super) fn plain(settings: ServerSettings) -> Self {
        Self::start(settings, false)
    }

    fn start(settings: ServerSettings, secure: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (parts, sessions, login, heard) = parts();
        let counters = Arc::clone(&parts.counters);
        let context = WsContext::new(parts, settings);
        let (mut tls, mut store, mut root) = (None, None, None);
        if secure {
            let (pair, certificate) = write_pair(&directory, "first");
            let loaded = CertStore::new(load(&pair, Timestamp::UNIX_EPOCH).unwrap());
            tls = Some(server_config(Arc::clone(&loaded)).unwrap());
            (store, root) = (Some(loaded), Some(certificate));
        }
        let socket = bind(&["127.0.0.1:0".parse().unwrap()]).unwrap().remove(0);
        let listener = Listener::new(socket, tls, Arc::clone(&context)).unwrap();
        let address = listener.local_addr();
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        tracker.spawn(listener.run(stop.clone(), tracker.clone()));
        Self {
            address,
            stop,
            tracker,
            context,
            counters,
            login,
            store,
            root,
            sessions,
            heard,
            _directory: directory,
        }
    }

    /// Returns the router's next message.
    pub(super) async fn heard(&mut self) -> Heard {
        timeout(PATIENCE, self.heard.recv()).await.expect("the router heard nothing").unwrap()
    }

    /// Returns the message about the end of a session, skipping all others.
    pub(super) async fn end_of_session(&mut self) -> &'static str {
        loop {
            if let Heard::Closed(reason) = self.heard().await {
                return reason;
            }
        }
    }

    /// Takes a session away from the fake router.
    pub(super) fn take(&self, id: u64) -> SessionOpening {
        self.sessions.lock().unwrap().remove(&SessionId(id)).unwrap()
    }

    /// Puts a frame into a session's outbox. Returns false if it is full.
    pub(super) fn send(&self, id: u64, outgoing: Outgoing) -> bool {
        self.sessions.lock().unwrap()[&SessionId(id)].outbox.try_send(outgoing).is_ok()
    }
}

/// Writes a certificate for `localhost` with a distinguishable subject.
pub(super) fn write_pair(directory: &tempfile::TempDir, name: &str) -> (TlsFiles, CertificateDer<'static>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap();
    let files =
        TlsFiles { certificate: directory.path().join("cert.pem"), key: directory.path().join("key.pem") };
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    (files, certificate.der().clone())
}

/// Returns the parts, and the test's ends of their channels.
pub(super) fn parts() -> (WsParts, Sessions, Arc<ScriptedLogin>, mpsc::Receiver<Heard>) {
    let (commands_tx, commands) = mpsc::channel(64);
    let (heard_tx, heard) = mpsc::channel(1024);
    let (sessions, login) = (Sessions::default(), Arc::new(ScriptedLogin::default()));
    TaskTracker::new().spawn(route(commands, heard_tx, Arc::clone(&sessions)));
    let parts = WsParts {
        router: RouterHandle::new(commands_tx),
        login: Arc::<ScriptedLogin>::clone(&login),
        record: Arc::new(ScriptedRecord),
        pictures: Arc::new(OnePicture),
        snoozes: Arc::new(OneButton),
        certificate: Arc::new(FixedCertificate),
        counters: Arc::default(),
        clock: Arc::new(SystemClock),
    };
    (parts, sessions, login, heard)
}

async fn route(mut commands: mpsc::Receiver<RouterCommand>, heard: mpsc::Sender<Heard>, sessions: Sessions) {
    let mut filters: HashMap<SessionId, MonitorFilter> = HashMap::new();
    while let Some(command) = commands.recv().await {
        let word = match command {
            RouterCommand::Open(opening) => {
                let address = opening.address.ip().to_string();
                sessions.lock().unwrap().insert(opening.id, opening);
                Heard::Opened(address)
            }
            RouterCommand::Attach(id, _, login, reply) => {
                filters.insert(id, login.filter.clone().unwrap_or_default());
                reply.send(()).ok();
                Heard::Attached { user: login.user.name.clone(), app: login.app, filter: login.filter }
            }
            RouterCommand::SetFilter(id, filter, _, reply) => {
                filters.insert(id, filter.clone());
                reply.send(()).ok();
                Heard::Filter(filter)
            }
            RouterCommand::Close(id, reason, ..) => {
                sessions.lock().unwrap().remove(&id);
                Heard::Closed(reason)
            }
            RouterCommand::Visibility(id, reply) | RouterCommand::Replays(id, reply) => {
                let filter = filters.get(&id).cloned().unwrap_or_default();
                reply.send(Visibility { rights: MonitorRights::All, filter, links: None }).ok();
                continue;
            }
            RouterCommand::Token(TokenCommand::Register(_, registration, reply)) => {
                let full = registration.token.expose() == "one-too-many";
                reply.send(if full { Err(TokenFault::TooManyTokens) } else { Ok(()) }).ok();
                Heard::Registered(registration.token.expose().to_owned())
            }
            RouterCommand::Token(TokenCommand::Badge(_, badge, hint, reply)) => {
                reply.send(()).ok();
                Heard::Badge(badge, hint.map(|hint| hint.expose().to_owned()))
            }
            RouterCommand::Token(_)
            | RouterCommand::Snooze(_)
            | RouterCommand::Rules(_)
            | RouterCommand::Trouble(_)
            | RouterCommand::Labels(_)
            | RouterCommand::Picture(_)
            | RouterCommand::List(..)
            | RouterCommand::Count(_)
            | RouterCommand::Census(_)
            | RouterCommand::Disconnect(..)
            | RouterCommand::Test(..)
            | RouterCommand::Ledger(_)
            | RouterCommand::Ping(_) => panic!("sessions do not ask the router for this"),
        };
        heard.send(word).await.ok();
    }
}

/// Returns one picture for its link.
#[derive(Debug)]
pub(super) struct OnePicture;

/// The bytes of the picture.
pub(super) const PICTURE: &[u8] = b"\xff\xd8\xffpicture\xff\xd9";

#[async_trait]
impl PictureDoor for OnePicture {
    fn is_open(&self) -> bool {
        true
    }

    async fn picture(&self, link: &str, client: IpAddr) -> Result<PictureAnswer, NoAnswer> {
        match link {
            "right" => {
                let picture = Picture {
                    bytes: PICTURE.to_vec(),
                    kind: PictureKind::Alarm,
                    written: Timestamp::UNIX_EPOCH,
                    earlier: false,
                };
                Ok(PictureAnswer { picture: Arc::new(picture), about: None, turn: None })
            }
            "lost" => Err(NoAnswer::Missing),
            "soon" => Err(NoAnswer::NotYet),
            "busy" => Err(NoAnswer::Busy),
            "from-198.51.100.7" if client.to_string() == "198.51.100.7" => Err(NoAnswer::Busy),
            _ => Err(NoAnswer::None),
        }
    }
}

/// The link `right` snoozes the garage for an hour, `undo` ends that, `full` finds no room, `busy` no time.
#[derive(Debug)]
struct OneButton;

#[async_trait]
impl SnoozeDoor for OneButton {
    async fn offer(&self, link: &str, _client: IpAddr) -> Result<SnoozeOffer, NoAnswer> {
        let minutes = match link {
            "right" | "full" => 60,
            "undo" => 0,
            "busy" => return Err(NoAnswer::Busy),
            _ => return Err(NoAnswer::None),
        };
        Ok(SnoozeOffer { monitor: "Garage".to_owned(), minutes })
    }

    async fn press(&self, link: &str, client: IpAddr) -> Result<SnoozePressed, NoAnswer> {
        let SnoozeOffer { monitor, .. } = self.offer(link, client).await?;
        Ok(match link {
            "right" => {
                SnoozePressed::Set { monitor, until: Timestamp::UNIX_EPOCH, undo: Some("undo".to_owned()) }
            }
            "undo" => SnoozePressed::Ended { monitor },
            _ => SnoozePressed::TooMany,
        })
    }
}

/// amy/secret may come in, slow/secret after [`ScriptedLogin::release`], down/* cannot be looked at.
#[derive(Debug, Default)]
pub(super) struct ScriptedLogin {
    pub(super) release: Notify,
}

#[async_trait]
impl LoginCheck for ScriptedLogin {
    async fn verify(&self, login: Login) -> LoginVerdict {
        let (user, password) = match login.credentials {
            Credentials::Password { user, password } => (user, password),
            Credentials::AccessToken(token) => ("amy".to_owned(), token),
        };
        if user == "down" {
            return LoginVerdict::Unavailable("database away");
        }
        if user == "slow" {
            self.release.notified().await;
        }
        if password.expose_secret() != "secret" {
            return LoginVerdict::Rejected("wrong password");
        }
        LoginVerdict::Accepted(Arc::new(User {
            name: user,
            password: SecretString::from("*HASH"),
            enabled: true,
            api_enabled: true,
            may_see_events: true,
            token_min_expiry: 0,
            rights: MonitorRights::All,
        }))
    }
}

/// The certificate of these tests.
#[derive(Debug)]
struct FixedCertificate;

impl CertificateInfo for FixedCertificate {
    fn summary(&self) -> Option<CertificateSummary> {
        Some(CertificateSummary {
            subject: "CN=first".to_owned(),
            sans: vec!["localhost".to_owned()],
            self_signed: false,
            not_after: Timestamp::UNIX_EPOCH,
            problems: Vec::new(),
            objections: Vec::new(),
        })
    }
}

/// Two alarms are always missed.
#[derive(Debug)]
struct ScriptedRecord;

#[async_trait]
impl AlarmRecord for ScriptedRecord {
    async fn span(&self, _: Since, _: u32) -> Result<ReplaySpan, StateError> {
        Ok(ReplaySpan { after: 6, until: 8, gap: false })
    }

    /// One alarm per page, so that each replay takes several pages.
    async fn page(&self, span: ReplaySpan, _: u32) -> Result<Vec<(i64, RecordedAlarm)>, StateError> {
        let alarm = |event, monitor| RecordedAlarm {
            at: Timestamp::UNIX_EPOCH,
            event: Some(EventId(event)),
            monitor: MonitorId(monitor),
            monitor_name: "Garage".to_owned(),
            cause: "Motion".to_owned(),
            late: false,
            ended_at: None,
            elsewhere: false,
        };
        let alarms = [(7, alarm(7, 1)), (8, alarm(8, 2))];
        Ok(alarms.into_iter().find(|(number, _)| *number > span.after).into_iter().collect())
    }
}
