//! `[picture]`: phones open the links from outside, so what they would refuse is told here.

use super::Checker;
use crate::config::PictureConfig;
use crate::config::file::{PictureSection, PushSection};

impl Checker<'_> {
    pub(super) fn picture(&mut self, picture: &PictureSection, push: &PushSection) -> PictureConfig {
        let base = &picture.base_url;
        if let Some(url) = &base.value {
            if url.starts_with("http://") {
                let hint = "iPhones load nothing without TLS, and Android phones only where the app allows it: write the https:// address";
                self.warn(&base.place, "is not https", hint);
            }
            let (_, path) = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unzip();
            if let Some(path) = path {
                let hint = format!(
                    "zmesd answers at /p/ and /s/ only: have the proxy remove /{path}, or remove it here (docs/behind-a-proxy.md)"
                );
                self.warn(&base.place, format!("has the path /{path}"), hint);
            }
            if push.picture_url.value.is_some() {
                let hint = "remove push.picture-url: pushes have the links of [picture]";
                self.warn(&push.picture_url.place, "is not used, because picture.base-url is set", hint);
            }
        }
        picture.config()
    }
}
