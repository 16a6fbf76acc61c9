//! The write-only values that an issuer reads: in a Secret where cert-manager looks for it, and a keyed digest of each beside,
//! by which a plan knows whether one has changed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ffe_cluster::{Cluster, Comparison, Digests, Mark, Result, public_digest};
use serde_json::{Value as Json, json};
use tfplugin::{Attr, Diagnostic, Path};

use crate::{Session, Unavailable};

/// Under which digests are recorded; the entry follows.
const ATTRIBUTE: &str = "issuer.credentials.";

/// One of them. Not `Debug`: it may hold the secret.
#[derive(Clone)]
pub struct Credential {
    /// Its entry in the Secret.
    pub entry: String,
    /// The attribute.
    pub path: Path,
    /// As configured.
    pub value: Attr<String>,
    /// What speaks for it, where that is set.
    pub version: Attr<String>,
    /// A token at Cloudflare: where it is not configured, it is the provider's own.
    pub is_at_cloudflare: bool,
}

impl Credential {
    /// The value, where it is known.
    pub fn known(&self) -> Option<&str> {
        self.value.as_str()
    }

    fn attribute(&self) -> String {
        attribute(&self.entry)
    }
}

fn attribute(entry: &str) -> String {
    format!("{ATTRIBUTE}{entry}")
}

fn bytes(value: &[u8]) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([("secret".to_owned(), value.to_vec())])
}

/// Fills in the provider's own token where the configuration leaves it to that.
///
/// # Errors
/// When the provider has none either.
pub fn complete(credentials: &mut [Credential], session: &Session) -> std::result::Result<(), Diagnostic> {
    for one in credentials.iter_mut().filter(|one| one.is_at_cloudflare && one.value.is_null()) {
        one.value = match session.cloudflare() {
            Ok(client) => client.token().to_owned().into(),
            Err(Unavailable::Unknown) => Attr::Unknown,
            Err(Unavailable::Invalid(_)) => {
                return Err(Diagnostic::error(
                    "dns01_cloudflare needs a token",
                    "Set api_token_wo to an API token with Zone.Zone:Read and Zone.DNS:Edit on the hosts' zone, or \
                     cloudflare.api_token of provider \"ffe\" (environment variable CLOUDFLARE_API_TOKEN), which is taken then. It is \
                     written into the Secret that cert-manager reads, and stored nowhere else.",
                )
                .at(one.path.clone()));
            }
        };
    }
    Ok(())
}

/// Whether one for which no version speaks is another than was recorded, or is not known yet.
pub fn differ(credentials: &[Credential], digests: Option<&Digests>) -> bool {
    credentials.iter().filter(|one| one.version.is_null()).any(|one| match one.value.as_str() {
        // It comes from something that is made or changed in the same run.
        None => true,
        Some(value) => {
            let compared = digests.map(|digests| digests.compare(&one.attribute(), &bytes(value.as_bytes())));
            compared != Some(Comparison::Same)
        }
    })
}

/// Whether what stands in the Secret under an entry is what was recorded.
pub fn is_as_recorded(digests: &Digests, entry: &str, content: Option<&[u8]>) -> bool {
    content.is_some_and(|content| digests.compare(&attribute(entry), &bytes(content)) == Comparison::Same)
}

/// Records the digests, once the Secret is written: a run that ends in between leaves digests that differ, and so a plan that
/// says so. Returns the revision.
///
/// # Errors
/// Those of requests.
pub async fn record(
    cluster: &Cluster,
    namespace: &str,
    owner: &Mark,
    credentials: &[Credential],
) -> Result<Option<String>> {
    if credentials.is_empty() {
        return Ok(None);
    }
    let mut digests = cluster.digests(namespace, owner).await?;
    for one in credentials {
        digests.record(cluster, &one.attribute(), &bytes(one.known().unwrap_or_default().as_bytes())).await?;
    }
    Ok(Some(revision(&digests, credentials.iter().map(|one| one.entry.as_str()))))
}

/// What changes when one of them does. Cannot be used to find them out. Nothing recorded is a revision too.
pub fn revision<'a>(digests: &Digests, entries: impl IntoIterator<Item = &'a str>) -> String {
    let recorded: Vec<(&str, String)> = entries
        .into_iter()
        .map(|entry| (entry, digests.revision(&attribute(entry)).unwrap_or_default().to_owned()))
        .collect();
    let mut digest = public_digest(recorded.iter().map(|(entry, revision)| (*entry, revision.as_str())));
    digest.truncate(16);
    digest
}

