//! What `alembic current` prints.
//!
//! One line a revision, `0003` or `0003 (head)` or `ab12cd (head) (mergepoint)`, between log lines of any format.

/// The revisions in an output. Other lines are left out.
pub(crate) fn parse(lines: &[String]) -> Vec<String> {
    lines.iter().filter_map(|line| revision(line)).map(|(name, _)| name.to_owned()).collect()
}

/// Whether there is a revision and each is a head.
pub(crate) fn all_at_head(lines: &[String]) -> bool {
    let mut revisions = lines.iter().filter_map(|line| revision(line)).peekable();
    revisions.peek().is_some() && revisions.all(|(_, marks)| marks.contains("(head)"))
}

/// A revision line: a name without blanks, then nothing but marks in parentheses.
fn revision(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (name, marks) = line.split_once(' ').unwrap_or((line, ""));
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let mut rest = marks.trim();
    while let Some(after) = rest.strip_prefix('(') {
        rest = after.split_once(')')?.1.trim_start();
    }
    (is_name && rest.is_empty()).then_some((name, marks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn revisions_are_found_between_log_lines() {
        let output = lines(
            "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.\nINFO  [alembic.runtime.migration] Will assume transactional DDL.\n0003_positions (head)\nab12cd34 (head) (mergepoint)",
        );
        assert_eq!(parse(&output), ["0003_positions", "ab12cd34"]);
        assert!(all_at_head(&output));
    }

    #[test]
    fn a_revision_that_is_no_head_is_seen() {
        assert!(!all_at_head(&lines("0002")));
        assert!(!all_at_head(&lines("0002 (head)\n0003 (branchpoint)")));
        assert!(!all_at_head(&lines("INFO nothing here")));
        assert_eq!(parse(&lines("")), Vec::<String>::new());
    }
}
