//! `[cluster]`: who this node is, and where the ledger.

use std::time::Duration;

use nix::unistd::gethostname;
use secrecy::ExposeSecret;
use zmes_zoneminder::conf::{DatabaseConfig, ServerIdentity, ServerScope, ValuePlace};

use super::{Checker, Reported};
use crate::config::ZoneminderConfig;
use crate::config::cluster::{ClusterConfig, ClusterSection, NodeConfig};
use crate::config::forms::node_name;
use crate::config::shown::{HIDDEN, Shown};

/// Schema of the ledger where no URL names another one.
const SCHEMA: &str = "zmesd";

impl Checker<'_> {
    pub(super) fn cluster(
        &mut self,
        section: &ClusterSection,
        zoneminder: &ZoneminderConfig,
        retry_for: Duration,
    ) -> Result<ClusterConfig, Reported> {
        if !section.enabled.value {
            return Ok(section.config(None));
        }
        if section.keep.value < retry_for {
            let hint = "an alarm must stay in the ledger for as long as its pushes may be tried";
            self.problem(&section.keep.place, "is shorter than push.retry-for", hint);
            return Err(Reported);
        }
        match &zoneminder.servers {
            ServerScope::Own(_) => {}
            ServerScope::All(_) => {
                let hint = "each node of a cluster watches its own server: set zoneminder.server-id to its id, \
                            or remove the line where zm.conf has ZM_SERVER_NAME";
                self.problem(&section.enabled.place, "true, and zoneminder.server-id is \"all\"", hint);
                return Err(Reported);
            }
            ServerScope::Single => {
                let hint = "with a second node, set ZM_SERVER_NAME in zm.conf or zoneminder.server-id: else each \
                            node announces the events of all servers";
                self.warn(&section.enabled.place, "true, and it is not known which server this is", hint);
            }
        }
        let (database, name) =
            (self.ledger(section, &zoneminder.database), self.node_name(section, zoneminder));
        let (database, name) = (database?, name?);
        Ok(section.config(Some(NodeConfig { name, database })))
    }

    fn ledger(
        &mut self,
        section: &ClusterSection,
        zoneminder: &DatabaseConfig,
    ) -> Result<DatabaseConfig, Reported> {
        let place = &section.database_url.place;
        let Some(url) = self.secret(&section.database_url)? else {
            let database = DatabaseConfig { name: SCHEMA.to_owned(), ..zoneminder.clone() };
            self.resolved.set(place, Shown::text(&database.url(HIDDEN)).exactly(""));
            return Ok(database);
        };
        let stated = ValuePlace { name: place.key.clone(), file: self.path.to_owned(), line: place.line };
        let database = DatabaseConfig::from_url(url.expose_secret())
            .map(|database| database.stated_at(stated))
            .map_err(|fault| self.problem(place, fault.to_string(), fault.hint(SCHEMA)))?;
        if let Some((message, hint)) = database.unverified() {
            self.warn(place, message, hint);
        }
        let exact = database.url(database.password.expose_secret());
        self.resolved.set(place, Shown::text(&database.url(HIDDEN)).exactly(&exact));
        Ok(database)
    }

    fn node_name(
        &mut self,
        section: &ClusterSection,
        zoneminder: &ZoneminderConfig,
    ) -> Result<String, Reported> {
        if !section.name.value.is_empty() {
            return Ok(section.name.value.clone());
        }
        let server = match zoneminder.servers.own() {
            Some(ServerIdentity::Name(name)) => Some(name.clone()),
            Some(ServerIdentity::Id(_)) | None => None,
        };
        let host = || gethostname().ok().and_then(|host| host.into_string().ok());
        let name = server.or_else(host).filter(|name| !name.is_empty() && node_name(name).is_ok());
        let Some(name) = name else {
            let hint = "set cluster.name: a name of at most 64 characters that no other node has";
            return Err(self.problem(&section.name.place, "is empty, and the host has no usable name", hint));
        };
        self.resolved.set(&section.name.place, Shown::text(&name).exactly(""));
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use zmes_zoneminder::conf::DatabaseAddress;

    use crate::config::tests::{LEAST, Place};

    fn cluster(rest: &str) -> String {
        format!("{LEAST}zoneminder.server-id = 2\n[cluster]\nenabled = true\n{rest}")
    }

    #[test]
    fn without_a_url_the_ledger_is_where_zoneminder_is() {
        let place = Place::new();
        let config = place.config(&cluster("name = 'nvr1'\n"));
        let node = config.cluster.node.as_ref().unwrap();
        let zoneminder = &config.zoneminder.database;
        assert_eq!((node.name.as_str(), node.database.name.as_str()), ("nvr1", "zmesd"));
        assert_eq!((&node.database.address, &node.database.user), (&zoneminder.address, &zoneminder.user));
        assert!(place.config(LEAST).cluster.node.is_none());
        // The host's name, which every machine has.
        assert!(!place.config(&cluster("")).cluster.node.unwrap().name.is_empty());
    }

    #[test]
    fn a_url_counts_and_is_never_shown() {
        let place = Place::new();
        let config = place.config(&cluster("database-url = 'mysql://zmesd:hunter2@127.0.0.1:3307/ledger'\n"));
        let node = config.cluster.node.as_ref().unwrap();
        assert_eq!(node.database.address, DatabaseAddress::Tcp { host: "127.0.0.1".to_owned(), port: 3307 });
        assert_eq!((node.database.password.expose_secret(), &*node.database.name), ("hunter2", "ledger"));
        assert!(config.show().contains("mysql://zmesd:[hidden]@127.0.0.1:3307/ledger"));
        assert!(!format!("{config:?}{}", config.show()).contains("hunter2"));
        let wrong =
            place.read(&cluster("database-url = 'mysql://zmesd:hunter2@db'\n")).unwrap_err().to_string();
        assert!(wrong.contains("cluster.database-url") && !wrong.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn a_node_watches_its_own_server() {
        let place = Place::new();
        let all = cluster("").replace("server-id = 2", "server-id = \"all\"");
        let problems = place.read(&all).map(drop).unwrap_err().to_string();
        assert!(problems.contains("zoneminder.server-id"), "{problems}");
        let single = place.read(&cluster("").replace("zoneminder.server-id = 2\n", "")).unwrap();
        assert!(single.warnings.iter().any(|warning| warning.key == "cluster.enabled"));
        for wrong in ["name = 'a b'", "lease = '1s'", "poll = '5ms'", "alone = 'maybe'", "prefer = 500"] {
            assert!(place.read(&cluster(wrong)).is_err(), "{wrong}");
        }
    }
}
