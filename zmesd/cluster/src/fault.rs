//! Why the ledger did not do what it was asked, by MySQL's error numbers, which MariaDB and Galera share.

use sqlx::mysql::MySqlDatabaseError;

/// Longest text of a server that is repeated.
const SERVER_TEXT: usize = 160;

/// What kind of failure it is, and so what the caller does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LedgerFault {
    /// Nobody answers, or the connection broke: the database is away.
    Unreachable,
    /// It did not answer in time. What was asked may still happen.
    Late,
    /// It answers, but works for nobody at the moment: no quorum, shutting down, read only, too many connections.
    Closed,
    /// Other transactions were in the way each time.
    Contended,
    /// The account or its password is wrong.
    Login,
    /// The account may not do this.
    Grants,
    /// The schema or a table of it is missing.
    NoSchema,
    /// The schema is older than this program.
    OldSchema,
    /// The schema is newer than this program.
    NewSchema,
    /// Another instance has this node's name: this one must not write any more.
    Fenced,
    /// The node was removed, or the database has lost it: it may register again.
    Forgotten,
    /// What was to be stored does not fit.
    Unfit,
    /// Something that should not be.
    Other,
}

impl LedgerFault {
    /// Says whether the database is away: nothing is wrong with what was asked, and it will work again by itself.
    pub fn is_away(self) -> bool {
        matches!(self, Self::Unreachable | Self::Late | Self::Closed | Self::Contended)
    }
}

/// A failure, as a sentence with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LedgerError {
    /// Its kind.
    pub fault: LedgerFault,
    /// What failed, on what, why.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl LedgerError {
    pub(crate) fn new(fault: LedgerFault, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { fault, message: message.into(), hint: hint.into() }
    }

    /// The node's row has a later epoch.
    pub(crate) fn fenced() -> Self {
        Self::new(
            LedgerFault::Fenced,
            "another zmesd has registered under the name of this node",
            "zmesctl cluster status shows the nodes; give each its own [cluster] name, then restart this zmesd",
        )
    }

    /// The node's row is gone, or older than what the database had confirmed.
    pub(crate) fn forgotten() -> Self {
        Self::new(
            LedgerFault::Forgotten,
            "this node was removed from the ledger, or the database has lost what it had confirmed",
            "zmesd registers again by itself; set innodb_flush_log_at_trx_commit = 1 if the server had crashed",
        )
    }

    /// A row that `init` makes is missing.
    pub(crate) fn incomplete() -> Self {
        let hint = "zmesctl cluster init --database-url URL (an administrator's) makes what is missing";
        Self::new(LedgerFault::NoSchema, "the ledger is incomplete: rows of it are missing", hint)
    }

    /// Puts a failure to connect into words.
    pub(crate) fn of_connecting(error: &sqlx::Error, place: &str) -> Self {
        let mut explained = Self::of(error);
        explained.message = format!("the database at {place}: {}", explained.message);
        explained
    }

    fn tls(error: &impl std::fmt::Display) -> Self {
        let hint = "is the certificate of the server valid, for this host, and signed by the named CA?";
        Self::new(LedgerFault::Unreachable, format!("TLS: {}", clean(&error.to_string())), hint)
    }

    /// Puts a failure into words.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list, not ours")]
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(refusal) => match number(error) {
                Some(number) => refused(number, &clean(refusal.message())),
                None => Self::new(LedgerFault::Other, clean(refusal.message()), WHOLE),
            },
            // A failed handshake: rustls' errors come as invalid data.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Self::tls(error),
            sqlx::Error::Io(error) => Self::new(
                LedgerFault::Unreachable,
                clean(&error.to_string()),
                "systemctl status mariadb; zmesd goes on by itself when the database answers again",
            ),
            sqlx::Error::Tls(error) => Self::tls(error),
            // The first login of such an account needs more than sqlx can do.
            sqlx::Error::Configuration(cause) if cause.to_string().contains("RSA") => Self::new(
                LedgerFault::Login,
                "the account cannot log in with caching_sha2_password without TLS",
                "switch TLS on in the server, or log in once by another client (mysql -u USER -p) after each of its starts",
            ),
            sqlx::Error::Protocol(text) if text.contains("unknown authentication plugin") => Self::new(
                LedgerFault::Login,
                format!("the account uses a login method that zmesd does not support ({})", clean(text)),
                "let it use mysql_native_password or caching_sha2_password: ALTER USER … IDENTIFIED …",
            ),
            other => Self::new(LedgerFault::Other, clean(&other.to_string()), WHOLE),
        }
    }
}

