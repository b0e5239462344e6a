//! The values about labels.

use zmes_shared::{LABEL_MAX, Label};

use super::Listing;
use super::rules::entries;
use crate::config::LabelSource;
use crate::config::problem::quotable;
use crate::config::section::Complaint;

pub(in crate::config) const LABEL_SOURCES: Listing<LabelSource> =
    Listing { takes: "a list of \"notes\" and \"tags\"", read: |texts| entries(texts, source) };

fn source(text: &str) -> Result<LabelSource, Complaint> {
    let unknown = || Complaint::new(format!("`{}` is not a source of labels", quotable(text)));
    LabelSource::parse(text).ok_or_else(|| unknown().hint("write \"notes\" or \"tags\""))
}

pub(in crate::config) const LABEL_NAMES: Listing<String> =
    Listing { takes: "a list of labels such as \"person\"", read: |texts| entries(texts, name) };

fn name(text: &str) -> Result<String, Complaint> {
    Label::new(text, None).map(|label| label.name).ok_or_else(|| {
        Complaint::new(format!("`{}` is not a label", quotable(text)))
            .hint(format!("write a name of at most {LABEL_MAX} characters, such as \"person\"; percentages go into min-confidence"))
    })
}
