//! What the packages hold and what their scripts do, as far as no package has to be built and installed for it: that is
//! `packaging/test-install.sh`'s business.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use zmes_tests::{repository, skipped};

const UNITS: [&str; 3] = ["zmesd.service", "zmesd.socket", "zmesd-control.socket"];

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn ran(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}\n{}", output.status, text(&output));
    Ok(output)
}

fn write(path: &Path, content: &str, mode: u32) -> Result<()> {
    fs::create_dir_all(path.parent().context("no parent")?)?;
    fs::write(path, content)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path).with_context(|| path.display().to_string())?.permissions().mode() & 0o7777)
}

/// Returns the files of a package as they are installed, with stand-ins for the programs.
fn staged(family: &str) -> Result<TempDir> {
    let place = tempfile::tempdir()?;
    for program in ["zmesd", "zmesctl"] {
        write(&place.path().join("bin").join(program), "#!/bin/sh\n", 0o755)?;
    }
    ran(Command::new(repository()?.join("packaging/stage"))
        .arg(family)
        .arg(place.path().join("root"))
        .arg(place.path().join("bin")))?;
    Ok(place)
}

/// Returns the files of a package with their modes.
fn contents(family: &str) -> Result<BTreeMap<String, u32>> {
    let place = staged(family)?;
    let root = place.path().join("root");
    let mut found = BTreeMap::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.insert(path.strip_prefix(&root)?.to_string_lossy().into_owned(), mode(&path)?);
            }
        }
    }
    Ok(found)
}

#[test]
fn every_unit_is_clean() -> Result<()> {
    let place = staged("deb")?;
    let root = place.path().join("root");
    // The units that ours are ordered by; systemd's own.
    for entry in fs::read_dir("/usr/lib/systemd/system")? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|kind| kind == "target" || kind == "slice") {
            let name = path.file_name().context("no name")?;
            fs::copy(&path, root.join("usr/lib/systemd/system").join(name))?;
        }
    }
    for unit in UNITS {
        // It exits with 0 even for an unknown key, so its output counts.
        let output =
            ran(Command::new("systemd-analyze").args(["verify", "--man=no", "--root"]).arg(&root).arg(unit))?;
        ensure!(text(&output).trim().is_empty(), "{unit}: {}", text(&output));
    }
    Ok(())
}

#[test]
fn the_service_is_exposed_by_at_most_one_and_a_half() -> Result<()> {
    let unit = repository()?.join("packaging/systemd/zmesd.service");
    ran(Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=15"])
        .arg(&unit))?;
    // The gate closes: nothing is as little exposed as this.
    let closed = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=1"])
        .arg(&unit)
        .output()?;
    ensure!(!closed.status.success(), "a threshold of 0.1 holds: {}", text(&closed));
    Ok(())
}

/// The example lies beside the documentation; an admin installs it under the name of a script.
#[test]
fn the_unit_for_hooks_is_clean_and_hardened() -> Result<()> {
    let unit = repository()?.join("packaging/examples/zmes-hook@.service");
    let place = staged("deb")?;
    let root = place.path().join("root");
    for entry in fs::read_dir("/usr/lib/systemd/system")? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|kind| kind == "target" || kind == "slice") {
            fs::copy(&path, root.join("usr/lib/systemd/system").join(path.file_name().context("no name")?))?;
        }
    }
    fs::copy(&unit, root.join("usr/lib/systemd/system/zmes-hook@.service"))?;
    let verify = ["verify", "--man=no", "--root"];
    let output = ran(Command::new("systemd-analyze").args(verify).arg(&root).arg("zmes-hook@siren.service"))?;
    ensure!(text(&output).trim().is_empty(), "{}", text(&output));
    let security = ["security", "--offline=true", "--no-pager", "--threshold=25"];
    ran(Command::new("systemd-analyze").args(security).arg(&unit)).map(drop)
}

