//! The session table alone, without a router.

use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_providers::App;
use zmes_zoneminder::MonitorRights;

use super::*;
use crate::domain::{Decision, SkipReason};
use crate::route::handle::Outgoing;

struct ConnectedApp {
    outbox: mpsc::Receiver<Outgoing>,
    kick: oneshot::Receiver<CloseReason>,
}

fn open(sessions: &mut Sessions, id: u64) -> ConnectedApp {
    let (outbox, outbox_rx) = mpsc::channel(1);
    let (kick, kicked) = oneshot::channel();
    let (address, connected_at) = ("192.0.2.1:5000".parse().unwrap(), Timestamp::UNIX_EPOCH);
    sessions.open(SessionOpening { id: SessionId(id), address, connected_at, outbox, kick });
    ConnectedApp { outbox: outbox_rx, kick: kicked }
}

fn amy() -> Arc<User> {
    Arc::new(User {
        name: "amy".to_owned(),
        password: String::new().into(),
        enabled: true,
        api_enabled: true,
        may_see_events: true,
        token_min_expiry: 0,
        rights: MonitorRights::All,
    })
}

fn login(expires_at: Option<Timestamp>) -> SessionLogin {
    let device = Device { user: "amy".to_owned(), kind: App::ZmNinja, app: "1.8".to_owned() };
    let pass = expires_at.map(|expires_at| AccessPass { issued_at: 0, expires_at });
    SessionLogin::new(amy(), pass, Instant::now(), device)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn a_session_ends_with_the_access_token_of_its_last_login() {
    let mut sessions = Sessions::default();
    let [mut first, mut second, third] = [1, 2, 3].map(|id| open(&mut sessions, id));
    sessions.log_in(SessionId(1), login(Some(at(10))));
    sessions.log_in(SessionId(2), login(Some(at(10))));
    sessions.log_in(SessionId(3), login(Some(at(10))));
    sessions.log_in_again(SessionId(2), amy(), None, Instant::now());
    sessions.close(SessionId(3));
    drop(third);
    sessions.end_expired(at(9));
    assert!(first.kick.try_recv().is_err());
    sessions.end_expired(at(10));
    assert_eq!(first.kick.try_recv(), Ok(CloseReason::PassExpired));
    assert!(second.kick.try_recv().is_err(), "it has logged in by a password since");
}

#[test]
fn an_app_that_does_not_read_is_ended_and_gets_nothing_more() {
    let mut sessions = Sessions::default();
    let mut app = open(&mut sessions, 1);
    let session = sessions.get_mut(SessionId(1)).unwrap();
    let frame = Utf8Bytes::from_static("{}");
    assert_eq!(session.deliver(&frame, None), Decision::Send);
    assert_eq!(session.deliver(&frame, None), Decision::Skip(SkipReason::Slow));
    assert_eq!(app.kick.try_recv(), Ok(CloseReason::Slow));
    app.outbox.try_recv().unwrap();
    assert_eq!(session.deliver(&frame, None), Decision::Skip(SkipReason::Ending));
}

#[test]
fn a_filter_that_was_stated_stays_stated_while_the_token_is_attached() {
    let mut sessions = Sessions::default();
    let _app = open(&mut sessions, 1);
    let (id, only) = (SessionId(1), MonitorFilter::parse("1", "").unwrap());
    assert!(sessions.set_filter(id, only.clone(), FilterOrigin::Statement).is_none(), "not logged in");
    sessions.log_in(id, login(None));
    sessions.take_filter(id, only.clone());
    assert_eq!(sessions.login(id).unwrap().stated_filter(), None);
    sessions.set_filter(id, only.clone(), FilterOrigin::Statement);
    sessions.take_filter(id, only.clone());
    assert_eq!(sessions.login(id).unwrap().stated_filter(), Some(&only));
    sessions.lose_token(id);
    assert_eq!(sessions.login(id).unwrap().stated_filter(), None);
    assert_eq!((sessions.len(), sessions.authenticated()), (1, 1));
}
