//! What the documentation tells people to type is typed here, and what it says they then see is compared with what
//! they would see. tests/README.md says how a page is written; `UPDATE=1` renews the outputs.

mod cleanup;
mod console;
mod consumers;
mod demo;
mod dialogue;
mod fate;
mod normal;
mod page;
mod shell;
mod stage;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use zmes_shared::control::{Access, Request};
use zmes_tests::repository;

use crate::console::Edit;
use crate::page::{Block, Page};
use crate::stage::Stage;

/// Says whether outputs are renewed instead of compared.
fn updates() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

/// Applies the edits if requested; fails with the remaining differences.
fn settle(page: &Page, findings: Vec<(String, Option<Edit>)>) -> Result<()> {
    let (mut left, mut edits) = (Vec::new(), Vec::new());
    for (finding, edit) in findings {
        match edit.filter(|_| updates()) {
            Some(edit) => edits.push(edit),
            None => left.push(finding),
        }
    }
    if !edits.is_empty() {
        page.rewrite(edits)?;
    }
    ensure!(
        left.is_empty(),
        "{} findings; UPDATE=1 cargo nextest run -p zmes-tests --test documented renews outputs\n\n{}",
        left.len(),
        left.join("\n")
    );
    Ok(())
}

/// Runs a page from top to bottom.
async fn play(name: &str) -> Result<()> {
    let page = Page::read(name)?;
    let mut stage = Stage::open().await?;
    let mut findings = Vec::new();
    for block in &page.blocks {
        for word in block.words.iter().filter(|word| !word.starts_with("exit=")) {
            stage.direct(word).await.with_context(|| page.place(block.start))?;
        }
        let kind = (block.language.as_str(), block.words.first().map(String::as_str));
        findings.extend(match kind {
            ("console", Some("demo")) => demo::check(&page, block).await?,
            _ if is_session(block) => console::check(&page, block, &mut stage).await?,
            ("text", Some("app")) => dialogue::app(&page, block, &stage).await?,
            ("text", Some("control")) => dialogue::control(&page, block, &stage).await?,
            _ => Vec::new(),
        });
    }
    findings.extend(table_of_requests(&page)?);
    settle(&page, findings)
}

/// Says whether a block is one of commands; a script that is only shown is tested by itself.
fn is_session(block: &Block) -> bool {
    ["console", "sh"].contains(&block.language.as_str()) && !block.words.iter().any(|word| word == "shown")
}

/// Makes a test of each page, so that they run side by side, and knows their names.
macro_rules! pages {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[tokio::test]
            async fn $test() -> Result<()> {
                play($name).await
            }
        )*
        const PAGES: &[&str] = &[$($name),*];
    };
}

pages! {
    readme_is_as_it_says: "README.md",
    the_index_is_as_it_says: "docs/README.md",
    behind_a_proxy_is_as_it_says: "docs/behind-a-proxy.md",
    consumer_is_as_it_says: "docs/consumer.md",
    control_protocol_is_as_it_says: "docs/control-protocol.md",
    diagnose_is_as_it_says: "docs/diagnose.md",
    docker_is_as_it_says: "docs/docker.md",
    fewer_notifications_is_as_it_says: "docs/fewer-notifications.md",
    home_assistant_is_as_it_says: "docs/home-assistant.md",
    install_from_source_is_as_it_says: "docs/install-from-source.md",
    install_is_as_it_says: "docs/install.md",
    migrate_is_as_it_says: "docs/migrate.md",
    node_red_is_as_it_says: "docs/node-red.md",
    observe_is_as_it_says: "docs/observe.md",
    pictures_is_as_it_says: "docs/pictures.md",
    scripts_is_as_it_says: "docs/scripts.md",
    security_is_as_it_says: "docs/security.md",
    several_servers_is_as_it_says: "docs/several-servers.md",
    side_by_side_is_as_it_says: "docs/side-by-side.md",
    socket_activation_is_as_it_says: "docs/socket-activation.md",
    targets_is_as_it_says: "docs/targets.md",
    under_zoneminder_is_as_it_says: "docs/under-zoneminder.md",
    upgrades_is_as_it_says: "docs/upgrades.md",
    when_something_is_wrong_is_as_it_says: "docs/when-something-is-wrong.md",
}

