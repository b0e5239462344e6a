//! The service account: authenticates to Google and gets the OAuth token for sending.
//!
//! One token serves all pushes until shortly before it expires. It is fetched once for all that wait for it; an
//! attempt that fails has failed for all of them.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use zmes_files::without_bom;
use zmes_shared::words::FaultKind;

use super::answer::ProviderAnswer;
use super::files;
use super::http::Http;
use super::problem::TransportProblem;
use super::transports::TransportContext;
use crate::push::{PushError, TransportFault};

const KEY: &str = "push.fcm.service-account";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// Lifetime of a request for a token; Google accepts no longer one.
const ASSERTION_SECONDS: i64 = 3600;
/// A token is not used within this time before it expires, because a push may take that long.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// Lifetime of tokens without `expires_in`.
const USUAL_SECONDS: i64 = 3600;
const LEAST_SECONDS: i64 = 120;
const MOST_SECONDS: i64 = 24 * 3600;

/// Google's JSON file: the members that we need.
#[derive(Deserialize)]
struct AccountFile {
    project_id: String,
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: Option<String>,
    token_uri: String,
}

pub(super) struct CheckedAccount {
    file: AccountFile,
    key: EncodingKey,
    base: Url,
}

impl CheckedAccount {
    /// Reads Google's file. Blocks.
    pub(super) fn read(path: &Path) -> Result<Self, TransportProblem> {
        let problem = |detail: String| TransportProblem::Account { path: path.to_owned(), detail };
        let text = files::read(KEY, path)?;
        let file: AccountFile =
            serde_json::from_slice(without_bom(&text)).map_err(|error| problem(explain(&error)))?;
        let project_fits = |character: char| character.is_ascii_alphanumeric() || "-:.".contains(character);
        if file.project_id.is_empty() || !file.project_id.chars().all(project_fits) {
            return Err(problem("`project_id` is not the id of a project".to_owned()));
        }
        let key = EncodingKey::from_rsa_pem(file.private_key.as_bytes())
            .map_err(|_| problem("`private_key` is not an RSA key in PEM form".to_owned()))?;
        let base = Url::parse(&file.token_uri).ok().filter(|url| url.scheme() == "https");
        let base = base.ok_or_else(|| problem("`token_uri` is not an https URL".to_owned()))?;
        Ok(Self { file, key, base })
    }
}

#[derive(Debug)]
pub(super) struct Bearer {
    pub(super) token: SecretString,
    until: Timestamp,
    /// Distinguishes a refused token from its successor.
    number: u64,
}

pub(super) struct GoogleAccount {
    pub(super) project: String,
    email: String,
    key: EncodingKey,
    key_id: Option<String>,
    pub(super) http: Http,
    state: Mutex<OauthState>,
}

#[derive(Default)]
struct OauthState {
    bearer: Option<Arc<Bearer>>,
    fetched: u64,
    failed: Option<(Instant, PushError)>,
}

#[derive(Serialize)]
struct OauthClaims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct OauthGrant {
    access_token: String,
    #[serde(default)]
    expires_in: Option<Value>,
}

impl std::fmt::Debug for GoogleAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GoogleAccount").field("project", &self.project).finish_non_exhaustive()
    }
}

impl GoogleAccount {
    pub(super) fn load(
        path: &Path,
        root: Option<(&'static str, &Path)>,
        common: &TransportContext,
    ) -> Result<Self, TransportProblem> {
        let CheckedAccount { file, key, base } = CheckedAccount::read(path)?;
        let http = Http::new(base, root, common)?;
        let state = Mutex::default();
        let (project, email) = (file.project_id, file.client_email);
        Ok(Self { project, email, key, key_id: file.private_key_id, http, state })
    }

    /// Returns a valid token other than `refused`.
    pub(super) async fn bearer(
        &self,
        deadline: Instant,
        refused: Option<&Bearer>,
    ) -> Result<Arc<Bearer>, PushError> {
        let asked = Instant::now();
        let Ok(mut state) = timeout_at(deadline, self.state.lock()).await else {
            let detail = format!("{}: no answer in time", self.http.target());
            return Err(PushError::Transport(TransportFault::unanswered(FaultKind::Timeout, detail)));
        };
        let now = self.http.clock.now();
        let good = |bearer: &&Arc<Bearer>| {
            now < bearer.until && refused.is_none_or(|refused| refused.number != bearer.number)
        };
        if let Some(bearer) = state.bearer.as_ref().filter(good) {
            return Ok(Arc::clone(bearer));
        }
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(error.clone());
        }
        match self.fetch(deadline, now).await {
            Ok((token, until)) => {
                state.fetched += 1;
                let bearer = Arc::new(Bearer { token, until, number: state.fetched });
                state.bearer = Some(Arc::clone(&bearer));
                state.failed = None;
                Ok(bearer)
            }
            Err(error) => {
                state.bearer = None;
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn fetch(&self, deadline: Instant, now: Timestamp) -> Result<(SecretString, Timestamp), PushError> {
        let assertion = self.assertion(now)?;
        let body =
            format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
        let request = |client: &reqwest::Client| {
            let request = client.post(self.http.base.clone());
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
        };
        let answer = self.http.call(deadline, request).await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer, &assertion));
        }
        let granted = serde_json::from_str::<OauthGrant>(&answer.body).ok();
        let Some(granted) = granted.filter(|granted| !granted.access_token.is_empty()) else {
            let error = answer.unexpected("Google's OAuth token", None, &[&assertion]);
            return Err(prefixed(error, &self.http.target()));
        };
        let lifetime = lifetime(granted.expires_in.as_ref());
        let until = now.saturating_add(lifetime - MARGIN).unwrap_or(now);
        Ok((granted.access_token.into(), until))
    }

