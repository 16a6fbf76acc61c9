//! `cargo xtask build`: the provider as it is published, one static binary. It needs nothing of the machine that it runs on:
//! no libc of some version, so also none of the images that pipelines run in lacks something.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use ffe_testbed::ToStderr;
use object::Endianness;
use object::elf::{FileHeader64, PT_DYNAMIC, PT_INTERP};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

use crate::workspace::given_provider;
use crate::workspace::{self, Workspace};
use crate::{process, tell};

/// Build the provider as it is published, and check that the binary is static and small enough.
///
/// A C compiler for musl is needed (Debian's musl-tools, which root has installed for it), and Rust's own libraries for musl,
/// which rustup adds.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// What a published binary may have at the most: somebody downloads it for every run of a pipeline.
const LARGEST: u64 = 25 * 1024 * 1024;

pub(crate) fn go(_: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let binary = published(&workspace)?;
    let size = std::fs::metadata(&binary).with_context(|| format!("there is no {}", binary.display()))?.len();
    tell::note(format!("static, {} (at most {})", megabytes(size), megabytes(LARGEST)));
    tell::line(binary.display());
    Ok(ExitCode::SUCCESS)
}

/// The provider as it is published, or the one that `FFE_PROVIDER` names.
///
/// # Errors
/// When it does not compile, or is not what may be published.
pub(crate) fn provider(workspace: &Workspace) -> Result<PathBuf> {
    match given_provider()? {
        Some(built) => Ok(built),
        None => published(workspace),
    }
}

/// Builds the provider as it is published, checks it and says where it lies.
///
/// # Errors
/// When something that it is built with is missing and cannot be installed, when it does not compile, or is not what may be
/// published.
pub(crate) fn published(workspace: &Workspace) -> Result<PathBuf> {
    let target = target(std::env::consts::OS, std::env::consts::ARCH)?;
    libraries(workspace, &target)?;
    compiler(workspace, &target)?;
    let arguments = ["build", "--release", "--package", "terraform-provider-ffe", "--target", &target];
    process::run(&mut workspace.cargo(&arguments))?;
    let binary = workspace.target()?.join(&target).join("release/terraform-provider-ffe");
    let content =
        std::fs::read(&binary).with_context(|| format!("cargo built the provider, but {}", binary.display()))?;
    check(&content).with_context(|| format!("{} may not be published", binary.display()))?;
    Ok(binary)
}

/// That a binary is static and small enough.
fn check(content: &[u8]) -> Result<()> {
    let needed = needed(content)?;
    ensure!(needed.is_empty(), "it is not static, it needs {}", needed.join(", "));
    let size = u64::try_from(content.len())?;
    ensure!(size <= LARGEST, "it has {}, at most {} are allowed", megabytes(size), megabytes(LARGEST));
    Ok(())
}

/// What a program needs of the machine that it starts on: the loader and libraries.
fn needed(content: &[u8]) -> Result<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(content).context("it is no program")?;
    let endian = header.endian()?;
    let sections = header.sections(endian, content)?;
    let mut needed = Vec::new();
    for segment in header.program_headers(endian, content)? {
        match segment.p_type(endian) {
            PT_INTERP => needed.push("a loader".to_owned()),
            PT_DYNAMIC => {
                let strings = sections.dynamic(endian, content)?.map(|(_, strings)| strings);
                let strings = match strings {
                    Some(index) => sections.strings(endian, content, index)?,
                    None => object::read::StringTable::default(),
                };
                for entry in segment.dynamic(endian, content)?.unwrap_or_default() {
                    if entry.tag(endian) == object::elf::DT_NEEDED {
                        let name = entry.string(endian, strings).unwrap_or_default();
                        needed.push(String::from_utf8_lossy(name).into_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(needed)
}

/// Rust's name for this machine with musl, whose libc becomes a part of the binary.
fn target(os: &str, arch: &str) -> Result<String> {
    match (os, arch) {
        ("linux", "x86_64" | "aarch64") => Ok(format!("{arch}-unknown-linux-musl")),
        _ => bail!("a static binary is built on Linux, on x86-64 or arm64; this is {os} on {arch}"),
    }
}

/// Rust's own libraries for the target.
fn libraries(workspace: &Workspace, target: &str) -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut ask = Command::new(rustc);
    ask.current_dir(&workspace.root).args(["--print", "target-libdir", "--target", target]);
    if Path::new(process::output(&mut ask)?.trim()).is_dir() {
        return Ok(());
    }
    tell::note(format!("adding Rust's libraries for {target}"));
    process::run(Command::new("rustup").current_dir(&workspace.root).args(["target", "add", target]))
        .with_context(|| format!("Rust's libraries for {target} are missing: install them as you installed Rust"))
}

/// A C compiler that knows musl's headers: parts of the TLS library and the parsers are C.
fn compiler(workspace: &Workspace, target: &str) -> Result<()> {
    let named = [format!("CC_{target}"), format!("CC_{}", target.replace('-', "_")), "TARGET_CC".to_owned()];
    if named.iter().any(|name| std::env::var_os(name).is_some()) || workspace::in_path("musl-gcc").is_some() {
        return Ok(());
    }
    let installed = workspace.testbed.install(&[("musl-tools", "/usr/bin/musl-gcc")], &ToStderr);
    installed
        .context("a C compiler for musl is needed: musl-gcc in PATH (musl-gcc on Fedora, musl on Arch), or TARGET_CC")
}

/// As people compare sizes.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes >> 20, ((bytes & 0xF_FFFF) * 10) >> 20)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// This test's own program is linked as Rust does it by default: with the machine's libc.
    #[test]
    fn a_binary_that_needs_libraries_is_not_published() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(needed(&own).unwrap().iter().any(|library| library.starts_with("libc.so")), "{:?}", needed(&own));
        let why = check(&own).unwrap_err().to_string();
        assert!(why.contains("not static") && why.contains("a loader"), "{why}");
    }

    /// A program of nothing but a header.
    fn smallest() -> Vec<u8> {
        let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
        header.resize(64, 0);
        header[16..18].copy_from_slice(&3u16.to_le_bytes());
        header[18..20].copy_from_slice(&62u16.to_le_bytes());
        header[52..54].copy_from_slice(&64u16.to_le_bytes());
        header
    }

    #[test]
    fn a_binary_that_is_too_large_is_not_published() {
        let mut program = smallest();
        check(&program).unwrap();
        program.resize(usize::try_from(LARGEST).unwrap() + 1, 0);
        assert!(check(&program).unwrap_err().to_string().contains("25.0 MB"));
        assert!(check(b"#!/bin/sh\n").is_err());
    }

    #[test]
    fn musl_is_known_on_linux_alone() {
        assert_eq!(target("linux", "aarch64").unwrap(), "aarch64-unknown-linux-musl");
        assert!(target("macos", "aarch64").is_err());
        assert!(target("linux", "riscv64").is_err());
    }
}
