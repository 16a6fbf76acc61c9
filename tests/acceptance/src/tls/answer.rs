//! What curl says with `--include`.

use anyhow::{Context as _, Result};

/// An answer by HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

impl Answer {
    /// Reads one.
    ///
    /// # Errors
    /// When it has no status.
    pub(crate) fn of(text: &str) -> Result<Answer> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let status = first.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        let headers = lines.take_while(|line| !line.trim().is_empty()).filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Ok(Answer { status: status.with_context(|| format!("no status in {text:?}"))?, headers })
    }

    /// A header, its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
