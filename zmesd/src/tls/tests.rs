//! Pairs as people create them, good and bad.

use std::path::Path;

use jiff::ToSpan;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use zmes_files::FileError;
use zmes_files::pemfile::PemError;

use super::*;
use crate::config::{PairPart, PairWeight};
use crate::ports::{Clock, SystemClock};

struct Pair {
    directory: tempfile::TempDir,
    files: TlsFiles,
}

fn now() -> Timestamp {
    "2026-11-15T00:00:00Z".parse().unwrap()
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "zm.example.org");
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

fn write(certificate: &str, key: &str) -> Pair {
    let directory = tempfile::tempdir().unwrap();
    let files =
        TlsFiles { certificate: directory.path().join("cert.pem"), key: directory.path().join("key.pem") };
    std::fs::write(&files.certificate, certificate).unwrap();
    std::fs::write(&files.key, key).unwrap();
    Pair { directory, files }
}

fn self_signed(params: &CertificateParams) -> Pair {
    let key = KeyPair::generate().unwrap();
    write(&params.self_signed(&key).unwrap().pem(), &key.serialize_pem())
}

fn load_at(pair: &Pair, now: Timestamp) -> LoadedPair {
    load(&pair.files, now).unwrap()
}

fn refusal(pair: &Pair) -> (String, String) {
    let error = load(&pair.files, now()).unwrap_err();
    let text = error.to_string().replace(&pair.directory.path().display().to_string(), "");
    (text, error.hint())
}

#[test]
fn a_good_pair_has_a_summary_and_no_warnings() {
    let loaded = load_at(&self_signed(&params(&["zm.example.org", "192.0.2.7"])), now());
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let summary = &loaded.summary;
    assert_eq!(summary.subject, "CN=zm.example.org");
    assert_eq!(summary.names, ["zm.example.org", "192.0.2.7"]);
    assert_eq!((summary.self_signed, summary.days_left(now())), (true, 47));
}

#[test]
fn what_apps_may_complain_about_is_served_with_a_warning() {
    let good = self_signed(&params(&["zm.example.org"]));
    let at = |text: &str| load_at(&good, text.parse().unwrap()).warnings;
    let (start, end): (Timestamp, Timestamp) =
        ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(at("2027-02-01T00:00:00Z"), [TlsWarning::Expired(end)]);
    assert_eq!(at("2025-12-01T00:00:00Z"), [TlsWarning::NotYetValid(start)]);
    assert_eq!(at("2026-12-20T00:00:00Z"), [TlsWarning::ExpiresSoon { at: end, days: 12 }]);
    assert_eq!(at("2026-11-30T00:00:00Z"), [], "a third of a year is too early");

    let nameless = load_at(&self_signed(&params(&[])), now());
    assert_eq!(nameless.warnings, [TlsWarning::NoNames("CN=zm.example.org".to_owned())]);

    let mut ca = params(&["zm.example.org"]);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(load_at(&self_signed(&ca), now()).warnings, [TlsWarning::IsCa]);
}

#[test]
fn a_certificate_of_six_days_does_not_warn_for_ever() {
    let mut short = params(&["192.0.2.7"]);
    short.distinguished_name = DistinguishedName::new();
    short.not_before = rcgen::date_time_ymd(2026, 11, 12);
    short.not_after = rcgen::date_time_ymd(2026, 11, 18);
    let pair = self_signed(&short);
    let at = |text: &str| load_at(&pair, text.parse().unwrap()).warnings;
    assert_eq!(at("2026-11-15T23:00:00Z"), []);
    let end = "2026-11-18T00:00:00Z".parse().unwrap();
    assert_eq!(at("2026-11-16T01:00:00Z"), [TlsWarning::ExpiresSoon { at: end, days: 1 }]);
    let summary = load_at(&pair, now()).summary.clone();
    assert_eq!((summary.subject.as_str(), summary.title().as_str()), ("", "192.0.2.7"));
}

