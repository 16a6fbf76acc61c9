//! `ffe_database_credentials`: how the database of an environment is reached, for one run and never stored.

use std::sync::Arc;

use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_session::{Session, Unavailable, checks, diagnostic};
use tfplugin::{
    Attr, Context, Deferred, Diagnostic, Diagnostics, EphemeralResource, Model, Opened, Path, Private, Value,
    async_trait,
};

use crate::connection::DATABASE_URL;

/// The credentials of an environment's database, read from its `database_secret` each time Terraform needs them. They are in no
/// state and in no plan; use them in write-only attributes and in the configuration of providers.
#[derive(Model, Clone, Debug)]
pub struct DatabaseCredentials {
    /// The namespace of the environment.
    #[attr(required, check = checks::dns_label())]
    pub namespace: Attr<String>,
    /// The name of the Secret: the environment's `database_secret`.
    #[attr(required, check = checks::dns_subdomain())]
    pub secret: Attr<String>,
    /// Anything that is known only once the Secret is there, when it is made in the same run: the environment's `database_status`
    /// for a bundled database, its `secrets_revision` for an external one. Terraform reads the credentials as soon as it knows
    /// all of this block's attributes.
    #[attr(optional)]
    pub after: Attr<Value>,
    /// The whole as a URL (`DATABASE_URL`).
    #[attr(computed, sensitive)]
    pub url: Attr<String>,
    /// The host (`PGHOST`).
    #[attr(computed)]
    pub host: Attr<String>,
    /// The port (`PGPORT`).
    #[attr(computed)]
    pub port: Attr<i64>,
    /// The user (`PGUSER`).
    #[attr(computed)]
    pub username: Attr<String>,
    /// The password (`PGPASSWORD`).
    #[attr(computed, sensitive)]
    pub password: Attr<String>,
    /// The name of the database (`PGDATABASE`).
    #[attr(computed)]
    pub database: Attr<String>,
    /// What the server's certificate is checked for (`PGSSLMODE`), where the URL says so.
    #[attr(computed)]
    pub sslmode: Attr<String>,
}

/// The ephemeral resource.
pub struct DatabaseCredentialsResource {
    session: Arc<Session>,
}

impl DatabaseCredentialsResource {
    /// The ephemeral resource, on the configured provider.
    pub fn new(session: Arc<Session>) -> DatabaseCredentialsResource {
        DatabaseCredentialsResource { session }
    }
}

#[async_trait]
impl EphemeralResource for DatabaseCredentialsResource {
    type Model = DatabaseCredentials;

    fn type_name(&self) -> &'static str {
        "ffe_database_credentials"
    }

    async fn defer(&self, _cx: &Context, _config: &DatabaseCredentials) -> Option<Deferred> {
        self.session.deferral()
    }

    async fn open(
        &self,
        _cx: &Context,
        config: DatabaseCredentials,
    ) -> Result<Opened<DatabaseCredentials>, Diagnostics> {
        let cluster = self.session.cluster().map_err(Unavailable::into_diagnostics)?;
        let namespace = config.namespace.as_str().unwrap_or_default();
        let name = config.secret.as_str().unwrap_or_default();
        let secret = cluster.find::<Secret>(Some(namespace), name).await;
        let secret = secret.map_err(|error| diagnostic(&error, "The database's credentials cannot be read"))?;
        let secret = secret.ok_or_else(|| {
            Diagnostic::error(
                format!("The Secret {namespace}/{name} does not exist"),
                format!(
                    "On {}. It is the database_secret of an ffe_environment. If that is made in the same run, set after here to \
                     its database_status (bundled) or secrets_revision (external), so that it is looked for when it has been \
                     made.",
                    cluster.server()
                ),
            )
            .at(Path::attribute("secret"))
        })?;
        Ok(Opened {
            result: filled_in(config, &secret)?,
            private: Private::default(),
            renew_at: None,
            diagnostics: Diagnostics::new(),
        })
    }
}

/// The values of the Secret's keys. The error names keys and no value.
fn filled_in(mut model: DatabaseCredentials, secret: &Secret) -> Result<DatabaseCredentials, Diagnostics> {
    let text = |key: &str| -> Option<String> {
        let bytes = &secret.data.as_ref()?.get(key)?.0;
        String::from_utf8(bytes.clone()).ok()
    };
    let wanted = [DATABASE_URL, "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"];
    let missing: Vec<&str> = wanted.into_iter().filter(|key| text(key).is_none()).collect();
    let port = text("PGPORT").and_then(|port| port.parse::<i64>().ok());
    if !missing.is_empty() || port.is_none() {
        let what = if missing.is_empty() {
            "PGPORT is no number".to_owned()
        } else {
            format!("it lacks {}", missing.join(", "))
        };
        let name = model.secret.as_str().unwrap_or_default();
        return Err(Diagnostic::error(
            format!("The Secret {name} does not hold the credentials of a database"),
            format!("Expected the keys {}; {what}.", wanted.join(", ")),
        )
        .at(Path::attribute("secret"))
        .into());
    }
    model.url = text(DATABASE_URL).into();
    model.host = text("PGHOST").into();
    model.port = port.into();
    model.username = text("PGUSER").into();
    model.password = text("PGPASSWORD").into();
    model.database = text("PGDATABASE").into();
    model.sslmode = text("PGSSLMODE").into();
    Ok(model)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connection::external;
    use ffe_cluster::k8s_openapi::ByteString;
    use tfplugin::Field as _;

    fn model() -> DatabaseCredentials {
        let mut model = DatabaseCredentials::from_value(&DatabaseCredentials::schema().empty(), &Path::root()).unwrap();
        (model.namespace, model.secret) = (Attr::from("ffe"), Attr::from("db"));
        model
    }

    fn secret(without: &str) -> Secret {
        let keys = external("postgresql://app:p%40ss@db.example.com:6432/shop").unwrap();
        let data = keys.into_iter().filter(|(key, _)| key != without);
        let data = data.map(|(key, value)| (key, ByteString(value.into_bytes()))).collect();
        Secret { data: Some(data), ..Secret::default() }
    }

    #[test]
    fn the_keys_of_the_secret_are_told_one_by_one() {
        let found = filled_in(model(), &secret("")).unwrap();
        let texts = [&found.url, &found.host, &found.username, &found.password, &found.database]
            .map(|text| text.as_str().unwrap());
        assert_eq!(
            texts,
            ["postgresql://app:p%40ss@db.example.com:6432/shop", "db.example.com", "app", "p@ss", "shop"]
        );
        assert_eq!((found.port, found.sslmode.is_null()), (Attr::Known(6432), true));
    }

    #[test]
    fn what_is_missing_is_named_and_no_value_is_shown() {
        let error = filled_in(model(), &secret("PGUSER")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("it lacks PGUSER") && !text.contains("p@ss"), "{text}");
    }
}
