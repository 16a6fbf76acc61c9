//! What an image's name tells.

/// The user and group as which the official `postgres` images run: Alpine's and Debian's differ, and neither can be
/// asked for by name in a pod that must not run as root.
#[must_use]
pub fn image_user(image: &str) -> i64 {
    let name = image.split('@').next().unwrap_or_default();
    // A colon before the last slash belongs to the registry's port.
    let tag = name.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
    if tag.is_some_and(|tag| tag.contains("alpine")) { 70 } else { 999 }
}

#[cfg(test)]
mod tests {
    use super::image_user;

    #[test]
    fn the_flavour_of_the_image_decides() {
        for (image, user) in [
            ("postgres:16-alpine", 70),
            ("postgres:16", 999),
            ("registry:5000/alpine/postgres", 999),
            ("registry:5000/postgres:16.4-alpine3.20@sha256:00", 70),
        ] {
            assert_eq!(image_user(image), user, "{image}");
        }
    }
}
