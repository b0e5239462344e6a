//! `zmesctl cluster init`: makes the ledger in the database. It speaks to the database itself and needs no daemon.
//!
//! The administrator's URL comes from the command line, a file or the environment, and the new account's password is made
//! here and written to a file. Neither is ever printed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use zmes_cluster::schema::{
    Account, CheckFinding, Plan, ServerVersion, VERSION, account_exists, server_version, verify,
};
use zmes_cluster::{LedgerError, LedgerFault, LedgerLine, LedgerServer};
use zmes_shared::database::DatabaseUrl;
use zmes_shared::views::Severity;

use super::made::{LedgerMade, MadeFinding};
use super::urls::{NodeUrl, admin_url};
use crate::commands::ask::{Consent, confirmed};
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::clean;

/// Time for the first answers of the database, when `--timeout` does not say.
const LOOK: Duration = Duration::from_secs(10);
/// Time for making the tables: changing a large one may take minutes.
const MAKE: Duration = Duration::from_mins(10);
/// The schema, where the URL names none.
const SCHEMA: &str = "zmesd";
const ACCOUNT: &str = "zmesd@%";
/// File for the nodes' URL.
const NODE_URL: &str = "/etc/zmesd/cluster-url";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo zmesctl cluster init --database-url mysql://root@localhost --dry-run
  sudo zmesctl cluster init --database-url mysql://root@localhost
  zmesctl cluster init --database-url-file admin-url --output cluster-url
  ZMESCTL_DATABASE_URL=mysql://root:secret@db/zmesd zmesctl cluster init --yes

Creates the schema, its tables, and an account that may SELECT, INSERT, UPDATE
and DELETE there and nothing else. Shows every statement before it runs. A
second run changes nothing; after an upgrade it adds what is new. The password
of the account is made here and only written to the file of --output, which
[cluster] database-url-file names on each node.

The URL ends with the schema: mysql://root:PASSWORD@HOST/zmesd; without one, it
is zmesd. Options: ?socket=/path, ?ssl-ca=/path (then TLS is required and the
server verified), ?ssl-cert=/path&ssl-key=/path. Other users of this machine can
read a command line: use a file or the variable for a URL with a password.

Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the database cannot be
reached, 5 the database does not permit it, 6 timeout, 8 the ledger is newer.")]
pub struct InitArgs {
    /// Database server and an administrator's account
    #[arg(long, value_name = "URL", value_parser = secret, conflicts_with = "database_url_file")]
    database_url: Option<SecretString>,
    /// File that contains the URL; `-` reads standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    database_url_file: Option<PathBuf>,
    /// Account of the nodes, and the hosts it may connect from
    #[arg(long, value_name = "NAME@HOST", default_value = ACCOUNT)]
    account: String,
    /// File for the nodes' URL with the password; an existing one is kept
    #[arg(short, long, value_name = "FILE", default_value = NODE_URL, value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
    #[command(flatten)]
    consent: Consent,
}

/// Takes any text: an error of clap would quote it.
#[expect(clippy::unnecessary_wraps, reason = "the form of clap's value parsers")]
fn secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text.to_owned()))
}

pub(crate) async fn run(arguments: InitArgs, context: &mut Context) -> Outcome {
    let InitArgs { database_url, database_url_file, account, output, consent } = arguments;
    consent.check(context, "making the ledger", "zmesctl cluster init --yes")?;
    let mut url = admin_url(database_url, database_url_file, context)?;
    if url.name.is_empty() {
        SCHEMA.clone_into(&mut url.name);
    }
    let (user, host) = account.split_once('@').unwrap_or((&account, "%"));
    let node = NodeUrl::of(&output, &url, user)?;
    let mut ledger = Ledger::look(url, (user, host), node, context).await?;
    if consent.dry_run || ledger.is_complete {
        return context.show(&ledger.view(consent.dry_run, false));
    }
    if !consent.yes && !confirmed(context, &ledger.about(), "Run these statements?")? {
        return Err(CliError::Declined);
    }
    ledger.make().await?;
    context.show(&ledger.view(false, true))
}

