//! What is looked for of a secret.

use crate::passwords;

/// Shorter texts are not replaced: they stand in every message, and the gaps would spell them out.
pub(crate) const SHORTEST: usize = 6;
/// Numbers of fewer digits are not replaced: ports, sizes, times, identifiers.
const SHORTEST_NUMBER: usize = 8;
/// A line of a secret that looks like prose or a setting counts from here on, one without a space from [`SHORTEST_LINE`].
const SHORTEST_PROSE: usize = 16;
const SHORTEST_LINE: usize = 8;
/// The path of a URL is a secret by itself from here on.
const SHORTEST_PATH: usize = 24;
/// Longer texts are looked for piece by piece: a message mostly shows a part of them.
const LONGEST: usize = 256;

/// Words that stand everywhere; as a password each of them is the first that anybody tries.
const ORDINARY: [&str; 15] = [
    "default",
    "disable",
    "disabled",
    "enabled",
    "localhost",
    "number",
    "password",
    "postgres",
    "postgresql",
    "redacted",
    "require",
    "secret",
    "string",
    "username",
    "(redacted)",
];

/// Hands over what is looked for of a secret: the whole, its lines where it has several, and the passwords in it.
pub(crate) fn each_needle(secret: &str, take: &mut impl FnMut(&str)) {
    whole_and_lines(secret, take);
    passwords(secret).iter().for_each(|password| whole_and_lines(password, take));
    // Of a webhook's URL it is the path that is secret, and whoever speaks of it may name the host apart.
    if let Some(path) = secret.trim().strip_prefix("https://").and_then(|rest| rest.find('/').map(|at| &rest[at..]))
        && path.len() >= SHORTEST_PATH
    {
        whole_and_lines(path, take);
    }
}

fn whole_and_lines(text: &str, take: &mut impl FnMut(&str)) {
    let text = text.trim();
    if is_ordinary(text) {
        return;
    }
    pieces(text, take);
    if text.contains('\n') {
        text.lines().map(str::trim).filter(|line| is_telling(line)).for_each(|line| pieces(line, take));
    }
}

/// Whether a text says nothing by itself.
fn is_ordinary(text: &str) -> bool {
    text.len() < SHORTEST
        || (text.len() < SHORTEST_NUMBER && text.bytes().all(|byte| byte.is_ascii_digit()))
        || ORDINARY.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a line of a secret is worth looking for by itself: not the frame of a PEM file, nor a key without a value.
fn is_telling(line: &str) -> bool {
    let shortest = if line.contains(char::is_whitespace) { SHORTEST_PROSE } else { SHORTEST_LINE };
    line.len() >= shortest && !line.starts_with("-----") && !line.ends_with([':', '{', '[']) && !is_ordinary(line)
}

/// The text, or pieces that cover it. The last one overlaps the one before, so that none is short.
fn pieces(text: &str, take: &mut impl FnMut(&str)) {
    if text.len() <= LONGEST {
        return take(text);
    }
    let mut rest = text;
    while rest.len() > LONGEST {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(LONGEST));
        take(piece);
        rest = more;
    }
    take(&text[text.ceil_char_boundary(text.len() - LONGEST)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needles(secret: &str) -> Vec<String> {
        let mut needles = Vec::new();
        each_needle(secret, &mut |needle| needles.push(needle.to_owned()));
        needles
    }

    #[test]
    fn what_stands_everywhere_is_not_looked_for() {
        for ordinary in ["", "true", "false", "5432", "1048576", "short", "Default", "postgres", "  a \n b\n", "\n\n"] {
            assert_eq!(needles(ordinary), Vec::<String>::new(), "{ordinary:?}");
        }
        for telling in ["s3cret", "12345678", "correct horse", "pä55ö"] {
            assert_eq!(needles(&format!("{telling}\n")), [telling], "a final newline does not belong to it");
        }
    }

    #[test]
    fn of_several_lines_each_counts_that_says_something() {
        let pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nAAAA\n-----END KEY-----\n";
        assert_eq!(needles(pem), [pem.trim(), "MIIEvQIBADANBgkqhkiG"]);
        let yaml = "database:\n  host: db\n  password: correct-horse\nlist: [\n";
        assert_eq!(needles(yaml), [yaml.trim(), "password: correct-horse"]);
    }

    #[test]
    fn a_long_text_is_covered_by_pieces() {
        for text in ["ä".repeat(1000), "x".repeat(LONGEST + 1), "abc".repeat(LONGEST)] {
            let pieces = needles(&text);
            assert!(
                pieces.iter().all(|piece| piece.len() <= LONGEST && piece.len() > LONGEST - 4 && text.contains(piece))
            );
            assert!(pieces.iter().map(String::len).sum::<usize>() >= text.len());
        }
    }

    #[test]
    fn of_a_url_the_password_counts_by_itself_decoded_and_in_parts() {
        let found = needles("postgresql://app:p%40ssw0rd@db/app");
        assert_eq!(found, ["postgresql://app:p%40ssw0rd@db/app", "p%40ssw0rd", "p@ssw0rd"]);
        let found = needles("postgresql://app:hunter2/x9@db/app");
        assert_eq!(found, ["postgresql://app:hunter2/x9@db/app", "hunter2/x9", "hunter2"]);
        assert!(needles("host=db password='correct horse' user=app").contains(&"correct horse".to_owned()));
        let hook = "https://hooks.example.com/services/T0001/B0001/c4nary";
        assert_eq!(needles(hook), [hook, "/services/T0001/B0001/c4nary"]);
    }
}
