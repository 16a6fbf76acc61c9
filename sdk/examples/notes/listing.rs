//! A data source, with a list of nested objects as its result.

use std::sync::Arc;

use tfplugin::{Attr, Context, DataSource, Diagnostics, Model, async_trait};

use crate::directory::Directory;

/// The notes that there are, whether Terraform manages them or not.
#[derive(Model, Clone, Debug)]
pub struct ListingModel {
    /// Only files whose name begins so.
    #[attr(default = "")]
    pub prefix: Attr<String>,
    /// The files, sorted by name.
    #[attr(computed)]
    pub files: Attr<Vec<File>>,
}

/// A file. All attributes of an output object are computed.
#[derive(Model, Clone, Debug)]
pub struct File {
    /// Its name.
    #[attr(computed)]
    pub name: String,
    /// Its size in bytes.
    #[attr(computed)]
    pub size: i64,
}

pub struct Listing {
    directory: Arc<Directory>,
}

impl Listing {
    pub fn new(directory: Arc<Directory>) -> Listing {
        Listing { directory }
    }
}

#[async_trait]
impl DataSource for Listing {
    type Model = ListingModel;

    fn type_name(&self) -> &'static str {
        "notes_listing"
    }

    async fn read(&self, _cx: &Context, config: ListingModel) -> Result<(ListingModel, Diagnostics), Diagnostics> {
        let prefix = config.prefix.as_str().unwrap_or_default();
        let mut files = self.directory.files()?;
        files.retain(|(name, _)| name.starts_with(prefix));
        let files = files.into_iter().map(|(name, size)| File { name, size }).collect();
        Ok((ListingModel { files: Attr::Known(files), ..config }, Diagnostics::new()))
    }
}
