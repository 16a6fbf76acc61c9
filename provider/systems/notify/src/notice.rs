//! What happened.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A release has begun.
    Started,
    /// It passed its checks.
    Succeeded,
    /// It failed and was left as it is, or never started to change anything.
    Failed,
    /// It failed, and what ran before runs again.
    RolledBack,
}

impl Event {
    /// All events, in the order of a release.
    pub const ALL: [Event; 4] = [Event::Started, Event::Succeeded, Event::Failed, Event::RolledBack];

    /// Its name in configurations and in JSON: `started`, `succeeded`, `failed`, `rolled_back`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Event::Started => "started",
            Event::Succeeded => "succeeded",
            Event::Failed => "failed",
            Event::RolledBack => "rolled_back",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of the known ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct UnknownName {
    /// The names that there are.
    pub expected: &'static str,
}

impl FromStr for Event {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Event::ALL
            .into_iter()
            .find(|event| event.name() == text)
            .ok_or(UnknownName { expected: "\"started\", \"succeeded\", \"failed\" or \"rolled_back\"" })
    }
}

/// What happened to a release. Texts may be of any length: they are trimmed to what each channel takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// What it is about.
    pub event: Event,
    /// The name of the environment, where it is known.
    pub environment: Option<String>,
    /// The release's namespace.
    pub namespace: String,
    /// The release's name.
    pub release: String,
    /// The revision that ran before; none at the first install.
    pub revision_from: Option<i64>,
    /// The revision that runs now, or will.
    pub revision_to: Option<i64>,
    /// The application's version that ran before.
    pub app_version_from: Option<String>,
    /// The application's version that runs now, or will.
    pub app_version_to: Option<String>,
    /// The heads of the database's schema before. Empty: none yet; both empty: no migration.
    pub schema_from: Vec<String>,
    /// The heads of the database's schema now, or the target.
    pub schema_to: Vec<String>,
    /// The phase in which it failed.
    pub phase: Option<String>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// Why it failed, the most telling lines first. The caller has taken out secrets; colours and control characters
    /// are taken out here.
    pub cause: Option<String>,
    /// The run's identifier.
    pub run_id: String,
    /// What the user wants to see with it, such as commit and author.
    pub fields: BTreeMap<String, String>,
}

impl Notice {
    /// A notice that says no more than what happened to which release.
    #[must_use]
    pub fn new(
        event: Event,
        namespace: impl Into<String>,
        release: impl Into<String>,
        run_id: impl Into<String>,
    ) -> Self {
        Self {
            event,
            environment: None,
            namespace: namespace.into(),
            release: release.into(),
            revision_from: None,
            revision_to: None,
            app_version_from: None,
            app_version_to: None,
            schema_from: Vec::new(),
            schema_to: Vec::new(),
            phase: None,
            duration: None,
            cause: None,
            run_id: run_id.into(),
            fields: BTreeMap::new(),
        }
    }

    /// A notice with everything in it.
    #[cfg(test)]
    pub(crate) fn example(event: Event) -> Self {
        Self {
            environment: Some("production".into()),
            revision_from: Some(3),
            revision_to: Some(4),
            app_version_from: Some("1.4.0".into()),
            app_version_to: Some("1.5.0".into()),
            schema_from: vec!["a1b2".into()],
            schema_to: vec!["c3d4".into()],
            phase: Some("migrate".into()),
            duration: Some(Duration::from_millis(92_400)),
            cause: Some("Job ffe/ffe-migrate-1 failed\ncolumn \"a\" <int> & more".into()),
            fields: [("commit".to_owned(), "9f8e7d6".to_owned()), ("author".to_owned(), "A_B <a@b.c>".to_owned())]
                .into(),
            ..Self::new(event, "ffe", "ffe-backend", "0123456789ab")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_names_of_the_configuration() {
        for event in Event::ALL {
            assert_eq!(event.to_string().parse(), Ok(event));
        }
        let error = "rolled-back".parse::<Event>().map_err(|error| error.to_string());
        assert_eq!(error, Err("expected \"started\", \"succeeded\", \"failed\" or \"rolled_back\"".to_owned()));
    }
}
