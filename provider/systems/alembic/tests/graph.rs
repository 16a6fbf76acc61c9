//! The graph and what is wrong with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::PathBuf};

use ffe_alembic::{GraphError, ProblemKind, Scripts, ScriptsError};

/// `id`, `down_revision`, `depends_on`, `branch_labels`, as Python.
fn scripts(files: &[(&str, &str, &str, &str)]) -> Scripts {
    Scripts::from_sources(files.iter().map(|(id, down, depends, labels)| {
        let text = format!(
            "\"\"\"{id}\"\"\"\nrevision = '{id}'\ndown_revision = {down}\ndepends_on = {depends}\nbranch_labels = {labels}\ndef upgrade(): pass\n"
        );
        (PathBuf::from(format!("{id}.py")), text)
    }))
}

fn pending(scripts: &Scripts, current: &[&str], target: &str) -> Result<String, GraphError> {
    let current: Vec<String> = current.iter().map(|row| (*row).to_owned()).collect();
    let pending = scripts.pending(&current, target)?;
    Ok(pending.iter().map(|revision| revision.id.as_str()).collect::<Vec<_>>().join(" "))
}

fn line() -> Scripts {
    scripts(&[
        ("aaaa1", "None", "None", "None"),
        ("aaaa2", "'aaaa1'", "None", "None"),
        ("bbbb3", "'aaaa2'", "None", "None"),
        ("bbbb4", "'bbbb3'", "None", "None"),
    ])
}

/// Two branches from `root`, joined by `join`.
fn diamond() -> Scripts {
    scripts(&[
        ("root", "None", "None", "None"),
        ("left1", "'root'", "None", "('left',)"),
        ("left2", "'left1'", "None", "None"),
        ("right1", "'root'", "None", "('right',)"),
        ("join", "('left2', 'right1')", "None", "None"),
    ])
}

#[test]
fn a_line_is_run_from_where_the_database_is() {
    let line = line();
    assert_eq!(pending(&line, &[], "head").unwrap(), "aaaa1 aaaa2 bbbb3 bbbb4");
    assert_eq!(pending(&line, &["aaaa2"], "head").unwrap(), "bbbb3 bbbb4");
    assert_eq!(pending(&line, &["aaaa2"], "bbbb3").unwrap(), "bbbb3");
    assert_eq!(pending(&line, &["bbbb4"], "head").unwrap(), "");
    assert_eq!(pending(&line, &["bbbb4"], "aaaa2").unwrap(), "", "an upgrade never goes back");
    assert_eq!(pending(&line, &["aaaa1"], "+2").unwrap(), "aaaa2 bbbb3");
    assert_eq!(pending(&line, &[], "+1").unwrap(), "aaaa1");
    assert_eq!(pending(&line, &[], "aaaa2+1").unwrap(), "aaaa1 aaaa2 bbbb3");
    assert_eq!(pending(&line, &[], "head-1").unwrap(), "aaaa1 aaaa2 bbbb3");
    assert_eq!(pending(&line, &["aaaa1"], "base").unwrap(), "");
    assert_eq!(line.heads(), ["bbbb4"]);
    assert_eq!(line.problems(), []);
}

#[test]
fn branches_are_run_before_what_joins_them() {
    let diamond = diamond();
    assert_eq!(pending(&diamond, &[], "head").unwrap(), "root right1 left1 left2 join");
    assert_eq!(pending(&diamond, &["left2"], "head").unwrap(), "right1 join");
    assert_eq!(pending(&diamond, &["left1", "right1"], "head").unwrap(), "left2 join");
    assert_eq!(pending(&diamond, &["root"], "left@left2").unwrap(), "left1 left2");
    assert_eq!(pending(&diamond, &["root"], "right").unwrap(), "right1");
    assert_eq!(pending(&diamond, &["root"], "left@+1").unwrap(), "left1");
    let Err(GraphError::AmbiguousStep { candidates, .. }) = pending(&diamond, &["root"], "+1") else {
        panic!("a fork has no next revision")
    };
    assert_eq!(candidates, ["left1", "right1"]);
    assert!(matches!(pending(&diamond, &["root"], "left@right1"), Err(GraphError::NotOnBranch { .. })));
}

