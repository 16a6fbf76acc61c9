//! Which names are taken, and what they become: they end up in file names, keys and shell variables, so that few
//! characters are allowed.

use url::Url;

use crate::error::Error;
use crate::place::{Place, Rclone, Request, S3, Storage};

/// The longest name of a Job whose pods can still be named after it.
const JOB_NAME: usize = 63;
/// The longest key in a bucket.
const KEY: usize = 1024;

/// Refuses what cannot be asked for.
pub(crate) fn check_request(request: &Request) -> Result<(), Error> {
    check_place(&request.place)?;
    check_job_name(&request.job_name)?;
    check_name("backup_name", &request.backup_name)?;
    if request.database_secret.is_empty() {
        return Err(invalid("database_secret", "it is empty; expected the name of a Secret"));
    }
    if key(&request.place, &request.backup_name).len() + ".manifest".len() > KEY {
        return Err(invalid("storage.s3.prefix", "with the series and the name after it, it is too long for a key"));
    }
    Ok(())
}

/// Refuses a place that cannot be.
pub(crate) fn check_place(place: &Place) -> Result<(), Error> {
    check_name("cluster", &place.cluster)?;
    check_name("series", &place.series)?;
    for (field, text) in [("namespace", &place.namespace), ("image", &place.image)] {
        if text.is_empty() {
            return Err(invalid(field, "it is empty"));
        }
    }
    match &place.storage {
        Storage::Volume(volume) if volume.claim.is_empty() => {
            Err(invalid("storage.claim", "it is empty; expected the name of a PersistentVolumeClaim"))
        }
        Storage::Volume(_) => Ok(()),
        Storage::S3(s3) => check_s3(s3),
        Storage::Rclone(rclone) => check_rclone(rclone),
    }
}

/// Refuses a name that no Job can have.
pub(crate) fn check_job_name(name: &str) -> Result<(), Error> {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if name.is_empty() || name.len() > JOB_NAME || !plain || name.starts_with('-') || name.ends_with('-') {
        let message = format!("`{name}` names no Job: expected at most {JOB_NAME} of a-z, 0-9 and - within");
        return Err(invalid("job_name", message));
    }
    Ok(())
}

fn check_name(field: &'static str, name: &str) -> Result<(), Error> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if !plain || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || name.len() > 200 {
        let message = format!("`{name}` cannot be part of a file name: expected letters, digits, and . _ - within");
        return Err(invalid(field, message));
    }
    Ok(())
}

fn check_s3(s3: &S3) -> Result<(), Error> {
    let plain = |text: &str, more: &[char]| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(&c));
    if s3.bucket.is_empty() || !plain(&s3.bucket, &['.', '-', '_']) {
        return Err(invalid("storage.s3.bucket", format!("`{}` names no bucket", s3.bucket)));
    }
    if !plain(&s3.prefix, &['.', '-', '_', '/']) || s3.prefix.contains("//") || s3.prefix.contains("..") {
        let message = format!("`{}`: expected letters, digits and . _ - with / between", s3.prefix);
        return Err(invalid("storage.s3.prefix", message));
    }
    if s3.region.is_empty() || !plain(&s3.region, &['-', '_']) {
        let message = format!("`{}` names no region; services that have none take us-east-1", s3.region);
        return Err(invalid("storage.s3.region", message));
    }
    if s3.credentials_secret.is_empty() {
        return Err(invalid("storage.s3.credentials_secret", "it is empty; expected the name of a Secret"));
    }
    endpoint(s3).map(|_| ())
}

fn check_rclone(rclone: &Rclone) -> Result<(), Error> {
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !word(&rclone.kind) {
        let message = format!("`{}` is no kind of storage; expected rclone's word, such as azureblob", rclone.kind);
        return Err(invalid("storage.rclone.type", message));
    }
    if let Some(name) = rclone.options.keys().find(|name| !word(name)) {
        let message = format!("`{name}` is no setting; expected rclone's name of one, such as account");
        return Err(invalid("storage.rclone.options", message));
    }
    let plain = rclone.path.chars().all(|c| c.is_ascii_alphanumeric() || " ._-+~@/".contains(c));
    if !plain || rclone.path.contains("//") || rclone.path.contains("..") {
        let message = format!("`{}`: expected letters, digits, spaces and . _ - + ~ @ with / between", rclone.path);
        return Err(invalid("storage.rclone.path", message));
    }
    Ok(())
}

/// The URL of the service; none for Amazon's own.
///
/// # Errors
/// When the endpoint is none.
pub(crate) fn endpoint(s3: &S3) -> Result<Option<String>, Error> {
    let Some(endpoint) = &s3.endpoint else { return Ok(None) };
    let wrong = |what: &str| invalid("storage.s3.endpoint", format!("{what}; expected a URL like https://host:port"));
    let url = Url::parse(endpoint).map_err(|_| wrong("it is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("its scheme is neither https nor http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it has credentials in it, which belong into the Secret"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("something follows its path"));
    }
    let host = url.host_str().ok_or_else(|| wrong("it has no host"))?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    Ok(Some(format!("{}://{host}{port}{path}", url.scheme())))
}

/// The folder of a series in a storage that is not a volume, without slashes around it: for S3 it begins with the bucket.
pub(crate) fn remote_folder(place: &Place) -> String {
    let parts = match &place.storage {
        Storage::Volume(_) => ["", ""],
        Storage::S3(s3) => [s3.bucket.as_str(), s3.prefix.as_str()],
        Storage::Rclone(rclone) => [rclone.path.as_str(), ""],
    };
    let folder = place.folder();
    // A path of SFTP may begin with a slash.
    let root = if parts[0].starts_with('/') { "/" } else { "" };
    let all: Vec<&str> = parts.into_iter().chain([folder.as_str()]).map(|part| part.trim_matches('/')).collect();
    format!("{root}{}", all.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
}

fn key(place: &Place, backup: &str) -> String {
    match &place.storage {
        Storage::Volume(_) => format!("{}/{backup}.dump", place.folder()),
        Storage::S3(_) | Storage::Rclone(_) => format!("{}/{backup}.dump", remote_folder(place)),
    }
}

/// Where a backup lies: `pvc/<claim>/<file>`, `s3://<bucket>/<key>`, or `<kind>:<path>`.
pub(crate) fn location(place: &Place, backup: &str) -> String {
    let key = key(place, backup);
    match &place.storage {
        Storage::Volume(volume) => format!("pvc/{}/{key}", volume.claim),
        Storage::S3(_) => format!("s3://{key}"),
        Storage::Rclone(rclone) => format!("{}:{key}", rclone.kind),
    }
}

fn invalid(field: &'static str, message: impl Into<String>) -> Error {
    Error::Invalid { field, message: message.into() }
}

#[cfg(test)]
mod tests;
