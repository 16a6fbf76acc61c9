//! The part of a text that people need.

use tfplugin_redaction::redacted;

/// What stands before the part that matters; whole, it is in the evidence.
const PREFIXES: [(&str, &str); 12] = [
    ("Waiting for HTTP-01 challenge propagation: ", ""),
    ("Waiting for DNS-01 challenge propagation: ", ""),
    ("failed to perform self check GET request '", "': "),
    ("Get \"", "\": "),
    ("Post \"", "\": "),
    ("Head \"", "\": "),
    ("Error presenting challenge: ", ""),
    ("Error accepting challenge: ", ""),
    ("Failed to register ACME account: ", ""),
    ("Error getting keypair for CA issuer: ", ""),
    ("Failed to determine a valid solver configuration for the set of domains on the Order: ", ""),
    ("while attempting to find Zones for domain ", ". "),
];

/// The part of a text that matters, in one line.
pub(super) fn gist(text: &str) -> String {
    let line = tidy(text);
    let mut rest = line.as_str();
    while let Some(shorter) = PREFIXES.iter().find_map(|(begins, ends)| {
        let rest = rest.strip_prefix(begins)?;
        if ends.is_empty() { Some(rest) } else { rest.split_once(ends).map(|(_, rest)| rest) }
    }) {
        rest = shorter;
    }
    // `while querying the Cloudflare API for GET "/zones?name=x" Error: 9109: Invalid access token`
    let said = rest.strip_prefix("while querying the Cloudflare API for ").and_then(|rest| {
        let (_, rest) = rest.split_once("\" ").or_else(|| rest.split_once("\": "))?;
        Some(rest.strip_prefix("Error: ").unwrap_or(rest))
    });
    match said {
        Some(said) => gist(said),
        None => rest.to_owned(),
    }
}

/// One line, not longer than a reader bears. Secrets go before it is cut, which would leave half of one.
pub(crate) fn tidy(text: &str) -> String {
    const MOST: usize = 500;
    let mut line = redacted(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > MOST {
        line = line.chars().take(MOST).collect::<String>() + "…";
    }
    line.trim_end_matches(['.', ';', ':', ' ']).to_owned()
}
