//! A real MariaDB of its own for a test: own directory, own socket, own port, gone when the test ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, MySqlConnection};
use tempfile::TempDir;
use zmes_zoneminder::conf::{DatabaseAddress, DatabaseConfig, DatabaseOrigin, DatabaseTls};

/// The account that tests log in with unless they say otherwise; it may read everything and write nothing.
pub(crate) const USER: &str = "zmuser";
/// Its password.
pub(crate) const PASSWORD: &str = "zmpass";

/// Time for the server to come up on a busy machine.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// The server; dropped, it is killed and its files vanish.
pub(crate) struct MariaDb {
    directory: TempDir,
    port: u16,
    process: Option<Child>,
}

impl MariaDb {
    /// Starts a server; `None` where MariaDB is not installed, unless a CI runs the tests, which must have it.
    pub(crate) async fn start() -> Option<Self> {
        let Some(installer) = program(&["mariadb-install-db", "mysql_install_db"]) else {
            assert!(std::env::var_os("CI").is_none(), "MariaDB is not installed (Debian: mariadb-server)");
            eprintln!("SKIPPED: MariaDB is not installed (Debian: mariadb-server)");
            return None;
        };
        let directory = TempDir::new().unwrap();
        let outcome = Command::new(installer)
            .arg("--no-defaults")
            .arg(format!("--datadir={}", directory.path().join("data").display()))
            .arg(format!("--tmpdir={}", directory.path().display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(as_root())
            .output()
            .unwrap();
        assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
        certificates(directory.path());
        // Free now; whoever takes it before the server does makes the start fail visibly.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { directory, port, process: None };
        server.resume().await;
        server.sql("", &format!("CREATE USER `{USER}` IDENTIFIED BY '{PASSWORD}'")).await;
        Some(server)
    }

    /// Starts it again after [`kill`](Self::kill).
    pub(crate) async fn resume(&mut self) {
        let here = |name: &str| self.directory.path().join(name).display().to_string();
        let process = Command::new(program(&["mariadbd", "mysqld"]).unwrap())
            .arg("--no-defaults")
            // In a shared directory, two servers that start together delete each other's temporary tables.
            .arg(format!("--tmpdir={}", here("data")))
            .args(as_root())
            .arg(format!("--datadir={}", here("data")))
            .arg(format!("--socket={}", self.socket().display()))
            .arg(format!("--port={}", self.port))
            .arg(format!("--ssl-ca={}", here("ca.pem")))
            .arg(format!("--ssl-cert={}", here("cert.pem")))
            .arg(format!("--ssl-key={}", here("key.pem")))
            .args([
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--skip-log-bin",
                "--performance-schema=OFF",
            ])
            .args(["--innodb-buffer-pool-size=8M", "--innodb-flush-log-at-trx-commit=0"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        self.process = Some(process);
        let ready = async {
            while self.root("").connect().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let ready = tokio::time::timeout(START_DEADLINE, ready).await;
        let log = || std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        assert!(ready.is_ok(), "MariaDB does not start:\n{}", log());
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        // A clean end removes it; the tests want to see that too.
        std::fs::remove_file(self.socket()).ok();
    }

    /// Stops it from doing anything, while the kernel still takes connections for it.
    ///
    /// Returns once every thread stands still: on a busy machine they go on for a while after the signal.
    pub(crate) async fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let stopped = async {
            while !self.stands_still() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(START_DEADLINE, stopped).await.expect("MariaDB cannot be stopped");
    }

    fn stands_still(&self) -> bool {
        let tasks = format!("/proc/{}/task", self.process.as_ref().unwrap().id());
        std::fs::read_dir(tasks).unwrap().all(|thread| {
            // A thread that has ended meanwhile has nothing to say.
            let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_none_or(|state| state.is_empty() || state.starts_with('T'))
        })
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.process.as_ref().unwrap().id().try_into().unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Makes a database from a file of `tests/fixtures/zm`, readable for [`USER`].
    pub(crate) async fn load(&self, database: &str, fixture: &str) {
        self.sql("", &format!("CREATE DATABASE `{database}`")).await;
        self.sql(database, fixture).await;
        self.sql("", &format!("GRANT SELECT ON `{database}`.* TO `{USER}`")).await;
    }

    /// Runs statements as root.
    pub(crate) async fn sql(&self, database: &str, statements: &str) {
        let mut connection = self.connection(database).await;
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// Returns a connection as root.
    pub(crate) async fn connection(&self, database: &str) -> MySqlConnection {
        self.root(database).connect().await.unwrap()
    }

    fn root(&self, database: &str) -> MySqlConnectOptions {
        let options =
            MySqlConnectOptions::new().socket(self.socket()).username("root").disable_statement_logging();
        if database.is_empty() { options } else { options.database(database) }
    }

    /// Returns its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("db.sock")
    }

    /// Returns what a `zm.conf` for that database would say, by socket.
    pub(crate) fn config(&self, database: &str) -> DatabaseConfig {
        DatabaseConfig {
            address: DatabaseAddress::Socket(self.socket()),
            user: USER.to_owned(),
            password: PASSWORD.to_owned().into(),
            name: database.to_owned(),
            tls: None,
            origin: DatabaseOrigin::default(),
        }
    }

    /// Returns the same by TCP with TLS, the server's name or address being `host`.
    pub(crate) fn tls_config(
        &self,
        database: &str,
        host: &str,
        ca: &Path,
        verify_server: bool,
    ) -> DatabaseConfig {
        DatabaseConfig {
            address: DatabaseAddress::Tcp { host: host.to_owned(), port: self.port },
            tls: Some(DatabaseTls { ca: ca.to_owned(), client: None, verify_server }),
            ..self.config(database)
        }
    }

    /// Returns the certificate of the authority that signed the server's.
    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// The server refuses to run as root unless told to.
fn as_root() -> Option<&'static str> {
    Uid::effective().is_root().then_some("--user=root")
}

fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers live in sbin, which is not on everybody's path.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/libexec".into()]);
    let places: Vec<PathBuf> = places.collect();
    names.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|path| path.is_file())
}

/// Writes a CA, and a certificate for 127.0.0.1.
fn certificates(directory: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    std::fs::write(directory.join("ca.pem"), ca_pem).unwrap();
    std::fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
}
