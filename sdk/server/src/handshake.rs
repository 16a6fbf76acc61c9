//! The first words between the plugin runner and us: its invitation (environment variables) and our
//! answer (one line on stdout).

use std::ops::RangeInclusive;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::connection::Address;

/// Set by whoever knows that it starts a Terraform provider; a person in a shell does not.
const COOKIE_NAME: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The version of the handshake line itself.
const LINE_VERSION: u32 = 1;
/// The major version of the plugin protocol that this crate serves.
pub(crate) const PROTOCOL_VERSION: u32 = 6;

/// Why there can be no conversation.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum HandshakeError {
    /// Not started by Terraform or OpenTofu.
    #[error(
        "This program is a provider plugin for Terraform and OpenTofu, which start it. Commands of its own, if it has any, \
         are listed by --help. To attach a debugger, start it with --debug."
    )]
    NotInvited,
    /// The client does not speak protocol 6.
    #[error(
        "This provider speaks version {PROTOCOL_VERSION} of the plugin protocol, and the program that started it \
         offers only {offered}. Use Terraform 1.0 or later, or OpenTofu."
    )]
    NoCommonVersion {
        /// What the client offers, as it wrote it.
        offered: String,
    },
    /// `PLUGIN_CLIENT_CERT` is no certificate.
    #[error("PLUGIN_CLIENT_CERT should hold one certificate in PEM, and cannot be read: {cause}")]
    ClientCertificate {
        /// What the reader says.
        cause: String,
    },
    /// `PLUGIN_MIN_PORT` or `PLUGIN_MAX_PORT` is no port, or the two are in the wrong order.
    #[error("PLUGIN_MIN_PORT and PLUGIN_MAX_PORT should be ports, the lower one first; found \"{found}\"")]
    Ports {
        /// What was found.
        found: String,
    },
}

/// What the plugin runner asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invitation {
    /// The one certificate that the client will present. Without it the connection is plain.
    pub(crate) client_certificate: Option<CertificateDer<'static>>,
    /// Where the Unix socket goes; the directory for temporary files otherwise.
    pub(crate) socket_dir: Option<PathBuf>,
    /// Name or number of the group that may use the socket.
    pub(crate) socket_group: Option<String>,
    /// TCP ports to choose from, where there are no Unix sockets.
    pub(crate) ports: Option<RangeInclusive<u16>>,
    /// Whether the client reads a seventh field of the line: is multiplexing of side connections known?
    /// The answer is yes, and costs nothing: Terraform never opens one.
    pub(crate) multiplex: bool,
}

impl Invitation {
    /// Reads it from the environment, `var` being [`std::env::var`] or a test's stand-in. An empty
    /// variable counts as unset.
    pub(crate) fn read(var: impl Fn(&str) -> Option<String>) -> Result<Invitation, HandshakeError> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        if var(COOKIE_NAME).as_deref() != Some(COOKIE) {
            return Err(HandshakeError::NotInvited);
        }
        // A client from before the negotiation says nothing and takes what it gets.
        if let Some(offered) = var("PLUGIN_PROTOCOL_VERSIONS") {
            let ours = PROTOCOL_VERSION.to_string();
            if !offered.split(',').any(|version| version.trim() == ours) {
                return Err(HandshakeError::NoCommonVersion { offered });
            }
        }
        let client_certificate = var("PLUGIN_CLIENT_CERT")
            .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()))
            .transpose()
            .map_err(|error| HandshakeError::ClientCertificate { cause: error.to_string() })?;
        Ok(Invitation {
            client_certificate,
            socket_dir: var("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
            socket_group: var("PLUGIN_UNIX_SOCKET_GROUP"),
            ports: ports(var("PLUGIN_MIN_PORT"), var("PLUGIN_MAX_PORT"))?,
            multiplex: var("PLUGIN_MULTIPLEX_GRPC").is_some(),
        })
    }

    /// What holds when nobody invited: plain gRPC in a directory of our own, for `--debug`.
    pub(crate) fn for_debugging() -> Invitation {
        Invitation { client_certificate: None, socket_dir: None, socket_group: None, ports: None, multiplex: false }
    }
}

