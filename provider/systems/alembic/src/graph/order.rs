//! What would run, and in which order.

use super::{Graph, GraphError, Set, related};
use crate::Revision;

impl<'r> Graph<'r> {
    /// What an upgrade from `current` to `target` runs, in its order.
    pub(crate) fn pending(&self, current: &[String], target: &str) -> Result<Vec<&'r Revision>, GraphError> {
        let current = self.current(current)?;
        let targets = self.targets(&current, target)?;
        if let Some((revision, others)) = self.overlap(&targets) {
            return Err(GraphError::TargetsOverlap { target: target.to_owned(), revision, others });
        }
        let done = related(&self.down_normalized, current);
        let needed = &related(&self.down_normalized, targets.iter().copied()) - &done;
        let order = self.top_down(&needed, &targets);
        Ok(order.into_iter().rev().map(|index| self.revisions[index]).collect())
    }

    /// What a way back from `current` to `base` undoes, in its order.
    pub(crate) fn undone(&self, current: &[String], base: &[String]) -> Result<Vec<&'r Revision>, GraphError> {
        let (heads, kept) = (self.current(current)?, self.current(base)?);
        let (now, before) = (related(&self.down_all, heads.iter().copied()), related(&self.down_all, kept));
        let beside: Vec<usize> = before.difference(&now).copied().collect();
        if !beside.is_empty() {
            return Err(GraphError::NotBehind { current: current.to_vec(), base: self.ids(&beside) });
        }
        let newer = &now - &before;
        Ok(self.top_down(&newer, &heads).into_iter().map(|index| self.revisions[index]).collect())
    }

    /// The rows of `alembic_version`.
    fn current(&self, rows: &[String]) -> Result<Vec<usize>, GraphError> {
        let (mut current, mut unknown) = (Vec::new(), Vec::new());
        for row in rows {
            // Alembic takes a shortened identifier here too.
            match self.identifier(row) {
                Ok(index) if !current.contains(&index) => current.push(index),
                Ok(_) => {}
                Err(_) => unknown.push(row.clone()),
            }
        }
        if !unknown.is_empty() {
            return Err(GraphError::UnknownCurrent { revisions: unknown });
        }
        match self.overlap(&current) {
            Some((revision, others)) => Err(GraphError::Overlap { revision, others }),
            None => Ok(current),
        }
    }

    /// A revision among these that is above others among them; Alembic refuses such a set.
    fn overlap(&self, among: &[usize]) -> Option<(String, Vec<String>)> {
        among.iter().find_map(|index| {
            let below = related(&self.down_normalized, [*index]);
            let others: Vec<usize> =
                among.iter().copied().filter(|other| other != index && below.contains(other)).collect();
            (!others.is_empty()).then(|| (self.revisions[*index].id.clone(), self.ids(&others)))
        })
    }

    /// Alembic's own topological sort, from the heads down: along one line as far as possible, and from another head
    /// when that one descends from the candidate. Any valid order would do for the database; this one is what its log
    /// will show.
    fn top_down(&self, needed: &Set, targets: &[usize]) -> Vec<usize> {
        let ancestors_of = |index| related(&self.down_normalized, [index]);
        let mut todo = needed.clone();
        let mut heads: Vec<usize> = targets.iter().copied().filter(|index| todo.contains(index)).collect();
        heads.sort_unstable();
        heads.dedup();
        let mut ancestors: Vec<Set> = heads.iter().map(|index| ancestors_of(*index)).collect();
        let mut order = Vec::with_capacity(todo.len());
        let mut at = 0;
        while let Some(&candidate) = heads.get(at) {
            let blocked_by = ancestors.iter().enumerate().find(|(other, set)| *other != at && set.contains(&candidate));
            if let Some((other, _)) = blocked_by {
                at = other;
                continue;
            }
            if todo.remove(&candidate) {
                order.push(candidate);
            }
            let down = &self.down_normalized[candidate];
            let mut next =
                down.iter().copied().filter(|index| todo.contains(index) && !heads.contains(index)).collect::<Vec<_>>();
            if next.is_empty() {
                heads.remove(at);
                ancestors.remove(at);
                at = at.saturating_sub(1);
            } else {
                let others = next.split_off(1);
                if self.down[candidate].len() == 1 && down.len() == 1 {
                    // Down a plain line the ancestors are known; without this, long histories take quadratic time.
                    heads[at] = next[0];
                    ancestors[at].remove(&candidate);
                    continue;
                }
                heads[at] = next[0];
                ancestors[at] = ancestors_of(next[0]);
                ancestors.extend(others.iter().map(|index| ancestors_of(*index)));
                heads.extend(others);
            }
        }
        order
    }
}
