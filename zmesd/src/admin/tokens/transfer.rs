//! `tokens import` and `tokens export`.

use jiff::Timestamp;
use zmes_providers::{App, Platform, PushToken};
use zmes_shared::control::{ControlError, ErrorCode, Role, TokenImport as ImportRequest, TokenRecord};
use zmes_shared::views::{ImportOutcome, TokenImported as ImportedView, TokensExported, TokensImported};

use super::{is_after, settled};
use crate::admin::AdminParts;
use crate::admin::answers::off_loop;
use crate::admin::token_names::TokenNames;
use crate::domain::{MonitorFilter, PushState, Token, TokenId};
use crate::route::TokenImported;

/// Longest text that is kept of the app's version and profile, in characters.
const MAX_NAME: usize = 128;
/// Tokens in one page of an export: one has at most 4 KiB, and its lists as much again.
const PAGE: usize = 500;

pub(in crate::admin) async fn import(
    parts: &AdminParts,
    request: ImportRequest,
) -> Result<TokensImported, ControlError> {
    let ImportRequest { tokens: records, user, dry_run } = request;
    owner(parts, &user)?;
    let parsed: Vec<Result<Token, String>> = records.iter().map(|record| parse(record, &user)).collect();
    let imports: Vec<Token> = parsed.iter().flatten().cloned().collect();
    let handles: Vec<String> = imports.iter().map(|import| import.token.handle().to_string()).collect();
    let outcomes = parts.router.import(imports, dry_run).await?;
    if !dry_run {
        settled(parts).await?;
    }
    let mut taken = handles.into_iter().zip(outcomes);
    let told = parsed.into_iter().map(|parsed| match parsed {
        Ok(_) => {
            let next = taken.next();
            next.map_or_else(|| refused(None, "no result"), |(handle, outcome)| told(handle, outcome))
        }
        Err(reason) => refused(None, &reason),
    });
    Ok(TokensImported { dry_run, tokens: told.collect() })
}

/// Checks that the user exists; without a user there are no rights to check.
fn owner(parts: &AdminParts, user: &str) -> Result<(), ControlError> {
    let catalog = parts.catalog.now();
    if user.is_empty() || catalog.users.contains_key(user) {
        return Ok(());
    }
    if catalog.loaded_at.is_none() {
        let error = ControlError::new(ErrorCode::Unavailable, "no user is known yet");
        return Err(error.with_hint("the database has not answered yet: zmesctl check db"));
    }
    let error = ControlError::new(ErrorCode::NotFound, format!("ZoneMinder has no user {user}"));
    Err(error.with_hint("user names are case-sensitive; without --user the tokens belong to no user"))
}

fn parse(record: &TokenRecord, user: &str) -> Result<Token, String> {
    let TokenRecord { token, monlist, intlist, platform, pushstate, appversion, profile } = record;
    let profile = name(profile);
    let token = PushToken::parse(token).map_err(|problem| problem.to_string())?;
    let platform = Platform::parse(platform).ok_or("the platform is neither ios nor android")?;
    Ok(Token {
        state: PushState::parse(pushstate),
        filter: MonitorFilter::parse(monlist, intlist).map_err(|problem| name(&problem.to_string()))?,
        // Only zmNinjaNg has profiles.
        app: if profile.is_empty() { App::Unknown } else { App::ZmNinjaNg },
        app_version: name(appversion),
        profile,
        user: user.to_owned(),
        ..Token::new(TokenId(0), token, platform, Timestamp::UNIX_EPOCH)
    })
}

/// Returns a text of the file, bounded and without what terminals obey.
fn name(text: &str) -> String {
    zmes_shared::text::stripped(text.trim(), MAX_NAME)
}

fn told(handle: String, outcome: TokenImported) -> ImportedView {
    let (outcome, reason) = match outcome {
        TokenImported::New(_) => (ImportOutcome::Added, None),
        TokenImported::Changed(_) => (ImportOutcome::Changed, None),
        TokenImported::Unchanged(_) => (ImportOutcome::Unchanged, None),
        TokenImported::Kept(_) => {
            (ImportOutcome::Unchanged, Some("its app has registered it, and that is newer than the file"))
        }
        TokenImported::Refused(reason) => return refused(Some(handle), reason),
    };
    ImportedView { handle: Some(handle), outcome, reason: reason.map(str::to_owned) }
}

fn refused(handle: Option<String>, reason: &str) -> ImportedView {
    ImportedView { handle, outcome: ImportOutcome::Refused, reason: Some(reason.to_owned()) }
}

pub(in crate::admin) async fn export(
    parts: &AdminParts,
    after: Option<u64>,
) -> Result<TokensExported, ControlError> {
    let known = TokenNames::load(&parts.state, Role::Observer).await?;
    off_loop(move || page(&known, after)).await
}

fn page(known: &TokenNames, after: Option<u64>) -> TokensExported {
    let live = known.rows.iter().filter(|row| {
        // A target comes from the configuration.
        row.token.revoked.is_none() && !row.token.handle.is_target() && is_after(row, after)
    });
    let rows: Vec<_> = live.take(PAGE).map(|row| &row.token).collect();
    let next = rows.last().filter(|_| rows.len() == PAGE).map(|token| token.id.0.cast_unsigned());
    let tokens = rows.into_iter().map(|token| {
        let (monlist, intlist) = token.filter.lists();
        TokenRecord {
            token: token.token.expose().to_owned(),
            monlist,
            intlist,
            platform: token.platform.as_str().to_owned(),
            pushstate: token.state.as_str().to_owned(),
            appversion: token.app_version.clone(),
            profile: token.profile.clone(),
        }
    });
    TokensExported { tokens: tokens.collect(), next }
}
