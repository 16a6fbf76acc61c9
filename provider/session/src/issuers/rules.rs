//! What goes together in the description of an issuer, and what does not.

use tfplugin::{Attr, Diagnostic, Path};

use super::Dns01Rfc2136;

/// One of several that exclude each other: which are given, by name.
pub type Given<'a> = &'a [(&'static str, Attr<()>)];

/// The error for two at once, at the second one.
pub fn exclude(choices: Given<'_>, prefix: &str, why: &str, at: &Path) -> Option<Diagnostic> {
    let given: Vec<&str> = choices.iter().filter(|(_, given)| given.is_known()).map(|(name, _)| *name).collect();
    let [first, second, ..] = given.as_slice() else { return None };
    Some(
        Diagnostic::error(format!("{prefix}{first} and {prefix}{second} exclude each other"), why)
            .at(at.child(*second)),
    )
}

/// Whether none is given, for sure.
pub fn none_given(choices: Given<'_>) -> bool {
    choices.iter().all(|(_, given)| given.is_null())
}

/// A key has a name and a secret.
pub fn tsig(rfc2136: &Dns01Rfc2136, at: &Path) -> Option<Diagnostic> {
    let (name, secret) = (&rfc2136.tsig_key_name, &rfc2136.tsig_secret_wo);
    if name.is_known() && secret.is_null() {
        return Some(
            Diagnostic::error(
                "tsig_key_name needs tsig_secret_wo",
                "Set it to the key itself, in base64 as it stands in the name server's configuration. It is written into the \
                 Secret that cert-manager reads, and stored nowhere else.",
            )
            .at(at.child("tsig_secret_wo")),
        );
    }
    let of_a_key = [
        ("tsig_secret_wo", secret.is_known()),
        ("tsig_secret_wo_version", rfc2136.tsig_secret_wo_version.is_known()),
        ("tsig_algorithm", rfc2136.tsig_algorithm.is_known()),
    ];
    let (given, _) = of_a_key.into_iter().find(|(_, given)| *given && name.is_null())?;
    Some(
        Diagnostic::error(
            format!("{given} needs tsig_key_name"),
            "Set it to the name of the key in the name server's configuration; without a key updates are not signed.",
        )
        .at(at.child("tsig_key_name")),
    )
}
