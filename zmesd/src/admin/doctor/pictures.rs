//! Pictures: do links lead to this server, and can the pictures of the newest events be read?

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};
use zmes_providers::targets::PictureForm;
use zmes_providers::{Visit, VisitFault, Visitor};
use zmes_shared::EventId;
use zmes_shared::views::{Finding, Severity};
use zmes_zoneminder::EventRow;
use zmes_zoneminder::pictures::NoPicture;

use crate::admin::AdminParts;
use crate::links::DeadLink;
use crate::ports::covers;

const STEP: &str = "pictures";
/// Largest picture that Firebase's library for Android loads, in bytes (`ImageDownload.java`).
const ANDROID_MAX: usize = 1024 * 1024;
/// A disk that sleeps, or one of another machine, may take that long.
const PATIENCE: Duration = Duration::from_secs(10);
/// The port of https:// where a URL names none.
const HTTPS: u16 = 443;
/// Newest events among which one of each server is looked for, if its monitors are watched.
const NEWEST: u32 = 50;
/// After this long ZoneMinder has written the first picture of an event.
const WRITTEN: Duration = Duration::from_mins(1);

/// Checks where links lead, and reads the picture of the newest event, if anything sends links or files.
pub(super) async fn findings(parts: &AdminParts) -> Vec<Finding> {
    let base_url = parts.pictures.base_url();
    if base_url.is_none() && !uploads(parts) {
        return Vec::new();
    }
    let links = async {
        match &base_url {
            // The demo's phone trusts the demo's certificate.
            Some(base_url) if !parts.configuration.is_demo() => addressed(parts, base_url).await,
            _ => None,
        }
    };
    let newest = async {
        let rows = newest_events(parts).await;
        join_all(rows.iter().map(|row| readable(parts, row))).await
    };
    let (links, newest) = tokio::join!(links, newest);
    links.into_iter().chain(newest.into_iter().flatten()).collect()
}

/// Says whether a target or MQTT sends pictures as files.
fn uploads(parts: &AdminParts) -> bool {
    let running = parts.configuration.running();
    let over_mqtt = running.mqtt.broker.is_some() && running.mqtt.picture;
    over_mqtt
        || running.push.targets.iter().any(|target| match target.picture.form {
            PictureForm::File | PictureForm::Base64 | PictureForm::Multipart => true,
            PictureForm::Link | PictureForm::None => false,
        })
}

/// Returns what is known of the address of links: the first reason why phones cannot use it, or that they can.
async fn addressed(parts: &AdminParts, base_url: &str) -> Option<Finding> {
    match own_certificate(parts, base_url) {
        Some(finding) => Some(finding),
        None => visited(base_url, &opened(parts)).await,
    }
}

/// Judges the certificate that phones are shown. With another port than this server's a proxy may answer.
fn own_certificate(parts: &AdminParts, base_url: &str) -> Option<Finding> {
    let (host, port) = host_and_port(base_url)?;
    let listen = &parts.configuration.running().server.listen;
    let certificate =
        parts.certificate.summary().filter(|_| listen.iter().any(|address| address.port() == port))?;
    if !covers(&certificate.sans, host) {
        let names = certificate.sans.join(", ");
        let detail = format!(
            "phones load no pictures: picture.base-url names {host}, and the certificate is for {names}"
        );
        let hint = "set picture.base-url to a name of the certificate, or get one for that name";
        return Some(Finding::warning(STEP, detail, hint));
    }
    certificate.self_signed.then(|| {
        let detail =
            "phones load no pictures: the certificate is self-signed, and they trust public authorities only";
        Finding::warning(STEP, detail, PUBLIC)
    })
}

const PUBLIC: &str =
    "get a certificate of a public authority, such as Let's Encrypt; targets that take files need none";

/// Returns host and port of a URL with https://.
fn host_and_port(base_url: &str) -> Option<(&str, u16)> {
    let authority = base_url.strip_prefix("https://")?.split('/').next()?;
    let with_port = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = with_port.unwrap_or((authority, HTTPS));
    Some((host.trim_matches(['[', ']']), port))
}

/// Opens links that are none, as a phone would, and judges who answers: the first that leads elsewhere, or one that is well.
/// That this machine cannot reach its own public address proves nothing: many routers do not send it back in.
async fn visited(base_url: &str, links: &[DeadLink]) -> Option<Finding> {
    let visitor = tokio::task::spawn_blocking(Visitor::new).await.ok()?.ok()?;
    let mut judged = None;
    for link in links {
        let began = Instant::now();
        let visit = visitor.visit(&link.url(base_url)).await;
        let finding = judge(base_url, *link, visit, began.elapsed());
        if finding.severity != Severity::Ok {
            return Some(finding);
        }
        judged.get_or_insert(finding);
    }
    judged
}

/// Returns what is opened: links to pictures, and buttons where a target has some.
fn opened(parts: &AdminParts) -> Vec<DeadLink> {
    let buttons =
        parts.configuration.running().push.targets.iter().any(|target| !target.snooze_buttons.is_empty());
    [Some(DeadLink::Picture), buttons.then_some(DeadLink::SnoozeButton)].into_iter().flatten().collect()
}

