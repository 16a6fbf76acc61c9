//! The guide about releases as the tests see it: which cases it names, and which commands.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Its text.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn text(root: &Path) -> Result<String> {
    let path = root.join("docs/guides/releases.md");
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The lines of its `sh` blocks, those that a backslash continues joined.
pub(crate) fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>());
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Everything in it that looks like a case: `group::name` between backquotes.
#[cfg(test)]
fn cases(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_name =
        |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':');
    quoted.filter(|name| name.contains("::") && is_name(name)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_case_that_the_guide_names_exists() {
        let text = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
        let all: Vec<&str> = crate::cases::all().iter().map(|case| case.name).collect();
        let named = cases(&text);
        assert!(named.len() > 20, "{named:?}");
        for name in named {
            assert!(all.contains(&name), "the guide names {name}, and there is no such case");
        }
    }

    #[test]
    fn every_row_of_the_table_names_a_case() {
        let text = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
        let rows = text.lines().skip_while(|line| !line.starts_with("| What failed")).skip(2);
        let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
        assert!(rows.len() > 12, "{rows:?}");
        for row in rows {
            assert!(!cases(row).is_empty(), "no case shows: {row}");
        }
    }

    #[test]
    fn commands_are_joined_lines_of_sh_blocks() {
        let text = "a\n```sh\n# why\nkubectl get \\\n  pods\n\nhelm ls\n```\nb\n```text\nno\n```\n";
        assert_eq!(commands(text), ["kubectl get    pods", "helm ls"]);
    }
}
