//! The source of manual pages, line by line: what roff would take for a command is escaped here and nowhere else.

/// Longest line of running text, in bytes.
const WIDTH: usize = 78;

/// A part of a page.
#[derive(Debug, Default)]
pub(crate) struct Roff {
    source: String,
}

impl Roff {
    /// Adds a macro with its arguments: `.SH NAME`.
    pub(crate) fn line(&mut self, name: &str, arguments: &[&str]) -> &mut Self {
        self.source.push('.');
        self.source.push_str(name);
        for argument in arguments {
            let argument = escape(argument).replace('"', "\\(dq");
            let quote = if argument.is_empty() || argument.contains(' ') { "\"" } else { "" };
            self.source.extend([" ", quote, &argument, quote]);
        }
        self.source.push('\n');
        self
    }

    /// Adds running text: words in backticks become bold, each sentence begins a line.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.inline(&marked(text))
    }

    /// Adds running text that is escaped already.
    pub(crate) fn inline(&mut self, text: &str) -> &mut Self {
        let mut line = String::new();
        let mut sentence_ended = false;
        for word in text.split_whitespace() {
            let word = &breakable(word);
            if !line.is_empty() && (sentence_ended || line.len() + 1 + word.len() > WIDTH) {
                self.push(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            sentence_ended = word.ends_with(['.', '?', '!']) || word.ends_with(".)");
        }
        if !line.is_empty() {
            self.push(&line);
        }
        self
    }

    /// Adds literal text, such as commands to type.
    pub(crate) fn verbatim(&mut self, lines: &[&str]) -> &mut Self {
        self.line("EX", &[]);
        for line in lines {
            self.push(&escape(line));
        }
        self.line("EE", &[])
    }

    /// Adds a tagged paragraph; the tag is escaped already.
    pub(crate) fn tagged(&mut self, tag: &str, text: &str) -> &mut Self {
        self.line("TP", &[]).tag(tag).text(text)
    }

    /// Adds a tagged paragraph whose text begins in this column.
    pub(crate) fn aligned(&mut self, column: usize, tag: &str, text: &str) -> &mut Self {
        self.line("TP", &[&column.to_string()]).tag(tag).text(text)
    }

    /// Adds a tag: one line, however long it is.
    fn tag(&mut self, tag: &str) -> &mut Self {
        let words: Vec<_> = tag.split(' ').map(breakable).collect();
        self.push(&words.join(" "));
        self
    }

    /// Returns the source.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    fn push(&mut self, line: &str) {
        // At its beginning these make a line a command.
        if line.starts_with(['.', '\'']) {
            self.source.push_str("\\&");
        }
        self.source.push_str(line);
        self.source.push('\n');
    }
}

/// Allows a break inside a word longer than half a line, where a reader sees that it continues.
fn breakable(word: &str) -> String {
    if word.len() <= WIDTH / 2 {
        return word.to_owned();
    }
    let mut parts = String::new();
    for character in word.chars() {
        parts.push(character);
        if matches!(character, '/' | '|' | '?' | '&' | ',') {
            parts.push_str("\\:");
        }
    }
    parts
}

/// Escapes literal text so that it can be copied from the page unchanged.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '…' => escaped.push_str("..."),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Returns escaped text in bold.
pub(crate) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escape(text))
}

/// Returns escaped text in italics: a placeholder.
pub(crate) fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escape(text))
}

/// Escapes running text; text in backticks becomes bold.
fn marked(text: &str) -> String {
    let mut marked = String::new();
    for (number, part) in text.split('`').enumerate() {
        if number % 2 == 0 {
            marked.push_str(&escape(part));
        } else {
            marked.push_str(&bold(part));
        }
    }
    marked
}

#[test]
fn nothing_becomes_a_command_by_accident() {
    let mut roff = Roff::default();
    roff.text("A sentence. .SH is text, `--yes` is bold, and it's a \\backslash.")
        .line("SH", &["A \"name\""]);
    let expected = "A sentence.\n\\&.SH is text, \\fB\\-\\-yes\\fR is bold, and it\\(aqs a \\ebackslash.\n\
                    .SH \"A \\(dqname\\(dq\"\n";
    assert_eq!(roff.source(), expected);
}
