//! What an image's name tells.

/// The tag, without a digest after it.
pub(crate) fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next().unwrap_or_default();
    // A colon before the last slash belongs to the registry's port.
    let last = name.rsplit('/').next().unwrap_or_default();
    last.split_once(':').map(|(_, tag)| tag)
}

/// The major version that a tag such as `16-alpine` or `15.4` begins with.
pub(crate) fn major(image: &str) -> Option<u32> {
    let tag = tag(image)?;
    let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
    let end = tag[digits.len()..].chars().next();
    let major = digits.parse().ok()?;
    // A date or a build number is none.
    ((9..100).contains(&major) && end.is_none_or(|c| "-._".contains(c))).then_some(major)
}

/// The user and group that the official image's server runs as: Alpine's and Debian's differ, and neither can be asked
/// for by name in a pod that must not run as root.
pub(crate) fn user(image: &str) -> i64 {
    if tag(image).is_some_and(|tag| tag.contains("alpine")) { 70 } else { 999 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_major_and_user() {
        for (image, expected) in [
            ("postgres:16-alpine", (Some(16), 70)),
            ("ffe-postgres:15", (Some(15), 999)),
            ("registry:5000/x/postgres:15.4@sha256:00", (Some(15), 999)),
            ("registry:5000/postgres", (None, 999)),
            ("postgis:20240101", (None, 999)),
            ("postgres:16beta", (None, 999)),
        ] {
            assert_eq!((major(image), user(image)), expected, "{image}");
        }
    }
}
