//! Configurations of endpoints.

use anyhow::Result;

use super::surroundings;
use crate::Stage;

/// An `ffe_tls_endpoint`: what differs from case to case is HCL.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Name of the endpoint and of the resource.
    pub(crate) name: String,
    /// The hosts.
    pub(crate) hosts: Vec<String>,
    /// What serves it.
    pub(crate) class: String,
    /// The inside of `issuer`; with `= ` before it, all of it as an expression.
    pub(crate) issuer: String,
    /// Where it is looked at, lines of `verify`.
    pub(crate) seen: String,
    /// More lines of `verify`.
    pub(crate) verify: String,
    /// More lines of the resource. Those that begin with `backend` or `backends` are in place of the usual one.
    pub(crate) more: String,
}

impl Endpoint {
    /// One through Traefik, with a certificate of the ACME server by HTTP-01.
    ///
    /// # Errors
    /// When the environment does not name the server.
    pub(crate) fn new(stage: &Stage, name: &str, hosts: &[&str]) -> Result<Endpoint> {
        Ok(Endpoint {
            name: name.to_owned(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            class: "ingress_class = \"traefik\"".to_owned(),
            issuer: acme(stage, &surroundings(stage)?.directory, "http01 = {}")?,
            seen: format!("resolve_to = \"{}\"", surroundings(stage)?.node_ip),
            verify: String::new(),
            more: String::new(),
        })
    }

    /// With another issuer.
    pub(crate) fn issuer(self, issuer: impl Into<String>) -> Endpoint {
        Endpoint { issuer: issuer.into(), ..self }
    }

    /// Served by something else.
    pub(crate) fn class(self, class: impl Into<String>) -> Endpoint {
        Endpoint { class: class.into(), ..self }
    }

    /// Looked at from elsewhere than at the node's address.
    pub(crate) fn seen(&self, seen: impl Into<String>) -> Endpoint {
        Endpoint { seen: seen.into(), ..self.clone() }
    }

    /// With more in `verify`.
    pub(crate) fn verify(self, verify: impl Into<String>) -> Endpoint {
        Endpoint { verify: verify.into(), ..self }
    }

    /// With other lines.
    pub(crate) fn more(&self, more: impl Into<String>) -> Endpoint {
        Endpoint { more: more.into(), ..self.clone() }
    }

    /// As a resource. The chain is checked against the ACME servers' roots, except where nobody of theirs issues.
    ///
    /// # Errors
    /// When the environment does not say where everything is.
    pub(crate) fn hcl(&self, stage: &Stage) -> Result<String> {
        let tls = surroundings(stage)?;
        let internal = self.issuer.starts_with("ca ") || self.issuer.contains("self_signed");
        let bundle = if !internal { format!("ca_bundle  = file(\"{}\")", tls.roots.display()) } else { String::new() };
        let issuer = match self.issuer.strip_prefix("= ") {
            Some(expression) => expression.to_owned(),
            None => format!("{{\n    {}\n  }}", self.issuer),
        };
        let of_its_own = ["backend ", "backends "].iter().any(|one| self.more.trim_start().starts_with(one));
        let backend = if of_its_own { "" } else { "backend   = { service = \"web\", port = 80 }" };
        Ok(format!(
            r#"
resource "ffe_tls_endpoint" "{name}" {{
  namespace = "{namespace}"
  name      = "{name}"
  hosts     = {hosts:?}
  {backend}
  timeout   = "4m"
  {class}
  issuer = {issuer}
  verify = {{
    {bundle}
    {seen}
    timeout    = "1m"
    {verify}
  }}
  {more}
}}
"#,
            name = self.name,
            namespace = stage.name,
            hosts = self.hosts,
            class = self.class,
            seen = self.seen,
            verify = self.verify,
            more = self.more,
        ))
    }

    /// Writes the configuration: this endpoint alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn configure(&self, stage: &Stage) -> Result<()> {
        stage.configure(&self.hcl(stage)?)
    }
}

/// An issuer of the endpoint's own at an ACME server, with a solver.
///
/// # Errors
/// When the environment does not say where everything is.
pub(crate) fn acme(stage: &Stage, directory: &str, solver: &str) -> Result<String> {
    let authority = surroundings(stage)?.authority;
    Ok(format!(
        "acme = {{\n      server    = \"{directory}\"\n      ca_bundle = file(\"{}\")\n      solver    = {{ {solver} }}\n    }}",
        authority.display()
    ))
}
