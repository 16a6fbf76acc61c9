//! Durations as Go writes them: `10m`, `1h30m`, `720h`, `1.5s`.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing there.
    #[error("it is empty; write a duration such as 10m or 1h30m")]
    Empty,
    /// A minus sign.
    #[error("{0:?} is negative; write a duration such as 10m or 1h30m")]
    Negative(String),
    /// A number without a unit.
    #[error("{0:?} has no unit; add one of h, m, s, ms, us, ns, as in 10m")]
    NoUnit(String),
    /// A unit that Go does not know.
    #[error("{text:?} has the unknown unit {unit:?}; use h, m, s, ms, us or ns, as in 1h30m")]
    Unit {
        /// The whole text
        text: String,
        /// What stands where a unit should
        unit: String,
    },
    /// No number where one should be.
    #[error("{0:?} is not a duration; write one such as 10m or 1h30m")]
    Number(String),
    /// More than Go can hold (about 292 years).
    #[error("{0:?} is too long; the longest duration is about 292 years")]
    TooLong(String),
}

const HOUR: u128 = 3_600_000_000_000;
const MINUTE: u128 = 60_000_000_000;
const SECOND: u128 = 1_000_000_000;

/// Parses as Go's `time.ParseDuration` does, except that negative durations are refused.
///
/// # Errors
/// [`DurationError`], whose text says what to write.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    if rest.starts_with('-') {
        return Err(DurationError::Negative(text.to_owned()));
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        if number.is_empty() {
            return Err(DurationError::Number(text.to_owned()));
        }
        let scale = match unit {
            "h" => HOUR,
            "m" => MINUTE,
            "s" => SECOND,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            "" => return Err(DurationError::NoUnit(text.to_owned())),
            other => return Err(DurationError::Unit { text: text.to_owned(), unit: other.to_owned() }),
        };
        let nanos = scaled(number, scale).ok_or_else(|| DurationError::Number(text.to_owned()))?;
        total = total.saturating_add(nanos);
        rest = next;
    }
    let nanos = u64::try_from(total).ok().filter(|nanos| i64::try_from(*nanos).is_ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| DurationError::TooLong(text.to_owned()))
}

/// `1.5` of a unit of so many nanoseconds; digits finer than a nanosecond are dropped, as Go does.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    // anything of more digits than Go's longest duration is too long however it ends
    let whole: u128 = match whole.trim_start_matches('0') {
        "" => 0,
        digits if digits.len() > 20 => u128::from(u64::MAX),
        digits => digits.parse().ok()?,
    };
    let mut nanos = whole.saturating_mul(scale);
    let mut place = scale;
    let mut carried: u128 = 0;
    let mut divisor: u128 = 1;
    for digit in fraction.chars().take(18) {
        divisor *= 10;
        carried = carried * 10 + u128::from(digit.to_digit(10)?);
    }
    place = place.checked_mul(carried)? / divisor;
    nanos = nanos.saturating_add(place);
    Some(nanos)
}

/// The shortest text that Go reads as the same duration: `1h30m`, `10m`, `1.5s`, `0s`.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < SECOND {
        let (unit, scale) = match nanos {
            n if n >= 1_000_000 => ("ms", 1_000_000),
            n if n >= 1_000 => ("us", 1_000),
            _ => ("ns", 1),
        };
        return format!("{}{unit}", decimal(nanos, scale));
    }
    let mut text = String::new();
    let (hours, minutes, rest) = (nanos / HOUR, nanos % HOUR / MINUTE, nanos % MINUTE);
    if hours > 0 {
        text.push_str(&format!("{hours}h"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}m"));
    }
    if rest > 0 {
        text.push_str(&format!("{}s", decimal(rest, SECOND)));
    }
    text
}

fn decimal(nanos: u128, scale: u128) -> String {
    let fraction = nanos % scale;
    if fraction == 0 {
        return (nanos / scale).to_string();
    }
    let width = scale.ilog10() as usize;
    format!("{}.{}", nanos / scale, format!("{fraction:0width$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let cases: [(&str, u64); 12] = [
            ("0", 0),
            ("10m", 600_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("720h", 2_592_000_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("300ms", 300_000_000),
            ("1us", 1_000),
            ("1µs2ns", 1_002),
            ("0.100000000000000000000h", 360_000_000_000),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(parse_duration(""), Err(DurationError::Empty));
        assert_eq!(parse_duration("-5m"), Err(DurationError::Negative("-5m".into())));
        assert_eq!(parse_duration("10"), Err(DurationError::NoUnit("10".into())));
        assert_eq!(parse_duration("1d"), Err(DurationError::Unit { text: "1d".into(), unit: "d".into() }));
        assert_eq!(parse_duration("m"), Err(DurationError::Number("m".into())));
        assert_eq!(parse_duration("1.2.3s"), Err(DurationError::Number("1.2.3s".into())));
        assert_eq!(parse_duration(".s"), Err(DurationError::Number(".s".into())));
        assert_eq!(parse_duration("3000000h"), Err(DurationError::TooLong("3000000h".into())));
        assert_eq!(
            parse_duration("99999999999999999999999999h"),
            Err(DurationError::TooLong("99999999999999999999999999h".into()))
        );
        assert_eq!(parse_duration("10 m"), Err(DurationError::Unit { text: "10 m".into(), unit: " m".into() }));
    }

    #[test]
    fn writes_the_shortest_text_that_reads_back() {
        for text in ["0s", "10m", "1h30m", "720h", "1.5s", "300ms", "1m0.25s", "1us", "1.5us", "2ns", "1h1s"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }
}
