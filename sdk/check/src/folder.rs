//! Folders with a configuration in them: their files, and the modules that are called from them.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use serde::Deserialize;

use crate::configuration::{Block, Configuration, Item, Variable};
use crate::expected::Expected;
use crate::report::{Note, Report};
use crate::written::{Entry, Written};
use crate::{CheckError, hcl, json};

/// A folder that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) folder: PathBuf,
    pub(crate) configuration: Configuration,
}

/// Every folder that was read, once.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    loaded: BTreeMap<PathBuf, Rc<Loaded>>,
}

/// Where a module's configuration is.
pub(crate) enum Source {
    Folder(PathBuf),
    /// To be fetched first.
    NotHere,
}

/// What `terraform init` has noted of the modules that it fetched: `.terraform/modules/modules.json`.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    /// Folders by the path of calls: `stack.database`.
    folders: BTreeMap<String, PathBuf>,
}

impl Manifest {
    /// Where the module that `caller` calls by `source` is. `key` is the path of calls that leads to it.
    pub(crate) fn find(&self, caller: &Loaded, key: &str, source: &str) -> Source {
        if source.starts_with("./") || source.starts_with("../") {
            return Source::Folder(normal(&caller.folder.join(source)));
        }
        self.folders.get(key).filter(|folder| folder.is_dir()).map_or(Source::NotHere, |it| Source::Folder(it.clone()))
    }
}

impl Modules {
    /// The configuration in a folder.
    pub(crate) fn load(&mut self, folder: &Path, report: &mut Report) -> Result<Rc<Loaded>, CheckError> {
        let folder = normal(folder);
        if let Some(loaded) = self.loaded.get(&folder) {
            return Ok(Rc::clone(loaded));
        }
        let configuration = read(&folder, report)?;
        let loaded = Rc::new(Loaded { folder: folder.clone(), configuration });
        self.loaded.insert(folder, Rc::clone(&loaded));
        Ok(loaded)
    }

    /// What `terraform init` has noted for a root module. That there is none is usual: nobody has run it.
    pub(crate) fn manifest(&self, root: &Loaded, report: &mut Report) -> Manifest {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Module {
            key: String,
            dir: PathBuf,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct File {
            modules: Vec<Module>,
        }
        let path = root.folder.join(".terraform/modules/modules.json");
        let Ok(text) = std::fs::read_to_string(&path) else { return Manifest::default() };
        match serde_json::from_str::<File>(&text) {
            Ok(file) => Manifest {
                folders: file.modules.into_iter().map(|it| (it.key, normal(&root.folder.join(it.dir)))).collect(),
            },
            Err(error) => {
                report.notes.push(Note { file: shown(&path), message: format!("not understood: {error}") });
                Manifest::default()
            }
        }
    }
}

/// Every folder at or below this one that has a configuration; not what `terraform init` has fetched.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>, CheckError> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let (mut files, mut folders) = (false, Vec::new());
        for entry in entries(&folder)? {
            // A link may lead in a circle.
            let is_link = entry.is_symlink();
            if entry.is_dir() && !is_link && !name(&entry).starts_with('.') {
                folders.push(entry);
            } else {
                files |= Syntax::of(&name(&entry)).is_some_and(|(_, use_)| use_ == Use::Configuration);
            }
        }
        if files {
            found.push(folder);
        }
        waiting.extend(folders);
    }
    found.sort();
    if found.is_empty() { Err(CheckError::NoConfiguration(shown(folder))) } else { Ok(found) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Native,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Configuration,
    Values,
}

impl Syntax {
    /// As Terraform and OpenTofu tell it by a file's name.
    fn of(name: &str) -> Option<(Syntax, Use)> {
        // What editors leave behind.
        if name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#')) {
            return None;
        }
        let endings = [
            (".tf", Syntax::Native, Use::Configuration),
            (".tofu", Syntax::Native, Use::Configuration),
            (".tf.json", Syntax::Json, Use::Configuration),
            (".tofu.json", Syntax::Json, Use::Configuration),
            (".tfvars", Syntax::Native, Use::Values),
            (".tfvars.json", Syntax::Json, Use::Values),
        ];
        endings.into_iter().find(|(ending, ..)| name.ends_with(ending)).map(|(_, syntax, use_)| (syntax, use_))
    }
}

