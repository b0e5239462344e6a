//! The script for bash: that of `clap_complete`, with a question in front of its table of words.

use std::fmt::Write;

use clap::Command;

use super::{PROGRAM, Place, generated};

/// How `clap_complete` joins the commands of a path.
const JOINT: &str = "__subcmd__";
/// Where the generated function has found out which command this is, and has not chosen words yet.
const CHOICE: &str = "\n    case \"${cmd}\" in\n";

/// Returns the script.
pub(super) fn script(grammar: &Command, places: &[Place<'_>]) -> String {
    let (options, positionals) = (options(places), positionals(places));
    let script = generated(clap_complete::Shell::Bash, grammar);
    let asking = format!("\n    _zmesctl_live && return 0\n{CHOICE}");
    let function = LIVE.replace("@options@\n", &options).replace("@positionals@\n", &positionals);
    let script =
        script.replacen(CHOICE, &asking, 1).replace("complete -F _zmesctl ", "complete -F _zmesctl_tidy ");
    function + &script
}

/// Returns the lines for values of options: `command,--option) kind=… ;;`. An option with other values ends the
/// question, so that its value is not taken for an argument.
fn options(places: &[Place<'_>]) -> String {
    let mut lines = String::new();
    let (live, other): (Vec<_>, Vec<_>) = places.iter().partition(|place| place.live.is_some());
    for place in live {
        let patterns = patterns(place);
        if let (Some(live), false) = (place.live, patterns.is_empty()) {
            // Writing to a String cannot fail.
            writeln!(lines, "        {}) kind={} ;;", patterns.join(" | "), live.word()).ok();
        }
    }
    // What stands with every command needs no command.
    let patterns =
        |place: &Place<'_>| if place.arg.is_global_set() { anywhere(place) } else { patterns(place) };
    let mut other: Vec<_> = other.into_iter().flat_map(patterns).collect();
    other.sort();
    other.dedup();
    for patterns in other.chunks(3) {
        writeln!(lines, "        {}) return 1 ;;", patterns.join(" | ")).ok();
    }
    lines
}

/// Returns the lines for arguments without a name: `command) kind=… ;;`.
fn positionals(places: &[Place<'_>]) -> String {
    let mut lines = String::new();
    for place in places.iter().filter(|place| place.arg.is_positional()) {
        if let Some(live) = place.live {
            writeln!(lines, "                {}) kind={} ;;", function(&place.path), live.word()).ok();
        }
    }
    lines
}

fn patterns(place: &Place<'_>) -> Vec<String> {
    let command = function(&place.path);
    place.spellings().iter().map(|spelling| format!("{command},{spelling}")).collect()
}

fn anywhere(place: &Place<'_>) -> Vec<String> {
    place.spellings().iter().map(|spelling| format!("*,{spelling}")).collect()
}

/// Returns the name that the generated function has for a command.
fn function(path: &[&str]) -> String {
    let mut name = PROGRAM.to_owned();
    for command in path {
        name.push_str(JOINT);
        name.push_str(&command.replace('-', JOINT));
    }
    name
}

/// Sees `cmd`, `cur` and `prev` of the generated function that calls it.
const LIVE: &str = r#"# What only the daemon knows: handles of tokens, numbers of clients and monitors, names of users.
# Fails where something else belongs. The answers were said by phones, cameras and users: they are compared and quoted
# here, never expanded or evaluated.
_zmesctl_live() {
    local kind='' last="${prev}" value
    # bash takes `--token=1a2b` apart.
    if [[ "${cur}" == '=' ]]; then
        cur=''
    elif [[ "${prev}" == '=' ]]; then
        last="${COMP_WORDS[COMP_CWORD - 2]}"
    fi
    case "${cmd},${last}" in
@options@
        *)
            [[ "${cur}" != -* ]] || return 1
            case "${cmd}" in
@positionals@
                *) return 1 ;;
            esac
            ;;
    esac
    COMPREPLY=()
    # Where nothing is found no file names take its place.
    compopt +o default +o bashdefault 2>/dev/null
    while IFS= read -r value; do
        printf -v value '%q' "${value%%$'\t'*}"
        if [[ "${value}" == "${cur}"* ]]; then
            COMPREPLY+=("${value}")
        fi
    done < <(
        command zmesctl completions --candidates "${kind}" \
            -- "${COMP_WORDS[@]:1:COMP_CWORD-1}" </dev/null 2>/dev/null
    )
    return 0
}

# Options are for those who have begun one, where something else can stand, too.
_zmesctl_tidy() {
    local word
    local -a words=()
    _zmesctl "$@"
    [[ "$2" != -* ]] || return 0
    for word in "${COMPREPLY[@]}"; do
        [[ "${word}" == -* ]] || words+=("${word}")
    done
    if (( ${#words[@]} )); then
        COMPREPLY=("${words[@]}")
    fi
}

"#;