#[test]
fn dependencies_run_first_and_are_no_parents() {
    let two = scripts(&[
        ("app1", "None", "None", "('app',)"),
        ("app2", "'app1'", "'lib'", "None"),
        ("lib1", "None", "None", "('lib',)"),
        ("lib2", "'lib1'", "None", "None"),
    ]);
    assert_eq!(two.heads(), ["app2", "lib2"]);
    assert_eq!(pending(&two, &[], "app@head").unwrap(), "lib1 app1 app2");
    assert_eq!(pending(&two, &["lib2"], "app2").unwrap(), "app1 app2");
    assert_eq!(pending(&two, &["app2"], "heads").unwrap(), "lib2");
}

#[test]
fn several_heads_are_a_problem_and_an_error_only_for_head() {
    let forked = scripts(&[
        ("root", "None", "None", "None"),
        ("left", "'root'", "None", "None"),
        ("right", "'root'", "None", "None"),
    ]);
    let problems = forked.problems();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].kind, ProblemKind::SeveralHeads);
    assert!(problems[0].to_string().starts_with("left.py:2: right.py:2: there are 2 heads: left, right;"));
    let error = pending(&forked, &[], "head").unwrap_err();
    assert_eq!(error, GraphError::SeveralHeads { heads: vec!["left".into(), "right".into()] });
    assert!(error.to_string().contains("alembic merge heads"));
    assert_eq!(pending(&forked, &["root"], "heads").unwrap(), "right left");
    assert_eq!(pending(&forked, &["root"], "left").unwrap(), "left");
}

#[test]
fn targets_that_mean_nothing_or_too_much() {
    let line = line();
    assert_eq!(
        pending(&line, &[], "aaaa").unwrap_err().to_string(),
        r#"several revisions begin with "aaaa": aaaa1, aaaa2; write the identifier out"#
    );
    assert!(matches!(pending(&line, &[], "zzzz"), Err(GraphError::UnknownTarget { .. })));
    assert!(pending(&line, &[], "z").unwrap_err().to_string().contains("four characters"));
    assert!(matches!(pending(&line, &[], ""), Err(GraphError::UnknownTarget { .. })));
    assert!(matches!(pending(&line, &["bbbb3"], "+2"), Err(GraphError::TooFar { .. })));
    assert!(matches!(pending(&line, &["bbbb3"], "-1"), Err(GraphError::TooFar { .. })));
}

#[test]
fn a_database_ahead_or_beside_is_told() {
    let error = pending(&line(), &["cccc5", "aaaa1"], "head").unwrap_err();
    assert_eq!(error, GraphError::UnknownCurrent { revisions: vec!["cccc5".into()] });
    assert!(error.to_string().contains("ahead of them or on another branch"));
    assert!(matches!(pending(&line(), &["aaaa1", "bbbb3"], "head"), Err(GraphError::Overlap { .. })));
}

