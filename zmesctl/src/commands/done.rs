//! The answer of what has nothing to report but that it is done.

use std::io;

use zmes_shared::views::Done;

use crate::render::{Out, View, clean};

impl View for Done {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        out.line(&clean(&self.done))
    }
}
