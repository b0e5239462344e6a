//! The values of `[picture]`.

use zmes_zoneminder::pictures::PictureKind;

use super::network::{Listing, web_url};
use super::{Text, not_offered};
use crate::config::section::Complaint;
use crate::config::shown::Shown;

const NAMES: &str = "\"objdetect\", \"alarm\" or \"snapshot\"";

/// Where phones reach this server, without a slash at its end; `None` where the text is empty.
pub(in crate::config) const BASE_URL: Text<Option<String>> = Text {
    takes: "a URL such as \"https://zm.example.org:9000\"",
    read: base_url,
    show: |url| Shown::text(url.as_deref().unwrap_or_default()),
};

fn base_url(text: &str) -> Result<Option<String>, Complaint> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = web_url(text, &["https://", "http://"])?;
    if url.contains(['?', '#']) {
        return Err(Complaint::new("has a query or a fragment")
            .hint("write only where the server is: \"https://zm.example.org:9000\""));
    }
    Ok(Some(url.trim_end_matches('/').to_owned()))
}

pub(in crate::config) const PICTURE_NAMES: Listing<PictureKind> =
    Listing { takes: "a list of \"objdetect\", \"alarm\" and \"snapshot\"", read: names };

fn names(texts: &[&str]) -> Result<Vec<PictureKind>, Complaint> {
    if texts.is_empty() {
        return Err(Complaint::new("is empty").hint("write [\"objdetect\", \"alarm\", \"snapshot\"]"));
    }
    let mut kinds = Vec::new();
    for text in texts {
        let known = PictureKind::ORDER.into_iter().find(|kind| kind.to_string() == *text);
        let kind = known.ok_or_else(|| not_offered(text, NAMES, ["objdetect", "alarm", "snapshot"]))?;
        if kinds.contains(&kind) {
            return Err(Complaint::new(format!("`{text}` is listed twice")).hint("remove one"));
        }
        kinds.push(kind);
    }
    Ok(kinds)
}
