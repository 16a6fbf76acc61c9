//! The root file system that all example images share: Debian packages, put together by mmdebstrap.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::oci::{Descriptor, Store};
use crate::bed::Bed;
use crate::command::{self, no_note};
use crate::host;
use crate::stamp::{Inputs, Stamp};

const SUITE: &str = "bookworm";

const PACKAGES: &[&str] = &[
    "python3-minimal",
    "alembic",
    "python3-psycopg2",
    "python3-sqlalchemy",
    "python3-fastapi",
    "python3-uvicorn",
    "postgresql-15",
    // Gives a name to a user id that has none, for the postgres image under any user.
    "libnss-wrapper",
    "ca-certificates",
    "curl",
    // Carries backups to object storage.
    "rclone",
];

/// Before the packages: users with the ids that the official postgres image and the application's image have, and no
/// database cluster made at installation.
const USERS: &str = r#"set -e
printf 'postgres:x:999:\napp:x:10001:\n' >> "$1/etc/group"
printf 'postgres:x:999:999::/var/lib/postgresql:/bin/bash\napp:x:10001:10001::/app:/usr/sbin/nologin\n' >> "$1/etc/passwd"
mkdir -p "$1/etc/postgresql-common"
echo 'create_main_cluster = false' > "$1/etc/postgresql-common/createcluster.conf""#;

/// After them: PostgreSQL listens on every address by default, as in the official image; without the just-in-time
/// compiler (a third of the size, and PostgreSQL does without when it is missing); nothing that only apt needs.
const TRIM: &str = r#"set -e
sed -ri "s/^#?listen_addresses\s*=.*/listen_addresses = '*'/" "$1/usr/share/postgresql/15/postgresql.conf.sample"
rm -rf "$1"/var/lib/postgresql/15 "$1"/etc/postgresql/15 "$1"/var/log/*.log "$1"/var/log/apt
rm -rf "$1"/usr/lib/postgresql/15/lib/llvmjit* "$1"/usr/lib/postgresql/15/lib/bitcode
rm -rf "$1"/usr/lib/*/libLLVM-* "$1"/usr/lib/*/libz3.so* "$1"/usr/lib/*/perl/*/CORE
rm -rf "$1"/usr/share/i18n "$1"/usr/share/info "$1"/var/cache/debconf/*-old "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin
: > "$1/etc/machine-id""#;

const SLIM: &[&str] =
    &["path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/doc/*"];

/// The layer, built when its list of packages or the way to build it has changed.
pub(crate) fn build(bed: &Bed<'_>, store: &Store, more: &[String]) -> Result<Descriptor> {
    let mut packages: Vec<&str> = PACKAGES.iter().copied().chain(more.iter().map(String::as_str)).collect();
    packages.sort_unstable();
    packages.dedup();
    let packages = packages.join(",");
    let mut inputs = Inputs::default();
    for (name, value) in [("suite", SUITE), ("packages", &packages), ("users", USERS), ("trim", TRIM)] {
        inputs.add(name, value.as_bytes());
    }
    inputs.add("slim", SLIM.concat().as_bytes());
    let stamp = Stamp::new(bed.paths.images().join("rootfs.stamp"), inputs);
    if let Some(layer) = stamp.note().and_then(|digest| store.layer(&digest)) {
        return Ok(layer);
    }
    bed.say("making the root file system of the example images from Debian packages");
    let tar = bed.paths.images().join("rootfs.tar");
    let mut mmdebstrap = Command::new("nice");
    mmdebstrap
        .args(["-n", "5", "mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar"])
        .arg(format!("--include={packages}"))
        .args(apt_options()?.iter().map(|option| format!("--aptopt={option}")))
        .args(SLIM.iter().map(|option| format!("--dpkgopt={option}")))
        .arg("--dpkgopt=force-confold")
        .arg(format!("--essential-hook={USERS}"))
        .arg(format!("--customize-hook={TRIM}"))
        .arg(SUITE)
        .arg(&tar)
        .arg(apt_sources()?)
        .env("PATH", command::SYSTEM_PATH)
        .env("TMPDIR", bed.paths.root());
    let cost = command::long(bed, "mmdebstrap", &mut mmdebstrap, &bed.paths.log("rootfs"), no_note)?;
    let layer = store.take_layer(&tar)?;
    stamp.write(&layer.digest)?;
    bed.say(format!("made the root file system ({cost})"));
    Ok(layer)
}

/// This machine's own list of package sources, so that its mirror is used.
fn apt_sources() -> Result<PathBuf> {
    let main = PathBuf::from("/etc/apt/sources.list");
    let has_entries =
        |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line.starts_with("deb")));
    if has_entries(&main) {
        return Ok(main);
    }
    let folder = Path::new("/etc/apt/sources.list.d");
    let mut lists: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension().is_some_and(|e| e == "sources" || e == "list")
                && std::fs::read_to_string(path).is_ok_and(|text| text.contains("debian") && text.contains(SUITE))
        })
        .collect();
    lists.sort();
    match lists.into_iter().next() {
        Some(list) => Ok(list),
        None => bail!("no package source of Debian {SUITE} in /etc/apt: the example images are made of its packages"),
    }
}

/// How this machine reaches its mirror: proxies, and what it does not check.
fn apt_options() -> Result<Vec<String>> {
    let dump = command::output(host::system("apt-config").arg("dump"))?;
    Ok(reaching_options(&dump))
}

fn reaching_options(dump: &str) -> Vec<String> {
    const WANTED: &[&str] = &[
        "Acquire::http",
        "Acquire::ftp",
        "Acquire::Check-",
        "Acquire::Retries",
        "Acquire::Force",
        "Acquire::AllowInsecure",
    ];
    dump.lines()
        .filter(|line| WANTED.iter().any(|start| line.starts_with(start)) && !line.ends_with(" \"\";"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::reaching_options;

    #[test]
    fn only_what_decides_how_the_mirror_is_reached_is_handed_on() {
        let dump = r#"APT::Architecture "amd64";
Acquire::Check-Valid-Until "false";
Acquire::http "";
Acquire::http::Proxy "a proxy";
Acquire::IndexTargets::deb::X "y";
Acquire::Languages "none";
"#;
        assert_eq!(
            reaching_options(dump),
            [r#"Acquire::Check-Valid-Until "false";"#, r#"Acquire::http::Proxy "a proxy";"#]
        );
    }
}