/// The ledger that is there or is to be made.
struct Ledger {
    admin: LedgerLine,
    server: ServerVersion,
    url: DatabaseUrl,
    account: Account,
    /// `None`: the administrator may not see it.
    account_exists: Option<bool>,
    node: NodeUrl,
    plan: Plan,
    findings: Vec<CheckFinding>,
    /// Nothing is to be done.
    is_complete: bool,
}

impl Ledger {
    async fn look(
        url: DatabaseUrl,
        (user, host): (&str, &str),
        node: NodeUrl,
        context: &Context,
    ) -> Result<Self, CliError> {
        let limit = context.limit(LOOK);
        let place = LoginUrl { url: &url, is_admin: true };
        let mut admin = line(&url, None, limit);
        let server = server_version(&mut admin).await.map_err(|error| failed(error, place))?;
        let mut account = Account { user: user.to_owned(), host: host.to_owned(), password: None };
        let exists = account_exists(&mut admin, &account).await.map_err(|error| failed(error, place))?;
        if exists == Some(true) && !node.exists {
            return Err(CliError::Usage {
                message: format!(
                    "the account {user}@{host} exists, and {} with its password does not",
                    node.file.display()
                ),
                hint: format!(
                    "copy that file from another node; or choose another --account; or, if no node uses it: DROP USER \
                     '{user}'@'{host}'"
                ),
            });
        }
        if exists != Some(true) {
            account.password = Some(node.url.password.clone().into());
        }
        let plan = Plan::make(&mut admin, &url.name, &account).await.map_err(|error| failed(error, place))?;
        let is_current = plan.found.is_some_and(|found| found >= VERSION) && exists == Some(true);
        let (findings, is_complete) = (Vec::new(), false);
        let mut ledger =
            Self { admin, server, url, account, account_exists: exists, node, plan, findings, is_complete };
        if is_current {
            ledger.is_complete = ledger.verify(limit).await.is_ok();
        }
        Ok(ledger)
    }

    /// Logs in as a node does, and looks at everything.
    async fn verify(&mut self, limit: Duration) -> Result<(), CliError> {
        let place = LoginUrl { url: &self.node.url, is_admin: false };
        let mut line = line(&self.node.url, Some(&self.url.name), limit);
        let found = verify(&mut line, crate::environment::now).await.map_err(|error| failed(error, place))?;
        let worst = found.iter().find(|finding| finding.severity == Severity::Error).cloned();
        self.findings = found;
        match worst {
            None => Ok(()),
            Some(CheckFinding { detail, hint, .. }) => {
                Err(CliError::Database { exit: Exit::Negative, code: "unavailable", message: detail, hint })
            }
        }
    }

    async fn make(&mut self) -> Result<(), CliError> {
        // First: a password that nobody knows would be worse than a file without an account.
        self.node.write()?;
        let place = LoginUrl { url: &self.url, is_admin: true };
        let mut admin = line(&self.url, None, MAKE);
        self.plan.run(&mut admin).await.map_err(|error| failed(error, place))?;
        self.verify(LOOK).await
    }

    /// Says what will be done, before it is asked.
    fn about(&self) -> String {
        let mut lines = self.facts();
        lines.extend(self.steps());
        lines.iter().map(|line| clean(line).into_owned()).collect::<Vec<_>>().join("\n")
    }

    fn facts(&self) -> Vec<String> {
        let schema = match self.plan.found {
            None => "new".to_owned(),
            Some(version) => format!("exists, version {version}"),
        };
        let account = match self.account_exists {
            Some(true) => "exists",
            Some(false) => "new",
            None => "made if it does not exist",
        };
        let url = if self.node.exists { "exists" } else { "new, with the account's password" };
        let Account { user, host, .. } = &self.account;
        let mut lines = vec![
            format!("Server   {} at {} as {}", self.server, self.admin.server().place(), self.url.user),
            format!("Schema   {} ({schema})", self.url.name),
            format!("Account  {user}@{host} ({account})"),
            format!("File     {} ({url})", self.node.file.display()),
        ];
        if let Some(warning) = unverified(&self.url) {
            lines.push(format!("Warning  {warning}"));
        }
        lines
    }

    /// Returns the statements, numbered.
    fn steps(&self) -> Vec<String> {
        let numbered = self.plan.statements.iter().enumerate();
        numbered.map(|(index, statement)| format!("{:>3}. {}", index + 1, statement.title())).collect()
    }

