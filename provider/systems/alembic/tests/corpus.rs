//! Every file of `tests/corpus` says itself what is expected: `# undo: …`, `# autocommit`, `# finds rule …` at the
//! line of each finding, and `# drops what` at that of what `downgrade()` drops. Nothing more and nothing less may be found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path};

use ffe_alembic::{Rule, Scripts, Undo};

#[test]
fn every_file_is_read_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let scripts = Scripts::read(&folder).unwrap();
    let mut rules: Vec<Rule> = Vec::new();
    for revision in scripts.revisions() {
        let text = fs::read_to_string(&revision.file).unwrap();
        let name = revision.file.file_stem().unwrap().to_str().unwrap();
        assert_eq!(revision.id, name);
        let expected: Vec<(usize, &str)> = text
            .lines()
            .enumerate()
            .filter_map(|(at, line)| Some((at + 1, line.split_once("# finds ")?.1)))
            .flat_map(|(line, rules)| rules.split_whitespace().map(move |rule| (line, rule)))
            .collect();
        let found: Vec<(usize, &str)> =
            revision.findings.iter().map(|finding| (finding.line, finding.rule.name())).collect();
        assert_eq!(sorted(found), sorted(expected), "{name}: {:#?}", revision.findings);
        let undo = text.lines().find_map(|line| line.strip_prefix("# undo: ")).expect("the file says its undo");
        assert_eq!(words(revision.undo), undo, "{name}");
        assert_eq!(revision.autocommit, text.lines().any(|line| line == "# autocommit"), "{name}");
        let dropped: Vec<String> = revision.dropped.iter().flatten().map(ToString::to_string).collect();
        let expected: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once("# drops ")?.1)).collect();
        assert_eq!(dropped, expected, "{name}");
        assert_eq!(revision.dropped.is_none(), text.contains("\ndowngrade = "), "{name}: what is not in the file");
        rules.extend(revision.findings.iter().map(|finding| finding.rule));
    }
    assert_eq!(scripts.revisions().len(), fs::read_dir(&folder).unwrap().count());
    for rule in Rule::ALL {
        assert!(rules.contains(&rule), "no file of the corpus shows {rule}");
    }
}

#[test]
fn variables_are_read_in_every_form() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let scripts = Scripts::read(&folder).unwrap();
    let plain = scripts.revision("plain").unwrap();
    assert_eq!(plain.message, "Adds what does no harm");
    assert!(plain.down.is_empty() && plain.branch_labels.is_empty() && plain.depends_on.is_empty());
    let drops = scripts.revision("drops").unwrap();
    assert_eq!((drops.down.join(" "), drops.branch_labels.join(" ")), ("a b".to_owned(), "left right".to_owned()));
    assert_eq!(drops.depends_on, ["c"]);
    assert_eq!(scripts.revision("batch").unwrap().down, ["ab"]);
}

#[test]
fn findings_name_what_they_are_about() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let scripts = Scripts::read(&folder).unwrap();
    let text = |id: &str| {
        let findings = &scripts.revision(id).unwrap().findings;
        findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let drops = text("drops");
    for part in [
        r#"Drops the table "one""#,
        r#"Drops the table "two""#,
        r#"Drops the table "{table}""#,
        r#"Drops the table "legacy""#,
        r#"Drops the column "email" of "users""#,
        r#"Drops the column "age" of "private.users""#,
        r#"Renames the column "a" of "users" to "b""#,
    ] {
        assert!(drops.contains(part), "{part}\n{drops}");
    }
    let types = text("types");
    assert!(types.contains("from text of any length to text of 80 characters"), "{types}");
    assert!(types.contains("from numbers of 18 digits, 8 after the point to numbers of 18 digits, 2 after"), "{types}");
    let sql = text("sql");
    for part in [r#"table "third""#, r#"table "third_old""#, r#"table "B""#, r#"of "public.users""#] {
        assert!(sql.contains(part), "{part}\n{sql}");
    }
    assert!(text("batch").contains(r#"Drops the column "name" of "users""#));
}

fn words(undo: Undo) -> &'static str {
    match undo {
        Undo::Possible => "possible",
        Undo::Missing => "missing",
        Undo::Pass => "pass",
        Undo::Raises => "raises",
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}
