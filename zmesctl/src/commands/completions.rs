//! `zmesctl completions`.

use std::ffi::OsString;
use std::io;

use clap::Args;
use serde::Serialize;

use crate::completion::{Live, Shell, candidates, script};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, View};

/// Which shell; or, for the scripts themselves, which values.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl completions bash > /etc/bash_completion.d/zmesctl
  zmesctl completions zsh  > /usr/local/share/zsh/site-functions/_zmesctl
  zmesctl completions fish > ~/.config/fish/completions/zmesctl.fish

They know commands and options by themselves, and ask the daemon for handles of
tokens, numbers of clients and monitors, and names of users.")]
pub struct CompletionsArgs {
    /// The shell
    // Required but where it cannot be: clap asks for nothing that conflicts with what is there.
    #[arg(value_enum, required = true)]
    shell: Option<Shell>,
    /// Print what the daemon has of this kind: value, tab, description
    // Described in zmesctl(1): an interface of the scripts, not of people.
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "shell", hide = true)]
    candidates: Option<Live>,
    /// The words of the command line so far
    #[arg(last = true, value_name = "WORD", requires = "candidates", hide = true)]
    words: Vec<OsString>,
}

pub(crate) async fn run(arguments: CompletionsArgs, context: &mut Context) -> Result<Exit, CliError> {
    let CompletionsArgs { shell, candidates: live, words } = arguments;
    match (live, shell) {
        (Some(live), _) => candidates(live, &words, context).await,
        (None, Some(shell)) => context.show(&Script { completions: script(shell) }),
        // clap lets nobody through without either.
        (None, None) => Ok(Exit::Usage),
    }
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

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_kind_has_the_word_that_the_scripts_use() {
        for live in Live::value_variants() {
            assert_eq!(
                live.to_possible_value().map(|value| value.get_name().to_owned()).as_deref(),
                Some(live.word())
            );
        }
    }
}
