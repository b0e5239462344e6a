//! The answer of commands that report only success.

use std::io;

use zmes_shared::views::Done;

use crate::render::{Out, View, clean};

impl View for Done {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        out.line(&clean(&self.done))
    }
}
