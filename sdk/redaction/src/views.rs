//! A text as it reads when it is decoded.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use crate::MASK;

/// As often encodings may be within one another: a message with JSON in JSON, quoted in a log line that is quoted.
const DEEPEST: usize = 5;
/// What is decoded of a text is at most so many times as long as the text: whoever writes one is not to decide how long it takes.
const MOST: usize = 32;

/// Adds the places at which something is found by `search`: in the text as it is and in every way in which it can be decoded, what
/// is decoded once before what is decoded twice.
pub(crate) fn search(text: &str, search: &impl Fn(&[u8], &mut Found), found: &mut Found) {
    let mut left = MOST * text.len();
    // The order of two decodings mostly makes no difference, and what is in base64 is there in every view.
    let mut seen = HashSet::new();
    let mut waiting = VecDeque::from([View { bytes: Cow::Borrowed(text.as_bytes()), places: None, deep: 0 }]);
    while let Some(view) = waiting.pop_front() {
        let mut here = Vec::new();
        search(&view.bytes, &mut here);
        found.extend(here.into_iter().map(|range| view.place(range)));
        let mut keep = |more: View<'static>| {
            if view.deep < DEEPEST && more.bytes.len() <= left && seen.insert(hash(&more)) {
                left -= more.bytes.len();
                waiting.push_back(View { deep: view.deep + 1, ..more });
            }
        };
        let form = |text: &[u8]| if text[0] == b'+' { Some((b' ', 1)) } else { percent(text) };
        one_by_one(&view, b'%', percent).into_iter().for_each(&mut keep);
        one_by_one(&view, b'+', form).into_iter().for_each(&mut keep);
        one_by_one(&view, b'\\', escape).into_iter().for_each(&mut keep);
        one_by_one(&view, b'\'', doubled_quote).into_iter().for_each(&mut keep);
        for letters in [BASE64, HEX] {
            in_runs(&view, letters, search, found, &mut keep);
        }
    }
}

/// What tells views apart: the same may be said at several places.
fn hash(view: &View<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    view.bytes.hash(&mut hasher);
    view.places.iter().flatten().next().hash(&mut hasher);
    hasher.finish()
}

/// The text with these places masked; what overlaps or touches is one.
pub(crate) fn replaced(text: &str, mut places: Vec<Range<usize>>) -> Cow<'_, str> {
    places.retain(|place| !place.is_empty());
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    places.sort_by_key(|place| place.start);
    let mut clean = String::with_capacity(text.len());
    let mut end = 0;
    let mut first = true;
    for place in places {
        let (start, stop) = (text.floor_char_boundary(place.start), text.ceil_char_boundary(place.end));
        if first || start > end {
            clean.push_str(&text[end..start]);
            clean.push_str(MASK);
        }
        first = false;
        end = end.max(stop);
    }
    clean.push_str(&text[end..]);
    Cow::Owned(clean)
}

/// Bytes, and where each of them stands in the text that is looked at.
struct View<'a> {
    bytes: Cow<'a, [u8]>,
    /// None: where they stand here.
    places: Option<Vec<(usize, usize)>>,
    /// How often it was decoded.
    deep: usize,
}

impl View<'_> {
    /// Where some of the bytes stand.
    fn place(&self, of: Range<usize>) -> Range<usize> {
        match &self.places {
            Some(places) => places[of.start].0..places[of.end - 1].1,
            None => of,
        }
    }
}

type Found = Vec<Range<usize>>;

/// What a decoder makes of the beginning of a text, and how much of the text that is.
trait Decoded {
    fn bytes(&self) -> &[u8];
    fn length(&self) -> usize;
}

impl Decoded for (u8, usize) {
    fn bytes(&self) -> &[u8] {
        std::slice::from_ref(&self.0)
    }

    fn length(&self) -> usize {
        self.1
    }
}

/// A character in UTF-8, or a byte.
impl Decoded for ([u8; 4], usize, usize) {
    fn bytes(&self) -> &[u8] {
        &self.0[..self.1]
    }

    fn length(&self) -> usize {
        self.2
    }
}

