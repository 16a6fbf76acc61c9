//! Plans without changes: of releases, and of as many `terraform_data`, which is the least that Terraform itself needs.

use anyhow::Result;

use super::report::Row;
use super::side::Side;
use super::stack::{Many, Stack};
use super::usage::Cost;
use super::{Args, history};

/// The most releases that the Helm provider is measured with, which makes each of them by itself.
const MOST_OF_HELM_PROVIDER: usize = 100;

/// Makes what is missing and times the plans in turns, so that all see the same machine.
pub(super) fn measure(stack: &Stack<'_>, size: usize, revisions: usize, args: &Args) -> Result<Vec<Row>> {
    let mut all: Vec<(Many, Vec<Cost>)> = Vec::new();
    for side in stack.sides() {
        if side == Side::HelmProvider && size > MOST_OF_HELM_PROVIDER {
            continue;
        }
        all.push((ready(stack, side, size, revisions, args.fresh)?, Vec::new()));
    }
    for _ in 0..args.runs {
        for (many, costs) in &mut all {
            costs.push(stack.plan(many)?);
        }
    }
    let namespaces = all.iter().map(|(many, _)| many.namespaces.len()).max().unwrap_or_default();
    let namespaces = if namespaces > 1 { format!(" in {namespaces} namespaces") } else { String::new() };
    let what = match revisions {
        1 => format!("plan without changes, {size} releases{namespaces}"),
        _ => format!("plan without changes, {size} releases{namespaces}, {revisions} revisions each"),
    };
    Ok(all.into_iter().map(|(many, costs)| Row::new(&what, many.side, &costs)).collect())
}

/// Applied before, by an earlier run, or now.
fn ready(stack: &Stack<'_>, side: Side, size: usize, revisions: usize, fresh: bool) -> Result<Many> {
    let name = if revisions == 1 { "plan".to_owned() } else { format!("plan-x{revisions}") };
    let mut many = stack.many(&name, side, size);
    if fresh {
        stack.remove(&many)?;
    }
    if revisions > 1 && side != Side::Floor {
        many.takes_over = true;
        history::make(stack, &many, revisions - 1)?;
    }
    stack.write(&many, "hello")?;
    stack.apply(&many)?;
    if revisions > 1 && side != Side::Floor {
        history::check(stack, &many, revisions)?;
    }
    Ok(many)
}
