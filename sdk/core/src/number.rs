//! Numbers, exact.

use std::fmt;

/// A decimal number in canonical form, so that equal numbers are equal values.
///
/// Terraform's numbers are 512-bit floats. On the wire a number is an integer if that is exact,
/// else a 64-bit float if that is exact, else its decimal digits as text; the variants here are
/// those three, each number always in the first that fits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(Repr);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Repr {
    Int(i64),
    Uint(u64),
    /// The bits of a finite float that is no 64-bit integer (bits, so that `Eq` and `Ord` hold).
    Float(u64),
    /// Plain decimal digits: optional minus, no leading zeros, no trailing zeros after the point.
    Decimal(String),
}

/// The wire form of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NumberForm<'a> {
    /// A signed 64-bit integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    Uint(u64),
    /// A number that a 64-bit float holds exactly.
    Float(f64),
    /// Decimal digits.
    Decimal(&'a str),
}

/// Exponents beyond this are refused: their digits would fill memory.
const MAX_EXPONENT: u64 = 4096;

impl Number {
    /// Reads decimal text: `12`, `-0.5`, `1e3`. `None` when it is no finite number, or one with an
    /// exponent beyond ±4096.
    pub fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        if let Ok(int) = text.parse::<i64>() {
            return Some(Number(Repr::Int(int)));
        }
        let plain = plain_digits(text)?;
        if let Ok(int) = plain.parse::<i64>() {
            return Some(Number(Repr::Int(int)));
        }
        if let Ok(uint) = plain.parse::<u64>() {
            return Some(Number(Repr::Uint(uint)));
        }
        let float: f64 = plain.parse().ok()?;
        if float.is_finite() && float_digits(float).as_deref() == Some(plain.as_str()) {
            return Some(Number(Repr::Float(float.to_bits())));
        }
        Some(Number(Repr::Decimal(plain)))
    }

    /// The exact value of a float; `None` for infinities and NaN, which Terraform has not.
    pub fn from_f64(float: f64) -> Option<Number> {
        if !float.is_finite() {
            return None;
        }
        // Integers up to 2^63 print exactly; everything else keeps its bits.
        if float.fract() == 0.0 && float.abs() < 1.8446744073709552e19 {
            Number::parse(&format!("{float:.0}"))
        } else {
            Some(Number(Repr::Float(float.to_bits())))
        }
    }

    /// The wire form.
    pub fn form(&self) -> NumberForm<'_> {
        match &self.0 {
            Repr::Int(int) => NumberForm::Int(*int),
            Repr::Uint(uint) => NumberForm::Uint(*uint),
            Repr::Float(bits) => NumberForm::Float(f64::from_bits(*bits)),
            Repr::Decimal(digits) => NumberForm::Decimal(digits),
        }
    }

    /// The number as a signed integer, if it is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(int) => Some(int),
            _ => None,
        }
    }

    /// The nearest 64-bit float.
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            Repr::Int(int) => *int as f64,
            Repr::Uint(uint) => *uint as f64,
            Repr::Float(bits) => f64::from_bits(*bits),
            Repr::Decimal(digits) => digits.parse().unwrap_or(f64::NAN),
        }
    }
}

impl From<i64> for Number {
    fn from(int: i64) -> Number {
        Number(Repr::Int(int))
    }
}

impl From<u64> for Number {
    fn from(uint: u64) -> Number {
        i64::try_from(uint).map_or(Number(Repr::Uint(uint)), |int| Number(Repr::Int(int)))
    }
}

impl fmt::Display for Number {
    /// All decimal digits, without an exponent: reading them gives the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Int(int) => write!(f, "{int}"),
            Repr::Uint(uint) => write!(f, "{uint}"),
            Repr::Float(bits) => f.write_str(&float_digits(f64::from_bits(*bits)).unwrap_or_default()),
            Repr::Decimal(digits) => f.write_str(digits),
        }
    }
}

/// All digits of a float: the smallest one has 1074 of them after the point.
fn float_digits(float: f64) -> Option<String> {
    plain_digits(&format!("{float:.1100}"))
}

/// Canonical plain digits of decimal text with or without an exponent.
fn plain_digits(text: &str) -> Option<String> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty())
        || !all_digits(whole)
        || !all_digits(fraction)
        || exponent.unsigned_abs() > MAX_EXPONENT
    {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    let (whole, fraction) = if point <= 0 {
        (String::new(), format!("{}{digits}", "0".repeat(point.unsigned_abs() as usize)))
    } else if point as usize >= digits.len() {
        (format!("{digits}{}", "0".repeat(point as usize - digits.len())), String::new())
    } else {
        (digits[..point as usize].to_owned(), digits[point as usize..].to_owned())
    };
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let mut plain = String::new();
    if negative && !(whole.is_empty() && fraction.is_empty()) {
        plain.push('-');
    }
    plain.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        plain.push('.');
        plain.push_str(fraction);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_takes_the_first_form_that_is_exact() {
        for (text, form) in [
            ("12", NumberForm::Int(12)),
            ("-0", NumberForm::Int(0)),
            ("1e3", NumberForm::Int(1000)),
            ("18446744073709551615", NumberForm::Uint(u64::MAX)),
            ("0.5", NumberForm::Float(0.5)),
            ("5e-1", NumberForm::Float(0.5)),
            ("0.1", NumberForm::Decimal("0.1")),
            ("1e30", NumberForm::Decimal("1000000000000000000000000000000")),
            ("1180591620717411303424", NumberForm::Float(1180591620717411303424.0)),
            ("123456789012345678901234567890.25", NumberForm::Decimal("123456789012345678901234567890.25")),
        ] {
            let number = Number::parse(text);
            assert_eq!(number.as_ref().map(Number::form), Some(form), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1.2.3", "1e", "NaN", "inf", "0x10", "1e99999", "1e-9223372036854775808"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(Number::from_f64(f64::NAN), None);
    }

    #[test]
    fn floats_and_digits_of_the_same_number_are_equal() {
        assert_eq!(Number::from_f64(2.0), Some(Number::from(2_i64)));
        assert_eq!(Number::from_f64(0.25), Number::parse("0.250"));
        assert_eq!(Number::from_f64(1e18), Number::parse("1000000000000000000"));
        assert_eq!(Number::from_f64(9.223_372_036_854_776e18), Number::parse("9223372036854775808"));
    }
}
