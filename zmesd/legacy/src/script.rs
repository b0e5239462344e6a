//! Scripts of the event server up to 0.98, whose settings are constants and variables in the script itself.
//!
//! Two forms are read: `use constant NAME=>VALUE;` (also `use constant { … };`) and
//! `my $name = VALUE;`. Values that Perl computes are reported, not read.

use std::collections::BTreeSet;

use super::entry::{FileContent, RawSetting};

/// Longest statement, in bytes, that can be a setting.
const MAX_STATEMENT: usize = 2048;

/// Reads the settings that `known` accepts; a script has many other constants and variables.
pub(super) fn read(text: &str, known: impl Fn(&str) -> bool) -> FileContent {
    let mut reader = ScriptReader { found: FileContent::default(), seen: BTreeSet::new(), known };
    let (mut offset, mut pod) = (0, false);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let start = offset;
        offset += line.len();
        if matches!(line.trim_end(), "__END__" | "__DATA__") {
            break;
        }
        // Documentation between `=word` and `=cut`.
        if line.starts_with('=') {
            pod = !line.starts_with("=cut");
            continue;
        }
        let rest = text.get(start..).unwrap_or_default().trim_start_matches([' ', '\t']);
        if !pod {
            reader.statement(rest, number);
        }
    }
    reader.found
}

/// Reads the URL and the key of the cloud function that scripts from 6.0 on hold as defaults, under the names that
/// their configuration files have for them.
pub(super) fn function_of(text: &str) -> Vec<RawSetting> {
    const NAMES: [(&str, &str); 2] =
        [("DEFAULT_FCM_V1_URL", "fcm_v1_url"), ("DEFAULT_FCM_V1_KEY", "fcm_v1_key")];
    let of_line = |(line, text): (usize, &str)| {
        let (name, key) = NAMES.into_iter().find(|(name, _)| text.trim_start().starts_with(name))?;
        let value = text.trim_start().strip_prefix(name)?.trim_start().strip_prefix("=>")?;
        let value = literal(before(value, ',').unwrap_or(value)).filter(|value| !value.is_empty())?;
        Some(RawSetting { section: "fcm".to_owned(), key: key.to_owned(), value, line })
    };
    (1..).zip(text.lines()).filter_map(of_line).collect()
}

struct ScriptReader<K> {
    found: FileContent,
    /// The first declaration counts: later ones are local to a piece of code.
    seen: BTreeSet<String>,
    known: K,
}

impl<K: Fn(&str) -> bool> ScriptReader<K> {
    /// Reads the statement that begins on a line.
    fn statement(&mut self, text: &str, line: usize) {
        if let Some(constant) = after(text, "use constant") {
            match constant.strip_prefix('{') {
                Some(block) => self.constants(block, line),
                None => self.constant(constant, line, "=>"),
            }
        } else if let Some(variable) = after(text, "my").or_else(|| after(text, "our"))
            && let Some(variable) = variable.strip_prefix('$')
        {
            self.constant(variable, line, "=");
        }
    }

    /// Reads `NAME => VALUE, NAME => VALUE }`.
    fn constants(&mut self, block: &str, first: usize) {
        let block = before(block, '}').unwrap_or_default();
        for (number, line) in (first..).zip(block.lines()) {
            let line = line.trim();
            let line = before(line, '#').unwrap_or(line).trim_end().trim_end_matches(',');
            self.constant(line, number, "=>");
        }
    }

    /// Reads a name, what joins it to its value, and the value up to a `;` or the end.
    fn constant(&mut self, text: &str, line: usize, joint: &str) {
        let name = text.trim_start_matches(['"', '\'']);
        let end = name.find(|character: char| !is_word(character)).unwrap_or(name.len());
        let (name, rest) = name.split_at(end);
        let rest = rest.trim_start_matches(['"', '\'']).trim_start();
        let Some(value) = rest.strip_prefix(joint) else { return };
        if value.starts_with(['=', '~']) || !(self.known)(name) || !self.seen.insert(name.to_owned()) {
            return;
        }
        match literal(before(value, ';').unwrap_or(value)) {
            Some(value) => {
                let (section, key) = (String::new(), name.to_owned());
                self.found.settings.push(RawSetting { section, key, value, line });
            }
            None => self.found.unread.push((line, "a value that Perl computes")),
        }
    }
}

/// Returns what follows a word and white space.
fn after<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(word)?;
    let trimmed = rest.trim_start();
    (trimmed.len() < rest.len() || trimmed.starts_with('{')).then_some(trimmed)
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Returns what comes before `end`, outside of quotes and comments.
fn before(text: &str, end: char) -> Option<&str> {
    let (mut quote, mut escaped, mut comment) = (None, false, false);
    for (at, character) in text.char_indices().take_while(|(at, _)| *at < MAX_STATEMENT) {
        if comment {
            comment = character != '\n';
        } else if escaped {
            escaped = false;
        } else if let Some(open) = quote {
            escaped = character == '\\';
            quote = (character != open).then_some(open);
        } else if character == end {
            return text.get(..at);
        } else {
            match character {
                '"' | '\'' => quote = Some(character),
                '#' => comment = true,
                _ => {}
            }
        }
    }
    None
}