/// The Secret, without labels; its content only where all of them are known.
pub fn secret(name: &str, namespace: &str, credentials: &[Credential]) -> Json {
    let mut object = json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": name, "namespace": namespace } });
    let content: Option<Vec<(&str, &str)>> =
        credentials.iter().map(|one| Some((one.entry.as_str(), one.known()?))).collect();
    if let Some(content) = content {
        let data: serde_json::Map<String, Json> =
            content.into_iter().map(|(entry, value)| (entry.to_owned(), Json::from(STANDARD.encode(value)))).collect();
        object["data"] = Json::Object(data);
    }
    object
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::Owner;
    use ffe_cluster_testing::FakeApi;

    use super::*;

    fn one(entry: &str, value: Attr<String>, version: Attr<String>) -> Credential {
        Credential { entry: entry.to_owned(), path: Path::root(), value, version, is_at_cloudflare: false }
    }

    fn plain(entry: &str, value: &str) -> Credential {
        one(entry, value.into(), Attr::Null)
    }

    #[tokio::test]
    async fn each_counts_by_its_version_or_by_itself() {
        let api = FakeApi::new();
        api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "ffe" } }));
        let (cluster, mark) = (api.cluster(), Mark::complete(Owner::new("ffe_issuer", "le"), "run"));
        let first = record(&cluster, "ffe", &mark, &[plain("a", "1"), plain("b", "2")]).await.unwrap().unwrap();
        let digests = cluster.find_digests("ffe", &mark.owner).await.unwrap();
        let digests = digests.as_ref();
        assert!(!differ(&[plain("a", "1"), plain("b", "2")], digests));
        assert!(differ(&[plain("a", "1"), plain("b", "3")], digests));
        assert!(differ(&[plain("a", "1"), plain("c", "2")], digests), "one that was never recorded");
        assert!(differ(&[plain("a", "1")], None));
        assert!(differ(&[one("a", Attr::Unknown, Attr::Null)], digests));
        assert!(!differ(&[one("a", "other".into(), "7".into())], digests), "its version speaks for it");
        assert_eq!(revision(digests.unwrap(), ["b", "a"]), first);
        assert!(is_as_recorded(digests.unwrap(), "a", Some(b"1")));
        assert!(!is_as_recorded(digests.unwrap(), "a", Some(b"2")));
        assert!(!is_as_recorded(digests.unwrap(), "a", None));
        let again = record(&cluster, "ffe", &mark, &[plain("a", "1"), plain("b", "2")]).await.unwrap().unwrap();
        assert_eq!(again, first);
        let changed = record(&cluster, "ffe", &mark, &[plain("a", "1"), plain("b", "3")]).await.unwrap().unwrap();
        assert_ne!(changed, first);
        assert_eq!(record(&cluster, "ffe", &mark, &[]).await.unwrap(), None);
    }

    #[test]
    fn a_token_that_is_left_to_the_provider_is_its_own() {
        let left = || [Credential { is_at_cloudflare: true, ..one("a", Attr::Null, Attr::Null) }, plain("b", "2")];
        let session = Session::new();
        let mut all = left();
        let refused = complete(&mut all, &session).unwrap_err();
        assert!(
            refused.detail.contains("api_token_wo") && refused.detail.contains("CLOUDFLARE_API_TOKEN"),
            "{refused}"
        );
        session.use_cloudflare(ffe_cloudflare::Cloudflare::new("t0ken", None).unwrap());
        let mut all = left();
        complete(&mut all, &session).unwrap();
        assert_eq!((all[0].known(), all[1].known()), (Some("t0ken"), Some("2")));
        let mut all = [Credential { is_at_cloudflare: true, ..plain("a", "own") }];
        complete(&mut all, &session).unwrap();
        assert_eq!(all[0].known(), Some("own"));
    }

    #[test]
    fn a_secret_has_all_of_its_content_or_none() {
        let whole = secret("le", "ffe", &[plain("a", "1"), plain("b", "2")]);
        assert_eq!(whole["data"], json!({ "a": STANDARD.encode("1"), "b": STANDARD.encode("2") }));
        assert!(secret("le", "ffe", &[plain("a", "1"), one("b", Attr::Unknown, Attr::Null)]).get("data").is_none());
    }
}
