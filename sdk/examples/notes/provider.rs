//! The provider itself: its configuration and what it offers.

use std::sync::Arc;

use tfplugin::{
    AnyDataSource, AnyEphemeralResource, AnyResource, Attr, Context, Diagnostics, Function, Model, Provider,
    async_trait,
};

use crate::content::Content;
use crate::directory::Directory;
use crate::listing::Listing;
use crate::note::NoteResource;
use crate::slug::Slug;

/// Keeps notes as text files.
// This struct is the provider's schema, its decoding and its documentation: the doc comments are what the
// generated pages say.
#[derive(Model, Clone, Debug)]
pub struct Config {
    /// The directory in which the notes lie. It is made with the first note.
    #[attr(required)]
    pub directory: Attr<String>,
}

/// The provider. What `configure` learns goes to the resources through the shared [`Directory`]: Terraform asks
/// for the resources' schemas before it configures anything.
#[derive(Default)]
pub struct Notes {
    directory: Arc<Directory>,
}

#[async_trait]
impl Provider for Notes {
    type Config = Config;

    fn name(&self) -> &'static str {
        "notes"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![NoteResource::new(self.directory.clone()).into()]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![Listing::new(self.directory.clone()).into()]
    }

    fn ephemeral_resources(&self) -> Vec<AnyEphemeralResource> {
        vec![Content::new(self.directory.clone()).into()]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(Slug)]
    }

    async fn configure(&self, _cx: &Context, config: Config) -> Diagnostics {
        // At plan the directory may be unknown (another resource of the same run decides it). That is no
        // error: at apply it is known.
        if let Attr::Known(directory) = config.directory {
            self.directory.set(directory);
        }
        Diagnostics::new()
    }
}