/// A daemon that loses memory takes that of `zmc` and of the database first; a core file holds every password.
#[test]
fn the_service_leaves_no_core_and_cannot_take_all_memory() -> Result<()> {
    let unit = fs::read_to_string(repository()?.join("packaging/systemd/zmesd.service"))?;
    let value = |key: &str| {
        let prefix = format!("{key}=");
        let mut values = unit.lines().filter_map(|line| line.strip_prefix(&prefix));
        let first = values.next().with_context(|| format!("no {key}="))?;
        ensure!(values.next().is_none(), "{key}= is there twice");
        Ok(first.to_owned())
    };
    ensure!(value("LimitCORE")? == "0");
    ensure!((value("MemoryHigh")?.as_str(), value("MemoryMax")?.as_str()) == ("512M", "1G"));
    ensure!(value("TasksMax")? == "1024");
    ensure!(value("LimitNOFILE")? == "65536", "one for each of server.max-clients, and more");
    Ok(())
}

#[test]
fn both_families_of_packages_hold_the_same() -> Result<()> {
    let (deb, rpm) = (contents("deb")?, contents("rpm")?);
    let shared = |files: &BTreeMap<String, u32>| -> BTreeMap<String, u32> {
        let own = ["/zsh/", "/licenses/", "/lintian/"];
        files
            .iter()
            .filter(|(name, _)| !own.iter().any(|part| name.contains(part)))
            .map(|(name, mode)| (name.clone(), *mode))
            .collect()
    };
    ensure!(shared(&deb) == shared(&rpm), "{deb:#?}\n{rpm:#?}");
    ensure!(deb.contains_key("usr/share/zsh/vendor-completions/_zmesctl"), "{deb:#?}");
    for name in ["usr/share/zsh/site-functions/_zmesctl", "usr/share/licenses/zmesd/LICENSE-APACHE"] {
        ensure!(rpm.contains_key(name), "{name}: {rpm:#?}");
    }
    Ok(())
}

#[test]
fn programs_can_be_run_and_the_configuration_is_closed() -> Result<()> {
    let files = contents("deb")?;
    for (name, wanted) in [
        ("usr/bin/zmesd", 0o755),
        ("usr/bin/zmesctl", 0o755),
        ("usr/libexec/zmesd/web-group", 0o755),
        ("etc/zmesd/zmesd.toml", 0o640),
        ("usr/lib/sysusers.d/zmesd.conf", 0o644),
        ("usr/lib/tmpfiles.d/zmesd.conf", 0o644),
        ("usr/lib/systemd/system/zmesd.service", 0o644),
        ("usr/share/doc/zmesd/changelog.gz", 0o644),
    ] {
        ensure!(files.get(name) == Some(&wanted), "{name}: {:?}", files.get(name));
    }
    Ok(())
}

#[test]
fn every_manual_page_and_completion_is_packaged() -> Result<()> {
    let files = contents("deb")?;
    let has = |base: &str| files.keys().any(|name| name.rsplit('/').next() == Some(base));
    for directory in ["man", "completions"] {
        for entry in fs::read_dir(repository()?.join(directory))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let Some((stem, kind)) = name.rsplit_once('.') else { continue };
            let packaged = match kind {
                "bash" => stem.to_owned(),
                "zsh" => format!("_{stem}"),
                "fish" => name.clone(),
                "md" => continue,
                _ => format!("{name}.gz"),
            };
            ensure!(has(&packaged), "{directory}/{name} is in no package as {packaged}");
        }
    }
    Ok(())
}

/// The commands of the page, in directories of their own.
#[test]
fn an_install_from_source_has_every_manual_page_and_completion() -> Result<()> {
    let page = fs::read_to_string(repository()?.join("docs/install-from-source.md"))?;
    let place = tempfile::tempdir()?;
    let (staged, share) = (place.path().join("staged"), place.path().join("share"));
    fs::create_dir(&share)?;
    for program in ["zmesd", "zmesctl"] {
        write(&place.path().join("bin").join(program), "#!/bin/sh\n", 0o755)?;
    }
    let paths = [
        (" staged", format!(" {}", staged.display())),
        (" target/release", format!(" {}", place.path().join("bin").display())),
        (" /usr/share/", format!(" {}", share.display())),
    ];
    let commands = page.lines().filter(|line| line.contains(" staged") && !line.starts_with("rm "));
    let commands: Vec<String> = commands
        .map(|line| paths.iter().fold(line.to_owned(), |line, (from, to)| line.replace(from, to)))
        .collect();
    ensure!(commands.len() == 2, "{commands:?}");
    for command in &commands {
        ran(Command::new("sh").args(["-ec", command]).current_dir(repository()?))?;
    }
    let wanted = ["usr/share/man/", "usr/share/bash-completion/", "usr/share/zsh/", "usr/share/fish/"];
    let packaged = contents("deb")?;
    let packaged: Vec<_> =
        packaged.keys().filter(|name| wanted.iter().any(|part| name.starts_with(part))).collect();
    ensure!(packaged.len() >= 10, "{packaged:?}");
    for name in packaged {
        let installed = share.join(name.trim_start_matches("usr/share/"));
        ensure!(installed.is_file(), "{name} is not installed by the page's commands");
    }
    Ok(())
}