#[test]
fn broken_graphs_are_told_with_their_places() {
    let missing = scripts(&[("a", "'gone'", "None", "None"), ("b", "'a'", "'label'", "None")]);
    let problems: Vec<String> = missing.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2);
    assert!(problems[0].starts_with(r#"a.py:2: revision a has down_revision "gone""#), "{problems:?}");
    assert!(problems[1].starts_with(r#"b.py:2: revision b has depends_on "label""#), "{problems:?}");
    assert!(matches!(pending(&missing, &[], "head"), Err(GraphError::MissingParent { .. })));

    let cycle = scripts(&[
        ("base", "None", "None", "None"),
        ("a", "'c'", "None", "None"),
        ("b", "'a'", "None", "None"),
        ("c", "('b', 'base')", "None", "None"),
        ("above", "'c'", "None", "None"),
    ]);
    let error = GraphError::Cycle { revisions: vec!["a".into(), "b".into(), "c".into()] };
    assert_eq!(pending(&cycle, &[], "head").unwrap_err(), error);
    assert_eq!(cycle.problems()[0].kind, ProblemKind::Cycle);
    let own = scripts(&[("a", "'a'", "None", "None")]);
    assert_eq!(own.problems()[0].kind, ProblemKind::Cycle);

    let twice = Scripts::from_sources([
        (PathBuf::from("x.py"), "revision = 'same'\ndown_revision = None\ndef upgrade(): pass".to_owned()),
        (PathBuf::from("y.py"), "\nrevision = 'same'\ndown_revision = None\ndef upgrade(): pass".to_owned()),
    ]);
    assert_eq!(twice.problems().len(), 1);
    assert!(twice.problems()[0].to_string().starts_with("x.py:1: y.py:2: 2 files have the identifier"));

    let labels = scripts(&[("a", "None", "None", "'l'"), ("b", "'a'", "None", "'l'"), ("c", "'b'", "None", "'a'")]);
    let kinds: Vec<ProblemKind> = labels.problems().iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::DuplicateLabel, ProblemKind::DuplicateLabel]);
}

#[test]
fn files_that_make_no_sense_are_told_with_their_line() {
    let found = |text: &str| {
        let scripts = Scripts::from_sources([(PathBuf::from("x.py"), format!("{text}\ndef upgrade(): pass\n"))]);
        scripts.problems().iter().map(|problem| (problem.kind, problem.places[0].line)).collect::<Vec<_>>()
    };
    assert_eq!(
        found("revision = 'a'\ndown_revision = None\ndef upgrade(:\n    pass\n"),
        [(ProblemKind::DoesNotParse, 3)]
    );
    assert_eq!(found("import os\n"), [(ProblemKind::NoIdentifier, 1)]);
    assert_eq!(found("\nrevision = make()\n"), [(ProblemKind::NoIdentifier, 2)]);
    assert_eq!(found("revision = 'a'\ndown_revision = make()\n"), [(ProblemKind::NoIdentifier, 2)]);
    assert_eq!(found("revision = 'a-b'\n"), [(ProblemKind::IllegalIdentifier, 1)]);
    assert_eq!(found("\u{feff}revision = 'a'\r\ndown_revision = None\r\n"), []);
    assert_eq!(found("a = b = 'x'\nrevision = a\ndown_revision: str | None = None"), []);
}

#[test]
fn a_revision_without_upgrade_is_told() {
    let scripts = Scripts::from_sources([(PathBuf::from("x.py"), "\nrevision = 'a'\ndown_revision = None".to_owned())]);
    let problems: Vec<String> = scripts.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["x.py:2: revision a has no upgrade(); Alembic cannot run it"]);
}

#[test]
fn the_folder_is_found_and_what_is_no_revision_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let Err(error @ ScriptsError::NotFound { .. }) = Scripts::read(&path.join("nowhere")) else {
        panic!("nothing there")
    };
    assert!(error.to_string().contains("nowhere/alembic/versions"), "{error}");
    fs::write(path.join("main.py"), "print()").unwrap();
    assert!(matches!(Scripts::read(path), Err(ScriptsError::NotFound { .. })));

    let versions = path.join("alembic/versions");
    fs::create_dir_all(versions.join("below")).unwrap();
    fs::write(path.join("alembic/env.py"), "").unwrap();
    assert_eq!(Scripts::read(path).unwrap().revisions(), [], "a project without revisions yet");
    for (name, text) in [
        ("b.py", "revision = 'b'\ndown_revision = 'ab12'\ndef upgrade(): pass"),
        ("ab12.py", "down_revision = None\nfrom helpers import upgrade"),
        ("__init__.py", ""),
        (".#b.py", "revision = 'b'"),
        ("b.py.orig", "revision = 'b'"),
        ("below/c.py", "revision = 'c'"),
    ] {
        fs::write(versions.join(name), text).unwrap();
    }
    for given in [path.to_owned(), path.join("alembic"), versions.clone()] {
        let scripts = Scripts::read(&given).unwrap();
        assert_eq!(scripts.folder(), versions);
        assert_eq!(scripts.problems(), []);
        let ids: Vec<&str> = scripts.revisions().iter().map(|revision| revision.id.as_str()).collect();
        assert_eq!(ids, ["ab12", "b"]);
        assert_eq!(scripts.revisions()[1].file, versions.join("b.py"));
    }
}

