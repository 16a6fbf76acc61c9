//! Keys whose names say that their values are secret.

/// Words in a key that say that its value is a secret.
const TELLTALES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "jwtkey",
    "tlskey",
    "credential",
    "dsn",
    "connectionstring",
    "webhookurl",
    "htpasswd",
];
/// Ends of a key that names a Secret, or something in one, and is no secret itself.
const REFERENCES: &[&str] = &["name", "names", "ref", "refs", "keyref", "type", "enabled"];

/// Whether a key is named like a secret. References to Secrets by name (`existingSecret`, `secretName`) are none.
pub(crate) fn is_telltale(key: &str) -> bool {
    let plain = plain(key);
    let pass = plain.ends_with("pass") && !plain.ends_with("bypass") && !plain.ends_with("compass");
    !refers(&plain) && (pass || TELLTALES.iter().any(|word| plain.contains(word)))
}

/// Whether everything below a key is secret: `credentials`, `tokens`, and not `tokenService`.
pub(crate) fn holds_secrets(key: &str) -> bool {
    let plain = plain(key);
    let end = plain.strip_suffix('s').unwrap_or(&plain);
    !refers(&plain) && TELLTALES.iter().any(|word| plain.ends_with(word) || end.ends_with(word))
}

/// Whether a key, as [`plain`] has it, names a Secret or something in one.
pub(crate) fn refers(plain: &str) -> bool {
    plain.contains("existingsecret") || REFERENCES.iter().any(|end| plain.ends_with(end))
}

/// A key in small letters and digits alone.
pub(crate) fn plain(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}
