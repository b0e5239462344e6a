//! Clients that were refused at the port for apps and have not connected since: often why a new app does not connect.
//!
//! No finding if there are none. Warnings, never red: anyone can connect to a port that the network can reach.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use zmes_shared::views::{Finding, RefusalReason, Sentence};

use crate::admin::AdminParts;
use crate::telemetry::RefusedEntry;

const STEP: &str = "clients refused";
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// Maximum number of findings; `zmesctl clients rejected` lists all.
const TOLD: usize = 5;

/// Returns the clients refused recently, the reasons, and what to do.
pub(super) fn findings(parts: &AdminParts) -> Vec<Finding> {
    let names = parts.certificate.summary().map_or_else(Vec::new, |summary| summary.sans);
    judge(&recent(parts), &names)
}

pub(super) fn logins(parts: &AdminParts, user: &str) -> Vec<Finding> {
    judge_logins(&recent(parts), user)
}

fn recent(parts: &AdminParts) -> Vec<RefusedEntry> {
    parts.counters.refusals.entries(parts.clock.now().checked_sub(RECENT).ok())
}

fn judge(entries: &[RefusedEntry], names: &[String]) -> Vec<Finding> {
    let open: Vec<_> = entries.iter().filter(|entry| !entry.mended && counts(entry)).collect();
    let mut findings: Vec<_> = open.iter().take(TOLD).map(|entry| finding(entry, names)).collect();
    if open.len() > TOLD {
        let detail = format!("{} more addresses or users were refused", open.len() - TOLD);
        findings.push(Finding::warning(STEP, detail, "zmesctl clients rejected --since 24h"));
    }
    findings
}

/// Leaves out what other findings report: a database that is down, the wrong logins before a throttled one. A port that
/// the internet reaches is scanned all day, so what scanners do counts only from a private network: else `check all`
/// would always warn.
fn counts(entry: &RefusedEntry) -> bool {
    let reason = entry.rejection.reason;
    let told_elsewhere = matches!(reason, RefusalReason::LoginUnavailable | RefusalReason::Throttled);
    let of_apps = matches!(
        reason,
        RefusalReason::Origin
            | RefusalReason::UntrustedCertificate
            | RefusalReason::ExpiredCertificate
            | RefusalReason::WrongName
            | RefusalReason::MaxClients
            | RefusalReason::MaxClientsPerAddress
            | RefusalReason::BadCredentials
    );
    !told_elsewhere && (of_apps || is_near(entry.network))
}

/// Says whether an address belongs to this machine or a private network (RFC 1918, 4193, 3927, 4291 2.5.6).
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

fn finding(entry: &RefusedEntry, names: &[String]) -> Finding {
    let rejection = &entry.rejection;
    let (address, reason) = (&rejection.address, rejection.reason);
    let asked = rejection.detail.as_deref();
    let what = what(reason, asked, names);
    let user = rejection.user.as_ref().map_or_else(String::new, |user| format!(" as {user}"));
    let often = often(rejection.count, rejection.last_at);
    Finding::warning(STEP, often.text(format!(" from {address}{user}: {what}")), cure(entry))
}

fn what(reason: RefusalReason, detail: Option<&str>, names: &[String]) -> String {
    let asked = |name: &str| format!("; it asked for {name}, the certificate is for {}", listed(names));
    match reason {
        RefusalReason::WrongName => {
            format!("gave up after seeing the certificate{}", detail.map_or_else(String::new, asked))
        }
        RefusalReason::TlsGivenUp => "gave up after seeing the certificate, without a reason".to_owned(),
        RefusalReason::UntrustedCertificate => {
            let asked = detail.filter(|_| !names.is_empty()).map_or_else(String::new, asked);
            format!("does not trust the certificate{asked}")
        }
        RefusalReason::ExpiredCertificate => "takes the certificate for expired".to_owned(),
        RefusalReason::Origin => {
            format!("the web page {} may not connect", detail.unwrap_or("of its browser"))
        }
        RefusalReason::NotWebsocket => "an HTTP request without a WebSocket upgrade".to_owned(),
        RefusalReason::PlainOnTls => "speaks plain ws:// to a TLS port".to_owned(),
        RefusalReason::TlsOnPlain => "speaks TLS to a plain ws:// port".to_owned(),
        RefusalReason::TlsVersion => "supports no TLS version or cipher of this server".to_owned(),
        RefusalReason::AuthTimeout => "sent no user name and password in time".to_owned(),
        RefusalReason::BadCredentials => detail.unwrap_or("wrong user name or password").to_owned(),
        RefusalReason::BadRequest
        | RefusalReason::TlsFailed
        | RefusalReason::ProxyHeader
        | RefusalReason::HandshakeTimeout
        | RefusalReason::ConnectionRate
        | RefusalReason::MaxClients
        | RefusalReason::MaxClientsPerAddress
        | RefusalReason::Evicted
        | RefusalReason::Throttled
        | RefusalReason::LoginUnavailable
        | RefusalReason::Protocol
        | RefusalReason::Unknown => {
            let detail = detail.map_or_else(String::new, |detail| format!(" ({detail})"));
            format!("{}{detail}", reason.as_str().replace('_', " "))
        }
    }
}

