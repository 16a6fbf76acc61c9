//! Where in a resource something is.

use std::fmt;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An attribute of an object.
    Attribute(String),
    /// An element of a list or tuple, counted from 0.
    Index(i64),
    /// An element of a map.
    Key(String),
}

/// The way from the root of a resource, data source or provider to one value in it.
///
/// A set's elements have no steps: a path that leads into a set ends at the set.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

impl Path {
    /// The whole.
    pub fn root() -> Path {
        Path::default()
    }

    /// An attribute at the top.
    pub fn attribute(name: impl Into<String>) -> Path {
        Path::root().child(name)
    }

    /// This path, and one step further.
    #[must_use]
    pub fn with(mut self, step: Step) -> Path {
        self.0.push(step);
        self
    }

    /// An attribute of the object at this path.
    #[must_use]
    pub fn child(&self, name: impl Into<String>) -> Path {
        self.clone().with(Step::Attribute(name.into()))
    }

    /// An element of the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Path {
        self.clone().with(Step::Index(index as i64))
    }

    /// An element of the map at this path.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Path {
        self.clone().with(Step::Key(key.into()))
    }

    /// This path followed by another.
    #[must_use]
    pub fn join(mut self, rest: Path) -> Path {
        self.0.extend(rest.0);
        self
    }

    /// The steps from the root.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether this is the whole.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is the other one or leads into it.
    pub fn starts_with(&self, other: &Path) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for Path {
    /// As one writes it in HCL: `database.storage`, `set[0].name`, `labels["team"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_hcl() {
        let path = Path::attribute("set").index(2).child("labels").key("a b");
        assert_eq!(path.to_string(), r#"set[2].labels["a b"]"#);
        assert!(path.starts_with(&Path::attribute("set")));
    }
}
