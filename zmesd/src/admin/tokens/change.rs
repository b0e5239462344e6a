//! What admins change of tokens. Each answer comes when the change is on the disk.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_shared::control::{ControlError, ErrorCode, Role, TokenFilter};
use zmes_shared::views::{TokenFailure, TokensChanged};

use super::{fits, settled, understood, view};
use crate::admin::AdminParts;
use crate::admin::answers::busy;
use crate::admin::off_loop::off_loop;
use crate::admin::token_names::{Known, Wanted, bounded, echoed, repeated};
use crate::domain::{Revoked, TokenId};

/// Tokens that an answer lists at most.
const LISTED: usize = 10_000;

/// The tokens that were meant, and those names that mean none.
#[derive(Debug, Default)]
pub(in crate::admin) struct Chosen {
    pub(in crate::admin) ids: BTreeSet<TokenId>,
    pub(in crate::admin) failed: Vec<TokenFailure>,
}

impl Chosen {
    /// Finds the tokens that several names mean.
    pub(in crate::admin) fn find(known: &Known, names: &[String], wanted: Wanted) -> Self {
        let mut chosen = Self::default();
        for name in names {
            match known.find(name, wanted) {
                Ok(row) => drop(chosen.ids.insert(row.token.id)),
                Err(error) => chosen.failed.push(TokenFailure { token: echoed(name), error }),
            }
        }
        chosen
    }
}

/// Which tokens a change is about, as it was asked for.
#[derive(Debug)]
pub(in crate::admin) enum Meant {
    /// One, and whoever asks wants to hear at once that it is not there.
    One(String),
    /// Some.
    Some(Vec<String>),
    /// Those that match.
    Matching(Box<TokenFilter>),
}

impl Meant {
    /// Brings together what a request may say.
    pub(in crate::admin) fn of(
        token: String,
        tokens: Vec<String>,
        select: Option<TokenFilter>,
    ) -> Result<Self, ControlError> {
        let wrong = |message: &str| ControlError::new(ErrorCode::BadRequest, message);
        match (token.is_empty(), tokens.is_empty(), select) {
            (false, true, None) => Ok(Self::One(token)),
            (true, false, None) => {
                bounded(&tokens)?;
                Ok(Self::Some(tokens))
            }
            (true, true, Some(filter)) => {
                understood(&filter)?;
                Ok(Self::Matching(Box::new(filter)))
            }
            (true, true, None) => Err(wrong("no token is named")),
            (_, _, _) => Err(wrong("either one token, or several, or a selection")),
        }
    }

    /// Finds the tokens that are meant, off the loop: there may be very many.
    pub(super) async fn choose(
        self,
        parts: &AdminParts,
        asker: Role,
        wanted: Wanted,
    ) -> Result<(Known, Chosen), ControlError> {
        let (known, now) = (Known::load(&parts.state, asker).await?, parts.clock.now());
        off_loop(move || {
            let chosen = match self {
                Self::One(name) => {
                    let ids = BTreeSet::from([known.find(&name, wanted)?.token.id]);
                    Chosen { ids, failed: Vec::new() }
                }
                Self::Some(names) => Chosen::find(&known, &names, wanted),
                Self::Matching(filter) => {
                    Chosen { ids: matching(&known, &filter, wanted, now), failed: Vec::new() }
                }
            };
            Ok((known, chosen))
        })
        .await?
    }
}

/// Returns the tokens that match, of those that are wanted.
fn matching(known: &Known, filter: &TokenFilter, wanted: Wanted, now: Timestamp) -> BTreeSet<TokenId> {
    // A selection that names no state means all that the command can be about.
    let any = TokenFilter { state: None, ..filter.clone() };
    let candidates = known.rows.iter().filter(|row| wanted.includes(&row.token));
    let chosen = candidates.filter(|row| {
        let view = view::token(row, String::new(), now, false);
        filter.state.is_none_or(|state| view.state == state) && fits(&any, row, &view, now)
    });
    chosen.map(|row| row.token.id).collect()
}

/// Takes tokens out.
pub(in crate::admin) async fn revoke(
    parts: &AdminParts,
    asker: Role,
    meant: Meant,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let (known, Chosen { ids, failed }) = meant.choose(parts, asker, Wanted::Live).await?;
    let changed = gone(parts, known, ids.into_iter().collect(), Revoked::ADMIN, dry_run).await?;
    Ok(TokensChanged { failed, ..changed })
}

