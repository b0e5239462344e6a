//! The token table alone, without a router.

use zmes_providers::App;

use super::*;
use crate::domain::{MonitorFilter, SkipReason};

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn registration(token: &str) -> Registration {
    Registration {
        token: PushToken::parse(token).unwrap(),
        platform: Platform::Android,
        state: PushState::Enabled,
        filter: None,
        kind: App::ZmNinjaNg,
        app_version: None,
        profile: None,
    }
}

fn only(monlist: &str) -> MonitorFilter {
    MonitorFilter::parse(monlist, "").unwrap()
}

/// Registers at the same moment of both clocks.
fn register(tokens: &mut TokenTable, registration: &Registration, owner: &str) -> RegistrationOutcome {
    tokens.register(registration, owner, None, Instant::now(), wall(0))
}

#[tokio::test(start_paused = true)]
async fn the_first_registration_is_told_everywhere_and_the_same_again_nowhere() {
    let mut tokens = TokenTable::default();
    let first = register(&mut tokens, &registration("T"), "amy");
    assert_eq!((first.created, first.change, first.log), (true, Some("registered"), Some(0)));
    assert!(first.write && first.register_now && first.withdrawn.is_none());
    let again = register(&mut tokens, &registration("T"), "amy");
    assert_eq!((again.created, again.change, again.log), (false, None, None));
    assert!(!again.write && !again.register_now);
    assert_eq!((again.token.id, &*again.token.user), (first.token.id, "amy"));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_comes_too_soon_reaches_the_provider_later() {
    let mut tokens = TokenTable::default();
    register(&mut tokens, &registration("T"), "amy");
    let change = Registration { filter: Some(only("1")), ..registration("T") };
    let changed = register(&mut tokens, &change, "amy");
    assert_eq!((changed.change, changed.register_now), (Some("changed"), false));
    assert!(tokens.any_waiting() && tokens.due_registrations(Instant::now()).is_empty());
    tokio::time::advance(std::time::Duration::from_secs(30)).await;
    let due = tokens.due_registrations(Instant::now());
    assert_eq!(due.iter().map(|token| &token.filter).collect::<Vec<_>>(), [&only("1")]);
    assert!(!tokens.any_waiting());
}

#[test]
fn another_owner_begins_anew() {
    let mut tokens = TokenTable::default();
    let stated = Registration { filter: Some(only("1")), ..registration("T") };
    let id = register(&mut tokens, &stated, "amy").token.id;
    tokens.note_sent(id, MonitorId(1), wall(5));
    let outcome = register(&mut tokens, &registration("T"), "bob");
    assert_eq!((&*outcome.token.user, &outcome.token.filter), ("bob", &MonitorFilter::All));
    assert_eq!(outcome.withdrawn, Some(SkipReason::AnotherUser));
    assert_eq!(outcome.forgotten.get(&MonitorId(1)), Some(&wall(5)));
    assert!(tokens.get(id).unwrap().sent().is_empty());
}

#[test]
fn a_revoked_token_comes_back_with_its_id_and_a_blocked_one_only_by_an_admin() {
    let mut tokens = TokenTable::default();
    let id = register(&mut tokens, &registration("T"), "amy").token.id;
    assert!(tokens.revoke(id, wall(1), "gone").is_some());
    assert!(tokens.revoke(id, wall(2), "gone").is_none(), "it is revoked already");
    let back = register(&mut tokens, &registration("T"), "amy");
    assert_eq!((back.token.id, back.created, back.change), (id, false, Some("registered")));
    assert!(tokens.restore(id).is_none(), "it is live");
    tokens.revoke(id, wall(3), "gone");
    assert!(tokens.set_blocked(id, TokenBlock { at: wall(4), is_on: true }).unwrap().blocked());
    assert!(tokens.restore(id).is_none());
    assert!(!tokens.set_blocked(id, TokenBlock { at: wall(5), is_on: false }).unwrap().blocked());
    assert!(tokens.restore(id).unwrap().revoked.is_none());
}

#[test]
fn badges_are_counted_and_written_with_the_token() {
    let mut tokens = TokenTable::default();
    let id = register(&mut tokens, &registration("T"), "amy").token.id;
    assert_eq!((tokens.next_badge(id, true), tokens.next_badge(id, false)), (1, 1));
    assert!(tokens.take_unwritten().is_empty());
    tokens.not_written([id, TokenId(77)]);
    let written = tokens.take_unwritten();
    assert_eq!(written.iter().map(|token| (token.id, token.badge)).collect::<Vec<_>>(), [(id, 1)]);
    assert!(!tokens.any_waiting());
    tokens.none_written();
    assert_eq!(tokens.take_unwritten().len(), 1);
}

#[test]
fn an_id_is_never_given_twice() {
    let known = Token::new(TokenId(7), PushToken::parse("A").unwrap(), Platform::Ios, wall(0));
    let mut tokens = TokenTable::remembered(vec![known], HashMap::new());
    assert_eq!(register(&mut tokens, &registration("B"), "amy").token.id, TokenId(8));
    assert_eq!(tokens.next_id(), TokenId(9));
    let census = tokens.census(wall(0));
    let live: u64 = census.iter().map(|(_, number)| number).sum();
    assert_eq!((live, tokens.counts(wall(0)).enabled), (2, 2));
}

#[test]
fn a_link_names_a_live_token_and_none_where_two_have_its_mark() {
    let mut tokens = TokenTable::default();
    let token = register(&mut tokens, &registration("T"), "amy").token;
    let mark = TokenMark::of(&token.handle);
    assert_eq!(tokens.marked(mark), Some(token.id));
    assert_eq!(tokens.marked(TokenMark::of(&PushToken::parse("U").unwrap().handle())), None);
    // Another one whose handle begins with the same bytes cannot be made here: its entry is.
    let other = register(&mut tokens, &registration("U"), "bob").token;
    tokens.by_mark.insert((mark, other.id));
    assert_eq!(tokens.marked(mark), None);
    tokens.revoke(other.id, wall(1), "its app is gone").unwrap();
    assert_eq!(tokens.marked(mark), Some(token.id));
    tokens.revoke(token.id, wall(1), "its app is gone").unwrap();
    assert_eq!(tokens.marked(mark), None);
    // It comes back, also from the disk.
    tokens.restore(token.id).unwrap();
    assert_eq!(tokens.marked(mark), Some(token.id));
    let remembered = TokenTable::remembered(vec![Token::clone(&token)], HashMap::new());
    assert_eq!(remembered.marked(mark), Some(token.id));
}
