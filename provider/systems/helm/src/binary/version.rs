//! Finding the binary and what it is.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Error;

/// Names the binary when the configuration does not.
pub const BINARY_VARIABLE: &str = "FFE_HELM_BINARY";
/// The oldest minor of Helm 3 that has `--dry-run=server` and everything else that is used.
const OLDEST_OF_3: u64 = 14;

/// The majors of Helm that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Major {
    /// Helm 3.
    V3,
    /// Helm 4.
    V4,
}

/// A version of Helm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Which major.
    pub major: Major,
    /// Minor version.
    pub minor: u64,
    text: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Version {
    /// Reads `v3.22.0`, `v4.3.1+g0123`.
    ///
    /// # Errors
    /// What is wrong, as a sentence without a subject.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let unknown = || format!("it says its version is {:?}", text.chars().take(60).collect::<String>());
        let mut numbers = text.strip_prefix('v').ok_or_else(unknown)?.split(['.', '-', '+']);
        let mut number = || numbers.next().and_then(|n| n.parse::<u64>().ok()).ok_or_else(unknown);
        let (major, minor) = (number()?, number()?);
        let major = match major {
            3 if minor >= OLDEST_OF_3 => Major::V3,
            3 => return Err(format!("it is {text}; Helm 3.{OLDEST_OF_3} or newer is needed")),
            4 => Major::V4,
            _ => return Err(format!("it is {text}; Helm 3.{OLDEST_OF_3} or newer, or Helm 4, is needed")),
        };
        Ok(Self { major, minor, text: text.to_owned() })
    }
}

/// Finds the binary: configured, else by variable, else in `PATH`.
pub(super) fn find(
    configured: Option<&Path>,
    variable: Option<PathBuf>,
    path: Option<std::ffi::OsString>,
) -> Result<PathBuf, Error> {
    let mut looked_for = Vec::new();
    for (origin, wanted) in [("helm.binary", configured.map(Path::to_owned)), (BINARY_VARIABLE, variable)] {
        let Some(wanted) = wanted.filter(|w| !w.as_os_str().is_empty()) else { continue };
        looked_for.push(format!("{} ({origin})", wanted.display()));
        // A bare name is looked for in PATH; what was named and is not there is an error, never silently another one.
        let found =
            if wanted.components().count() == 1 { in_path(&wanted, path.as_deref()) } else { runnable(&wanted) };
        return found.ok_or(Error::NoBinary { looked_for });
    }
    looked_for.push("helm in PATH".into());
    in_path(Path::new("helm"), path.as_deref()).ok_or(Error::NoBinary { looked_for })
}

fn in_path(name: &Path, path: Option<&std::ffi::OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?).find_map(|dir| runnable(&dir.join(name)))
}

fn runnable(path: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path).ok()?;
    // Absolute, since it is run from a launcher; links are kept, for a wrapper may look at its own name.
    (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then(|| std::path::absolute(path).ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(Version::parse("v3.22.0").unwrap().major, Major::V3);
        let four = Version::parse("v4.3.1+gabcdef\n").unwrap();
        assert_eq!((four.major, four.minor, four.to_string().as_str()), (Major::V4, 3, "v4.3.1+gabcdef"));
        assert!(Version::parse("v3.13.9").unwrap_err().contains("Helm 3.14 or newer"));
        assert!(Version::parse("v2.17.0").unwrap_err().contains("or Helm 4"));
        assert!(Version::parse("v5.0.0").is_err());
        assert!(Version::parse("hello").unwrap_err().contains("\"hello\""));
    }

    #[test]
    fn the_binary_is_looked_for_in_order() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (helm, other, plain) = (make("helm", 0o755), make("other", 0o755), make("plain", 0o644));
        let path = || Some(dir.path().as_os_str().to_owned());
        assert_eq!(find(None, None, path()).unwrap(), helm);
        assert_eq!(find(None, Some(other.clone()), path()).unwrap(), other);
        assert_eq!(find(Some(&helm), Some(other.clone()), None).unwrap(), helm);
        assert_eq!(find(Some(Path::new("other")), None, path()).unwrap(), other);
        let error = find(Some(&plain), None, path()).unwrap_err().to_string();
        assert!(error.contains("plain (helm.binary)"), "{error}");
        assert!(find(None, Some("/nonexistent/helm".into()), path()).is_err());
        assert!(find(None, None, None).unwrap_err().to_string().contains("helm in PATH"));
    }
}
