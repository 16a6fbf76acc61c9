//! What the pages show as usage: pieces of the examples that tests apply, so that none of them can be wrong unnoticed.

use std::path::Path;

use anyhow::{Context as _, Result};

/// The examples' texts.
#[derive(Debug)]
pub(crate) struct Examples {
    single_node: String,
    many_services: String,
    functions: String,
    look: String,
}

/// How each resource is imported.
const IMPORTS: [(&str, &str); 4] = [
    (
        "ffe_environment",
        "# by the name of the environment, or of its namespace\nterraform import ffe_environment.this production\n",
    ),
    (
        "ffe_issuer",
        "# the name of a ClusterIssuer, <namespace>/<name> of an Issuer; also one that was not made by this provider\n\
         terraform import ffe_issuer.letsencrypt letsencrypt\n",
    ),
    (
        "ffe_release",
        "# <namespace>/<name>; also a release that was not made by this provider\n\
         terraform import ffe_release.backend ffe-production/ffe-backend\n",
    ),
    (
        "ffe_tls_endpoint",
        "# <namespace>/<name>; also an ingress that was not made by this provider\n\
         terraform import ffe_tls_endpoint.api ffe-production/api\n",
    ),
];

impl Examples {
    /// Reads them.
    pub(crate) fn read(folder: &Path) -> Result<Examples> {
        let read = |path: &str| {
            let path = folder.join(path);
            std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        Ok(Examples {
            single_node: read("single-node/main.tf")?,
            many_services: read("many-services/main.tf")?,
            functions: read("functions/main.tf")?,
            look: read("look/main.tf")?,
        })
    }

    /// The example at a path of the registry's convention: `resources/ffe_release/resource.tf`.
    pub(crate) fn at(&self, path: &str) -> Option<String> {
        match path.split('/').collect::<Vec<_>>()[..] {
            ["provider", "provider.tf"] => block(&self.single_node, "provider \"ffe\" {"),
            ["resources", "ffe_issuer", "resource.tf"] => block(&self.many_services, "resource \"ffe_issuer\" "),
            ["resources", name, "resource.tf"] => block(&self.single_node, &format!("resource \"{name}\" ")),
            ["resources", name, "import.sh"] => {
                IMPORTS.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
            }
            ["data-sources", name, "data-source.tf"] => block(&self.look, &format!("data \"{name}\" ")),
            ["ephemeral-resources", name, "ephemeral-resource.tf"] => {
                block(&self.look, &format!("ephemeral \"{name}\" "))
            }
            ["functions", "preset", "function.tf"] => block(&self.functions, "output \"replicas_in_production\""),
            ["functions", "merge_values", "function.tf"] => block(&self.functions, "output \"merged\""),
            _ => None,
        }
    }
}

/// The first block that begins so, with the comment above it. The files are formatted: a block ends with the first brace
/// that stands at the margin.
fn block(text: &str, beginning: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| line.starts_with(beginning))?;
    let last = first + lines[first..].iter().position(|line| *line == "}")?;
    let comment = lines[..first].iter().rev().take_while(|line| line.starts_with('#')).count();
    Some(lines[first - comment..=last].join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_with_its_comment_and_without_its_neighbours() {
        let text = "a \"x\" {\n}\n\n# About y.\n# More.\nb \"y\" {\n  c {\n  }\n}\nd {\n}\n";
        assert_eq!(block(text, "b \"y\"").as_deref(), Some("# About y.\n# More.\nb \"y\" {\n  c {\n  }\n}\n"));
        assert_eq!(block(text, "e"), None);
    }
}
