//! The scripts that make shells complete command lines of `zmesctl`.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    // No doc comments: clap would spread the help over twice the lines to print them.
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// Returns the script, which asks `zmesctl __complete SHELL WORD...` at each press of TAB.
    pub fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("../../completions/zmesctl.bash"),
            Self::Zsh => include_str!("../../completions/zmesctl.zsh"),
            Self::Fish => include_str!("../../completions/zmesctl.fish"),
        }
    }
}