fn ports(low: Option<String>, high: Option<String>) -> Result<Option<RangeInclusive<u16>>, HandshakeError> {
    let (Some(low), Some(high)) = (low, high) else { return Ok(None) };
    match (low.parse::<u16>(), high.parse::<u16>()) {
        (Ok(low), Ok(high)) if low <= high => Ok(Some(low..=high)),
        _ => Err(HandshakeError::Ports { found: format!("{low}, {high}") }),
    }
}

/// Our answer, without the line's end: `1|6|unix|<path>|grpc|<certificate>`. The certificate is the DER
/// in base64 without padding, empty when the connection is plain.
pub(crate) fn line(address: &Address, certificate: Option<&CertificateDer<'_>>, multiplex: bool) -> String {
    let certificate = certificate.map(|der| STANDARD_NO_PAD.encode(der)).unwrap_or_default();
    let network = address.network();
    let mut line = format!("{LINE_VERSION}|{PROTOCOL_VERSION}|{network}|{address}|grpc|{certificate}");
    if multiplex {
        line.push_str("|true");
    }
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn invitation(extra: &[(&str, &str)]) -> Result<Invitation, HandshakeError> {
        Invitation::read(|name| {
            let given = extra.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            given.or_else(|| (name == COOKIE_NAME).then(|| COOKIE.to_owned()))
        })
    }

    #[test]
    fn without_the_cookie_it_says_what_it_is() {
        for cookie in ["", "something else"] {
            let error = invitation(&[(COOKIE_NAME, cookie)]).unwrap_err();
            assert_eq!(error, HandshakeError::NotInvited);
            assert!(error.to_string().contains("provider plugin"));
        }
    }

    #[test]
    fn version_six_must_be_among_the_offered() {
        assert!(invitation(&[]).is_ok());
        assert!(invitation(&[("PLUGIN_PROTOCOL_VERSIONS", "5,6")]).is_ok());
        assert!(invitation(&[("PLUGIN_PROTOCOL_VERSIONS", "6")]).is_ok());
        for offered in ["5", "4,5", "16,60"] {
            let error = invitation(&[("PLUGIN_PROTOCOL_VERSIONS", offered)]).unwrap_err();
            assert!(error.to_string().contains(&format!("offers only {offered}.")), "{error}");
        }
    }

    #[test]
    fn reads_places_ports_and_multiplexing() {
        let read = invitation(&[
            ("PLUGIN_UNIX_SOCKET_DIR", "/run/x"),
            ("PLUGIN_UNIX_SOCKET_GROUP", "staff"),
            ("PLUGIN_MIN_PORT", "10000"),
            ("PLUGIN_MAX_PORT", "25000"),
            ("PLUGIN_MULTIPLEX_GRPC", "true"),
        ]);
        let read = read.unwrap();
        assert_eq!(read.socket_dir, Some(PathBuf::from("/run/x")));
        assert_eq!(read.socket_group.as_deref(), Some("staff"));
        assert_eq!(read.ports, Some(10000..=25000));
        assert!(read.multiplex);
        assert!(read.client_certificate.is_none());
    }

    #[test]
    fn bad_input_is_refused_with_the_variables_name() {
        let certificate = invitation(&[("PLUGIN_CLIENT_CERT", "not pem")]).unwrap_err();
        assert!(certificate.to_string().starts_with("PLUGIN_CLIENT_CERT"), "{certificate}");
        let ports = invitation(&[("PLUGIN_MIN_PORT", "9"), ("PLUGIN_MAX_PORT", "8")]).unwrap_err();
        assert!(ports.to_string().contains("9, 8"), "{ports}");
    }

    #[test]
    fn the_line_has_six_fields_and_a_seventh_only_when_asked() {
        let address = Address::Unix("/tmp/plugin1".into());
        let certificate = CertificateDer::from(vec![0xfb, 0xff, 0xfe, 0x01]);
        assert_eq!(line(&address, Some(&certificate), false), "1|6|unix|/tmp/plugin1|grpc|+//+AQ");
        assert_eq!(line(&address, Some(&certificate), true), "1|6|unix|/tmp/plugin1|grpc|+//+AQ|true");
        assert_eq!(line(&Address::Tcp(([127, 0, 0, 1], 1234).into()), None, false), "1|6|tcp|127.0.0.1:1234|grpc|");
    }
}
