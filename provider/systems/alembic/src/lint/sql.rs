//! SQL as words: enough to see what a statement does, and never in the way of SQL that nobody can parse.

use sqlparser::{
    dialect::PostgreSqlDialect,
    tokenizer::{Token, Tokenizer},
};

/// A token of SQL, without white space and comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A keyword or a name that is not quoted, in lower case.
    Word(String),
    /// A quoted name.
    Quoted(String),
    /// A whole number.
    Number(i64),
    /// A dollar-quoted string: the body of a function or of `DO`.
    Body(String),
    /// A quoted string.
    Text(String),
    /// Everything else.
    Sign(String),
}

/// A part, and whether it follows the one before without a space.
pub(crate) type Parts = Vec<(Part, bool)>;

/// The statements of a text.
pub(crate) fn statements(sql: &str) -> Vec<Parts> {
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, sql).tokenize().or_else(|_| {
        // A quote may belong to a part that only Python knows.
        let bare = sql.replace(['\'', '"', '$', '`'], " ");
        Tokenizer::new(&dialect, &bare).tokenize()
    });
    let mut statements = vec![Parts::new()];
    let mut glued = false;
    for token in tokens.unwrap_or_default() {
        let part = match token {
            Token::Whitespace(_) => {
                glued = false;
                continue;
            }
            Token::SemiColon => {
                statements.push(Parts::new());
                glued = false;
                continue;
            }
            Token::Word(word) if word.quote_style.is_some() => Part::Quoted(word.value),
            Token::Word(word) => Part::Word(word.value.to_lowercase()),
            Token::Number(number, _) => number.parse().map_or(Part::Sign(number), Part::Number),
            Token::DollarQuotedString(body) => Part::Body(body.value),
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => Part::Text(text),
            other => Part::Sign(other.to_string()),
        };
        if let Some(statement) = statements.last_mut() {
            statement.push((part, glued));
        }
        glued = true;
    }
    statements.retain(|statement| !statement.is_empty());
    statements
}

/// Reads parts from left to right.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'p> {
    parts: &'p [(Part, bool)],
}

impl<'p> Reader<'p> {
    pub(crate) fn new(parts: &'p [(Part, bool)]) -> Reader<'p> {
        Reader { parts }
    }

    /// The next part, which stays.
    pub(crate) fn peek(&self) -> Option<&'p Part> {
        self.parts.first().map(|(part, _)| part)
    }

    /// Takes the next part.
    pub(crate) fn next(&mut self) -> Option<&'p Part> {
        let (first, rest) = self.parts.split_first()?;
        self.parts = rest;
        Some(&first.0)
    }

    /// Takes these words, separated by spaces, if all of them come next.
    pub(crate) fn words(&mut self, words: &str) -> bool {
        let mut ahead = *self;
        for word in words.split(' ') {
            if !matches!(ahead.next(), Some(Part::Word(known)) if known == word) {
                return false;
            }
        }
        *self = ahead;
        true
    }

    /// Whether these words come anywhere from here on.
    pub(crate) fn contains(&self, words: &str) -> bool {
        (0..self.parts.len()).any(|at| Reader { parts: &self.parts[at..] }.words(words))
    }

    /// Takes a name: words with dots between them, or what Python will put there.
    pub(crate) fn name(&mut self) -> String {
        let mut name = String::new();
        let mut braces = 0usize;
        while let Some((part, glued)) = self.parts.first() {
            if !name.is_empty() && !glued && braces == 0 {
                break;
            }
            match part {
                Part::Word(text) | Part::Quoted(text) => name.push_str(text),
                Part::Number(number) => name.push_str(&number.to_string()),
                Part::Sign(sign) => match sign.as_str() {
                    "{" => {
                        braces += 1;
                        name.push('{');
                    }
                    "}" if braces > 0 => {
                        braces -= 1;
                        name.push('}');
                    }
                    "." | "%" | ":" => name.push_str(sign),
                    other if braces > 0 => name.push_str(other),
                    _ => break,
                },
                Part::Text(text) if braces > 0 => name.push_str(text),
                Part::Body(_) | Part::Text(_) => break,
            }
            self.parts = &self.parts[1..];
        }
        name
    }

    /// What is left, cut at commas that are not in parentheses.
    pub(crate) fn split(self) -> Vec<Reader<'p>> {
        let mut pieces = Vec::new();
        let (mut start, mut open) = (0, 0usize);
        for (at, (part, _)) in self.parts.iter().enumerate() {
            match part {
                Part::Sign(sign) if sign == "(" => open += 1,
                Part::Sign(sign) if sign == ")" => open = open.saturating_sub(1),
                _ if open == 0 && *part == Part::Sign(",".to_owned()) => {
                    pieces.push(Reader { parts: &self.parts[start..at] });
                    start = at + 1;
                }
                _ => {}
            }
        }
        pieces.push(Reader { parts: &self.parts[start..] });
        pieces
    }

    /// From the first of these words on; where there is none, nothing.
    pub(crate) fn beginning_with(self, words: &[&str]) -> Reader<'p> {
        let is = |part: &Part| matches!(part, Part::Word(word) if words.contains(&word.as_str()));
        let at = self.parts.iter().position(|(part, _)| is(part)).unwrap_or(self.parts.len());
        Reader { parts: &self.parts[at..] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart_and_names_read_with_what_python_fills_in() {
        let found = statements("-- first\nDROP TABLE a; /* ; */ drop table \"B c\".{name}_old CASCADE; SELECT ';'");
        assert_eq!(found.len(), 3);
        let mut reader = Reader::new(&found[1]);
        assert!(reader.words("drop table"));
        assert_eq!(reader.name(), "B c.{name}_old");
        assert!(reader.words("cascade"));
        assert_eq!(reader.peek(), None);
    }

    #[test]
    fn text_that_is_no_sql_is_read_as_far_as_it_goes() {
        let found = statements("DROP TABLE {x['a]} ' ");
        assert!(Reader::new(&found[0]).words("drop table"));
        assert!(statements("").is_empty());
    }
}
