//! Checks parts of the settings: every problem at once, each with its key.

use std::error::Error;
use std::path::Path;

use rustls::RootCertStore;
use secrecy::{ExposeSecret, SecretString};

use super::apns_token::ProviderToken;
use super::fcm_oauth::CheckedAccount;
use super::http::Versions;
use super::problem::TransportProblem;
use super::{files, http};
use crate::clock::WallClock;
use crate::settings::{PushFinding, PushPart};
use crate::transports::Transports;

/// Returns what is wrong with a part of the settings. Reads files, so it blocks.
pub fn findings(part: &PushPart<'_>, clock: &WallClock) -> Vec<PushFinding> {
    let problems = match *part {
        PushPart::Url { key, text } => problem(http::url(key, text)),
        PushPart::Root { key, path } => problem(http::trust(&mut RootCertStore::empty(), key, path)),
        PushPart::ServiceAccount(path) => problem(CheckedAccount::read(path)),
        PushPart::SigningKey(path) => problem(ProviderToken::load(path, "", "", clock.clone())),
        PushPart::Identity { certificate, key, password } => identity(certificate, key, password),
        PushPart::Whole(settings) => problem(Transports::build(settings, clock.clone())),
    };
    problems.iter().map(finding).collect()
}

/// A certificate and its key may both be wrong, or not belong together.
fn identity(
    certificate: &Path,
    key: Option<&Path>,
    password: Option<&SecretString>,
) -> Vec<TransportProblem> {
    let password = password.map_or("", ExposeSecret::<str>::expose_secret);
    match files::identity(certificate, key, password) {
        Ok(identity) => problem(http::tls(RootCertStore::empty(), Some(identity), Versions::Http2)),
        Err(first) => {
            let key = key.filter(|_| first.key() != Some(files::KEY));
            let second = key.map_or_else(Vec::new, |key| problem(files::private_key(files::KEY, key)));
            std::iter::once(first).chain(second).collect()
        }
    }
}

fn problem<T>(outcome: Result<T, TransportProblem>) -> Vec<TransportProblem> {
    outcome.err().into_iter().collect()
}

fn finding(problem: &TransportProblem) -> PushFinding {
    let key = problem.key();
    let text = problem.to_string();
    // The caller shows the key before the message.
    let text = key.and_then(|key| text.strip_prefix(key)?.strip_prefix(": ")).unwrap_or(&text);
    let cause = problem.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    PushFinding { key, message: format!("{text}{cause}"), hint: problem.hint() }
}