    fn assertion(&self, now: Timestamp) -> Result<String, PushError> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.key_id);
        let iat = now.as_second();
        let claims = OauthClaims {
            iss: &self.email,
            scope: SCOPE,
            aud: self.http.base.as_str(),
            iat,
            exp: iat + ASSERTION_SECONDS,
        };
        encode(&header, &claims, &self.key).map_err(|_| {
            let detail = "the service account's key cannot sign";
            PushError::Transport(TransportFault::unanswered(FaultKind::Credentials, detail))
        })
    }
}

/// Serde's text may quote the file, which contains a key.
fn explain(error: &serde_json::Error) -> String {
    let said = error.to_string();
    if let Some(field) = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return format!("it has no `{field}`");
    }
    format!("it is not Google's JSON (line {})", error.line())
}

/// Bounded on both sides: an `expires_in` of 0 must not cause a request per push (FCM refuses an expired token).
fn lifetime(said: Option<&Value>) -> SignedDuration {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
    let seconds = said.and_then(number).unwrap_or(USUAL_SECONDS);
    SignedDuration::from_secs(seconds.clamp(LEAST_SECONDS, MOST_SECONDS))
}

fn refusal(answer: &ProviderAnswer, assertion: &str) -> PushError {
    let said = format!("{}: {}", answer.status, answer.said(None, &[assertion]));
    let detail = format!("no OAuth token: {said}");
    let error = answer.by_status(detail);
    // OAuth answers 400 to credentials that it does not accept; the message is not concerned. That may be due to
    // the clock (Google: "Token must be a short-lived token (60 minutes) and in a reasonable timeframe").
    let PushError::Message(detail) = error else { return error };
    answer.signature_refused(detail)
}

/// Names the host, because it is not the one that pushes go to.
fn prefixed(error: PushError, target: &str) -> PushError {
    let PushError::Transport(fault) = error else { return error };
    PushError::Transport(TransportFault { detail: format!("{target}: {}", fault.detail), ..fault })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{answer, answer_with, kind};

    #[test]
    fn what_a_server_says_of_a_tokens_life_is_bounded() {
        let seconds = |said: &str| lifetime(serde_json::from_str::<Value>(said).ok().as_ref()).as_secs();
        for (said, wanted) in [
            ("3599", 3599),
            ("\"3599\"", 3599),
            ("0", 120),
            ("-1", 120),
            ("9223372036854775807", 86_400),
            ("1e300", 3600),
            ("null", 3600),
            ("\"soon\"", 3600),
        ] {
            assert_eq!(seconds(said), wanted, "{said}");
        }
        assert_eq!(lifetime(None).as_secs(), 3600);
    }

    #[test]
    fn a_refused_signature_names_the_clock_where_that_is_the_cause() {
        let body = r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token"}"#;
        let refused = |headers: &[(&str, &str)]| refusal(&answer_with(400, headers, body), "assertion");
        assert_eq!(kind(&Err::<(), _>(refused(&[]))), "credentials");
        let skewed = refused(&[("date", "Sun, 06 Nov 1994 10:49:07 GMT")]);
        assert!(skewed.to_string().ends_with("(this machine's clock is 120 min slow)"), "{skewed}");
        assert_eq!(kind(&Err::<(), _>(skewed)), "clock");
        let page = refusal(&answer(404, "<html><title>Not here</title>"), "assertion");
        assert_eq!(
            page.to_string(),
            "the provider refused us: no OAuth token: 404 Not Found: a web page (\"Not here\")"
        );
    }
}
