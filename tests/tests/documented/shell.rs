//! Command lines as a shell reads them, as far as it takes to know which programs they call and which files they
//! name.

use anyhow::{Result, bail, ensure};

/// One program with its arguments: a part between `|`, `;`, `&&` and the like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Simple {
    /// The program and its arguments, without quotes.
    pub(crate) words: Vec<String>,
    /// Files of its redirections.
    pub(crate) files: Vec<String>,
}

/// Takes a command line apart.
pub(crate) fn commands(line: &str) -> Result<Vec<Simple>> {
    let mut reader =
        Reader { rest: line.chars().collect::<Vec<_>>().into_iter().peekable(), found: Vec::new() };
    reader.read()?;
    Ok(reader.found)
}

struct Reader {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
    found: Vec<Simple>,
}

impl Reader {
    fn read(&mut self) -> Result<()> {
        let (mut now, mut redirected) = (Simple::default(), false);
        while let Some(&next) = self.rest.peek() {
            match next {
                ' ' | '\t' => drop(self.rest.next()),
                '#' => break,
                '|' | ';' | '&' | '(' | ')' | '{' | '}' | '\n' => {
                    self.rest.next();
                    self.found.push(std::mem::take(&mut now));
                }
                '>' | '<' => {
                    self.rest.next();
                    redirected = true;
                }
                _ => {
                    let word = self.word()?;
                    // `2>` and `>&1`: the number of a stream is not a word.
                    let stream = word.chars().all(|digit| digit.is_ascii_digit());
                    match (self.rest.peek(), redirected) {
                        (Some('>'), false) if stream => {}
                        (_, true) => now.files.push(word),
                        (_, false) => now.words.push(word),
                    }
                    redirected = false;
                }
            }
        }
        self.found.push(now);
        self.found.retain(|simple| !simple.words.is_empty());
        Ok(())
    }

    fn word(&mut self) -> Result<String> {
        let mut word = String::new();
        while let Some(&next) = self.rest.peek() {
            match next {
                ' ' | '\t' | '|' | ';' | '&' | '<' | '>' | '(' | ')' | '\n' => break,
                '\'' | '"' => {
                    self.rest.next();
                    word.push_str(&self.quoted(next)?);
                }
                '\\' => {
                    self.rest.next();
                    word.extend(self.rest.next());
                }
                plain => {
                    self.rest.next();
                    word.push(plain);
                }
            }
        }
        Ok(word)
    }

    fn quoted(&mut self, quote: char) -> Result<String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                None => bail!("a quote is never closed"),
                Some(end) if end == quote => return Ok(text),
                Some('\\') if quote == '"' => text.extend(self.rest.next()),
                Some(plain) => text.push(plain),
            }
        }
    }
}

/// Parses one line of a crontab in `/etc/cron.d` as crontab(5) defines it: five time fields, a user, and the command up
/// to the first `%` without a backslash. The rest would be the command's input.
pub(crate) fn crontab(line: &str) -> Result<(Vec<&str>, &str, String)> {
    let mut rest = line.trim_start();
    let mut fields = Vec::new();
    let times = if rest.starts_with('@') { 1 } else { 5 };
    for _ in 0..=times {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (field, behind) = rest.split_at(end);
        ensure!(!field.is_empty(), "too few fields: {line}");
        fields.push(field);
        rest = behind.trim_start();
    }
    let (mut command, mut characters) = (String::new(), rest.chars().peekable());
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some('%')) => {
                characters.next();
                command.push('%');
            }
            ('%', _) => break,
            (plain, _) => command.push(plain),
        }
    }
    ensure!(!command.is_empty(), "no command: {line}");
    let user = fields.pop().unwrap_or_default();
    Ok((fields, user, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        commands(line).unwrap().into_iter().map(|simple| simple.words).collect()
    }

    #[test]
    fn programs_are_told_apart() {
        assert_eq!(
            words("a 'b c' | d \"e\\\"f\" && g; h # i"),
            [vec!["a", "b c"], vec!["d", "e\"f"], vec!["g"], vec!["h"]]
        );
        assert_eq!(words("x || { y; z; }"), [vec!["x"], vec!["y"], vec!["z"]]);
        let simple = &commands("a >/dev/null 2>&1 < in b").unwrap();
        assert_eq!(simple[0].files, ["/dev/null"]);
        assert!(commands("a 'b").is_err());
    }

    #[test]
    fn a_crontab_ends_at_its_percent_sign() {
        let (times, user, command) = crontab("17 3 * * *\troot\tdate +\\%F >x").unwrap();
        assert_eq!((times, user, command.as_str()), (vec!["17", "3", "*", "*", "*"], "root", "date +%F >x"));
        assert_eq!(crontab("@daily root a %b").unwrap().2, "a ");
        assert!(crontab("17 3 * * * root").is_err());
    }
}
