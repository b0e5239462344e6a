//! Certificates and keys as openssl, editors and people leave them behind: taken, or one sentence with the command.
//!
//! The files are made by openssl itself, where there is one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;

/// A directory with a pair and what openssl makes of it.
struct Bench(tempfile::TempDir);

impl Bench {
    /// Makes `cert.pem` and `key.pem`.
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=zm.lan -keyout key.pem -out cert.pem",
        );
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output =
            Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn key(&self) -> Vec<u8> {
        private_key(&self.path("key.pem")).unwrap().secret_der().to_vec()
    }

    /// Says why a file is not taken, without the directory in it, and checks the hint.
    fn refused<T: std::fmt::Debug>(&self, read: Result<T, PemError>, hint: &str) -> String {
        let error = read.unwrap_err();
        let hinted = error.hint();
        assert!(hinted.contains(hint), "{error}: {hinted}");
        let text = format!("{error} {hinted}");
        assert!(!text.contains("MII"), "nothing of a file is quoted: {text}");
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

#[test]
fn a_certificate_is_taken_in_every_harmless_form() {
    let bench = Bench::new();
    let pem = bench.text("cert.pem");
    let plain = certificates(&bench.path("cert.pem")).unwrap();
    bench.openssl("x509 -in cert.pem -outform DER -out cert.der");
    bench.openssl("x509 -in cert.pem -trustout -addtrust serverAuth -out trusted.pem");
    bench.openssl("x509 -in cert.pem -text -out text.pem");
    assert!(bench.text("trusted.pem").starts_with("-----BEGIN TRUSTED CERTIFICATE-----"));
    for (form, path) in [
        ("DER", bench.path("cert.der")),
        ("OpenSSL's trusted form", bench.path("trusted.pem")),
        ("text in front", bench.path("text.pem")),
        ("byte order mark", bench.write("bom.pem", format!("\u{feff}{pem}"))),
        ("CRLF", bench.write("crlf.pem", pem.replace('\n', "\r\n"))),
        ("byte order mark and CRLF", bench.write("both.pem", format!("\u{feff}{pem}").replace('\n', "\r\n"))),
        ("blanks around lines", bench.write("blanks.pem", format!("  {}", pem.replace('\n', " \n  ")))),
        ("no line end", bench.write("end.pem", pem.trim_end())),
        ("the key before it", bench.write("all.pem", format!("{}{pem}", bench.text("key.pem")))),
        ("an old name", bench.write("x509.pem", pem.replace(" CERTIFICATE", " X509 CERTIFICATE"))),
    ] {
        let read = certificates(&path).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(read, plain, "{form}");
    }
}

#[test]
fn a_key_is_taken_in_every_harmless_form() {
    let bench = Bench::new();
    let pem = bench.text("key.pem");
    let plain = bench.key();
    bench.openssl("pkey -in key.pem -outform DER -out pkcs8.der");
    for (form, path) in [
        ("PKCS#8 as PEM", bench.path("key.pem")),
        ("byte order mark", bench.write("bom.pem", format!("\u{feff}{pem}"))),
        ("CRLF", bench.write("crlf.pem", pem.replace('\n', "\r\n"))),
        ("the certificate before it", bench.write("all.pem", format!("{}{pem}", bench.text("cert.pem")))),
        // OpenSSL 3 writes the content of PKCS#8 or of PKCS#1: what counts is that it is taken.
    ] {
        let read = private_key(&path).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(read.secret_der(), plain, "{form}");
    }
    bench.openssl("pkey -in key.pem -traditional -out pkcs1.pem");
    bench.openssl("rsa -in key.pem -traditional -outform DER -out pkcs1.der");
    bench.openssl("ecparam -name prime256v1 -genkey -out ec.pem");
    bench.openssl("ecparam -name prime256v1 -genkey -noout -outform DER -out ec.der");
    bench.openssl("genpkey -algorithm ed25519 -out ed25519.pem");
    assert!(bench.text("pkcs1.pem").starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    assert!(bench.text("ec.pem").starts_with("-----BEGIN EC PARAMETERS-----"));
    for name in ["pkcs8.der", "pkcs1.pem", "pkcs1.der", "ec.pem", "ec.der", "ed25519.pem"] {
        let key = private_key(&bench.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        assert!(provider.key_provider.load_private_key(key).is_ok(), "{name}");
    }
}

#[test]
fn what_is_no_certificate_is_told_by_what_it_is_and_how_it_becomes_one() {
    let bench = Bench::new();
    let pem = bench.text("cert.pem");
    bench.openssl("pkcs12 -export -in cert.pem -inkey key.pem -passout pass:x -out pair.p12");
    bench.openssl("crl2pkcs7 -nocrl -certfile cert.pem -out chain.p7b");
    bench.openssl("crl2pkcs7 -nocrl -certfile cert.pem -outform DER -out chain.p7c");
    bench.openssl("req -new -key key.pem -subj /CN=zm.lan -out request.pem");
    bench.openssl("pkey -in key.pem -pubout -out public.pem");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(pem.bytes().flat_map(|byte| [byte, 0])).collect();
    bench.write("utf16.pem", utf16);
    bench.write("empty.pem", " \n");
    bench.write("page.pem", "<!DOCTYPE html>\n<html><title>Sign in</title></html>");
    bench.write("text.pem", "0 hello");
    bench.write("binary.pem", [0x30, 0x82, 0xff, 0x00, 0x01]);
    bench.write("store.jks", [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]);
    for (name, found, hint) in [
        ("key.pem", "it holds a private key", "certificate and key swapped"),
        ("pair.p12", "it is a PKCS#12 keystore (.p12, .pfx)", "pair.p12 -nokeys -out cert.pem"),
        ("chain.p7b", "it is PKCS#7 (.p7b)", "openssl pkcs7 -print_certs -in"),
        ("chain.p7c", "it is PKCS#7 (.p7b)", "openssl pkcs7 -inform DER -print_certs -in"),
        ("request.pem", "it holds a certificate request (CSR)", "openssl x509 -req -in"),
        ("public.pem", "it holds a public key", "a public key is not enough"),
        ("utf16.pem", "it is UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
        ("empty.pem", "it is empty", "-----BEGIN CERTIFICATE-----"),
        ("page.pem", "it is a web page", "download it again"),
        ("text.pem", "it is text without a BEGIN line", "-----BEGIN CERTIFICATE-----"),
        ("binary.pem", "it is neither PEM nor DER", "-----BEGIN CERTIFICATE-----"),
        ("store.jks", "it is a Java keystore", "keytool -importkeystore"),
    ] {
        let said = bench.refused(certificates(&bench.path(name)), hint);
        assert_eq!(said, format!("{name} holds no certificate in PEM form: {found}"));
    }
    let cut = bench.write("cut.pem", pem.get(..pem.len() / 2).unwrap());
    let said = bench.refused(certificates(&cut), "copy it again");
    assert_eq!(said, "cut.pem is not valid PEM: an END line is missing");
    let broken = bench.write("broken.pem", pem.replace("MII", "M!!"));
    let said = bench.refused(certificates(&broken), "copy it again");
    assert_eq!(said, "broken.pem is not valid PEM: what is between BEGIN and END is damaged");
}

#[test]
fn what_is_no_key_is_told_by_what_it_is_and_how_it_becomes_one() {
    let bench = Bench::new();
    bench.openssl("pkcs12 -export -in cert.pem -inkey key.pem -passout pass:x -out pair.p12");
    bench.openssl("pkey -in key.pem -aes256 -passout pass:x -out encrypted.pem");
    bench.openssl("pkey -in key.pem -aes256 -traditional -passout pass:x -out old.pem");
    bench.openssl("pkcs8 -topk8 -in key.pem -passout pass:x -outform DER -out encrypted.der");
    bench.openssl("ecparam -name prime256v1 -out parameters.pem");
    bench.write("ssh.pem", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n");
    bench.write("putty.ppk", "PuTTY-User-Key-File-3: ssh-rsa\n");
    for (name, found, hint) in [
        ("cert.pem", "it holds a certificate", "certificate and key swapped"),
        ("pair.p12", "it is a PKCS#12 keystore (.p12, .pfx)", "pair.p12 -nocerts -nodes -out key.pem"),
        ("parameters.pem", "it holds parameters alone (BEGIN … PARAMETERS)", "in another file"),
        ("ssh.pem", "it holds an OpenSSH key", "ssh-keygen -p -m PEM -N '' -f"),
        ("putty.ppk", "it holds a PuTTY key", "puttygen"),
    ] {
        let said = bench.refused(private_key(&bench.path(name)), hint);
        assert_eq!(said, format!("{name} holds no private key in PEM form: {found}"));
    }
    for name in ["encrypted.pem", "old.pem", "encrypted.der"] {
        let said = bench.refused(private_key(&bench.path(name)), "openssl pkey -in");
        assert_eq!(said, format!("the private key in {name} is encrypted"));
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let bench = Bench::new();
    for (path, cause, hint) in [
        (bench.path("none.pem"), "no such file", "does not exist"),
        (bench.0.path().to_owned(), "not a regular file", "ls -ld"),
        (bench.write("large.pem", vec![b' '; 1024 * 1024 + 1]), "larger than 1048576 bytes", "right file?"),
    ] {
        let error = certificates(&path).unwrap_err();
        let PemError::Unreadable { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.to_string(), cause);
        assert!(error.hint().contains(hint), "{}", error.hint());
    }
    // The next file is taken as if nothing had been.
    assert!(certificates(&bench.path("cert.pem")).is_ok());
}

#[test]
fn what_is_written_is_read_again() {
    let bench = Bench::new();
    let chain = certificates(&bench.path("cert.pem")).unwrap();
    let path = bench.write("again.pem", certificates_text(&chain));
    assert_eq!(certificates(&path).unwrap(), chain);
    for name in ["key.pem", "ec.pem"] {
        bench.openssl("ecparam -name prime256v1 -genkey -noout -out ec.pem");
        let key = private_key(&bench.path(name)).unwrap();
        let path = bench.write("again.key", key_text(&key));
        assert_eq!(private_key(&path).unwrap(), key, "{name}");
    }
}
