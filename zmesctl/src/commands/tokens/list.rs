//! `zmesctl tokens list` and `show`.

use std::io;
use std::time::Duration;

use zmes_shared::control::{Request, TokenFilter, TokenState};
use zmes_shared::views::{TokenShown, TokenView, Tokens};

use crate::commands::deliveries;
use crate::context::{Context, Outcome};
use crate::render::{Cell, Column, ColumnOf, Facts, Out, Table, Tone, View, clean, time};
use crate::words;

/// Requests page by page and shows all pages as one list.
pub(super) async fn run(filter: TokenFilter, context: &mut Context) -> Outcome {
    let mut daemon = context.connect().await?;
    let (mut all, mut after) = (Tokens::default(), None);
    loop {
        let request = Request::TokensList(TokenFilter { after, ..filter.clone() });
        let page: Tokens = daemon.request(request).await?;
        all.tokens.extend(page.tokens);
        // A page that does not advance would be requested forever.
        match page.next {
            Some(next) if after.is_none_or(|before| before < next) => after = Some(next),
            Some(_) | None => return context.show(&all),
        }
    }
}

impl View for Tokens {
    const LIST: Option<&'static str> = Some("tokens");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.tokens.is_empty() {
            return out.line("No matching tokens.");
        }
        let ago = |at| time::ago(out.look().now, at);
        let columns: &[ColumnOf<'_, TokenView>] = &[
            (Column::new("TOKEN"), &|token| Cell::new(&token.handle)),
            (Column::new("USER").cuts(), &|token| Cell::new(&token.user)),
            (Column::new("PLATFORM").spare(4), &|token| Cell::new(token.platform.as_str())),
            (Column::new("STATE"), &|token| state(token.state)),
            (Column::new("APP").cuts().spare(6), &|token| Cell::maybe(app(token))),
            (Column::new("MONITORS").cuts().spare(5), &|token| {
                Cell::new(&words::monitors(token.monitors.as_deref()))
            }),
            (Column::new("INTERVALS").cuts().spare(8), &|token| Cell::maybe(intervals(token))),
            (Column::new("BADGE").right().spare(9), &|token| positive(token.badge)),
            (Column::new("SEEN").spare(2), &|token| Cell::new(&ago(token.last_seen_at))),
            (Column::new("DELIVERED").spare(3), &|token| Cell::maybe(token.last_delivered_at.map(ago))),
            (Column::new("FAILURES").right().spare(7), &|token| positive(token.failures)),
            // The reason why a phone does not ring is more important than its app.
            (Column::new("LAST ERROR").wraps().spare(1), &|token| {
                Cell::maybe(token.last_error.as_ref()).tone(Tone::Bad)
            }),
            (Column::new("REVOKED").wraps(), &|token| Cell::maybe(revoked(token, out))),
            (Column::new("SECRET").wraps(), &|token| Cell::maybe(token.token.as_ref())),
        ];
        let table = Table::of(&self.tokens, columns);
        out.table(&table)
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.tokens.iter().map(|token| token.handle.clone()).collect())
    }
}

fn positive(count: u32) -> Cell {
    Cell::maybe((count > 0).then_some(count))
}

/// Returns a short table of tokens, for confirmations and results.
pub(super) fn brief(tokens: &[TokenView]) -> Table {
    let columns: &[ColumnOf<'_, TokenView>] = &[
        (Column::new("TOKEN"), &|token| Cell::new(&token.handle)),
        (Column::new("USER").cuts(), &|token| Cell::new(&token.user)),
        (Column::new("PLATFORM").spare(1), &|token| Cell::new(token.platform.as_str())),
        (Column::new("STATE"), &|token| state(token.state)),
        (Column::new("APP").cuts().spare(2), &|token| Cell::maybe(app(token))),
        // Dates, not ages: this may be the log of a cron job.
        (Column::new("SEEN").spare(3), &|token| Cell::new(&token.last_seen_at.strftime("%Y-%m-%d"))),
    ];
    Table::of(tokens, columns)
}

fn state(state: TokenState) -> Cell {
    let tone = match state {
        TokenState::Enabled => Tone::Plain,
        TokenState::Muted | TokenState::Revoked | TokenState::Blocked => Tone::Warning,
        TokenState::Disabled | TokenState::Unknown => Tone::Faint,
    };
    Cell::new(state.as_str()).tone(tone)
}

fn app(token: &TokenView) -> Option<String> {
    match (&token.app, &token.app_version) {
        (Some(app), Some(version)) => Some(format!("{app} {version}")),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

/// Returns the intervals of the monitors that have one: "3: 1 min, 8: 10 min".
fn intervals(token: &TokenView) -> Option<String> {
    let pairs = token.monitors.as_ref()?.iter().zip(token.intervals.as_ref()?);
    let wanted = pairs.filter(|(_, interval)| **interval > 0);
    let texts = wanted.map(|(monitor, ms)| format!("{monitor}: {}", time::span(Duration::from_millis(*ms))));
    let texts = texts.collect::<Vec<_>>();
    (!texts.is_empty()).then(|| texts.join(", "))
}

fn revoked(token: &TokenView, out: &Out) -> Option<String> {
    let at = out.ago(token.revoked_at?);
    Some(token.revoked_reason.as_ref().map_or_else(|| at.clone(), |reason| format!("{at}: {reason}")))
}

impl View for TokenShown {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let token = &self.token;
        let title = out.paint(Tone::Strong, &format!("Token {}", clean(&token.handle)));
        let owner = match token.user.as_str() {
            "" => "imported, all monitors".to_owned(),
            user => format!("of {}", clean(user)),
        };
        out.line(&format!("{title} ({}, {owner})", token.platform.as_str()))?;
        let facts = facts(token, out);
        out.facts(&facts)?;
        if self.recent.is_empty() {
            return out.line("No decisions for this token yet.");
        }
        out.line("")?;
        let table = deliveries::table(&self.recent, out);
        out.table(&table)
    }
}

fn facts(token: &TokenView, out: &Out) -> Facts {
    let mut facts = Facts::default();
    let when = |at| format!("{} ({})", out.ago(at), time::date(at, &out.look().zone));
    let state = match (token.state, token.mute_until) {
        (TokenState::Muted, Some(until)) => format!("muted until {}", time::date(until, &out.look().zone)),
        (TokenState::Muted, None) => "muted until zmesctl tokens unmute".to_owned(),
        (state, _) => state.as_str().to_owned(),
    };
    facts.add("state", state);
    let mut maybe = |label, text: Option<String>| {
        if let Some(text) = text {
            facts.add(label, clean(&text).into_owned());
        }
    };
    maybe("revoked", revoked(token, out));
    maybe("app", app(token));
    maybe("profile", token.profile.clone());
    maybe("monitors", Some(words::monitors(token.monitors.as_deref())));
    maybe("intervals", intervals(token));
    maybe("badge", Some(token.badge.to_string()));
    maybe("registered", Some(when(token.created_at)));
    maybe("last seen", Some(when(token.last_seen_at)));
    maybe("delivered", Some(token.last_delivered_at.map_or_else(|| "never".to_owned(), when)));
    maybe("transport", token.transport.clone());
    maybe("token", token.token.clone());
    if let Some(error) = &token.last_error {
        let at = token.last_error_at.map_or_else(String::new, |at| format!("{}: ", out.ago(at)));
        let times = if token.failures > 1 { format!(" ({} times)", token.failures) } else { String::new() };
        facts.add("last error", out.paint(Tone::Bad, &format!("{at}{}{times}", clean(error))));
    }
    facts
}
