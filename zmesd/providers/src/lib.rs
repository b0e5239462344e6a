//! Ways to phones: an alarm in, a provider's answer out. A PushProxy, FCM with a service account, cloud functions for
//! FCM, APNs; and [`targets`]: ntfy, Pushover, Telegram, Gotify, webhooks.
//!
//! A caller hands in a [`Push`] for one token and gets [`Delivered`] or a [`PushError`], which says whether the token is
//! dead, the message was refused, or the provider failed. Retries, queues and the owners of tokens are the caller's.
//!
//! ```
//! use zmes_providers::{ProviderSettings, PushProxyConfig, Transports, WallClock};
//!
//! let proxy = PushProxyConfig {
//!     url: "https://push.example.org:8801".to_owned(),
//!     app_name: "zmninjapro".to_owned(),
//!     app_key: "the-key-of-the-app".into(),
//!     sound: String::new(),
//!     ca_certificate: None,
//! };
//! let settings = ProviderSettings { proxy: Some(proxy), ..ProviderSettings::default() };
//! match Transports::build(&settings, WallClock::default()) {
//!     Ok(transports) => {
//!         for transport in transports.all() {
//!             println!("{} sends to {}", transport.name(), transport.target());
//!         }
//!     }
//!     Err(problem) => eprintln!("{problem}\nhint: {}", problem.hint()),
//! }
//! ```
//!
//! `examples/send.rs` checks a PushProxy, or sends a test push.
//!
//! # Map
//!
//! | question | modules |
//! |---|---|
//! | what is sent, what came of it | [`Push`], [`PushError`], [`PushTransport`], [`TransportFault`] (`push`), `token` |
//! | which transport takes a token | [`Transports`] (`transports`), [`Destination`] |
//! | where to send and with which secrets | `settings`; files in `files`, what is wrong with them in `problem`, [`findings()`] |
//! | the JSON of each provider | `payload`, which is pure |
//! | the requests of each provider | `proxy`, `fcm` with `fcm_oauth`, `fcm_proxy`, `apns` with `apns_token` |
//! | what an answer means | `answer` (status, headers), `reading` (body), `words` (proxies), `fcm_error`; `cause` (no answer) |
//! | TLS, deadlines, HTTP; which addresses a target may have | `http`; `reach` |
//! | services that people run or rent themselves | [`targets`]: one file for each, and `message`, `template`, `sign` |
//! | telling a service outside that all is well | [`Pinger`] |
//! | how far a push would get, without sending one | [`PushTransport::check`], `check` |
//! | which settings or files have changed | [`Transports::changes`], `print` |
//!
//! A send ends within 10 s ([`Timing`]), answers are read up to 64 KiB, and no error quotes a token, a key or a URL with
//! credentials.
//!
//! # Sources
//!
//! - APNs: Apple, *Sending notification requests to APNs*, *Handling notification responses from APNs*, *Establishing a
//!   token-based connection to APNs*.
//! - FCM: Google, *FCM HTTP v1 API*, *FCM error codes*; *Using OAuth 2.0 for server to server applications*.
//! - Cloud functions: `examples/send_push.py` of the event server 6, and what `firebase_admin` puts into exceptions.
//! - PushProxy: AirNotifier, `api/__init__.py`.
//! - Targets: binwiederhier/ntfy, `docs/publish.md` and `server/errors.go`; pushover.net/api; core.telegram.org/bots/api;
//!   gotify/server, `docs/spec.json`; standard-webhooks, `spec/standard-webhooks.md`.

#![warn(missing_docs)]

mod answer;
mod apns;
mod apns_token;
mod cause;
mod check;
mod clock;
mod dial;
mod fcm;
mod fcm_error;
mod fcm_oauth;
mod fcm_proxy;
mod files;
mod findings;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod neighbour;
mod payload;
mod picture;
mod ping;
mod print;
mod problem;
mod proxy;
mod push;
mod reach;
mod reading;
mod settings;
pub mod targets;
#[cfg(test)]
mod tests;
mod token;
mod transports;
mod visit;
mod words;

pub use cause::told_alert;
pub use check::tls_version;
pub use clock::WallClock;
pub use dial::{Dial, DialedStream};
pub use findings::findings;
pub use http::Timing;
pub use neighbour::{NeighbourAnswer, Neighbours, OwnCertificate};
pub use picture::{PictureFile, PictureWay, PushedPicture};
pub use ping::{PingFault, PingUrl, PingUrlProblem, Pinger};
pub use problem::TransportProblem;
pub use push::{
    CheckStep, Delivered, Push, PushError, PushSubject, PushTransport, PushedAlarm, SnoozeButton, SnoozeTime,
    TransportFault, Urgency,
};
pub use settings::{
    ApnsConfig, ApnsEndpoint, ApnsIdentity, FcmConfig, FcmProxyConfig, ProviderSettings, PushFinding,
    PushPart, PushProxyConfig,
};
pub use token::{App, Destination, Platform, PushToken, TokenHandle, TokenProblem};
pub use transports::Transports;
pub use visit::{Visit, VisitFault, Visitor};
