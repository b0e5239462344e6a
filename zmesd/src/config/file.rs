//! The mirror of `zmesd.toml`: the one table of its sections and keys, and the walk that reads a text by it.
//!
//! The doc comments here are what the default file and the manual say. A value is checked by itself; what depends on
//! other keys or on files is `validate`'s.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use toml::de::DeTable;
use zmes_providers::targets::TargetConfig;
use zmes_providers::{ApnsConfig, ApnsEndpoint, FcmConfig, PingUrl, PushProxyConfig};
use zmes_zoneminder::ZmVersion;
use zmes_zoneminder::conf::{DatabaseConfig, ServerScope};
use zmes_zoneminder::pictures::StorageRoots;

use super::cluster::ClusterSection;
use super::end::EndSection;
use super::forms::{
    APP_VERSION, Choice, Flag, GATEWAY, LISTENERS, LOG_DIRECTIVES, Listing, METRICS_ADDRESS, NETWORKS,
    Number, ORIGINS, PATH_NAME, PICTURE_URL, PING_SUFFIX, Secret, ServerNumber, Size, Span, Text,
    WATCHDOG_RECEIVERS, WEB_URL, WORDS, ZONEMINDER_VERSION,
};
use super::mqtt::{HomeAssistantSection, MqttSection};
use super::problem::Problems;
use super::push::PushMode;
use super::reader::Reader;
use super::section::{Form, Key, Literal, Reload, Section, Setting, SettingsArea, section};
use super::settings::{Resolved, Settings};
use super::shown::Shown;
use super::target_keys::{self, TargetSection};
use super::{CameraReceivers, LogFormat, MetricsListen, Source, TlsFiles, WatchdogReceiver};

mod picture;
mod rules;

pub use picture::PictureConfig;
pub(super) use picture::PictureSection;
pub use rules::LabelsConfig;
pub(super) use rules::{LabelsSection, RuleSection};

const DAY: Duration = Duration::from_hours(24);
const YEARS: Duration = Duration::from_hours(24 * 3660);

section! {
    /// Where ZoneMinder is, and how often its state is read.
    ZoneminderSection: Zoneminder = "zoneminder" once {
        /// ZoneMinder's own configuration. This file and conf.d/*.conf beside it say how to reach the database (ZM_DB_*),
        /// where the shared memory is (ZM_PATH_MAP) and which server this is (ZM_SERVER_*). If the default does not exist,
        /// the paths of other distributions are tried: /etc/zoneminder, /usr/local/etc/zm, /etc.
        "config" config: Text<Option<PathBuf>> = PATH_NAME, Literal::Text("/etc/zm/zm.conf"), Restart;
        /// URL of the database, in place of the values in zm.conf: "mysql://user:password@host/zm", or
        /// "mysql://user:password@localhost/zm?socket=/run/mysqld/mysqld.sock". TLS: "?ssl-ca=/path".
        "database-url" database_url: Secret = Secret, Literal::Text(""), Restart;
        /// Directory of the zm.mmap.N files; overrides ZM_PATH_MAP.
        "path-map" path_map: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Restart;
        /// Id of this server if ZoneMinder runs on several; 0: as zm.conf says, else all monitors. "all": the monitors of
        /// all servers, those of other servers by the Events table; zm.conf must say which server this is (ZM_SERVER_*).
        "server-id" server_id: ServerNumber = ServerNumber, Literal::Number(0), Restart;
    }
    /// `[zoneminder]`: where ZoneMinder is and how closely to look.
    #[derive(Debug, Clone)]
    ZoneminderConfig {
        /// How to reach the database, from `database-url` or `zm.conf`.
        database: DatabaseConfig,
        /// Directory of `zm.mmap.N`, from `path-map`, `ZM_PATH_MAP` or `/dev/shm`.
        path_map: PathBuf,
        /// Directory of ZoneMinder's sockets (`ZM_PATH_SOCKS`), for `zmtrigger.sock`.
        path_socks: Option<PathBuf>,
        /// Where pictures lie whose storage has no absolute path (`ZM_DIR_EVENTS`, `ZM_PATH_WEB`).
        roots: StorageRoots,
        /// Whose monitors are watched, from `server-id` and `zm.conf`.
        servers: ServerScope,
    } {
        /// ZoneMinder's version. Only needed if the layout of the shared memory is ambiguous and the database is not available.
        "version" version: Text<Option<ZmVersion>> = ZONEMINDER_VERSION, Literal::Text("auto"), Restart;
        /// How alarms are detected: "shm" from the shared memory, "db" from the Events table (ZoneMinder on another
        /// machine), "auto" from the shared memory, or from the table for monitors whose memory has an unknown layout.
        "source" source: Choice<Source> = Choice(&[("auto", Source::Auto), ("shm", Source::Shm), ("db", Source::Db)]),
            Literal::Text("auto"), Restart;
        /// How often the shared memory is read.
        "poll-interval" poll_interval: Span =
            Span { min: Duration::from_millis(1), max: Duration::from_secs(10) }, Literal::Text("20ms"), Hot;
        /// How often monitors, users and their rights are read from the database.
        "monitor-reload-interval" monitor_reload_interval: Span =
            Span { min: Duration::from_secs(1), max: DAY }, Literal::Text("60s"), Hot;
        /// How often the Events table is searched for alarms that polling has missed.
        "reconcile-interval" reconcile_interval: Span =
            Span { min: Duration::from_millis(100), max: Duration::from_hours(1) }, Literal::Text("2s"), Hot;
        /// Within one long event, another alarm is announced at most this often; "0s": every alarm.
        "realarm-interval" realarm_interval: Span =
            Span { min: Duration::ZERO, max: DAY }, Literal::Text("60s"), Hot;
        /// Maximum number of alarms per monitor and minute; 0: no limit. Of those beyond it only the last is announced, at
        /// the end of the minute, so that a faulty camera does not ring phones all night.
        "alarm-limit" alarm_limit: Number<u32> = Number { min: 0, max: 1_000_000 }, Literal::Number(60), Hot;
        /// An alarm that is in progress when the daemon starts is announced if it began within this time.
        "startup-grace" startup_grace: Span =
            Span { min: Duration::ZERO, max: Duration::from_hours(1) }, Literal::Text("10s"), Restart;
        /// Events missed while the daemon was down are announced, marked late, if they are not older than this.
        "catch-up" catch_up: Span =
            Span { min: Duration::ZERO, max: Duration::from_hours(24 * 7) }, Literal::Text("10m"), Restart;
    }
}

