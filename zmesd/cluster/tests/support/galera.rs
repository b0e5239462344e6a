//! Members of a real Galera cluster, by the script of the lab.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions, MySqlConnection};
use tempfile::TempDir;
use zmes_cluster::schema::{Account, Plan};
use zmes_cluster::{LedgerLine, LedgerServer};

/// The cluster; dropped, its members end and its files vanish.
pub(crate) struct Galera {
    directory: TempDir,
    base: u16,
}

impl Galera {
    /// Starts three members with a ledger; `None` where Galera is not installed, unless a CI runs the tests.
    pub(crate) async fn start() -> Option<Self> {
        let needed = ["/usr/sbin/mariadbd", "/usr/bin/rsync"].iter().all(|path| Path::new(path).exists());
        let places = ["/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so"];
        if !needed || !places.iter().any(|path| Path::new(path).exists()) {
            let missing = "Galera is not installed (Debian: mariadb-server, galera-4, rsync)";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}; nothing was shown");
            return None;
        }
        let directory = TempDir::new().unwrap();
        let cluster = Self { directory, base: free_ports() };
        cluster.lab(&["up", "3"]);
        let account =
            Account { user: "zmesd".into(), host: "127.0.0.1".into(), password: Some("planted".into()) };
        let mut admin = cluster.admin();
        Plan::make(&mut admin, "zmesd", &account).await.unwrap().run(&mut admin).await.unwrap();
        Some(cluster)
    }

    /// Runs a command of the lab.
    pub(crate) fn lab(&self, arguments: &[&str]) {
        run(self.command(arguments));
    }

    /// Runs a command of the lab while other things happen.
    pub(crate) async fn lab_beside(&self, arguments: &[&str]) {
        let command = self.command(arguments);
        tokio::task::spawn_blocking(move || run(command)).await.unwrap();
    }

    /// Waits until all three members are whole again.
    pub(crate) async fn whole(&self) {
        let begin = tokio::time::Instant::now();
        while !self.is_whole().await {
            assert!(begin.elapsed() < Duration::from_mins(1), "the members do not find together");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn is_whole(&self) -> bool {
        let sql = "SELECT COUNT(*) FROM information_schema.GLOBAL_STATUS WHERE \
                   (VARIABLE_NAME, VARIABLE_VALUE) IN (('WSREP_CLUSTER_SIZE', '3'), ('WSREP_LOCAL_STATE_COMMENT', 'Synced'))";
        for member in 1..=3 {
            let Ok(mut connection) = self.root(member).connect().await else { return false };
            let count = sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await;
            if !matches!(count, Ok(2)) {
                return false;
            }
        }
        true
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../tests/lab/galera.sh"].iter().collect();
        let mut command = Command::new(script);
        command.args(arguments).env("CLUSTER_LAB_DIR", self.directory.path().join("lab"));
        command.env("CLUSTER_LAB_PORT", self.base.to_string());
        command
    }

    fn admin(&self) -> LedgerLine {
        let server = LedgerServer::socket(&self.socket(1), "root", &SecretString::default());
        LedgerLine::new(Arc::new(server), Duration::from_secs(20))
    }

    fn socket(&self, member: u16) -> PathBuf {
        self.directory.path().join("lab").join(member.to_string()).join("sock")
    }

    /// Returns the port of SQL of that member.
    pub(crate) fn port(&self, member: u16) -> u16 {
        self.base + member
    }

    /// Returns a line of a node to that member.
    pub(crate) fn line(&self, member: u16, deadline: Duration) -> LedgerLine {
        Self::line_by(self.port(member), deadline)
    }

    /// Returns a line of a node by that port: a proxy's.
    pub(crate) fn line_by(port: u16, deadline: Duration) -> LedgerLine {
        let server = LedgerServer::tcp("127.0.0.1", port, "zmesd", &"planted".into());
        LedgerLine::new(Arc::new(server.with_schema("zmesd")), deadline)
    }

    fn root(&self, member: u16) -> MySqlConnectOptions {
        MySqlConnectOptions::new().socket(self.socket(member)).username("root").disable_statement_logging()
    }

    /// Returns a connection as root to that member, which reads what is committed.
    pub(crate) async fn connection(&self, member: u16) -> MySqlConnection {
        let options =
            MySqlConnectOptions::new().socket(self.socket(member)).username("root").database("zmesd");
        let mut connection = options.disable_statement_logging().connect().await.unwrap();
        let level = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
        sqlx::raw_sql(level).execute(&mut connection).await.unwrap();
        connection
    }
}

impl Drop for Galera {
    fn drop(&mut self) {
        self.lab(&["down"]);
    }
}

fn run(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Returns a base for the ports of the members: those of SQL and of replication are free now.
fn free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = 20_000 + u16::try_from(std::process::id() % 40).unwrap_or_default() * 250;
    let mut bases = (0..40_u16).map(|step| first + step * 250 % 10_000);
    let base = bases.find(|base| {
        (1..=3).all(|member| {
            let replication = base + 100 + 10 * member;
            is_free(base + member) && [0, 1, 4].iter().all(|port| is_free(replication + port))
        })
    });
    base.expect("no free ports")
}
