//! The values in force, key by key, as text: what `config show` prints and what a reload compares.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use zmes_providers::{ApnsConfig, ApnsEndpoint, ApnsIdentity, FcmConfig, FcmProxyConfig, PushProxyConfig};

use super::push::PushMode;
use super::section::{toml_list, toml_string};
use super::size;
use super::{Config, LogFormat, PushConfig, ServerConfig, Source, ZoneminderConfig, duration};

/// What is shown in place of a secret.
const HIDDEN: &str = "[hidden]";

/// The values of one section.
#[derive(Debug)]
pub(super) struct Group {
    /// Its dotted name.
    pub(super) section: &'static str,
    /// Which one it is, where the section is repeated.
    pub(super) index: Option<usize>,
    /// Its values, in the order of the table.
    pub(super) values: Vec<Value>,
}

/// One value.
#[derive(Debug)]
pub(super) struct Value {
    /// The key within its section.
    pub(super) name: &'static str,
    /// As TOML, secrets hidden.
    pub(super) shown: String,
    /// What to compare, where it is more than what is shown.
    exact: Option<SecretString>,
}

impl Value {
    /// Returns what tells two values apart.
    pub(super) fn exact(&self) -> &str {
        self.exact.as_ref().map_or(&self.shown, ExposeSecret::expose_secret)
    }
}

impl Group {
    fn new(section: &'static str) -> Self {
        Self { section, index: None, values: Vec::new() }
    }

    fn toml(mut self, name: &'static str, shown: String) -> Self {
        self.values.push(Value { name, shown, exact: None });
        self
    }

    /// Adds a value of which more is compared than shown.
    fn partly(mut self, name: &'static str, shown: String, exact: String) -> Self {
        self.values.push(Value { name, shown, exact: Some(exact.into()) });
        self
    }

    fn flag(self, name: &'static str, flag: bool) -> Self {
        self.toml(name, flag.to_string())
    }

    fn number(self, name: &'static str, number: &impl ToString) -> Self {
        self.toml(name, number.to_string())
    }

    fn text(self, name: &'static str, text: &str) -> Self {
        self.toml(name, toml_string(text))
    }

    fn path(self, name: &'static str, path: Option<&Path>) -> Self {
        self.text(name, &path.map(|path| path.to_string_lossy()).unwrap_or_default())
    }

    fn span(self, name: &'static str, span: Duration) -> Self {
        self.text(name, &duration::format(span))
    }

    fn list<T: ToString>(self, name: &'static str, list: &[T]) -> Self {
        let texts: Vec<_> = list.iter().map(ToString::to_string).collect();
        self.toml(name, toml_list(&texts))
    }

    fn secret(self, name: &'static str, secret: Option<&SecretString>) -> Self {
        match secret {
            Some(secret) => self.partly(name, toml_string(HIDDEN), secret.expose_secret().to_owned()),
            None => self.text(name, ""),
        }
    }

    /// Adds a URL whose query may hold credentials.
    fn url(self, name: &'static str, url: Option<&SecretString>) -> Self {
        let Some(url) = url.map(ExposeSecret::expose_secret) else { return self.text(name, "") };
        let shown =
            url.split_once('?').map_or_else(|| url.to_owned(), |(front, _)| format!("{front}?{HIDDEN}"));
        self.partly(name, toml_string(&shown), url.to_owned())
    }

    /// Returns the name of the section with its index: `push.fcm.proxy[0]`.
    pub(super) fn path_with_index(&self) -> String {
        self.index.map_or_else(|| self.section.to_owned(), |index| format!("{}[{index}]", self.section))
    }
}

/// Returns the values in force as TOML, secrets hidden.
pub(super) fn show(config: &Config) -> String {
    let mut toml = String::new();
    for group in groups(config) {
        let separator = if toml.is_empty() { "" } else { "\n" };
        let (open, close) = if group.index.is_some() { ("[[", "]]") } else { ("[", "]") };
        // Writing to a String cannot fail.
        let _ = writeln!(toml, "{separator}{open}{}{close}", group.section);
        for value in group.values {
            let _ = writeln!(toml, "{} = {}", value.name, value.shown);
        }
    }
    toml
}

/// Returns all values in force. What belongs to a transport that is not enabled is left out.
pub(super) fn groups(config: &Config) -> Vec<Group> {
    let (auth, state) = (&config.auth, &config.state);
    let mut groups = vec![zoneminder(config, &config.zoneminder), server(&config.server)];
    if let Some(tls) = &config.server.tls {
        let tls =
            Group::new("server.tls").path("certificate", Some(&tls.certificate)).path("key", Some(&tls.key));
        groups.push(tls);
    }
    groups.push(
        Group::new("auth")
            .flag("enabled", auth.enabled)
            .span("timeout", auth.timeout)
            .flag("enforce-monitor-permissions", auth.enforce_monitor_permissions),
    );
    push(&config.push, &mut groups);
    groups.push(
        Group::new("state")
            .path("directory", Some(&state.directory))
            .span("keep-deliveries", state.keep_deliveries)
            .span("keep-tombstones", state.keep_tombstones)
            .span("keep-events", state.keep_events)
            .text("max-size", &size::format(state.max_size)),
    );
    groups.push(
        Group::new("control")
            .path("socket", Some(&config.control.socket))
            .text("admin-group", &config.control.admin_group),
    );
    let metrics = config.metrics.listen.as_ref().map(ToString::to_string).unwrap_or_default();
    groups.push(Group::new("metrics").text("listen", &metrics));
    groups.push(
        Group::new("log").text("level", &config.log.level).text("format", log_format(config.log.format)),
    );
    groups
}

