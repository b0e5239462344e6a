//! A MariaDB for one test: real server, own data directory, Unix socket only.
//!
//! Creating a data directory takes a second, copying one a few milliseconds. So the first test creates a template below
//! `target/tmp`, and every test copies it.

use std::fmt::Write;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use nix::unistd::Uid;

use crate::binaries::{repository, target_directory};
use crate::process::Process;
use crate::wait::{wait_until, within};

/// The version of ZoneMinder's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Schema {
    /// ZoneMinder 1.36: `Function`, `MonitorIds`.
    V1_36,
    /// ZoneMinder 1.38: `Capturing` and related columns, permission tables, roles.
    V1_38,
}

impl Schema {
    fn file(self) -> Result<PathBuf> {
        let name = match self {
            Self::V1_36 => "world-1.36.sql",
            Self::V1_38 => "world-1.38.sql",
        };
        Ok(repository()?.join("tests/fixtures/zm").join(name))
    }
}

/// Makes the server accept what OpenSSL refuses by default.
const OPENSSL: &str = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = lax\n[lax]\n\
                       MinProtocol = TLSv1\nCipherString = DEFAULT@SECLEVEL=0\n";

/// The running server.
#[derive(Debug)]
pub struct Database {
    directory: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Database {
    /// Name of ZoneMinder's database user, which may only read.
    pub const USER: &str = "zmuser";
    /// Its password. Planted: no output may contain it.
    pub const PASSWORD: &str = "planted-database-password";

    /// Copies the template into `directory` and starts the server.
    pub async fn start(directory: &Path, schema: Schema) -> Result<Self> {
        let template = template(schema).await?;
        fs::create_dir_all(directory)?;
        copy(&template, &directory.join("data"))?;
        let mut database = Self { directory: directory.to_path_buf(), arguments: Vec::new(), process: None };
        database.resume().await?;
        Ok(database)
    }

    /// Returns the path of the socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("sock")
    }

    /// Runs SQL as root in ZoneMinder's database and returns what the client prints (columns separated by tabs).
    pub async fn sql(&self, statements: &str) -> Result<String> {
        run_sql(&self.socket(), &["zm"], statements).await
    }

