//! The configuration in the terms of the systems that carry it out.

use std::path::{Path as FsPath, PathBuf};
use std::time::Duration;

use ffe_cluster::Digests;
use ffe_cluster::k8s_openapi::api::core::v1::Secret as ClusterSecret;
use ffe_helm::Secret;
use ffe_helm::chart::{ChartRef, Source};
use ffe_helm::values::{Inputs as ValueInputs, Note, Origin, SetItem, SetList, Values, ValuesError, merge};
use sha2::{Digest as _, Sha256};
use tfplugin::{Attr, Diagnostic, Diagnostics, Field, Model as _, Path, Redactor, Schema, Value, logging, plan};
use tfplugin_redaction::passwords;

use crate::settings::model::{self, Release};
use crate::settings::telltale::is_telltale;

/// What a digest with a key begins with.
pub(crate) const KEYED: &str = "keyed:";
/// What a configuration did not have yet where a digest has no key. One in which it is set is another configuration.
const YOUNGER: [&[&str]; 3] =
    [&["undone_revisions"], &["migration", "allow_downgrade"], &["migration", "config_section"]];

/// A wholly known configuration, read once.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    /// The namespace of the release.
    pub namespace: String,
    /// The name of the release.
    pub name: String,
    /// Where the chart comes from.
    pub chart: ChartRef,
    /// All values merged.
    pub values: Values,
    /// What the state must not show: what write-only attributes hold, and what was learned of Secrets in the cluster.
    secrets: Vec<String>,
    /// How long the deployment may take.
    pub timeout: Duration,
    /// The configuration itself, for what is read from it as it is.
    pub config: Release,
}

impl Inputs {
    /// Reads a configuration that is wholly known. `chart_version` is the version that was found before, for a
    /// configuration that names none: see [`pinned_version`].
    ///
    /// # Errors
    /// When values or paths in it do not parse, with the attribute's path.
    pub(crate) fn read(config: &Release, chart_version: Option<&str>) -> Result<Inputs, Diagnostics> {
        let secrets = Release::schema().secrets(&config.to_value()).into_iter().map(str::to_owned).collect();
        Ok(Inputs {
            namespace: config.namespace.clone().unwrap_or_default(),
            name: config.name.clone().unwrap_or_default(),
            chart: chart_ref(config, chart_version),
            values: merged_values(config, true)?,
            timeout: duration(&config.timeout, 600),
            secrets,
            config: config.clone(),
        })
    }

    /// Whether a failed release is left as it is, by the user's own word.
    pub(crate) fn leaves_failed(&self) -> bool {
        let remediation = self.config.remediation.known();
        remediation.is_some_and(|remediation| remediation.strategy.as_str() == Some("none"))
    }

    /// What a user may want to know about the values, at their attributes.
    pub(crate) fn notes(&self) -> Diagnostics {
        let warning = |note: &Note| {
            let path = path_of(note.origin);
            Diagnostic::warning(format!("The value {path} may be read differently than it looks"), note.message.clone())
                .at(path)
        };
        self.values.notes().iter().map(warning).collect()
    }

    /// Learns what a Secret holds that pods of the release are given, so that their logs do not show it: entries that are named
    /// like a secret, and passwords in URLs. Others, such as the name of a database, are words that occur everywhere.
    pub(crate) fn learn(&mut self, secret: &ClusterSecret) {
        let data =
            secret.data.iter().flatten().filter_map(|(key, value)| Some((key, std::str::from_utf8(&value.0).ok()?)));
        for (key, value) in data {
            let found = if is_telltale(key) { vec![value.to_owned()] } else { passwords(value) };
            found.iter().for_each(|secret| logging::redact(secret));
            self.secrets.extend(found);
        }
        self.secrets.sort();
        self.secrets.dedup();
    }

    /// Masks the secrets of this release, and no others, in what the state or a plan keeps.
    pub(crate) fn redactor(&self) -> Redactor {
        Redactor::new(&self.secrets)
    }

