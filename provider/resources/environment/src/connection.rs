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

/// What a URL may say after its `?`, and the variable by which PostgreSQL's own programs know it: so that a dump and the
/// application connect in the same way.
const PARAMETERS: [(&str, &str); 19] = [
    ("channel_binding", "PGCHANNELBINDING"),
    ("client_encoding", "PGCLIENTENCODING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("gssencmode", "PGGSSENCMODE"),
    ("hostaddr", "PGHOSTADDR"),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("options", "PGOPTIONS"),
    ("require_auth", "PGREQUIREAUTH"),
    ("requirepeer", "PGREQUIREPEER"),
    ("sslcert", "PGSSLCERT"),
    ("sslcrl", "PGSSLCRL"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslsni", "PGSSLSNI"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
];

/// Keys for an external database. The URL is handed on as it was given; what it says about the connection is said by
/// the variables too.
///
/// # Errors
/// What is wrong with the URL, without any part of it, since it carries a password.
pub(crate) fn external(text: &str) -> Result<BTreeMap<String, String>, &'static str> {
    let (first, more) = split_hosts(text);
    let url = Url::parse(&first).map_err(|error| match error {
        url::ParseError::EmptyHost => "it names no host",
        url::ParseError::InvalidPort => {
            "its port is no number, which is also how a password with a / ? or # looks: percent-encode these in it"
        }
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
    for (host, port) in more {
        for (key, value) in [("PGHOST", host), ("PGPORT", port)] {
            if let Some(list) = keys.get_mut(key) {
                list.push(',');
                list.push_str(&value);
            }
        }
    }
    for (parameter, value) in url.query_pairs() {
        match parameter.as_ref() {
            "service" => return Err("it names a `service`, whose file the database's pods do not have"),
            "passfile" => return Err("it names a `passfile`, which the database's pods do not have"),
            "host" | "port" | "user" | "password" | "dbname" => {
                return Err("it names host, port, user, password or database after the ?; expected before it");
            }
            // What asyncpg calls it, in the same words.
            "ssl" => keys.insert("PGSSLMODE".to_owned(), value.into_owned()),
            name => match PARAMETERS.iter().find(|(known, _)| *known == name) {
                Some((_, variable)) => keys.insert((*variable).to_owned(), value.into_owned()),
                // The driver's own business.
                None => None,
            },
        };
    }
    Ok(keys)
}

/// The URL with the first of its hosts, and the others, each with its port: `h1:5432,h2:5432` is no URL.
fn split_hosts(text: &str) -> (String, Vec<(String, String)>) {
    let whole = || (text.to_owned(), Vec::new());
    let Some(begin) = text.find("://").map(|at| at + 3) else { return whole() };
    let end = text[begin..].find(['/', '?', '#']).map_or(text.len(), |at| begin + at);
    let hosts = text[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
    let mut all = text[hosts..end].split(',');
    let Some(first) = all.next() else { return whole() };
    let others = all.map(|one| match one.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) => {
            (host.trim_matches(['[', ']']).to_owned(), port.to_owned())
        }
        _ => (one.trim_matches(['[', ']']).to_owned(), PORT.to_string()),
    });
    (format!("{}{first}{}", &text[..hosts], &text[end..]), others.collect())
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
    fn dump_and_application_connect_in_the_same_way() {
        let url = "postgresql://app:pw@h1:6432,h2,[::1]:7432/shop?target_session_attrs=read-write&sslmode=verify-full\
                   &sslrootcert=system&options=-c%20role%3Downer&application_name=x&prepared_statement_cache_size=0";
        let keys = external(url).unwrap();
        for (key, value) in [
            ("PGHOST", "h1,h2,::1"),
            ("PGPORT", "6432,5432,7432"),
            ("PGDATABASE", "shop"),
            ("PGTARGETSESSIONATTRS", "read-write"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "system"),
            ("PGOPTIONS", "-c role=owner"),
            ("DATABASE_URL", url),
        ] {
            assert_eq!(keys[key], value, "{key}");
        }
        assert_eq!(keys.len(), 10, "{keys:?}");
        assert_eq!(external("postgresql://a:b@h/x?ssl=require").unwrap()["PGSSLMODE"], "require");
        assert_eq!(external("postgresql://a:p@ss@h/x").unwrap()["PGPASSWORD"], "p@ss");
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_of_the_url_is_shown() {
        for (text, wrong) in [
            ("s3cret", "no URL"),
            ("mysql://a:s3cret@h/x", "scheme"),
            ("postgresql://a:s3cret@/x", "host"),
            ("postgresql://a:s3cret@h", "database"),
            ("postgresql://h/x", "user"),
            ("postgresql://a:s3cret/x@h/x", "percent-encode"),
            ("postgresql://a:s3cret#x@h/x", "percent-encode"),
            ("postgresql://a:s3cret?x@h/x", "percent-encode"),
            ("postgresql://a:s3cret@h/x?service=s", "service"),
            ("postgresql://a:b@h/x?password=s3cret", "after the ?"),
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
