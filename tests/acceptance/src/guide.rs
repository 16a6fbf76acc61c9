//! The guides and runbooks as the tests see them: which cases they name, which commands, which configurations, and what
//! they say about errors.

use std::path::Path;

use anyhow::{Context as _, Result};

/// The guide about releases.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn text(root: &Path) -> Result<String> {
    read(root, "docs/guides/releases.md")
}

/// The guide about HTTPS.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn https(root: &Path) -> Result<String> {
    read(root, "docs/guides/tls.md")
}

/// The runbook about HTTPS.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn trouble(root: &Path) -> Result<String> {
    read(root, "docs/runbooks/tls-troubleshooting.md")
}

fn read(root: &Path, path: &str) -> Result<String> {
    let path = root.join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Its configurations: the `hcl` blocks.
pub(crate) fn configurations(text: &str) -> Vec<&str> {
    text.split("```hcl\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The commands in the cells of its tables.
pub(crate) fn commands_in_tables(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let is_command = |text: &&str| {
        ["kubectl", "dig", "curl", "openssl"].iter().any(|program| text.starts_with(&format!("{program} ")))
    };
    quoted.filter(is_command).map(str::to_owned).collect()
}

/// What a table says about a cause: the parts of sentence and remedy between the `…`.
pub(crate) fn parts_about(text: &str, cause: &str) -> Option<Vec<String>> {
    let row = text.lines().find(|line| line.starts_with(&format!("| `{cause}` |")))?;
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let [_, _, sentence, _, remedy, _, _] = cells.as_slice() else { return None };
    let parts = [sentence, remedy].into_iter().flat_map(|cell| cell.split('…'));
    Some(parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
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
            // What cannot be brought about on a cluster without luck is shown in process: the row names the file.
            let file =
                row.split('`').skip(1).step_by(2).any(|name| name.ends_with(".rs") && root().join(name).is_file());
            assert!(file || !cases(row).is_empty(), "no case shows: {row}");
        }
    }

    fn root() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn every_case_that_the_runbook_names_exists_and_every_cause_is_shown() {
        let text = trouble(&root()).unwrap();
        let all: Vec<&str> = crate::cases::all().iter().map(|case| case.name).collect();
        let named = cases(&text);
        for name in &named {
            assert!(all.contains(name), "the runbook names {name}, and there is no such case");
        }
        for case in all.iter().filter(|name| name.starts_with("tls_causes::")) {
            assert!(named.contains(case), "the runbook does not name {case}");
        }
        let rows = text.lines().skip_while(|line| !line.starts_with("| The word | The error says")).skip(2);
        let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
        assert!(rows.len() > 12, "{rows:?}");
        for row in rows {
            assert!(!cases(row).is_empty(), "no case shows: {row}");
            assert!(!commands_in_tables(row).is_empty(), "nothing to look at: {row}");
        }
    }

    #[test]
    fn the_runbook_knows_every_word_for_a_cause() {
        let text = trouble(&root()).unwrap();
        let words =
            std::fs::read_to_string(root().join("provider/systems/cert_manager/src/diagnose/cause.rs")).unwrap();
        let words: Vec<&str> = words.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(words.len() > 30, "{words:?}");
        for word in words.into_iter().filter(|word| !["Ready", "InProgress"].contains(word)) {
            assert!(text.contains(&format!("`{word}`")), "the runbook does not speak of {word}");
        }
    }

    #[test]
    fn what_a_table_says_is_found_between_the_dots() {
        let table = "| `A` | x … does: … | `dig +short A x`, `y` | Make … | `c::d` |\n| `B` | z | | |\n";
        assert_eq!(parts_about(table, "A").unwrap(), ["x", "does:", "Make"]);
        assert_eq!(parts_about(table, "B"), None);
        assert_eq!(commands_in_tables(table), ["dig +short A x"]);
        assert_eq!(configurations("a\n```hcl\nb {}\n```\n```sh\nc\n```\n"), ["b {}\n"]);
    }

    #[test]
    fn commands_are_joined_lines_of_sh_blocks() {
        let text = "a\n```sh\n# why\nkubectl get \\\n  pods\n\nhelm ls\n```\nb\n```text\nno\n```\n";
        assert_eq!(commands(text), ["kubectl get    pods", "helm ls"]);
    }
}
