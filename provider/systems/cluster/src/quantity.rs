//! Kubernetes quantities: `500m`, `1Gi`, `1.5`, `2e3`; compared by value, shown as written.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// An amount of CPU, memory or storage. Equal and ordered by value: `1000m == 1`.
///
/// Kept in billionths, rounded up, which is the resolution that Kubernetes keeps.
#[derive(Debug, Clone)]
pub struct Quantity {
    nanos: i128,
    text: String,
}

/// Why a text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Nothing there.
    #[error("it is empty; write a quantity such as 500m, 2, 256Mi or 20Gi")]
    Empty,
    /// No number at the beginning.
    #[error("{0:?} is no quantity: it must begin with a number, as in 500m, 2, 256Mi or 20Gi")]
    Number(String),
    /// A suffix that Kubernetes does not know.
    #[error(
        "{text:?} is no quantity: the unit {unit:?} is not one of m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei{}",
        meant(unit)
    )]
    Unit {
        /// The whole text
        text: String,
        /// What stands after the number
        unit: String,
    },
    /// Beyond what Kubernetes can hold.
    #[error("{0:?} is larger than any quantity that Kubernetes can hold")]
    TooLarge(String),
}

const NANO: i128 = 1_000_000_000;
/// Kubernetes holds at most 2^63 - 1 whole units.
const LARGEST: i128 = i64::MAX as i128 * NANO;

impl Quantity {
    /// Thousandths, rounded up: CPU is counted so.
    pub fn millis(&self) -> i128 {
        div_up(self.nanos, NANO / 1000)
    }

    /// Whole units, rounded up: bytes of memory or storage, or a number of things.
    pub fn units(&self) -> i128 {
        div_up(self.nanos, NANO)
    }

    /// True for less than nothing.
    pub fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// True for nothing at all.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn div_up(value: i128, by: i128) -> i128 {
    value.div_euclid(by) + i128::from(value.rem_euclid(by) != 0)
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(QuantityError::Empty);
        }
        let (negative, unsigned) = match text.as_bytes()[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(QuantityError::Number(text.to_owned()));
        }
        let scale =
            scale_of(suffix).ok_or_else(|| QuantityError::Unit { text: text.to_owned(), unit: suffix.to_owned() })?;
        let nanos = value(whole, fraction, scale).ok_or_else(|| QuantityError::TooLarge(text.to_owned()))?;
        Ok(Self { nanos: if negative { -nanos } else { nanos }, text: text.to_owned() })
    }
}

/// How many units one of the suffix is: a number and a power of ten.
#[derive(Clone, Copy)]
struct Scale {
    factor: i128,
    exponent: i32,
}

fn scale_of(suffix: &str) -> Option<Scale> {
    let decimal = |exponent| Some(Scale { factor: 1, exponent });
    let binary = |power: u32| Some(Scale { factor: 1024_i128.pow(power), exponent: 0 });
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        // 2e3, 2E-3
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            let exponent: i32 = digits.parse().ok()?;
            decimal(exponent.clamp(-60, 60))
        }
    }
}

/// The value in billionths, rounded up; None when it is too large.
fn value(whole: &str, fraction: &str, scale: Scale) -> Option<i128> {
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    // digits × factor × 10^(exponent - fraction + 9)
    let power = scale.exponent - i32::try_from(fraction.len()).ok()? + 9;
    if power >= 0 {
        let number: i128 = digits.parse().ok()?;
        let tens = 10_i128.checked_pow(power.unsigned_abs())?;
        let nanos = number.checked_mul(scale.factor)?.checked_mul(tens)?;
        return (nanos <= LARGEST).then_some(nanos);
    }
    // beyond 27 digits behind the point nothing but the rounding up is left of them
    let drop = usize::try_from(power.unsigned_abs()).ok()?;
    let keep = digits.len().saturating_sub(drop.saturating_sub(18));
    let number: i128 = digits.get(..keep).filter(|kept| !kept.is_empty()).unwrap_or("0").parse().ok()?;
    let lost = keep < digits.len();
    let tens = 10_i128.checked_pow(u32::try_from(drop - (digits.len() - keep)).unwrap_or(18).min(36))?;
    let nanos = number.checked_mul(scale.factor)?;
    let rounded = div_up(nanos, tens).max(i128::from(lost));
    (rounded <= LARGEST).then_some(rounded)
}

fn meant(unit: &str) -> String {
    let better = match unit {
        "K" => "k or Ki",
        "ki" | "kb" | "kB" | "KB" | "KiB" => "Ki",
        "mi" | "mb" | "MB" | "MiB" => "Mi",
        "g" | "gi" | "gb" | "GB" | "GiB" => "Gi",
        "t" | "ti" | "tb" | "TB" | "TiB" => "Ti",
        _ => return String::new(),
    };
    format!("; {better} may be meant")
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn q(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|error| unreachable!("{text}: {error}"))
    }

    #[test]
    fn equal_by_value_however_written() {
        for (a, b) in [
            ("1000m", "1"),
            ("1", "1.0"),
            ("1Ki", "1024"),
            ("1.5Gi", "1536Mi"),
            ("2k", "2e3"),
            ("2E3", "2k"),
            ("1E", "1e18"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("+5", "5"),
            ("0", "0Gi"),
            ("0.0000000001", "1n"),
            ("1e-30", "1n"),
            ("0.0000000000000000000000000000000000001Mi", "1n"),
        ] {
            assert_eq!(q(a), q(b), "{a} = {b}");
        }
    }

    #[test]
    fn ordered_by_value() {
        let mut sorted = ["2", "1Gi", "500m", "-1", "1G", "1999m", "1Mi"].map(q);
        sorted.sort();
        let texts: Vec<&str> = sorted.iter().map(Quantity::as_str).collect();
        assert_eq!(texts, ["-1", "500m", "1999m", "2", "1Mi", "1G", "1Gi"]);
    }

    #[test]
    fn counted_in_the_unit_that_is_asked_for() {
        assert_eq!(q("1.5").millis(), 1500);
        assert_eq!(q("1n").millis(), 1);
        assert_eq!(q("256Mi").units(), 268_435_456);
        assert_eq!(q("100m").units(), 1);
        assert_eq!(q("20Gi").to_string(), "20Gi");
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!("".parse::<Quantity>(), Err(QuantityError::Empty));
        assert_eq!("many".parse::<Quantity>(), Err(QuantityError::Number("many".into())));
        assert_eq!("1.2.3".parse::<Quantity>(), Err(QuantityError::Number("1.2.3".into())));
        assert_eq!("Gi".parse::<Quantity>(), Err(QuantityError::Number("Gi".into())));
        assert_eq!("-".parse::<Quantity>(), Err(QuantityError::Number("-".into())));
        for bad in ["1gb", "1K", "1 Gi", "1Gib", "1e", "1e1.5", "1mm"] {
            let error = bad.parse::<Quantity>().unwrap_err();
            assert!(matches!(error, QuantityError::Unit { .. }), "{bad}: {error}");
        }
        let error = "20gb".parse::<Quantity>().unwrap_err();
        assert!(error.to_string().ends_with("Gi may be meant"), "{error}");
        for large in ["100E", "1e60", "99999999999999999999999999999999999999999999"] {
            assert_eq!(large.parse::<Quantity>(), Err(QuantityError::TooLarge(large.into())));
        }
    }
}
