//! Independent judges: Prometheus' own tool, and the OpenMetrics parser of its Python client.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use zmes_tests::skipped;

/// Runs a program with this input. `None`: it is not installed, which is printed; with `CI` set that is a failure.
pub(crate) fn judge(
    program: &str,
    arguments: &[&str],
    input: &str,
    directory: &Path,
) -> Result<Option<String>> {
    let spawned = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return skip(&format!("{program}: {error}")),
    };
    child.stdin.take().context("no stdin")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if text.contains("No module named 'prometheus_client'") {
        return skip("python3-prometheus-client is not there");
    }
    ensure!(output.status.success(), "{program} {arguments:?} does not like it:\n{text}");
    Ok(Some(text))
}

fn skip(why: &str) -> Result<Option<String>> {
    skipped(why)?;
    Ok(None)
}
