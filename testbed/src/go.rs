//! Programs built from the Go module registry, each once.

mod compiler;
pub(crate) mod module;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bed::Bed;
use crate::command;
use crate::files;
use crate::paths::Paths;
use crate::stamp::{Inputs, Stamp};
use compiler::Compiler;

/// Binaries that one `go build` makes of one module graph in `testbed/go`.
pub(crate) struct Unit {
    /// Names the stamp and the log.
    pub(crate) name: &'static str,
    /// Folder below `testbed/go` with go.mod and go.sum.
    pub(crate) graph: &'static str,
    /// Binary and package; one that begins with `./` is a main of ours.
    pub(crate) binaries: &'static [(&'static str, &'static str)],
    /// The module whose pinned version is the binaries' version.
    pub(crate) version_of: &'static str,
    /// Variables that the linker sets, given that version.
    pub(crate) variables: fn(&Versions<'_>) -> Vec<(String, String)>,
}

/// The pinned versions of one go.mod.
pub(crate) struct Versions<'a> {
    go_mod: &'a str,
    main: String,
}

impl Versions<'_> {
    /// The version of the module that the unit is named for, for instance `v1.36.3`.
    pub(crate) fn main(&self) -> &str {
        &self.main
    }

    /// The version of another module of the same graph.
    pub(crate) fn of(&self, module: &str) -> Option<String> {
        required_version(self.go_mod, module)
    }
}

/// No variables.
pub(crate) fn no_variables(_: &Versions<'_>) -> Vec<(String, String)> {
    Vec::new()
}

/// The version at which a go.mod requires a module; a `replace` of the module with another version goes before.
fn required_version(go_mod: &str, module: &str) -> Option<String> {
    let mut required = None;
    let mut excluding = false;
    for line in go_mod.lines() {
        excluding = line == "exclude (" || excluding && line != ")";
        if excluding || line.starts_with("exclude ") {
            continue;
        }
        let words: Vec<&str> =
            line.split_whitespace().skip_while(|word| matches!(*word, "require" | "replace")).collect();
        match words.as_slice() {
            [name, "=>", target, version, ..] if *name == module && *target == module => {
                return Some((*version).into());
            }
            [name, version, ..] if *name == module && version.starts_with('v') => required = Some((*version).into()),
            _ => {}
        }
    }
    required
}

impl Unit {
    /// The pinned version, as its go.mod says.
    pub(crate) fn version(&self, paths: &Paths) -> Result<String> {
        let path = paths.go_module(self.graph).join("go.mod");
        let go_mod = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        required_version(&go_mod, self.version_of)
            .with_context(|| format!("{} does not require {}", path.display(), self.version_of))
    }

    /// Builds what is missing or was made of something else. Binaries are put in place by renaming, so that one that
    /// runs goes on with what it was.
    pub(crate) fn ensure(&self, bed: &Bed<'_>) -> Result<()> {
        let module = bed.paths.go_module(self.graph);
        let go_mod = std::fs::read_to_string(module.join("go.mod"))
            .with_context(|| format!("reading {}", module.join("go.mod").display()))?;
        let versions = Versions { go_mod: &go_mod, main: self.version(bed.paths)? };
        let flags = linker_flags(&(self.variables)(&versions));
        let compiler = Compiler::find(&go_mod)?;
        let inputs = self.inputs(&module, compiler.version(), &flags)?;
        let stamp = Stamp::new(bed.paths.bin().join(".stamps").join(self.name), inputs);
        if stamp.note().is_some() && self.binaries.iter().all(|(name, _)| bed.paths.binary(name).exists()) {
            return Ok(());
        }
        let names: Vec<&str> = self.binaries.iter().map(|(name, _)| *name).collect();
        bed.say(format!("building {} {}", names.join(", "), versions.main()));
        let output = bed.paths.bin().join(format!(".{}.tmp", self.name));
        files::remove_folder(&output)?;
        std::fs::create_dir_all(&output).with_context(|| format!("folder {}", output.display()))?;
        let mut build = compiler.command(bed.paths, &module);
        build.args(["build", "-v", "-ldflags", &flags, "-o"]).arg(output.join(""));
        build.args(self.binaries.iter().map(|(_, package)| package));
        command::long(bed, self.name, &mut build, &bed.paths.log(&format!("build-{}", self.name)), packages_so_far)?;
        for (name, package) in self.binaries {
            // The main of the module itself is named for the module.
            let made = output.join(Path::new(package).file_name().unwrap_or(self.graph.as_ref()));
            std::fs::rename(&made, bed.paths.binary(name))
                .with_context(|| format!("go build made no {}", made.display()))?;
        }
        files::remove_folder(&output)?;
        stamp.write(versions.main())?;
        bed.say(format!("built {}", names.join(", ")));
        Ok(())
    }