section! {
    /// The WebSocket server for apps.
    ServerSection: Server = "server" once {}
    #[derive(Debug, Clone)]
    ServerConfig {
        /// The certificate and key, or `None` where `plaintext = true`.
        tls: Option<TlsFiles>,
    } {
        /// Addresses to listen on. [::] accepts IPv6 and IPv4.
        "listen" listen: Listing<SocketAddr> = LISTENERS, Literal::List(&["[::]:9000"]), Restart;
        /// Serve ws:// instead of wss://. Passwords are then sent unencrypted: only use it behind a proxy that does TLS.
        "plaintext" plaintext: Flag = Flag, Literal::Flag(false), Restart;
        /// The event server version that apps are told; they compare it with the one that they need.
        "advertised-version" advertised_version: Text<String> = APP_VERSION, Literal::Text("7.0.0"), Hot;
        /// Maximum number of apps connected at the same time.
        "max-clients" max_clients: Number<usize> = Number { min: 1, max: 1_000_000 }, Literal::Number(20_000), Hot;
        /// The same for one address (IPv6: one /64 network). Apps in one home or behind one proxy share an address.
        "max-clients-per-address" max_clients_per_address: Number<usize> =
            Number { min: 1, max: 1_000_000 }, Literal::Number(500), Hot;
        /// Networks of reverse proxies whose X-Forwarded-* or PROXY headers are trusted: ["127.0.0.1", "::1"].
        "trusted-proxies" trusted_proxies: Listing<IpNet> = NETWORKS, Literal::List(&[]), Hot;
        /// Web pages of other sites that may connect: ["https://example.org"]. Pages of this server, and apps, need no entry.
        "allowed-origins" allowed_origins: Listing<String> = ORIGINS, Literal::List(&[]), Hot;
    }
}

section! {
    /// The certificate for wss://. Both files are read again on reload.
    TlsSection: Server = "server.tls" once {
        /// PEM: the server's certificate first, then the intermediate certificates.
        "certificate" certificate: Text<Option<PathBuf>> = PATH_NAME, Literal::Text("/etc/zmesd/tls/cert.pem"), Hot;
        /// PEM: its private key, without a passphrase. A relative path is looked up in $CREDENTIALS_DIRECTORY first.
        "key" key: Text<Option<PathBuf>> = PATH_NAME, Literal::Text("/etc/zmesd/tls/key.pem"), Hot;
    }
}

