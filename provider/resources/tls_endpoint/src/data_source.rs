//! The data source `ffe_certificate`: a certificate of cert-manager, whoever manages it.

use std::sync::Arc;

use ffe_session::checks::{dns_label, dns_subdomain};
use ffe_session::{Session, diagnostic};
use tfplugin::{Attr, Context, DataSource, Deferred, Diagnostic, Diagnostics, Model, Path, async_trait};

use crate::status;

/// A certificate of cert-manager: how long it is valid, who issued it, for which names, and, where it is not ready, why.
#[derive(Model, Clone, Debug)]
pub struct CertificateData {
    /// The namespace of the Certificate.
    #[attr(required, check = dns_label())]
    pub namespace: Attr<String>,
    /// The name of the Certificate; for one of an `ffe_tls_endpoint` its `secret_name`.
    #[attr(required, check = dns_subdomain())]
    pub name: Attr<String>,

    /// The Secret with certificate and key.
    #[attr(computed)]
    pub secret_name: Attr<String>,
    /// From when it is valid (RFC 3339).
    #[attr(computed)]
    pub not_before: Attr<String>,
    /// Until when it is valid (RFC 3339).
    #[attr(computed)]
    pub not_after: Attr<String>,
    /// When cert-manager renews it (RFC 3339).
    #[attr(computed)]
    pub renewal_time: Attr<String>,
    /// The distinguished name of its issuer.
    #[attr(computed)]
    pub issuer: Attr<String>,
    /// Its serial number, hexadecimal.
    #[attr(computed)]
    pub serial: Attr<String>,
    /// The names in it.
    #[attr(computed)]
    pub sans: Attr<Vec<Attr<String>>>,
    /// SHA-256 of the certificate, hexadecimal.
    #[attr(computed)]
    pub fingerprint_sha256: Attr<String>,
    /// Whether cert-manager calls it ready.
    #[attr(computed)]
    pub ready: Attr<bool>,
    /// What cert-manager says about it.
    #[attr(computed)]
    pub message: Attr<String>,
    /// The certificate with its chain, PEM. Never the key.
    #[attr(computed)]
    pub certificate_pem: Attr<String>,
    /// The authority's certificate, PEM; null where the issuer does not give it.
    #[attr(computed)]
    pub ca_certificate_pem: Attr<String>,
    /// Why it is not ready, or was not renewed in time; null where all is well.
    #[attr(computed)]
    pub diagnosis: Attr<CertificateDiagnosis>,
}

/// Why a certificate does not get on.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct CertificateDiagnosis {
    /// One word, such as `RateLimited`, `DnsMissing`, `TokenRefused`.
    #[attr(computed)]
    pub cause: Attr<String>,
    /// The cause in one sentence.
    #[attr(computed)]
    pub sentence: Attr<String>,
    /// What to do about it.
    #[attr(computed)]
    pub remedy: Attr<String>,
}

/// `ffe_certificate`.
pub struct CertificateDataSource {
    session: Arc<Session>,
}

impl CertificateDataSource {
    /// The data source, on the configured provider.
    pub fn new(session: Arc<Session>) -> CertificateDataSource {
        CertificateDataSource { session }
    }
}

#[async_trait]
impl DataSource for CertificateDataSource {
    type Model = CertificateData;

    fn type_name(&self) -> &'static str {
        "ffe_certificate"
    }

    async fn defer(&self, _cx: &Context, _config: &CertificateData) -> Option<Deferred> {
        self.session.deferral()
    }

    async fn read(
        &self,
        _cx: &Context,
        config: CertificateData,
    ) -> Result<(CertificateData, Diagnostics), Diagnostics> {
        let cluster = self.session.cluster().map_err(ffe_session::Unavailable::into_diagnostics)?;
        let (namespace, name) = (config.namespace.clone().unwrap_or_default(), config.name.clone().unwrap_or_default());
        let summary = format!("The certificate {namespace}/{name} could not be read");
        let found = match ffe_cert_manager::certificate(&cluster, &namespace, &name).await {
            Ok(found) => found,
            Err(ffe_cert_manager::Error::Cluster(error)) => return Err(diagnostic(&error, &summary).into()),
            Err(error) => {
                let advice = error.advice().map(|advice| format!("\n\n{advice}")).unwrap_or_default();
                return Err(Diagnostics::error(summary, format!("{error}{advice}")));
            }
        };
        let Some(found) = found else {
            return Err(Diagnostic::error(
                format!("There is no certificate {namespace}/{name}"),
                format!(
                    "Cluster {} has no Certificate of that name. See: kubectl get certificates --namespace {namespace}",
                    cluster.server()
                ),
            )
            .at(Path::attribute("name"))
            .into());
        };
        let pair = status::pair(&cluster, &namespace, &found.secret_name).await;
        let pair = pair.map_err(|error| Diagnostics::from(diagnostic(&error, &summary)))?;
        let status = status::status(&found, pair.as_ref());
        let well = found.status.ready && !found.status.overdue(jiff::Timestamp::now());
        let diagnosis = if well {
            Attr::Null
        } else {
            let why = ffe_cert_manager::diagnose(&cluster, &namespace, &name).await;
            Attr::Known(CertificateDiagnosis {
                cause: why.cause.as_str().into(),
                sentence: why.sentence.into(),
                remedy: why.remedy.into(),
            })
        };
        let text = |pem: Option<Vec<u8>>| pem.and_then(|pem| String::from_utf8(pem).ok()).into();
        let data = CertificateData {
            secret_name: found.secret_name.clone().into(),
            not_before: status.not_before,
            not_after: status.not_after,
            renewal_time: status.renewal_time,
            issuer: status.issuer,
            serial: status.serial,
            sans: status.sans,
            fingerprint_sha256: status.fingerprint_sha256,
            ready: status.ready,
            message: status.message,
            ca_certificate_pem: text(pair.as_ref().and_then(|pair| pair.authority.clone())),
            certificate_pem: text(pair.map(|pair| pair.chain)),
            diagnosis,
            ..config
        };
        Ok((data, Diagnostics::new()))
    }
}