fn zoneminder(config: &Config, zoneminder: &ZoneminderConfig) -> Group {
    let origin = &config.origin;
    let path = origin.zm_conf.as_ref().map(|path| path.to_string_lossy()).unwrap_or_default();
    let url = zoneminder.database.url(HIDDEN);
    let exact = zoneminder.database.url(zoneminder.database.password.expose_secret());
    let (by_conf, by_url) =
        if origin.database_by_url { (String::new(), exact) } else { (exact, String::new()) };
    let source = match zoneminder.source {
        Source::Auto => "auto",
        Source::Shm => "shm",
        Source::Db => "db",
    };
    let (id, server) = match &zoneminder.server {
        None => (0, "0".to_owned()),
        Some(ServerIdentity::Id(id)) => (*id, id.to_string()),
        Some(ServerIdentity::Name(name)) => (0, format!("0  # {}, by zm.conf", toml_string(name))),
    };
    let version = zoneminder.version.map_or_else(|| "auto".to_owned(), |version| version.to_string());
    Group::new("zoneminder")
        .partly("config", toml_string(&path), format!("{path} {:?} {by_conf}", zoneminder.path_socks))
        .partly("database-url", toml_string(&url), by_url)
        .path("path-map", Some(&zoneminder.path_map))
        .partly("server-id", server.clone(), format!("{id} {server}"))
        .text("version", &version)
        .text("source", source)
        .span("poll-interval", zoneminder.poll_interval)
        .span("monitor-reload-interval", zoneminder.monitor_reload_interval)
        .span("reconcile-interval", zoneminder.reconcile_interval)
        .span("realarm-interval", zoneminder.realarm_interval)
        .number("alarm-limit", &zoneminder.alarm_limit)
        .span("startup-grace", zoneminder.startup_grace)
        .span("catch-up", zoneminder.catch_up)
}

fn server(server: &ServerConfig) -> Group {
    Group::new("server")
        .list("listen", &server.listen)
        .flag("plaintext", server.tls.is_none())
        .text("advertised-version", &server.advertised_version)
        .number("max-clients", &server.max_clients)
        .number("max-clients-per-address", &server.max_clients_per_address)
        .list("trusted-proxies", &server.trusted_proxies)
        .list("allowed-origins", &server.allowed_origins)
}

fn push(push: &PushConfig, groups: &mut Vec<Group>) {
    let mode = match push.mode {
        PushMode::Live => "live",
        PushMode::Shadow => "shadow",
    };
    groups.push(
        Group::new("push")
            .flag("enabled", push.enabled)
            .span("interval-default", push.interval_default)
            .span("retry-for", push.retry_for)
            .text("mode", mode)
            .number("storm-limit", &push.storm_limit)
            .url("picture-url", push.picture_url.as_ref()),
    );
    let transport = |section, enabled| Group::new(section).flag("enabled", enabled);
    let proxy = transport("push.proxy", push.proxy.is_some());
    groups.push(match &push.proxy {
        Some(config) => push_proxy(proxy, config),
        None => proxy,
    });
    let fcm = transport("push.fcm", push.fcm.is_some());
    match &push.fcm {
        Some(FcmConfig { service_account, endpoint, ca_certificate, proxies }) => {
            groups.push(
                fcm.path("service-account", service_account.as_deref())
                    .text("endpoint", endpoint.as_deref().unwrap_or_default())
                    .path("ca-certificate", ca_certificate.as_deref()),
            );
            groups.extend(proxies.iter().enumerate().map(fcm_proxy));
        }
        None => groups.push(fcm),
    }
    let apns = transport("push.apns", push.apns.is_some());
    groups.push(match &push.apns {
        Some(config) => push_apns(apns, config),
        None => apns,
    });
}

fn push_proxy(group: Group, proxy: &PushProxyConfig) -> Group {
    group
        .text("url", &proxy.url)
        .text("app-name", &proxy.app_name)
        .secret("app-key", Some(&proxy.app_key))
        .text("sound", &proxy.sound)
        .path("ca-certificate", proxy.ca_certificate.as_deref())
}

fn fcm_proxy((index, proxy): (usize, &FcmProxyConfig)) -> Group {
    let group = Group { index: Some(index), ..Group::new("push.fcm.proxy") };
    group.text("name", &proxy.name).text("url", &proxy.url).secret("key", proxy.key.as_ref())
}

fn push_apns(group: Group, apns: &ApnsConfig) -> Group {
    let (key, key_id, team_id, certificate, password) = match &apns.identity {
        ApnsIdentity::Token { key, key_id, team_id } => {
            (Some(key.as_path()), key_id.as_str(), team_id.as_str(), None, None)
        }
        ApnsIdentity::Certificate { certificate, key, password } => {
            (key.as_deref(), "", "", Some(certificate.as_path()), password.as_ref())
        }
    };
    let endpoint = match &apns.endpoint {
        ApnsEndpoint::Production => "production",
        ApnsEndpoint::Sandbox => "sandbox",
        ApnsEndpoint::Other(url) => url,
    };
    group
        .path("key", key)
        .text("key-id", key_id)
        .text("team-id", team_id)
        .path("certificate", certificate)
        .secret("certificate-password", password)
        .text("topic", &apns.topic)
        .text("endpoint", endpoint)
        .path("ca-certificate", apns.ca_certificate.as_deref())
}

fn log_format(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Auto => "auto",
        LogFormat::Text => "text",
        LogFormat::Json => "json",
        LogFormat::Journald => "journald",
    }
}
