//! An ephemeral resource: a value for one run, never stored.

use std::sync::Arc;

use tfplugin::{Attr, Context, Diagnostic, Diagnostics, EphemeralResource, Model, Opened, Path, Private, async_trait};

use crate::directory::Directory;

/// The content of a file, for use where it must not be stored: in a provider's configuration or a write-only
/// attribute.
#[derive(Model, Clone, Debug)]
pub struct ContentModel {
    /// Name of the file, with its extension.
    #[attr(required)]
    pub file: Attr<String>,
    /// What it says.
    #[attr(computed, sensitive)]
    pub text: Attr<String>,
}

pub struct Content {
    directory: Arc<Directory>,
}

impl Content {
    pub fn new(directory: Arc<Directory>) -> Content {
        Content { directory }
    }
}

#[async_trait]
impl EphemeralResource for Content {
    type Model = ContentModel;

    fn type_name(&self) -> &'static str {
        "notes_content"
    }

    async fn open(&self, _cx: &Context, config: ContentModel) -> Result<Opened<ContentModel>, Diagnostics> {
        let file = config.file.as_str().unwrap_or_default();
        let text = self.directory.read(file)?.ok_or_else(|| {
            Diagnostic::error(format!("There is no file {file}"), "Make it first.").at(Path::attribute("file"))
        })?;
        Ok(Opened {
            result: ContentModel { text: text.into(), ..config },
            private: Private::default(),
            renew_at: None,
            diagnostics: Diagnostics::new(),
        })
    }
}
