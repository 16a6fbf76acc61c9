//! From the start of the process to its end.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use tfplugin_core::{Engine, Provider};
use tfplugin_proto::MAX_MESSAGE_BYTES;
use tfplugin_proto::plugin::grpc_broker_server::GrpcBrokerServer;
use tfplugin_proto::plugin::grpc_controller_server::GrpcControllerServer;
use tfplugin_proto::plugin::grpc_stdio_server::GrpcStdioServer;
use tfplugin_proto::tfplugin6::provider_server::ProviderServer;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::ServingStatus;

use crate::calls::Calls;
use crate::connection::{Address, Identity, ListenError, Listener, TlsError, incoming};
use crate::handshake::{HandshakeError, Invitation, PROTOCOL_VERSION, line};
use crate::lifecycle::{Lifecycle, StopReason, asked_to_go, orphaned};
use crate::options::{Run, UnknownArgument};
use crate::rpc::ProviderService;
use crate::runner::{Broker, Controller, HEALTH_NAME, Stdio};
use crate::{logging, panics};

/// Terraform gives a plugin a minute to be reached; so do we.
const NOBODY_COMES: Duration = Duration::from_secs(60);

/// Why the provider could not be served.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Argument(#[from] UnknownArgument),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("Cannot start: {0}")]
    Io(#[from] io::Error),
    #[error("The connection with Terraform failed: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// Serves a provider until Terraform ends it: all that a provider's `main` has to do.
///
/// `address` is the provider's source address, `registry.terraform.io/NAMESPACE/NAME`. With `--debug` on
/// the command line it runs under a debugger instead: it prints the `TF_REATTACH_PROVIDERS` to set
/// where Terraform runs, and goes on until it gets SIGINT or SIGTERM.
///
/// Takes the process over: its log (see [`logging`]), its panic hook, its signals, its standard output.
/// Failure is exit code 1 and a sentence on stderr.
pub fn serve<P: Provider>(address: &str, provider: P) -> ExitCode {
    match run(address, provider) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}", logging::redacted(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

fn run<P: Provider>(address: &str, provider: P) -> Result<(), ServeError> {
    let run = Run::read(std::env::args().skip(1))?;
    let invitation = match run {
        Run::Plugin => Invitation::read(|name| std::env::var(name).ok())?,
        Run::Debug => Invitation::for_debugging(),
    };
    logging::init(provider.name());
    panics::install_hook();
    // Two workers: calls wait for the cluster far more than they compute.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(conversation(address, provider, run, invitation));
    // Whoever has not come to an end by now is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn conversation<P: Provider>(
    address: &str,
    provider: P,
    run: Run,
    invitation: Invitation,
) -> Result<(), ServeError> {
    let lifecycle = Lifecycle::default();
    let calls = Calls::default();
    let debugging = run == Run::Debug;
    // Before the handshake: from then on Terraform may interrupt the whole process group.
    lifecycle.stop_after(StopReason::Signal, asked_to_go(debugging)?);
    if !debugging {
        lifecycle.stop_after(StopReason::ParentGone, orphaned());
    }

    let identity = invitation.client_certificate.clone().map(Identity::for_client).transpose()?;
    // Held to the end of this function, which is where the socket's file goes.
    let (listener, place) = Listener::bind(&invitation)?;
    let certificate = identity.as_ref().map(|identity| &identity.certificate);
    let greeting = match run {
        Run::Plugin => line(place.address(), certificate, invitation.multiplex),
        Run::Debug => format!("TF_REATTACH_PROVIDERS={}", reattach(address, place.address())),
    };

    let (connected, first) = tokio::sync::oneshot::channel();
    let acceptor = identity.map(|identity| identity.acceptor);
    let connections = incoming(listener, acceptor, connected, lifecycle.stopping());
    let router = services(Engine::new(provider), &calls, &lifecycle, !debugging).await;
    let stopping = lifecycle.stopping();
    let server = tokio::spawn(router.serve_with_incoming_shutdown(connections, stopping.cancelled_owned()));

    greet(&greeting)?;
    tracing::debug!(address = %place.address(), "listening");
    if !debugging {
        lifecycle.stop_after(StopReason::NobodyCame, async move {
            if tokio::time::timeout(NOBODY_COMES, first).await.is_ok() {
                std::future::pending::<()>().await;
            }
        });
    }
    end(server, &calls, &lifecycle).await
}

/// Waits for the end, and then for what is still in flight, within the grace of the reason.
async fn end(
    mut server: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    calls: &Calls,
    lifecycle: &Lifecycle,
) -> Result<(), ServeError> {
    let reason = tokio::select! {
        reason = lifecycle.stopped() => reason,
        served = &mut server => return served.map_err(io::Error::from)?.map_err(ServeError::from),
    };
    calls.cancel_all();
    let rest = async {
        let _ = server.await;
        calls.finished().await;
    };
    if tokio::time::timeout(reason.grace(), rest).await.is_err() {
        tracing::warn!(?reason, "ending with calls still in flight");
    }
    Ok(())
}

async fn services(engine: Engine, calls: &Calls, lifecycle: &Lifecycle, heeds: bool) -> Router {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(HEALTH_NAME, ServingStatus::Serving).await;
    Server::builder()
        .add_service(provider_server(engine, calls.clone()))
        .add_service(GrpcControllerServer::new(Controller { lifecycle: lifecycle.clone(), heeds }))
        .add_service(GrpcStdioServer::new(Stdio { stopping: lifecycle.stopping() }))
        .add_service(GrpcBrokerServer::new(Broker { stopping: lifecycle.stopping() }))
        .add_service(health)
}

fn provider_server(engine: Engine, calls: Calls) -> ProviderServer<ProviderService> {
    ProviderServer::new(ProviderService::new(engine, calls))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// The provider as a gRPC service without a server around it, for tests that call it in-process: give it
/// to `ProviderClient::new`.
pub fn service<P: Provider>(provider: P) -> ProviderServer<ProviderService> {
    provider_server(Engine::new(provider), Calls::default())
}

/// The one line that ever goes to standard output.
fn greet(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// What Terraform needs to find a provider that it did not start. `Test` keeps it from ending it.
fn reattach(address: &str, place: &Address) -> serde_json::Value {
    serde_json::json!({
        address: {
            "Protocol": "grpc",
            "ProtocolVersion": PROTOCOL_VERSION,
            "Pid": std::process::id(),
            "Test": true,
            "Addr": { "Network": place.network(), "String": place.to_string() },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reattach_has_the_runners_form() {
        let json = reattach("registry.terraform.io/ns/name", &Address::Unix("/tmp/x/plugin1".into()));
        let text = json.to_string();
        let expected = format!(
            r#"{{"registry.terraform.io/ns/name":{{"Protocol":"grpc","ProtocolVersion":6,"Pid":{},"Test":true,"Addr":{{"Network":"unix","String":"/tmp/x/plugin1"}}}}}}"#,
            std::process::id()
        );
        assert_eq!(text, expected);
    }
}
