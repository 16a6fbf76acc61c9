//! From kube's errors to ours: which kind it is, and what may be shown of it.

use std::error::Error as StdError;

use kube::client::AuthError;
use kube::core::Status;

use super::{Error, FieldConflict, Kind, Source};
use crate::object::ObjectRef;

/// How messages speak of an exec plugin, whose name only the connection knows.
pub(crate) const CREDENTIAL_COMMAND: &str = "the credential command";

/// Text of an answer that is no Kubernetes status is cut here: it may be a whole web page.
const FOREIGN_TEXT_LIMIT: usize = 200;

/// Turns what kube reports about one request into our error.
pub(crate) fn request_error(operation: &'static str, object: &ObjectRef, server: &str, error: kube::Error) -> Error {
    if let kube::Error::Api(status) = &error {
        let conflicts = field_conflicts(status);
        if !conflicts.is_empty() {
            return Error::FieldConflict { object: Box::new(object.clone()), server: server.to_owned(), conflicts };
        }
    }
    let (kind, message) = judge(&error);
    // an exec plugin's output may hold a token: it must not survive in the chain of sources
    let source = (!hides_secrets(&error)).then(|| Box::new(error) as Source);
    Error::Request { kind, operation, object: Box::new(object.clone()), server: server.to_owned(), message, source }
}

fn judge(error: &kube::Error) -> (Kind, String) {
    match error {
        kube::Error::Api(status) => judge_status(status),
        kube::Error::Auth(auth) => (Kind::Credentials, describe_auth(auth)),
        kube::Error::Service(inner) => match find_cause::<AuthError>(inner.as_ref()) {
            Some(auth) => (Kind::Credentials, describe_auth(auth)),
            None => (Kind::Unavailable, describe_transport(inner.as_ref())),
        },
        kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => (Kind::Unavailable, chain(error)),
        // serde's own text may quote a value
        kube::Error::SerdeError(source) => (
            Kind::Protocol,
            format!(
                "the answer does not have the shape of this kind (line {}, column {})",
                source.line(),
                source.column()
            ),
        ),
        kube::Error::Discovery(source) => (Kind::NotServed, source.to_string()),
        kube::Error::InferKubeconfig(_)
        | kube::Error::InferConfig(_)
        | kube::Error::RustlsTls(_)
        | kube::Error::ProxyProtocolUnsupported { .. }
        | kube::Error::ProxyProtocolDisabled { .. }
        | kube::Error::TlsRequired => (Kind::Config, chain(error)),
        other => (Kind::Protocol, chain(other)),
    }
}

fn judge_status(status: &Status) -> (Kind, String) {
    let spoken_by_kubernetes = status.reason != "Failed to parse error data";
    if !spoken_by_kubernetes {
        let kind = match status.code {
            401 => Kind::Unauthorized,
            403 => Kind::Forbidden,
            // a bare 404 is what an API server says of a path that it does not know, and what any
            // other web server says of everything: it proves no absence
            404 | 405 => Kind::NotServed,
            429 | 500..=599 => Kind::Unavailable,
            _ => Kind::Protocol,
        };
        let text = cut(&status.message);
        return (kind, format!("answered {} without a Kubernetes status: {text}", status.code));
    }
    // a field that the kind does not have is answered as an internal error
    let misspelt = status.message.contains("failed to create typed patch object")
        || status.message.contains("field not declared in schema");
    if misspelt {
        return (Kind::Invalid, status.message.clone());
    }
    let names_an_object = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
    let kind = match status.reason.as_str() {
        "Unauthorized" => Kind::Unauthorized,
        "Forbidden" => Kind::Forbidden,
        "NotFound" if names_an_object => Kind::NotFound,
        "NotFound" | "MethodNotAllowed" => Kind::NotServed,
        "AlreadyExists" => Kind::AlreadyExists,
        "Conflict" => Kind::Conflict,
        "Invalid" | "BadRequest" | "RequestEntityTooLarge" | "UnsupportedMediaType" => Kind::Invalid,
        "Expired" | "Gone" => Kind::Conflict,
        _ => match status.code {
            401 => Kind::Unauthorized,
            403 => Kind::Forbidden,
            409 => Kind::Conflict,
            400 | 413 | 415 | 422 => Kind::Invalid,
            429 | 500..=599 => Kind::Unavailable,
            _ => Kind::Protocol,
        },
    };
    let message = match status.message.trim() {
        "" => format!("{} ({})", status.reason, status.code),
        message => message.to_owned(),
    };
    (kind, message)
}

/// The causes of a server-side apply conflict: `conflict with "kubectl" using apps/v1`.
fn field_conflicts(status: &Status) -> Vec<FieldConflict> {
    let Some(details) = &status.details else {
        return Vec::new();
    };
    details
        .causes
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| FieldConflict {
            manager: cause.message.split('"').nth(1).unwrap_or(&cause.message).to_owned(),
            field: cause.field.clone(),
        })
        .collect()
}

