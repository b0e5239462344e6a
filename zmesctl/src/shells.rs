//! The shell completion scripts for `zmesctl`.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    // No doc comments: with them clap would print the help on twice as many lines.
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// Returns the script, which runs `zmesctl __complete SHELL WORD...` whenever TAB is pressed.
    pub fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("../../completions/zmesctl.bash"),
            Self::Zsh => include_str!("../../completions/zmesctl.zsh"),
            Self::Fish => include_str!("../../completions/zmesctl.fish"),
        }
    }
}
