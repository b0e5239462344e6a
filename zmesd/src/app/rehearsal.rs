//! The checks that `zmesctl doctor` runs if no daemon answers: would a start succeed, and if not, why?

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::unistd::geteuid;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use zmes_providers::Transports;
use zmes_shared::views::{Doctor, Finding};
use zmes_zoneminder::shm::{ReadError, ShmSource};
use zmes_zoneminder::{MonitorSet, MonitorSource};

use super::Parts;
use crate::admin::conditions::read_cure;
use crate::admin::{self, OutsideFindings, OutsideParts};
use crate::config::{Config, Loaded, Problem, Problems};
use crate::ports::{Clock, wall_clock};
use crate::push::{PushView, PushViewParts};
use crate::route::PushRules;
use crate::{state, ws};

/// Where `runuser` (util-linux), which runs programs as another user, may be installed.
const RUNUSER: [&str; 3] = ["/usr/sbin/runuser", "/sbin/runuser", "/usr/bin/runuser"];

pub(super) fn findings(
    path: &Path,
    loaded: &Result<Loaded, Problems>,
    rehearse: bool,
    clock: &Arc<dyn Clock>,
) -> Vec<Finding> {
    let Loaded { config, warnings } = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => return problems.iter().map(Problem::finding).collect(),
    };
    let place = config.zoneminder.database.place();
    let mut findings =
        vec![Finding::good("configuration", format!("{} is valid; database {place}", path.display()))];
    findings.extend(warnings.iter().map(Problem::finding));
    if rehearse {
        let seen = ask(config, clock);
        findings.extend(seen.database);
        findings.extend(memory(config, &seen.monitors));
        findings.extend(certificate(config, warnings));
        findings.push(place_of_state(config));
        findings.push(addresses(config));
        findings.extend(seen.push);
    }
    findings
}

/// Checks database and providers, with its own runtime: nothing else runs in this process.
fn ask(config: &Config, clock: &Arc<dyn Clock>) -> OutsideFindings {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let detail = format!("cannot check the database and the providers: {error}");
            let database = vec![Finding::warning("database", detail, "ulimit -a")];
            return OutsideFindings { database, push: Vec::new(), monitors: MonitorSet::default() };
        }
    };
    let seen = runtime.block_on(async {
        let parts = Parts::production(config);
        // Problems of its files are reported with the configuration.
        let transports = Transports::build(&config.push.providers(), wall_clock(clock)).unwrap_or_default();
        let push = PushView::new(PushViewParts {
            transports: watch::channel(Arc::new(transports)).1,
            // There is no dispatcher.
            commands: mpsc::channel(1).0,
            status: Arc::default(),
            counters: Arc::default(),
            rules: watch::channel(PushRules::new(&config.push)).1,
            clock: Arc::clone(clock),
        });
        let outside = OutsideParts {
            zoneminder: &*parts.check,
            monitors: &*parts.monitors,
            accounts: &*parts.accounts,
            push: &push,
        };
        admin::look_from_outside(config, outside).await
    });
    runtime.shutdown_background();
    seen
}

/// Checks whether this user may read the shared memory. A `zmc` that is not running does not prevent a start.
fn memory(config: &Config, monitors: &MonitorSet) -> Vec<Finding> {
    let mut source = ShmSource::new(config.zoneminder.path_map.clone());
    let mut findings = Vec::new();
    let (mut all, mut read) = (0, 0);
    for monitor in monitors.watched() {
        all += 1;
        match source.read(monitor.id, Instant::now()) {
            Err(error @ ReadError::Permission(_)) => {
                let hint = read_cure(monitor.id, &error);
                let detail = format!("{}: {error}", monitor.name);
                findings.push(Finding::error(format!("monitor {}", monitor.id), detail, hint));
            }
            Ok(_) => read += 1,
            Err(_) => {}
        }
    }
    if all > 0 && findings.is_empty() {
        let detail = format!("the shared memory of {read} of {all} monitors is readable");
        findings.push(Finding::good("monitors", detail));
    }
    findings
}

