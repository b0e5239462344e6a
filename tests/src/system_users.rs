//! Users and groups of the machine, created for one test and removed after it. Needs root.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::unistd::{Gid, Group, Uid, User};

/// Users and groups that are removed when this is dropped. Their names have a prefix that no real user has.
#[derive(Debug, Default)]
pub struct SystemUsers {
    users: Vec<String>,
    groups: Vec<String>,
}

impl SystemUsers {
    /// Returns an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a group. Returns its name and id.
    pub fn group(&mut self, purpose: &str) -> Result<(String, Gid)> {
        let name = unique(purpose);
        run("groupadd", &["--system", &name])?;
        self.groups.push(name.clone());
        let group = Group::from_name(&name)?.with_context(|| format!("no group {name}"))?;
        Ok((name, group.gid))
    }

    /// Creates a user with its own group who is also a member of these groups. Returns name and id.
    pub fn user(&mut self, purpose: &str, groups: &[&str]) -> Result<(String, Uid)> {
        let name = unique(purpose);
        let mut arguments =
            vec!["--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin"];
        let groups = groups.join(",");
        if !groups.is_empty() {
            arguments.extend(["--groups", &groups]);
        }
        arguments.push(&name);
        run("useradd", &arguments)?;
        self.users.push(name.clone());
        let user = User::from_name(&name)?.with_context(|| format!("no user {name}"))?;
        Ok((name, user.uid))
    }
}

impl Drop for SystemUsers {
    fn drop(&mut self) {
        // Removing a user also removes its own group. Failures are visible in the test's output.
        for user in &self.users {
            run("userdel", &[user]).ok();
        }
        for group in &self.groups {
            run("groupdel", &[group]).ok();
        }
    }
}

fn unique(purpose: &str) -> String {
    format!("zmt{}{purpose}", std::process::id())
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output().with_context(|| program.to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {}", said.trim());
    Ok(())
}
