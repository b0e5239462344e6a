//! Sentences that are longer than the terminal is wide.

/// Breaks a text at blanks into lines of at most `width` characters; a word that is longer stays whole. Without a width
/// there is one line. A wide character counts as one: such a line is cut by the terminal itself.
pub fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![text.to_owned()] };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks() {
        assert_eq!(wrap("no such file or directory", Some(12)), ["no such file", "or directory"]);
        assert_eq!(wrap("no such file or directory", None), ["no such file or directory"]);
        assert_eq!(
            wrap("/var/lib/zmesd/zmesd.db is whole", Some(8)),
            ["/var/lib/zmesd/zmesd.db", "is whole"]
        );
        assert_eq!(wrap("", Some(8)), [""]);
    }
}