#[test]
fn a_certificate_of_ninety_days_warns_when_a_third_is_left() {
    let mut ninety = params(&["zm.example.org"]);
    ninety.not_before = rcgen::date_time_ymd(2026, 10, 1);
    ninety.not_after = rcgen::date_time_ymd(2026, 12, 30);
    let pair = self_signed(&ninety);
    let at = |text: &str| load_at(&pair, text.parse().unwrap()).warnings.len();
    assert_eq!((at("2026-11-29T23:00:00Z"), at("2026-11-30T01:00:00Z")), (0, 1));
}

#[test]
fn the_chain_is_looked_at() {
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = params(&[]);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "Test CA");
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let leaf = params(&["zm.example.org"]).signed_by(&key, &issuer).unwrap().pem();
    let warnings = |certificate: &str| load_at(&write(certificate, &key.serialize_pem()), now()).warnings;
    assert_eq!(warnings(&format!("{leaf}{ca_pem}")), []);
    assert_eq!(warnings(&leaf), [], "an authority at home, whose root the phones have");
    let mut public = params(&["zm.example.org"]);
    // authorityInfoAccess with caIssuers http://a/
    let access = [
        0x30, 0x17, 0x30, 0x15, 6, 8, 43, 6, 1, 5, 5, 7, 48, 2, 0x86, 9, b'h', b't', b't', b'p', b':', b'/',
        b'/', b'a', b'/',
    ];
    public.custom_extensions =
        vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], access.to_vec())];
    let public = public.signed_by(&key, &issuer).unwrap().pem();
    assert_eq!(warnings(&public), [TlsWarning::ChainIncomplete("CN=Test CA".to_owned())]);
    assert_eq!(warnings(&format!("{public}{ca_pem}")), []);
    assert_eq!(warnings(&format!("{leaf}{leaf}{ca_pem}")), [TlsWarning::ChainOutOfOrder(2)]);
    // Many issuers and people order a chain this way: it is served in the right order, with a warning.
    let turned = load_at(&write(&format!("{ca_pem}{leaf}"), &key.serialize_pem()), now());
    assert_eq!(turned.warnings, [TlsWarning::LeafNotFirst(2)]);
    assert_eq!(turned.summary.names, ["zm.example.org"]);
    let straight = load_at(&write(&format!("{leaf}{ca_pem}"), &key.serialize_pem()), now());
    assert_eq!(turned.key.cert, straight.key.cert);
}

