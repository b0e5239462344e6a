//! Forms with a file: `multipart/form-data` (RFC 7578).

use aws_lc_rs::rand;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;

use crate::picture::PictureFile;

/// A form. Names and types are the caller's own words; values may hold anything.
#[derive(Debug)]
pub(super) struct Form {
    /// Random, so that no value can contain it and end its part.
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    /// Returns an empty form; `None`: the system has no random numbers.
    pub(super) fn new() -> Option<Self> {
        let mut random = [0; 16];
        rand::fill(&mut random).ok()?;
        Some(Self { boundary: format!("zmesd-{:032x}", u128::from_be_bytes(random)), body: Vec::new() })
    }

    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.part(name, "", value.as_bytes())
    }

    /// A part that is no field of people: a document with a type.
    pub(super) fn document(self, name: &str, kind: &str, value: &[u8]) -> Self {
        self.part(name, &format!("\r\nContent-Type: {kind}"), value)
    }

    pub(super) fn picture(self, name: &str, file: &PictureFile) -> Self {
        let more = format!("; filename=\"{}\"\r\nContent-Type: {}", PictureFile::NAME, PictureFile::TYPE);
        self.part(name, &more, file.bytes())
    }

    fn part(mut self, name: &str, more: &str, value: &[u8]) -> Self {
        let head =
            format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n", self.boundary);
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(value);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    /// Returns the type of the body, and the body.
    pub(super) fn finish(mut self) -> (String, Vec<u8>) {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body)
    }

    pub(super) fn onto(self, request: RequestBuilder) -> RequestBuilder {
        let (kind, body) = self.finish();
        request.header(CONTENT_TYPE, kind).body(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_in_order_between_boundaries() {
        let file = PictureFile::new(b"\xff\xd8\xffx\xff\xd9".to_vec());
        let form = Form::new().unwrap().text("caption", "Garage\r\n--zmesd").picture("photo", &file);
        let (kind, body) = form.finish();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let expected = [
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"caption\"\r\n\r\nGarage\r\n--zmesd\r\n")
                .as_bytes(),
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"alarm.jpg\"\r\n\
                 Content-Type: image/jpeg\r\n\r\n"
            )
            .as_bytes(),
            file.bytes(),
            format!("\r\n--{boundary}--\r\n").as_bytes(),
        ]
        .concat();
        assert_eq!(body, expected);
        assert_ne!(Form::new().unwrap().boundary, Form::new().unwrap().boundary);
    }
}