section! {
    /// How apps log in: as users of ZoneMinder.
    AuthSection: Auth = "auth" once {}
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    AuthConfig {} {
        /// Require a login. false: every client that connects sees all monitors.
        "enabled" enabled: Flag = Flag, Literal::Flag(true), Hot;
        /// Time to log in after the connection is open.
        "timeout" timeout: Span =
            Span { min: Duration::from_secs(1), max: Duration::from_mins(10) }, Literal::Text("20s"), Hot;
        /// Send only alarms of monitors whose events the user may see in ZoneMinder.
        "enforce-monitor-permissions" enforce_monitor_permissions: Flag = Flag, Literal::Flag(true), Hot;
    }
}

section! {
    /// Push notifications to phones. push.proxy, if enabled, takes every token. Otherwise iOS tokens of 64 hexadecimal
    /// digits go to APNs, if enabled, and all others to FCM.
    PushSection: Push = "push" once {}
    #[derive(Debug, Clone)]
    PushConfig {
        proxy: Option<PushProxyConfig>,
        fcm: Option<FcmConfig>,
        apns: Option<ApnsConfig>,
        targets: Vec<TargetConfig>,
    } {
        /// Register tokens and send pushes to them.
        "enabled" enabled: Flag = Flag, Literal::Flag(true), Restart;
        /// Shortest time between two pushes about one monitor, for tokens that set no interval of their own.
        "interval-default" interval_default: Span =
            Span { min: Duration::ZERO, max: DAY }, Literal::Text("0s"), Restart;
        /// How long a push is retried, counted from its alarm.
        "retry-for" retry_for: Span =
            Span { min: Duration::from_secs(1), max: DAY }, Literal::Text("10m"), Restart;
        /// "shadow": decide and log, but send nothing, so that zmesd can run beside an older server that sends the pushes.
        "mode" mode: Choice<PushMode> = Choice(&[("live", PushMode::Live), ("shadow", PushMode::Shadow)]),
            Literal::Text("live"), Hot;
        /// Maximum number of pushes per token and minute; those beyond it are sent as one digest.
        "storm-limit" storm_limit: Number<u32> = Number { min: 1, max: 100_000 }, Literal::Number(30), Restart;
        /// URL of the picture that phones show: "https://zm.example.org/zm/?view=image&eid=EVENTID&fid=snapshot".
        /// EVENTID is replaced by the event's id. Providers can read the URL: put no password into it. Empty: no such
        /// URL; see picture.base-url for links without passwords.
        "picture-url" picture_url: Text<Option<SecretString>> = PICTURE_URL, Literal::Text(""), Hot;
    }
}

section! {
    /// A PushProxy that speaks the protocol of AirNotifier.
    PushProxySection: Push = "push.proxy" once {
        /// Send all pushes through it.
        "enabled" enabled: Flag = Flag, Literal::Flag(false), Hot;
        /// Its address: "https://push.example.org:8801".
        "url" url: Text<Option<String>> = WEB_URL, Literal::Text(""), Hot;
        /// Name of the app as configured in the proxy.
        "app-name" app_name: Text<String> = WORDS, Literal::Text(""), Hot;
        /// The app's key.
        "app-key" app_key: Secret = Secret, Literal::Text(""), Hot;
        /// Sound that phones play.
        "sound" sound: Text<String> = WORDS, Literal::Text("blop.caf"), Hot;
        /// Additional root certificate to trust, PEM. The proxy's certificate is always verified.
        "ca-certificate" ca_certificate: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
    }
}

section! {
    /// Google's Firebase Cloud Messaging: Android, and iOS tokens that FCM issued.
    FcmSection: Push = "push.fcm" once {
        /// Send through FCM.
        "enabled" enabled: Flag = Flag, Literal::Flag(false), Hot;
        /// JSON file of the service account, to send directly to Google (HTTP v1).
        "service-account" service_account: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
        /// Where pushes with the service account go. Empty: to Google; else the URL of a gateway of your own.
        "endpoint" endpoint: Text<Option<String>> = WEB_URL, Literal::Text(""), Hot;
        /// Additional root certificate to trust, PEM; also for the functions below.
        "ca-certificate" ca_certificate: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
    }
}

