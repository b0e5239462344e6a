//! Answers for the unit tests of the transports.

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{StatusCode, Version};

use super::answer::ProviderAnswer;
use crate::push::PushError;

/// An answer over HTTP/2, come on 1994-11-06T08:49:07Z.
pub(super) fn answer(status: u16, body: &str) -> ProviderAnswer {
    answer_with(status, &[], body)
}

/// The same, with headers.
pub(super) fn answer_with(status: u16, headers: &[(&str, &str)], body: &str) -> ProviderAnswer {
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
    };
    ProviderAnswer {
        status: StatusCode::from_u16(status).unwrap(),
        version: Version::HTTP_2,
        headers: headers.iter().map(header).collect::<HeaderMap>(),
        body: body.to_owned(),
        whole: true,
        at: "1994-11-06T08:49:07Z".parse().unwrap(),
    }
}

/// The kind of an outcome, as the tables of the tests write it.
pub(super) fn kind<T>(outcome: &Result<T, PushError>) -> &'static str {
    match outcome {
        Ok(_) => "delivered",
        Err(PushError::Dead(_)) => "dead",
        Err(PushError::WrongApp(_)) => "wrong app",
        Err(PushError::Message(_)) => "message",
        Err(PushError::Phone { .. }) => "phone",
        Err(PushError::Transport(fault)) => fault.kind.word(),
    }
}
