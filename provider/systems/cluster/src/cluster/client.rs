//! From a connection to a client: kube's stack with our retries and timeouts around it.

use http::{HeaderName, HeaderValue, Request, Response};
use kube::Client;
use kube::client::{Body, ClientBuilder, DynBody};
use tower::BoxError;
use tower::buffer::BufferLayer;
use tower::layer::layer_fn;
use tower::util::BoxService;

use super::resilient::{Resilient, Timeouts};
use crate::config::Connection;
use crate::duration::format_duration;
use crate::error::{CREDENTIAL_COMMAND, Error, Kind, Result, request_error};
use crate::object::ObjectRef;

/// Requests that may wait for a connection at once; more wait for a place.
const QUEUE: usize = 1024;

type GenericService = BoxService<Request<Body>, Response<Box<DynBody>>, BoxError>;

/// Builds the client. Runs an exec credential plugin, which blocks: on a thread of its own.
pub(super) async fn build(connection: &Connection, timeouts: Timeouts) -> Result<Client> {
    let mut config = connection.client_config().await?;
    config.headers.push((
        HeaderName::from_static("user-agent"),
        HeaderValue::from_static(concat!("terraform-provider-ffe/", env!("CARGO_PKG_VERSION"))),
    ));
    Ok(builder(connection, config, timeouts)
        .await?
        // the buffer makes the service one that can be cloned, which retrying needs
        .with_layer(&BufferLayer::new(QUEUE))
        .with_layer(&layer_fn(|inner| Resilient::new(inner, timeouts)))
        .build())
}

/// Builds a client that says of a request neither whose it is nor how often it is made.
pub(super) async fn build_bare(connection: &Connection, timeouts: Timeouts) -> Result<Client> {
    Ok(builder(connection, connection.client_config().await?, timeouts).await?.build())
}

async fn builder(
    connection: &Connection,
    mut config: kube::Config,
    timeouts: Timeouts,
) -> Result<ClientBuilder<GenericService>> {
    config.connect_timeout = Some(timeouts.connect);
    config.write_timeout = Some(timeouts.answer);
    // watches and port-forwards are silent for long: ordinary requests are timed in `Resilient`
    config.read_timeout = None;
    // kube's own retries repeat what is not safe to repeat, and up to 1000 s apart
    config.default_retry = false;

    let building = tokio::task::spawn_blocking(move || ClientBuilder::try_from(config));
    let built = tokio::time::timeout(timeouts.credentials, building).await;
    let object = ObjectRef::new("v1", "the client", None, "");
    let failed = |error| match request_error("set up", &object, connection.server(), error) {
        Error::Request { kind, operation, object, server, message, source } => {
            let command = connection.exec_command().unwrap_or_default();
            let message = message.replace(CREDENTIAL_COMMAND, format!("{CREDENTIAL_COMMAND} {command}").trim_end());
            Error::Request { kind, operation, object, server, message, source }
        }
        other => other,
    };
    let built = built.map_err(|_| Error::Request {
        kind: Kind::Credentials,
        operation: "set up",
        object: Box::new(object.clone()),
        server: connection.server().to_owned(),
        message: format!(
            "{CREDENTIAL_COMMAND} {} did not end within {}",
            connection.exec_command().unwrap_or_default(),
            format_duration(timeouts.credentials)
        ),
        source: None,
    })?;
    built.map_err(|error| failed(kube::Error::Service(error.into())))?.map_err(failed)
}