section! {
    /// Cloud functions that send on behalf of an app, as event server 6 and 7 used them: one block per app. An entry
    /// without a URL is ignored.
    FcmProxySection: Push = "push.fcm.proxy" many {
        /// Name of the app.
        "name" name: Text<String> = WORDS, Literal::Text("zmninja"), Hot;
        /// Its address.
        "url" url: Text<Option<String>> = WEB_URL, Literal::Text(""), Hot;
        /// The key that it requires.
        "key" key: Secret = Secret, Literal::Text(""), Hot;
    }
}

section! {
    /// Apple's push service, for an app of your own.
    ApnsSection: Push = "push.apns" once {
        /// Send through APNs.
        "enabled" enabled: Flag = Flag, Literal::Flag(false), Hot;
        /// The signing key (.p8), with key-id and team-id; or the private key (PEM) that belongs to `certificate`.
        "key" key: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
        /// Id of the signing key, ten characters.
        "key-id" key_id: Text<String> = WORDS, Literal::Text(""), Hot;
        /// Id of the team, ten characters.
        "team-id" team_id: Text<String> = WORDS, Literal::Text(""), Hot;
        /// Instead of a signing key: the app's certificate, PEM with `key`, or .p12 with both in one file.
        "certificate" certificate: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
        /// Password of a .p12 file.
        "certificate-password" certificate_password: Secret = Secret, Literal::Text(""), Hot;
        /// The app's bundle id.
        "topic" topic: Text<String> = WORDS, Literal::Text("com.pliablepixels.zmninja"), Hot;
        /// "sandbox" for apps under development; "https://host:port" for a gateway of your own.
        "endpoint" endpoint: Text<ApnsEndpoint> = GATEWAY, Literal::Text("production"), Hot;
        /// Additional root certificate to trust, PEM: that of the gateway.
        "ca-certificate" ca_certificate: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
    }
}

section! {
    /// What happens when zmesd cannot see alarms or cannot tell of them. `zmesctl troubles` lists troubles in any case.
    WatchdogSection: Watchdog = "watchdog" once {
        /// A URL outside this machine that is requested while all is well, so that a service notices when it is not any more:
        /// the ping URL of healthchecks.io, or the push URL of Uptime Kuma. Empty: none.
        "ping-url" ping_url: Secret = Secret, Literal::Text(""), Hot;
    }
    #[derive(Debug, Clone, PartialEq, Eq)]
    WatchdogConfig {
        ping_url: Option<PingUrl>,
    } {
        /// Who is told of troubles by a push: handles of tokens or targets, users with all their phones. ["@guard", "user:amy"].
        /// Phones that are reached only through what fails are not told; name one that is reached by another transport.
        "notify" notify: Listing<WatchdogReceiver> = WATCHDOG_RECEIVERS, Literal::List(&[]), Hot;
        /// How long a camera must deliver nothing until that is a trouble, at least 1s; "0s": single cameras are none.
        "camera-offline" camera_offline: Span =
            Span { min: Duration::ZERO, max: DAY }, Literal::Text("2m"), Hot;
        /// Who is told of single cameras: "admin" for those of notify, "viewers" also for all tokens whose owner may see the
        /// camera.
        "camera-to" camera_to: Choice<CameraReceivers> = Choice(&[
            ("admin", CameraReceivers::Admin),
            ("viewers", CameraReceivers::Viewers),
        ]), Literal::Text("admin"), Hot;
        /// How often the push providers are checked without sending anything, at least 1s; "0s": never.
        "probe-interval" probe_interval: Span =
            Span { min: Duration::ZERO, max: DAY }, Literal::Text("1h"), Hot;
        /// How often ping-url is requested.
        "ping-interval" ping_interval: Span =
            Span { min: Duration::from_secs(1), max: DAY }, Literal::Text("1m"), Hot;
        /// Added to the path of ping-url while there is a grave trouble; the troubles are sent there as text. Empty: nothing
        /// is sent meanwhile, and the service notices the silence.
        "ping-fail-suffix" ping_fail_suffix: Text<String> = PING_SUFFIX, Literal::Text("/fail"), Hot;
    }
}

