//! What the notes are kept in: the only place that touches the file system.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use tfplugin::{Diagnostic, Diagnostics, Path};

/// A directory that is known once the provider is configured.
#[derive(Default)]
pub struct Directory(RwLock<Option<PathBuf>>);

impl Directory {
    pub fn set(&self, path: impl Into<PathBuf>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(path.into());
    }

    /// Whether the directory is known. It may not be during a plan.
    pub fn is_known(&self) -> bool {
        self.path().is_ok()
    }

    fn path(&self) -> Result<PathBuf, Diagnostics> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(|| {
            let detail = "It depends on something that is only known after apply.";
            Diagnostics::error("The directory of the notes is not known yet", detail)
        })
    }

    /// The text of a file; `None` when it is certain that there is no such file.
    pub fn read(&self, file: &str) -> Result<Option<String>, Diagnostics> {
        let path = self.path()?.join(file);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // Anything else proves nothing about whether the note is there, so it is an error.
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    /// Makes a file. One that is there already is somebody's, and is refused.
    pub fn create(&self, file: &str, text: &str, import_id: &str) -> Result<(), Diagnostics> {
        let directory = self.path()?;
        fs::create_dir_all(&directory).map_err(|error| failed("make", &directory, &error))?;
        let path = directory.join(file);
        let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Diagnostic::error(
                format!("{} exists", path.display()),
                format!("To manage it with Terraform, import it: terraform import ADDRESS {import_id}"),
            )
            .at(Path::attribute("name"))
            .into()),
            Err(error) => Err(failed("write", &path, &error)),
        }
    }

    pub fn update(&self, file: &str, text: &str) -> Result<(), Diagnostics> {
        let path = self.path()?.join(file);
        fs::write(&path, text).map_err(|error| failed("write", &path, &error))
    }

    pub fn remove(&self, file: &str) -> Result<(), Diagnostics> {
        let path = self.path()?.join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path, &error)),
            _ => Ok(()),
        }
    }

    /// File names with their sizes in bytes, sorted by name.
    pub fn files(&self) -> Result<Vec<(String, i64)>, Diagnostics> {
        let directory = self.path()?;
        let wrong = |error: io::Error| failed("list", &directory, &error);
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(wrong)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(wrong)?;
            let size = entry.metadata().map_err(wrong)?.len();
            files.push((entry.file_name().to_string_lossy().into_owned(), i64::try_from(size).unwrap_or(i64::MAX)));
        }
        files.sort();
        Ok(files)
    }
}

/// The error names the operation, the object and the cause. Never the content: a note may be secret.
fn failed(verb: &str, path: &std::path::Path, error: &io::Error) -> Diagnostics {
    Diagnostics::error(format!("Cannot {verb} {}", path.display()), error.to_string())
}
