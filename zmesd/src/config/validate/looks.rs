//! What others say of the files that the configuration names. Certificates and keys are not its business, so who asks
//! for a check brings somebody who knows them.

use std::borrow::Cow;
use std::fmt;

use zmes_providers::{PushFinding, PushPart};

use super::{Checker, PairCheck};
use crate::config::problem::KeyPlace;

/// Those who look into files.
#[derive(Clone, Copy)]
pub struct Looks<'a> {
    /// Into the certificate of the WebSocket server and its key.
    pub pair: PairCheck<'a>,
    /// Into what the transports of pushes need.
    pub push: PushCheck<'a>,
}

impl fmt::Debug for Looks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looks").finish_non_exhaustive()
    }
}

/// Looks into a part of `[push]`; returns all that is wrong with it.
pub type PushCheck<'a> = &'a dyn Fn(&PushPart<'_>) -> Vec<PushFinding>;

impl Checker<'_> {
    /// Checks a part of `[push]`, if the caller brings a check. A finding goes to the one of `places` that has its key, else
    /// to the first. Providers do not number blocks: theirs is `target.url` where the place is `target[0].url`.
    pub(super) fn look(&mut self, part: &PushPart<'_>, places: &[&KeyPlace]) {
        let Some(look) = self.push_look else { return };
        for PushFinding { key, message, hint } in look(part) {
            let blamed = places.iter().find(|place| key == Some(&*without_number(&place.key)));
            if let Some(place) = blamed.or(places.first()) {
                self.problem(place, message, hint);
            }
        }
    }
}

fn without_number(key: &str) -> Cow<'_, str> {
    match key.split_once('[').and_then(|(block, rest)| Some((block, rest.split_once(']')?.1))) {
        Some((block, name)) => format!("{block}{name}").into(),
        None => key.into(),
    }
}