    /// Keyed digest of everything that decides what a run does: a run that died is resumed only by one with the same.
    pub(crate) fn digest(&self, digests: &Digests, chart_digest: &str, schema: &Schema) -> String {
        let written = ffe_session::inputs::to_json(&self.config.to_value(), schema);
        let parts =
            [("chart", chart_digest.to_owned()), ("values", self.values.digest()), ("written", written.to_string())];
        let parts = parts.map(|(name, text)| (name.to_owned(), text.into_bytes()));
        format!("{KEYED}{}", digests.digest("inputs", &parts.into()))
    }

    /// Whether a digest in a journal is of these inputs. One without a key is of an earlier version of the provider.
    pub(crate) fn have(&self, recorded: &str, digests: &Digests, chart_digest: &str, schema: &Schema) -> bool {
        if recorded.starts_with(KEYED) {
            return recorded == self.digest(digests, chart_digest, schema);
        }
        recorded == self.digest_without_key(chart_digest, schema)
    }

    fn digest_without_key(&self, chart_digest: &str, schema: &Schema) -> String {
        let mut written = plan::without_write_only(schema, &self.config.to_value());
        YOUNGER.into_iter().for_each(|path| leave_out(&mut written, path));
        let mut hash = Sha256::new();
        hash.update(format!("{written:?}"));
        hash.update([0]);
        hash.update(chart_digest);
        hash.update([0]);
        hash.update(self.values.digest());
        hex::encode(&hash.finalize()[..16])
    }
}

/// Takes an attribute out that is not set.
fn leave_out(value: &mut Value, path: &[&str]) {
    let Value::Map(entries) = value else { return };
    match path {
        [name] if entries.get(*name).is_some_and(Value::is_null) => {
            entries.remove(*name);
        }
        [name, rest @ ..] if !rest.is_empty() => {
            if let Some(inner) = entries.get_mut(*name) {
                leave_out(inner, rest);
            }
        }
        _ => {}
    }
}

/// Where the chart comes from.
pub(crate) fn chart_ref(config: &Release, chart_version: Option<&str>) -> ChartRef {
    let written = ChartRef {
        chart: config.chart.clone().unwrap_or_default(),
        repository: config.repository.clone().into_known(),
        version: config.version.clone().into_known(),
        username: config.repository_username.clone().into_known(),
        password: config.repository_password_wo.clone().into_known().map(Secret::from),
        ca_file: config.ca_file.as_str().map(PathBuf::from),
        verify: config.provenance.known().is_some_and(|provenance| provenance.verify.known() == Some(&true)),
        keyring: config.provenance.known().and_then(|provenance| provenance.keyring.as_str()).map(PathBuf::from),
    };
    let has_one = |source: Source| source.is_local() || source.names_its_version();
    let has_one = written.version.is_some() || written.source(FsPath::new(".")).is_ok_and(has_one);
    let found = chart_version.filter(|_| !has_one).map(str::to_owned);
    ChartRef { version: written.version.clone().or(found), ..written }
}

/// The version of the chart that was found when it was chosen: "the newest" is looked for again only when the reference
/// changes, so that a change of something else never brings another chart along.
pub(crate) fn pinned_version<'a>(config: &Release, prior: Option<&'a Release>) -> Option<&'a str> {
    let prior = prior?;
    let same = config.chart == prior.chart && config.repository == prior.repository && config.version == prior.version;
    prior.chart_version.as_str().filter(|_| same)
}

/// A duration that the schema has checked; `default` seconds where it is not set.
pub(crate) fn duration(attribute: &Attr<String>, default: u64) -> Duration {
    attribute.as_str().and_then(|text| ffe_cluster::parse_duration(text).ok()).unwrap_or(Duration::from_secs(default))
}

