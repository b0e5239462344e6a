//! A server's side of the first login, byte by byte.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

const CHALLENGE: &[u8; 20] = b"abcdefgh0123456789ij";

/// Greets as MySQL 8.4 does.
fn greeting(version: &str, plugin: &str) -> Vec<u8> {
    let mut packet = vec![10];
    packet.extend_from_slice(version.as_bytes());
    packet.extend_from_slice(b"\0\x07\0\0\0");
    packet.extend_from_slice(&CHALLENGE[..8]);
    // Zero, capabilities, charset, status, capabilities, length of the challenge, reserved.
    packet.extend_from_slice(b"\0\xff\xf7\xff\x02\0\xff\xdf\x15");
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(&CHALLENGE[8..]);
    packet.push(0);
    packet.extend_from_slice(plugin.as_bytes());
    packet.push(0);
    packet
}

struct Server(DuplexStream);

impl Server {
    async fn send(&mut self, number: u8, content: &[u8]) {
        let length = u8::try_from(content.len() % 256).unwrap();
        let more = u8::try_from(content.len() / 256).unwrap();
        self.0.write_all(&[length, more, 0, number]).await.unwrap();
        self.0.write_all(content).await.unwrap();
    }

    async fn receive(&mut self, number: u8) -> Vec<u8> {
        let mut head = [0; 4];
        self.0.read_exact(&mut head).await.unwrap();
        assert_eq!(head[3], number, "packets are counted");
        let mut content = vec![0; usize::from(head[0]) + 256 * usize::from(head[1])];
        self.0.read_exact(&mut content).await.unwrap();
        content
    }
}

async fn attempt<F: Future<Output = ()>>(
    channel: Channel,
    server: impl FnOnce(Server) -> F,
) -> Result<(), FirstLoginError> {
    let (near, far) = tokio::io::duplex(4096);
    let client = async {
        let mut stream = Stream::new(near);
        log_in(&mut stream, "zmuser", &"s3cret".into(), channel).await
    };
    tokio::join!(client, server(Server(far))).0
}

#[tokio::test]
async fn over_a_socket_the_password_goes_as_it_is() {
    attempt(Channel::Socket, async |mut server| {
        server.send(0, &greeting("8.4.3", PLUGIN)).await;
        let response = server.receive(1).await;
        let user = response.get(32..39).unwrap();
        assert_eq!(user, b"zmuser\0");
        assert_eq!(response.get(39), Some(&32), "a scramble of SHA-256");
        assert!(response.ends_with(b"caching_sha2_password\0"));
        server.send(2, &[0x01, 0x04]).await;
        assert_eq!(server.receive(3).await, b"s3cret\0");
        server.send(4, b"\0\0\0\x02\0\0\0").await;
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn over_tcp_it_is_encrypted_with_the_servers_key() {
    let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let der: PublicKeyX509Der<'_> = private.public_key().as_der().unwrap();
    let public = pem::encode(&pem::Pem::new("PUBLIC KEY", der.as_ref()));
    attempt(Channel::Net, async |mut server| {
        server.send(0, &greeting("9.7.0", PLUGIN)).await;
        server.receive(1).await;
        server.send(2, &[0x01, 0x04]).await;
        assert_eq!(server.receive(3).await, [0x02]);
        server.send(4, &[b"\x01", public.as_bytes()].concat()).await;
        let encrypted = server.receive(5).await;
        let key = OaepPrivateDecryptingKey::new(private).unwrap();
        let mut text = vec![0; key.min_output_size()];
        let mixed = key.decrypt(&OAEP_SHA1_MGF1SHA1, &encrypted, &mut text, None).unwrap();
        let clear: Vec<u8> = mixed.iter().zip(CHALLENGE.iter().cycle()).map(|(a, b)| a ^ b).collect();
        assert_eq!(clear, b"s3cret\0");
        server.send(6, b"\0\0\0\x02\0\0\0").await;
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_account_that_is_switched_to_it_is_served_and_others_are_left_alone() {
    let switch = |plugin: &str| [b"\xfe", plugin.as_bytes(), b"\0AAAAAAAAAAAAAAAAAAAA\0"].concat();
    attempt(Channel::Socket, async |mut server| {
        server.send(0, &greeting("8.0.36", "mysql_native_password")).await;
        server.receive(1).await;
        server.send(2, &switch(PLUGIN)).await;
        assert_eq!(server.receive(3).await, packets::scramble(&"s3cret".into(), &[b'A'; 20]));
        server.send(4, &[0x01, 0x03]).await;
        server.send(5, b"\0\0\0\x02\0\0\0").await;
    })
    .await
    .unwrap();
    let other = attempt(Channel::Socket, async |mut server| {
        server.send(0, &greeting("8.0.36", PLUGIN)).await;
        server.receive(1).await;
        server.send(2, &switch("mysql_native_password")).await;
    })
    .await;
    assert!(matches!(other, Err(FirstLoginError::OtherPlugin)), "{other:?}");
    let mariadb = attempt(Channel::Socket, async |mut server| {
        server.send(0, &greeting("5.5.5-10.11.6-MariaDB", "mysql_native_password")).await;
    })
    .await;
    assert!(matches!(mariadb, Err(FirstLoginError::OtherPlugin)), "{mariadb:?}");
}

#[tokio::test]
async fn whatever_a_server_says_ends_the_attempt() {
    for answer in [&b"\xff\x15\x04#28000no"[..], b"\x09", b"", b"\xfe"] {
        let refused = attempt(Channel::Net, async |mut server| {
            server.send(0, &greeting("8.4.3", PLUGIN)).await;
            server.receive(1).await;
            server.send(2, answer).await;
        })
        .await;
        assert!(refused.is_err(), "{answer:?}");
    }
    let bad_key = attempt(Channel::Net, async |mut server| {
        server.send(0, &greeting("8.4.3", PLUGIN)).await;
        server.receive(1).await;
        server.send(2, &[0x01, 0x04]).await;
        server.receive(3).await;
        server.send(4, b"\x01-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").await;
    })
    .await;
    assert!(matches!(bad_key, Err(FirstLoginError::Key)), "{bad_key:?}");
    let nonsense =
        attempt(Channel::Net, async |mut server| server.send(0, b"HTTP/1.1 400 Bad Request").await).await;
    assert!(matches!(nonsense, Err(FirstLoginError::Unexpected)), "{nonsense:?}");
}
