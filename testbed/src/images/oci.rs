//! Container images without a container registry: an OCI image layout on disk, and archives of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::files;

/// Points at a blob: its kind, its digest (`sha256:…`) and its size in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    media_type: &'static str,
    pub(crate) digest: String,
    size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

/// What a container of the image starts with; the fields are those of the OCI image configuration.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Start {
    /// User and, after a colon, group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) user: String,
    /// `NAME=value`.
    pub(crate) env: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cmd: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) working_dir: String,
    /// For instance `8000/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) exposed_ports: BTreeMap<String, Nothing>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) stop_signal: String,
}

/// `{}`.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Nothing {}

/// One image in the store.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// The full name, with registry and tag.
    pub(crate) name: String,
    pub(crate) manifest: Descriptor,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Blobs in a folder, each named by its digest: an OCI image layout.
pub(crate) struct Store {
    folder: PathBuf,
}

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

impl Store {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).with_context(|| format!("folder {}", blobs.display()))?;
        Ok(Self { folder: folder.to_path_buf() })
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    fn add(&self, media_type: &'static str, contents: &[u8]) -> Result<Descriptor> {
        let digest = format!("sha256:{}", files::sha256(contents));
        let path = self.blob(&digest);
        if !path.exists() {
            files::write_atomically(&path, contents, 0o644)?;
        }
        Ok(Descriptor { media_type, digest, size: contents.len() as u64, annotations: BTreeMap::new() })
    }

    /// A layer of a few files.
    pub(crate) fn add_layer(&self, layer: &Layer) -> Result<Descriptor> {
        self.add(LAYER, &layer.to_tar()?)
    }

    /// Takes a tar file over as a layer; the file is moved.
    pub(crate) fn take_layer(&self, tar: &Path) -> Result<Descriptor> {
        let mut file = File::open(tar).with_context(|| format!("opening {}", tar.display()))?;
        let mut hash = HashAndCount::default();
        io::copy(&mut file, &mut hash).with_context(|| format!("reading {}", tar.display()))?;
        let digest = format!("sha256:{}", hex::encode(hash.hash.finalize()));
        std::fs::rename(tar, self.blob(&digest)).with_context(|| format!("moving {}", tar.display()))?;
        Ok(Descriptor { media_type: LAYER, digest, size: hash.count, annotations: BTreeMap::new() })
    }

    /// A layer that is in the store already, if it is.
    pub(crate) fn layer(&self, digest: &str) -> Option<Descriptor> {
        let size = std::fs::metadata(self.blob(digest)).ok()?.len();
        Some(Descriptor { media_type: LAYER, digest: digest.to_owned(), size, annotations: BTreeMap::new() })
    }

    /// An image of layers, the lowest first. Its manifest's digest depends on nothing but its content.
    pub(crate) fn add_image(&self, name: &str, start: &Start, layers: Vec<Descriptor>) -> Result<Image> {
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => bail!("images are not made for processors of kind {other}"),
        };
        let config = serde_json::json!({
            "architecture": architecture,
            "os": "linux",
            "config": start,
            // Layers are not compressed, so that a layer's own digest is also its blob's.
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = self.add(CONFIG, &serde_json::to_vec(&config)?)?;
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
        });
        let manifest = self.add(MANIFEST, &serde_json::to_vec(&manifest)?)?;
        Ok(Image { name: name.to_owned(), manifest, config, layers })
    }

    /// Writes an OCI archive of the images. Blobs named in `present` are left out: whoever reads it has them.
    pub(crate) fn archive(&self, images: &[Image], present: &BTreeSet<String>, out: impl Write) -> Result<()> {
        let mut tar = tar::Builder::new(out);
        append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let manifests: Vec<Descriptor> = images
            .iter()
            .map(|image| {
                let mut named = image.manifest.clone();
                named.annotations.insert("io.containerd.image.name", image.name.clone());
                named.annotations.insert("org.opencontainers.image.ref.name", image.name.clone());
                named
            })
            .collect();
        let index = serde_json::json!({ "schemaVersion": 2, "manifests": manifests });
        append(&mut tar, "index.json", &serde_json::to_vec(&index)?)?;
        let mut written = BTreeSet::new();
        for image in images {
            for blob in image.layers.iter().chain([&image.config, &image.manifest]) {
                if present.contains(&blob.digest) || !written.insert(&blob.digest) {
                    continue;
                }
                let path = self.blob(&blob.digest);
                let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
                let name = format!("blobs/sha256/{}", blob.digest.trim_start_matches("sha256:"));
                tar.append_data(&mut header(blob.size, 0o644), name, file).context("writing an archive")?;
            }
        }
        tar.into_inner().and_then(|mut out| out.flush()).context("writing an archive")
    }

    /// Removes blobs that none of the images needs.
    pub(crate) fn keep_only(&self, images: &[Image], also: &BTreeSet<String>) -> Result<()> {
        let needed: BTreeSet<PathBuf> = images
            .iter()
            .flat_map(|image| image.layers.iter().chain([&image.config, &image.manifest]))
            .map(|blob| &blob.digest)
            .chain(also)
            .map(|digest| self.blob(digest))
            .collect();
        let folder = self.folder.join("blobs/sha256");
        for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?.flatten() {
            if !needed.contains(&entry.path()) {
                files::remove_file(&entry.path()).with_context(|| format!("removing {}", entry.path().display()))?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct HashAndCount {
    hash: Sha256,
    count: u64,
}

impl Write for HashAndCount {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.count += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, contents: &[u8]) -> Result<()> {
    tar.append_data(&mut header(contents.len() as u64, 0o644), name, contents).context("writing an archive")
}

/// Files and folders by their path in the image. The same content always gives the same bytes: sorted, without times.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug)]
enum Entry {
    File { contents: Vec<u8>, mode: u32 },
    Folder { mode: u32, owner: u64 },
}

impl Layer {
    /// A file of root's; folders above it are made when they are not named.
    pub(crate) fn file(&mut self, path: impl AsRef<Path>, contents: Vec<u8>, mode: u32) -> &mut Self {
        self.entries.insert(path.as_ref().to_path_buf(), Entry::File { contents, mode });
        self
    }

    /// A folder of the user and the group with the id `owner`.
    pub(crate) fn folder(&mut self, path: impl AsRef<Path>, mode: u32, owner: u64) -> &mut Self {
        self.entries.insert(path.as_ref().to_path_buf(), Entry::Folder { mode, owner });
        self
    }

    /// Every file below a folder of this machine, put below `to`; those that `skip` names by their path are left out.
    pub(crate) fn tree(&mut self, from: &Path, to: &Path, skip: impl Fn(&Path) -> bool) -> Result<&mut Self> {
        let walk = walkdir::WalkDir::new(from).into_iter().filter_entry(|entry| {
            let path = entry.path().strip_prefix(from).unwrap_or(entry.path());
            path.as_os_str().is_empty() || !skip(path)
        });
        for entry in walk {
            let entry = entry.with_context(|| format!("reading {}", from.display()))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let path = entry.path().strip_prefix(from).unwrap_or(entry.path());
            let mut contents = Vec::new();
            let mut file = File::open(entry.path()).with_context(|| format!("opening {}", entry.path().display()))?;
            file.read_to_end(&mut contents).with_context(|| format!("reading {}", entry.path().display()))?;
            let executable = {
                use std::os::unix::fs::PermissionsExt;
                file.metadata().is_ok_and(|data| data.permissions().mode() & 0o100 != 0)
            };
            self.file(to.join(path), contents, if executable { 0o755 } else { 0o644 });
        }
        Ok(self)
    }

    fn to_tar(&self) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut made: BTreeSet<PathBuf> = BTreeSet::new();
        for (path, entry) in &self.entries {
            let path = path.strip_prefix("/").unwrap_or(path);
            let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
            above.reverse();
            for folder in above {
                if made.insert(folder.to_path_buf()) {
                    append_folder(&mut tar, folder, 0o755, 0)?;
                }
            }
            match entry {
                Entry::Folder { mode, owner } => {
                    made.insert(path.to_path_buf());
                    append_folder(&mut tar, path, *mode, *owner)?;
                }
                Entry::File { contents, mode } => {
                    let mut header = header(contents.len() as u64, *mode);
                    tar.append_data(&mut header, path, contents.as_slice()).context("writing a layer")?;
                }
            }
        }
        tar.into_inner().context("writing a layer")
    }
}

fn append_folder(tar: &mut tar::Builder<Vec<u8>>, path: &Path, mode: u32, owner: u64) -> Result<()> {
    let mut header = header(0, mode);
    header.set_entry_type(tar::EntryType::Directory);
    header.set_uid(owner);
    header.set_gid(owner);
    tar.append_data(&mut header, path.join(""), io::empty()).context("writing a layer")
}

#[cfg(test)]
#[path = "oci_tests.rs"]
mod tests;
