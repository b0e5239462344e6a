//! Every key that names a certificate, a key or a secret, with files as people put them there: accepted, or one
//! sentence that names the file, its content and the command. Afterwards the right file is accepted again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use zmes_tests::{Daemon, World};

/// What becomes of a file.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Taken,
    /// These words in the sentence, these in the hint.
    Refused(&'static str, &'static str),
}

use Fate::{Refused, Taken};

/// A world with all push transports, whose files are good.
struct Desk(World);

impl Desk {
    async fn new() -> Result<Self> {
        let world = World::new().setting("control", "admin-group", "\"root\"").prepare().await?;
        let mut desk = Self(world);
        let good = desk.0.certificate.clone();
        fs::create_dir(desk.path("directory"))?;
        fs::copy(&good.certificate, desk.path("good.pem"))?;
        fs::copy(&good.key, desk.path("good.key"))?;
        desk.openssl("genrsa -out account.key 2048")?;
        let account = serde_json::json!({
            "project_id": "p", "client_email": "e@example.org", "token_uri": "https://oauth.example.org/token",
            "private_key": fs::read_to_string(desk.path("account.key"))?,
        });
        fs::write(desk.path("account.json"), account.to_string())?;
        fs::write(desk.path("secret"), "planted-app-key")?;
        let paths = ["good.pem", "good.key", "account.json", "secret"].map(|name| desk.path(name));
        let [certificate, key, account, secret] = &paths;
        let settings = &mut desk.0.settings;
        for table in ["push.proxy", "push.fcm", "push.apns"] {
            settings.set(table, "enabled", "true");
            settings.set_path(table, "ca-certificate", certificate);
        }
        settings.set_text("push.proxy", "url", "https://push.example.org:8801");
        settings.set_text("push.proxy", "app-name", "zmninjapro");
        settings.set_path("push.proxy", "app-key-file", secret);
        settings.set_path("push.fcm", "service-account", account);
        settings.set_path("push.apns", "key", key);
        settings.set_text("push.apns", "key-id", "ABCDE12345");
        settings.set_text("push.apns", "team-id", "FGHIJ67890");
        settings.set_path("server.tls", "certificate", certificate);
        settings.set_path("server.tls", "key", key);
        Ok(desk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    fn openssl(&self, arguments: &str) -> Result<()> {
        let output =
            Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.directory()).output()?;
        ensure!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Runs check-config; returns the problem of a key, and the whole output.
    fn check(&self, key: &str) -> Result<(Option<String>, String)> {
        self.0.write_settings()?;
        let file = self.0.settings_file();
        let arguments = ["check-config", "--config", &*file.to_string_lossy()];
        let output = Daemon::command(self.0.directory(), &arguments)?.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!said.contains("planted") && !said.contains("MII"), "a secret in {said}");
        let lines: Vec<&str> = said.lines().collect();
        let at = lines
            .iter()
            .position(|line| line.contains(&format!(": {key}: ")) && !line.starts_with("warning"));
        let found = at.map(|at| lines.iter().skip(at).take(2).copied().collect::<Vec<_>>().join("\n"));
        ensure!(found.is_some() == (output.status.code() == Some(78)), "{key}: {:?} {said}", output.status);
        Ok((found, said))
    }

    /// Tries the files of a key; afterwards the good one is back.
    fn walk(&mut self, table: &str, key: &str, good: &str, files: &[(&str, Fate)]) -> Result<()> {
        let name = format!("{table}.{key}");
        for (file, fate) in files {
            let path = self.path(file);
            self.0.settings.set_path(table, key, &path);
            let (found, said) = self.check(&name)?;
            match fate {
                Taken => ensure!(found.is_none(), "{name} = {file}: {said}"),
                Refused(words, hint) => {
                    let found = found.unwrap_or_default();
                    ensure!(found.contains(&*path.to_string_lossy()), "{name} = {file} is not named: {said}");
                    ensure!(found.contains(words) && found.contains(hint), "{name} = {file}: {said}");
                }
            }
        }
        let path = self.path(good);
        self.0.settings.set_path(table, key, &path);
        let (found, said) = self.check(&name)?;
        ensure!(found.is_none(), "{name}, mended: {said}");
        Ok(())
    }
}

fn rewrite(from: &Path, to: &Path, change: impl Fn(&str) -> String) -> Result<()> {
    Ok(fs::write(to, change(&fs::read_to_string(from)?))?)
}

fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[tokio::test]
async fn every_key_that_names_a_certificate_takes_it_or_says_what_it_got() -> Result<()> {
    let mut desk = Desk::new().await?;
    let good = desk.path("good.pem");
    rewrite(&good, &desk.path("bom.pem"), |pem| format!("\u{feff}{pem}"))?;
    rewrite(&good, &desk.path("crlf.pem"), |pem| pem.replace('\n', "\r\n"))?;
    rewrite(&good, &desk.path("text.pem"), |pem| format!("Subject: CN=zm\r\n\r\n{pem}"))?;
    rewrite(&good, &desk.path("cut.pem"), |pem| pem.chars().take(pem.len() / 2).collect())?;
    fs::write(desk.path("utf16.pem"), utf16(&fs::read_to_string(&good)?))?;
    fs::write(desk.path("empty.pem"), "")?;
    desk.openssl("x509 -in good.pem -outform DER -out good.der")?;
    desk.openssl("x509 -in good.pem -trustout -addtrust serverAuth -out trusted.pem")?;
    desk.openssl("pkcs12 -export -in good.pem -inkey good.key -passout pass:planted -out pair.p12")?;
    desk.openssl("crl2pkcs7 -nocrl -certfile good.pem -out chain.p7b")?;
    desk.openssl("req -new -key good.key -subj /CN=zm -out request.pem")?;
    let files = [
        ("bom.pem", Taken),
        ("crlf.pem", Taken),
        ("text.pem", Taken),
        ("good.der", Taken),
        ("trusted.pem", Taken),
        ("good.key", Refused("it holds a private key", "swapped")),
        ("pair.p12", Refused("it is a PKCS#12 keystore", "openssl pkcs12 -in")),
        ("chain.p7b", Refused("it is PKCS#7", "openssl pkcs7 -print_certs")),
        ("request.pem", Refused("it holds a certificate request", "openssl x509 -req")),
        ("utf16.pem", Refused("it is UTF-16 text", "iconv -f UTF-16")),
        ("empty.pem", Refused("it is empty", "BEGIN CERTIFICATE")),
        ("cut.pem", Refused("an END line is missing", "copy it again")),
        ("directory", Refused("not a regular file", "")),
        ("none.pem", Refused("no such file", "")),
    ];
    for table in ["push.proxy", "push.fcm", "push.apns"] {
        desk.walk(table, "ca-certificate", "good.pem", &files)?;
    }
    desk.walk("server.tls", "certificate", "good.pem", &files)
}

#[tokio::test]
async fn every_key_that_names_a_private_key_takes_it_or_says_what_it_got() -> Result<()> {
    let mut desk = Desk::new().await?;
    let good = desk.path("good.key");
    rewrite(&good, &desk.path("bom.key"), |pem| format!("\u{feff}{pem}"))?;
    rewrite(&good, &desk.path("crlf.key"), |pem| pem.replace('\n', "\r\n"))?;
    fs::write(desk.path("empty.key"), "")?;
    desk.openssl("pkey -in good.key -outform DER -out good.der")?;
    desk.openssl("pkey -in good.key -aes256 -passout pass:planted -out encrypted.key")?;
    desk.openssl("pkcs12 -export -in good.pem -inkey good.key -passout pass:planted -out pair.p12")?;
    let files = [
        ("bom.key", Taken),
        ("crlf.key", Taken),
        ("good.der", Taken),
        ("good.pem", Refused("it holds a certificate", "swapped")),
        ("pair.p12", Refused("it is a PKCS#12 keystore", "-nocerts -nodes")),
        ("encrypted.key", Refused("is encrypted", "removes the passphrase")),
        ("empty.key", Refused("it is empty", "BEGIN PRIVATE KEY")),
        ("directory", Refused("not a regular file", "")),
    ];
    desk.walk("server.tls", "key", "good.key", &files)?;
    let [apple @ .., (empty, _), directory] = files;
    let apple = apple.into_iter().chain([(empty, Refused("it is empty", ".p8")), directory]);
    desk.walk("push.apns", "key", "good.key", &apple.collect::<Vec<_>>())
}

#[tokio::test]
async fn secrets_and_accounts_are_taken_whatever_editor_wrote_them() -> Result<()> {
    let mut desk = Desk::new().await?;
    for (name, content) in [
        ("bom", &b"\xef\xbb\xbfplanted-key"[..]),
        ("crlf", b"planted-key\r\n"),
        ("lines", b"planted-key\n\n"),
        ("two", b"planted\nplanted\n"),
        ("utf16", b"\xff\xfep\0"),
        ("void", b"\n"),
    ] {
        fs::write(desk.path(name), content)?;
    }
    let files = [
        ("bom", Taken),
        ("crlf", Taken),
        ("lines", Taken),
        ("two", Refused("it holds several lines", "printf %s")),
        ("utf16", Refused("it is UTF-16 text", "iconv -f UTF-16")),
        ("void", Refused("it is empty", "printf %s")),
    ];
    desk.walk("push.proxy", "app-key-file", "secret", &files)?;
    let account = desk.path("account.json");
    rewrite(&account, &desk.path("bom.json"), |json| format!("\u{feff}{json}\r\n"))?;
    let files = [("bom.json", Taken), ("secret", Refused("is not a service account", "Google"))];
    desk.walk("push.fcm", "service-account", "account.json", &files)?;
    let conf = desk.path("zm.conf");
    rewrite(&conf, &desk.path("bom.conf"), |text| format!("\u{feff}{}", text.replace('\n', "\r\n")))?;
    desk.walk("zoneminder", "config", "zm.conf", &[("bom.conf", Taken)])
}
