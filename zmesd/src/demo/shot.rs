//! Loads a picture by an alarm's link, as a phone does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Maximum length of an answer in bytes.
const LONGEST: u64 = 8 << 20;
const SCHEME: &str = "https://";

/// Returns the picture that a link opens, from the daemon at this address.
pub(super) async fn load(link: &str, address: SocketAddr, tls: Arc<ClientConfig>) -> io::Result<Vec<u8>> {
    let path = link.strip_prefix(SCHEME).and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)));
    let path = path.ok_or_else(|| io::Error::other("the link has no path"))?;
    let tcp = TcpStream::connect(address).await?;
    let mut stream = TlsConnector::from(tls).connect(ServerName::from(address.ip()), tcp).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::other("the answer is cut off"))?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        let status: Vec<u8> = answer.into_iter().take_while(|byte| *byte != b'\r').collect();
        return Err(io::Error::other(String::from_utf8_lossy(&status).into_owned()));
    }
    Ok(answer.split_off(end + 4))
}
