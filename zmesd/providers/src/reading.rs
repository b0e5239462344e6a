//! What a body contains: JSON, nothing, a web page, or something else that no provider sends.

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::Value;
use zmes_shared::words::FaultKind;

use super::answer::{ProviderAnswer, quote};
use crate::push::PushError;
use crate::token::PushToken;

/// Longest part of a page's title in errors and logs, in characters.
const MAX_TITLE: usize = 120;
/// The begin of gzip bodies, whatever their headers say (RFC 1952 2.3.1). The body was read as UTF-8, in which
/// the second byte (0x8b) is replaced.
const GZIP: &str = "\u{1f}\u{fffd}";

#[derive(Debug, Clone, PartialEq)]
pub(super) enum BodyContent {
    Nothing,
    Json(Value),
    /// A web page, with its title.
    Page(Option<String>),
    /// Compressed, although the request did not allow it.
    Compressed,
    TooLong,
    Text,
}

impl ProviderAnswer {
    pub(super) fn content(&self) -> BodyContent {
        let body = self.body.trim_start_matches('\u{feff}').trim();
        let encoding = self.headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let encoded = encoding.is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity"));
        if body.starts_with(GZIP) || (encoded && !body.is_empty()) {
            return BodyContent::Compressed;
        }
        if body.is_empty() {
            return BodyContent::Nothing;
        }
        // PHP labels everything text/html, so JSON is recognized by its content.
        if self.whole
            && let Ok(json) = serde_json::from_str(body)
        {
            return BodyContent::Json(json);
        }
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.to_ascii_lowercase();
        if body.starts_with('<') || kind.starts_with("text/html") || kind.starts_with("application/xhtml") {
            return BodyContent::Page(title(body));
        }
        if self.whole { BodyContent::Text } else { BodyContent::TooLong }
    }

    /// Returns what the provider said, for people, without secrets.
    pub(super) fn said(&self, token: Option<&PushToken>, secrets: &[&str]) -> String {
        match self.content() {
            BodyContent::Nothing => "an empty answer".to_owned(),
            BodyContent::Page(title) => page(title.as_deref(), token, secrets),
            BodyContent::Compressed => "a compressed answer, which zmesd did not ask for".to_owned(),
            BodyContent::TooLong => {
                format!("an answer of over 64 KiB: {}", quote(&self.body, token, secrets))
            }
            BodyContent::Json(_) | BodyContent::Text => quote(&self.body, token, secrets),
        }
    }

    /// Returns the fault of an answer with a successful status that is not `due`: "FCM's JSON".
    pub(super) fn unexpected(&self, due: &str, token: Option<&PushToken>, secrets: &[&str]) -> PushError {
        let kind = match self.content() {
            BodyContent::Page(_) => FaultKind::WebPage,
            BodyContent::Nothing
            | BodyContent::Json(_)
            | BodyContent::Compressed
            | BodyContent::TooLong
            | BodyContent::Text => FaultKind::BadAnswer,
        };
        self.fault(kind, format!("{}: {} instead of {due}", self.status, self.said(token, secrets)))
    }

    pub(super) fn is_page(&self) -> bool {
        matches!(self.content(), BodyContent::Page(_))
    }
}

/// `a web page ("Welcome to nginx!")`
fn page(title: Option<&str>, token: Option<&PushToken>, secrets: &[&str]) -> String {
    let title = quote(title.unwrap_or_default(), token, secrets);
    if title.is_empty() {
        return "a web page".to_owned();
    }
    let cut = title.char_indices().nth(MAX_TITLE).map(|(at, _)| at);
    match cut.and_then(|at| title.get(..at)) {
        Some(start) => format!("a web page (\"{start}…\")"),
        None => format!("a web page (\"{title}\")"),
    }
}

fn title(body: &str) -> Option<String> {
    // ASCII lower case keeps the length, so positions are valid in the body.
    let lower = body.to_ascii_lowercase();
    let open = lower.find("<title")?;
    let start = open + lower.get(open..)?.find('>')? + 1;
    let end = lower.get(start..)?.find("</title").map_or(lower.len(), |at| start + at);
    let text = body.get(start..end)?;
    let plain =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    Some(plain.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::answer_with;

    fn said(headers: &[(&str, &str)], body: &str) -> String {
        answer_with(200, headers, body).said(None, &[])
    }

    #[test]
    fn a_web_page_is_told_by_its_title() {
        let html = [("content-type", "text/html; charset=UTF-8")];
        for (headers, body, wanted) in [
            (
                &html[..],
                "<!DOCTYPE html>\n<html><head><title>Welcome to nginx!</title>",
                "a web page (\"Welcome to nginx!\")",
            ),
            (
                &[],
                "\u{feff}  <HTML><HEAD><TITLE id=x>\r\n Hotel &amp; Bar\tWLAN </TITLE>",
                "a web page (\"Hotel & Bar WLAN\")",
            ),
            (&html[..], "Please log in", "a web page"),
            (&[], "<html><title>never closed", "a web page (\"never closed\")"),
            (&[], "<?xml version='1.0'?><x/>", "a web page"),
            (&html[..], r#"{"Success":"projects/p/messages/1"}"#, r#"{"Success":"projects/p/messages/1"}"#),
            (&html[..], " ", "an empty answer"),
            (&[], "<title>\u{202e}gnp\u{200b}.exe\u{1b}[31m</title>", "a web page (\"gnp.exe [31m\")"),
        ] {
            assert_eq!(said(headers, body), wanted, "{body}");
        }
        let long = said(&[], &format!("<title>{}</title>", "ü".repeat(5000)));
        assert_eq!(long, format!("a web page (\"{}…\")", "ü".repeat(120)));
    }

    #[test]
    fn what_is_compressed_or_endless_is_no_answer() {
        let compressed = "a compressed answer, which zmesd did not ask for";
        assert_eq!(said(&[("content-encoding", "gzip")], "\u{1f}\u{fffd}\u{8}"), compressed);
        assert_eq!(said(&[], "\u{1f}\u{fffd}\u{8}"), compressed, "without a header, too");
        assert_eq!(said(&[("content-encoding", "identity")], "{}"), "{}");
        let mut endless = answer_with(200, &[], &format!("{{\"name\":\"{}", "x".repeat(1000)));
        endless.whole = false;
        assert_eq!(endless.content(), BodyContent::TooLong);
        assert!(endless.said(None, &[]).starts_with("an answer of over 64 KiB: {\"name\":\"xxx"));
    }

    #[test]
    fn a_page_shows_no_secret() {
        let token = PushToken::parse("cXyz:APA91bHPRgkFLJu6sg").unwrap();
        let page = "<title>no cXyz:APA91bHPRgkFLJu6sg for s3cret at https://u:p@h/?password=x</title>";
        let said = answer_with(404, &[], page).said(Some(&token), &["s3cret"]);
        assert_eq!(said, "a web page (\"no … for … at https://…@h/…\")");
    }
}
