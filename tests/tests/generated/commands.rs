//! The parts of the manual that the command lines describe: the same texts that `--help` prints.

use clap::{Arg, Command};

use crate::roff::{Roff, bold, escape, italic};

/// Returns one line for each command: its name and its summary.
pub(crate) fn overview(grammar: &Command) -> String {
    let mut roff = Roff::default();
    let all = commands(grammar).into_iter().filter(|(_, command)| command.get_subcommands().next().is_none());
    let all: Vec<_> = all.map(|(path, command)| (path.join(" "), command)).collect();
    let longest = all.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, command) in all {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        roff.aligned(longest + 2, &bold(&name), &sentence(&about));
    }
    roff.source().to_owned()
}

/// Returns the call of each command, one a paragraph.
pub(crate) fn synopsis(grammar: &Command) -> String {
    let mut roff = Roff::default();
    for (number, (path, command)) in commands(grammar).into_iter().enumerate() {
        if number > 0 {
            roff.line("br", &[]);
        }
        roff.inline(&call(grammar.get_name(), &path, command));
    }
    roff.source().to_owned()
}

/// Returns a section for each command: description, arguments, examples.
pub(crate) fn details(grammar: &Command) -> String {
    let mut roff = Roff::default();
    for (path, command) in commands(grammar) {
        roff.line("SS", &[&path.join(" ")]);
        let verbs: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        if verbs.is_empty() {
            roff.inline(&call(grammar.get_name(), &path, command));
            roff.line("PP", &[]);
        }
        roff.text(&sentence(&about(command)));
        arguments(&mut roff, command.get_arguments().filter(|arg| own(arg)));
        after(&mut roff, command);
    }
    roff.source().to_owned()
}

/// Returns the options that every command takes.
pub(crate) fn global_options(grammar: &Command) -> String {
    let mut roff = Roff::default();
    let global = |arg: &&Arg| arg.is_global_set() || ["help", "version"].contains(&arg.get_id().as_str());
    arguments(&mut roff, grammar.get_arguments().filter(global));
    roff.source().to_owned()
}

/// Returns every command with its path, those that only group others included.
fn commands(grammar: &Command) -> Vec<(Vec<&str>, &Command)> {
    fn walk<'g>(command: &'g Command, path: &[&'g str], found: &mut Vec<(Vec<&'g str>, &'g Command)>) {
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            // `help` is clap's own, and says the same as this page.
            if command.get_name() != "help" {
                let path = [path, &[command.get_name()]].concat();
                found.push((path.clone(), command));
                walk(command, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(grammar, &[], &mut found);
    found
}

/// Says whether an argument is described with its command.
fn own(arg: &Arg) -> bool {
    !arg.is_global_set() && !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str())
}

fn about(command: &Command) -> String {
    command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default()
}

/// Returns how a command is called: what must be said as it is, the rest in brackets.
fn call(program: &str, path: &[&str], command: &Command) -> String {
    let mut words = vec![bold(&[&[program], path].concat().join(" "))];
    let (positional, options): (Vec<_>, Vec<_>) =
        command.get_arguments().filter(|arg| own(arg)).partition(|arg| arg.is_positional());
    for arg in options.into_iter().chain(positional) {
        let word = if arg.is_positional() { value(arg) } else { option(arg).pop().unwrap_or_default() };
        let more = if repeated(arg) { " ..." } else { "" };
        words.push(if arg.is_required_set() { format!("{word}{more}") } else { format!("[{word}{more}]") });
    }
    words.join(" ")
}

fn repeated(arg: &Arg) -> bool {
    arg.is_positional() && arg.get_num_args().is_some_and(|count| count.max_values() > 1)
}

/// Returns the spellings of an option with its value: `-m ID`, `--monitor ID`.
fn option(arg: &Arg) -> Vec<String> {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let spellings = short.into_iter().chain(arg.get_long().map(|long| format!("--{long}")));
    spellings
        .map(|spelling| {
            let value = value(arg);
            if value.is_empty() { bold(&spelling) } else { format!("{} {value}", bold(&spelling)) }
        })
        .collect()
}

fn value(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    match arg.get_value_names() {
        Some(names) => names.iter().map(|name| italic(name)).collect::<Vec<_>>().join(" "),
        None => italic(&arg.get_id().as_str().to_uppercase()),
    }
}

fn arguments<'g>(roff: &mut Roff, arguments: impl Iterator<Item = &'g Arg>) {
    let (positional, options): (Vec<_>, Vec<_>) = arguments.partition(|arg| arg.is_positional());
    for arg in positional.into_iter().chain(options) {
        let tag = if arg.is_positional() { value(arg) } else { option(arg).join(", ") };
        roff.tagged(&tag, &described(arg));
    }
}

/// Returns what an argument is for, with its values and what holds without it.
fn described(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    // `[default: …]` is how a help screen says it.
    let (help, stated) = match help.split_once(" [default: ").map(|(help, rest)| (help, rest.split_once(']')))
    {
        Some((help, Some((default, rest)))) => (format!("{help}{rest}"), Some(default.to_owned())),
        Some(_) | None => (help.clone(), None),
    };
    let mut text = sentence(&help);
    let choices: Vec<_> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let named = arg.get_value_names().unwrap_or_default().iter().any(|name| name.contains('|'));
    if arg.get_action().takes_values() && !choices.is_empty() && !named {
        text = format!("{text} One of {}.", choices.join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let shown = arg.get_action().takes_values() && !arg.is_hide_default_value_set() && !defaults.is_empty();
    if let Some(default) = stated.or_else(|| shown.then(|| defaults.join(" "))) {
        text = format!("{text} Default: {default}.");
    }
    text
}

/// Returns a help text as a sentence.
fn sentence(help: &str) -> String {
    let help = help.trim();
    if help.is_empty() || help.ends_with(['.', '?', '!', ':']) { help.to_owned() } else { format!("{help}.") }
}

/// Adds the text below the options of a help screen: blocks separated by blank lines, each either running text or a
/// title over indented lines.
fn after(roff: &mut Roff, command: &Command) {
    let text = command
        .get_after_long_help()
        .or(command.get_after_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    for block in text.split("\n\n") {
        let mut lines = block.lines();
        let Some(first) = lines.next().filter(|first| !first.is_empty()) else { continue };
        roff.line("PP", &[]);
        let rest: Vec<_> = lines.collect();
        if first.ends_with(':') && rest.iter().all(|line| line.starts_with("  ")) {
            roff.text(first);
            roff.line("PP", &[]);
            let examples: Vec<_> = rest.iter().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
            roff.line("RS", &["2"]).verbatim(&examples).line("RE", &[]);
        } else {
            roff.text(block);
        }
    }
}

#[test]
fn a_help_text_becomes_a_paragraph() {
    let arg = Arg::new("limit").long("limit").value_name("N").help("At most so many [default: 100]");
    assert_eq!(described(&arg), "At most so many. Default: 100.");
    assert_eq!(
        option(&arg),
        [format!("{} {}", escape("--limit").replace("\\-\\-limit", "\\fB\\-\\-limit\\fR"), "\\fIN\\fR")]
    );
    let arg = Arg::new("shell").value_parser(["bash", "zsh"]).required(true);
    assert_eq!(described(&arg), " One of `bash`, `zsh`.");
}
