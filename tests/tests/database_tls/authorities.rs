//! Certificates of database servers, made with openssl as the manuals of MySQL and MariaDB make them, and by worse recipes.
//!
//! MariaDB: "Certificate Creation with OpenSSL"; MySQL Reference Manual 8.3.3.2 "Creating SSL Certificates and Keys Using
//! openssl".

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

/// A certificate of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Version 3 with the server's address.
    Good,
    /// Made as the manuals say: no extensions, so OpenSSL 3.0 makes it version 1.
    Version1,
    /// RSA of 1024 bits.
    Weak,
    /// Signed with SHA-1.
    Sha1,
    /// Over since 2001.
    Expired,
    /// For another host.
    OtherName,
    /// Issued by an unknown authority.
    OtherIssuer,
}

impl Kind {
    pub(crate) const BAD: [Self; 6] =
        [Self::Version1, Self::Weak, Self::Sha1, Self::Expired, Self::OtherName, Self::OtherIssuer];
}

/// A CA and the certificates it issues.
pub(crate) struct Authorities {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authorities {
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        let directory = directory.join("authorities");
        fs::create_dir(&directory)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Home CA");
        let key = KeyPair::generate()?;
        fs::write(directory.join("ca.pem"), params.self_signed(&key)?.pem())?;
        fs::write(directory.join("ca-key.pem"), key.serialize_pem())?;
        Ok(Self { directory, issuer: Issuer::new(params, key) })
    }

    /// Returns the CA's file.
    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// Makes a certificate and returns the server's arguments for it.
    pub(crate) fn arguments(&self, kind: Kind) -> Result<Vec<String>> {
        let request = |bits: &str| {
            let openssl =
                format!("req -newkey rsa:{bits} -nodes -subj /CN=127.0.0.1 -keyout key.pem -out request.pem");
            self.openssl(&openssl)
        };
        let issue =
            "x509 -req -in request.pem -days 365 -CA ca.pem -CAkey ca-key.pem -set_serial 01 -out cert.pem";
        let names = format!("{issue} -extfile names");
        fs::write(self.directory.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n")?;
        match kind {
            Kind::Good => self.issue(&["127.0.0.1", "localhost"], None)?,
            Kind::Expired => self.issue(&["127.0.0.1"], Some((2000, 2001)))?,
            Kind::OtherName => self.issue(&["db.example.org"], None)?,
            Kind::Version1 => {
                request("2048")?;
                self.openssl(issue)?;
            }
            Kind::Weak => {
                request("1024")?;
                self.openssl(&names)?;
            }
            Kind::Sha1 => {
                request("2048")?;
                self.openssl(&format!("{names} -sha1"))?;
            }
            Kind::OtherIssuer => {
                let key = KeyPair::generate()?;
                let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
                params.is_ca = IsCa::ExplicitNoCa;
                self.write(&params.self_signed(&key)?.pem(), &key)?;
            }
        }
        let path = |name: &str| self.directory.join(name).display().to_string();
        Ok(vec![format!("--ssl-cert={}", path("cert.pem")), format!("--ssl-key={}", path("key.pem"))])
    }

    fn issue(&self, names: &[&str], years: Option<(i32, i32)>) -> Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.is_ca = IsCa::ExplicitNoCa;
        if let Some((from, to)) = years {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        }
        self.write(&params.signed_by(&key, &self.issuer)?.pem(), &key)
    }

    fn write(&self, certificate: &str, key: &KeyPair) -> Result<()> {
        fs::write(self.directory.join("cert.pem"), certificate)?;
        Ok(fs::write(self.directory.join("key.pem"), key.serialize_pem())?)
    }

    fn openssl(&self, arguments: &str) -> Result<()> {
        let output =
            Command::new("openssl").args(arguments.split(' ')).current_dir(&self.directory).output()?;
        ensure!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}
