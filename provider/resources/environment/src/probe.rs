//! Asking the bundled database itself: that it takes the published password, and which version it is.

use std::time::Duration;

use ffe_cluster::Cluster;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use crate::names::Names;
use crate::objects::database::PORT;
use crate::spec::Bundled;

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The server's own word for its version.
    Version(String),
    /// The user is there, and has another password.
    WrongPassword(String),
    /// The server does not let this user in, or not into this database.
    Refused(String),
    /// It could not be asked: no permission to forward ports, or nobody answers.
    Silent(String),
}

/// Logs in through a port-forward and asks for the version.
pub(crate) async fn ask(cluster: &Cluster, names: &Names, bundled: &Bundled, password: &str) -> Answer {
    match tokio::time::timeout(PATIENCE, log_in(cluster, names, bundled, password)).await {
        Ok(answer) => answer,
        Err(_) => Answer::Silent(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn log_in(cluster: &Cluster, names: &Names, bundled: &Bundled, password: &str) -> Answer {
    let stream = match ffe_workloads::forward(cluster, &names.namespace, &names.database(), PORT).await {
        Ok(stream) => stream,
        Err(error) => return Answer::Silent(error.to_string()),
    };
    let mut config = Config::new();
    config.user(&bundled.user).dbname(&bundled.name).password(password).application_name("terraform-provider-ffe");
    // The stream runs inside the API server's TLS.
    let (client, connection) = match config.connect_raw(stream, NoTls).await {
        Ok(connected) => connected,
        Err(error) => return verdict(&error),
    };
    let asked = async { client.query_one("SHOW server_version", &[]).await };
    let answer = tokio::select! {
        answer = asked => answer,
        ended = connection => match ended {
            Ok(()) => return Answer::Silent("the server closed the connection".to_owned()),
            Err(error) => return verdict(&error),
        },
    };
    match answer.and_then(|row| row.try_get::<_, String>(0)) {
        // `15.4 (Debian 15.4-1)`: what is in brackets is the packager's.
        Ok(version) => Answer::Version(version.split_whitespace().next().unwrap_or_default().to_owned()),
        Err(error) => verdict(&error),
    }
}

fn verdict(error: &tokio_postgres::Error) -> Answer {
    let refusals = [
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    match error.as_db_error() {
        Some(told) if *told.code() == SqlState::INVALID_PASSWORD => Answer::WrongPassword(told.message().to_owned()),
        Some(told) if refusals.contains(told.code()) => Answer::Refused(told.message().to_owned()),
        Some(told) => Answer::Silent(told.message().to_owned()),
        None => Answer::Silent(error.to_string()),
    }
}
