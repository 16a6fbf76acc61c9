//! What a target means: `head`, an identifier or its beginning, a branch, a number of steps.

use super::{Graph, GraphError, Set, related};

impl Graph<'_> {
    /// The revisions that an upgrade aims at; none for `base`.
    pub(crate) fn targets(&self, current: &[usize], target: &str) -> Result<Vec<usize>, GraphError> {
        match Relative::parse(target) {
            Some(relative) => self.relative(current, &relative, target),
            None => {
                let (branch, name) = match target.split_once('@') {
                    Some((branch, name)) => (Some(self.branch(branch)?), name),
                    None => (None, target),
                };
                self.absolute(branch, name)
            }
        }
    }

    fn absolute(&self, branch: Option<(usize, &str)>, name: &str) -> Result<Vec<usize>, GraphError> {
        match (name, branch) {
            ("base", _) => Ok(Vec::new()),
            ("heads", None) => Ok(self.heads(true)),
            ("heads", Some(branch)) => Ok(self.on_branch(self.heads(false), branch.0)),
            ("head", _) => {
                let heads = self.heads(false);
                let heads = branch.map_or(heads.clone(), |branch| self.on_branch(heads, branch.0));
                match heads.len() {
                    0 | 1 => Ok(heads),
                    _ => Err(GraphError::SeveralHeads { heads: self.ids(&heads) }),
                }
            }
            (name, None) => Ok(vec![self.identifier(name)?]),
            (name, Some((at, label))) => {
                let index = self.beginning(name, Some(at))?;
                if self.line_of(index).contains(&at) {
                    Ok(vec![index])
                } else {
                    let revision = self.revisions[index].id.clone();
                    Err(GraphError::NotOnBranch { revision, branch: label.to_owned() })
                }
            }
        }
    }

    /// A revision by its identifier, its branch label, or the beginning of either.
    pub(crate) fn identifier(&self, name: &str) -> Result<usize, GraphError> {
        self.beginning(name, None)
    }

    fn beginning(&self, name: &str, branch: Option<usize>) -> Result<usize, GraphError> {
        if let Some(index) = self.by_name.get(name) {
            return Ok(*index);
        }
        // Alembic asks for four characters of the identifier that is meant, not of what was given.
        let mut found: Vec<(&str, usize)> = self
            .by_name
            .iter()
            .filter(|(known, _)| known.chars().count() > 3 && known.starts_with(name) && !name.is_empty())
            .map(|(known, index)| (*known, *index))
            .filter(|(_, index)| branch.is_none_or(|branch| self.line_of(*index).contains(&branch)))
            .collect();
        found.sort_unstable();
        match found.as_slice() {
            [] => Err(GraphError::UnknownTarget { target: name.to_owned() }),
            [(_, index)] => Ok(*index),
            _ => {
                let candidates = found.iter().map(|(known, _)| (*known).to_owned()).collect();
                Err(GraphError::AmbiguousTarget { target: name.to_owned(), candidates })
            }
        }
    }

    fn branch<'t>(&self, label: &'t str) -> Result<(usize, &'t str), GraphError> {
        Ok((self.identifier(label)?, label))
    }

    /// What a revision descends from and what descends from it, by `down_revision` alone.
    fn line_of(&self, index: usize) -> Set {
        &related(&self.down, [index]) | &related(&self.next, [index])
    }

    fn on_branch(&self, indices: Vec<usize>, branch: usize) -> Vec<usize> {
        let line = self.line_of(branch);
        indices.into_iter().filter(|index| line.contains(index)).collect()
    }

    fn relative(&self, current: &[usize], relative: &Relative<'_>, target: &str) -> Result<Vec<usize>, GraphError> {
        let too_far = || GraphError::TooFar { target: target.to_owned() };
        let branch = relative.branch.map(|label| self.branch(label)).transpose()?;
        let start = match (relative.from, relative.steps) {
            (None, ..=0) => return Err(too_far()),
            (None, _) => self.start(current, branch.map(|branch| branch.0), target)?,
            (Some(name), steps) => {
                let branch = branch.filter(|_| steps <= 0);
                match self.absolute(branch, name)?.as_slice() {
                    [] => None,
                    [one] => Some(*one),
                    several => return Err(GraphError::SeveralHeads { heads: self.ids(several) }),
                }
            }
        };
        let end = if relative.steps > 0 {
            self.up(start, relative.steps, branch.map(|branch| branch.0), target)?
        } else {
            self.down(start, relative.steps, target)?
        };
        end.map(|index| vec![index]).ok_or_else(too_far)
    }

    /// Where steps are counted from: what the database is at, on that branch; `None` is before the first revision.
    fn start(&self, current: &[usize], branch: Option<usize>, target: &str) -> Result<Option<usize>, GraphError> {
        let mut start = current.to_vec();
        if let Some(branch) = branch {
            start = self.on_branch(start, branch);
            if start.is_empty() {
                let passed = related(&self.down_normalized, current.iter().copied()).into_iter().collect();
                let passed = self.on_branch(passed, branch);
                let below: Set = passed.iter().flat_map(|index| &self.down_normalized[*index]).copied().collect();
                start = passed.into_iter().filter(|index| !below.contains(index)).collect();
            }
        }
        match start.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => Err(GraphError::AmbiguousStep { target: target.to_owned(), candidates: self.ids(several) }),
        }
    }

    fn up(
        &self,
        start: Option<usize>,
        steps: i64,
        branch: Option<usize>,
        target: &str,
    ) -> Result<Option<usize>, GraphError> {
        let mut at = start;
        for _ in 0..steps {
            let mut next = match at {
                Some(index) => self.next[index].clone(),
                None => (0..self.down.len()).filter(|index| self.down[*index].is_empty()).collect(),
            };
            if let Some(branch) = branch {
                next = self.on_branch(next, branch);
            }
            at = match next.as_slice() {
                [] => return Ok(None),
                [one] => Some(*one),
                several => {
                    let candidates = self.ids(several);
                    return Err(GraphError::AmbiguousStep { target: target.to_owned(), candidates });
                }
            };
        }
        Ok(at)
    }

    fn down(&self, start: Option<usize>, steps: i64, target: &str) -> Result<Option<usize>, GraphError> {
        let mut at = start;
        for _ in steps..0 {
            let next = match at {
                Some(index) => self.down[index].clone(),
                None => self.heads(false),
            };
            at = match next.as_slice() {
                [] => return Ok(None),
                [one] => Some(*one),
                several => {
                    let candidates = self.ids(several);
                    return Err(GraphError::AmbiguousStep { target: target.to_owned(), candidates });
                }
            };
        }
        Ok(at)
    }
}

/// `[branch@][revision](+|-)N`
struct Relative<'t> {
    branch: Option<&'t str>,
    from: Option<&'t str>,
    steps: i64,
}

impl Relative<'_> {
    fn parse(target: &str) -> Option<Relative<'_>> {
        let sign = target.rfind(['+', '-'])?;
        let (before, number) = target.split_at(sign);
        if number.len() < 2 || !number[1..].bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let (branch, from) = match before.split_once('@') {
            Some((branch, from)) => (Some(branch), from),
            None => (None, before),
        };
        Some(Relative { branch, from: (!from.is_empty()).then_some(from), steps: number.parse().ok()? })
    }
}
