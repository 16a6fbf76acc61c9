//! Texts made to fit: cleaned, trimmed at lines, escaped.
//!
//! Lengths are in UTF-16 units of the escaped text, which is never less than what either service counts.

const MORE_LINES: usize = "… (9999999999 more lines)".len();

/// The length of a text.
pub(crate) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Without terminal colours and control characters, lines ended by `\n`, no blank lines at either end.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // ECMA-48: a control sequence ends with its first byte from @ to ~.
            '\u{1b}' if rest.peek() == Some(&'[') => {
                rest.next();
                while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            c if c.is_control() => {}
            // Characters that turn the direction of what follows, or cannot be seen, hide what is said.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {}
            c => out.push(c),
        }
    }
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
}

/// A clean text on one line.
pub(crate) fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text escaped character by character, cut with `…` where it is longer than `limit` after escaping.
pub(crate) fn fit<'a>(text: &str, limit: usize, escape: impl Fn(char) -> Option<&'a str>) -> String {
    let cost = |c: char| escape(c).map_or(c.len_utf16(), units);
    let cut = text.chars().map(cost).sum::<usize>() > limit;
    let room = if cut { limit.saturating_sub(1) } else { limit };
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        used += cost(c);
        if used > room {
            break;
        }
        match escape(c) {
            Some(escaped) => out.push_str(escaped),
            None => out.push(c),
        }
    }
    if cut && limit > 0 {
        out.push('…');
    }
    out
}

/// The first lines of a text, as many whole ones as fit, and how many were left out. A first line that is too long by
/// itself is cut.
pub(crate) fn first_lines<'a>(text: &str, limit: usize, escape: impl Fn(char) -> Option<&'a str> + Copy) -> String {
    let whole = fit(text, usize::MAX, escape);
    if units(&whole) <= limit {
        return whole;
    }
    let lines = whole.lines().count();
    let room = limit.saturating_sub(MORE_LINES + 1);
    let mut out = String::new();
    let mut taken = 0;
    for line in text.lines() {
        let line = if taken == 0 { fit(line, room, escape) } else { fit(line, usize::MAX, escape) };
        if taken > 0 && units(&out) + units(&line) + 1 > room {
            break;
        }
        if taken > 0 {
            out.push('\n');
        }
        out.push_str(&line);
        taken += 1;
    }
    match lines - taken {
        0 => out,
        1 => out + "\n… (1 more line)",
        more => format!("{out}\n… ({more} more lines)"),
    }
}

/// The first lines of a text as a code block of at most `limit`, in the notation that Slack and Discord share.
pub(crate) fn code_block<'a>(text: &str, limit: usize, escape: impl Fn(char) -> Option<&'a str> + Copy) -> String {
    // Three backticks would end the block; a space of no width between two of them is not seen.
    let text = text.replace("``", "`\u{200b}`");
    format!("```\n{}\n```", first_lines(&text, limit.saturating_sub(8), escape))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(_: char) -> Option<&'static str> {
        None
    }

    fn ampersand(c: char) -> Option<&'static str> {
        (c == '&').then_some("&amp;")
    }

    #[test]
    fn colours_and_control_characters_go() {
        assert_eq!(
            clean("\n\u{1b}[1;31mERROR\u{1b}[0m a\tb\r\n\0c\u{202e}d \n\n  at line 1\n\n"),
            "ERROR a    b\ncd\n\n  at line 1"
        );
        assert_eq!(clean("\u{1b}[unfinished"), "nfinished");
        assert_eq!(clean("\u{1b}["), "");
        assert_eq!(one_line(" a\n b\t c "), "a b c");
    }

    #[test]
    fn what_is_escaped_is_cut_after_escaping_never_within() {
        assert_eq!(fit("a&b", 7, ampersand), "a&amp;b");
        assert_eq!(fit("a&b", 6, ampersand), "a…");
        assert_eq!(fit("&&", 6, ampersand), "&amp;…");
        assert_eq!(fit("ab", 0, plain), "");
        // Two UTF-16 units each.
        assert_eq!(fit("🚀🚀", 4, plain), "🚀🚀");
        assert_eq!(fit("🚀🚀", 3, plain), "🚀…");
    }

    #[test]
    fn long_texts_keep_their_first_whole_lines() {
        let text: String = (0..100).map(|line| format!("line {line} &\n")).collect();
        for limit in [40, 100, 500, 1000] {
            let trimmed = first_lines(text.trim_end(), limit, ampersand);
            assert!(units(&trimmed) <= limit, "{limit}: {trimmed}");
            let (kept, more) = trimmed.rsplit_once('\n').unwrap_or_default();
            assert!(kept.lines().all(|line| line.starts_with("line ") && line.ends_with("&amp;")), "{trimmed}");
            assert_eq!(more, format!("… ({} more lines)", 100 - kept.lines().count()));
        }
        assert_eq!(first_lines("a\nb", 3, plain), "a\nb");
    }

    #[test]
    fn a_single_long_line_is_cut() {
        let trimmed = first_lines(&"x".repeat(500), 100, plain);
        assert!(trimmed.ends_with('…') && units(&trimmed) <= 100 && units(&trimmed) > 60, "{trimmed}");
        let two = first_lines(&format!("{}\nshort", "x".repeat(500)), 100, plain);
        assert!(two.ends_with("x…\n… (1 more line)") && units(&two) <= 100, "{two}");
    }

    #[test]
    fn nothing_in_a_code_block_ends_it() {
        for text in ["a ``` b", "``````", "`````", "x\n```"] {
            let block = code_block(text, 200, plain);
            assert_eq!(block.matches("```").count(), 2, "{block}");
        }
        assert!(units(&code_block(&"`".repeat(5000), 300, plain)) <= 300);
    }
}
