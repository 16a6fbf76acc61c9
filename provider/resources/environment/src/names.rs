//! What the objects of an environment are called.

use ffe_cluster::Owner;

/// The resource's type, as Terraform and the marks in the cluster name it.
pub(crate) const TYPE_NAME: &str = "ffe_environment";

/// The names that follow from an environment's name and namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// Name of the environment.
    pub(crate) environment: String,
    /// Its namespace.
    pub(crate) namespace: String,
}

impl Names {
    pub(crate) fn new(environment: &str, namespace: &str) -> Names {
        Names { environment: environment.to_owned(), namespace: namespace.to_owned() }
    }

    /// The namespace of an environment that says none.
    pub(crate) fn default_namespace(environment: &str) -> String {
        format!("ffe-{environment}")
    }

    /// ServiceAccount, Role, RoleBinding, ResourceQuota and LimitRange.
    pub(crate) fn base(&self) -> String {
        format!("ffe-{}", self.environment)
    }

    /// The ConfigMap with the configuration.
    pub(crate) fn config_map(&self) -> String {
        format!("ffe-{}-config", self.environment)
    }

    /// The Secret with the application's secrets.
    pub(crate) fn app_secret(&self) -> String {
        format!("ffe-{}-app", self.environment)
    }

    /// The StatefulSet, Service, volume claim and connection Secret of the database.
    pub(crate) fn database(&self) -> String {
        format!("ffe-{}-database", self.environment)
    }

    /// The Secret that the bundled database's password comes from.
    pub(crate) fn password(&self) -> String {
        format!("ffe-{}-database-password", self.environment)
    }

    /// The Lease of who is at work on the environment.
    pub(crate) fn lease(&self) -> String {
        format!("ffe-environment.{}", self.environment)
    }

    /// The host under which pods of any namespace reach the bundled database.
    pub(crate) fn database_host(&self) -> String {
        format!("{}.{}.svc", self.database(), self.namespace)
    }

    /// How marks name the environment; also an import id.
    pub(crate) fn import_id(&self) -> String {
        format!("{}/{}", self.namespace, self.environment)
    }

    /// The owner of everything that the environment makes.
    pub(crate) fn owner(&self) -> Owner {
        Owner::new(TYPE_NAME, &self.import_id())
    }
}