fn cure(entry: &RefusedEntry) -> String {
    let rejection = &entry.rejection;
    match (rejection.reason, rejection.detail.as_deref()) {
        (RefusalReason::Origin, Some(origin)) => {
            format!("server.allowed-origins = [\"{origin}\"] if that page may connect, then: zmesctl reload")
        }
        (RefusalReason::ConnectionRate | RefusalReason::MaxClientsPerAddress, _)
            if is_near(entry.network) =>
        {
            let address = &rejection.address;
            format!(
                "server.trusted-proxies = [\"{address}\"] if {address} is your proxy, then: zmesctl reload"
            )
        }
        (reason, _) => reason.hint().to_owned(),
    }
}

fn judge_logins(entries: &[RefusedEntry], user: &str) -> Vec<Finding> {
    let of_user = |entry: &&RefusedEntry| {
        let named = entry.rejection.user.as_deref();
        named.is_some_and(|name| name.eq_ignore_ascii_case(user))
            && matches!(entry.rejection.reason, RefusalReason::BadCredentials | RefusalReason::Throttled)
            && !entry.mended
    };
    let failed = entries.iter().filter(of_user).take(TOLD);
    failed
        .map(|entry| {
            let rejection = &entry.rejection;
            let reason = rejection.detail.as_deref().unwrap_or("wrong credentials");
            let detail = Sentence::from(format!("login as {user} refused "))
                .join(often(rejection.count, rejection.last_at))
                .text(format!(" from {}: {reason}", rejection.address));
            Finding::warning("logins", detail, rejection.reason.hint())
                .about(format!("address {}", rejection.address))
        })
        .collect()
}

/// Returns "3 times, last at 2026-11-29 22:28:25,".
fn often(count: u64, last_at: Timestamp) -> Sentence {
    let before = match count {
        1 => "once, at ".to_owned(),
        more => format!("{more} times, last at "),
    };
    Sentence::from(before).time(last_at).text(",")
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "no name".to_owned(),
        names => names.iter().take(3).cloned().collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use zmes_shared::views::Severity;

    use super::*;
    use crate::telemetry::{Refusal, Refusals};

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn refused(
        table: &Refusals,
        from: &str,
        reason: RefusalReason,
        user: Option<&str>,
        detail: Option<&str>,
    ) {
        let user = user.map(str::to_owned);
        let refusal =
            Refusal { address: from.parse().unwrap(), reason, user, detail: detail.map(str::to_owned) };
        table.record(refusal, AT);
    }

    fn told(table: &Refusals) -> Vec<Finding> {
        judge(&table.entries(None), &["zm.example.org".to_owned()])
    }

    #[test]
    fn an_app_that_asks_for_another_name_is_told_with_both_names() {
        let table = Refusals::default();
        for _ in 0..3 {
            refused(&table, "192.0.2.31", RefusalReason::WrongName, None, Some("zm.lan"));
        }
        let findings = told(&table);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(
            findings[0].detail,
            "3 times, last at 1970-01-01T00:00:00Z, from 192.0.2.31: gave up after seeing the certificate; it asked for \
             zm.lan, the certificate is for zm.example.org"
        );
        table.welcomed("192.0.2.31".parse().unwrap(), Some("amy"));
        assert!(told(&table).is_empty(), "it got in");
    }

    #[test]
    fn scanners_of_the_internet_are_no_finding_and_apps_at_home_are() {
        for (from, counted) in [("198.51.100.7", 0), ("2001:db8::7", 0), ("192.168.1.7", 1), ("fd00::7", 1)] {
            let table = Refusals::default();
            refused(&table, from, RefusalReason::PlainOnTls, None, None);
            assert_eq!(told(&table).len(), counted, "{from}");
            refused(&table, from, RefusalReason::UntrustedCertificate, None, None);
            assert_eq!(told(&table).len(), counted + 1, "{from}: a scanner does not look at the certificate");
        }
    }

    #[test]
    fn every_reason_has_words_and_a_cure() {
        for reason in RefusalReason::ALL {
            let table = Refusals::default();
            refused(&table, "10.0.0.1", reason, None, Some("https://page.example"));
            for finding in told(&table) {
                assert!(
                    finding.ok && finding.hint.as_ref().is_some_and(|hint| !hint.is_empty()),
                    "{finding:?}"
                );
            }
        }
    }

    #[test]
    fn wrong_passwords_of_a_user_name_address_count_and_reason() {
        let table = Refusals::default();
        for (from, user) in [("192.0.2.1", "amy"), ("192.0.2.1", "Amy"), ("192.0.2.2", "bob")] {
            refused(&table, from, RefusalReason::BadCredentials, Some(user), Some("wrong password"));
        }
        let findings = judge_logins(&table.entries(None), "bob");
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].detail,
            "login as bob refused once, at 1970-01-01T00:00:00Z, from 192.0.2.2: wrong password"
        );
        assert_eq!(judge_logins(&table.entries(None), "amy").len(), 2, "in any case");
    }

    #[test]
    fn many_are_summed_up() {
        let table = Refusals::default();
        for host in 1..=40 {
            refused(&table, &format!("192.168.2.{host}"), RefusalReason::TlsGivenUp, None, None);
        }
        let findings = told(&table);
        assert_eq!(findings.len(), TOLD + 1);
        assert_eq!(findings[TOLD].detail, "35 more addresses or users were refused");
    }
}
