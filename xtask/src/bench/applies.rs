//! The first apply of many small releases, and an upgrade of all of them: each in a namespace that is made anew.

use anyhow::Result;

use super::Args;
use super::report::Row;
use super::stack::Stack;
use super::usage::Cost;

/// Times the applies in turns, so that all see the same machine.
pub(super) fn measure(stack: &Stack<'_>, size: usize, args: &Args) -> Result<Vec<Row>> {
    let mut all: Vec<_> = stack.sides().into_iter().map(|side| (side, Vec::new(), Vec::new())).collect();
    for _ in 0..args.applies {
        for (side, created, upgraded) in &mut all {
            let many = stack.many("apply", *side, size);
            stack.remove(&many)?;
            stack.write(&many, "hello")?;
            created.push(stack.apply(&many)?);
            stack.write(&many, "hello again")?;
            upgraded.push(stack.apply(&many)?);
            stack.remove(&many)?;
        }
    }
    let rows = |what: &str, costs: &dyn Fn(usize) -> Vec<Cost>| -> Vec<Row> {
        all.iter().enumerate().map(|(index, (side, ..))| Row::new(what, *side, &costs(index))).collect()
    };
    let mut both = rows(&format!("apply, {size} new releases"), &|index| all[index].1.clone());
    both.extend(rows(&format!("apply, upgrade of {size} releases"), &|index| all[index].2.clone()));
    Ok(both)
}
