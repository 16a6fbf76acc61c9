//! `ffe-backend:TAG`: the images that `images.toml` of the example application describes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::oci::{Descriptor, Image, Layer, Nothing, Start, Store};

const NAME: &str = "ffe-backend";
/// Where revisions of the schema lie, in the folder and in an image.
const VERSIONS: &str = "alembic/versions";
/// Never part of an image.
const NEVER: &[&str] = &["images.toml", "overlays", "tests", "__pycache__", ".gitignore", VERSIONS];

/// `images.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Debian packages that the application needs beyond the usual ones.
    #[serde(default)]
    pub(crate) rootfs_packages: Vec<String>,
    /// Paths below the folder that go into no image.
    #[serde(default)]
    exclude: Vec<PathBuf>,
    #[serde(default, rename = "image")]
    images: Vec<Variant>,
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    tag: String,
    /// Files of `alembic/versions/` that this image has.
    revisions: Vec<PathBuf>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// A folder whose files go over the application's.
    overlay: Option<PathBuf>,
}

impl Manifest {
    /// Reads `images.toml`; a folder that does not exist has no images.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        if !folder.exists() {
            return Ok(Self::default());
        }
        let path = folder.join("images.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let manifest: Self = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        Ok(Self { folder: folder.to_path_buf(), ..manifest })
    }

    pub(crate) fn build(&self, store: &Store, rootfs: &Descriptor) -> Result<Vec<Image>> {
        self.images.iter().map(|variant| self.build_one(variant, store, rootfs)).collect()
    }

    fn build_one(&self, variant: &Variant, store: &Store, rootfs: &Descriptor) -> Result<Image> {
        let name = format!("{NAME}:{}", variant.tag);
        if variant.tag == "latest" {
            bail!("{name}: a node would try to pull this tag; name a version");
        }
        let layer = self.layer(variant).with_context(|| format!("image {name}"))?;
        let fixed = [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LANG", "C.UTF-8"),
            ("PYTHONUNBUFFERED", "1"),
        ];
        let mut env: BTreeMap<&str, &str> = fixed.into_iter().collect();
        env.extend(variant.env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        let start = Start {
            user: "10001".into(),
            env: env.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            cmd: words("python3 -m uvicorn main:app --host 0.0.0.0 --port 8000 --workers 4"),
            working_dir: "/app".into(),
            exposed_ports: BTreeMap::from([("8000/tcp".to_owned(), Nothing {})]),
            ..Start::default()
        };
        store.add_image(&super::short_name(&name), &start, vec![rootfs.clone(), store.add_layer(&layer)?])
    }

    fn layer(&self, variant: &Variant) -> Result<Layer> {
        let app = Path::new("/app");
        let cache = |path: &Path| path.file_name().is_some_and(|name| name == "__pycache__");
        let left_out = |path: &Path| {
            NEVER.iter().map(Path::new).chain(self.exclude.iter().map(PathBuf::as_path)).any(|no| path == no)
                || cache(path)
        };
        let mut layer = Layer::default();
        layer.folder(app, 0o755, 0).folder(app.join(VERSIONS), 0o755, 0);
        layer.tree(&self.folder, app, left_out)?;
        for revision in &variant.revisions {
            let path = self.folder.join(VERSIONS).join(revision);
            let contents = std::fs::read(&path).with_context(|| format!("reading revision {}", path.display()))?;
            layer.file(app.join(VERSIONS).join(revision), contents, 0o644);
        }
        if let Some(overlay) = &variant.overlay {
            let folder = self.folder.join(overlay);
            if !folder.is_dir() {
                bail!("the overlay {} is no folder", folder.display());
            }
            layer.tree(&folder, app, cache)?;
        }
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("main.py", "main"),
            ("ready.py", "ready"),
            ("__pycache__/main.pyc", "x"),
            ("tests/test.py", "x"),
            ("notes/x", "x"),
            ("alembic/env.py", "env"),
            ("alembic/versions/0001.py", "1"),
            ("alembic/versions/0002.py", "2"),
            ("overlays/bad/ready.py", "bad"),
            (
                "images.toml",
                r#"exclude = ["notes"]
                [[image]]
                tag = "1"
                revisions = ["0001.py"]
                env = { APP_VERSION = "1" }
                [[image]]
                tag = "2"
                revisions = ["0001.py", "0002.py"]
                overlay = "overlays/bad""#,
            ),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn an_image_has_its_revisions_and_its_overlay_and_nothing_else() {
        let folder = folder();
        let manifest = Manifest::read(folder.path()).unwrap();
        let paths = |index: usize| format!("{:?}", manifest.layer(&manifest.images[index]).unwrap());
        let first = paths(0);
        for there in ["\"/app/main.py\"", "\"/app/alembic/env.py\"", "\"/app/alembic/versions/0001.py\""] {
            assert!(first.contains(there), "{there} in {first}");
        }
        for absent in ["0002", "overlays", "tests", "notes", "pycache", "images.toml"] {
            assert!(!first.contains(absent), "{absent} in {first}");
        }
        let second = paths(1);
        assert!(second.contains("0002.py"));
        assert!(second.contains(&format!("{:?}", b"bad".to_vec())), "the overlay does not win: {second}");
    }

    #[test]
    fn a_changed_file_changes_the_image_and_nothing_else_does() {
        let folder = folder();
        let images = tempfile::tempdir().unwrap();
        let store = Store::open(images.path()).unwrap();
        let rootfs = store.add_layer(&Layer::default()).unwrap();
        let digests = || -> Vec<String> {
            let manifest = Manifest::read(folder.path()).unwrap();
            manifest.build(&store, &rootfs).unwrap().into_iter().map(|image| image.manifest.digest).collect()
        };
        let before = digests();
        std::fs::write(folder.path().join("tests/test.py"), "y").unwrap();
        assert_eq!(digests(), before);
        std::fs::write(folder.path().join("alembic/versions/0002.py"), "two").unwrap();
        let after = digests();
        assert_eq!(after[0], before[0]);
        assert_ne!(after[1], before[1]);
    }

    #[test]
    fn a_missing_revision_is_named() {
        let folder = folder();
        std::fs::remove_file(folder.path().join("alembic/versions/0001.py")).unwrap();
        let manifest = Manifest::read(folder.path()).unwrap();
        let error = manifest.layer(&manifest.images[0]).unwrap_err();
        assert!(error.to_string().contains("0001.py"), "{error}");
    }

    #[test]
    fn the_examples_own_images_can_be_made() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = Manifest::read(&repository.join("examples/ffe-backend/app")).unwrap();
        for variant in &manifest.images {
            manifest.layer(variant).unwrap();
        }
    }
}
