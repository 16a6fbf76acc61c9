//! The sample application's revisions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use ffe_alembic::{ProblemKind, Rule, Scripts, Undo};

#[test]
fn the_sample_application_is_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/ffe-backend/app");
    let scripts = Scripts::read(&folder).unwrap();
    assert!(scripts.folder().ends_with("alembic/versions"));
    // The folder holds the revisions of several images, which end differently.
    let kinds: Vec<ProblemKind> = scripts.problems().iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::SeveralHeads]);
    let pending = scripts.pending(&["0003_positions".to_owned()], "0006_drop_prompts").unwrap();
    let ids: Vec<&str> = pending.iter().map(|revision| revision.id.as_str()).collect();
    assert_eq!(ids, ["0004_feedback", "0005_risk_limits", "0006_drop_prompts"]);

    for revision in scripts.revisions() {
        let rules: Vec<Rule> = revision.findings.iter().map(|finding| finding.rule).collect();
        let (undo, expected, autocommit): (Undo, &[Rule], bool) = match revision.id.as_str() {
            "0006_broker_reference" => (Undo::Possible, &[Rule::NotNullWithoutDefault], false),
            "0006_drop_prompts" => (Undo::Raises, &[Rule::DropColumn], false),
            "0006_instrument_venue" => (Undo::Possible, &[], true),
            "0006_stop_loss" => (Undo::Pass, &[], false),
            // An index on a table that is made in the same revision locks nobody out.
            _ => (Undo::Possible, &[], false),
        };
        let found = (revision.undo, rules.as_slice(), revision.autocommit);
        assert_eq!(found, (undo, expected, autocommit), "{}: {:?}", revision.id, revision.findings);
    }
    let dropped = |id: &str| {
        let all = scripts.revision(id).unwrap().dropped.iter().flatten();
        all.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(dropped("0004_feedback"), "the column provider of decisions, the table feedback");
    assert_eq!(dropped("0006_instrument_venue"), "the column venue of instruments");
    assert_eq!(dropped("0006_drop_prompts"), "");
    let rows = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let undone = scripts.undone(&rows(&["0006_stop_loss"]), &rows(&["0003_positions"])).unwrap();
    let ids: Vec<&str> = undone.iter().map(|revision| revision.id.as_str()).collect();
    assert_eq!(ids, ["0006_stop_loss", "0005_risk_limits", "0004_feedback"]);
    let stop_loss = scripts.revision("0006_stop_loss").unwrap();
    assert_eq!(stop_loss.message, "A stop-loss price for positions. Nobody wrote the way back.");
    assert!(stop_loss.undo.obstacle().unwrap().contains("empty downgrade()"));
}