fn describe_auth(error: &AuthError) -> String {
    match error {
        // never its standard output: that is where a token would be
        // nor the command line: its environment stands in it
        AuthError::AuthExecRun { out, .. } => {
            let complaint = String::from_utf8_lossy(&out.stderr);
            format!("{CREDENTIAL_COMMAND} failed ({}): {}", out.status, cut(complaint.trim()))
        }
        AuthError::AuthExecParse(_) => {
            format!("{CREDENTIAL_COMMAND} printed something that is no ExecCredential")
        }
        AuthError::AuthExecStart(source) => {
            format!("{CREDENTIAL_COMMAND} could not be started: {source}")
        }
        AuthError::ExecPluginFailed => {
            format!("{CREDENTIAL_COMMAND} printed an ExecCredential without a status")
        }
        other => other.to_string(),
    }
}

fn hides_secrets(error: &kube::Error) -> bool {
    let auth = match error {
        kube::Error::Auth(auth) => Some(auth),
        kube::Error::Service(inner) => find_cause::<AuthError>(inner.as_ref()),
        kube::Error::SerdeError(_) => return true,
        _ => None,
    };
    matches!(auth, Some(AuthError::AuthExecRun { .. } | AuthError::AuthExecParse(_)))
}

fn find_cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + Send + Sync + 'static)) -> Option<&'a T> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn describe_transport(error: &(dyn StdError + Send + Sync + 'static)) -> String {
    let text = chain(error);
    if text.contains("UnknownIssuer") || text.contains("invalid peer certificate") {
        return format!(
            "{text}; the API server's certificate is not trusted: see `cluster_ca_certificate`, `tls_server_name` and `insecure`"
        );
    }
    text
}

/// An error with its causes, without saying the same twice.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// Secrets go before the text is cut, which would leave half of one.
fn cut(text: &str) -> String {
    let text = tfplugin_redaction::redacted(text);
    match text.char_indices().nth(FOREIGN_TEXT_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::process::ExitStatusExt;

    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;

    use super::*;

    fn error_of(status: serde_json::Value) -> Error {
        let status: Status = serde_json::from_value(status).unwrap();
        let object = ObjectRef::of::<Secret>(Some("ffe"), "a");
        request_error("get", &object, "https://api:6443", kube::Error::Api(status.boxed()))
    }

    #[test]
    fn only_a_kubernetes_status_that_names_the_object_is_absence() {
        let real = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound",
            "message": "secrets \"a\" not found", "details": {"name": "a", "kind": "secrets"}});
        assert_eq!(error_of(real).kind(), Kind::NotFound);
        let no_such_kind = json!({"status": "Failure", "code": 404, "reason": "NotFound",
            "message": "the server could not find the requested resource", "details": {}});
        assert_eq!(error_of(no_such_kind).kind(), Kind::NotServed);
        let web_page = json!({"status": "Failure", "code": 404, "reason": "Failed to parse error data",
            "message": "<html>".repeat(200)});
        let error = error_of(web_page);
        assert_eq!(error.kind(), Kind::NotServed);
        assert!(!error.is_not_found());
        assert!(error.to_string().len() < 400, "{error}");
    }

    #[test]
    fn kinds_follow_reason_then_code() {
        let cases = [
            ("Unauthorized", 401, Kind::Unauthorized),
            ("Forbidden", 403, Kind::Forbidden),
            ("AlreadyExists", 409, Kind::AlreadyExists),
            ("Conflict", 409, Kind::Conflict),
            ("Invalid", 422, Kind::Invalid),
            ("TooManyRequests", 429, Kind::Unavailable),
            ("InternalError", 500, Kind::Unavailable),
            ("ServiceUnavailable", 503, Kind::Unavailable),
            ("Timeout", 504, Kind::Unavailable),
        ];
        for (reason, code, kind) in cases {
            let error = error_of(json!({"status": "Failure", "code": code, "reason": reason, "message": "m"}));
            assert_eq!(error.kind(), kind, "{reason}");
            assert!(!error.is_not_found());
        }
    }

    #[test]
    fn apply_conflicts_name_manager_and_field() {
        let error = error_of(json!({"status": "Failure", "code": 409, "reason": "Conflict",
            "message": "Apply failed with 2 conflicts", "details": {"causes": [
                {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using apps/v1", "field": ".spec.replicas"},
                {"reason": "FieldManagerConflict", "message": "conflict with \"hpa\" using apps/v1", "field": ".spec.x"}]}}));
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(error.conflicts().len(), 2);
        let text = error.to_string();
        assert!(text.contains("\"kubectl-edit\" owns .spec.replicas"), "{text}");
    }

    #[test]
    fn an_exec_plugins_output_is_not_repeated() {
        let out = std::process::Output {
            status: std::process::ExitStatus::from_raw(256),
            stdout: b"{\"status\":{\"token\":\"hunter2\"}}".to_vec(),
            stderr: b"session expired".to_vec(),
        };
        let auth = AuthError::AuthExecRun {
            cmd: "AWS_SECRET=\"hunter2\" \"aws\" \"eks\" \"get-token\"".to_owned(),
            out: Box::new(out),
        };
        let object = ObjectRef::of::<Secret>(Some("ffe"), "a");
        let error = request_error("get", &object, "https://api:6443", kube::Error::Auth(auth));
        assert_eq!(error.kind(), Kind::Credentials);
        let text = format!("{error} {error:?}");
        assert!(text.contains("session expired"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