/// The text with everything decoded that `decode` can decode, none of which begins without the sign; none where there is nothing.
fn one_by_one<D: Decoded>(view: &View<'_>, sign: u8, decode: impl Fn(&[u8]) -> Option<D>) -> Option<View<'static>> {
    let text = &*view.bytes;
    let first = (0..text.len()).find(|at| text[*at] == sign && decode(&text[*at..]).is_some())?;
    let (mut bytes, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
    let mut at = 0;
    while at < text.len() {
        let decoded = if at < first { None } else { decode(&text[at..]) };
        let next = at + decoded.as_ref().map_or(1, Decoded::length);
        let place = view.place(at..next);
        let made = decoded.as_ref().map_or(&text[at..next], Decoded::bytes);
        bytes.extend_from_slice(made);
        places.extend(std::iter::repeat_n((place.start, place.end), made.len()));
        at = next;
    }
    Some(View { bytes: Cow::Owned(bytes), places: Some(places), deep: 0 })
}

/// `%2F`
pub(crate) fn percent(text: &[u8]) -> Option<(u8, usize)> {
    let [b'%', high, low, ..] = text else { return None };
    Some((hex_digit(*high)? << 4 | hex_digit(*low)?, 3))
}

/// A quote within quotes, as SQL and YAML write it.
fn doubled_quote(text: &[u8]) -> Option<(u8, usize)> {
    text.starts_with(b"''").then_some((b'\'', 2))
}

/// An escape as JSON, Rust, Go, Python and shells write it.
fn escape(text: &[u8]) -> Option<([u8; 4], usize, usize)> {
    let one = |byte: u8, length: usize| Some(([byte, 0, 0, 0], 1, length));
    match text {
        [b'\\', b'n', ..] => one(b'\n', 2),
        [b'\\', b'r', ..] => one(b'\r', 2),
        [b'\\', b't', ..] => one(b'\t', 2),
        [b'\\', b'x', high, low, ..] => match (hex_digit(*high), hex_digit(*low)) {
            (Some(high), Some(low)) => one(high << 4 | low, 4),
            _ => one(b'x', 2),
        },
        [b'\\', b'u', b'{', rest @ ..] => {
            let length = rest.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
            character(number(rest, length)?, 4 + length).filter(|_| rest.get(length) == Some(&b'}'))
        }
        [b'\\', b'u', rest @ ..] => {
            let high = number(rest, 4)?;
            match (high, rest.get(4..6)) {
                (0xD800..0xDC00, Some(b"\\u")) => {
                    let low = number(&rest[6..], 4).filter(|low| (0xDC00..0xE000).contains(low))?;
                    character(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), 12)
                }
                _ => character(high, 6),
            }
        }
        [b'\\', b'U', rest @ ..] => character(number(rest, 8)?, 10),
        [b'\\', byte, ..] if byte.is_ascii() => one(*byte, 2),
        _ => None,
    }
}

fn number(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u32, |number, digit| Some(number << 4 | u32::from(hex_digit(*digit)?)))
}