/// Takes out the tokens of which nothing was heard for a while, or of these only such as match.
pub(in crate::admin) async fn prune(
    parts: &AdminParts,
    asker: Role,
    stale: Duration,
    select: Option<TokenFilter>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let filter = TokenFilter { stale_ms: Some(view::millis(stale)), ..select.unwrap_or_default() };
    understood(&filter)?;
    let meant = Meant::Matching(Box::new(filter));
    let (known, Chosen { ids, .. }) = meant.choose(parts, asker, Wanted::Live).await?;
    gone(parts, known, ids.into_iter().collect(), Revoked::PRUNED, dry_run).await
}

async fn gone(
    parts: &AdminParts,
    known: Known,
    ids: Vec<TokenId>,
    reason: &str,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    if dry_run || ids.is_empty() {
        return changed(parts, known, "revoked", ids, dry_run).await;
    }
    let gone = parts.router.revoke(ids, reason.to_owned()).await.map_err(busy)?;
    done(parts, "revoked", gone).await
}

/// Takes a revocation back.
pub(in crate::admin) async fn restore(
    parts: &AdminParts,
    asker: Role,
    name: &str,
) -> Result<TokensChanged, ControlError> {
    let (_, chosen) = Meant::One(name.to_owned()).choose(parts, asker, Wanted::Revoked).await?;
    for &id in &chosen.ids {
        if !parts.router.restore(id).await.map_err(busy)? {
            // It came back, was blocked, or was forgotten, a moment ago.
            let message = format!("token {} is not revoked any more", repeated(name));
            return Err(ControlError::new(ErrorCode::Conflict, message));
        }
    }
    done(parts, "restored", chosen.ids.into_iter().collect()).await
}

/// Silences tokens for a while, or until they are unmuted.
pub(in crate::admin) async fn mute(
    parts: &AdminParts,
    asker: Role,
    meant: Meant,
    lasting: Option<Duration>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let until = lasting.map_or(Timestamp::MAX, |lasting| {
        let lasting = SignedDuration::try_from(lasting).unwrap_or(SignedDuration::MAX);
        parts.clock.now().saturating_add(lasting).unwrap_or(Timestamp::MAX)
    });
    set_mute(parts, asker, meant, Some(until), dry_run).await
}

/// Takes silences back.
pub(in crate::admin) async fn unmute(
    parts: &AdminParts,
    asker: Role,
    meant: Meant,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    set_mute(parts, asker, meant, None, dry_run).await
}

async fn set_mute(
    parts: &AdminParts,
    asker: Role,
    meant: Meant,
    until: Option<Timestamp>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let change = if until.is_some() { "muted" } else { "unmuted" };
    let (known, Chosen { ids, mut failed }) = meant.choose(parts, asker, Wanted::Live).await?;
    if dry_run || ids.is_empty() {
        let ids: Vec<_> = ids.into_iter().collect();
        return Ok(TokensChanged { failed, ..changed(parts, known, change, ids, dry_run).await? });
    }
    let mut reached = Vec::new();
    for id in ids {
        if parts.router.mute(id, until).await.map_err(busy)? {
            reached.push(id);
            continue;
        }
        let token = known.row(id).map(|row| known.handle(&row.token)).unwrap_or_default();
        let message = format!("token {token} was revoked a moment ago");
        failed.push(TokenFailure { token, error: ControlError::new(ErrorCode::Conflict, message) });
    }
    Ok(TokensChanged { failed, ..done(parts, change, reached).await? })
}

/// Waits until a change is on the disk and shows the tokens as they are now.
pub(in crate::admin) async fn done(
    parts: &AdminParts,
    change: &'static str,
    ids: Vec<TokenId>,
) -> Result<TokensChanged, ControlError> {
    settled(parts).await?;
    let known = Known::load(&parts.state, Role::Observer).await?;
    changed(parts, known, change, ids, false).await
}

/// Shows tokens that were, or would be, changed.
pub(in crate::admin) async fn changed(
    parts: &AdminParts,
    known: Known,
    change: &'static str,
    ids: Vec<TokenId>,
    dry_run: bool,
) -> Result<TokensChanged, ControlError> {
    let now = parts.clock.now();
    off_loop(move || {
        let rows = ids.iter().take(LISTED).filter_map(|&id| known.row(id));
        TokensChanged {
            change: change.to_owned(),
            dry_run,
            count: ids.len() as u64,
            tokens: rows.map(|row| view::token(row, known.handle(&row.token), now, false)).collect(),
            failed: Vec::new(),
        }
    })
    .await
}
