//! The application's configuration.

use serde_json::json;

use crate::kinds::{Desired, Kind};
use crate::objects::metadata;
use crate::spec::Spec;

/// The ConfigMap with what `config` says.
pub(crate) fn config_map(spec: &Spec) -> Desired {
    let body = json!({ "metadata": metadata(spec, "application"), "data": spec.config });
    Desired::new(Kind::ConfigMap, Some(&spec.names.namespace), &spec.names.config_map(), body)
}
