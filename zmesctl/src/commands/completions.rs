//! `zmesctl completions`.

use std::io;

use clap::{Args, CommandFactory, ValueEnum};
use serde::Serialize;

use crate::cli::Cli;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, View};

/// Which shell.
#[derive(Debug, Clone, Copy, Args)]
#[command(after_help = "\
Examples:
  zmesctl completions bash > /etc/bash_completion.d/zmesctl
  zmesctl completions zsh  > /usr/local/share/zsh/site-functions/_zmesctl
  zmesctl completions fish > ~/.config/fish/completions/zmesctl.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The shells that there are completions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(arguments: CompletionsArgs, context: &mut Context) -> Result<Exit, CliError> {
    context.show(&Script { completions: script(arguments.shell) })
}

/// Returns the completions for a shell.
pub fn script(shell: Shell) -> String {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "zmesctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[derive(Debug, Serialize)]
struct Script {
    completions: String,
}

impl View for Script {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        out.raw(self.completions.trim_end())
    }

    fn is_document(&self) -> bool {
        true
    }
}
