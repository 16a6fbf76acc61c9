//! The step of the secrets: what `secrets_wo` and `database.url_wo` say, and the digests by which a later plan sees
//! that they changed.

use std::collections::BTreeMap;

use ffe_cluster::{Mark, Originals, Standing};
use tfplugin::{Diagnostic, Diagnostics};

use super::{Claimed, Done, Run, failed};
use crate::connection;
use crate::kinds::Desired;
use crate::objects::secrets;
use crate::spec::DatabaseSpec;

/// Attribute names under which digests are recorded.
pub(crate) const SECRETS: &str = "secrets_wo";
/// See [`SECRETS`].
pub(crate) const URL: &str = "database.url_wo";

/// The values that an attribute's digest is made of.
pub(crate) fn bytes<'a>(values: impl IntoIterator<Item = (&'a String, &'a String)>) -> BTreeMap<String, Vec<u8>> {
    values.into_iter().map(|(key, value)| (key.clone(), value.clone().into_bytes())).collect()
}

/// The one value of `database.url_wo`.
pub(crate) fn url_bytes(url: &str) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([("url".to_owned(), url.as_bytes().to_vec())])
}

/// One token for all write-only values.
pub(crate) fn revision(digests: &ffe_cluster::Digests) -> Option<String> {
    let secrets = digests.revision(SECRETS)?;
    Some(match digests.revision(URL) {
        Some(url) => format!("{secrets}-{url}"),
        None => secrets.to_owned(),
    })
}

impl Run<'_> {
    pub(super) async fn apply_secrets(&self, claimed: &[Claimed], done: &mut Done) -> Result<(), Diagnostics> {
        let names = &self.spec.names;
        let content = self.secrets();
        self.apply_content(claimed, secrets::app(self.spec, Some(&content)), done).await?;

        let url = match self.spec.database {
            DatabaseSpec::External => Some(self.external_url()?),
            _ => None,
        };
        if let Some(url) = &url {
            let keys = connection::external(url).map_err(|wrong| {
                Diagnostic::error("Invalid value for database.url_wo", format!("{wrong}. Its value is not shown."))
                    .at(tfplugin::Path::attribute("database").child("url_wo"))
            })?;
            self.apply_content(claimed, secrets::connection(self.spec, Some(&keys)), done).await?;
        } else if self.spec.database == DatabaseSpec::None {
            self.remove_connection().await?;
        }

        // After the Secrets: a run that ends in between leaves a digest that differs, and so a plan that says so.
        let owner = Mark::complete(names.owner(), &self.run_id);
        let summary = "The digests of the secrets could not be recorded";
        let mut digests = self.cluster.digests(&names.namespace, &owner).await.map_err(failed(summary))?;
        digests.record(self.cluster, SECRETS, &bytes(&content)).await.map_err(failed(summary))?;
        match &url {
            Some(url) => drop(digests.record(self.cluster, URL, &url_bytes(url)).await.map_err(failed(summary))?),
            None if digests.revision(URL).is_some() => {
                digests.forget(self.cluster, URL).await.map_err(failed(summary))?
            }
            None => {}
        }
        done.secrets_revision = revision(&digests);
        Ok(())
    }

    fn secrets(&self) -> BTreeMap<String, String> {
        crate::settle::known_texts(&self.config.secrets_wo).into_known().unwrap_or_default()
    }

    /// Applies an object with its content, under the mark that was found for it without.
    pub(super) async fn apply_content(
        &self,
        claimed: &[Claimed],
        desired: Desired,
        done: &mut Done,
    ) -> Result<(), Diagnostics> {
        let place = claimed.iter().find(|claimed| claimed.found.desired.reference == desired.reference);
        let place = place.ok_or_else(|| {
            let summary = format!("{} was not looked at", desired.reference);
            Diagnostics::error(summary, "This is a bug in the provider; please report it.")
        })?;
        self.apply_object(&desired, place, done).await
    }

    fn external_url(&self) -> Result<String, Diagnostics> {
        let url = self.config.database.known().and_then(|database| database.url_wo.as_str());
        url.map(str::to_owned).ok_or_else(|| {
            Diagnostic::error(
                "An external database needs its URL",
                "database.url_wo has no value in this run. It is write-only, so it must be given on every apply: \
                 postgresql://user:password@host:5432/name.",
            )
            .at(tfplugin::Path::attribute("database").child("url_wo"))
            .into()
        })
    }

    /// An external database was taken out of the configuration: its Secret goes. A bundled one cannot be.
    async fn remove_connection(&self) -> Result<(), Diagnostics> {
        let summary = "The Secret of the former database could not be removed";
        let (object, owner) = (secrets::connection(self.spec, None).reference, self.spec.names.owner());
        let removed = match self.cluster.standing(&object, &owner).await.map_err(failed(summary))? {
            Standing::Made(made) => made.delete(self.cluster).await.map(drop),
            Standing::Adopted(adopted) => {
                adopted.give_back(self.cluster, &Originals::new(&self.spec.names.namespace, &owner)).await
            }
            Standing::Absent | Standing::Others(_) => Ok(()),
        };
        removed.map_err(failed(summary))
    }
}
