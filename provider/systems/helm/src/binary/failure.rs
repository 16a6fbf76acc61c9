//! Helm's error output, made into an error: noise off, secrets out, the cause recognised.

use std::fmt;

use tfplugin_redaction::redacted;

/// At most this much of Helm's message is shown.
const MAX_MESSAGE: usize = 4000;

/// What Helm stumbled over, as far as its text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The release does not exist.
    NotFound,
    /// A release of that name exists.
    NameInUse,
    /// The revision that it would make has been made meanwhile; nothing was done.
    Outrun,
    /// Another operation is under way, or was killed half-way.
    Pending,
    /// An object exists that belongs to something else.
    Ownership,
    /// A field is managed by someone else (server-side apply).
    Conflict,
    /// The values do not fit the chart's schema.
    Schema,
    /// The templates do not render.
    Render,
    /// The chart does not support this Kubernetes.
    KubeVersion,
    /// A kind is not served: a CRD is missing.
    UnknownKind,
    /// The API server or an admission webhook refused an object.
    Invalid,
    /// Not allowed.
    Forbidden,
    /// Not authenticated.
    Unauthorized,
    /// The API server cannot be reached.
    Unreachable,
    /// A hook failed.
    Hook,
    /// Time ran out.
    Timeout,
    /// The chart cannot be downloaded.
    Download,
    /// The chart's provenance does not verify.
    Provenance,
    /// Dependencies are missing.
    Dependencies,
    /// Something else.
    Other,
}

/// Helm ran and failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The operation (`install`, `template`, …).
    pub operation: &'static str,
    /// What it was about: a release as `namespace/name`, or a chart.
    pub subject: String,
    /// What it stumbled over.
    pub cause: Cause,
    /// Helm's own message, cleaned.
    pub message: String,
    /// What Helm warned of before.
    pub warnings: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "helm {} of {} failed: {}", self.operation, self.subject, self.message)
    }
}

impl std::error::Error for Failure {}

/// Error output, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) error: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) rest: Vec<String>,
}

/// Sorts Helm's error output: the error (everything from `Error:` on), warnings, and the rest.
pub(super) fn sort(stderr: &str) -> Said {
    let mut said = Said::default();
    let clean = redacted(stderr);
    let mut lines = clean.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_end();
        if let Some(first) = line.strip_prefix("Error: ") {
            let mut message = strip_headline(first).to_owned();
            for more in lines.by_ref().filter(|line| !is_noise(line)) {
                message.push('\n');
                message.push_str(more.trim_end());
            }
            said.error = Some(shorten(message.trim()));
        } else if let Some(warning) = warning(line) {
            if !said.warnings.contains(&warning) {
                said.warnings.push(warning);
            }
        } else if !line.trim().is_empty() && !is_noise(line) {
            said.rest.push(line.to_owned());
        }
    }
    said
}

/// `INSTALLATION FAILED: `, `UPGRADE FAILED: `: we say ourselves what failed.
fn strip_headline(message: &str) -> &str {
    match message.split_once(" FAILED: ") {
        Some((head, rest)) if head.chars().all(|c| c.is_ascii_uppercase()) => rest,
        _ => message,
    }
}

/// Lines that say nothing about the release: client-go's own log, hints on Helm's command line.
fn is_noise(line: &str) -> bool {
    let line = line.trim();
    let klog = line.len() > 5
        && line.starts_with(['I', 'W', 'E'])
        && line[1..].bytes().take(4).all(|b| b.is_ascii_digit())
        && line.contains(".go:");
    (klog && !line.contains("warnings.go:"))
        || line == "Use --debug flag to render out invalid YAML"
        || line.starts_with("WARNING: Kubernetes configuration file is")
        || (line.contains("level=") && line.contains("Kubernetes configuration file is"))
}

/// The text of a warning: `WARNING: …` of Helm 3, `level=WARN msg="…"` of Helm 4, the chart loader's own lines.
fn warning(line: &str) -> Option<String> {
    if is_noise(line) {
        return None;
    }
    if let Some(text) = line.strip_prefix("WARNING: ").or_else(|| line.strip_prefix("Warning: ")) {
        return Some(text.trim().to_owned());
    }
    if line.contains("level=WARN") {
        let (_, rest) = line.split_once("msg=")?;
        return Some(logged(rest));
    }
    if let Some((_, text)) = line.split_once(": warning: ") {
        return Some(text.trim().to_owned());
    }
    // client-go prints what the API server warned of: `W0101 12:00:00.000000   1 warnings.go:70] "Warning: text"`, `I0101 …` lately
    if let Some((_, rest)) = line.split_once(" warnings.go:").filter(|_| line.starts_with(['W', 'I'])) {
        let text = rest.split_once("] ").map_or(rest, |(_, text)| text);
        let text = logged(text);
        return Some(text.strip_prefix("Warning: ").map(str::to_owned).unwrap_or(text));
    }
    None
}

/// A slog message: quoted or one word, with the attributes that follow it.
fn logged(rest: &str) -> String {
    let Some(quoted) = rest.strip_prefix('"') else { return rest.trim().to_owned() };
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    let attributes = chars.as_str().trim();
    if attributes.is_empty() { text } else { format!("{text} ({attributes})") }
}

fn shorten(message: &str) -> String {
    if message.chars().count() <= MAX_MESSAGE {
        return message.to_owned();
    }
    // The cause is mostly at the end, the place at the beginning.
    let half = MAX_MESSAGE / 2;
    let chars: Vec<char> = message.chars().collect();
    let head: String = chars[..half].iter().collect();
    let tail: String = chars[chars.len() - half..].iter().collect();
    format!("{head}\n… (shortened) …\n{tail}")
}

