use super::*;

const PASSWORD: &str = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";
const BCRYPT: &str = "$2y$04$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC";

fn outcome(stored: &str, given: &str) -> Outcome {
    check(Some(stored), given)
}

#[test]
fn mysqls_own_hash_in_either_case() {
    assert_eq!(outcome(PASSWORD, "password"), Outcome::Match);
    assert_eq!(outcome(&PASSWORD.to_lowercase(), "password"), Outcome::Match);
    assert_eq!(outcome(PASSWORD, "Password"), Outcome::Mismatch);
    assert_eq!(outcome(PASSWORD, ""), Outcome::Mismatch);
    assert_eq!(outcome(PASSWORD, PASSWORD), Outcome::Mismatch, "the hash is not the password");
}

#[test]
fn bcrypt_in_all_its_spellings() {
    for kind in ["$2a$", "$2b$", "$2y$"] {
        let hash = BCRYPT.replacen("$2y$", kind, 1);
        assert_eq!(outcome(&hash, "password"), Outcome::Match, "{kind}");
        assert_eq!(outcome(&hash, "passwort"), Outcome::Mismatch, "{kind}");
    }
    assert_eq!(
        outcome("$2b$04$zmesdzmesdzmesdzmesdzellKfmU7QHlsqUvdOiaxYzRwXhTEmT/.", "pässword"),
        Outcome::Match
    );
}

#[test]
fn bcrypt_reads_72_bytes_as_php_does() {
    let hash = "$2b$04$zmesdzmesdzmesdzmesdze8VqwmcrsY.bk22KOHU6QjB9kxGfRp3C";
    assert_eq!(outcome(hash, &"a".repeat(80)), Outcome::Match);
    assert_eq!(outcome(hash, &"a".repeat(72)), Outcome::Match);
    assert_eq!(outcome(hash, &"a".repeat(71)), Outcome::Mismatch);
}

#[test]
fn the_overlay_of_zmupdate() {
    let stored = "-ZM-$2a$04$zmesdzmesdzmesdzmesdzeZuy.2SUSE9dHhenr2kx4lOhOU1SjX26";
    assert_eq!(outcome(stored, "password"), Outcome::Match);
    assert_eq!(outcome(stored, PASSWORD), Outcome::Mismatch, "the old hash is not the password");
    assert_eq!(outcome(stored, "other"), Outcome::Mismatch);
}

#[test]
fn what_cannot_be_checked_is_refused_by_name() {
    let table = [
        ("secret", "plain text"),
        ("", "no password"),
        ("5d2e19393cc5ef67", "before 4.1"),
        ("*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E1", "plain text"),
        ("*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E1G", "plain text"),
        ("$2x$04$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC", "not supported"),
        ("$2$04$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC", "not supported"),
        ("$2y$16$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC", "cost above 15"),
        ("$2y$zz$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC", "damaged"),
        ("$2y$10$short", "damaged"),
        ("$2y$04$ämesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC", "damaged"),
        ("-ZM-", "not supported"),
        ("-ZM-*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "not supported"),
        ("-ZM-$2a$31$zmesdzmesdzmesdzmesdzeZuy.2SUSE9dHhenr2kx4lOhOU1SjX26", "cost above 15"),
    ];
    for (stored, reason) in table {
        match outcome(stored, stored) {
            Outcome::Unusable(said) => assert!(said.contains(reason), "{stored}: {said}"),
            other @ (Outcome::Match | Outcome::Mismatch | Outcome::Busy) => panic!("{stored}: {other:?}"),
        }
    }
}

#[test]
fn a_cost_that_bcrypt_does_not_know_is_no_match() {
    let stored = "$2y$03$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC";
    assert_eq!(outcome(stored, "password"), Outcome::Mismatch);
}

#[test]
fn who_does_not_exist_has_no_password() {
    assert_eq!(check(None, ""), Outcome::Mismatch);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_ends() {
    let passwords = Passwords { turns: Arc::new(Semaphore::new(1)) };
    let first = passwords.turn().await;
    assert!(passwords.turn().await.is_none(), "the only turn is taken");
    drop(first);
    assert!(passwords.turn().await.is_some());
}

#[tokio::test]
async fn a_turn_is_free_again_after_the_check() {
    let passwords = Passwords { turns: Arc::new(Semaphore::new(1)) };
    for _ in 0..2 {
        let turn = passwords.turn().await.unwrap();
        let outcome =
            Passwords::check(turn, Some(BCRYPT.to_owned().into()), "password".to_owned().into()).await;
        assert_eq!(outcome, Outcome::Match);
    }
}

proptest::proptest! {
    #[test]
    fn no_stored_text_panics(stored in "\\PC{0,70}", given in "\\PC{0,20}") {
        // Only reading, which is where a damaged hash could panic; hashing each would take minutes.
        let read = Scheme::read(&stored).map(|_| ());
        proptest::prop_assert!(read.is_ok() || read.is_err_and(|reason| !reason.is_empty()));
        proptest::prop_assert_eq!(mysql_text(&given).len(), 41);
    }
}