/// Returns a finding that the certificate can be served, if it has no warning.
fn certificate(config: &Config, warnings: &[Problem]) -> Option<Finding> {
    let files = config.server.tls.as_ref()?;
    let told = warnings.iter().any(Problem::concerns_certificate);
    (!told).then(|| {
        let detail = format!("{} and its key can be served", files.certificate.display());
        Finding::good("certificate", detail)
    })
}

/// Returns the user of the daemon (the owner of the state directory) if it is not the current user. Root can read every
/// key, the daemon cannot.
pub(super) fn other_user(loaded: &Result<Loaded, Problems>) -> Option<String> {
    let config = &loaded.as_ref().ok()?.config;
    let owner = std::fs::metadata(&config.state.directory).ok()?.uid();
    if !geteuid().is_root() || owner == 0 {
        return None;
    }
    nix::unistd::User::from_uid(owner.into()).ok().flatten().map(|user| user.name)
}

/// Runs the same check as another user; `None` if that is impossible here.
pub(super) fn as_user(user: &str, path: &Path) -> Option<Vec<u8>> {
    let program = std::env::current_exe().ok()?;
    let runuser = RUNUSER.iter().map(Path::new).find(|program| program.exists())?;
    let mut command = Command::new(runuser);
    command.args(["-u", user, "--"]).arg(program).args(["check-config", "--json", "--rehearse", "--config"]);
    let output = command.arg(path).current_dir("/").stdin(Stdio::null()).output().ok()?;
    serde_json::from_slice::<Doctor>(&output.stdout).is_ok().then_some(output.stdout)
}

fn place_of_state(config: &Config) -> Finding {
    let directory = &config.state.directory;
    let place = directory.display();
    match state::try_write(directory) {
        Ok(()) => Finding::good("state", format!("{place} is writable")),
        // Created at the start.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::good("state", format!("{place} is not there yet"))
        }
        Err(error) => {
            let detail = format!("cannot write to {place}: {error}");
            Finding::error("state", detail, state::write_hint(directory, &error))
        }
    }
}

fn addresses(config: &Config) -> Finding {
    let listed = config.server.listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match ws::bind(&config.server.listen) {
        Ok(_) => Finding::good("port", format!("{listed}: free")),
        Err(error) => Finding::error("port", error.to_string(), error.hint()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config::Environment;
    use crate::ports::SystemClock;

    fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn loaded(listen: &str, directory: &Path) -> Result<Loaded, Problems> {
        let text = format!(
            "[zoneminder]\ndatabase-url = \"mysql://zm:planted@127.0.0.1:1/zm\"\n[server]\nplaintext = true\n\
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
        let findings_of = |loaded, rehearse| findings(path, &loaded, rehearse, &clock());
        let found = findings_of(loaded(&listen, directory.path()), true);
        assert_eq!(red(&found), ["database", "port"]);
        assert!(found.iter().all(|finding| !finding.detail.contains("planted")), "{found:?}");
        assert_eq!(red(&findings_of(loaded(&listen, directory.path()), false)), [""; 0]);
        // A start cannot create a directory below a file.
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(red(&findings_of(loaded("127.0.0.1:0", &file), true)), ["database", "state"]);
        let missing = findings_of(loaded("127.0.0.1:0", &directory.path().join("missing")), true);
        assert_eq!(red(&missing), ["database"]);
    }

    #[test]
    fn each_problem_of_the_configuration_is_a_finding() {
        let loaded = Loaded::from_text("[log]\nlevel = 7\n", Path::new("z.toml"), &Environment::default());
        let found = findings(Path::new("z.toml"), &loaded, true, &clock());
        assert!(found.iter().all(|finding| !finding.ok && finding.hint.is_some()), "{found:?}");
        assert!(found.iter().any(|finding| finding.detail.starts_with("z.toml:2: log.level:")), "{found:?}");
    }
}