/// The values of a configuration merged; unknown ones are left out, so that what is known can be checked early.
///
/// # Errors
/// When a document or a path does not parse, at its attribute.
pub(crate) fn merged_values(config: &Release, with_write_only: bool) -> Result<Values, Diagnostics> {
    let items = |list: &Attr<Vec<model::Set>>| list.known().into_iter().flatten().filter_map(set_item).collect();
    let inputs = ValueInputs {
        values: config
            .values
            .known()
            .into_iter()
            .flatten()
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect(),
        set: items(&config.set),
        set_list: config.set_list.known().into_iter().flatten().filter_map(set_list).collect(),
        set_wo: if with_write_only { items(&config.set_wo) } else { Vec::new() },
    };
    merge(&inputs).map_err(|error| values_diagnostic(&error).into())
}

/// The write-only values alone.
///
/// # Errors
/// When a path does not parse, at its attribute.
pub(crate) fn write_only_values(config: &Release) -> Result<Values, Diagnostics> {
    let set_wo = config.set_wo.known().into_iter().flatten().filter_map(set_item).collect();
    merge(&ValueInputs { set_wo, ..ValueInputs::default() }).map_err(|error| values_diagnostic(&error).into())
}

/// An entry of `set` or `set_wo` that is known.
pub(crate) fn set_item(set: &model::Set) -> Option<SetItem> {
    Some(SetItem {
        name: set.name.as_str()?.to_owned(),
        value: set.value.as_str()?.to_owned(),
        kind: set.kind.as_str().and_then(|kind| kind.parse().ok()).unwrap_or_default(),
    })
}

/// An entry of `set_list` that is known.
pub(crate) fn set_list(set: &model::SetList) -> Option<SetList> {
    let value = set.value.known()?.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
    Some(SetList { name: set.name.as_str()?.to_owned(), value })
}

fn values_diagnostic(error: &ValuesError) -> Diagnostic {
    let path = path_of(error.origin);
    Diagnostic::error(format!("Invalid value for {path}"), error.to_string()).at(path)
}

fn path_of(origin: Origin) -> Path {
    match origin {
        Origin::Values(index) => Path::attribute("values").index(index),
        Origin::Set(index) => Path::attribute("set").index(index),
        Origin::SetList(index) => Path::attribute("set_list").index(index),
        Origin::SetWo(index) => Path::attribute("set_wo").index(index),
        Origin::Merged => Path::attribute("values"),
    }
}

/// Whether anything in the configuration that a rendering depends on is still unknown.
pub(crate) fn has_unknown_inputs(config: &Release) -> bool {
    // What only the phases after the deployment look at may come later.
    const LATER: [&str; 5] = ["migration", "verify", "remediation", "timeout", "drift"];
    let config = config.to_value();
    let needed = config.as_map().into_iter().flatten().filter(|(name, _)| !LATER.contains(&name.as_str()));
    needed.into_iter().any(|(_, value)| !value.is_wholly_known())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;
    use tfplugin::Model as _;

    use super::*;

    #[test]
    fn what_a_secret_in_the_cluster_holds_is_masked_and_words_that_occur_everywhere_are_not() {
        let config = Release::from_value(&Release::schema().empty(), &Path::root()).unwrap();
        let mut inputs = Inputs::read(&config, None).unwrap();
        let data = json!({
            "DATABASE_URL": "postgresql://ffe:p%40ssw0rd-canary@ffe-postgres:5432/ffe",
            "PGPASSWORD": "p@ssw0rd-canary", "PGHOST": "ffe-postgres", "API_KEY": "key-canary", "TOKEN": "short",
        });
        let secret = ClusterSecret {
            data: Some(
                data.as_object()
                    .unwrap()
                    .iter()
                    .map(|(key, value)| {
                        (key.clone(), k8s_openapi::ByteString(value.as_str().unwrap().as_bytes().to_vec()))
                    })
                    .collect(),
            ),
            ..ClusterSecret::default()
        };
        inputs.learn(&secret);
        let text = "at ffe-postgres with p@ssw0rd-canary, p%40ssw0rd-canary and key-canary; short";
        assert_eq!(inputs.redactor().clean(text), "at ffe-postgres with (redacted), (redacted) and (redacted); short");
    }
}
