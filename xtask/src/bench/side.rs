//! Whose releases are measured, and how each writes the same ones.

use std::path::Path;

/// Who manages the releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// As many `terraform_data`: what Terraform itself needs at the least.
    Floor,
    /// `ffe_release`.
    Ours,
    /// `helm_release` of the Helm provider.
    HelmProvider,
}

impl Side {
    /// Its name in folders and namespaces.
    pub(super) fn id(self) -> &'static str {
        match self {
            Side::Floor => "floor",
            Side::Ours => "ours",
            Side::HelmProvider => "helm",
        }
    }

    /// Its name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Side::Floor => "terraform_data",
            Side::Ours => "ffe_release",
            Side::HelmProvider => "helm_release",
        }
    }
}

/// What the configurations are made of.
#[derive(Debug)]
pub(super) struct Words<'a> {
    pub(super) kubeconfig: &'a Path,
    pub(super) helm: &'a Path,
    pub(super) chart: &'a Path,
    pub(super) size: usize,
    /// Release number `n` lies in the namespace `n` modulo their number.
    pub(super) namespaces: &'a [String],
    pub(super) greeting: &'a str,
    /// Whether Helm has recorded releases of these names already.
    pub(super) takes_over: bool,
}

/// The configuration of many equal releases.
pub(super) fn configuration(side: Side, words: &Words<'_>) -> String {
    let Words { kubeconfig, helm, chart, size, namespaces, greeting, takes_over } = words;
    let (kubeconfig, helm, chart) = (kubeconfig.display(), helm.display(), chart.display());
    let place = format!(
        "  count     = {size}\n  namespace = {namespaces:?}[count.index % {}]\n  name      = \"release-${{count.index}}\"\n  \
         chart     = \"{chart}\"\n  set       = [{{ name = \"greeting\", value = \"{greeting}\" }}]\n",
        namespaces.len()
    );
    match side {
        Side::Floor => format!(
            "resource \"terraform_data\" \"many\" {{\n  count = {size}\n  input = \"release-${{count.index}} {greeting}\"\n}}\n"
        ),
        Side::Ours => {
            let more = if *takes_over { "  adopt     = true\n" } else { "" };
            format!(
                "{}provider \"ffe\" {{\n  kubernetes = {{ config_path = \"{kubeconfig}\" }}\n  helm       = {{ binary = \"{helm}\" \
                 }}\n}}\n\nresource \"ffe_release\" \"many\" {{\n{place}{more}}}\n",
                required("ffe", "three-rivers-tech/ffe")
            )
        }
        Side::HelmProvider => {
            let more = if *takes_over { "  upgrade_install = true\n" } else { "" };
            format!(
                "{}provider \"helm\" {{\n  kubernetes = {{ config_path = \"{kubeconfig}\" }}\n}}\n\nresource \"helm_release\" \
                 \"many\" {{\n{place}{more}}}\n",
                required("helm", "hashicorp/helm")
            )
        }
    }
}

fn required(name: &str, source: &str) -> String {
    format!("terraform {{\n  required_providers {{\n    {name} = {{ source = \"{source}\" }}\n  }}\n}}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(side: Side, takes_over: bool) -> String {
        let (kubeconfig, helm, chart) = (Path::new("/k/config"), Path::new("/b/helm"), Path::new("/c"));
        let namespaces = ["a".to_owned(), "b".to_owned()];
        let words = Words { kubeconfig, helm, chart, size: 7, namespaces: &namespaces, greeting: "hi", takes_over };
        configuration(side, &words)
    }

    #[test]
    fn both_providers_write_the_same_releases() {
        for side in [Side::Ours, Side::HelmProvider] {
            let text = text(side, false);
            assert!(text.contains(&format!("resource \"{}\" \"many\"", side.name())), "{text}");
            assert!(text.contains("namespace = [\"a\", \"b\"][count.index % 2]"), "{text}");
            assert!(text.contains("set       = [{ name = \"greeting\", value = \"hi\" }]"), "{text}");
            assert!(text.contains("count     = 7"), "{text}");
        }
    }

    #[test]
    fn what_helm_recorded_before_is_taken_over_only_where_that_is_said() {
        for (side, word) in [(Side::Ours, "adopt"), (Side::HelmProvider, "upgrade_install")] {
            assert!(text(side, true).contains(word));
            assert!(!text(side, false).contains(word));
        }
    }

    #[test]
    fn the_floor_changes_when_the_releases_change() {
        assert!(text(Side::Floor, false).contains("release-${count.index} hi"));
    }
}
