#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::*;

fn unpack(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut tar = tar::Archive::new(archive);
    tar.entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            (path, contents)
        })
        .collect()
}

fn layer(text: &str) -> Layer {
    let mut layer = Layer::default();
    layer.file("/app/main.py", text.into(), 0o644).folder("/tmp", 0o1777, 0);
    layer
}

#[test]
fn an_archive_leads_from_its_index_to_every_blob() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let base = store.add_layer(&layer("base")).unwrap();
    let start = Start { user: "10001".into(), cmd: vec!["run".into()], ..Start::default() };
    let images: Vec<Image> = ["a:1", "b:1"]
        .iter()
        .map(|name| {
            let own = store.add_layer(&layer(name)).unwrap();
            store.add_image(&format!("docker.io/library/{name}"), &start, vec![base.clone(), own]).unwrap()
        })
        .collect();
    let mut archive = Vec::new();
    store.archive(&images, &BTreeSet::new(), &mut archive).unwrap();
    let files = unpack(&archive);
    // Two own layers, two configurations, two manifests, and the base once.
    assert_eq!(files.keys().filter(|name| name.starts_with("blobs/")).count(), 7);

    let blob = |descriptor: &Value| -> &Vec<u8> {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let blob = &files[&format!("blobs/sha256/{digest}")];
        assert_eq!(crate::files::sha256(blob), digest);
        assert_eq!(blob.len() as u64, descriptor["size"].as_u64().unwrap());
        blob
    };
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    for (position, name) in ["docker.io/library/a:1", "docker.io/library/b:1"].iter().enumerate() {
        let entry = &index["manifests"][position];
        assert_eq!(entry["annotations"]["io.containerd.image.name"], *name);
        let manifest: Value = serde_json::from_slice(blob(entry)).unwrap();
        let config: Value = serde_json::from_slice(blob(&manifest["config"])).unwrap();
        assert_eq!(config["config"]["User"], "10001");
        assert_eq!(config["config"]["Cmd"][0], "run");
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 2);
        let own = unpack(blob(&manifest["layers"][1]));
        assert_eq!(own["app/main.py"], name.rsplit('/').next().unwrap().as_bytes());
        assert!(own.contains_key("app/") && own.contains_key("tmp/"));
    }
}

#[test]
fn blobs_that_the_reader_has_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let base = store.add_layer(&layer("base")).unwrap();
    let image = store.add_image("a:1", &Start::default(), vec![base.clone()]).unwrap();
    let mut archive = Vec::new();
    store.archive(&[image], &BTreeSet::from([base.digest.clone()]), &mut archive).unwrap();
    let name = format!("blobs/sha256/{}", base.digest.strip_prefix("sha256:").unwrap());
    assert!(!unpack(&archive).contains_key(&name));
}

#[test]
fn the_same_content_has_the_same_digest_wherever_and_whenever_it_is_made() {
    let manifest = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let base = store.add_layer(&layer(text)).unwrap();
        store.add_image("a:1", &Start::default(), vec![base]).unwrap().manifest.digest
    };
    assert_eq!(manifest("x"), manifest("x"));
    assert_ne!(manifest("x"), manifest("y"));
}

#[test]
fn a_tar_file_becomes_a_layer_and_blobs_nobody_needs_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let tar = folder.path().join("rootfs.tar");
    std::fs::write(&tar, b"pretend").unwrap();
    let taken = store.take_layer(&tar).unwrap();
    assert_eq!(taken.digest, format!("sha256:{}", crate::files::sha256(b"pretend")));
    assert!(!tar.exists());
    assert_eq!(store.layer(&taken.digest), Some(taken.clone()));
    let other = store.add_layer(&layer("other")).unwrap();
    let image = store.add_image("a:1", &Start::default(), vec![other.clone()]).unwrap();
    store.keep_only(std::slice::from_ref(&image), &BTreeSet::new()).unwrap();
    assert_eq!(store.layer(&taken.digest), None);
    assert!(store.layer(&other.digest).is_some());
    store.archive(&[image], &BTreeSet::new(), io::sink()).unwrap();
}

#[test]
fn a_tree_keeps_modes_and_leaves_out_what_it_is_told_to() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("tests")).unwrap();
    std::fs::write(folder.path().join("tests/x.py"), "").unwrap();
    std::fs::write(folder.path().join("run.sh"), "").unwrap();
    std::fs::set_permissions(folder.path().join("run.sh"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut layer = Layer::default();
    layer.tree(folder.path(), Path::new("/app"), |path| path.starts_with("tests")).unwrap();
    let tar = layer.to_tar().unwrap();
    let mut archive = tar::Archive::new(tar.as_slice());
    let modes: Vec<(String, u32)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
        })
        .collect();
    assert_eq!(modes, [("app/".to_owned(), 0o755), ("app/run.sh".to_owned(), 0o755)]);
}
