//! What the Secrets of a manifest hold: to be masked wherever text of the release is shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Manifest;

/// Shorter contents are words that occur everywhere (`true`, `postgres`); masking them would hide nothing and garble all.
const SHORTEST: usize = 9;

impl Manifest {
    /// The contents of all rendered Secrets, decoded; what is short or no text is left out. Of contents of several lines each
    /// line counts for itself too, since texts quote lines.
    #[must_use]
    pub fn secret_texts(&self) -> Vec<String> {
        let objects = self.objects.iter().chain(self.hooks.iter().map(|hook| &hook.object));
        let secrets = objects.filter(|object| object.id.kind == "Secret" && object.id.api_version == "v1");
        let mut found: Vec<String> = secrets.flat_map(|secret| contents(&secret.body)).flat_map(lines).collect();
        found.retain(|text| text.chars().count() >= SHORTEST);
        found.sort();
        found.dedup();
        found
    }
}

fn contents(secret: &Value) -> Vec<String> {
    let texts = |field: &str| -> Vec<String> {
        let map = secret.get(field).and_then(Value::as_object).into_iter().flatten();
        map.filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect()
    };
    let decoded = texts("data").into_iter().filter_map(|text| {
        let compact: String = text.split_whitespace().collect();
        String::from_utf8(STANDARD.decode(compact).ok()?).ok()
    });
    decoded.chain(texts("stringData")).collect()
}

fn lines(text: String) -> Vec<String> {
    let mut all: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if all.len() > 1 {
        all.push(text);
    }
    all
}
