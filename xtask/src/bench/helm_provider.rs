//! The Helm provider, where its binary is given: the peer that is measured in the same run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use semver::Version;

/// Names the binary.
pub(super) const VARIABLE: &str = "FFE_BENCH_HELM_PROVIDER";

/// Go writes the module and its version into the binary.
const MODULE: &[u8] = b"hashicorp/terraform-provider-helm/v3\t";

#[derive(Debug)]
pub(super) struct HelmProvider {
    pub(super) program: PathBuf,
    /// What the binary says of itself; one that was built in a checkout says nothing.
    pub(super) version: Option<Version>,
}

impl HelmProvider {
    /// That of the environment. None is given: none is measured.
    ///
    /// # Errors
    /// When the one that is given is not there.
    pub(super) fn find() -> Result<Option<HelmProvider>> {
        let Some(given) = std::env::var_os(VARIABLE).map(PathBuf::from) else { return Ok(None) };
        let program = given.canonicalize().with_context(|| format!("{VARIABLE} is {}", given.display()))?;
        let binary = std::fs::read(&program).with_context(|| format!("{VARIABLE} is {}", given.display()))?;
        Ok(Some(HelmProvider { version: version_in(&binary), program }))
    }

    /// Where terraform looks for it, in the mirror that holds our own provider:
    /// `HOST/NAMESPACE/NAME/VERSION/PLATFORM/terraform-provider-NAME_vVERSION`.
    pub(super) fn place(&self, ours: &Path) -> Result<PathBuf> {
        let up = |floors: usize| ours.ancestors().nth(floors).context("the mirror has other folders");
        let platform = up(1)?.file_name().context("the mirror has no folder for the platform")?;
        let version = self.version.clone().unwrap_or(Version::new(0, 0, 0));
        let name = format!("terraform-provider-helm_v{version}");
        Ok(up(5)?.join("hashicorp/helm").join(version.to_string()).join(platform).join(name))
    }
}

fn version_in(binary: &[u8]) -> Option<Version> {
    let at = binary.windows(MODULE.len()).position(|bytes| bytes == MODULE)? + MODULE.len();
    let version = binary.get(at..)?.split(|byte| *byte == b'\t' || *byte == b'\n').next()?;
    Version::parse(std::str::from_utf8(version).ok()?.strip_prefix('v')?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_version_is_what_go_wrote() {
        let built = b"\0path\tx\nmod\tgithub.com/hashicorp/terraform-provider-helm/v3\tv3.1.2\th1:abc=\n";
        assert_eq!(version_in(built), Some(Version::new(3, 1, 2)));
        let checkout = b"mod\tgithub.com/hashicorp/terraform-provider-helm/v3\t(devel)\t\n";
        assert_eq!(version_in(checkout), None);
        assert_eq!(version_in(b"another program"), None);
    }

    #[test]
    fn it_lies_beside_ours() {
        let provider = HelmProvider { program: PathBuf::new(), version: Some(Version::new(3, 1, 2)) };
        let place = provider.place(Path::new("/m/host/three-rivers-tech/ffe/0.1.0/linux_amd64/plugin")).unwrap();
        assert_eq!(place, Path::new("/m/host/hashicorp/helm/3.1.2/linux_amd64/terraform-provider-helm_v3.1.2"));
    }
}
