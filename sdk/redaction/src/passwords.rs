//! Passwords in URLs and in connection strings of PostgreSQL, found by where they stand.

use std::ops::Range;

/// What ends a URL in a text, beside whitespace.
const QUOTES: [char; 5] = ['"', '\'', '<', '>', '`'];
/// Schemes whose paths hold an @ often enough: `https://host:8443/@scope/package`, `oci://host:5000/chart@sha256:…`.
const WEB: [&str; 6] = ["http", "https", "oci", "docker", "ws", "wss"];
/// Ends of keys whose value is a password: `password=`, `PGPASSWORD=`, `sslpassword=`.
const KEYS: [&str; 2] = ["password=", "passwd="];

/// The passwords in a text: in URLs (`postgresql://user:password@host`), whatever characters they have, and in settings
/// (`host=db password=…`). One that is encoded comes as it is written and decoded; one that a URL may be taken apart in, as
/// `hunter2/x` in `postgresql://u:hunter2/x@db`, comes with its parts: an error may speak of the port `hunter2`.
pub fn passwords(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for place in places(text) {
        let written = &text[place.text.clone()];
        found.push(written.to_owned());
        found.extend(place.decoded(written));
        found.extend(written.split([':', '/', '@', '#', '?']).filter(|part| *part != written).map(str::to_owned));
    }
    found
}

/// Where a password stands.
#[derive(Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) text: Range<usize>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Percent-encoded, perhaps.
    Url,
    /// As it is.
    Plain,
    /// Between quotes, with backslashes before quotes and backslashes.
    Quoted,
}

impl Place {
    /// The password itself, where it is another text than what is written.
    pub(crate) fn decoded(&self, written: &str) -> Option<String> {
        let decoded = match self.form {
            Form::Url => percent_decoded(written),
            Form::Plain => return None,
            Form::Quoted => without_backslashes(written),
        };
        (decoded != written).then_some(decoded)
    }
}

/// The places of all passwords in a text. They may overlap.
pub(crate) fn places(text: &str) -> Vec<Place> {
    let mut found = Vec::new();
    in_urls(text, &mut found);
    in_settings(text, &mut found);
    found
}

fn in_urls(text: &str, found: &mut Vec<Place>) {
    let mut from = 0;
    while let Some(at) = text[from..].find("://") {
        let start = from + at + "://".len();
        let scheme = &text[..start - "://".len()];
        let scheme = scheme.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let web = WEB.iter().any(|one| scheme.eq_ignore_ascii_case(one));
        from = start;
        if let Some(password) = in_url(&text[start..], web) {
            from = start + password.end;
            found.push(Place { text: start + password.start..start + password.end, form: Form::Url });
        }
    }
}

/// The password in a URL that begins here, behind its scheme. It ends at the last @ of the URL, so that it may hold anything; where
/// there is none before the next quote, the quote is taken for a part of it.
fn in_url(rest: &str, web: bool) -> Option<Range<usize>> {
    let unspaced = &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())];
    let unquoted = &unspaced[..unspaced.find(QUOTES).unwrap_or(unspaced.len())];
    let authority = &unquoted[..unquoted.find(['/', '?', '#']).unwrap_or(unquoted.len())];
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    // Of `http://host:80/x@y` the authority is a host with its port, and the @ is of the path. In a database's URL it is of a password.
    let trusted = user.map_or(web, |user| !user.contains(':'));
    if trusted && is_host(host) {
        return None;
    }
    let url = if unquoted.contains('@') || is_host(host) { unquoted } else { unspaced };
    let (colon, at) = (url.find(':')?, url.rfind('@')?);
    (colon < at).then_some(colon + 1..at)
}

/// Whether this can be a host, or several, each with a port or none.
fn is_host(text: &str) -> bool {
    let port = |one: &str| match one.rsplit_once(':') {
        Some((_, port)) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => true,
    };
    text.starts_with('[') || text.split(',').all(port)
}

fn in_settings(text: &str, found: &mut Vec<Place>) {
    let lower = text.to_ascii_lowercase();
    for key in KEYS {
        for (at, _) in lower.match_indices(key) {
            let start = at + key.len();
            let rest = &text[start..];
            let (range, form) = match rest.chars().next() {
                Some(quote @ ('\'' | '"')) => (1..1 + quoted(&rest[1..], quote), Form::Quoted),
                // Within quotes itself.
                Some('\\') if rest[1..].starts_with('"') => {
                    (2..2 + rest[2..].find("\\\"").unwrap_or(rest.len() - 2), Form::Plain)
                }
                _ => (0..unquoted(&text[..at], rest), Form::Plain),
            };
            if !range.is_empty() {
                found.push(Place { text: start + range.start..start + range.end, form });
            }
        }
    }
}

