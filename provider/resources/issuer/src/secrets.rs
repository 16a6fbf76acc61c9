//! The write-only values that an issuer reads, and their entries in its Secret.

use ffe_session::Session;
use ffe_session::issuers::credentials::{Credential, complete};
use tfplugin::{Attr, Diagnostic, Path};

use crate::model::{Issuer, Solver};

/// Entry of the key that binds the account.
pub(crate) const EAB_KEY: &str = "eab-key";
/// Entry of what cert-manager logs in with at Vault.
pub(crate) const VAULT_LOGIN: &str = "vault";

/// Entry of a solver's secret, by its place in the list.
pub(crate) fn of_solver(index: usize) -> String {
    format!("solver-{index}")
}

/// All of them, as far as the configuration is known, with what the provider has in the place of tokens that it leaves to that.
///
/// # Errors
/// When the provider has none either.
pub(crate) fn all(config: &Issuer, session: &Session) -> Result<Vec<Credential>, Diagnostic> {
    let mut all = configured(config);
    complete(&mut all, session)?;
    Ok(all)
}

fn configured(config: &Issuer) -> Vec<Credential> {
    let mut all = Vec::new();
    if let Some(acme) = config.acme.known() {
        let at = Path::attribute("acme");
        if let Some(account) = acme.external_account_binding.known() {
            all.push(Credential {
                entry: EAB_KEY.to_owned(),
                path: at.child("external_account_binding").child("key_wo"),
                value: account.key_wo.clone(),
                version: account.key_wo_version.clone(),
                is_at_cloudflare: false,
            });
        }
        for (index, solver) in acme.solvers.known().into_iter().flatten().enumerate() {
            all.extend(solver_secret(solver, index, &at.child("solvers").index(index)));
        }
    }
    if let Some(vault) = config.vault.known() {
        let at = Path::attribute("vault");
        let login = match vault.app_role.known() {
            Some(role) => {
                Some((&role.secret_id_wo, &role.secret_id_wo_version, at.child("app_role").child("secret_id_wo")))
            }
            None if vault.kubernetes.is_known() => None,
            None => Some((&vault.token_wo, &vault.token_wo_version, at.child("token_wo"))),
        };
        all.extend(login.map(|(value, version, path)| Credential {
            entry: VAULT_LOGIN.to_owned(),
            path,
            value: value.clone(),
            version: version.clone(),
            is_at_cloudflare: false,
        }));
    }
    all
}

fn solver_secret(solver: &Solver, index: usize, at: &Path) -> Option<Credential> {
    let entry = of_solver(index);
    if let Some(one) = solver.dns01_cloudflare.known() {
        let path = at.child("dns01_cloudflare").child("api_token_wo");
        return Some(Credential {
            entry,
            path,
            value: one.api_token_wo.clone(),
            version: one.api_token_wo_version.clone(),
            is_at_cloudflare: true,
        });
    }
    if let Some(one) = solver.dns01_rfc2136.known().filter(|one| one.is_signed() != Attr::Known(false)) {
        let path = at.child("dns01_rfc2136").child("tsig_secret_wo");
        return Some(Credential {
            entry,
            path,
            value: one.tsig_secret_wo.clone(),
            version: one.tsig_secret_wo_version.clone(),
            is_at_cloudflare: false,
        });
    }
    if let Some(one) = solver.dns01_route53.known().filter(|one| !one.access_key_id.is_null()) {
        let path = at.child("dns01_route53").child("secret_access_key_wo");
        return Some(Credential {
            entry,
            path,
            value: one.secret_access_key_wo.clone(),
            version: one.secret_access_key_wo_version.clone(),
            is_at_cloudflare: false,
        });
    }
    let one = solver.dns01_acme_dns.known()?;
    let path = at.child("dns01_acme_dns").child("accounts_wo");
    let (value, version) = (one.accounts_wo.clone(), one.accounts_wo_version.clone());
    Some(Credential { entry, path, value, version, is_at_cloudflare: false })
}

/// Whether there are none for sure.
pub(crate) fn are_none(config: &Issuer) -> bool {
    if config.acme.is_unknown() || config.vault.is_unknown() {
        return false;
    }
    let unknown = config.acme.known().is_some_and(|acme| {
        acme.external_account_binding.is_unknown()
            || acme.solvers.is_unknown()
            || acme.solvers.known().into_iter().flatten().any(may_have_one)
    });
    !unknown && configured(config).is_empty()
}

/// Whether it is not known yet which way a solver goes, or whether that way has a secret.
fn may_have_one(solver: &Solver) -> bool {
    solver.dns01_cloudflare.is_unknown()
        || solver.dns01_rfc2136.is_unknown()
        || solver.dns01_route53.is_unknown()
        || solver.dns01_acme_dns.is_unknown()
}

/// The error for write-only values that are not in the configuration of an apply.
pub(crate) fn unknown(all: &[Credential]) -> Option<Diagnostic> {
    let missing = all.iter().find(|one| one.known().is_none())?;
    Some(
        Diagnostic::error(
            "The issuer needs its credentials",
            "They are write-only and have to be in the configuration of every apply.",
        )
        .at(missing.path.clone()),
    )
}