    fn view(&self, dry_run: bool, changed: bool) -> LedgerMade {
        let Account { user, host, .. } = &self.account;
        let findings = self.findings.iter().map(|finding| MadeFinding {
            ok: finding.severity != Severity::Error,
            severity: finding.severity,
            detail: finding.detail.clone(),
            hint: Some(finding.hint.clone()).filter(|hint| !hint.is_empty()),
        });
        let complete = self.is_complete;
        LedgerMade {
            server: self.server.to_string(),
            place: self.admin.server().place(),
            schema: self.url.name.clone(),
            found: self.plan.found,
            version: VERSION,
            account: format!("{user}@{host}"),
            changed,
            dry_run,
            statements: if complete {
                Vec::new()
            } else {
                self.plan.statements.iter().map(ToString::to_string).collect()
            },
            findings: findings.collect(),
            url_file: self.node.file.display().to_string(),
            configuration: configuration(&self.node.file),
            facts: self.facts(),
            local: self.url.address.is_local(),
        }
    }
}

/// Whose connection failed.
#[derive(Clone, Copy)]
struct LoginUrl<'p> {
    url: &'p DatabaseUrl,
    is_admin: bool,
}

/// Returns a line to the server of a URL; `schema`: the one to select.
fn line(url: &DatabaseUrl, schema: Option<&str>, limit: Duration) -> LedgerLine {
    let url = DatabaseUrl { name: schema.unwrap_or_default().to_owned(), ..url.clone() };
    LedgerLine::new(Arc::new(LedgerServer::of_url(&url)), limit)
}

/// Says that nothing proves who answers, where the server is on another machine.
fn unverified(url: &DatabaseUrl) -> Option<String> {
    (!url.address.is_local() && url.tls.is_none()).then(|| {
        "the server is on another machine and not verified: append ?ssl-ca=/path/to/ca.pem to the URL"
            .to_owned()
    })
}

/// Turns a failure into exit code, sentence and hint; the crate's hints are for a running daemon.
fn failed(error: LedgerError, place: LoginUrl<'_>) -> CliError {
    let LedgerError { fault, message, hint } = error;
    let which = if place.is_admin { "the administrator's URL" } else { "the nodes' URL" };
    let (exit, code, own) = match fault {
        LedgerFault::Unreachable if place.url.tls.is_some() => (Exit::Unreachable, "unreachable", None),
        LedgerFault::Unreachable => (
            Exit::Unreachable,
            "unreachable",
            Some(format!("check host and port of {which}; on the database's host: systemctl status mariadb")),
        ),
        LedgerFault::Late => (Exit::Timeout, "timeout", None),
        LedgerFault::Login if place.is_admin => (
            Exit::Forbidden,
            "forbidden",
            Some(format!(
                "check user and password of {which}; MariaDB lets root in without a password only by the socket: sudo \
                 zmesctl cluster init --database-url mysql://root@localhost"
            )),
        ),
        LedgerFault::Login => (
            Exit::Forbidden,
            "forbidden",
            Some(
                "the account exists with another password, or may not connect from this host: see --output and --account"
                    .to_owned(),
            ),
        ),
        LedgerFault::Grants if place.is_admin => (
            Exit::Forbidden,
            "forbidden",
            Some(
                "use an account that may create schemas, tables and users and has GRANT OPTION, such as root; what was \
                 done stays, and a second run goes on"
                    .to_owned(),
            ),
        ),
        LedgerFault::Grants => (Exit::Forbidden, "forbidden", None),
        LedgerFault::NewSchema => (Exit::Version, "version", None),
        LedgerFault::Closed
        | LedgerFault::Contended
        | LedgerFault::NoSchema
        | LedgerFault::OldSchema
        | LedgerFault::Fenced
        | LedgerFault::Forgotten
        | LedgerFault::Unfit
        | LedgerFault::Other => (Exit::Negative, "unavailable", None),
    };
    CliError::Database { exit, code, message, hint: own.unwrap_or(hint) }
}

/// Returns what belongs into `zmesd.toml`.
fn configuration(file: &Path) -> String {
    format!("[cluster]\nenabled = true\ndatabase-url-file = \"{}\"\n", file.display())
}