#[test]
fn the_scripts_of_the_packages_are_shell() -> Result<()> {
    let mut checked = 0;
    for directory in ["packaging", "packaging/deb", "packaging/rpm", "packaging/examples"] {
        for entry in fs::read_dir(repository()?.join(directory))? {
            let path = entry?.path();
            let Ok(script) = fs::read_to_string(&path) else { continue };
            let shell = match script.lines().next().unwrap_or_default() {
                "#!/bin/sh" => "sh",
                "#!/usr/bin/env bash" => "bash",
                // Scriptlets have no first line: rpm runs them with sh.
                _ if directory == "packaging/rpm" => "sh",
                _ => continue,
            };
            ran(Command::new(shell).arg("-n").arg(&path))?;
            checked += 1;
        }
    }
    ensure!(checked >= 11, "only {checked} scripts found");
    Ok(())
}

/// A system with these groups and files, for `web-group --root`.
struct System(TempDir);

impl System {
    fn new(groups: &str) -> Result<Self> {
        let system = Self(tempfile::tempdir()?);
        system.file("etc/group", &format!("root:x:0:\n{groups}zmesd:x:999:\n"))?;
        system.file("etc/passwd", "root:x:0:0::/:/bin/sh\nzmesd:x:999:999::/:/bin/false\n")?;
        Ok(system)
    }

    fn file(&self, name: &str, content: &str) -> Result<()> {
        write(&self.0.path().join(name), content, 0o644)
    }

