//! What is a pure function of the configuration, and so known at plan whenever the configuration is.

use ffe_cert_manager::{GROUP, account_secret};
use tfplugin::Attr;

use crate::model::{Issuer, IssuerRef};
use crate::secrets;

/// Fills `planned` in from `config`.
pub(crate) fn settle(config: &Issuer, planned: &mut Issuer) {
    if let (Attr::Known(planned), Attr::Known(given)) = (&mut planned.acme, &config.acme) {
        let default = config.name.as_ref().map(|name| account_secret(name));
        planned.private_key_secret = given.private_key_secret.clone().or(default);
    }
    planned.group = GROUP.into();
    planned.issuer_ref = Attr::Known(IssuerRef {
        name: config.name.clone(),
        kind: config.kind.clone().or("ClusterIssuer".into()),
        group: GROUP.into(),
    });
    if config.acme.is_null() {
        planned.acme_account_uri = Attr::Null;
    }
    if secrets::are_none(config) {
        planned.credentials_revision = Attr::Null;
    }
    // What an apply comes to: nothing that drifted is left. Where a refresh found some, this makes the plan a change.
    planned.drifted = Attr::Known(Vec::new());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::{acme, issuer, settled};

    #[test]
    fn an_endpoint_can_refer_to_it_before_it_is_made() {
        let planned = settled(acme(json!({})));
        let reference = planned.issuer_ref.known().unwrap();
        assert_eq!(
            (reference.name.as_str(), reference.kind.as_str(), reference.group.as_str()),
            (Some("le"), Some("ClusterIssuer"), Some("cert-manager.io"))
        );
        assert_eq!(planned.acme.known().unwrap().private_key_secret.as_str(), Some("le-account"));
        let one = settled(json!({ "name": "le", "kind": "Issuer", "namespace": "ffe", "self_signed": {} }));
        assert_eq!(one.issuer_ref.known().unwrap().kind.as_str(), Some("Issuer"));
        assert_eq!((one.acme_account_uri, one.credentials_revision), (Attr::Null, Attr::Null));
        let unknown = settled(json!({ "name": "?", "self_signed": {} }));
        assert!(unknown.issuer_ref.known().unwrap().name.is_unknown());
    }

    #[test]
    fn there_is_a_revision_only_where_there_are_credentials() {
        let revision = |config: Json| {
            let config = issuer(config);
            let mut planned = Issuer { credentials_revision: Attr::Unknown, ..config.clone() };
            settle(&config, &mut planned);
            planned.credentials_revision
        };
        let by = |solver: Json| acme(json!({ "solvers": [{ "http01": {} }, solver] }));
        assert_eq!(revision(by(json!({ "dns01_cloudflare": { "api_token_wo": "x" } }))), Attr::Unknown);
        assert_eq!(revision(by(json!({ "dns01_rfc2136": { "nameserver": "10.0.0.53" } }))), Attr::Null);
        assert_eq!(revision(by(json!({ "dns01_route53": {} }))), Attr::Null);
        assert_eq!(revision(by(json!("?"))), Attr::Unknown);
        assert_eq!(revision(json!({ "name": "le", "acme": "?" })), Attr::Unknown);
        assert_eq!(revision(json!({ "name": "le", "self_signed": {} })), Attr::Null);
    }
}
