//! A real MariaDB of its own for a test: own directory, own socket and port, gone when the test ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, Uid};
use secrecy::SecretString;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, MySqlConnection};
use tempfile::TempDir;
use zmes_cluster::schema::{Account, Plan};
use zmes_cluster::{LedgerLine, LedgerServer};

/// The schema of the ledger.
pub(crate) const SCHEMA: &str = "zmesd";
/// The account of the nodes.
pub(crate) const USER: &str = "zmesd";
/// Its password.
pub(crate) const PASSWORD: &str = "planted-ledger-password";
/// Time for the server to come up on a busy machine.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// The server; dropped, it is killed and its files vanish.
pub(crate) struct MariaDb {
    directory: TempDir,
    pub(crate) port: u16,
    process: Option<Child>,
    /// Commits survive a crash; else they are quick.
    is_durable: bool,
}

impl MariaDb {
    /// Starts a server without a ledger; `None` where MariaDB is not installed, unless a CI runs the tests.
    pub(crate) async fn bare() -> Option<Self> {
        let Some(installer) = program("mariadb-install-db") else {
            assert!(std::env::var_os("CI").is_none(), "MariaDB is not installed (Debian: mariadb-server)");
            eprintln!("SKIPPED: MariaDB is not installed (Debian: mariadb-server); nothing was shown");
            return None;
        };
        let directory = TempDir::new().unwrap();
        copy(&template(&installer), &directory.path().join("data"));
        // Free now; whoever takes it before the server does makes the start fail visibly.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { directory, port, process: None, is_durable: false };
        server.resume().await;
        Some(server)
    }

    /// Starts a server with a ledger, and an account for it.
    pub(crate) async fn start() -> Option<Self> {
        let server = Self::bare().await?;
        let mut admin = server.admin();
        Plan::make(&mut admin, SCHEMA, &account()).await.unwrap().run(&mut admin).await.unwrap();
        Some(server)
    }

    /// The same, whose commits survive a crash.
    pub(crate) async fn durable() -> Option<Self> {
        let mut server = Self::start().await?;
        server.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1").await;
        server.is_durable = true;
        Some(server)
    }

    /// Starts it again.
    pub(crate) async fn resume(&mut self) {
        let here = |name: &str| self.directory.path().join(name).display().to_string();
        let process = Command::new(program("mariadbd").unwrap())
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"])
            .args(["--performance-schema=OFF", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M"])
            .arg(format!("--innodb-flush-log-at-trx-commit={}", u8::from(self.is_durable)))
            .arg("--skip-ssl")
            .args([format!("--datadir={}", here("data")), format!("--tmpdir={}", here("data"))])
            .args([format!("--socket={}", self.socket().display()), format!("--port={}", self.port)])
            .args(as_root())
            .stdout(Stdio::null())
            .stderr(File::create(self.directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        self.process = Some(process);
        let ready = async {
            while self.root().connect().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let ready = tokio::time::timeout(START_DEADLINE, ready).await;
        let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        assert!(ready.is_ok(), "MariaDB does not start:\n{}", log());
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops it from doing anything, while the kernel still takes connections for it.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        // On a busy machine its threads may run on for a moment.
        let options = Some(WaitPidFlag::WUNTRACED);
        assert!(matches!(waitpid(self.pid(), options), Ok(WaitStatus::Stopped(..))));
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.as_ref().unwrap().id().try_into().unwrap())
    }

    /// Runs statements as root in the ledger.
    pub(crate) async fn sql(&self, statements: &str) {
        let mut connection = self.connection().await;
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// Returns the number that a query in the ledger finds.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        let mut connection = self.connection().await;
        let query = format!("SELECT CAST(({query}) AS SIGNED)");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap()
    }

    /// Returns a connection as root, in the ledger.
    pub(crate) async fn connection(&self) -> MySqlConnection {
        self.root().database(SCHEMA).connect().await.unwrap()
    }

    fn root(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new().socket(self.socket()).username("root").disable_statement_logging()
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("db.sock")
    }

    /// Returns a line of an administrator, in no schema.
    pub(crate) fn admin(&self) -> LedgerLine {
        let server = LedgerServer::socket(&self.socket(), "root", &SecretString::default());
        LedgerLine::new(Arc::new(server), Duration::from_secs(20))
    }

    /// Returns a line of a node, by TCP.
    pub(crate) fn line(&self) -> LedgerLine {
        Self::line_by(self.port)
    }

    /// Returns a line of a node by that port: a proxy's.
    pub(crate) fn line_by(port: u16) -> LedgerLine {
        Self::line_within(port, Duration::from_secs(5))
    }

    /// Returns a line of a node by that port, whose calls take this long at most.
    pub(crate) fn line_within(port: u16, deadline: Duration) -> LedgerLine {
        let server = LedgerServer::tcp("127.0.0.1", port, USER, &PASSWORD.into()).with_schema(SCHEMA);
        LedgerLine::new(Arc::new(server), deadline)
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The account of the nodes.
pub(crate) fn account() -> Account {
    Account { user: USER.to_owned(), host: "127.0.0.1".to_owned(), password: Some(PASSWORD.into()) }
}

/// Makes the files of a new server once for all tests.
fn template(installer: &Path) -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let finished = base.join("cluster-mariadb");
    let lock = File::create(base.join("cluster-mariadb.lock")).unwrap();
    lock.lock().unwrap();
    if !finished.exists() {
        let made = base.join("cluster-mariadb.new");
        drop(fs::remove_dir_all(&made));
        let outcome = Command::new(installer)
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--innodb-log-file-size=4M"])
            .args([format!("--datadir={}", made.display()), format!("--tmpdir={}", base.display())])
            .args(as_root())
            .output()
            .unwrap();
        assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
        fs::rename(&made, &finished).unwrap();
    }
    finished
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").args(["-a", "--reflink=auto"]).args([from, to]).status().unwrap();
    assert!(status.success(), "cannot copy {}", from.display());
}

/// The server refuses to run as root unless told to.
fn as_root() -> Option<&'static str> {
    Uid::effective().is_root().then_some("--user=root")
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers live in sbin, which is not on everybody's path.
    let mut places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/libexec".into()]);
    places.find_map(|place: PathBuf| Some(place.join(name)).filter(|path| path.is_file()))
}