    fn web_group(&self, verb: &str) -> Result<String> {
        let script = repository()?.join("packaging/web-group");
        let output = ran(Command::new(script).arg("--root").arg(self.0.path()).arg(verb))?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

#[test]
fn the_web_servers_group_is_found_on_every_distribution() -> Result<()> {
    for (distribution, groups, wanted) in [
        ("Debian", "www-data:x:33:\n", "www-data"),
        ("Debian with nginx beside", "nginx:x:101:\nwww-data:x:33:\n", "www-data"),
        ("Fedora", "apache:x:48:\n", "apache"),
        ("Fedora with nginx", "nginx:x:990:\n", "nginx"),
        ("openSUSE", "wwwrun:x:467:\nwww:x:468:\n", "www"),
        ("Arch", "http:x:33:\n", "http"),
        ("none yet", "", ""),
    ] {
        let found = System::new(groups)?.web_group("show")?;
        ensure!(found == wanted, "{distribution}: `{found}`");
    }
    Ok(())
}

#[test]
fn zm_conf_decides_which_group_it_is() -> Result<()> {
    if !nix::unistd::Uid::effective().is_root() {
        // Only files of root count, and only root can make them.
        return skipped("only root can make them");
    }
    let groups = "apache:x:48:\nnginx:x:990:\ncameras:x:991:\n";
    let system = System::new(groups)?;
    system.file("etc/zm/zm.conf", "# ZM_WEB_GROUP=apache\nZM_WEB_GROUP = \"nginx\"\n")?;
    ensure!(system.web_group("show")? == "nginx");
    system.file("etc/zm/conf.d/10-site.conf", "zm_web_group=cameras\n")?;
    ensure!(system.web_group("show")? == "cameras");
    // root's group, a group that does not exist, and an invalid name do not belong to a web server.
    for value in ["root", "nobody-has-this", "$(touch x)", "a b"] {
        system.file("etc/zm/conf.d/10-site.conf", &format!("ZM_WEB_GROUP={value}\n"))?;
        let found = system.web_group("show")?;
        ensure!(found == "apache" || found == "nginx", "{value}: `{found}`");
    }
    system.file("etc/zm/conf.d/10-site.conf", "ZM_WEB_GROUP=cameras\n")?;
    let file = system.0.path().join("etc/zm/conf.d/10-site.conf");
    std::os::unix::fs::chown(&file, Some(12345), None)?;
    ensure!(system.web_group("show")? == "nginx", "a file that root does not own has decided");
    let elsewhere = System::new(groups)?;
    elsewhere.file("etc/zoneminder/zm.conf", "ZM_WEB_GROUP=nginx\n")?;
    ensure!(elsewhere.web_group("show")? == "nginx", "openSUSE's place is not looked at");
    Ok(())
}

/// The files that certbot leaves, those of zmesd, and stand-ins for the commands that the hook calls.
struct Renewal(TempDir);

impl Renewal {
    fn new(systemctl: &str) -> Result<Self> {
        let renewal = Self(tempfile::tempdir()?);
        for (name, content) in [("fullchain.pem", "new certificate\n"), ("privkey.pem", "new key\n")] {
            write(&renewal.path("live/zm.example.org").join(name), content, 0o600)?;
        }
        for name in ["cert.pem", "key.pem"] {
            write(&renewal.path("tls").join(name), "old\n", 0o640)?;
        }
        let log = renewal.path("calls").display().to_string();
        write(
            &renewal.path("bin/systemctl"),
            &format!("#!/bin/sh\necho \"$*\" >>{log}\n{systemctl}\n"),
            0o755,
        )?;
        write(&renewal.path("bin/chgrp"), &format!("#!/bin/sh\necho \"chgrp $1\" >>{log}\n"), 0o755)?;
        Ok(renewal)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self) -> Result<Output> {
        Ok(Command::new(repository()?.join("packaging/examples/certbot-deploy-hook"))
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env("RENEWED_LINEAGE", self.path("live/zm.example.org"))
            .env("ZMESD_TLS", self.path("tls"))
            .output()?)
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.path("calls")).unwrap_or_default()
    }
}

#[test]
fn a_renewed_certificate_is_handed_over_without_a_restart() -> Result<()> {
    let renewal = Renewal::new("exit 0")?;
    let output = renewal.run()?;
    ensure!(output.status.success(), "{}", text(&output));
    for (name, content) in [("cert.pem", "new certificate\n"), ("key.pem", "new key\n")] {
        let file = renewal.path("tls").join(name);
        ensure!(fs::read_to_string(&file)? == content && mode(&file)? == 0o640, "{name}: {:o}", mode(&file)?);
    }
    ensure!(fs::read_dir(renewal.path("tls"))?.count() == 2, "something is left over");
    let calls = renewal.calls();
    ensure!(calls.contains("chgrp zmesd") && calls.ends_with("reload zmesd.service\n"), "{calls}");
    Ok(())
}

#[test]
fn a_certificate_that_the_daemon_refuses_makes_the_hook_fail() -> Result<()> {
    let renewal = Renewal::new("[ \"$1\" != reload ] || exit 1")?;
    ensure!(!renewal.run()?.status.success(), "{}", renewal.calls());
    Ok(())
}

#[test]
fn a_daemon_that_does_not_run_is_not_reloaded() -> Result<()> {
    let renewal = Renewal::new("[ \"$1\" != is-active ] || exit 3")?;
    ensure!(renewal.run()?.status.success() && !renewal.calls().contains("reload"), "{}", renewal.calls());
    Ok(())
}

#[test]
fn credentials_of_the_unit_are_renewed_by_a_restart() -> Result<()> {
    let shown = "[ \"$1\" != show ] || echo \"tls.key:$RENEWED_LINEAGE/privkey.pem\"";
    let renewal = Renewal::new(shown)?;
    ensure!(renewal.run()?.status.success() && renewal.calls().ends_with("try-restart zmesd.service\n"));
    ensure!(fs::read_to_string(renewal.path("tls/key.pem"))? == "old\n", "{}", renewal.calls());
    Ok(())
}