section! {
    /// The daemon's own database.
    StateSection: State = "state" once {
        /// Directory of zmesd.db. Empty: /var/lib/zmesd, or $XDG_STATE_HOME/zmesd if a user runs zmesd.
        "directory" directory: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Restart;
    }
    #[derive(Debug, Clone, PartialEq, Eq)]
    StateConfig {
        directory: PathBuf,
    } {
        /// How long the delivery log is kept.
        "keep-deliveries" keep_deliveries: Span =
            Span { min: Duration::ZERO, max: YEARS }, Literal::Text("14d"), Restart;
        /// How long revoked tokens can be restored.
        "keep-tombstones" keep_tombstones: Span =
            Span { min: Duration::ZERO, max: YEARS }, Literal::Text("30d"), Restart;
        /// How long alarms can be replayed.
        "keep-events" keep_events: Span =
            Span { min: Duration::ZERO, max: YEARS }, Literal::Text("24h"), Restart;
        /// Maximum size of zmesd.db: beyond it the oldest deliveries and alarms are dropped, tokens never.
        "max-size" max_size: Size =
            Size { min: 16 << 20, max: 1 << 40 }, Literal::Text("256MiB"), Restart;
    }
}

section! {
    /// The control socket, which zmesctl connects to.
    ControlSection: Control = "control" once {
        /// Its path. Empty: /run/zmesd/control.sock, or $XDG_RUNTIME_DIR/zmesd/control.sock if a user runs zmesd.
        "socket" socket: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Restart;
    }
    #[derive(Debug, Clone, PartialEq, Eq)]
    ControlConfig {
        socket: PathBuf,
    } {
        /// Members of this group are admins, as root is. Others who can open the socket can only read.
        "admin-group" admin_group: Text<String> = WORDS, Literal::Text("zmesd"), Hot;
    }
}

section! {
    /// Metrics for Prometheus.
    MetricsSection: Metrics = "metrics" once {}
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    MetricsConfig {} {
        /// Address of /metrics, /healthz and /readyz. It must be local: "127.0.0.1:9090", or a Unix socket:
        /// "unix:/run/zmesd/metrics.sock". Empty: no metrics.
        "listen" listen: Text<Option<MetricsListen>> = METRICS_ADDRESS, Literal::Text(""), Hot;
    }
}

section! {
    /// The daemon's log.
    LogSection: Log = "log" once {}
    #[derive(Debug, Clone, PartialEq, Eq)]
    LogConfig {} {
        /// "error", "warn", "info", "debug" or "trace"; or by module: "info,zmesd::ws=debug".
        "level" level: Text<String> = LOG_DIRECTIVES, Literal::Text("info"), Hot;
        /// "auto": the journal under systemd, else text on standard error.
        "format" format: Choice<LogFormat> = Choice(&[
            ("auto", LogFormat::Auto),
            ("text", LogFormat::Text),
            ("json", LogFormat::Json),
            ("journald", LogFormat::Journald),
        ]), Literal::Text("auto"), Restart;
    }
}

/// All sections in the order of the default file.
pub const SECTIONS: &[Section] = &[
    *ZoneminderSection::SECTION,
    *ServerSection::SECTION,
    *TlsSection::SECTION,
    *AuthSection::SECTION,
    *PushSection::SECTION,
    *PushProxySection::SECTION,
    *FcmSection::SECTION,
    *FcmProxySection::SECTION,
    *ApnsSection::SECTION,
    *PictureSection::SECTION,
    *RuleSection::SECTION,
    *EndSection::SECTION,
    *LabelsSection::SECTION,
    *target_keys::SECTION,
    *WatchdogSection::SECTION,
    *MqttSection::SECTION,
    *HomeAssistantSection::SECTION,
    *ClusterSection::SECTION,
    *StateSection::SECTION,
    *ControlSection::SECTION,
    *MetricsSection::SECTION,
    *LogSection::SECTION,
];

/// What a `zmesd.toml` says, each value checked by itself, the absent ones filled in.
#[derive(Debug)]
pub(super) struct File {
    /// Whether the text is TOML throughout. Else values may be missing here that it has.
    pub(super) whole: bool,
    pub(super) zoneminder: ZoneminderSection,
    pub(super) server: ServerSection,
    pub(super) tls: TlsSection,
    pub(super) auth: AuthSection,
    pub(super) push: PushSection,
    pub(super) push_proxy: PushProxySection,
    pub(super) fcm: FcmSection,
    pub(super) fcm_proxies: Vec<FcmProxySection>,
    pub(super) apns: ApnsSection,
    pub(super) picture: PictureSection,
    pub(super) rules: Vec<RuleSection>,
    pub(super) end: EndSection,
    pub(super) labels: LabelsSection,
    pub(super) targets: Vec<TargetSection>,
    pub(super) watchdog: WatchdogSection,
    pub(super) mqtt: MqttSection,
    pub(super) home_assistant: HomeAssistantSection,
    pub(super) cluster: ClusterSection,
    pub(super) state: StateSection,
    pub(super) control: ControlSection,
    pub(super) metrics: MetricsSection,
    pub(super) log: LogSection,
}