#[test]
fn what_cannot_be_served_is_refused_with_a_hint() {
    let key = KeyPair::generate().unwrap();
    let certificate = params(&["zm.example.org"]).self_signed(&key).unwrap().pem();
    let key = key.serialize_pem();
    let other_key = KeyPair::generate().unwrap().serialize_pem();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let cut = certificate.get(..certificate.len() / 2).unwrap();
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, text, hint) in [
        (certificate.as_str(), other_key.as_str(), "does not belong", "openssl pkey -pubout"),
        (&certificate, &encrypted, "is encrypted", "passphrase"),
        (&certificate, "", "/key.pem holds no private key in PEM form: it is empty", "BEGIN PRIVATE KEY"),
        (
            &certificate,
            &certificate,
            "/key.pem holds no private key in PEM form: it holds a certificate",
            "swapped",
        ),
        (&key, &key, "/cert.pem holds no certificate in PEM form: it holds a private key", "swapped"),
        ("", &key, "/cert.pem holds no certificate in PEM form: it is empty", "BEGIN CERTIFICATE"),
        (cut, &key, "/cert.pem is not valid PEM: an END line is missing", "copy it again"),
        (garbage, &key, "certificate 1 in /cert.pem cannot be read", "copy it again"),
    ] {
        let (said, hinted) = refusal(&write(certificate, key));
        assert!(said.contains(text), "{said}");
        assert!(hinted.contains(hint), "{hinted}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_as_whom() {
    let pair = self_signed(&params(&["zm.example.org"]));
    std::fs::remove_file(&pair.files.key).unwrap();
    let (said, hint) = refusal(&pair);
    assert!(said.starts_with("cannot read /key.pem as user `"), "{said}");
    assert!(hint.contains("CA:FALSE"), "{hint}");
    let (path, user, source) = ("/k".into(), "zmesd".to_owned(), FileError::Denied);
    let hint = TlsError::File(PemError::Unreadable { path, user, source }).hint();
    assert!(hint.contains("setfacl -m u:zmesd:r /k") && hint.contains("LoadCredential="), "{hint}");
}

#[test]
fn a_reload_takes_the_new_pair_or_leaves_the_old() {
    let pair = self_signed(&params(&["old.example.org"]));
    let store = CertStore::new(load_at(&pair, now()));
    assert!(!store.changed_on_disk());

    std::fs::write(&pair.files.certificate, "damaged").unwrap();
    assert!(store.changed_on_disk());
    store.reload(&pair.files, now()).unwrap_err();
    assert_eq!(store.current().summary.names, ["old.example.org"]);

    let new = self_signed(&params(&["new.example.org"]));
    copy(&new.files.certificate, &pair.files.certificate);
    copy(&new.files.key, &pair.files.key);
    store.reload(&pair.files, now() + 1.minute()).unwrap();
    assert_eq!(store.current().summary.names, ["new.example.org"]);
    assert!(!store.changed_on_disk());
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

/// Runs openssl in the directory of a pair.
fn openssl(directory: &Path, arguments: &str) {
    let output = std::process::Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Creates a certificate as the manuals of MySQL and MariaDB do: without extensions, OpenSSL up to 3.1 writes version
/// 1.
fn version_1() -> Pair {
    let pair = write("", "");
    let directory = pair.directory.path();
    openssl(directory, "genrsa -out ca.key 2048");
    openssl(directory, "req -x509 -new -key ca.key -days 30 -subj /CN=home -out ca.pem");
    openssl(directory, "req -newkey rsa:2048 -nodes -subj /CN=zm.lan -keyout key.pem -out req.pem");
    openssl(
        directory,
        "x509 -req -in req.pem -days 30 -CA ca.pem -CAkey ca.key -set_serial 01 -out cert.pem",
    );
    pair
}

#[test]
fn a_certificate_of_x509_version_1_is_served_and_the_certificate_is_blamed() {
    let pair = version_1();
    let now = SystemClock.now();
    let loaded = load(&pair.files, now).unwrap();
    assert!(loaded.warnings.contains(&TlsWarning::Version1), "{:?}", loaded.warnings);
    let found = findings(Some(&pair.files.certificate), Some(&pair.files.key), now);
    let first = found.iter().find(|finding| finding.message.contains("version 1")).unwrap();
    assert_eq!((first.part, first.weight), (PairPart::Certificate, PairWeight::Grave));
    // The key is still compared, and the next pair is accepted.
    let other = self_signed(&params(&["zm.example.org"]));
    let store = CertStore::new(loaded);
    let mixed = TlsFiles { key: other.files.key.clone(), ..pair.files.clone() };
    assert!(matches!(store.reload(&mixed, now), Err(TlsError::KeyMismatch { .. })));
    store.reload(&other.files, now).unwrap();
    assert_eq!(store.current().summary.names, ["zm.example.org"]);
}

#[test]
fn the_certificate_of_an_authority_alone_is_told_from_a_wrong_key() {
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut root = params(&[]);
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name.push(DnType::CommonName, "Root");
    let issuer = Issuer::new(root, root_key);
    let mut intermediate = params(&[]);
    intermediate.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    intermediate.distinguished_name.push(DnType::CommonName, "Intermediate");
    let intermediate = intermediate.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().pem();
    let (said, hint) = refusal(&write(&intermediate, &key.serialize_pem()));
    assert_eq!(
        said,
        "/cert.pem holds only the certificate of an authority (`CN=Intermediate`), not the server's own"
    );
    assert!(hint.contains("cat own.pem"), "{hint}");
}
