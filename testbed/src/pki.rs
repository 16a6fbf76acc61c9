//! Keys and certificates of the cluster, and the kubeconfig files that carry them.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use base64::Engine;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::files;
use crate::paths::Paths;

/// The cluster, the user and the context in the testbed's own kubeconfig.
const NAME: &str = "ffe-testbed";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const VALID: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Made anew when less than this is left.
const RENEW: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Who a certificate is for.
struct Subject<'a> {
    file: &'a str,
    name: &'a str,
    group: Option<&'a str>,
    /// Names and addresses of a server; none for a client.
    hosts: &'a [String],
}

/// Where the API is reached, for certificates and kubeconfig files.
pub(crate) struct Endpoints<'a> {
    /// The node's address.
    pub(crate) node_ip: Ipv4Addr,
    /// The address of the service `kubernetes`.
    pub(crate) service_ip: Ipv4Addr,
    pub(crate) node_name: &'a str,
    /// The URL that clients on the node and on this machine use.
    pub(crate) server: &'a str,
}

/// Whether there are keys for these endpoints that are valid for another month.
pub(crate) fn is_current(paths: &Paths, endpoints: &Endpoints<'_>) -> bool {
    let ends = |text: &str| text.lines().nth(1).and_then(|line| line.parse::<u64>().ok());
    std::fs::read_to_string(paths.pki().join("made-for")).is_ok_and(|text| {
        text.lines().next() == Some(made_for(endpoints).as_str())
            && ends(&text).is_some_and(|ends| ends > seconds_since_1970() + RENEW.as_secs())
    })
}

