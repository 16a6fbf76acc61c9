//! What an image's name tells.

/// The number of the user `postgres` in images on Alpine.
const ALPINE: i64 = 70;
/// … and on Debian.
const DEBIAN: i64 = 999;

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

/// What an image is made from, as far as its tag tells: the C library sorts texts, and its version with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Alpine,
    /// With the release's name.
    Debian(&'static str),
    /// The tag does not tell: the official image is Debian's then.
    Untold,
}

/// The base of an image.
pub(crate) fn base(image: &str) -> Base {
    const DEBIAN: [&str; 6] = ["stretch", "buster", "bullseye", "bookworm", "trixie", "forky"];
    let tag = tag(image).unwrap_or_default();
    if tag.contains("alpine") {
        return Base::Alpine;
    }
    DEBIAN.into_iter().find(|name| tag.contains(name)).map_or(Base::Untold, Base::Debian)
}

/// The user and group that the official image's server runs as: Alpine's and Debian's differ, and neither can be asked
/// for by name in a pod that must not run as root.
pub(crate) fn user(image: &str) -> i64 {
    if base(image) == Base::Alpine { ALPINE } else { DEBIAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_the_base_where_they_do() {
        for (image, expected) in [
            ("postgres:16-alpine3.20", Base::Alpine),
            ("postgres:16.3-bookworm", Base::Debian("bookworm")),
            ("postgres:16", Base::Untold),
            ("alpine/postgres:16", Base::Untold),
            ("postgres@sha256:00", Base::Untold),
        ] {
            assert_eq!(base(image), expected, "{image}");
        }
    }

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
