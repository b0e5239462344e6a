//! What `zmesctl doctor` asks where no daemon answers: would a start succeed, and if not, why?

use std::io;
use std::path::Path;

use zmes_shared::views::Finding;

use crate::config::{Config, Loaded, Problem, Problems};
use crate::{state, ws};

/// Says what is wrong with the configuration; where `rehearse` is wanted, also with what else a start needs.
pub(super) fn findings(path: &Path, loaded: &Result<Loaded, Problems>, rehearse: bool) -> Vec<Finding> {
    let Loaded { config, warnings } = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => return problems.iter().map(Problem::finding).collect(),
    };
    let place = config.zoneminder.database.place();
    let mut findings =
        vec![Finding::good("configuration", format!("{} holds; database {place}", path.display()))];
    findings.extend(warnings.iter().map(Problem::finding));
    if rehearse {
        findings.push(place_of_state(config));
        findings.push(addresses(config));
    }
    findings
}

fn place_of_state(config: &Config) -> Finding {
    let directory = &config.state.directory;
    let place = directory.display();
    match state::try_write(directory) {
        Ok(()) => Finding::good("state", format!("{place} can be written")),
        // A start makes it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::good("state", format!("{place} is not there yet"))
        }
        Err(error) => {
            let detail = format!("nothing can be written to {place}: {error}");
            Finding::error("state", detail, state::write_hint(directory, &error))
        }
    }
}

/// Opens the addresses as a start would, and lets them go again.
fn addresses(config: &Config) -> Finding {
    let listed = config.server.listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match ws::bind(&config.server.listen) {
        Ok(_) => Finding::good("port", format!("{listed}: free")),
        Err(error) => {
            let detail = format!("{error}: {}", error.source);
            Finding::error("port", detail, error.hint().unwrap_or_else(|| "see server.listen".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config::Environment;

    fn loaded(listen: &str, directory: &Path) -> Result<Loaded, Problems> {
        let text = format!(
            "[zoneminder]\ndatabase-url = \"mysql://zm:planted@localhost/zm\"\n[server]\nplaintext = true\n\
             listen = [\"{listen}\"]\n[state]\ndirectory = \"{}\"\n",
            directory.display()
        );
        Loaded::from_text(&text, Path::new("/etc/zmesd/zmesd.toml"), &Environment::default())
    }

    fn red(findings: &[Finding]) -> Vec<&str> {
        findings.iter().filter(|finding| !finding.ok).map(|finding| finding.step.as_str()).collect()
    }

    #[test]
    fn what_a_start_would_stumble_over_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap().to_string();
        let path = Path::new("/etc/zmesd/zmesd.toml");
        let findings_of = |loaded, rehearse| findings(path, &loaded, rehearse);
        let found = findings_of(loaded(&listen, directory.path()), true);
        assert_eq!(red(&found), ["port"]);
        assert!(found.iter().all(|finding| !finding.detail.contains("planted")), "{found:?}");
        assert_eq!(red(&findings_of(loaded(&listen, directory.path()), false)), [""; 0]);
        // A start cannot make a directory below a file.
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(red(&findings_of(loaded("127.0.0.1:0", &file), true)), ["state"]);
        let missing = findings_of(loaded("127.0.0.1:0", &directory.path().join("missing")), true);
        assert_eq!(red(&missing), [""; 0]);
    }

    #[test]
    fn each_problem_of_the_configuration_is_a_finding() {
        let loaded = Loaded::from_text("[log]\nlevel = 7\n", Path::new("z.toml"), &Environment::default());
        let found = findings(Path::new("z.toml"), &loaded, true);
        assert!(found.iter().all(|finding| !finding.ok && finding.hint.is_some()), "{found:?}");
        assert!(found.iter().any(|finding| finding.detail.starts_with("z.toml:2: log.level:")), "{found:?}");
    }
}