/// Recognises the cause in Helm's text. The first that fits counts, so the more particular ones come first.
pub(super) fn cause(message: &str) -> Cause {
    const KNOWN: &[(&str, Cause)] = &[
        ("cannot re-use a name that is still in use", Cause::NameInUse),
        ("cannot reuse a name that is still in use", Cause::NameInUse),
        ("another operation (install/upgrade/rollback) is in progress", Cause::Pending),
        ("release: already exists", Cause::Outrun),
        ("invalid ownership metadata", Cause::Ownership),
        ("values don't meet the specifications of the schema", Cause::Schema),
        ("chart requires kubeVersion", Cause::KubeVersion),
        ("missing in charts/ directory", Cause::Dependencies),
        ("no matches for kind", Cause::UnknownKind),
        ("ensure CRDs are installed first", Cause::UnknownKind),
        ("hooks failed", Cause::Hook),
        ("post-install hook", Cause::Hook),
        ("pre-install hook", Cause::Hook),
        ("failed to verify", Cause::Provenance),
        ("provenance", Cause::Provenance),
        ("Kubernetes cluster unreachable", Cause::Unreachable),
        ("connection refused", Cause::Unreachable),
        ("no such host", Cause::Unreachable),
        ("Unauthorized", Cause::Unauthorized),
        ("is forbidden", Cause::Forbidden),
        ("timed out waiting", Cause::Timeout),
        ("context deadline exceeded", Cause::Timeout),
        ("client rate limiter Wait returned an error", Cause::Timeout),
        ("conflict with", Cause::Conflict),
        ("conflicts with", Cause::Conflict),
        ("release: not found", Cause::NotFound),
        ("has no deployed releases", Cause::NotFound),
        ("is invalid:", Cause::Invalid),
        ("denied the request", Cause::Invalid),
        ("unable to build kubernetes objects", Cause::Invalid),
        ("error validating data", Cause::Invalid),
        ("execution error at", Cause::Render),
        ("parse error at", Cause::Render),
        ("executing \"", Cause::Render),
        ("template:", Cause::Render),
        ("YAML parse error", Cause::Render),
        ("error converting YAML", Cause::Render),
        ("failed to download", Cause::Download),
        ("failed to fetch", Cause::Download),
        ("failed to perform", Cause::Download),
        ("not found in", Cause::Download),
        ("no chart version found", Cause::Download),
        ("no chart name found", Cause::Download),
        ("repo ", Cause::Download),
    ];
    KNOWN.iter().find(|(part, _)| message.contains(part)).map_or(Cause::Other, |(_, cause)| *cause)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn helm_3_and_helm_4_output_is_sorted() {
        let stderr = "WARNING: Kubernetes configuration file is group-readable. This is insecure. Location: /x\n\
            W0101 12:00:00.000000   12345 warnings.go:70] would violate PodSecurity\n\
            I0101 12:00:00.000000   12345 request.go:697] Waited for 1s\n\
            I0101 12:00:00.000000   12345 warnings.go:107] \"Warning: unknown field \\\"dta\\\"\"\n\
            WARNING: This chart is deprecated\n\
            coalesce.go:286: warning: cannot overwrite table with non table for x.image (map[])\n\
            level=WARN msg=\"this chart is \\\"old\\\"\" chart=x\n\
            something else\n\
            Error: INSTALLATION FAILED: execution error at (x/templates/a.yaml:1:4): no \"tag\"\n\n\
            Use --debug flag to render out invalid YAML\n";
        let said = sort(stderr);
        assert_eq!(said.error.as_deref(), Some("execution error at (x/templates/a.yaml:1:4): no \"tag\""));
        assert_eq!(
            said.warnings,
            [
                "would violate PodSecurity",
                "unknown field \"dta\"",
                "This chart is deprecated",
                "cannot overwrite table with non table for x.image (map[])",
                "this chart is \"old\" (chart=x)"
            ]
        );
        assert_eq!(said.rest, ["something else"]);
    }

    #[test]
    fn a_message_of_several_lines_is_kept_whole() {
        let said = sort(
            "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nx:\n- a: wrong\n",
        );
        assert!(said.error.unwrap().ends_with("x:\n- a: wrong"));
    }

    #[test]
    fn secrets_are_taken_out_before_anything_else() {
        tfplugin_redaction::redact("hunter2-of-helm");
        let said = sort("Error: bad value hunter2-of-helm in x\n");
        assert!(!said.error.unwrap().contains("hunter2"));
    }

    #[test]
    fn causes_are_recognised() {
        for (text, expected) in [
            ("cannot re-use a name that is still in use", Cause::NameInUse),
            ("another operation (install/upgrade/rollback) is in progress", Cause::Pending),
            (
                "Unable to continue with install: Secret \"a\" in namespace \"b\" exists and cannot be imported into the current release: invalid ownership metadata; label validation error",
                Cause::Ownership,
            ),
            ("uninstall: Release not loaded: x: release: not found", Cause::NotFound),
            ("release: already exists", Cause::Outrun),
            (
                "Kubernetes cluster unreachable: Get \"http://localhost:8080/version\": dial tcp: connection refused",
                Cause::Unreachable,
            ),
            ("template: x/templates/a.yaml:1:2: executing", Cause::Render),
            ("failed pre-install: 1 error occurred:\n\t* timed out waiting for the condition", Cause::Timeout),
            ("whatever", Cause::Other),
        ] {
            assert_eq!(cause(text), expected, "{text}");
        }
    }

    #[test]
    fn long_messages_keep_both_ends() {
        let message = shorten(&format!("begin{}end", "x".repeat(10_000)));
        assert!(message.starts_with("begin") && message.ends_with("end") && message.len() < 4200);
    }
}
