//! A stand-in for MySQL 8 without TLS: it logs clients in with `caching_sha2_password` as MySQL's documentation says, and
//! behind the login hands the connection to a real MariaDB.
//!
//! No MySQL server is in Debian. So that this one is right is shown by another client, MariaDB's own
//! (`accounts::mariadbs_own_client_logs_in_too`). Written after "Connection Phase", `Protocol::HandshakeV10`,
//! `Protocol::HandshakeResponse41` and `caching_sha2_password` of the MySQL Source Code Documentation.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinSet;

const PLUGIN: &[u8] = b"caching_sha2_password\0";
const CHALLENGE: &[u8; 20] = b"abcdefgh0123456789ij";
const CONNECT_WITH_DB: u32 = 0x8;
const COMPRESS: u32 = 0x20;
const SSL: u32 = 0x800;
const CONNECT_ATTRS: u32 = 0x10_0000;
const DENIED: &[u8] = b"\xff\x15\x04#28000Access denied for user 'zmuser'@'localhost' (using password: YES)";

/// The stand-in; it ends when dropped.
pub(crate) struct MySql {
    core: Arc<Core>,
    port: u16,
    socket: PathBuf,
    _tasks: JoinSet<()>,
}

struct Core {
    directory: PathBuf,
    backend: PathBuf,
    password: String,
    /// The account's hash is in the cache: its password has been seen.
    cached: AtomicBool,
    full: AtomicUsize,
}

impl MySql {
    /// Listens on TCP and on a socket; `backend` is MariaDB's socket, where root needs no password.
    pub(crate) async fn start(directory: &Path, backend: PathBuf, password: &str) -> Result<Self> {
        let directory = directory.join("mysql");
        std::fs::create_dir(&directory)?;
        openssl(&directory, "genrsa -out private.pem 2048", b"")?;
        openssl(&directory, "pkey -in private.pem -pubout -out public.pem", b"")?;
        let socket = directory.join("sock");
        let (tcp, unix) = (TcpListener::bind("127.0.0.1:0").await?, UnixListener::bind(&socket)?);
        let port = tcp.local_addr()?.port();
        let (password, cached, full) = (password.to_owned(), AtomicBool::new(false), AtomicUsize::new(0));
        let core = Arc::new(Core { directory, backend, password, cached, full });
        let mut tasks = JoinSet::new();
        let own = Arc::clone(&core);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = tcp.accept().await {
                let core = Arc::clone(&own);
                connections.spawn(async move { core.serve(stream, false).await.ok() });
            }
        });
        let own = Arc::clone(&core);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = unix.accept().await {
                let core = Arc::clone(&own);
                connections.spawn(async move { core.serve(stream, true).await.ok() });
            }
        });
        Ok(Self { core, port, socket, _tasks: tasks })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Forgets all passwords, as a restart or FLUSH PRIVILEGES does.
    pub(crate) fn forget(&self) {
        self.core.cached.store(false, Ordering::SeqCst);
    }

    /// Returns how many times a password was handed over and right.
    pub(crate) fn full_logins(&self) -> usize {
        self.core.full.load(Ordering::SeqCst)
    }
}

impl Core {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, mut client: S, local: bool) -> Result<()> {
        let mut backend = UnixStream::connect(&self.backend).await?;
        let greeting = receive(&mut backend).await?;
        let capabilities = capabilities_of(&greeting)? & !(SSL | COMPRESS | CONNECT_ATTRS);
        send(&mut client, 0, &greet(capabilities)).await?;
        let response = receive(&mut client).await?;
        let login = Login::parse(&response)?;
        let Some(number) = self.authenticate(&mut client, &login, local).await? else { return Ok(()) };
        send(&mut backend, 1, &login.as_root()).await?;
        let mut answer = receive(&mut backend).await?;
        if answer.starts_with(&[0xfe]) {
            send(&mut backend, 3, b"").await?;
            answer = receive(&mut backend).await?;
        }
        ensure!(answer.starts_with(&[0]), "MariaDB refuses root");
        send(&mut client, number, &answer).await?;
        copy_bidirectional(&mut client, &mut backend).await?;
        Ok(())
    }

    /// Returns the number of the OK packet; `None`: the login was refused.
    async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        client: &mut S,
        login: &Login,
        local: bool,
    ) -> Result<Option<u8>> {
        if self.cached.load(Ordering::SeqCst) {
            if login.scramble != scramble(&self.password) {
                send(client, 2, DENIED).await?;
                return Ok(None);
            }
            send(client, 2, &[0x01, 0x03]).await?;
            return Ok(Some(3));
        }
        send(client, 2, &[0x01, 0x04]).await?;
        let mut said = receive(client).await?;
        let mut number = 4;
        if !local {
            // Without TLS the password may not come as it is.
            ensure!(said == [0x02], "no request for the key: {} bytes", said.len());
            let key = std::fs::read(self.directory.join("public.pem"))?;
            send(client, 4, &[&b"\x01"[..], &key].concat()).await?;
            said = self.decrypt(&receive(client).await?)?;
            number = 6;
        }
        if said != [self.password.as_bytes(), b"\0"].concat() {
            send(client, number, DENIED).await?;
            return Ok(None);
        }
        self.cached.store(true, Ordering::SeqCst);
        self.full.fetch_add(1, Ordering::SeqCst);
        Ok(Some(number))
    }

    fn decrypt(&self, encrypted: &[u8]) -> Result<Vec<u8>> {
        let arguments = "pkeyutl -decrypt -inkey private.pem -pkeyopt rsa_padding_mode:oaep";
        let mixed = openssl(&self.directory, arguments, encrypted)?;
        Ok(mixed.iter().zip(CHALLENGE.iter().cycle()).map(|(byte, nonce)| byte ^ nonce).collect())
    }
}

