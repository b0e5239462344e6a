//! `zmesctl reload`.

use std::io;

use zmes_shared::control::Request;
use zmes_shared::views::ConfigReloaded;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Facts, Out, Tone, View, clean};

pub(super) async fn run(context: &mut Context) -> Result<Exit, CliError> {
    context.ask::<ConfigReloaded>(Request::Reload).await
}

impl View for ConfigReloaded {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.applied.is_empty() && self.needs_restart.is_empty() {
            return out.line("The configuration was read again; nothing has changed.");
        }
        let mut facts = Facts::default();
        if !self.applied.is_empty() {
            facts.add("applied", clean(&self.applied.join(", ")));
        }
        if !self.needs_restart.is_empty() {
            let keys = clean(&self.needs_restart.join(", ")).into_owned();
            facts.add("needs a restart", out.paint(Tone::Warning, &keys));
        }
        for line in facts.lines() {
            out.line(&line)?;
        }
        Ok(())
    }
}
