//! A managed resource, with everything that mostly comes up: replacement, defaults, values that follow from the
//! configuration, computed values, a write-only value, import.

use std::sync::Arc;

use tfplugin::{
    Applied, Attr, Check, Context, Create, Delete, Diagnostic, Diagnostics, Imported, Model, Path, Plan, Private, Read,
    Refreshed, Resource, Update, async_trait,
};

use crate::directory::Directory;

/// A note: one text file in the provider's directory.
#[derive(Model, Clone, Debug)]
pub struct Note {
    /// Name of the note. The file is named after it.
    #[attr(required, replace, check = file_name())]
    pub name: Attr<String>,
    /// What the note says. Conflicts with `text_wo`.
    #[attr(optional)]
    pub text: Attr<String>,
    /// What the note says, where that is secret: it is in the file only, never in a plan or in state.
    // The value is seen in the configuration alone, so a change of it cannot be noticed: `text_wo_version` is for
    // that.
    #[attr(optional, write_only, sensitive)]
    pub text_wo: Attr<String>,
    /// Change this to write a changed `text_wo`.
    #[attr(optional)]
    pub text_wo_version: Attr<i64>,
    /// How the text is written, which decides the file's extension.
    // A `default` makes the attribute optional and computed.
    #[attr(default = "plain", one_of("plain", "markdown"))]
    pub format: Attr<String>,
    /// Name of the file. Follows from `name` and `format`, so it is known at plan.
    #[attr(computed, replace)]
    pub file: Attr<String>,
    /// Size of the file in bytes.
    #[attr(computed)]
    pub size: Attr<i64>,
}

fn file_name() -> Check {
    Check::text("a file name without its extension, such as shopping-list", |text| {
        if text.is_empty() || text.starts_with('.') || text.contains(['/', '\\', '\0']) {
            Err(format!("{text:?} is none"))
        } else {
            Ok(())
        }
    })
}

pub struct NoteResource {
    directory: Arc<Directory>,
}

impl NoteResource {
    pub fn new(directory: Arc<Directory>) -> NoteResource {
        NoteResource { directory }
    }
}

#[async_trait]
impl Resource for NoteResource {
    type Model = Note;

    fn type_name(&self) -> &'static str {
        "notes_note"
    }

    /// Rules about several attributes at once; those of one attribute are its `check`.
    async fn validate(&self, _cx: &Context, config: &Note) -> Diagnostics {
        if config.text.is_known() && config.text_wo.is_known() {
            let detail = "A note has one text: set either text or text_wo.";
            return Diagnostic::error("text and text_wo conflict", detail).at(Path::attribute("text_wo")).into();
        }
        Diagnostics::new()
    }

    /// `file` is a pure function of the configuration. Filled in here, it is known at plan, and it changes only
    /// when `name` or `format` does; otherwise it would be "known after apply" in every change.
    fn settle(&self, _config: &Note, planned: &mut Note) {
        planned.file = match (&planned.name, &planned.format) {
            (Attr::Known(name), Attr::Known(format)) => file_of(name, format).into(),
            _ => Attr::Unknown,
        };
    }

    /// `size` is computed, so it is unknown in every plan that changes something. Here it can be known better.
    async fn plan(&self, _cx: &Context, plan: &mut Plan<Note>) -> Diagnostics {
        if plan.is_change()
            && plan.config.text_wo.is_null()
            && let Attr::Known(size) = plan.planned.text.as_ref().map(|text| size(text))
        {
            plan.planned.size = Attr::Known(size);
        }
        Diagnostics::new()
    }

    async fn create(&self, _cx: &Context, request: Create<Note>) -> Applied<Note> {
        let Create { config, planned: note, private } = request;
        let text = text_of(&config);
        // When nothing was made, there is no state: `Applied::failed`.
        match self.directory.create(file(&note), text, note.name.as_str().unwrap_or_default()) {
            Ok(()) => Applied::done(Note { size: Attr::Known(size(text)), ..note }, private),
            Err(errors) => Applied::failed(errors),
        }
    }

    async fn read(&self, _cx: &Context, request: Read<Note>) -> Refreshed<Note> {
        let Read { state: note, private } = request;
        if !self.directory.is_known() {
            return Refreshed::present(note, private);
        }
        match self.directory.read(file(&note)) {
            // Gone for certain: Terraform plans to make it again.
            Ok(None) => Refreshed::gone(),
            Ok(Some(text)) => {
                let size = Attr::Known(size(&text));
                // A secret text stays out of the state: a note without `text` was written from `text_wo`.
                let text = if note.text.is_null() { Attr::Null } else { Attr::Known(text) };
                Refreshed::present(Note { text, size, ..note }, private)
            }
            // With an error, the state stays as it was.
            Err(errors) => Refreshed::present(note, private).with(errors),
        }
    }

    async fn update(&self, _cx: &Context, request: Update<Note>) -> Applied<Note> {
        let Update { config, planned: note, private, .. } = request;
        let text = text_of(&config);
        match self.directory.update(file(&note), text) {
            Ok(()) => Applied::done(Note { size: Attr::Known(size(text)), ..note }, private),
            // Nothing was changed, so the prior state stays.
            Err(errors) => Applied::failed(errors),
        }
    }

    async fn delete(&self, _cx: &Context, request: Delete<Note>) -> Diagnostics {
        self.directory.remove(file(&request.state)).err().unwrap_or_default()
    }

    /// `terraform import notes_note.list shopping-list`
    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<Note>, Diagnostics> {
        for format in ["plain", "markdown"] {
            let file = file_of(id, format);
            if let Some(text) = self.directory.read(&file)? {
                let state = Note {
                    name: id.into(),
                    size: Attr::Known(size(&text)),
                    text: text.into(),
                    text_wo: Attr::Null,
                    text_wo_version: Attr::Null,
                    format: format.into(),
                    file: file.into(),
                };
                return Ok(Imported { state, private: Private::default(), diagnostics: Diagnostics::new() });
            }
        }
        let detail = "The identifier is the note's name: its file name without the extension.";
        Err(Diagnostics::error(format!("There is no note named {id}"), detail))
    }
}

fn file_of(name: &str, format: &str) -> String {
    format!("{name}.{}", if format == "markdown" { "md" } else { "txt" })
}

/// The file of a note whose plan is settled.
fn file(note: &Note) -> &str {
    note.file.as_str().unwrap_or_default()
}

fn text_of(config: &Note) -> &str {
    config.text.as_str().or(config.text_wo.as_str()).unwrap_or_default()
}

fn size(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}
