//! What a scalar means: the table and the order of go-yaml v2's `resolve.go`.

use base64::Engine;
use serde_json::{Number, Value};

const STR: &str = "tag:yaml.org,2002:str";
const BOOL: &str = "tag:yaml.org,2002:bool";
const INT: &str = "tag:yaml.org,2002:int";
const FLOAT: &str = "tag:yaml.org,2002:float";
const NULL: &str = "tag:yaml.org,2002:null";
const BINARY: &str = "tag:yaml.org,2002:binary";
const TIMESTAMP: &str = "tag:yaml.org,2002:timestamp";

/// A scalar with its type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Str(String),
}

impl Resolved {
    fn tag(&self) -> &'static str {
        match self {
            Self::Null => NULL,
            Self::Bool(_) => BOOL,
            Self::Int(_) | Self::Unsigned(_) => INT,
            Self::Float(_) => FLOAT,
            Self::Str(_) => STR,
        }
    }

    /// The string that `sigs.k8s.io/yaml` makes of a key.
    pub(super) fn as_key(&self) -> Result<String, &'static str> {
        match self {
            Self::Null => Err("null cannot be a key; quote it"),
            Self::Unsigned(_) => Err("a number this large cannot be a key; quote it"),
            Self::Bool(b) => Ok(b.to_string()),
            Self::Int(i) => Ok(i.to_string()),
            Self::Float(f) if f.is_nan() => Ok(".nan".into()),
            Self::Float(f) if f.is_infinite() => Ok(if *f > 0.0 { ".inf" } else { "-.inf" }.into()),
            // Rounded to 32 bits there.
            #[allow(clippy::cast_possible_truncation)]
            Self::Float(f) => Ok((*f as f32).to_string()),
            Self::Str(s) => Ok(s.clone()),
        }
    }

    pub(super) fn into_json(self) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(b),
            Self::Int(i) => Value::Number(i.into()),
            Self::Unsigned(u) => Value::Number(u.into()),
            Self::Float(f) => float(f).ok_or("not a number and infinity have no place in values")?,
            Self::Str(s) => Value::String(s),
        })
    }
}

/// A float as JSON, a whole one as an integer: Helm makes the same of `3`, `3.0` and `3e0`, so a plan must not tell
/// them apart. `None` for what JSON cannot hold.
pub(crate) fn float(f: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if f.fract() == 0.0 && f.abs() < EXACT && !(f == 0.0 && f.is_sign_negative()) {
        #[allow(clippy::cast_possible_truncation)]
        return Some(Value::Number((f as i64).into()));
    }
    Number::from_f64(f).map(Value::Number)
}

/// Resolves a scalar. `tag` is the full tag, `None` without one; `implicit` when it is plain and without a tag.
pub(super) fn resolve(text: &str, implicit_tag: bool, tag: Option<&str>) -> Result<Resolved, String> {
    match tag {
        None if !implicit_tag => return Ok(Resolved::Str(text.to_owned())),
        None => return Ok(implicit(text, true)),
        Some(STR) => return Ok(Resolved::Str(text.to_owned())),
        Some(BINARY) => {
            let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(compact)
                .map_err(|_| "!!binary value contains invalid base64 data".to_owned())?;
            return Ok(Resolved::Str(String::from_utf8_lossy(&bytes).into_owned()));
        }
        Some(BOOL | INT | FLOAT | NULL) => {}
        // Timestamps stay text; unknown tags too.
        Some(_) => return Ok(Resolved::Str(text.to_owned())),
    }
    let resolved = implicit(text, tag == Some(TIMESTAMP));
    #[allow(clippy::cast_precision_loss)]
    let resolved = match (tag, resolved) {
        (Some(FLOAT), Resolved::Int(i)) => Resolved::Float(i as f64),
        (_, other) => other,
    };
    if Some(resolved.tag()) == tag {
        Ok(resolved)
    } else {
        let short = |tag: &str| tag.replace("tag:yaml.org,2002:", "!!");
        Err(format!("cannot decode {} as a {}", short(resolved.tag()), short(tag.unwrap_or_default())))
    }
}

