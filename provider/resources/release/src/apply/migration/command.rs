//! What the engine `command` runs in a Job, and what the lines say that its `current_command` prints.

use super::answer::Facts;

/// Runs a command and answers what it has printed on standard output, each line a fact; its exit code stays.
const ANSWER: &str = include_str!("answer.sh");
/// Revisions are not longer.
const LONGEST: usize = 255;

/// A command whose statements wait so long for a lock. What `PGOPTIONS` says already counts more, unless `over` it.
pub(crate) fn waiting_for_locks(command: Vec<String>, limit: &str, over: bool) -> Vec<String> {
    let ours = format!("-c lock_timeout={limit}");
    let options = if over { "$PGOPTIONS $_ffe_ours" } else { "$_ffe_ours $PGOPTIONS" };
    let script = format!("_ffe_ours=$1; shift; PGOPTIONS=\"{options}\" exec \"$@\"");
    before(&["sh", "-c", &script, "sh", &ours], command)
}

/// A command that tells where the database stands, in lines that begin with this mark.
pub(crate) fn answering(command: Vec<String>, mark: &str) -> Vec<String> {
    before(&["sh", "-c", ANSWER, "sh", mark], command)
}

fn before(words: &[&str], command: Vec<String>) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).chain(command).collect()
}

/// The revisions that it has told: one a line.
///
/// # Errors
/// With the line that is none.
pub(crate) fn revisions(facts: &Facts) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for line in facts.of("line") {
        let name = revision(line).ok_or_else(|| {
            let shown: String = line.trim().chars().take(100).collect();
            format!(
                "migration.current_command printed \"{shown}\". Expected on standard output: one revision a line, and nothing else"
            )
        })?;
        all.push(name.to_owned());
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// The revision of a line: one word, behind which may be remarks in parentheses, such as `(head)`. One that a tool calls dirty is
/// none: its migration has failed half-way.
fn revision(line: &str) -> Option<&str> {
    let line = line.trim();
    let (name, remarks) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let mut rest = remarks.trim();
    while let Some(after) = rest.strip_prefix('(') {
        let (remark, after) = after.split_once(')')?;
        if remark == "dirty" {
            return None;
        }
        rest = after.trim_start();
    }
    // It becomes the last word of a command: it must not look like an option.
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let is_name = name.len() <= LONGEST && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:/@+".contains(c));
    // "FAILED:" and the like are no revisions.
    (begins && is_name && !name.ends_with(':') && rest.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(lines: &[&str]) -> Result<Vec<String>, String> {
        let log: String = lines.iter().map(|line| format!("M line {line}\n")).collect();
        revisions(&Facts::read(&format!("{log}M end {}", lines.len()), "M").unwrap())
    }

    #[test]
    fn a_command_prints_one_revision_a_line_and_nothing_else() {
        assert_eq!(read(&["0003_positions (head)"]), Ok(vec!["0003_positions".to_owned()]));
        assert_eq!(read(&["b (head) (mergepoint)", "a"]), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(read(&["db/changelog.xml::1.2::ann"]), Ok(vec!["db/changelog.xml::1.2::ann".to_owned()]));
        assert_eq!(read(&[]), Ok(vec![]));
        for line in [
            "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.",
            "FAILED: Can't locate revision",
            "FAILED:",
            "----------",
            "--all",
            "a; rm",
            "a (head",
            "é",
            "3 (dirty)",
        ] {
            let error = read(&[line]).unwrap_err();
            assert!(error.contains("one revision a line") && error.contains(line), "{error}");
        }
    }
}