const WHOLE: &str =
    "is the ledger whole? zmesctl cluster init --database-url URL checks it and makes what is missing";

/// Sorts a refusal of the server.
fn refused(number: u16, text: &str) -> LedgerError {
    let with_number = || format!("the server says: {text} ({number})");
    match number {
        1045 | 1698 => LedgerError::new(
            LedgerFault::Login,
            format!("access denied ({text})"),
            "correct user and password of [cluster] database-url",
        ),
        1044 | 1142 | 1143 | 1227 | 1370 => LedgerError::new(
            LedgerFault::Grants,
            format!("the account may not do this ({text})"),
            "zmesctl cluster init --database-url URL (an administrator's) grants what is needed",
        ),
        1049 | 1146 => LedgerError::new(
            LedgerFault::NoSchema,
            format!("there is no ledger ({text})"),
            "zmesctl cluster init --database-url URL (an administrator's) makes it",
        ),
        1054 => LedgerError::new(
            LedgerFault::OldSchema,
            format!("the ledger is older than this zmesd ({text})"),
            "zmesctl cluster init --database-url URL (an administrator's) brings it up to date",
        ),
        1047 => LedgerError::new(
            LedgerFault::Closed,
            "this member of the Galera cluster has no quorum and takes no statements",
            "SHOW STATUS LIKE 'wsrep_cluster_status' must say Primary; start the missing members",
        ),
        1290 | 1836 => LedgerError::new(
            LedgerFault::Closed,
            format!("the server is read only ({text})"),
            "SET GLOBAL read_only = 0, or let [cluster] database-url name the server that is written to",
        ),
        1040 | 1203 | 1226 => LedgerError::new(
            LedgerFault::Closed,
            format!("the server has too many connections ({text})"),
            "raise max_connections in the server's configuration",
        ),
        1053 | 1077 | 1079 | 1152 | 1317 | 1927 | 1969 | 3024 | 4031 => LedgerError::new(
            LedgerFault::Closed,
            with_number(),
            "systemctl status mariadb; zmesd goes on by itself when the database answers again",
        ),
        number if is_contention(number) => LedgerError::new(
            LedgerFault::Contended,
            format!("other transactions were in the way ({text})"),
            "with several Galera members, let all nodes write to one of them",
        ),
        1264 | 1366 | 1406 => {
            LedgerError::new(LedgerFault::Unfit, with_number(), "this is a defect of zmesd: zmesctl report")
        }
        _ => LedgerError::new(LedgerFault::Other, with_number(), WHOLE),
    }
}

/// Returns the server's number of a refusal.
pub(crate) fn number(error: &sqlx::Error) -> Option<u16> {
    let refusal = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(refusal.number())
}

/// Says whether the transaction failed because of another one, and works if it is repeated as a whole: a row that has
/// changed, an error during commit (group replication, Galera), lock wait, deadlock (also: failed certification).
pub(crate) fn is_contention(number: u16) -> bool {
    matches!(number, 1020 | 1180 | 1205 | 1213 | 3101)
}

/// Says whether a row with this key exists.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    number(error) == Some(1062)
}

/// Returns the first line of a server's text, without control characters and without Rust's `(os error 2)`.
fn clean(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" (os error ").next().unwrap_or_default();
    line.chars().filter(|character| !character.is_control()).take(SERVER_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_kind() {
        let kind = |number| refused(number, "text").fault;
        assert_eq!(kind(1047), LedgerFault::Closed);
        assert_eq!(kind(1213), LedgerFault::Contended);
        assert_eq!(kind(1205), LedgerFault::Contended);
        assert_eq!(kind(1146), LedgerFault::NoSchema);
        assert_eq!(kind(1142), LedgerFault::Grants);
        assert_eq!(kind(9999), LedgerFault::Other);
        assert!(kind(1290).is_away() && !kind(1045).is_away());
    }

    #[test]
    fn a_text_of_the_server_is_one_short_line() {
        let text = format!("a\u{1b}[31mb\n{}", "c".repeat(1000));
        assert_eq!(clean(&text), "a[31mb");
        assert_eq!(clean(&"d".repeat(1000)).len(), SERVER_TEXT);
        assert_eq!(clean("No such file or directory (os error 2)"), "No such file or directory");
    }
}