/// How long a quoted text is whose opening quote stands before it.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at,
            _ => {}
        }
    }
    text.len()
}

/// How long a value is that stands without quotes; in a URL's query it also ends at the next parameter.
fn unquoted(before: &str, value: &str) -> usize {
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let parameter = word.ends_with(['?', '&']);
    let ends = |c: char| c.is_whitespace() || QUOTES.contains(&c) || (parameter && matches!(c, '&' | '#'));
    value.find(ends).unwrap_or(value.len())
}

/// A percent-encoded text decoded; what is no encoding stays.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (byte, length) = crate::views::percent(&bytes[at..]).unwrap_or((bytes[at], 1));
        decoded.push(byte);
        at += length;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn without_backslashes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redactor;

    fn clean(text: &str) -> String {
        Redactor::default().clean(text)
    }

    #[test]
    fn a_password_in_a_url_is_masked_whatever_characters_it_has() {
        for password in [
            "s3cr@t",
            "s3/cr:et",
            "a#b",
            "a?b=c&d",
            "p%40ss",
            "1234/x",
            "ü",
            "$(x)",
            "a:b",
            "a[b]",
            "a\\b",
            "",
            "say\"so\"",
            "it's",
            "a,b",
            "a://b",
        ] {
            for (scheme, rest) in [
                ("postgresql", "db:5432/ffe"),
                ("postgresql+asyncpg", "h1:1,h2:2/db?sslmode=require"),
                ("redis", "[::1]:6379/0"),
                ("MySQL", "db"),
            ] {
                assert_eq!(
                    clean(&format!("cannot reach {scheme}://ffe:{password}@{rest} or https://a/b")),
                    format!("cannot reach {scheme}://ffe:(redacted)@{rest} or https://a/b")
                        .replace("(redacted)", if password.is_empty() { "" } else { "(redacted)" })
                );
            }
        }
        for password in ["p4ss", "p/a/s", "p#a?s", "p@ss", "x@y/z"] {
            assert_eq!(clean(&format!("\"https://me:{password}@h:8443/x\"")), "\"https://me:(redacted)@h:8443/x\"");
        }
        assert_eq!(clean("redis://:p4ss@h"), "redis://:(redacted)@h");
        assert_eq!(clean("postgresql://me@corp:p/ss@h"), "postgresql://me@corp:(redacted)@h");
        assert_eq!(clean("http://proxy/?to=postgresql://u:p@h"), "http://proxy/?to=postgresql://u:(redacted)@h");
        assert_eq!(
            clean("invalid URL \"postgresql://u:p\\\"q@h\": no"),
            "invalid URL \"postgresql://u:(redacted)@h\": no"
        );
    }

    #[test]
    fn urls_without_a_password_stay_as_they_are() {
        for text in [
            "see http://host:80/x@y and e@mail",
            "oci://registry:5000/charts/app@sha256:0a1b",
            "https://registry/@scope/name and https://[::1]:80/@x",
            "ssh://git@host:22/path@x",
            "https://api:6443: connection refused, ask me@here",
            "postgresql://db:5432/ffe",
            "postgresql://me@h1:1,h2:2/ffe",
            "file:///a:b/c",
            "://",
            "a://:@",
        ] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn a_password_in_a_connection_string_is_masked() {
        for (text, expected) in [
            ("host=db password=p@/?#% user=u", "host=db password=(redacted) user=u"),
            ("password='it\\'s \\\\ here' user=u", "password='(redacted)' user=u"),
            ("PGPASSWORD=\"a b\" psql", "PGPASSWORD=\"(redacted)\" psql"),
            ("\"host=db sslpassword=x\"", "\"host=db sslpassword=(redacted)\""),
            (
                "postgresql://db/x?user=u&password=p%40s&sslmode=require",
                "postgresql://db/x?user=u&password=(redacted)&sslmode=require",
            ),
            ("Password=x;y", "Password=(redacted)"),
            (r#"{"dsn":"password=\"a b\" user=u"}"#, r#"{"dsn":"password=\"(redacted)\" user=u"}"#),
            ("password='open", "password='(redacted)"),
        ] {
            assert_eq!(clean(text), expected);
            assert_eq!(clean(expected), expected, "once is enough");
        }
        for text in
            ["password = var.password", "password= and", "password_wo=1", "password=", "the password='' is empty"]
        {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn they_are_given_as_written_and_decoded() {
        assert_eq!(
            passwords("postgresql://u:p%40ss%2F@h and password='it\\'s'"),
            ["p%40ss%2F", "p@ss/", "it\\'s", "it's"]
        );
        assert_eq!(passwords("postgresql://u:p/q@h"), ["p/q", "p", "q"]);
        assert!(passwords("http://h:80/x").is_empty());
    }
}
