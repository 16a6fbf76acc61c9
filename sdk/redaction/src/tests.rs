//! Every form of a secret, alone and within something longer, with whatever characters.
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

/// As a path, a query or a user's name is encoded: not every encoder encodes the same.
const FEW: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b'/').add(b'?').add(b'#').add(b'@').add(b'\\');

/// A text in each form in which it may stand in another one, with the form's name.
fn forms(text: &str) -> Vec<(&'static str, String)> {
    let json = serde_json::Value::from(text).to_string();
    let upper = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let lower: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let ascii: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    vec![
        ("plain", text.to_owned()),
        ("json", json[1..json.len() - 1].to_owned()),
        ("json in ascii", ascii),
        ("json in json", serde_json::Value::from(json.as_str()).to_string()),
        ("debug", format!("{text:?}")),
        (
            "json in json in debug in debug",
            format!("{:?}", format!("{:?}", serde_json::Value::from(json.as_str()).to_string())),
        ),
        ("bytes", text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()),
        ("sql", text.replace('\'', "''")),
        ("percent, few", utf8_percent_encode(text, FEW).to_string()),
        ("percent, lower case", lower),
        ("percent, twice", utf8_percent_encode(&upper, NON_ALPHANUMERIC).to_string()),
        ("form", upper.replace("%20", "+")),
        ("percent", upper),
        ("base64", STANDARD.encode(text)),
        ("base64 without padding", STANDARD_NO_PAD.encode(text)),
        ("base64 of URLs", URL_SAFE.encode(text)),
        ("base64 of URLs without padding", URL_SAFE_NO_PAD.encode(text)),
        ("base64 in lines", in_lines(&STANDARD.encode(text))),
        ("base64 twice", STANDARD.encode(STANDARD.encode(text))),
        ("json in base64", STANDARD.encode(&json)),
        ("hex", text.bytes().map(|byte| format!("{byte:02X}")).collect()),
    ]
}

fn in_lines(text: &str) -> String {
    text.as_bytes().chunks(7).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
}

/// Whether a text has it in some form, with nothing of this crate's own.
fn shows(text: &str, secret: &str) -> bool {
    forms(secret).iter().any(|(_, form)| text.contains(form.as_str()))
}

const NASTY: &str = "pa@ss/w?o#r%d\"\n üb'er\\$é";

#[test]
fn every_form_is_found_and_what_stands_beside_it_stays() {
    let redactor = Redactor::new([NASTY]);
    assert!(!redactor.knows("postgresql://u:p4ssw0rd@h"));
    for (name, form) in forms(NASTY) {
        assert!(redactor.knows(&form), "{name}: {form}");
        let text = format!("before [{form}] [{form}] after");
        let clean = redactor.clean(&text);
        assert!(clean.starts_with("before [") && clean.ends_with("] after") && clean.contains(MASK), "{name}: {clean}");
        assert!(!shows(&clean, NASTY), "{name}: {clean}");
    }
}

#[test]
fn base64_of_something_longer_is_found_wherever_it_stands_in_it() {
    let secret = "s3cr\"et!";
    let redactor = Redactor::new([secret]);
    for before in ["", "a", "ab", "abc", "{\"password\": \""] {
        for after in ["", "x", "xy", "xyz", "\"}"] {
            for glued in ["", "x", "secret/", "a-b_c"] {
                let text = format!("{glued}{}", STANDARD.encode(format!("{before}{secret}{after}")));
                let clean = redactor.clean(&text);
                assert!(clean.contains(MASK), "{before:?} {after:?} {glued:?}: {clean}");
                for begin in 0..3 {
                    let own = STANDARD.encode(format!("{}{secret}", "\0".repeat(begin)));
                    assert!(!clean.contains(&own[4..own.len() - 4]), "{before:?} {after:?}: {clean}");
                }
            }
        }
    }
}

#[test]
fn of_several_lines_each_is_found_by_itself() {
    let secret = "first-line-of-it\r\n  second@line\n";
    let redactor = Redactor::new([secret]);
    assert_eq!(redactor.clean("| first-line-of-it\n| second@line\n"), format!("| {MASK}\n| {MASK}\n"));
    assert_eq!(redactor.clean(&format!("{secret:?}")), format!("\"{MASK}\\n\""));
    assert_eq!(redactor.clean("the first line of it"), "the first line of it");
}

#[test]
fn a_part_of_a_long_secret_is_found() {
    let secret: String = (0..2000).map(|number| format!("{number:x}")).collect();
    let redactor = Redactor::new([&secret]);
    let clean = redactor.clean(&format!("at first {}…", &secret[..2000]));
    assert!(clean.starts_with("at first (redacted)") && clean.len() < 300, "{clean}");
    assert_eq!(redactor.clean(&secret), MASK);
    assert_eq!(redactor.clean(&STANDARD.encode(&secret)).replace('=', ""), MASK);
}

#[test]
fn a_secret_within_a_secret_leaves_no_rest() {
    let redactor = Redactor::new(["hunter2", "hunter2-and-more", "more-still"]);
    assert_eq!(redactor.clean("x hunter2-and-more y"), format!("x {MASK} y"));
    assert_eq!(redactor.clean("x hunter2-and-more-still y"), format!("x {MASK} y"));
}

#[test]
fn what_stands_everywhere_stays() {
    let redactor = Redactor::new(["true", "5432", "short", "", "postgres", "default", "a\nb\nc"]);
    let text = "true: 5432 of postgres in default is short\nb\n";
    assert_eq!(redactor.clean(text), text);
    assert_eq!(format!("{redactor:?}"), "Redactor(0 needles)");
    assert!(!format!("{:?}", Redactor::new(["hunter2"])).contains("hunter"));
}

proptest! {
    /// Whatever the secret, it is in no form behind what cleans it, and a text without it stays as it is.
    #[test]
    fn no_form_passes(secret in "[^\\s\\p{C}][\\PC\n]{8,40}[^\\s\\p{C}]", before in "[a-z ]{0,5}", after in "[ -~]{0,9}") {
        let redactor = Redactor::new([&secret]);
        for (name, form) in forms(&secret) {
            let clean = redactor.clean(&format!("{before}{form}|{after}"));
            prop_assert!(!shows(&clean, &secret), "{}: {:?} in {:?}", name, secret, clean);
        }
    }

    #[test]
    fn what_is_no_secret_stays(text in "\\PC{0,200}") {
        prop_assume!(!text.contains("://") && !text.to_lowercase().contains("passw"));
        prop_assert_eq!(Redactor::new(["a-secret-that-does-not-occur"]).clean(&text), text);
    }
}