/// `Protocol::HandshakeResponse41`
struct Login {
    head: Vec<u8>,
    capabilities: u32,
    scramble: Vec<u8>,
    database: Vec<u8>,
}

impl Login {
    fn parse(packet: &[u8]) -> Result<Self> {
        let (head, rest) = packet.split_at_checked(32).context("a short login")?;
        let capabilities = u32::from_le_bytes(head.get(..4).context("no capabilities")?.try_into()?);
        let (_user, rest) = text(rest)?;
        let (length, rest) = rest.split_first().context("no answer")?;
        let (scramble, rest) = rest.split_at_checked(usize::from(*length)).context("a short answer")?;
        let database = if capabilities & CONNECT_WITH_DB == 0 { Vec::new() } else { text(rest)?.0.to_vec() };
        Ok(Self { head: head.to_vec(), capabilities, scramble: scramble.to_vec(), database })
    }

    /// The same login, as root without a password.
    fn as_root(&self) -> Vec<u8> {
        // Clients announce attributes that they then do not send, because the greeting does not offer them.
        let [a, b, c, d] = (self.capabilities & !(SSL | COMPRESS | CONNECT_ATTRS)).to_le_bytes();
        let rest = self.head.get(4..).unwrap_or_default();
        let mut packet = [&[a, b, c, d], rest, b"root\0\0"].concat();
        if self.capabilities & CONNECT_WITH_DB != 0 {
            packet.extend_from_slice(&self.database);
            packet.push(0);
        }
        packet.extend_from_slice(b"mysql_native_password\0");
        packet
    }
}

/// `Protocol::HandshakeV10`
fn greet(capabilities: u32) -> Vec<u8> {
    let [a, b, c, d] = capabilities.to_le_bytes();
    let mut packet = b"\x0a8.4.3\0\x07\0\0\0".to_vec();
    packet.extend_from_slice(&CHALLENGE[..8]);
    packet.extend_from_slice(&[0, a, b, 0xff, 2, 0, c, d, 21]);
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(&CHALLENGE[8..]);
    packet.push(0);
    packet.extend_from_slice(PLUGIN);
    packet
}

fn capabilities_of(greeting: &[u8]) -> Result<u32> {
    let (_version, rest) = text(greeting.get(1..).context("an empty greeting")?)?;
    match rest.get(4 + 8 + 1..) {
        Some([a, b, _charset, _, _, c, d, ..]) => Ok(u32::from_le_bytes([*a, *b, *c, *d]) | 1),
        Some(_) | None => bail!("a short greeting"),
    }
}

fn scramble(password: &str) -> Vec<u8> {
    let first = Sha256::digest(password);
    let mask = Sha256::new().chain_update(Sha256::digest(first)).chain_update(CHALLENGE).finalize();
    first.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

fn text(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0).context("an endless text")?;
    Ok((bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default()))
}

async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [a, b, c, _] = head;
    let mut content = vec![0; usize::try_from(u32::from_le_bytes([a, b, c, 0]))?];
    stream.read_exact(&mut content).await?;
    Ok(content)
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), number: u8, content: &[u8]) -> Result<()> {
    let [a, b, c, _] = u32::try_from(content.len())?.to_le_bytes();
    stream.write_all(&[&[a, b, c, number], content].concat()).await?;
    Ok(stream.flush().await?)
}

fn openssl(directory: &Path, arguments: &str, input: &[u8]) -> Result<Vec<u8>> {
    use std::io::Write;
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn()?;
    child.stdin.take().context("no pipe")?.write_all(input)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "openssl {arguments}");
    Ok(output.stdout)
}
