//! The script for zsh: that of `clap_complete`, with functions of ours in the places of what the daemon knows.

use clap::{Arg, Command, ValueHint};

use super::generated;
use super::live::Live;

/// Where the generated function begins.
const BEGIN: &str = "\n_zmesctl() {\n";

/// Returns the script.
pub(super) fn script(grammar: &Command) -> String {
    let mut script = generated(clap_complete::Shell::Zsh, &marked(grammar.clone(), &[]));
    for live in [
        Live::Tokens,
        Live::RevokedTokens,
        Live::BlockedTokens,
        Live::MutedTokens,
        Live::Clients,
        Live::Monitors,
        Live::Users,
        Live::TokensOrUsers,
    ] {
        let (_, function) = mark(live);
        // The action is the last part of a specification in single quotes.
        script = script.replace(&format!(":{function}'"), &format!(":_zmesctl_live {}'", live.word()));
    }
    let words = format!("{LIVE}{BEGIN}    local -a zmesctl_words=(\"${{(@)words[2,CURRENT-1]}}\")\n");
    script.replacen(BEGIN, &words, 1)
}

/// Marks each place of what the daemon knows with a hint whose function is then replaced. The generator has no other
/// way to name a function.
fn marked(command: Command, path: &[String]) -> Command {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let mark_arg = |arg: Arg| match Live::of(&names, &arg) {
        Some(live) => arg.value_hint(mark(live).0),
        None => arg,
    };
    command.mut_args(mark_arg).mut_subcommands(|command| {
        let path = [path, &[command.get_name().to_owned()]].concat();
        marked(command, &path)
    })
}

/// Returns the hint that stands for a kind, and the function that the generator makes of it.
fn mark(live: Live) -> (ValueHint, &'static str) {
    match live {
        Live::Tokens => (ValueHint::Hostname, "_hosts"),
        Live::RevokedTokens => (ValueHint::CommandName, "_command_names -e"),
        Live::MutedTokens => (ValueHint::CommandString, "_cmdstring"),
        Live::BlockedTokens => (ValueHint::DirPath, "_files -/"),
        Live::Clients => (ValueHint::Url, "_urls"),
        Live::Monitors => (ValueHint::EmailAddress, "_email_addresses"),
        Live::Users => (ValueHint::Username, "_users"),
        Live::TokensOrUsers => (ValueHint::ExecutablePath, "_absolute_command_paths"),
    }
}

/// `_arguments` calls it with options for `compadd` and, last, the kind. Sees the words of the whole line, which the
/// generated function has kept.
const LIVE: &str = r#"
# What only the daemon knows: handles of tokens, numbers of clients and monitors, names of users.
# The answers were said by phones, cameras and users: they are shown and quoted, never expanded or evaluated.
(( $+functions[_zmesctl_live] )) ||
_zmesctl_live() {
    local kind="${@[-1]}" answer line
    local -a values shown
    shift -p
    answer="$(command zmesctl completions --candidates "$kind" -- "${(@)zmesctl_words}" </dev/null 2>/dev/null)"
    for line in "${(@f)answer}"; do
        [[ -n "$line" ]] || continue
        values+=("${line%%$'\t'*}")
        shown+=("${line%%$'\t'*}  -- ${line#*$'\t'}")
    done
    (( $#values )) && compadd "$@" -l -d shown -a values
}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completion::{Shell, grammar, script as script_for};

    #[test]
    fn no_argument_of_the_grammar_has_a_hint_that_is_used_as_a_mark() {
        fn walk(command: &Command) {
            for arg in command.get_arguments() {
                let hint = arg.get_value_hint();
                let plain = [
                    ValueHint::Unknown,
                    ValueHint::Other,
                    ValueHint::AnyPath,
                    ValueHint::FilePath,
                    ValueHint::DirPath,
                ];
                assert!(plain.contains(&hint), "{}: {hint:?} is a mark in zsh.rs", arg.get_id());
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&grammar());
    }

    #[test]
    fn every_mark_is_replaced() {
        let script = script_for(Shell::Zsh);
        for live in [
            Live::Tokens,
            Live::RevokedTokens,
            Live::BlockedTokens,
            Live::MutedTokens,
            Live::Clients,
            Live::Users,
        ] {
            assert!(!script.contains(&format!(":{}", mark(live).1)), "{live:?}");
            assert!(script.contains(&format!(":_zmesctl_live {}'", live.word())), "{live:?}");
        }
        assert_eq!(script.matches("local -a zmesctl_words=").count(), 1);
    }
}
