//! Whether a release that is planned to be made is one that this state has already.
//!
//! Terraform plans a replacement (`-replace`, a taint, `replace_triggered_by`) as a create, without a word of what is there: it hands over
//! no prior state. What tells it from the release of another state is that this process has just read or planned it. A release that
//! the state has at another address is planned to be destroyed there, in the same process and in any order: Terraform would do both at
//! once, so neither is let through.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tfplugin::{Diagnostic, Diagnostics, Path};

/// The releases of the state that this process works on, by `namespace/name`.
#[derive(Default)]
pub(crate) struct InState {
    releases: Mutex<HashMap<String, Told>>,
}

#[derive(Clone, Copy, Default)]
struct Told {
    /// It was handed over as a prior state.
    has: bool,
    /// It is planned to be made though the state has it.
    replaced: bool,
    /// It is planned to be destroyed.
    destroyed: bool,
}

/// What a create is that meets a finished release of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planned {
    /// The state has it: it is uninstalled first.
    Replacement,
    /// The state has it at another address, where it is destroyed in the same run.
    Elsewhere,
    /// It is in another state, or in none.
    Unknown,
}

impl InState {
    /// The state has this release.
    pub(crate) fn note(&self, namespace: &str, name: &str) {
        self.change(namespace, name, |told| told.has = true);
    }

    /// It is planned to be made.
    pub(crate) fn plan_create(&self, namespace: &str, name: &str) -> Planned {
        let told = self.change(namespace, name, |told| told.replaced = told.has);
        match told {
            Told { has: true, destroyed: true, .. } => Planned::Elsewhere,
            Told { has: true, .. } => Planned::Replacement,
            Told { has: false, .. } => Planned::Unknown,
        }
    }

    /// It is planned to be destroyed, and nothing is planned in its place.
    ///
    /// # Errors
    /// It is planned to be made at another address.
    pub(crate) fn plan_destroy(&self, namespace: &str, name: &str) -> Result<(), Diagnostics> {
        let told = self.change(namespace, name, |told| (told.has, told.destroyed) = (true, true));
        if told.replaced { Err(moved(namespace, name).into()) } else { Ok(()) }
    }

    fn change(&self, namespace: &str, name: &str, change: impl FnOnce(&mut Told)) -> Told {
        let mut releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        let told = releases.entry(format!("{namespace}/{name}")).or_default();
        change(told);
        *told
    }
}

/// The error where one release is destroyed at one address and made at another.
pub(crate) fn moved(namespace: &str, name: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The release {namespace}/{name} has got another address"),
        format!(
            "The state has the release {namespace}/{name} at one address of the configuration, where it would be uninstalled, and at \
             another one it would be installed. Nothing was changed.\n\n\
             What to do: say that it is the same one, with the two addresses:\n\n  \
             moved {{\n    from = ffe_release.<old>\n    to   = ffe_release.<new>\n  }}\n\n\
             Where Terraform calls it deposed, since a replacement with create_before_destroy was refused, bring it back:\n\n  \
             terraform state rm ffe_release.<name>\n  terraform import ffe_release.<name> {namespace}/{name}"
        ),
    )
    .at(Path::attribute("name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_is_told_from_a_stranger_and_from_a_new_address() {
        let state = InState::default();
        assert_eq!(state.plan_create("ffe", "one"), Planned::Unknown);
        state.note("ffe", "one");
        assert_eq!(state.plan_create("ffe", "one"), Planned::Replacement);
        assert_eq!(state.plan_create("ffe", "two"), Planned::Unknown);
        assert_eq!(state.plan_create("other", "one"), Planned::Unknown);
        // Destroyed at another address, in whichever order that is planned.
        assert!(state.plan_destroy("ffe", "one").is_err());
        assert_eq!(state.plan_create("ffe", "one"), Planned::Elsewhere);
        let state = InState::default();
        state.note("ffe", "one");
        assert!(state.plan_destroy("ffe", "one").is_ok());
        assert_eq!(state.plan_create("ffe", "one"), Planned::Elsewhere);
        assert!(state.plan_destroy("ffe", "two").is_ok());
    }
}