/// Judges what a link that opens nothing was answered with.
fn judge(base_url: &str, link: DeadLink, visit: Result<Visit, VisitFault>, took: Duration) -> Finding {
    let fails = match link {
        DeadLink::Picture => "phones load no pictures",
        DeadLink::SnoozeButton => "snooze buttons do nothing",
    };
    match visit {
        Ok(visit) if visit.status == 404 && link.is_answered_by(&visit.body) => {
            Finding::good(STEP, format!("links lead to this server ({base_url}, {} ms)", took.as_millis()))
        }
        // It answers, and has too much to do.
        Ok(visit) if visit.status == 503 => Finding::good(STEP, format!("{base_url} is busy")),
        Ok(visit) => {
            let (path, status) = (link.path(), visit.status);
            let detail = format!("{fails}: links lead elsewhere, {base_url}{path} is answered with {status}");
            let hint = "a proxy must pass /p/ and /s/ on to zmesd, without the path of picture.base-url: docs/behind-a-proxy.md";
            Finding::warning(STEP, detail, hint)
        }
        Err(VisitFault::Certificate(why)) => {
            Finding::warning(STEP, format!("{fails}: {base_url}: {why}"), PUBLIC)
        }
        Err(VisitFault::Unreachable(why)) => {
            let detail =
                format!("{base_url} cannot be opened from here ({why}); open a link of a push from outside");
            Finding::good(STEP, detail)
        }
    }
}

/// Returns the newest event of each server whose monitors are watched: each has disks of its own.
async fn newest_events(parts: &AdminParts) -> Vec<EventRow> {
    // A database that does not answer is a finding of its own.
    let Ok(Some(newest)) = parts.events.newest().await else { return Vec::new() };
    let after = EventId(newest.0.saturating_sub(NEWEST.into()));
    let rows = parts.events.since(after, &[], NEWEST).await.unwrap_or_default();
    let catalog = parts.catalog.now();
    let mut of_servers = BTreeMap::new();
    for row in rows {
        if let Some(monitor) = catalog.monitors.find(row.monitor) {
            of_servers.insert(monitor.elsewhere.as_ref().map(|server| server.id), row);
        }
    }
    of_servers.into_values().collect()
}

/// Judges whether the picture of an event can be read.
async fn readable(parts: &AdminParts, row: &EventRow) -> Option<Finding> {
    let event = row.id;
    let examine = parts.pictures.examine(event, Instant::now());
    let Ok(examined) = timeout(PATIENCE, examine).await else {
        let detail = format!("the picture of event {event} was not read within {} s", PATIENCE.as_secs());
        return Some(Finding::warning(STEP, detail, "does the disk of ZoneMinder's events respond?"));
    };
    match examined.picture {
        Ok(picture) if picture.bytes.len() > ANDROID_MAX => {
            let size = picture.bytes.len() / 1024;
            let detail = format!(
                "the picture of event {event} can be read; it has {size} KiB, and Android shows none above 1,024 KiB"
            );
            Some(Finding::good(STEP, detail))
        }
        Ok(_) => Some(Finding::good(STEP, format!("the picture of event {event} can be read"))),
        // One that was deleted meanwhile, and what the database part says.
        Err(NoPicture::NoEvent | NoPicture::Database(_)) => None,
        // An event that has just begun.
        Err(NoPicture::NoDirectory(_) | NoPicture::NotWritten(_) | NoPicture::NotWhole(_))
            if row.age < WRITTEN =>
        {
            None
        }
        // A share that is not mounted is an empty directory.
        Err(
            problem @ (NoPicture::NoDirectory(_)
            | NoPicture::NotWritten(_)
            | NoPicture::NotWhole(_)
            | NoPicture::NoStorage(_)
            | NoPicture::Root { .. }
            | NoPicture::Unreadable { .. }
            | NoPicture::Link(_)
            | NoPicture::NotMounted(_)
            | NoPicture::Stuck
            | NoPicture::TooLarge { .. }),
        ) => {
            let detail = format!("messages have no pictures (event {event}): {problem}");
            Some(Finding::warning(STEP, detail, problem.hint()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_a_link_that_opens_nothing_is_told() {
        let of = |link, visit| judge("https://zm.example.org", link, visit, Duration::ZERO);
        let judged = |visit| of(DeadLink::Picture, visit);
        let answered = |status, body: &str| judged(Ok(Visit { status, body: body.to_owned() }));
        assert_eq!(answered(404, "no picture\n").severity, Severity::Ok);
        for (status, body) in
            [(404, "<html>Not Found</html>"), (426, "This port speaks WebSocket.\n"), (200, "")]
        {
            let finding = answered(status, body);
            assert!(
                finding.severity == Severity::Warning && finding.detail.ends_with(&format!("with {status}")),
                "{finding:?}"
            );
        }
        // A proxy that passes on /p/ alone.
        let button =
            |body: &str| of(DeadLink::SnoozeButton, Ok(Visit { status: 404, body: body.to_owned() }));
        assert_eq!(button("<h1>This link does nothing</h1>").severity, Severity::Ok);
        let elsewhere = button("<html>Not Found</html>");
        assert!(
            elsewhere.detail.starts_with("snooze buttons do nothing") && elsewhere.detail.contains("/s/")
        );
        let expired = VisitFault::Certificate("certificate expired".to_owned());
        assert_eq!(judged(Err(expired)).severity, Severity::Warning);
        // Many routers do not send a public address back in.
        let unreachable = VisitFault::Unreachable("connection refused".to_owned());
        assert_eq!(judged(Err(unreachable)).severity, Severity::Ok);
    }

    #[test]
    fn the_port_of_https_need_not_be_written() {
        for (url, expected) in [
            ("https://zm.example.org", ("zm.example.org", 443)),
            ("https://zm.example.org:9000/zmes", ("zm.example.org", 9000)),
            ("https://[2001:db8::1]", ("2001:db8::1", 443)),
            ("https://[2001:db8::1]:9000", ("2001:db8::1", 9000)),
        ] {
            assert_eq!(host_and_port(url), Some(expected), "{url}");
        }
        assert_eq!(host_and_port("http://zm.example.org"), None);
    }
}
