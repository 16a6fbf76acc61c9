//! Programs built from the Go module registry, each once.

mod compiler;
mod instead;
pub(crate) mod module;
mod versions;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::bed::Bed;
use crate::command;
use crate::files;
use crate::paths::Paths;
use crate::stamp::{Inputs, Stamp};
use compiler::Compiler;
use versions::required_version;

pub(crate) use versions::Versions;

/// The same for every unit: with another, a package would be compiled once more. Nobody debugs these programs, and what
/// debuggers read is a seventh of the compiler's work.
const COMPILER_FLAGS: &str = "-gcflags=all=-dwarf=false";

/// Binaries that one `go build` makes of one module graph in `testbed/go`.
pub(crate) struct Unit {
    /// Names the stamp and the log.
    pub(crate) name: &'static str,
    /// Folder below `testbed/go` with go.mod and go.sum.
    pub(crate) graph: &'static str,
    /// Binary and package; one that begins with `./` is a main of ours. Several names of one package are one file.
    pub(crate) binaries: &'static [(&'static str, &'static str)],
    /// The module whose pinned version is the binaries' version.
    pub(crate) version_of: &'static str,
    /// Build tags, joined by commas: what a program can do is chosen by them.
    pub(crate) tags: &'static str,
    /// Variables that the linker sets, given that version.
    pub(crate) variables: fn(&Versions<'_>) -> Vec<(String, String)>,
    /// About how many seconds of one processor it takes to build after the units before it: only for telling how long a
    /// first build takes.
    pub(crate) seconds: u32,
}

/// No variables.
pub(crate) fn no_variables(_: &Versions<'_>) -> Vec<(String, String)> {
    Vec::new()
}

/// How a unit is built, and whether it was.
struct Plan {
    graph: PathBuf,
    version: String,
    flags: String,
    compiler: Compiler,
    stamp: Stamp,
}

impl Plan {
    /// `go build` or `go list` of a unit's packages.
    fn go(&self, paths: &Paths, arguments: &[&str]) -> Result<Command> {
        let mut go = self.compiler.command(paths, &self.graph);
        go.args(arguments);
        if let Some(go_mod) = instead::go_mod(paths, &self.compiler, &self.graph)? {
            go.arg(format!("-modfile={}", go_mod.display()));
        }
        Ok(go)
    }
}

impl Unit {
    /// The pinned version, as its go.mod says.
    pub(crate) fn version(&self, paths: &Paths) -> Result<String> {
        let path = paths.go_module(self.graph).join("go.mod");
        let go_mod = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        required_version(&go_mod, self.version_of)
            .with_context(|| format!("{} does not require {}", path.display(), self.version_of))
    }

    /// Whether its binaries are there and were made of what is pinned now.
    pub(crate) fn is_built(&self, paths: &Paths) -> Result<bool> {
        Ok(self.is_made(paths, &self.plan(paths)?))
    }

    /// Fetches the modules that it is compiled of, unless it is built.
    pub(crate) fn fetch(&self, bed: &Bed<'_>) -> Result<()> {
        let plan = self.plan(bed.paths)?;
        if self.is_made(bed.paths, &plan) {
            return Ok(());
        }
        let mut list = plan.go(bed.paths, &["list", "-tags", self.tags, "-deps", "-f", "{{.ImportPath}}"])?;
        command::output(list.args(self.packages())).map(|_| ())
    }

    /// Builds what is missing or was made of something else. Binaries are put in place by renaming, so that one that
    /// runs goes on with what it was.
    pub(crate) fn ensure(&self, bed: &Bed<'_>) -> Result<()> {
        let plan = self.plan(bed.paths)?;
        if self.is_made(bed.paths, &plan) {
            return Ok(());
        }
        let names: Vec<&str> = self.binaries.iter().map(|(name, _)| *name).collect();
        bed.say(format!("building {} {}", names.join(", "), plan.version));
        let output = bed.paths.bin().join(format!(".{}.tmp", self.name));
        files::remove_folder(&output)?;
        std::fs::create_dir_all(&output).with_context(|| format!("folder {}", output.display()))?;
        let flags = ["build", "-v", "-tags", self.tags, COMPILER_FLAGS, "-ldflags", &plan.flags];
        let mut build = plan.go(bed.paths, &flags)?;
        build.arg("-o").arg(output.join("")).args(self.packages());
        let log = bed.paths.log(&format!("build-{}", self.name));
        let cost = command::long(bed, self.name, &mut build, &log, packages_so_far)?;
        for (name, package) in self.binaries {
            // The main of the module itself is named for the module.
            let made = output.join(Path::new(package).file_name().unwrap_or(self.graph.as_ref()));
            put(&made, &bed.paths.binary(name))?;
        }
        files::remove_folder(&output)?;
        plan.stamp.write(&plan.version)?;
        bed.say(format!("built {} ({cost})", names.join(", ")));
        Ok(())
    }

