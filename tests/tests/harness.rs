//! The harness itself: the shared-memory writer against the lab's Python decoder, the database, the app client.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use zmes_tests::{
    AppClient, Certificate, Endpoint, HalfOpen, Layout, ShmFile, Validity, World, client_hello,
};

/// Returns what the lab's reference decoder reads.
fn decoded(file: &ShmFile) -> Result<Value> {
    let decoder = concat!(env!("CARGO_MANIFEST_DIR"), "/lab/zmshm.py");
    let output = Command::new("python3").args([decoder, "read", "--json"]).arg(file.path()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[tokio::test]
async fn what_the_writer_writes_is_what_the_reference_decoder_reads() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for layout in Layout::all() {
        let file = ShmFile::new(directory.path(), 7, layout);
        file.start()?;
        let idle = decoded(&file)?;
        ensure!(
            idle["size"] == layout.size && idle["valid"] == 1 && idle["signal"] == 1,
            "{layout:?}: {idle}"
        );
        ensure!(idle["state_name"] == "IDLE" || layout.size == 760, "{layout:?}: {idle}");
        file.alarm(4_000_000_000, "Motion", async || Ok(())).await?;
        let alarm = decoded(&file)?;
        ensure!(alarm["last_event"] == 4_000_000_000_u64, "{layout:?}: {alarm}");
        ensure!(alarm["state_name"] == "ALARM", "{layout:?}: {alarm}");
        ensure!(alarm["alarm_cause"] == "Motion" || layout.size == 336, "{layout:?}: {alarm}");
        ensure!(alarm["last_write_time"].as_i64() > Some(1_700_000_000), "{layout:?}: {alarm}");
        file.set_heartbeat(5)?;
        let frozen = decoded(&file)?;
        ensure!(frozen.get("heartbeat_time").is_none_or(|at| at == 5), "{layout:?}: {frozen}");
        if layout.size >= 864 {
            ensure!(frozen["recording"] == 2 && frozen["capturing"] == 3, "{layout:?}: {frozen}");
        }
        file.stop()?;
        ensure!(!file.path().exists());
    }
    Ok(())
}

#[tokio::test]
async fn a_world_has_a_database_that_stops_and_comes_back() -> Result<()> {
    let mut world = World::new().monitor(3, "Pörch \"x\"").prepare().await?;
    let names = world.database.sql("SELECT Name FROM Monitors").await?;
    assert_eq!(names, "Pörch \"x\"");
    world.alarm(3, 12).await?;
    world.database.stop().await?;
    ensure!(world.database.sql("SELECT 1").await.is_err());
    world.database.resume().await?;
    assert_eq!(world.database.sql("SELECT Id FROM Events").await?, "12");
    Ok(())
}

/// Serves one WebSocket client over TLS: echoes text, then closes with 1001.
async fn echo_once(listener: TcpListener, certificate: &Certificate) -> Result<()> {
    let key = PrivateKeyDer::from_pem_file(&certificate.key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der.clone()], key)?;
    let (tcp, _) = listener.accept().await?;
    let tls = TlsAcceptor::from(Arc::new(config)).accept(tcp).await?;
    let mut socket = tokio_tungstenite::accept_async(tls).await?;
    let frame = socket.next().await.context("nothing came")??;
    socket.send(frame).await?;
    let close = CloseFrame { code: 1001.into(), reason: "".into() };
    socket.send(Message::Close(Some(close))).await?;
    while socket.next().await.is_some() {}
    Ok(())
}

async fn toy_server(certificate: &Certificate) -> Result<(SocketAddr, impl Future<Output = Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok((listener.local_addr()?, echo_once(listener, certificate)))
}

#[tokio::test]
async fn an_app_speaks_json_over_verified_tls_and_sees_the_close_code() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let certificate = Certificate::write(directory.path(), "toy", Validity::Long)?;
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let (address, server) = toy_server(&certificate).await?;
        let endpoint = Endpoint { address, tls: Some(certificate.client(versions)?) };
        let talk = async {
            let mut app = AppClient::connect(&endpoint).await?;
            app.send(&json!({"event": "x", "more": 1})).await?;
            app.expect(&json!({"event": "x"})).await?;
            app.expect_close(1001).await
        };
        let (echo, talked) = tokio::join!(server, talk);
        talked?;
        echo?;
    }
    Ok(())
}

#[tokio::test]
async fn raw_frames_are_frames() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let certificate = Certificate::write(directory.path(), "toy", Validity::Long)?;
    let (address, server) = toy_server(&certificate).await?;
    let endpoint = Endpoint { address, tls: Some(certificate.client(rustls::ALL_VERSIONS)?) };
    let text = vec![b'x'; 70_000];
    let talk = async {
        let mut raw = HalfOpen::upgraded(&endpoint).await?;
        raw.write(&HalfOpen::text_frame(&text)).await?;
        let echoed = raw.read_frame().await?;
        ensure!(echoed == Some((1, text.clone())), "not echoed");
        ensure!(raw.closed().await? == Some(1001));
        Ok(())
    };
    let (_, talked) = tokio::join!(server, talk);
    talked
}

#[test]
fn a_client_hello_is_long_enough_to_stop_in_it() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let certificate = Certificate::write(directory.path(), "toy", Validity::Expired)?;
    let hello = client_hello(&certificate.client(rustls::ALL_VERSIONS)?)?;
    ensure!(hello.len() > 100 && hello.starts_with(&[0x16, 0x03]), "{} bytes", hello.len());
    Ok(())
}
