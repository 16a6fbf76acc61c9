//! Logs of containers, redacted before anyone sees them.

use ffe_cluster::{Cancel, Cluster, Error, Kind, ObjectRef, Result};
use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use tfplugin_redaction::redacted;

/// A log of one line is cut here: some programs log whole documents.
const LINE_LIMIT: usize = 2000;
/// More of a log is not read at once.
const LOG_LIMIT: i64 = 64 << 20;

/// The last lines of a container's log (None: the pod's only container), of its present run or of
/// the one before. A container that has not logged anything yet has none.
///
/// # Errors
/// Those of any request.
pub async fn tail_log(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    container: Option<&str>,
    lines: usize,
    previous: bool,
) -> Result<Vec<String>> {
    let lines = last_lines(cluster, namespace, pod, container, lines, previous).await?;
    Ok(lines.iter().map(|line| tidy(line)).collect())
}

/// The same as it is: to be read, and never to be shown.
pub(crate) async fn last_lines(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    container: Option<&str>,
    lines: usize,
    previous: bool,
) -> Result<Vec<String>> {
    let object = ObjectRef::of::<Pod>(Some(namespace), pod);
    let api: Api<Pod> = Api::namespaced(cluster.client().await?, namespace);
    let params = LogParams {
        container: container.map(str::to_owned),
        tail_lines: Some(i64::try_from(lines).unwrap_or(i64::MAX)),
        previous,
        ..LogParams::default()
    };
    match api.logs(pod, &params).await.map_err(|error| cluster.failed("read the log of", &object, error)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        // "container is waiting to start", "previous terminated container not found"
        Err(error) if error.kind() == Kind::Invalid => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The whole log of a container, as it is: secrets and all. It is for what has to be read to the letter, and never to be
/// shown. What is beyond 64 MiB is missing.
///
/// # Errors
/// Those of any request; also when there is no log (yet).
pub async fn whole_log(cluster: &Cluster, namespace: &str, pod: &str, container: &str) -> Result<String> {
    let object = ObjectRef::of::<Pod>(Some(namespace), pod);
    let api: Api<Pod> = Api::namespaced(cluster.client().await?, namespace);
    let params =
        LogParams { container: Some(container.to_owned()), limit_bytes: Some(LOG_LIMIT), ..LogParams::default() };
    api.logs(pod, &params).await.map_err(|error| cluster.failed("read the log of", &object, error))
}

/// Follows a container's log from its beginning until the container ends or a stop is asked for,
/// handing each redacted line to `each`.
///
/// # Errors
/// Those of any request, and a connection that breaks.
pub(crate) async fn follow_log(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    container: &str,
    cancel: &Cancel,
    mut each: impl FnMut(&str) + Send,
) -> Result<()> {
    let object = ObjectRef::of::<Pod>(Some(namespace), pod);
    let api: Api<Pod> = Api::namespaced(cluster.client().await?, namespace);
    let params = LogParams { container: Some(container.to_owned()), follow: true, ..LogParams::default() };
    let stream =
        api.log_stream(pod, &params).await.map_err(|error| cluster.failed("follow the log of", &object, error))?;
    let mut lines = stream.lines();
    loop {
        let next = tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            next = lines.try_next() => next,
        };
        match next {
            Ok(Some(line)) => each(&tidy(&line)),
            Ok(None) => return Ok(()),
            Err(error) => {
                return Err(Error::Request {
                    kind: Kind::Unavailable,
                    operation: "follow the log of",
                    object: Box::new(object),
                    server: cluster.server().to_owned(),
                    message: error.to_string(),
                    source: Some(Box::new(error)),
                });
            }
        }
    }
}

/// A line of a log as it may be shown: without secrets, terminal colours and endless text.
pub fn tidy(line: &str) -> String {
    let mut clean = redacted(&strip_escapes(line.trim_end())).into_owned();
    if let Some((end, _)) = clean.char_indices().nth(LINE_LIMIT) {
        clean.truncate(end);
        clean.push('…');
    }
    clean
}

/// Drops terminal control sequences: `ESC [ … letter`, and lone control characters.
fn strip_escapes(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.next() == Some('[') {
                for c in chars.by_ref() {
                    if c.is_ascii_alphabetic() {
                        break;
                    }
                }
            }
        } else if !c.is_control() || c == '\t' {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_fit_to_be_shown() {
        tfplugin_redaction::redact("hunter2-of-logs");
        assert_eq!(tidy("\u{1b}[31mERROR\u{1b}[0m password hunter2-of-logs\r"), "ERROR password (redacted)");
        assert_eq!(tidy("a\tb\u{7}"), "a\tb");
        let long = tidy(&"é".repeat(5000));
        assert_eq!(long.chars().count(), LINE_LIMIT + 1);
    }
}