#[test]
fn a_long_history_is_no_burden() {
    let mut sources =
        vec![(PathBuf::from("0.py"), "revision = 'r0'\ndown_revision = None\ndef upgrade(): pass".to_owned())];
    for at in 1..3000 {
        sources.push((PathBuf::from(format!("{at}.py")), format!("revision = 'r{at}'\ndown_revision = 'r{}'", at - 1)));
    }
    let scripts = Scripts::from_sources(sources);
    let pending = scripts.pending(&["r9".to_owned()], "head").unwrap();
    assert_eq!((pending.len(), pending[0].id.as_str(), pending[2989].id.as_str()), (2990, "r10", "r2999"));
}

fn undone(scripts: &Scripts, current: &[&str], base: &[&str]) -> Result<String, GraphError> {
    let rows = |all: &[&str]| all.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
    let undone = scripts.undone(&rows(current), &rows(base))?;
    Ok(undone.iter().map(|revision| revision.id.as_str()).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_way_back_undoes_what_stands_on_the_base_and_only_that() {
    let line = line();
    assert_eq!(undone(&line, &["bbbb4"], &["aaaa2"]).unwrap(), "bbbb4 bbbb3");
    assert_eq!(undone(&line, &["bbbb4"], &["bbbb4"]).unwrap(), "");
    assert!(matches!(undone(&line, &["aaaa2"], &["bbbb3"]), Err(GraphError::NotBehind { .. })), "that is forwards");
    assert!(matches!(undone(&line, &["bbbb4"], &["gone"]), Err(GraphError::UnknownCurrent { .. })));
    let diamond = diamond();
    assert_eq!(undone(&diamond, &["join"], &["left2", "right1"]).unwrap(), "join");
    assert_eq!(undone(&diamond, &["join"], &["left1", "right1"]).unwrap(), "join left2");
    assert!(matches!(undone(&diamond, &["left2"], &["right1"]), Err(GraphError::NotBehind { .. })), "another branch");
    // What a revision depends on stays where it was there before.
    let depends = scripts(&[
        ("a1", "None", "None", "None"),
        ("a2", "'a1'", "None", "None"),
        ("b1", "None", "None", "None"),
        ("b2", "'b1'", "'a2'", "None"),
    ]);
    assert_eq!(undone(&depends, &["b2"], &["a2", "b1"]).unwrap(), "b2");
    assert_eq!(undone(&depends, &["b2"], &["a1", "b1"]).unwrap(), "b2 a2");
}

#[test]
fn a_target_means_revisions_wherever_the_database_stands() {
    assert_eq!(line().aim("head").unwrap(), ["bbbb4"]);
    assert_eq!(line().aim("bbbb3").unwrap(), ["bbbb3"]);
    assert!(line().aim("base").unwrap().is_empty());
    assert!(matches!(line().aim("+1"), Err(GraphError::TooFar { .. })));
    let heads = scripts(&[
        ("root", "None", "None", "None"),
        ("one1", "'root'", "None", "None"),
        ("two2", "'root'", "None", "None"),
    ]);
    assert_eq!(heads.aim("heads").unwrap(), ["one1", "two2"]);
    assert!(matches!(heads.aim("head"), Err(GraphError::SeveralHeads { .. })));
}