    /// Everything that decides about the binaries: the pinned graph, mains of ours, the compiler, the flags.
    fn inputs(&self, module: &Path, compiler: &str, flags: &str) -> Result<Inputs> {
        let mut inputs = Inputs::default();
        inputs.add("flags", flags.as_bytes());
        inputs.add("go", compiler.as_bytes());
        for name in ["go.mod", "go.sum"] {
            inputs.add_file(name, &module.join(name))?;
        }
        for (name, package) in self.binaries {
            inputs.add(name, package.as_bytes());
            if package.starts_with('.') {
                for source in go_sources(&module.join(package))? {
                    inputs.add_file(package, &source)?;
                }
            }
        }
        Ok(inputs)
    }
}

/// The sources of one package folder, sorted.
fn go_sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut all: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "go"))
        .collect();
    all.sort();
    Ok(all)
}

fn linker_flags(variables: &[(String, String)]) -> String {
    let set: String = variables.iter().map(|(name, value)| format!(" -X {name}={value}")).collect();
    format!("-s -w{set}")
}

fn packages_so_far(log: &Path) -> String {
    match std::fs::read_to_string(log) {
        Ok(text) if !text.is_empty() => {
            format!(
                ", {} packages compiled",
                text.lines().filter(|l| !l.starts_with("go: ") && l.contains('/')).count()
            )
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GO_MOD: &str = "module x\n\nrequire a.io/a v1.2.3\n\nrequire (\n\tb.io/b v0.0.0 // indirect\n\tc.io/c/v2 v2.1.0\n)\n\nreplace (\n\tb.io/b => b.io/b v0.36.3\n)\n\nexclude a.io/a v1.2.9\n\nexclude (\n\tc.io/c/v2 v2.2.0\n)\n";

    #[test]
    fn a_version_is_what_go_mod_pins() {
        assert_eq!(required_version(GO_MOD, "a.io/a").unwrap(), "v1.2.3");
        assert_eq!(required_version(GO_MOD, "b.io/b").unwrap(), "v0.36.3");
        assert_eq!(required_version(GO_MOD, "c.io/c/v2").unwrap(), "v2.1.0");
        assert_eq!(required_version(GO_MOD, "c.io/c"), None);
    }

    /// Otherwise the compiler's cache is of no use to one of what was compiled for the other, for minutes.
    #[test]
    fn cert_manager_is_built_with_what_kubernetes_is_built_with() {
        let graphs = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
        let [ours, kubernetes] = ["certmanager", "kubernetes"]
            .map(|graph| std::fs::read_to_string(graphs.join(graph).join("go.mod")).unwrap());
        let shared =
            ["api", "apimachinery", "client-go", "apiserver", "kube-openapi", "utils"].map(|m| format!("k8s.io/{m}"));
        let below = ["x/net", "x/sys", "x/text", "protobuf", "grpc"].map(|module| match module.split_once('/') {
            Some(_) => format!("golang.org/{module}"),
            None => format!("google.golang.org/{module}"),
        });
        for module in shared.iter().chain(&below) {
            let version = required_version(&kubernetes, module);
            assert!(version.is_some() && required_version(&ours, module) == version, "{module}: {version:?}");
        }
    }

    const UNIT: Unit = Unit {
        name: "u",
        graph: "u",
        binaries: &[("main", "./main"), ("tool", "a.io/a/tool")],
        version_of: "a.io/a",
        variables: no_variables,
    };

    #[test]
    fn a_changed_source_or_pin_changes_what_a_binary_is_keyed_by() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path();
        std::fs::create_dir_all(module.join("main")).unwrap();
        std::fs::create_dir_all(module.join("other")).unwrap();
        std::fs::write(module.join("go.mod"), "module x\n").unwrap();
        std::fs::write(module.join("go.sum"), "").unwrap();
        std::fs::write(module.join("main/main.go"), "package main").unwrap();
        let made = |compiler, flags| UNIT.inputs(module, compiler, flags).unwrap().digest();
        let digest = |flags| made("go version go1.26.8 linux/amd64", flags);
        let before = digest("-s");
        std::fs::write(module.join("other/main.go"), "package main").unwrap();
        assert_eq!(digest("-s"), before);
        assert_ne!(digest("-w"), before);
        assert_ne!(made("go version go1.26.9 linux/amd64", "-s"), before);
        std::fs::write(module.join("main/main.go"), "package main // changed").unwrap();
        assert_ne!(digest("-s"), before);
    }

    #[test]
    fn every_graph_pins_what_it_is_named_for_and_has_its_sums() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let paths = Paths::at(folder.path(), repository);
        for unit in crate::parts::all_units() {
            let version = unit.version(&paths).unwrap();
            assert!(version.starts_with('v'), "{}: {version}", unit.name);
            let sums = std::fs::read_to_string(paths.go_module(unit.graph).join("go.sum")).unwrap();
            assert!(sums.contains(&format!("{} {version}", unit.version_of)), "{}", unit.name);
        }
    }
}
