//! The certificate that apps are shown, and the one on the disk.

use std::time::Duration;

use zmes_shared::views::{Finding, Perf, Sentence, Severity};

use super::measure::{PartOutcome, signed};
use crate::admin::AdminParts;
use crate::ports::{CertificateProblem, CertificateSummary, ConfigExamined};

const STEP: &str = "certificate";
const DAY: i64 = 24 * 60 * 60;

/// Judges the certificate. `examined`: the file on the disk, which may have changed since. `within`: required remaining
/// validity, instead of a fraction of its lifetime.
pub(super) fn look(
    parts: &AdminParts,
    examined: Option<&ConfigExamined>,
    within: Option<Duration>,
) -> PartOutcome {
    let Some(certificate) = parts.certificate.summary() else {
        return vec![Finding::good(STEP, "apps are served without TLS, as configured")].into();
    };
    let seconds = certificate.not_after.as_second() - parts.clock.now().as_second();
    let mut findings = judge(&certificate, seconds, within);
    findings.extend(examined.into_iter().flat_map(|examined| on_disk(&certificate, examined)));
    let warning = within.map(|within| format!("{}:", within.as_secs().div_ceil(DAY.unsigned_abs())));
    let days = signed("tls_days", seconds.div_euclid(DAY));
    PartOutcome { findings, perf: vec![Perf { warning, critical: Some("0:".to_owned()), ..days }] }
}

fn judge(certificate: &CertificateSummary, seconds: i64, within: Option<Duration>) -> Vec<Finding> {
    let CertificateSummary { subject, sans, not_after, problems, objections, .. } = certificate;
    let days = seconds.div_euclid(DAY);
    // A time that was asked for replaces the limit that follows from the certificate's lifetime.
    let problems = problems.iter().filter(|problem| within.is_none() || !problem.expires_soon());
    let (grave, slight): (Vec<_>, Vec<_>) = problems.partition(|problem| problem.grave);
    let red = grave.iter().map(|problem| {
        Finding::error(STEP, format!("{subject}: {}", problem.message), problem.hint.as_str())
    });
    let mut findings: Vec<_> = red.collect();
    if findings.is_empty() {
        let names = if sans.is_empty() { String::new() } else { format!(" for {}", sans.join(", ")) };
        let detail = Sentence::from(format!("{subject}{names} is valid until ")).time(*not_after);
        findings.push(Finding::good(STEP, detail.text(format!(", for {days} more days"))));
    }
    let warning = |problem: &CertificateProblem| {
        Finding::warning(STEP, format!("{subject}: {}", problem.message), problem.hint.as_str())
    };
    if grave.is_empty()
        && within.is_some_and(|within| seconds < i64::try_from(within.as_secs()).unwrap_or(i64::MAX))
    {
        let detail = Sentence::from(format!("{subject} is valid until "))
            .time(*not_after)
            .text(format!(", for {days} more days: less than --within asks for"));
        findings.push(Finding::warning(STEP, detail, "renew the certificate, then: zmesctl reload"));
    }
    findings.extend(slight.into_iter().map(warning));
    findings.extend(objections.iter().map(warning));
    findings
}

/// Returns problems of the file on the disk alone: the next reload would serve it.
fn on_disk(certificate: &CertificateSummary, examined: &ConfigExamined) -> Vec<Finding> {
    let served = |warning: &crate::config::Problem| {
        let same = |problem: &CertificateProblem| problem.fault == warning.certificate;
        warning.certificate.is_some() && certificate.problems.iter().any(same)
    };
    let new = examined.warnings.iter().filter(|warning| warning.concerns_certificate() && !served(warning));
    let finding = |problem: &crate::config::Problem| {
        let detail = format!("{}: on the disk, not served yet: {}", problem.key, problem.message);
        let severity = if problem.grave { Severity::Error } else { Severity::Warning };
        Finding::new(STEP, severity, detail, Some(problem.hint.clone()))
    };
    new.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CertificateFault;

    fn problem(grave: bool, message: &str) -> CertificateProblem {
        CertificateProblem { grave, fault: None, message: message.to_owned(), hint: "renew it".to_owned() }
    }

    fn certificate(problems: Vec<CertificateProblem>) -> CertificateSummary {
        CertificateSummary {
            subject: "CN=zm".into(),
            sans: vec!["zm".into()],
            self_signed: false,
            not_after: "2030-01-01T00:00:00Z".parse().unwrap(),
            problems,
            objections: vec![problem(false, "it is valid for 3652 days, and iOS takes 825 at most")],
        }
    }

    fn severities(problems: Vec<CertificateProblem>) -> Vec<Severity> {
        judge(&certificate(problems), 40 * DAY, None).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn what_keeps_apps_away_is_red_and_comes_first() {
        use Severity::{Error, Ok, Warning};
        assert_eq!(severities(Vec::new()), [Ok, Warning]);
        assert_eq!(severities(vec![problem(false, "CA:TRUE")]), [Ok, Warning, Warning]);
        assert_eq!(
            severities(vec![problem(false, "CA:TRUE"), problem(true, "expired")]),
            [Error, Warning, Warning]
        );
    }

    #[test]
    fn a_time_that_is_asked_for_is_the_limit() {
        let mut certificate = certificate(vec![CertificateProblem {
            fault: Some(CertificateFault::ExpiresSoon),
            ..problem(false, "the certificate expires on 2030-01-01T00:00:00Z, in 13 days")
        }]);
        certificate.objections.clear();
        let severity = |days: i64, within: Option<u64>| {
            let within = within.map(|days| Duration::from_hours(days * 24));
            judge(&certificate, days * DAY, within).iter().map(|finding| finding.severity).max().unwrap()
        };
        assert_eq!(severity(13, None), Severity::Warning, "less than a third of its life");
        assert_eq!(severity(13, Some(2)), Severity::Ok);
        assert_eq!(severity(13, Some(14)), Severity::Warning);
        assert_eq!(severity(15, Some(14)), Severity::Ok);
    }

    #[test]
    fn a_file_that_is_worse_than_what_is_served_is_told() {
        let expires = CertificateFault::ExpiresSoon;
        let served = certificate(vec![CertificateProblem {
            fault: Some(expires),
            ..problem(false, "expires in 13 days")
        }]);
        let warning = |fault, message: &str, grave| crate::config::Problem {
            file: "/etc/zmesd/zmesd.toml".into(),
            line: None,
            key: "server.tls.certificate".into(),
            message: message.into(),
            hint: "renew it".into(),
            grave,
            certificate: fault,
        };
        let warnings = vec![
            warning(Some(expires), "expires in 12 days", false),
            warning(Some(CertificateFault::IsCa), "is a CA", false),
            warning(None, "the key is not readable", true),
        ];
        let findings = on_disk(&served, &ConfigExamined { warnings, ..ConfigExamined::default() });
        let details: Vec<_> = findings.iter().map(|finding| finding.detail.as_str()).collect();
        let told = "server.tls.certificate: on the disk, not served yet: ";
        assert_eq!(details, [format!("{told}is a CA"), format!("{told}the key is not readable")]);
    }
}
