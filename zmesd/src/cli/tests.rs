use std::fs;
use std::time::Duration;

use super::*;

/// Nobody looks into the files that are named.
const NO_LOOKS: Looks<'_> = Looks { pair: &|_, _| Vec::new(), push: &|_| Vec::new() };

fn parsed(line: &str) -> Result<Command, clap::Error> {
    parse(line.split_whitespace().map(OsString::from))
}

fn run(config: Option<&str>, log_level: Option<&str>) -> Command {
    let config = ConfigArgs { config: config.map(PathBuf::from) };
    Command::Run(RunArgs { config, log_level: log_level.map(str::to_owned) })
}

fn of(path: impl Into<PathBuf>) -> ConfigArgs {
    ConfigArgs { config: Some(path.into()) }
}

#[test]
fn the_grammar_is_the_pinned_one() {
    for (line, command) in [
        ("zmesd", run(None, None)),
        ("zmesd run", run(None, None)),
        ("zmesd --config /x --log-level debug", run(Some("/x"), Some("debug"))),
        (
            "zmesd run --config /x --log-level info,zmesd::ws=trace",
            run(Some("/x"), Some("info,zmesd::ws=trace")),
        ),
        ("zmesd check-config", Command::CheckConfig(CheckArgs::default())),
        (
            "zmesd check-config --json --rehearse --config /x",
            Command::CheckConfig(CheckArgs { config: of("/x"), json: true, rehearse: true }),
        ),
        ("zmesd default-config", Command::DefaultConfig),
    ] {
        assert_eq!(parsed(line).unwrap(), command, "{line}");
    }
}

#[test]
fn the_demo_has_defaults_and_bounds() {
    let demo = |line| {
        let Command::Demo(demo) = parsed(line).unwrap() else { panic!("not a demo: {line}") };
        demo
    };
    let plain = demo("zmesd demo");
    assert_eq!((plain.listen, plain.monitors, plain.every), (None, 4, Duration::from_secs(5)));
    assert!(plain.keep.is_none());
    let full = demo("zmesd demo --listen 0.0.0.0:9000 --monitors 12 --every 500ms --keep /tmp/x");
    assert_eq!(
        (full.listen.map(|address| address.port()), full.monitors, full.every),
        (Some(9000), 12, Duration::from_millis(500))
    );
    assert_eq!(full.keep, Some("/tmp/x".into()));
}

#[test]
fn an_import_names_files_and_may_name_an_output() {
    let import = |line| {
        let Command::ImportConfig(import) = parsed(line).unwrap() else { panic!("not an import: {line}") };
        import
    };
    let plain = import("zmesd import-config a.ini");
    assert_eq!(plain, ImportArgs { files: vec!["a.ini".into()], ..ImportArgs::default() });
    let full = import("zmesd import-config a.ini secrets.ini --output /x --force --json");
    assert_eq!(full.files, [PathBuf::from("a.ini"), PathBuf::from("secrets.ini")]);
    assert_eq!((full.output, full.force, full.json), (Some("/x".into()), true, true));
}

#[test]
fn started_by_zmdc_it_runs() {
    assert_eq!(parsed("/usr/bin/zmeventnotification.pl").unwrap(), run(None, None));
}

#[test]
fn mistakes_exit_with_64() {
    for line in [
        "zmesd fly",
        "zmesd --conf",
        "zmesd --config",
        "zmesd run extra",
        "zmesd --config /x default-config",
        "zmesd --config /x demo",
        "zmesd --log-level debug check-config",
        "zmesd default-config --config /x",
        "zmesd --log-level inof",
        "zmesd demo --monitors 0",
        "zmesd demo --monitors 501",
        "zmesd demo --every 0s",
        "zmesd demo --every 99ms",
        "zmesd demo --every 5",
        "zmesd demo --every 2h",
        "zmesd demo --listen nowhere",
        "zmesd import-config",
        "zmesd import-config a.ini --force",
    ] {
        assert_eq!(exit_code(&parsed(line).unwrap_err()), EXIT_USAGE, "{line}");
    }
    let error = parsed("zmesd --log-level inof").unwrap_err().to_string();
    assert!(error.contains("did you mean `info`?"), "{error}");
}

#[test]
fn options_may_stand_before_the_command() {
    for (before, after) in [
        ("zmesd --config /x check-config", "zmesd check-config --config /x"),
        ("zmesd --config /x check-config --json", "zmesd check-config --config /x --json"),
        ("zmesd --config /x run", "zmesd run --config /x"),
        ("zmesd --config /x --log-level debug run", "zmesd run --config /x --log-level debug"),
        ("zmesd --config /y run --config /x", "zmesd run --config /x"),
    ] {
        assert_eq!(parsed(before).unwrap(), parsed(after).unwrap(), "{before}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    for line in ["zmesd --help", "zmesd --version", "zmesd demo --help", "zmesd -V"] {
        assert_eq!(exit_code(&parsed(line).unwrap_err()), 0, "{line}");
    }
    let version = parsed("zmesd --version").unwrap_err().to_string();
    assert_eq!(version, format!("zmesd {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_description_is_consistent() {
    description().debug_assert();
}

#[test]
fn a_good_configuration_is_summed_up_on_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zmesd.toml");
    let text = "[zoneminder]\nconfig = ''\ndatabase-url = 'mysql://u:hunter2@db/zm'\npath-map = '/dev'\n\
                [server]\nplaintext = true\n[control]\nadmin-group = 'root'\n";
    fs::write(&path, text).unwrap();
    let report = check_config(&of(&path), &Environment::default(), NO_LOOKS);
    let line = format!(
        "configuration OK ({}): database zm at db:3306 as u, shared memory in /dev, ws without TLS on [::]:9000\n",
        path.display()
    );
    assert_eq!((report.code, report.stdout), (0, line));
    let warning = format!("warning: {}:6: server.plaintext: ", path.display());
    assert!(report.stderr.starts_with(&warning), "{}", report.stderr);
}

#[test]
fn a_bad_configuration_exits_with_78_and_says_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zmesd.toml");
    fs::write(&path, "[server]\nlistn = []\n[auth]\ntimeout = 20\n").unwrap();
    let report = check_config(&of(&path), &Environment::default(), NO_LOOKS);
    assert_eq!((report.code, report.stdout.as_str()), (EXIT_CONFIG, ""));
    for part in [":2: server.listn: unknown key, did you mean `listen`?", ":4: auth.timeout: ", "hint: "] {
        assert!(report.stderr.contains(part), "{part}: {}", report.stderr);
    }
}

#[test]
fn a_missing_configuration_is_a_problem_with_a_way_out() {
    let report = check_config(&of("/nonexistent/zmesd.toml"), &Environment::default(), NO_LOOKS);
    assert_eq!(report.code, EXIT_CONFIG);
    assert!(report.stderr.contains("no such file"), "{}", report.stderr);
    assert!(report.stderr.contains("zmesd default-config > /nonexistent/zmesd.toml"), "{}", report.stderr);
}
