//! The configuration on the disk: is it valid, and is it in use?

use tokio::time::error::Elapsed;
use zmes_shared::views::Finding;

use super::survey::CONFIGURATION;
use crate::config::{Config, ConfigDiff, Problem};
use crate::ports::ConfigExamined;

/// Maximum number of findings; `zmesctl config check` lists all problems.
const TOLD: usize = 10;

/// Returns the problems of the file, its keys that are not applied yet, and whether `zm.conf` was read.
pub(super) fn findings(examined: &Result<Option<ConfigExamined>, Elapsed>, running: &Config) -> Vec<Finding> {
    let file = running.origin.file.display();
    let examined = match examined {
        Ok(Some(examined)) => examined,
        Ok(None) => return vec![Finding::good("configuration", "no file: the demo has built-in settings")],
        Err(_) => {
            let detail = format!("{file} could not be read within {} s", CONFIGURATION.as_secs());
            return vec![Finding::error("configuration", detail, format!("ls -l {file}"))];
        }
    };
    let ConfigExamined { problems, warnings, diff } = examined;
    let mut findings: Vec<_> = problems.iter().take(TOLD).map(fatal).collect();
    if problems.len() > TOLD {
        let detail = format!("{} more problems in {file}", problems.len() - TOLD);
        findings.push(Finding::error("configuration", detail, "zmesctl config check"));
    }
    // The certificate has its own step.
    findings.extend(warnings.iter().filter(|warning| !warning.concerns_certificate()).map(Problem::finding));
    findings.extend(changed(&file.to_string(), diff));
    if findings.is_empty() {
        findings.push(Finding::good("configuration", format!("{file} is valid and in use")));
    }
    if findings.iter().all(|finding| finding.step != "zm.conf") {
        findings.extend(zm_conf(running));
    }
    findings
}

fn fatal(problem: &Problem) -> Finding {
    let finding = problem.finding();
    let detail = finding.sentence().text("; zmesd cannot reload or start again with it");
    Finding::error(finding.step, detail, finding.hint.unwrap_or_default())
}

fn changed(file: &str, diff: &ConfigDiff) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (keys, command) in [(diff.needs_restart(), "systemctl restart zmesd"), (diff.hot(), "zmesctl reload")]
    {
        if !keys.is_empty() {
            let detail =
                format!("{file} has changed, but these keys are not applied yet: {}", keys.join(", "));
            findings.push(Finding::warning("configuration", detail, command));
        }
    }
    findings
}

fn zm_conf(running: &Config) -> Option<Finding> {
    let file = running.origin.zm_conf.as_ref()?.display();
    let database =
        if running.origin.database_by_url { "; the database comes from zoneminder.database-url" } else { "" };
    Some(Finding::good("zm.conf", format!("{file} can be read{database}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use zmes_shared::views::Severity;

    use super::*;
    use crate::config::{Environment, Loaded};

    fn running() -> Config {
        listening(9000)
    }

    fn listening(port: u16) -> Config {
        let text = format!(
            "zoneminder = {{ config = '', database-url = 'mysql://zm:zm@localhost/zm' }}\n\
             server = {{ plaintext = true, listen = ['127.0.0.1:{port}'], max-clients = {port} }}\n"
        );
        Loaded::from_text(&text, Path::new("/etc/zmesd/zmesd.toml"), &Environment::default()).unwrap().config
    }

    fn problem(key: &str, grave: bool) -> Problem {
        let (file, message, hint) = ("/etc/zmesd/zmesd.toml".into(), "is odd".into(), "mend it".into());
        Problem { file, line: Some(7), key: key.into(), message, hint, grave, certificate: None }
    }

    fn told(examined: ConfigExamined) -> Vec<(String, Severity, String)> {
        let findings = findings(&Ok(Some(examined)), &running()).into_iter();
        findings.map(|finding| (finding.step, finding.severity, finding.detail)).collect()
    }

    #[test]
    fn an_invalid_file_is_red_at_its_line() {
        let problems = vec![problem("server.tls.key", true)];
        let told = told(ConfigExamined { problems, ..ConfigExamined::default() });
        let detail =
            "/etc/zmesd/zmesd.toml:7: server.tls.key: is odd; zmesd cannot reload or start again with it";
        assert_eq!(told[0], ("certificate".to_owned(), Severity::Error, detail.to_owned()));
    }

    #[test]
    fn a_key_that_is_not_applied_names_the_command_that_applies_it() {
        let diff = running().diff(&listening(9001));
        let examined = ConfigExamined { diff, ..ConfigExamined::default() };
        let findings = findings(&Ok(Some(examined)), &running());
        let hints: Vec<_> = findings.iter().filter_map(|finding| finding.hint.as_deref()).collect();
        assert_eq!(hints, ["systemctl restart zmesd", "zmesctl reload"]);
        assert!(findings.iter().all(|finding| finding.ok));
    }

    #[test]
    fn the_certificate_is_left_to_its_own_step() {
        let warnings = vec![problem("server.tls.certificate", true), problem("auth.enabled", false)];
        let told = told(ConfigExamined { warnings, ..ConfigExamined::default() });
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].0.as_str(), told[0].1), ("configuration", Severity::Warning));
    }

    #[test]
    fn a_valid_file_says_so() {
        let told = told(ConfigExamined::default());
        assert_eq!(told[0].2, "/etc/zmesd/zmesd.toml is valid and in use");
    }
}