    /// Stops the server as a package upgrade does.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.end(Signal::SIGTERM).await?;
        }
        Ok(())
    }

    /// Starts the server again.
    pub async fn resume(&mut self) -> Result<()> {
        let process = self.process.insert(spawn(&self.directory, &self.arguments)?);
        until_up(process, &self.directory.join("sock")).await
    }

    /// Restarts the server with these additional arguments. It accepts what OpenSSL refuses by default (short keys,
    /// SHA-1, TLS 1.0), as servers from ten years ago do.
    pub async fn restart_with(&mut self, arguments: Vec<String>) -> Result<()> {
        self.stop().await?;
        self.arguments = arguments;
        self.resume().await
    }

    /// Stops answering without closing anything, as on a machine that is out of memory.
    pub async fn freeze(&self) -> Result<()> {
        let process = self.process.as_ref().context("the database is stopped")?;
        process.signal(Signal::SIGSTOP)?;
        // On a busy machine its threads run a little longer.
        wait_until("every thread of the database stands still", async || {
            for thread in fs::read_dir(format!("/proc/{}/task", process.pid()))? {
                let stat = fs::read_to_string(thread?.path().join("stat"))?;
                if !stat.rsplit(") ").next().is_some_and(|state| state.starts_with('T')) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await
    }

    /// Makes it answer again.
    pub fn thaw(&self) -> Result<()> {
        self.process.as_ref().context("the database is stopped")?.signal(Signal::SIGCONT)
    }
}

/// Returns the finished template, which the first test creates.
async fn template(schema: Schema) -> Result<PathBuf> {
    let tables = fs::read_to_string(schema.file()?).context("schema of the test database")?;
    let base = target_directory()?.join("tmp");
    fs::create_dir_all(&base)?;
    let mut hasher = DefaultHasher::new();
    (schema, &tables).hash(&mut hasher);
    let finished = base.join(format!("mariadb-{:016x}", hasher.finish()));
    // Tests are processes: a file lock keeps all but the first from creating the same template.
    let lock = File::create(base.join("mariadb.lock"))?;
    lock.lock()?;
    if !finished.exists() {
        // `target` may be too long a path for a socket (108 bytes): build elsewhere, then move.
        let scratch = tempfile::tempdir()?;
        build_template(scratch.path(), &tables).await?;
        let moved = finished.with_extension("new");
        drop(fs::remove_dir_all(&moved));
        copy(&scratch.path().join("data"), &moved)?;
        fs::rename(&moved, &finished)?;
    }
    Ok(finished)
}

async fn build_template(directory: &Path, tables: &str) -> Result<()> {
    let output = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .args(["--innodb-log-file-size=4M"])
        .arg(format!("--datadir={}", directory.join("data").display()))
        .args(as_own_user())
        .output()
        .context("mariadb-install-db (package mariadb-server)")?;
    ensure!(output.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&output.stdout));
    let mut server = spawn(directory, &[])?;
    let socket = directory.join("sock");
    until_up(&mut server, &socket).await?;
    let mut statements = String::new();
    let (user, password) = (Database::USER, Database::PASSWORD);
    writeln!(statements, "CREATE DATABASE zm CHARACTER SET utf8mb4;")?;
    writeln!(statements, "CREATE USER '{user}'@'localhost' IDENTIFIED BY '{password}';")?;
    writeln!(statements, "GRANT SELECT ON zm.* TO '{user}'@'localhost';\nUSE zm;\n{tables}")?;
    run_sql(&socket, &[], &statements).await?;
    server.end(Signal::SIGTERM).await?;
    Ok(())
}

fn spawn(directory: &Path, arguments: &[String]) -> Result<Process> {
    let path = |name: &str| directory.join(name).display().to_string();
    let mut command = Process::command("mariadbd");
    command
        .args(["--no-defaults", "--skip-networking", "--skip-name-resolve", "--skip-log-bin"])
        .args(["--performance-schema=off", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M"])
        .args(["--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4"])
        .args([format!("--datadir={}", path("data")), format!("--tmpdir={}", path("data"))])
        .args([format!("--socket={}", path("sock")), format!("--pid-file={}", path("pid"))])
        .args(arguments)
        .args(as_own_user());
    let openssl = directory.join("openssl.cnf");
    fs::write(&openssl, OPENSSL)?;
    command.env("OPENSSL_CONF", openssl);
    Ok(Process::spawn("mariadbd", &mut command, &directory.join("log"))?.quiet())
}

/// Returns the user for the server, which refuses to run as root unless told to.
fn as_own_user() -> Option<&'static str> {
    Uid::effective().is_root().then_some("--user=root")
}

async fn until_up(process: &mut Process, socket: &Path) -> Result<()> {
    wait_until("MariaDB answers", async || {
        if let Some(status) = process.exited()? {
            anyhow::bail!("mariadbd ended with {status}: {}", process.log());
        }
        Ok(run_sql(socket, &[], "SELECT 1").await.ok().map(drop))
    })
    .await
}

async fn run_sql(socket: &Path, arguments: &[&str], statements: &str) -> Result<String> {
    let mut command = tokio::process::Command::new("mariadb");
    command
        .args(["--no-defaults", "--skip-ssl", "--user=root", "--skip-column-names", "--batch"])
        .args(["--default-character-set=utf8mb4", "--execute", statements])
        .arg(format!("--socket={}", socket.display()))
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output =
        within("the database client", command.output()).await?.context("mariadb (package mariadb-client)")?;
    ensure!(output.status.success(), "{}: {statements}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").args(["-a", "--reflink=auto"]).args([from, to]).status()?;
    ensure!(status.success(), "cannot copy {} to {}", from.display(), to.display());
    Ok(())
}
