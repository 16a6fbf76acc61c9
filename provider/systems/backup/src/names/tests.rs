#![allow(clippy::unwrap_used)]

use super::*;
use crate::job::tests::{place, request, s3};
use crate::place::Rclone;

#[test]
fn an_endpoint_is_a_url() {
    let url = |url: Option<&str>| endpoint(&S3 { endpoint: url.map(str::to_owned), ..s3() });
    assert_eq!(url(Some("http://10.0.0.1:7070")).unwrap().as_deref(), Some("http://10.0.0.1:7070"));
    assert_eq!(url(Some("https://s3.example.com/")).unwrap().as_deref(), Some("https://s3.example.com"));
    assert_eq!(url(None).unwrap(), None);
    for wrong in ["s3.example.com", "ftp://x", "https://key:s3cret@x", "https://x/?a=b"] {
        let error = url(Some(wrong)).unwrap_err().to_string();
        assert!(error.contains("endpoint") && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn a_location_tells_where_the_file_is() {
    assert_eq!(location(&place(), "shop-1"), "pvc/dumps/c0ffee/ffe/shop/shop-1.dump");
    let in_bucket = |prefix: &str| {
        let storage = Storage::S3(S3 { prefix: prefix.to_owned(), ..s3() });
        location(&Place { storage, ..place() }, "shop-1")
    };
    assert_eq!(in_bucket(""), "s3://backups/c0ffee/ffe/shop/shop-1.dump");
    let storage = Storage::Rclone(Rclone {
        kind: "sftp".to_owned(),
        path: "/srv/backups/".to_owned(),
        options: std::collections::BTreeMap::new(),
        secret: None,
    });
    let there = location(&Place { storage, ..place() }, "shop-1");
    assert_eq!(there, "sftp:/srv/backups/c0ffee/ffe/shop/shop-1.dump");
    assert_eq!(in_bucket("/a/b/"), "s3://backups/a/b/c0ffee/ffe/shop/shop-1.dump");
}

#[test]
fn names_that_would_lead_elsewhere_are_refused_with_the_field() {
    let field = |change: &dyn Fn(&mut Request)| {
        let mut request = request();
        change(&mut request);
        match check_request(&request) {
            Err(Error::Invalid { field, .. }) => field,
            other => format!("{other:?}").leak(),
        }
    };
    assert_eq!(check_request(&request()).map_err(|error| error.to_string()), Ok(()));
    assert_eq!(field(&|r| r.backup_name = "../x".to_owned()), "backup_name");
    assert_eq!(field(&|r| r.backup_name = "a;rm".to_owned()), "backup_name");
    assert_eq!(field(&|r| r.place.series = String::new()), "series");
    assert_eq!(field(&|r| r.job_name = "x".repeat(64)), "job_name");
    assert_eq!(field(&|r| r.job_name = "Big".to_owned()), "job_name");
    assert_eq!(field(&|r| r.database_secret = String::new()), "database_secret");
    for prefix in ["a b", "a//b", "../a", "a&b"] {
        let storage = Storage::S3(S3 { prefix: prefix.to_owned(), ..s3() });
        assert_eq!(field(&|r| r.place.storage = storage.clone()), "storage.s3.prefix");
    }
    let rclone = |path: &str| {
        Storage::Rclone(Rclone {
            kind: "webdav".to_owned(),
            path: path.to_owned(),
            options: std::collections::BTreeMap::new(),
            secret: None,
        })
    };
    for path in ["a//b", "../a", "a\nb", "a\"b", "a$b", "a:b"] {
        assert_eq!(field(&|r| r.place.storage = rclone(path)), "storage.rclone.path");
    }
    for path in ["", "/srv/my backups", "files/me@example.com", "~app+x"] {
        let mut request = request();
        request.place.storage = rclone(path);
        assert_eq!(check_request(&request).map_err(|error| error.to_string()), Ok(()));
    }
    let storage = Storage::S3(S3 { region: String::new(), ..s3() });
    assert_eq!(field(&|r| r.place.storage = storage.clone()), "storage.s3.region");
}
