//! How an app's server authenticates to Apple: a signing key, or a certificate in the formats that people use.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use super::authority::Authority;

/// A client's certificate with its key, as files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// PEM file of the certificate.
    pub certificate: PathBuf,
    /// PEM file of the key.
    pub key: PathBuf,
    pub(super) der: Vec<u8>,
    directory: PathBuf,
}

impl Identity {
    /// Creates one for an app, signed by `authority`.
    pub(super) fn write(authority: &Authority, topic: &str) -> Result<Self> {
        let signed = authority.sign_client(&format!("Apple Push Services: {topic}"))?;
        let certificate = authority.path("apns.pem");
        fs::write(&certificate, signed.certificate.pem())?;
        let key = authority.write_secret("apns-key.pem", signed.key.serialize_pem().as_bytes())?;
        let der = signed.certificate.der().to_vec();
        Ok(Self { certificate, key, der, directory: authority.directory().to_path_buf() })
    }

    /// Writes both to one .p12, as OpenSSL creates it today (PBES2, AES-256), replacing the previous one.
    pub fn p12(&self, password: &str) -> Result<PathBuf> {
        self.export("apns.p12", password, &[])
    }

    /// Writes both to one .p12, as the macOS Keychain exports it: RC2-40 and 3DES.
    pub fn legacy_p12(&self, password: &str) -> Result<PathBuf> {
        self.export("apns-legacy.p12", password, &["-legacy"])
    }

    fn export(&self, name: &str, password: &str, more: &[&str]) -> Result<PathBuf> {
        let path = self.directory.join(name);
        let output = Command::new("openssl")
            .args(["pkcs12", "-export", "-name", "Apple Push Services", "-passout"])
            .arg(format!("pass:{password}"))
            .args(more)
            .arg("-inkey")
            .arg(&self.key)
            .arg("-in")
            .arg(&self.certificate)
            .arg("-out")
            .arg(&path)
            .output()
            .context("the program openssl")?;
        ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
        Ok(path)
    }
}

/// An Apple signing key: ES256, in a .p8.
#[derive(Debug)]
pub(super) struct SigningKey {
    pub(super) path: PathBuf,
    pub(super) public_key: String,
}

impl SigningKey {
    /// Creates one and writes `AuthKey_<id>.p8`.
    pub(super) fn write(authority: &Authority, key_id: &str) -> Result<Self> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let name = format!("AuthKey_{key_id}.p8");
        let path = authority.write_secret(&name, pair.serialize_pem().as_bytes())?;
        Ok(Self { path, public_key: pair.public_key_pem() })
    }
}