impl File {
    /// Reads the text of a file; what is wrong goes into `problems`, and the default takes its place.
    pub(super) fn read(text: &str, problems: &mut Problems) -> Self {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader::new(text, &errors, problems);
        let root = document.get_ref();
        reader.check_names(root);
        let r = &mut reader;
        Self {
            whole: errors.is_empty(),
            zoneminder: ZoneminderSection::once(r, root),
            server: ServerSection::once(r, root),
            tls: TlsSection::once(r, root),
            auth: AuthSection::once(r, root),
            push: PushSection::once(r, root),
            push_proxy: PushProxySection::once(r, root),
            fcm: FcmSection::once(r, root),
            fcm_proxies: FcmProxySection::all(r, root),
            apns: ApnsSection::once(r, root),
            picture: PictureSection::once(r, root),
            rules: RuleSection::all(r, root),
            end: EndSection::once(r, root),
            labels: LabelsSection::once(r, root),
            targets: TargetSection::read_all(r, root),
            watchdog: WatchdogSection::once(r, root),
            mqtt: MqttSection::once(r, root),
            home_assistant: HomeAssistantSection::once(r, root),
            cluster: ClusterSection::once(r, root),
            state: StateSection::once(r, root),
            control: ControlSection::once(r, root),
            metrics: MetricsSection::once(r, root),
            log: LogSection::once(r, root),
        }
    }
    /// Returns the values in use. What does not count is left out: the certificate without TLS, all but `enabled` of a
    /// transport that is not enabled, functions without a URL.
    pub(super) fn settings(&self, resolved: &Resolved) -> Settings {
        let mut settings = Settings::default();
        let mut add = |section, values: Vec<Shown>| settings.add(section, None, values);
        let transport = |enabled: &Setting<bool>, values: Vec<Shown>| {
            let counting = if enabled.value { values.len() } else { 1 };
            values.into_iter().take(counting).collect()
        };
        add(ZoneminderSection::SECTION, self.zoneminder.values(resolved));
        add(ServerSection::SECTION, self.server.values(resolved));
        if !self.server.plaintext.value {
            add(TlsSection::SECTION, self.tls.values(resolved));
        }
        add(AuthSection::SECTION, self.auth.values(resolved));
        add(PushSection::SECTION, self.push.values(resolved));
        let proxy = self.push_proxy.values(resolved);
        add(PushProxySection::SECTION, transport(&self.push_proxy.enabled, proxy));
        add(FcmSection::SECTION, transport(&self.fcm.enabled, self.fcm.values(resolved)));
        let functions = self.fcm_proxies.iter().filter(|function| function.url.value.is_some());
        for (index, function) in functions.enumerate().filter(|_| self.fcm.enabled.value) {
            settings.add(FcmProxySection::SECTION, Some(index), function.values(resolved));
        }
        let mut add = |section, values: Vec<Shown>| settings.add(section, None, values);
        add(ApnsSection::SECTION, transport(&self.apns.enabled, self.apns.values(resolved)));
        add(PictureSection::SECTION, self.picture.values(resolved));
        for (index, rule) in self.rules.iter().filter(|rule| rule.is_filled_in()).enumerate() {
            settings.add(RuleSection::SECTION, Some(index), rule.values(resolved));
        }
        for (index, target) in self.targets.iter().filter(|target| target.is_filled_in()).enumerate() {
            target.add(index, resolved, &mut settings);
        }
        let mut add = |section, values: Vec<Shown>| settings.add(section, None, values);
        add(EndSection::SECTION, self.end.values(resolved));
        add(LabelsSection::SECTION, self.labels.values(resolved));
        add(WatchdogSection::SECTION, self.watchdog.values(resolved));
        add(MqttSection::SECTION, transport(&self.mqtt.enabled, self.mqtt.values(resolved)));
        let home_assistant = self.home_assistant.values(resolved);
        add(HomeAssistantSection::SECTION, transport(&self.mqtt.enabled, home_assistant));
        add(ClusterSection::SECTION, transport(&self.cluster.enabled, self.cluster.values(resolved)));
        add(StateSection::SECTION, self.state.values(resolved));
        add(ControlSection::SECTION, self.control.values(resolved));
        add(MetricsSection::SECTION, self.metrics.values(resolved));
        add(LogSection::SECTION, self.log.values(resolved));
        settings
    }
}
