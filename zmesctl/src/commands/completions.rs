//! `zmesctl completions`.

use std::io;

use clap::Args;
use serde::Serialize;

use crate::context::{Context, Outcome};
use crate::render::{Out, View};
use crate::shells::Shell;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl completions bash > /etc/bash_completion.d/zmesctl
  zmesctl completions zsh  > /usr/local/share/zsh/site-functions/_zmesctl
  zmesctl completions fish > ~/.config/fish/completions/zmesctl.fish

The packages install these scripts. A script runs zmesctl, which asks the daemon
for the handles of tokens, the ids of clients and monitors, and user names.")]
pub struct CompletionsArgs {
    /// Shell to print the script for
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: &CompletionsArgs, context: &mut Context) -> Outcome {
    context.show(&ShellScript { completions: arguments.shell.script() })
}

#[derive(Debug, Serialize)]
struct ShellScript {
    completions: &'static str,
}

impl View for ShellScript {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        out.raw(self.completions.trim_end())
    }

    fn is_document(&self) -> bool {
        true
    }
}