fn read(folder: &Path, report: &mut Report) -> Result<Configuration, CheckError> {
    let mut configuration = Configuration::default();
    // What `*.tfvars` give.
    let mut given: Vec<Entry> = Vec::new();
    let mut any = false;
    for path in entries(folder)? {
        let Some((syntax, use_)) = Syntax::of(&name(&path)) else { continue };
        if path.is_dir() {
            continue;
        }
        any |= use_ == Use::Configuration;
        report.files += 1;
        let file = shown(&path);
        let mut unreadable = |message: String| report.unreadable.push(Note { file: file.clone(), message });
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                unreadable(format!("cannot be read: {error}"));
                continue;
            }
        };
        let items = match (syntax, use_) {
            (Syntax::Native, _) => hcl::read(&file, &text).map_err(|error| {
                let (line, column) = error.at;
                format!("cannot be parsed: line {line}, column {column}: {}", error.what)
            }),
            (Syntax::Json, Use::Configuration) => json::read(&file, &text),
            (Syntax::Json, Use::Values) => json::read_values(&file, &text),
        };
        match items {
            Ok(items) if use_ == Use::Configuration => configuration.add(items),
            Ok(items) => given.extend(items.into_iter().filter_map(|item| match item {
                Item::Attribute(entry) => Some(entry),
                Item::Block(_) | Item::Type(_) => None,
            })),
            Err(message) => unreadable(message),
        }
    }
    if !any {
        return Err(CheckError::NoConfiguration(shown(folder)));
    }
    for Entry { name, value, .. } in given {
        if let Some(variable) = name.and_then(|name| configuration.variables.get_mut(&name)) {
            variable.values.push(value);
        }
    }
    Ok(configuration)
}

impl Configuration {
    fn add(&mut self, items: Vec<Item>) {
        for item in items {
            let Item::Block(block) = item else { continue };
            match (block.kind.as_str(), block.labels.as_slice()) {
                ("variable", [name]) => {
                    let name = name.clone();
                    self.variables.insert(name, variable(&block));
                }
                ("locals", []) => {
                    let named = block.attributes().into_iter();
                    self.locals.extend(named.filter_map(|entry| entry.name.map(|name| (name, entry.value))));
                }
                ("terraform", []) => self.providers.extend(providers(&block)),
                _ => self.blocks.push(block),
            }
        }
    }
}

fn variable(block: &Block) -> Variable {
    let type_of = |item: &Item| match item {
        Item::Type(expected) => Some(expected.clone()),
        Item::Attribute(_) | Item::Block(_) => None,
    };
    Variable {
        expected: block.items.iter().find_map(type_of).unwrap_or(Expected::Any),
        values: block.attribute("default").into_iter().collect(),
    }
}

/// The sources of providers by their local names.
fn providers(terraform: &Block) -> Vec<(String, String)> {
    let source = |entry: Entry| match (entry.name, entry.value) {
        (Some(name), Written::Object(settings)) => {
            let source = settings.into_iter().find(|setting| setting.name.as_deref() == Some("source"))?;
            if let Written::Text(source) = source.value { Some((name, source)) } else { None }
        }
        _ => None,
    };
    let required = |item: &Item| match item {
        Item::Block(block) if block.kind == "required_providers" => block.attributes(),
        // As an attribute, in JSON.
        Item::Attribute(Entry { name: Some(name), value: Written::Object(entries), .. })
            if name == "required_providers" =>
        {
            entries.clone()
        }
        _ => Vec::new(),
    };
    terraform.items.iter().flat_map(required).filter_map(source).collect()
}

/// What lies in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CheckError> {
    let unreadable = |cause| CheckError::Unreadable { path: shown(folder), cause };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A path without `.`, and without `..` where a name stands before it.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    if normal.as_os_str().is_empty() { PathBuf::from(".") } else { normal }
}

/// As it is shown: `main.tf` and not `./main.tf`.
fn shown(path: &Path) -> String {
    path.strip_prefix("./").ok().filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(path).display().to_string()
}