#[test]
fn no_page_is_forgotten() -> Result<()> {
    assert_eq!(page::names()?, PAGES.iter().map(ToString::to_string).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn every_command_is_one_that_the_programs_know() -> Result<()> {
    let mut wrong = Vec::new();
    for name in page::names()? {
        let page = Page::read(&name)?;
        for block in page.blocks.iter().filter(|block| is_session(block)) {
            wrong.extend(console::check_words(&page, block)?);
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_block_says_what_it_is() -> Result<()> {
    let known = ["console", "sh", "toml", "text", "json", "yaml", "ini", "sql", "cron", "systemd", "nginx"];
    for name in page::names()? {
        let page = Page::read(&name)?;
        for block in &page.blocks {
            let place = page.place(block.start);
            ensure!(known.contains(&block.language.as_str()), "{place}: `{}` is no language", block.language);
            if block.language == "text" {
                let kind = block.words.first().map(String::as_str);
                let known = [Some("app"), Some("control"), Some("shown")];
                ensure!(known.contains(&kind), "{place}: what kind of text? app, control, or only shown");
            }
        }
    }
    Ok(())
}

#[test]
fn every_link_leads_somewhere() -> Result<()> {
    let mut wrong = Vec::new();
    for name in page::names()? {
        let page = Page::read(&name)?;
        let directory = repository()?.join(&name);
        let directory = directory.parent().context("no directory")?;
        for (index, line) in page.lines.iter().enumerate() {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                if path.contains("://") {
                    continue;
                }
                let target = if path.is_empty() { repository()?.join(&name) } else { directory.join(path) };
                if !target.exists() || !anchor.is_empty() && !has_anchor(&target, anchor)? {
                    wrong.push(format!("{}: {link}", page.place(index)));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Says whether a page has a heading of that anchor, as GitHub makes them.
fn has_anchor(path: &Path, anchor: &str) -> Result<bool> {
    let text = std::fs::read_to_string(path)?;
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    let anchors = headings.map(|heading| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|one| one.is_alphanumeric() || [' ', '-', '_'].contains(one));
        kept.map(|one| if one == ' ' { '-' } else { one }).collect::<String>()
    });
    Ok(anchors.into_iter().any(|found| found == anchor))
}

#[tokio::test]
async fn every_configuration_holds() -> Result<()> {
    let stage = Stage::open().await?;
    let mut wrong = Vec::new();
    for name in page::names()? {
        let page = Page::read(&name)?;
        for block in page.blocks.iter().filter(|block| block.language == "toml") {
            wrong.extend(check_configuration(&page, block, &stage).await?);
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Checks a piece of `zmesd.toml`, with the world's files in place of those that it names.
async fn check_configuration(page: &Page, block: &Block, stage: &Stage) -> Result<Option<String>> {
    let mut text = stage.here(&block.lines.join("\n"));
    for (documented, file) in
        [("/etc/zmesd/firebase.json", "firebase.json"), ("/etc/zmesd/apns.p8", "apns.p8")]
    {
        text = text.replace(documented, &stage.place(file).to_string_lossy());
    }
    // What the piece does not speak of is as in the world.
    let mut whole: toml::Table = stage.world.settings.render().parse()?;
    let piece: toml::Table = text.parse().with_context(|| page.place(block.start))?;
    for (key, value) in piece {
        match (whole.get_mut(&key), value) {
            (Some(toml::Value::Table(table)), toml::Value::Table(piece)) => table.extend(piece),
            (_, value) => drop(whole.insert(key, value)),
        }
    }
    let file = stage.place("piece.toml");
    std::fs::write(&file, toml::to_string(&whole)?)?;
    let output = tokio::process::Command::new(zmes_tests::zmesd_binary()?)
        .args(["check-config", "--config"])
        .arg(&file)
        .output()
        .await?;
    let problems = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((!output.status.success()).then(|| format!("{}: {problems}", page.place(block.start))))
}

/// Every request of the wire fixtures: each type with its forms, and who may send it.
fn requests() -> Result<BTreeMap<String, Vec<(String, Access)>>> {
    let mut requests = BTreeMap::<String, Vec<_>>::new();
    for entry in std::fs::read_dir(repository()?.join("tests/fixtures/wire/v1"))? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("request-") {
            continue;
        }
        let frame: Value = serde_json::from_str(&std::fs::read_to_string(entry.path())?)?;
        let access = Request::deserialize(&frame["request"])?.access();
        let mut members = frame["request"].as_object().context("no object")?.clone();
        let kind =
            members.remove("type").and_then(|kind| Some(kind.as_str()?.to_owned())).context("no type")?;
        let rest = Value::Object(members).to_string();
        let comma = if rest == "{}" { "" } else { "," };
        let text = format!("{{\"type\":\"{kind}\"{comma}{}", rest.get(1..).unwrap_or_default());
        requests.entry(kind).or_default().push((text, access));
    }
    Ok(requests)
}

/// Compares the table of requests with the fixtures, where a page has one.
fn table_of_requests(page: &Page) -> Result<Option<(String, Option<Edit>)>> {
    let find = |line: &str| page.lines.iter().position(|found| found == line);
    let (Some(start), Some(end)) = (find("<!-- requests: begin -->"), find("<!-- requests: end -->")) else {
        return Ok(None);
    };
    let mut wanted = vec!["| request | who | for example |".to_owned(), "|---|---|---|".to_owned()];
    for (kind, forms) in requests()? {
        let may = |wanted| forms.iter().any(|(_, access)| *access == wanted);
        let who = match (may(Access::Read), may(Access::Admin)) {
            (true, false) => "anybody",
            (true, true) => "admin; looking: anybody",
            (false, _) => "admin",
        };
        let shortest = forms.iter().map(|(text, _)| text).min_by_key(|text| (text.len(), *text));
        let shortest = shortest.context("no form")?;
        wanted.push(format!("| `{kind}` | {who} | `{shortest}` |"));
    }
    let found = &page.lines[start + 1..end];
    let finding = format!("{}: the table of requests is not that of the fixtures", page.place(start));
    Ok((found != wanted).then(|| (finding, Some((start + 1, end - start - 1, wanted)))))
}

#[test]
fn every_request_is_documented() -> Result<()> {
    let page = Page::read("docs/control-protocol.md")?;
    let requests = requests()?;
    ensure!(requests.len() > 20, "only {} requests found", requests.len());
    for kind in requests.into_keys() {
        let named = page.lines.iter().any(|line| line.contains(&format!("\"type\":\"{kind}\"")));
        ensure!(
            named || updates(),
            "docs/control-protocol.md does not know `{kind}`: UPDATE=1 adds it to the table"
        );
    }
    Ok(())
}
