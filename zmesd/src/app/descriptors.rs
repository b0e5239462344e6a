//! The limit on open files: each app needs one.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use tracing::{debug, warn};

use crate::ws;

/// Descriptors for everything except logged-in apps: up to 100 pushes for each of three transports, databases, the
/// control socket, metrics, shared memory, a reserve; and connections without a login, which do not count for
/// `server.max-clients`.
const OTHERS: u64 = 512 + ws::MAX_PENDING as u64;

/// Raises the soft limit to the hard one. The soft limit is 1,024 by tradition, for programs that use `select(2)`
/// (systemd.exec(5), `LimitNOFILE=`); the daemon does not.
pub(super) fn raise_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
            debug!(from = soft, to = hard, "raised the open file limit");
        }
        Ok(())
    });
    if let Err(error) = raised {
        debug!(%error, "cannot raise the open file limit");
    }
}

/// Warns if the limit is too low for the number of apps that the configuration allows.
pub(super) fn warn_if_short(max_clients: usize) {
    let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if let Some(needed) = short_of(soft, max_clients) {
        warn!(
            limit = soft,
            needed,
            hint = format!("set LimitNOFILE={needed} in the unit, or lower server.max-clients"),
            "open file limit allows about {} apps, but server.max-clients is {max_clients}",
            soft.saturating_sub(OTHERS)
        );
    }
}

fn short_of(limit: rlim_t, max_clients: usize) -> Option<u64> {
    let needed = u64::try_from(max_clients).unwrap_or(u64::MAX).saturating_add(OTHERS);
    (limit < needed).then_some(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_low_is_noticed() {
        assert_eq!(short_of(1024, 20_000), Some(21_536));
        assert_eq!(short_of(21_535, 20_000), Some(21_536));
        assert_eq!(short_of(21_536, 20_000), None);
        assert_eq!(short_of(1024, 500), Some(2036));
        assert_eq!(short_of(rlim_t::MAX, usize::MAX), None);
    }
}
