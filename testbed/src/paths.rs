//! Where everything of the testbed lies: one folder outside of the repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders of the testbed, all below one root.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    root: PathBuf,
    repository: PathBuf,
}

impl Paths {
    /// `$FFE_CACHE_DIR`, else `terraform-provider-ffe` in the user's cache folder; in it, `testbed`.
    pub(crate) fn locate() -> Result<Self> {
        let cache = match std::env::var_os("FFE_CACHE_DIR") {
            Some(folder) if !folder.is_empty() => PathBuf::from(folder),
            _ => user_cache()?.join("terraform-provider-ffe"),
        };
        Self::in_cache(&cache)
    }

    /// In that cache folder.
    pub(crate) fn in_cache(cache: &Path) -> Result<Self> {
        let cache = std::path::absolute(cache).with_context(|| format!("cache folder {}", cache.display()))?;
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the testbed's crate lies in the root of a file system")?
            .to_path_buf();
        // One folder is one testbed, by whatever way it is called: names on the machine follow from this.
        Ok(Self { root: without_links(&cache).join("testbed"), repository })
    }

    #[cfg(test)]
    pub(crate) fn at(root: &Path, repository: &Path) -> Self {
        Self { root: root.to_path_buf(), repository: repository.to_path_buf() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Kept over starts: programs built from source.
    pub(crate) fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.bin().join(name)
    }

    /// Kept over starts: layers and images as an OCI image layout.
    pub(crate) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// Kept over starts: containerd's own store, so that images are imported once.
    pub(crate) fn containerd(&self) -> PathBuf {
        self.root.join("containerd")
    }

    /// Keys and certificates of the cluster.
    pub(crate) fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    /// Records of processes. Outside `run`, so that they outlive its removal.
    pub(crate) fn records(&self) -> PathBuf {
        self.root.join("pids")
    }

    /// Everything that belongs to one life of the cluster; removed when it ends.
    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn conf(&self) -> PathBuf {
        self.run().join("conf")
    }

    pub(crate) fn containerd_socket(&self) -> PathBuf {
        self.run().join("containerd.sock")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("log").join(format!("{name}.log"))
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn in_use(&self) -> PathBuf {
        self.root.join("in-use")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    pub(crate) fn other_kubeconfig(&self) -> PathBuf {
        self.root.join("other-kubeconfig")
    }

    pub(crate) fn go_module_cache(&self) -> PathBuf {
        self.root.join("gomod")
    }

    pub(crate) fn go_build_cache(&self) -> PathBuf {
        self.root.join("gocache")
    }

    /// Modules with packages of ours in them.
    pub(crate) fn go_sources(&self) -> PathBuf {
        self.root.join("gosrc")
    }

    /// The Go module graph of that name in the repository.
    pub(crate) fn go_module(&self, name: &str) -> PathBuf {
        self.repository.join("testbed/go").join(name)
    }

    /// The example application, whose images every node has.
    pub(crate) fn application(&self) -> PathBuf {
        self.repository.join("examples/ffe-backend/app")
    }
}

/// The path with symbolic links followed, as far as it exists.
fn without_links(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(there), _, _) => there,
        (Err(_), Some(parent), Some(name)) => without_links(parent).join(name),
        _ => path.to_path_buf(),
    }
}

fn user_cache() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("XDG_CACHE_HOME").filter(|f| Path::new(f).is_absolute()) {
        return Ok(PathBuf::from(folder));
    }
    // Without HOME, what the system's list of users says.
    let home = std::env::home_dir()
        .filter(|home| !home.as_os_str().is_empty())
        .context("neither FFE_CACHE_DIR nor HOME is set, and the user has no home: no folder for the testbed")?;
    Ok(home.join(".cache"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_link_and_what_it_leads_to_are_one_folder_also_before_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join("real");
        std::fs::create_dir(&real).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(without_links(&link.join("not/yet")), real.join("not/yet"));
        assert_eq!(without_links(&link), real);
    }
}
