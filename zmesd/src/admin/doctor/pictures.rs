//! Pictures: can those of the newest event be read?

use std::time::Duration;

use tokio::time::{Instant, timeout};
use zmes_shared::views::Finding;
use zmes_zoneminder::pictures::NoPicture;

use crate::admin::AdminParts;
use crate::ports::covers;

const STEP: &str = "pictures";
/// Largest picture that Firebase's library for Android loads, in bytes (`ImageDownload.java`).
const ANDROID_MAX: usize = 1024 * 1024;
/// A disk that sleeps, or one of another machine, may take that long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks where links lead and reads the picture of the newest event, if pushes hold links to pictures.
pub(super) async fn findings(parts: &AdminParts) -> Vec<Finding> {
    let Some(base_url) = parts.pictures.base_url() else { return Vec::new() };
    let mut findings: Vec<_> = unknown_name(parts, &base_url).into_iter().collect();
    findings.extend(newest(parts).await);
    findings
}

/// Tells of links to a name that the certificate is not for. With another port than this server's a proxy may answer.
fn unknown_name(parts: &AdminParts, base_url: &str) -> Option<Finding> {
    let authority = base_url.strip_prefix("https://")?.split('/').next()?;
    let (host, port) = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok())?;
    let host = host.trim_matches(['[', ']']);
    let listens =
        parts.configuration.running().server.listen.iter().any(|address| address.port().to_string() == port);
    let sans = parts.certificate.summary().filter(|_| listens)?.sans;
    if covers(&sans, host) {
        return None;
    }
    let detail = format!(
        "phones load no pictures: picture.base-url names {host}, and the certificate is for {}",
        sans.join(", ")
    );
    Some(Finding::warning(
        STEP,
        detail,
        "set picture.base-url to a name of the certificate, or get one for that name",
    ))
}

async fn newest(parts: &AdminParts) -> Vec<Finding> {
    // A database that does not answer is a finding of its own.
    let Ok(Some(newest)) = parts.events.newest().await else { return Vec::new() };
    let examine = parts.pictures.examine(newest, Instant::now());
    let Ok(examined) = timeout(PATIENCE, examine).await else {
        let detail = format!("the picture of event {newest} was not read within {} s", PATIENCE.as_secs());
        return vec![Finding::warning(STEP, detail, "does the disk of ZoneMinder's events respond?")];
    };
    match examined.picture {
        Ok(picture) if picture.bytes.len() > ANDROID_MAX => {
            let size = picture.bytes.len() / 1024;
            let detail = format!(
                "the picture of event {newest} can be read; it has {size} KiB, and Android shows none above 1,024 KiB"
            );
            vec![Finding::good(STEP, detail)]
        }
        Ok(_) => vec![Finding::good(STEP, format!("the picture of event {newest} can be read"))],
        // An event that has just begun, one that was deleted meanwhile, and what the database part says.
        Err(
            NoPicture::NoEvent
            | NoPicture::NoDirectory(_)
            | NoPicture::NotWritten(_)
            | NoPicture::NotWhole(_)
            | NoPicture::Database(_),
        ) => Vec::new(),
        Err(
            problem @ (NoPicture::NoStorage(_)
            | NoPicture::Root { .. }
            | NoPicture::Unreadable { .. }
            | NoPicture::Link(_)
            | NoPicture::Stuck
            | NoPicture::TooLarge { .. }),
        ) => {
            vec![Finding::warning(STEP, format!("pushes have no pictures: {problem}"), problem.hint())]
        }
    }
}