    fn plan(&self, paths: &Paths) -> Result<Plan> {
        let graph = paths.go_module(self.graph);
        let path = graph.join("go.mod");
        let go_mod = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let version = self.version(paths)?;
        let flags = linker_flags(&(self.variables)(&Versions::new(&go_mod, version.clone())));
        let compiler = Compiler::find(&go_mod)?;
        let inputs = self.inputs(&graph, compiler.version(), &flags)?;
        let stamp = Stamp::new(paths.bin().join(".stamps").join(self.name), inputs);
        Ok(Plan { graph, version, flags, compiler, stamp })
    }

    fn is_made(&self, paths: &Paths, plan: &Plan) -> bool {
        plan.stamp.note().is_some() && self.binaries.iter().all(|(name, _)| paths.binary(name).exists())
    }

    /// What it is compiled of, each package once.
    fn packages(&self) -> Vec<&'static str> {
        let mut all: Vec<&str> = self.binaries.iter().map(|(_, package)| *package).collect();
        all.dedup();
        all
    }

    /// Everything that decides about the binaries: the pinned graph, mains and packages of ours, the compiler, the
    /// flags.
    fn inputs(&self, graph: &Path, compiler: &str, flags: &str) -> Result<Inputs> {
        let mut inputs = Inputs::default();
        inputs.add("flags", flags.as_bytes());
        inputs.add("compiler's flags", COMPILER_FLAGS.as_bytes());
        if !self.tags.is_empty() {
            inputs.add("tags", self.tags.as_bytes());
        }
        inputs.add("go", compiler.as_bytes());
        for name in ["go.mod", "go.sum"] {
            inputs.add_file(name, &graph.join(name))?;
        }
        for source in instead::sources(graph)? {
            inputs.add_file(&source.strip_prefix(graph).unwrap_or(&source).display().to_string(), &source)?;
        }
        for (name, package) in self.binaries {
            inputs.add(name, package.as_bytes());
            if package.starts_with('.') {
                for source in go_sources(&graph.join(package))? {
                    inputs.add_file(package, &source)?;
                }
            }
        }
        Ok(inputs)
    }
}

/// Gives a built file its place, and leaves it where it was built for its other names.
fn put(made: &Path, place: &Path) -> Result<()> {
    let beside = files::neighbour(place);
    files::remove_file(&beside).with_context(|| format!("removing {}", beside.display()))?;
    files::link(made, &beside)?;
    std::fs::rename(&beside, place).with_context(|| format!("putting a program to {}", place.display()))
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

    /// Otherwise the compiler's cache is of no use to one of what was compiled for the other, for minutes.
    #[test]
    fn everything_is_built_with_what_kubernetes_is_built_with() {
        let graph = |name: &str| std::fs::read_to_string(graphs().join(name).join("go.mod")).unwrap();
        let (kubernetes, traefik) = (graph("kubernetes"), graph("traefik"));
        let below = ["net", "sys", "text", "crypto"].map(|module| format!("golang.org/x/{module}"));
        let shared = ["api", "apimachinery", "client-go", "kube-openapi", "utils", "klog/v2"]
            .map(|module| format!("k8s.io/{module}"));
        let more = ["google.golang.org/protobuf", "google.golang.org/grpc", "github.com/json-iterator/go"];
        for module in shared.iter().chain(&below).map(String::as_str).chain(more) {
            let version = required_version(&kubernetes, module);
            assert!(version.is_some(), "{module}");
            assert_eq!(required_version(&traefik, module), version, "{module}");
        }
        // What else has client-go in it, both Helms too, is of that one graph.
        let kubernetes = ["kubernetes", "traefik"];
        for unit in crate::parts::all_units().iter().filter(|unit| !kubernetes.contains(&unit.graph)) {
            assert_eq!(required_version(&graph(unit.graph), "k8s.io/client-go"), None, "{}", unit.name);
        }
        let minor = |module: &str| required_version(&graph("kubernetes"), module).unwrap().rsplit_once("37.").is_some();
        assert!(minor("k8s.io/kubernetes") && minor("k8s.io/client-go"));
    }

    fn graphs() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("go")
    }

    #[test]
    fn several_names_of_one_program_are_one_file() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("node");
        std::fs::write(&made, "new").unwrap();
        let places = ["kubelet", "kube-proxy"].map(|name| folder.path().join(name));
        std::fs::write(&places[0], "old").unwrap();
        for place in &places {
            put(&made, place).unwrap();
            assert_eq!(std::fs::read_to_string(place).unwrap(), "new");
        }
        let [one, other] = places.map(|place| std::fs::metadata(place).unwrap().ino());
        assert_eq!(one, other);
    }

    const UNIT: Unit = Unit {
        name: "u",
        graph: "u",
        binaries: &[("main", "./main"), ("tool", "a.io/a/tool")],
        version_of: "a.io/a",
        tags: "",
        variables: no_variables,
        seconds: 1,
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
        let changed = digest("-s");
        assert_ne!(changed, before);
        std::fs::create_dir_all(module.join("instead/a.io/a/dns")).unwrap();
        std::fs::write(module.join("instead/a.io/a/dns/dns.go"), "package dns").unwrap();
        assert_ne!(digest("-s"), changed);
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