/// Makes everything anew: an authority, a certificate for each component, and the user's kubeconfig.
pub(crate) fn create(paths: &Paths, endpoints: &Endpoints<'_>) -> Result<()> {
    let folder = paths.pki();
    files::remove_folder(&folder)?;
    let authority = Authority::create(&folder, "ffe-testbed-ca")?;
    let api_hosts: Vec<String> = ["127.0.0.1".into(), endpoints.node_ip.to_string(), endpoints.service_ip.to_string()]
        .into_iter()
        .chain(["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(String::from))
        .chain(["kubernetes.default.svc.cluster.local".to_owned()])
        .collect();
    let node_hosts = [endpoints.node_ip.to_string(), "127.0.0.1".to_owned(), endpoints.node_name.to_owned()];
    let node = format!("system:node:{}", endpoints.node_name);
    let server = |file, name, hosts| Subject { file, name, group: None, hosts };
    let client = |file, name, group| Subject { file, name, group, hosts: &[] };
    authority.issue(&folder, &server("apiserver", "kube-apiserver", &api_hosts))?;
    authority.issue(&folder, &server("kubelet-server", endpoints.node_name, &node_hosts))?;
    authority.issue(&folder, &client("apiserver-kubelet", "kube-apiserver-kubelet-client", Some("system:masters")))?;
    authority.issue(&folder, &client("front-proxy", "front-proxy-client", None))?;
    for subject in [
        client("admin", "admin", Some("system:masters")),
        client("controller-manager", "system:kube-controller-manager", None),
        client("scheduler", "system:kube-scheduler", None),
        client("kubelet", &node, Some("system:nodes")),
        client("kube-proxy", "system:kube-proxy", None),
        client("volumes", "ffe-testbed:volumes", Some("system:masters")),
    ] {
        let (certificate, key) = authority.issue(&folder, &subject)?;
        let kubeconfig = kubeconfig(NAME, endpoints.server, &authority.pem, &certificate, &key);
        files::write_atomically(&folder.join(format!("{}.kubeconfig", subject.file)), kubeconfig.as_bytes(), 0o600)?;
        if subject.file == "admin" {
            files::write_atomically(&paths.kubeconfig(), kubeconfig.as_bytes(), 0o600)?;
        }
    }
    let service_accounts = KeyPair::generate()?;
    files::write_atomically(&folder.join("sa.key"), service_accounts.serialize_pem().as_bytes(), 0o600)?;
    files::write_atomically(&folder.join("sa.pub"), service_accounts.public_key_pem().as_bytes(), 0o644)?;
    // Last: it says that the rest is complete.
    let ends = seconds_since_1970() + VALID.as_secs();
    files::write_atomically(&folder.join("made-for"), format!("{}\n{ends}\n", made_for(endpoints)).as_bytes(), 0o644)
}

/// Makes an authority (`ca.crt`, `ca.key`) and the certificate of one server (`FILE.crt`, `FILE.key`) in a folder, with
/// nothing to do with the cluster's. `hosts` are the server's names and addresses.
pub(crate) fn server(folder: &Path, authority: &str, file: &str, hosts: &[String]) -> Result<()> {
    let name = hosts.first().map_or(file, String::as_str);
    Authority::create(folder, authority)?.issue(folder, &Subject { file, name, group: None, hosts }).map(|_| ())
}

/// A kubeconfig with the administrator's keys, for another server that trusts the same authority and has the API
/// server's certificate. `name` is that of its context. To be kept from others.
pub(crate) fn administrator(paths: &Paths, name: &str, server: &str) -> Result<String> {
    let read = |file: &str| {
        let path = paths.pki().join(file);
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    Ok(kubeconfig(name, server, &read("ca.crt")?, &read("admin.crt")?, &read("admin.key")?))
}

fn made_for(endpoints: &Endpoints<'_>) -> String {
    format!("{} {} {} {}", endpoints.node_ip, endpoints.service_ip, endpoints.node_name, endpoints.server)
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn create(folder: &Path, name: &str) -> Result<Self> {
        let mut parameters = parameters(name, None);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("generating the authority's key")?;
        let pem = parameters.self_signed(&key).context("signing the authority's certificate")?.pem();
        files::write_atomically(&folder.join("ca.crt"), pem.as_bytes(), 0o644)?;
        files::write_atomically(&folder.join("ca.key"), key.serialize_pem().as_bytes(), 0o600)?;
        Ok(Self { issuer: Issuer::new(parameters, key), pem })
    }

    /// Writes FILE.crt and FILE.key, and returns both as PEM.
    fn issue(&self, folder: &Path, subject: &Subject<'_>) -> Result<(String, String)> {
        let issue = || -> Result<(String, String)> {
            let mut parameters = CertificateParams::new(subject.hosts.to_vec())?;
            let named = self::parameters(subject.name, subject.group);
            (parameters.distinguished_name, parameters.not_before, parameters.not_after) =
                (named.distinguished_name, named.not_before, named.not_after);
            parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
            parameters.extended_key_usages = vec![if subject.hosts.is_empty() {
                ExtendedKeyUsagePurpose::ClientAuth
            } else {
                ExtendedKeyUsagePurpose::ServerAuth
            }];
            parameters.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate()?;
            let certificate = parameters.signed_by(&key, &self.issuer)?.pem();
            Ok((certificate, key.serialize_pem()))
        };
        let (certificate, key) = issue().with_context(|| format!("making the certificate of {}", subject.file))?;
        files::write_atomically(&folder.join(format!("{}.crt", subject.file)), certificate.as_bytes(), 0o644)?;
        files::write_atomically(&folder.join(format!("{}.key", subject.file)), key.as_bytes(), 0o600)?;
        Ok((certificate, key))
    }
}

/// A name, a group, and ten years from now; valid a day back, for clocks that disagree.
fn parameters(name: &str, group: Option<&str>) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let mut distinguished = DistinguishedName::new();
    if let Some(group) = group {
        distinguished.push(DnType::OrganizationName, group);
    }
    distinguished.push(DnType::CommonName, name);
    parameters.distinguished_name = distinguished;
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds_since_1970());
    parameters.not_before = now - DAY;
    parameters.not_after = now + VALID;
    parameters
}

fn kubeconfig(name: &str, server: &str, authority: &str, certificate: &str, key: &str) -> String {
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    server: {server}
    certificate-authority-data: {}
users:
- name: {name}
  user:
    client-certificate-data: {}
    client-key-data: {}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
current-context: {name}
",
        base64(authority),
        base64(certificate),
        base64(key)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn endpoints(last: u8) -> Endpoints<'static> {
        Endpoints {
            node_ip: Ipv4Addr::new(192, 0, 2, last),
            service_ip: Ipv4Addr::new(10, 96, 0, 1),
            node_name: "node1",
            server: "https://127.0.0.1:16443",
        }
    }

    #[test]
    fn keys_are_made_for_an_address_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::at(folder.path(), folder.path());
        assert!(!is_current(&paths, &endpoints(1)));
        create(&paths, &endpoints(1)).unwrap();
        assert!(is_current(&paths, &endpoints(1)));
        assert!(!is_current(&paths, &endpoints(2)));
        for file in std::fs::read_dir(paths.pki()).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            let secret = name.ends_with(".key") || name.ends_with(".kubeconfig");
            assert_eq!(mode, if secret { 0o600 } else { 0o644 }, "{name}");
        }
        let mode = std::fs::metadata(paths.kubeconfig()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let text = std::fs::read_to_string(paths.kubeconfig()).unwrap();
        assert!(text.contains("server: https://127.0.0.1:16443") && !text.contains("BEGIN"));
    }

    #[test]
    fn the_administrator_of_another_server_has_the_same_keys_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::at(folder.path(), folder.path());
        assert!(administrator(&paths, "other", "https://127.0.0.1:16444").is_err());
        create(&paths, &endpoints(1)).unwrap();
        let other = administrator(&paths, "other", "https://127.0.0.1:16444").unwrap();
        let first = std::fs::read_to_string(paths.kubeconfig()).unwrap();
        assert_ne!(other, first);
        assert_eq!(other.replace(": other", ": ffe-testbed").replace("16444", "16443"), first);
    }

    #[test]
    fn a_server_of_its_own_has_an_authority_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        server(folder.path(), "some-ca", "server", &["192.0.2.1".to_owned()]).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(read("ca.crt").starts_with("-----BEGIN CERTIFICATE") && read("server.key").contains("PRIVATE KEY"));
        let mode = std::fs::metadata(folder.path().join("server.key")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn certificates_end_in_ten_years() {
        let made = parameters("x", Some("g"));
        let years = (made.not_after - made.not_before).whole_days() / 365;
        assert_eq!(years, 10);
    }
}