/// Returns the value of a Perl literal: a number, a product of numbers, a quoted string, `undef`.
fn literal(value: &str) -> Option<String> {
    let value = value.trim();
    if value == "undef" {
        return Some(String::new());
    }
    let quoted = |open: &str, close: char| {
        let inner = value.strip_prefix(open)?.strip_suffix(close)?;
        // A second text, joined to the first.
        (!unescaped(inner, close)).then_some(inner)
    };
    if let Some(inner) = quoted("'", '\'') {
        return Some(inner.replace("\\'", "'").replace("\\\\", "\\"));
    }
    if let Some(inner) = quoted("\"", '"') {
        return interpolated(inner);
    }
    for (open, close) in [("q{", '}'), ("q(", ')'), ("q/", '/')] {
        if let Some(inner) = quoted(open, close) {
            return Some(inner.to_owned());
        }
    }
    let numbers: Option<Vec<u64>> =
        value.split('*').map(|factor| factor.trim().replace('_', "").parse().ok()).collect();
    let product = numbers?.into_iter().try_fold(1_u64, u64::checked_mul)?;
    // A single number stays as it is written.
    Some(if value.contains(['*', '_']) { product.to_string() } else { value.to_owned() })
}

/// Says whether the text contains an unescaped `quote`.
fn unescaped(text: &str, quote: char) -> bool {
    let mut escaped = false;
    text.chars().any(|character| {
        let ends = character == quote && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })
}

/// Returns a string in double quotes; `None` if Perl would insert a variable.
fn interpolated(text: &str) -> Option<String> {
    let mut read = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '$' | '@' => return None,
            '\\' => match characters.next()? {
                'n' => read.push('\n'),
                't' => read.push('\t'),
                other => read.push(other),
            },
            other => read.push(other),
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vec<String> {
        let found = read(text, |name| name != "other");
        found.settings.iter().map(|s| format!("{} {}={}", s.line, s.key, s.value)).collect()
    }

    fn unread(text: &str) -> Vec<usize> {
        read(text, |_| true).unread.iter().map(|(line, _)| *line).collect()
    }

    #[test]
    fn constants_and_variables_are_read_as_people_write_them() {
        let text = "\
#!/usr/bin/perl -T
use constant EVENT_NOTIFICATION_PORT=>9000; # the port
use constant   SSL_CERT_FILE   =>   '/etc/ssl/a.crt' ;
#use constant SSL_KEY_FILE=>'/not/this';
my $useSecure = 1;          # 0 is ws
  my $pushProxyURL='https://push.example.org:8801';
our $name = \"it's; \\\"so\\\" # no comment\";
use constant KEY =>
    \"over two lines\";
use constant {
    SLEEP_DELAY => 5,   # five
    TOKEN_FILE => '/etc/private/tokens.txt',
};
use constant AN_HOUR=>60*60;
my $other = 3;
my $nothing = undef;
";
        assert_eq!(
            settings(text),
            [
                "2 EVENT_NOTIFICATION_PORT=9000",
                "3 SSL_CERT_FILE=/etc/ssl/a.crt",
                "5 useSecure=1",
                "6 pushProxyURL=https://push.example.org:8801",
                "7 name=it's; \"so\" # no comment",
                "8 KEY=over two lines",
                "11 SLEEP_DELAY=5",
                "12 TOKEN_FILE=/etc/private/tokens.txt",
                "14 AN_HOUR=3600",
                "16 nothing=",
            ]
        );
    }

    #[test]
    fn the_function_of_a_later_script_is_found() {
        let text = "use constant {\n  DEFAULT_FCM_LOG_MESSAGE_ID=>'NONE',\n  DEFAULT_FCM_V1_KEY => 'eyJ.a.b',\n\
                    \x20 DEFAULT_FCM_V1_URL => 'https://f.example.org/send_push', # theirs\n};\n\
                    $key = config_get_val($c, 'fcm', 'fcm_v1_key',\n  DEFAULT_FCM_V1_KEY);\n";
        let found = function_of(text);
        let found: Vec<_> = found.iter().map(|s| (s.line, s.key.as_str(), s.value.as_str())).collect();
        let expected = [(3, "fcm_v1_key", "eyJ.a.b"), (4, "fcm_v1_url", "https://f.example.org/send_push")];
        assert_eq!(found, expected);
        assert!(function_of("DEFAULT_FCM_V1_KEY => '',\n").is_empty());
    }

    #[test]
    fn documentation_and_later_declarations_do_not_count() {
        let text = "my $a = 1;\n=head1 X\nmy $b = 2;\n=cut\nsub x {\n  my $a = 3;\n}\n__END__\nmy $c = 4;\n";
        assert_eq!(settings(text), ["1 a=1"]);
    }

    #[test]
    fn what_perl_computes_is_named() {
        let text = "my $a = foo();\nmy $b = \"$a/x\";\nmy $c = 'x' . 'y';\nmy $d = $ENV{X} || 1;\nmy $e == 1;\nmy ($f, $g) = 1;\n";
        assert_eq!(unread(text), [1, 2, 3, 4]);
        assert_eq!(settings("my $a = 99999999999*99999999999;"), Vec::<String>::new());
    }
}
