//! What every step of the work is handed.

use crate::paths::Paths;
use crate::progress::Steps;

/// The folders, and somebody to tell.
pub(crate) struct Bed<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) steps: Steps<'a>,
}

impl Bed<'_> {
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        self.steps.say(text);
    }
}
