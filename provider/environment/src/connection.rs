//! How an application reaches its database: the keys of the connection Secret.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::names::Names;
use crate::objects::database::PORT;
use crate::spec::Bundled;

/// Key of the URL, which the others follow from.
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";

/// Keys for the bundled database. Neither user nor name nor password need escaping.
pub(crate) fn bundled(names: &Names, bundled: &Bundled, password: &str) -> BTreeMap<String, String> {
    let (host, Bundled { name, user, .. }) = (names.database_host(), bundled);
    keys([
        (DATABASE_URL, format!("postgresql://{user}:{password}@{host}:{PORT}/{name}")),
        ("PGHOST", host),
        ("PGPORT", PORT.to_string()),
        ("PGUSER", user.clone()),
        ("PGPASSWORD", password.to_owned()),
        ("PGDATABASE", name.clone()),
    ])
}

/// Keys for an external database. The URL is handed on as it was given; `PGSSLMODE` is set where the URL says
/// `sslmode`.
///
/// # Errors
/// What is wrong with the URL, without any part of it, since it carries a password.
pub(crate) fn external(text: &str) -> Result<BTreeMap<String, String>, &'static str> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::EmptyHost => "it names no host",
        _ => "it is no URL",
    })?;
    // `postgresql+psycopg2` names a driver to SQLAlchemy.
    let scheme = url.scheme().split('+').next().unwrap_or_default();
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err("its scheme is neither postgresql nor postgres");
    }
    let decode = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
    let part = |text: &str, wrong: &'static str| match decode(text) {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(wrong),
    };
    let host = part(url.host_str().unwrap_or_default().trim_matches(['[', ']']), "it names no host")?;
    let name = part(url.path().trim_start_matches('/'), "it names no database after the host")?;
    let user = part(url.username(), "it names no user")?;
    let password = decode(url.password().unwrap_or_default()).map_err(|_| "its password is not UTF-8")?;
    let mut keys = keys([
        (DATABASE_URL, text.to_owned()),
        ("PGHOST", host),
        ("PGPORT", url.port().unwrap_or(PORT).to_string()),
        ("PGUSER", user),
        ("PGPASSWORD", password),
        ("PGDATABASE", name),
    ]);
    if let Some((_, mode)) = url.query_pairs().find(|(key, _)| key == "sslmode") {
        keys.insert("PGSSLMODE".to_owned(), mode.into_owned());
    }
    Ok(keys)
}

fn keys<const N: usize>(keys: [(&str, String); N]) -> BTreeMap<String, String> {
    keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_external_url_is_taken_apart_and_handed_on_as_it_is() {
        let text = "postgresql+psycopg2://app:p%40ss%2F1@db.example.com/shop?sslmode=verify-full";
        let keys = external(text).unwrap();
        let expected = [
            ("DATABASE_URL", text),
            ("PGDATABASE", "shop"),
            ("PGHOST", "db.example.com"),
            ("PGPASSWORD", "p@ss/1"),
            ("PGPORT", "5432"),
            ("PGSSLMODE", "verify-full"),
            ("PGUSER", "app"),
        ];
        assert_eq!(keys.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(external("postgres://a:b@[::1]:6432/x").unwrap()["PGHOST"], "::1");
        assert_eq!(external("postgres://a:b@h:6432/x").unwrap()["PGPORT"], "6432");
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_of_the_url_is_shown() {
        for (text, wrong) in [
            ("s3cret", "no URL"),
            ("mysql://a:s3cret@h/x", "scheme"),
            ("postgresql://a:s3cret@/x", "host"),
            ("postgresql://a:s3cret@h", "database"),
            ("postgresql://h/x", "user"),
        ] {
            let error = external(text).unwrap_err();
            assert!(error.contains(wrong) && !error.contains("s3cret"), "{text}: {error}");
        }
    }

    #[test]
    fn the_bundled_database_has_the_same_keys() {
        let spec = crate::objects::tests::spec();
        let keys = bundled(&spec.names, spec.database.bundled().unwrap(), "pw");
        assert_eq!(keys[DATABASE_URL], "postgresql://ffe:pw@ffe-shop-database.ffe.svc:5432/ffe");
        assert_eq!(external(&keys[DATABASE_URL]).unwrap(), keys);
    }
}
