//! The first login of an account with `caching_sha2_password` where there is no TLS.
//!
//! A MySQL server keeps such an account's password only as a hash that no challenge can be answered with. Until it has
//! seen the password once since its start (then it is in the server's cache, and the fast way works), it wants the
//! password itself: over a socket as it is, over TCP without TLS encrypted with the server's RSA key. sqlx does neither:
//! it asks for a key on the socket too, which the server takes for a wrong password, and its RSA needs the crate `rsa`
//! (RUSTSEC-2023-0071). So that login is done here, once, and the connection thrown away; sqlx then logs in the fast way.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sqlx::mysql::MySqlConnectOptions;
//! use zmes_shared::database::ServerAddress;
//!
//! let place = ServerAddress::Tcp("db.example.org".to_owned(), 3306);
//! let options = MySqlConnectOptions::new().host("db.example.org").username("zmuser").password("secret");
//! let connection = zmes_mysql::connect(&options, &place, "zmuser", &"secret".into()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! MySQL Reference Manual 8.4.1.2 "Caching SHA-2 Pluggable Authentication"; for the packets "Connection Phase",
//! `Protocol::HandshakeV10` and `Protocol::HandshakeResponse41` of the MySQL Source Code Documentation.

#![warn(missing_docs)]

mod packets;

use std::io;

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError};
use sqlx::{ConnectOptions, MySqlConnection};
use tokio::net::{TcpStream, UnixStream};

use self::packets::{Greeting, PLUGIN, Reply, Stream};
use zmes_shared::database::ServerAddress;

/// Asks for the server's RSA key.
const KEY_REQUEST: u8 = 0x02;

/// Why there was no first login; for the log alone, because what sqlx said before is what counts.
#[derive(Debug, thiserror::Error)]
enum FirstLoginError {
    /// The connection broke, or could not be made.
    #[error("connection failed")]
    Io(#[from] io::Error),
    /// Another login method.
    #[error("the account does not use caching_sha2_password")]
    OtherPlugin,
    /// The server says no.
    #[error("refused")]
    Refused,
    /// The server's packet is not allowed at this point.
    #[error("unexpected packet")]
    Unexpected,
    /// It is none, or of another kind.
    #[error("the server's RSA key cannot be used")]
    Key,
}

/// Opens one connection, with a first login where sqlx could not do it. The options must be for this place and account. The
/// caller bounds the time.
///
/// # Errors
///
/// What sqlx said.
pub async fn connect(
    options: &MySqlConnectOptions,
    place: &ServerAddress,
    user: &str,
    password: &SecretString,
) -> Result<MySqlConnection, sqlx::Error> {
    let error = match options.connect().await {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    if may_help(&error, place) {
        match perform(place, user, password).await {
            Ok(()) => return options.connect().await,
            // What sqlx said is what counts.
            Err(reason) => tracing::debug!(%place, %reason, "no first login"),
        }
    }
    Err(error)
}

/// Says whether this failure may be sqlx's own: no key for TCP, or a key where a socket wants the password.
fn may_help(error: &sqlx::Error, place: &ServerAddress) -> bool {
    match (error, place) {
        (sqlx::Error::Configuration(cause), ServerAddress::Tcp(..)) => cause.to_string().contains("RSA"),
        (sqlx::Error::Database(refusal), ServerAddress::Socket(_)) => {
            let number = refusal.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
            number == Some(1045)
        }
        _ => false,
    }
}

/// Logs in, so that the server knows the account's password, and hangs up.
async fn perform(place: &ServerAddress, user: &str, password: &SecretString) -> Result<(), FirstLoginError> {
    match place {
        ServerAddress::Socket(path) => {
            let mut stream = Stream::new(UnixStream::connect(path).await?);
            log_in(&mut stream, user, password, Channel::Socket).await
        }
        ServerAddress::Tcp(host, port) => {
            let mut stream = Stream::new(TcpStream::connect((host.as_str(), *port)).await?);
            log_in(&mut stream, user, password, Channel::Net).await
        }
    }
}

/// What the connection goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    /// A socket of this machine, where a server takes the password as it is.
    Socket,
    /// TCP, where it has to be encrypted.
    Net,
}

async fn log_in<S: packets::Io>(
    stream: &mut Stream<S>,
    user: &str,
    password: &SecretString,
    channel: Channel,
) -> Result<(), FirstLoginError> {
    let greeting = Greeting::parse(&stream.receive().await?).ok_or(FirstLoginError::Unexpected)?;
    if !greeting.may_cache() {
        return Err(FirstLoginError::OtherPlugin);
    }
    let mut nonce = greeting.nonce;
    stream.send(&packets::response(user, &packets::scramble(password, &nonce))).await?;
    // A server that keeps asking must not keep us here.
    for _ in 0..4 {
        match Reply::parse(&stream.receive().await?).ok_or(FirstLoginError::Unexpected)? {
            Reply::Done => return Ok(()),
            Reply::Refused => return Err(FirstLoginError::Refused),
            Reply::Switch { plugin, nonce: new } => {
                if plugin != PLUGIN {
                    return Err(FirstLoginError::OtherPlugin);
                }
                nonce = new;
                stream.send(&packets::scramble(password, &nonce)).await?;
            }
            Reply::Known => {}
            Reply::Unknown => full(stream, password, &nonce, channel).await?,
        }
    }
    Err(FirstLoginError::Unexpected)
}

async fn full<S: packets::Io>(
    stream: &mut Stream<S>,
    password: &SecretString,
    nonce: &[u8],
    channel: Channel,
) -> Result<(), FirstLoginError> {
    let mut clear = password.expose_secret().as_bytes().to_vec();
    clear.push(0);
    if channel == Channel::Socket {
        return Ok(stream.send(&clear).await?);
    }
    stream.send(&[KEY_REQUEST]).await?;
    let answer = stream.receive().await?;
    let key = answer.strip_prefix(&[0x01]).ok_or(FirstLoginError::Unexpected)?;
    let mixed: Vec<u8> = clear.iter().zip(nonce.iter().cycle()).map(|(byte, nonce)| byte ^ nonce).collect();
    let encrypted = encrypt(key, &mixed).ok_or(FirstLoginError::Key)?;
    Ok(stream.send(&encrypted).await?)
}

/// RSA with OAEP and SHA-1, as the server wants it; `key` is PEM.
fn encrypt(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(key).ok()?;
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&der).ok()?).ok()?;
    let mut encrypted = vec![0; key.ciphertext_size()];
    let length = key.encrypt(&OAEP_SHA1_MGF1SHA1, text, &mut encrypted, None).ok()?.len();
    encrypted.truncate(length);
    Some(encrypted)
}

#[cfg(test)]
mod tests;