fn character(number: u32, length: usize) -> Option<([u8; 4], usize, usize)> {
    let mut bytes = [0; 4];
    let size = char::from_u32(number)?.encode_utf8(&mut bytes).len();
    Some((bytes, size, length))
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// An encoding of bytes in letters of a few bits each.
#[derive(Clone, Copy)]
struct Letters {
    value: fn(u8) -> Option<u8>,
    bits: usize,
    /// After so many letters a byte begins where a letter does.
    group: usize,
    /// Fewer of them are no secret.
    shortest: usize,
}

/// Either alphabet.
const BASE64: Letters = Letters { value: base64_digit, bits: 6, group: 4, shortest: 8 };
const HEX: Letters = Letters { value: hex_digit, bits: 4, group: 2, shortest: 12 };

fn base64_digit(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Letters that follow each other.
#[derive(Default)]
struct Run {
    values: Vec<u8>,
    /// Where each of them stands in the view.
    places: Vec<usize>,
}

/// Looks into every run of letters. A line's end within one does not end it.
fn in_runs(
    view: &View<'_>,
    letters: Letters,
    search: &impl Fn(&[u8], &mut Found),
    found: &mut Found,
    keep: &mut impl FnMut(View<'static>),
) {
    let mut run = Run::default();
    for (at, byte) in view.bytes.iter().enumerate() {
        match (letters.value)(*byte) {
            Some(value) => {
                run.values.push(value);
                run.places.push(at);
            }
            None if matches!(byte, b'\r' | b'\n') => {}
            None => {
                in_run(view, &run, letters, search, found, keep);
                run.values.clear();
                run.places.clear();
            }
        }
    }
    in_run(view, &run, letters, search, found, keep);
}

/// Looks into what a run says, begun at each letter of a group: what comes before a secret may be of any length.
fn in_run(
    view: &View<'_>,
    run: &Run,
    letters: Letters,
    search: &impl Fn(&[u8], &mut Found),
    found: &mut Found,
    keep: &mut impl FnMut(View<'static>),
) {
    if run.values.len() < letters.shortest {
        return;
    }
    let (mut bytes, mut here) = (Vec::new(), Vec::new());
    for begin in 0..letters.group {
        bytes.clear();
        let (mut bits, mut count) = (0_u32, 0);
        for value in &run.values[begin..] {
            bits = bits << letters.bits | u32::from(*value);
            count += letters.bits;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count & 0xFF) as u8);
            }
        }
        // The letters that some bytes of it are made of, with the padding behind the last one.
        let place = |of: &Range<usize>| {
            let (first, last) = (of.start * 8 / letters.bits + begin, (of.end * 8 - 1) / letters.bits + begin);
            let padding = view.bytes[run.places[last] + 1..].iter().take_while(|byte| **byte == b'=').count();
            view.place(run.places[first]..run.places[last] + 1 + padding)
        };
        search(&bytes, &mut here);
        found.extend(here.drain(..).map(|range| place(&range)));
        if is_text(&bytes) {
            let places =
                (0..bytes.len()).map(|at| place(&(at..at + 1))).map(|place| (place.start, place.end)).collect();
            keep(View { bytes: Cow::Owned(bytes.clone()), places: Some(places), deep: 0 });
        }
    }
}

/// Whether some of it can be read: what is encoded once more is text, and chance makes no seven characters of it in a row.
fn is_text(bytes: &[u8]) -> bool {
    let ends = |c: char| c.is_control() && !c.is_whitespace();
    bytes.utf8_chunks().any(|chunk| chunk.valid().split(ends).any(|text| text.len() >= 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(text: &str) -> Option<String> {
        let view = View { bytes: Cow::Borrowed(text.as_bytes()), places: None, deep: 0 };
        one_by_one(&view, b'\\', escape).map(|made| String::from_utf8_lossy(&made.bytes).into_owned())
    }

    #[test]
    fn escapes_of_every_kind_are_read() {
        for (text, expected) in [
            (r#"a\"b\\c\/d\n\t\re"#, Some("a\"b\\c/d\n\t\re")),
            (r"\u00fc\u{fc}\xc3\xbc\U000000fc\ud83d\ude00", Some("üüüü😀")),
            (r"\'so\' p\@s\%s", Some("'so' p@s%s")),
            (r"\ud83d \u{zz} \u12 \", None),
        ] {
            assert_eq!(unescaped(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_too_odd() {
        for text in [
            "%",
            "%2",
            "%zz",
            "\\",
            "\\u",
            "\\u{",
            "\\u{}",
            "\\ud83d\\u",
            "\\ud83d\\u00",
            "\\x",
            "\\x1",
            "'",
            "=",
            "A=",
            "ü\\ü%ü",
        ] {
            let mut found = Vec::new();
            search(text, &|_, _| {}, &mut found);
            assert!(found.is_empty());
        }
    }

    #[test]
    fn what_a_text_makes_of_work_is_bounded() {
        for odd in ["%25", "\\\\", "''", "+", "%25+\\''", "QUFBQUFBQUE", "\\u005c"] {
            let text = odd.repeat(2000);
            let looked = std::cell::Cell::new(0);
            search(&text, &|bytes, _| looked.set(looked.get() + bytes.len()), &mut Vec::new());
            assert!(looked.get() < 8 * (MOST + 1) * text.len(), "{odd}: {}", looked.get() / text.len());
        }
    }

    #[test]
    fn places_that_overlap_or_touch_are_one() {
        assert_eq!(replaced("0123456789", vec![6..8, 1..3, 2..4, 4..5, 9..9]), "0(redacted)5(redacted)89");
        let one = |text: &str, place: Range<usize>| replaced(text, [place].into()).into_owned();
        assert_eq!(one("0123", 0..4), MASK);
        assert_eq!(one("aüb", 2..3), "a(redacted)b");
    }
}
