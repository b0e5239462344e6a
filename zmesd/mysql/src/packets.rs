//! The packets of a login: three bytes of length, one of number, the content.

use std::io;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The only login method that is supported here.
pub(super) const PLUGIN: &str = "caching_sha2_password";
/// Longest packet that is read, in bytes: an RSA key of 8192 bits takes 1.5 KiB.
const MAX_PACKET: usize = 16 * 1024;
/// Bytes of a challenge.
const NONCE: usize = 20;
/// `CLIENT_LONG_PASSWORD`, `CLIENT_PROTOCOL_41`, `CLIENT_SECURE_CONNECTION`, `CLIENT_PLUGIN_AUTH`.
const CAPABILITIES: u32 = 0x0000_0001 | 0x0000_0200 | 0x0000_8000 | 0x0008_0000;
/// `utf8mb4_general_ci`
const CHARSET: u8 = 45;

/// What a login goes over.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection with the number of the next packet.
#[derive(Debug)]
pub(super) struct Stream<S> {
    inner: S,
    number: u8,
}

impl<S: Io> Stream<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, number: 0 }
    }

    pub(super) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let [a, b, c, number] = {
            let mut head = [0; 4];
            self.inner.read_exact(&mut head).await?;
            head
        };
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if length > MAX_PACKET {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet is too long for a login"));
        }
        self.number = number.wrapping_add(1);
        let mut content = vec![0; length];
        self.inner.read_exact(&mut content).await?;
        Ok(content)
    }

    pub(super) async fn send(&mut self, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).ok().filter(|length| *length < 1 << 24);
        let [a, b, c, _] = length.ok_or(io::ErrorKind::InvalidInput)?.to_le_bytes();
        let mut packet = vec![a, b, c, self.number];
        packet.extend_from_slice(content);
        self.inner.write_all(&packet).await?;
        self.inner.flush().await
    }
}

/// `Protocol::HandshakeV10`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    version: String,
    plugin: String,
    pub(super) nonce: Vec<u8>,
}

impl Greeting {
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let rest = packet.strip_prefix(&[10])?;
        let (version, rest) = text(rest)?;
        // The thread's id, then eight bytes of the challenge and a zero.
        let (_, rest) = rest.split_at_checked(4)?;
        let (first, rest) = rest.split_at_checked(8)?;
        // Zero, capabilities, charset, status, capabilities, length of the challenge, ten reserved.
        let (_, rest) = rest.split_at_checked(1 + 2 + 1 + 2 + 2 + 1 + 10)?;
        let (second, rest) = rest.split_at_checked(13)?;
        let (plugin, _) = text(rest)?;
        let mut nonce = [first, second].concat();
        nonce.truncate(NONCE);
        Some(Self { version, plugin, nonce })
    }

    /// Says whether an account there may use [`PLUGIN`]. MariaDB has it as an option, but then says so.
    pub(super) fn may_cache(&self) -> bool {
        self.plugin == PLUGIN || !self.version.contains("MariaDB")
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Done,
    Refused,
    /// The account uses that method.
    Switch {
        plugin: String,
        nonce: Vec<u8>,
    },
    /// The password was in the cache.
    Known,
    /// It was not: the password itself is wanted.
    Unknown,
}

impl Reply {
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        match packet {
            [0x00, ..] => Some(Self::Done),
            [0xff, ..] => Some(Self::Refused),
            [0x01, 0x03] => Some(Self::Known),
            [0x01, 0x04] => Some(Self::Unknown),
            [0xfe, rest @ ..] => {
                let (plugin, nonce) = text(rest)?;
                Some(Self::Switch { plugin, nonce: nonce.get(..NONCE)?.to_vec() })
            }
            _ => None,
        }
    }
}

/// `Protocol::HandshakeResponse41`
pub(super) fn response(user: &str, scramble: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(128);
    packet.extend_from_slice(&CAPABILITIES.to_le_bytes());
    packet.extend_from_slice(&(1_u32 << 24).to_le_bytes());
    packet.push(CHARSET);
    packet.extend_from_slice(&[0; 23]);
    packet.extend_from_slice(user.as_bytes());
    packet.push(0);
    packet.push(u8::try_from(scramble.len()).unwrap_or_default());
    packet.extend_from_slice(scramble);
    packet.extend_from_slice(PLUGIN.as_bytes());
    packet.push(0);
    packet
}

/// SHA256(password) XOR SHA256(SHA256(SHA256(password)) nonce); nothing for no password.
pub(super) fn scramble(password: &SecretString, nonce: &[u8]) -> Vec<u8> {
    let password = password.expose_secret();
    if password.is_empty() {
        return Vec::new();
    }
    let first = Sha256::digest(password);
    let second = Sha256::digest(first);
    let mask = Sha256::new().chain_update(second).chain_update(nonce).finalize();
    first.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

/// Splits off a text that ends with a zero.
fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((String::from_utf8_lossy(text).into_owned(), rest.get(1..)?))
}
