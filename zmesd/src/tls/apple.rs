//! What iOS does not accept in a certificate. Affects only apps that leave the check to the system; zmNinja accepts any
//! certificate unless configured otherwise.
//!
//! Apple's rules: "Requirements for trusted certificates in iOS 13 and macOS 10.15" (support.apple.com/HT210176) and
//! "About upcoming limits on trusted certificates" (HT211025).

use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;

use crate::ports::CertificateProblem;

/// Maximum validity of a certificate in days, whatever its issuer.
const LONGEST_DAYS: i64 = 825;
/// Maximum validity in days if a CA that comes with the system has issued it.
const LONGEST_PUBLIC_DAYS: i64 = 398;
/// [`LONGEST_PUBLIC_DAYS`] applies to certificates from 2020-09-01 on; [`LONGEST_DAYS`] and the extended key usage from
/// 2019-07-01 on. In seconds since 1970.
const SINCE_2020_09: i64 = 1_598_918_400;
const SINCE_2019_07: i64 = 1_561_939_200;
const RSA_BITS: usize = 2048;
const DAY: i64 = 24 * 60 * 60;
/// sha1WithRSAEncryption, ecdsa-with-SHA1.
const SHA1: [&str; 2] = ["1.2.840.113549.1.1.5", "1.2.840.10045.4.1"];

const ANEW: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj /CN=NAME \
     -addext subjectAltName=DNS:NAME -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
     -keyout key.pem -out cert.pem";

pub(super) fn objections(certificate: &X509Certificate<'_>) -> Vec<CertificateProblem> {
    let messages = [lifetime(certificate), usage(certificate), key(certificate), signature(certificate)];
    let problem = |message| CertificateProblem {
        grave: false,
        fault: None,
        message,
        hint: format!("issue it anew: {ANEW}"),
    };
    messages.into_iter().flatten().map(problem).collect()
}

fn lifetime(certificate: &X509Certificate<'_>) -> Option<String> {
    let (from, to) =
        (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
    let days = to.saturating_sub(from).div_euclid(DAY);
    if days > LONGEST_DAYS && from >= SINCE_2019_07 {
        return Some(format!("it is valid for {days} days, and iOS takes {LONGEST_DAYS} at most"));
    }
    let own = certificate.subject().as_raw() == certificate.issuer().as_raw();
    (days > LONGEST_PUBLIC_DAYS && from >= SINCE_2020_09 && !own).then(|| {
        format!("it is valid for {days} days, and iOS takes {LONGEST_PUBLIC_DAYS} at most unless the CA is your own")
    })
}

fn usage(certificate: &X509Certificate<'_>) -> Option<String> {
    let server = certificate
        .extended_key_usage()
        .ok()
        .flatten()
        .is_some_and(|usage| usage.value.server_auth || usage.value.any);
    let recent = certificate.validity().not_before.timestamp() >= SINCE_2019_07;
    (recent && !server).then(|| "it has no extendedKeyUsage serverAuth, which iOS wants".to_owned())
}

fn key(certificate: &X509Certificate<'_>) -> Option<String> {
    let parsed = certificate.public_key().parsed().ok()?;
    let PublicKey::RSA(key) = &parsed else { return None };
    let bits = key.key_size();
    (bits < RSA_BITS).then(|| format!("its RSA key has {bits} bits, and iOS wants {RSA_BITS}"))
}

fn signature(certificate: &X509Certificate<'_>) -> Option<String> {
    let algorithm = certificate.signature_algorithm.algorithm.to_id_string();
    SHA1.contains(&algorithm.as_str()).then(|| "it is signed with SHA-1, which iOS refuses".to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
    use x509_parser::prelude::FromDer;

    use super::*;

    fn objected(from: i32, to: i32, server: bool) -> Vec<String> {
        let mut params = CertificateParams::new(vec!["zm.example.org".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 10, 1);
        params.not_after = date_time_ymd(to, 10, 1);
        if server {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }
        let signed = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, certificate) = X509Certificate::from_der(signed.der()).unwrap();
        objections(&certificate).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_certificate_of_two_years_for_servers_is_fine() {
        assert_eq!(objected(2025, 2027, true), [""; 0]);
    }

    #[test]
    fn each_rule_is_said() {
        assert_eq!(
            objected(2025, 2035, false),
            [
                "it is valid for 3652 days, and iOS takes 825 at most",
                "it has no extendedKeyUsage serverAuth, which iOS wants"
            ]
        );
    }

    #[test]
    fn certificates_older_than_the_rules_are_not_judged() {
        assert_eq!(objected(1975, 2096, false), [""; 0]);
    }
}
