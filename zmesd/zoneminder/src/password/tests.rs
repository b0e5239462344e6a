use super::*;

const PASSWORD: &str = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";
const BCRYPT: &str = "$2y$04$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC";

fn stored(hash: Option<&str>) -> StoredPassword {
    StoredPassword { hash: hash.map(|hash| hash.to_owned().into()), barred: false, cost: MIN_COST }
}

fn outcome(hash: &str, given: &str) -> PasswordOutcome {
    stored(Some(hash)).check(given)
}

#[test]
fn mysqls_own_hash_in_either_case() {
    assert_eq!(outcome(PASSWORD, "password"), PasswordOutcome::Match);
    assert_eq!(outcome(&PASSWORD.to_lowercase(), "password"), PasswordOutcome::Match);
    assert_eq!(outcome(PASSWORD, "Password"), PasswordOutcome::Mismatch);
    assert_eq!(outcome(PASSWORD, ""), PasswordOutcome::Mismatch);
    assert_eq!(outcome(PASSWORD, PASSWORD), PasswordOutcome::Mismatch, "the hash is not the password");
}

#[test]
fn bcrypt_in_all_its_spellings() {
    for kind in ["$2a$", "$2b$", "$2y$"] {
        let hash = BCRYPT.replacen("$2y$", kind, 1);
        assert_eq!(outcome(&hash, "password"), PasswordOutcome::Match, "{kind}");
        assert_eq!(outcome(&hash, "passwort"), PasswordOutcome::Mismatch, "{kind}");
    }
    assert_eq!(
        outcome("$2b$04$zmesdzmesdzmesdzmesdzellKfmU7QHlsqUvdOiaxYzRwXhTEmT/.", "pässword"),
        PasswordOutcome::Match
    );
}

#[test]
fn bcrypt_reads_72_bytes_as_php_does() {
    let hash = "$2b$04$zmesdzmesdzmesdzmesdze8VqwmcrsY.bk22KOHU6QjB9kxGfRp3C";
    assert_eq!(outcome(hash, &"a".repeat(80)), PasswordOutcome::Match);
    assert_eq!(outcome(hash, &"a".repeat(72)), PasswordOutcome::Match);
    assert_eq!(outcome(hash, &"a".repeat(71)), PasswordOutcome::Mismatch);
}

#[test]
fn the_overlay_of_zmupdate() {
    let stored = "-ZM-$2a$04$zmesdzmesdzmesdzmesdzeZuy.2SUSE9dHhenr2kx4lOhOU1SjX26";
    assert_eq!(outcome(stored, "password"), PasswordOutcome::Match);
    assert_eq!(outcome(stored, PASSWORD), PasswordOutcome::Mismatch, "the old hash is not the password");
    assert_eq!(outcome(stored, "other"), PasswordOutcome::Mismatch);
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
            PasswordOutcome::Unusable(said) => assert!(said.contains(reason), "{stored}: {said}"),
            other @ (PasswordOutcome::Match | PasswordOutcome::Mismatch) => panic!("{stored}: {other:?}"),
        }
    }
}

#[test]
fn a_cost_that_bcrypt_does_not_know_is_no_match() {
    let stored = "$2y$03$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC";
    assert_eq!(outcome(stored, "password"), PasswordOutcome::Mismatch);
}

#[test]
fn an_unknown_user_has_no_password() {
    assert_eq!(stored(None).check(""), PasswordOutcome::Mismatch);
}

#[test]
fn the_cost_of_a_hash_is_read_where_it_counts() {
    assert_eq!(cost(BCRYPT), Some(4));
    assert_eq!(cost("-ZM-$2a$12$zmesdzmesdzmesdzmesdzeZuy.2SUSE9dHhenr2kx4lOhOU1SjX26"), Some(12));
    for other in [PASSWORD, "", "plain", "$2y$31$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC"] {
        assert_eq!(cost(other), None, "{other}");
    }
}

#[test]
fn every_wrong_login_is_as_much_work_as_the_highest_cost_here() {
    let cost_6 = bcrypt::hash("password", 6).unwrap();
    let at_8 = |hash: Option<&str>, barred| StoredPassword { barred, cost: 8, ..stored(hash) };
    for (what, stored, given) in [
        ("no such user", at_8(None, false), "x"),
        ("a wrong password, cost 4", at_8(Some(BCRYPT), false), "x"),
        ("a wrong password, cost 6", at_8(Some(&cost_6), false), "x"),
        ("a wrong password, MySQL's hash", at_8(Some(PASSWORD), false), "x"),
        ("plain text", at_8(Some("password"), false), "password"),
        ("no password", at_8(Some(""), false), ""),
        ("a disabled user's right password, bcrypt", at_8(Some(BCRYPT), true), "password"),
        ("a disabled user's right password, MySQL's hash", at_8(Some(PASSWORD), true), "password"),
        ("a zero byte", at_8(Some(BCRYPT), false), "pass\0word"),
        (
            "a cost that bcrypt does not know",
            at_8(Some("$2y$03$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC"), false),
            "x",
        ),
    ] {
        assert_eq!(stored.measured(given).1, 1 << 8, "{what}");
    }
    let right = at_8(Some(&cost_6), false);
    assert_eq!(right.measured("password"), (PasswordOutcome::Match, 1 << 6), "who is right does not wait");
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
