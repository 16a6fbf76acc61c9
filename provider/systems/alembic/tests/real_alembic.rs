//! The same questions to Alembic itself: Debian's python3-alembic. Ignored where it is not installed, and failing where
//! FFE_REQUIRE says that they are asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fmt::Write as _, fs, path::Path, process::ExitCode};

use ffe_alembic::Scripts;
use libtest_mimic::Arguments;
use serde_json::{Value, json};

mod support;

fn main() -> ExitCode {
    let needs = support::modules(&["alembic"]);
    let trials = vec![
        needs.trial("what_is_pending_is_what_alembic_would_run", || {
            what_is_pending_is_what_alembic_would_run();
            Ok(())
        }),
        needs.trial("the_inspection_in_the_image_says_the_same_of_undo", || {
            the_inspection_in_the_image_says_the_same_of_undo();
            Ok(())
        }),
        needs.trial("the_inspection_in_the_image_says_the_same_of_what_is_dropped", || {
            the_inspection_in_the_image_says_the_same_of_what_is_dropped();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A small generator, so that graphs are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick<'s>(&mut self, from: &'s [String]) -> &'s String {
        &from[self.roll(from.len())]
    }
}

/// Writes revisions with branches, merges, several bases, dependencies and labels; returns identifiers and labels.
fn write_graph(folder: &Path, dice: &mut Dice) -> (Vec<String>, Vec<String>) {
    let (mut ids, mut labels): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    // Files are not named in the order of the graph.
    let salt = dice.roll(1000);
    for at in 0..2 + dice.roll(14) {
        let id = format!("{:04x}{at:02}", (at * 7919 + salt * 31) % 0xffff);
        let mut down: Vec<String> = Vec::new();
        // Mostly near the end, so that there are lines.
        for _ in 0..[0, 1, 1, 1, 1, 1, 1, 2, 2, 3][dice.roll(10)] {
            if !ids.is_empty() {
                let near = ids.len().saturating_sub(1 + dice.roll(4));
                if !down.contains(&ids[near]) {
                    down.push(ids[near].clone());
                }
            }
        }
        let mut text = format!("revision = {id:?}\n\ndef upgrade():\n    pass\n\n");
        let tuple = |names: &[String]| names.iter().map(|name| format!("{name:?}, ")).collect::<String>();
        match down.as_slice() {
            [] => text.push_str("down_revision = None\n"),
            [one] => writeln!(text, "down_revision: str = {one:?}").unwrap(),
            several => writeln!(text, "down_revision = ({})", tuple(several)).unwrap(),
        }
        if !ids.is_empty() && dice.roll(4) == 0 {
            let mut depends = vec![dice.pick(&ids).clone()];
            if dice.roll(2) == 0 && !labels.is_empty() {
                depends.push(dice.pick(&labels).clone());
            }
            writeln!(text, "depends_on = [{}]", tuple(&depends)).unwrap();
        }
        if dice.roll(5) == 0 {
            let label = format!("label{at}");
            writeln!(text, "branch_labels = ({label:?},)").unwrap();
            labels.push(label);
        }
        fs::write(folder.join(format!("{id}.py")), text).unwrap();
        ids.push(id);
    }
    (ids, labels)
}

fn queries(ids: &[String], labels: &[String], dice: &mut Dice) -> Vec<(Vec<String>, String)> {
    (0..40)
        .map(|_| {
            let mut current: Vec<String> = (0..dice.roll(3)).map(|_| dice.pick(ids).clone()).collect();
            // A row of alembic_version is there once.
            current.dedup();
            if dice.roll(12) == 0 {
                current.push("unknown".to_owned());
            }
            let id = dice.pick(ids).clone();
            let label = if labels.is_empty() { id.clone() } else { dice.pick(labels).clone() };
            let steps = 1 + dice.roll(3);
            let target = match dice.roll(14) {
                0 | 1 => "head".to_owned(),
                2 | 3 => "heads".to_owned(),
                4 => id,
                5 => id[..4 + dice.roll(2)].to_owned(),
                6 => label,
                7 => format!("{label}@head"),
                8 => format!("{label}@heads"),
                9 => format!("{label}@{id}"),
                10 => format!("+{steps}"),
                11 => format!("{id}+{steps}"),
                12 => format!("{label}@+{steps}"),
                _ => format!("{id}-{steps}"),
            };
            (current, target)
        })
        .collect()
}

fn what_is_pending_is_what_alembic_would_run() {
    let root = tempfile::tempdir().unwrap();
    let mut dice = Dice(20_260_917);
    let mut cases = Vec::new();
    for at in 0..120 {
        let folder = root.path().join(at.to_string());
        fs::create_dir_all(folder.join("versions")).unwrap();
        let (ids, labels) = write_graph(&folder.join("versions"), &mut dice);
        cases.push((folder, queries(&ids, &labels, &mut dice)));
    }
    let asked = cases.iter().map(|(folder, queries)| json!({"folder": folder, "queries": queries})).collect();
    let answers = support::ask(&Value::Array(asked));
    let (mut agreed, mut refused) = (0, 0);
    for ((folder, queries), answers) in cases.iter().zip(answers.as_array().unwrap()) {
        let scripts = Scripts::read(folder).unwrap();
        for ((current, target), theirs) in queries.iter().zip(answers.as_array().unwrap()) {
            let ours = scripts.pending(current, target);
            let about = || format!("{}: {current:?} → {target}: {ours:?} but Alembic: {theirs}", describe(&scripts));
            match (&ours, theirs) {
                (Ok(ours), Value::Array(theirs)) => {
                    let ours: Vec<&str> = ours.iter().map(|revision| revision.id.as_str()).collect();
                    assert_eq!(&json!(ours), &json!(theirs), "{}", about());
                    agreed += 1;
                }
                (Err(_), Value::String(_)) => refused += 1,
                _ => panic!("{}", about()),
            }
        }
    }
    assert!(agreed > 1000 && refused > 500, "the cases are one-sided: {agreed} answers, {refused} refusals");
}

fn describe(scripts: &Scripts) -> String {
    let one = |revision: &ffe_alembic::Revision| {
        format!("{}<-{:?}+{:?}{:?}", revision.id, revision.down, revision.depends_on, revision.branch_labels)
    };
    scripts.revisions().iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The release asks the image with a script of its own whether a revision can be undone; plan and preflight must agree.
fn the_inspection_in_the_image_says_the_same_of_undo() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in [here.join("tests/corpus"), here.join("../../../examples/ffe-backend/app/alembic/versions")] {
        let scripts = Scripts::read(&folder).unwrap();
        let asked = scripts.revisions().iter().map(|revision| json!({"file": revision.file})).collect();
        let answers = support::ask(&Value::Array(asked));
        for (revision, answer) in scripts.revisions().iter().zip(answers.as_array().unwrap()) {
            let undo = format!("{:?}", revision.undo).to_lowercase();
            assert_eq!(answer, &json!([undo, revision.autocommit, dropped(revision)]), "{}", revision.id);
        }
    }
}

/// As the script writes it.
fn dropped(revision: &ffe_alembic::Revision) -> Value {
    let all = revision.dropped.iter().flatten();
    let list = all.map(|one| json!([json!(one.kind), one.name, one.column])).collect();
    if revision.dropped.is_some() { Value::Array(list) } else { Value::Null }
}

/// What is dropped, the same way: the files turned around, so that all that upgrades do counts as well.
fn the_inspection_in_the_image_says_the_same_of_what_is_dropped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let turned = tempfile::tempdir().unwrap();
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("downgrade = upgrade", "").replace("downgrade", "before");
        let text = text.replace("upgrade", "downgrade").replace("before", "upgrade");
        fs::write(turned.path().join(path.file_name().unwrap()), text).unwrap();
    }
    let scripts = Scripts::read(turned.path()).unwrap();
    let asked = scripts.revisions().iter().map(|revision| json!({"file": revision.file})).collect();
    let answers = support::ask(&Value::Array(asked));
    let mut found = 0;
    for (revision, answer) in scripts.revisions().iter().zip(answers.as_array().unwrap()) {
        assert_eq!(answer[2], dropped(revision), "{}", revision.id);
        found += revision.dropped.iter().flatten().count();
    }
    assert!(found > 30, "{found}");
}