fn implicit(text: &str, timestamps: bool) -> Resolved {
    let string = || Resolved::Str(text.to_owned());
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Resolved::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Resolved::Bool(false);
        }
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => parse_float(text).map_or_else(string, Resolved::Float),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            if timestamps && looks_like_date(text) {
                return string();
            }
            let compact = text.replace('_', "");
            parse_int(&compact)
                .or_else(|| is_yaml_float(&compact).then(|| parse_float(&compact).map(Resolved::Float)).flatten())
                .unwrap_or_else(string)
        }
        _ => string(),
    }
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`.
fn parse_int(text: &str) -> Option<Resolved> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let signed = text.len() != digits.len();
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0i64.checked_sub_unsigned(magnitude).map(Resolved::Int);
    }
    match i64::try_from(magnitude) {
        Ok(int) => Some(Resolved::Int(int)),
        Err(_) if signed => None,
        Err(_) => Some(Resolved::Unsigned(magnitude)),
    }
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_yaml_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    exponent_fits && mantissa_fits
}

/// Go's `ParseFloat` for what starts like a decimal number: out of range is no number.
fn parse_float(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(number)
}

/// A date stays text even where its digits would read as something else.
fn looks_like_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 4 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-'
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn plain(text: &str) -> Resolved {
        resolve(text, true, None).unwrap()
    }

    #[test]
    fn yaml_1_1_booleans_and_nulls() {
        for word in ["y", "Yes", "on", "ON", "true", "True"] {
            assert_eq!(plain(word), Resolved::Bool(true), "{word}");
        }
        for word in ["n", "NO", "off", "False"] {
            assert_eq!(plain(word), Resolved::Bool(false), "{word}");
        }
        for word in ["", "~", "Null"] {
            assert_eq!(plain(word), Resolved::Null, "{word}");
        }
        for word in ["yEs", "oN", "nULL", "tRUE"] {
            assert_eq!(plain(word), Resolved::Str(word.into()));
        }
        assert_eq!(resolve("yes", false, None).unwrap(), Resolved::Str("yes".into()));
    }

    #[test]
    fn whole_numbers_in_every_base() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("12", 12),
            ("+12", 12),
            ("1_000", 1000),
            ("0777", 511),
            ("0o17", 15),
            ("0x1F", 31),
            ("0b101", 5),
            ("-0b11", -3),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(plain(text), Resolved::Int(value), "{text}");
        }
        assert_eq!(plain("18446744073709551615"), Resolved::Unsigned(u64::MAX));
        assert_eq!(plain("18446744073709551616"), Resolved::Float(18_446_744_073_709_551_616.0));
    }

    #[test]
    fn floats_and_what_only_looks_like_one() {
        for (text, value) in
            [("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-1.5E-3", -0.0015), ("08", 8.0), ("019.5", 19.5)]
        {
            assert_eq!(plain(text), Resolved::Float(value), "{text}");
        }
        for text in ["1.2.3", "1e", "0x", "1:20", "2001-12-14", "1e400", "-", "+", "12h", "_1", "1,2", "0o8"] {
            assert_eq!(plain(text), Resolved::Str(text.into()), "{text}");
        }
    }

    #[test]
    fn tags_force_or_refuse() {
        let tagged = |text, tag| resolve(text, true, Some(tag));
        assert_eq!(tagged("5", STR).unwrap(), Resolved::Str("5".into()));
        assert_eq!(resolve("5", false, Some(INT)).unwrap(), Resolved::Int(5));
        assert_eq!(tagged("5", FLOAT).unwrap(), Resolved::Float(5.0));
        assert_eq!(tagged("aGk=", BINARY).unwrap(), Resolved::Str("hi".into()));
        assert_eq!(tagged("x", "!custom").unwrap(), Resolved::Str("x".into()));
        assert_eq!(tagged("x", INT).unwrap_err(), "cannot decode !!str as a !!int");
    }

    #[test]
    fn whole_floats_become_integers() {
        assert_eq!(float(1000.0), Some(Value::from(1000)));
        assert_eq!(float(1.5), Some(Value::from(1.5)));
        assert_eq!(float(f64::NAN), None);
        assert_eq!(float(1e21).unwrap().to_string(), "1e+21");
    }
}
