//! The provider as a process of its own, started as Terraform starts it: handshake, mutual TLS, signals,
//! logging, end. This program is that provider when [`host::BE_THE_PROVIDER`] is set.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "support/host.rs"]
mod host;
#[path = "support/tiny.rs"]
mod tiny;

use std::os::unix::fs::PermissionsExt as _;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use rustix::process::Signal;
use tfplugin_core::{Model as _, Value, to_msgpack};
use tfplugin_proto::plugin::grpc_broker_client::GrpcBrokerClient;
use tfplugin_proto::plugin::grpc_controller_client::GrpcControllerClient;
use tfplugin_proto::plugin::grpc_stdio_client::GrpcStdioClient;
use tfplugin_proto::plugin::{ConnInfo, Empty, conn_info::Knock};
use tfplugin_proto::tfplugin6::provider_client::ProviderClient;
use tfplugin_proto::tfplugin6::*;
use tonic::transport::Channel;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use host::{COOKIE, Host, Identity, command, connect_plain, invited};

fn main() -> ExitCode {
    if std::env::var_os(host::BE_THE_PROVIDER).is_some() {
        return tfplugin_server::serve(tiny::ADDRESS, tiny::Tiny);
    }
    let trials = vec![
        Trial::test("the_pinned_client_is_served_until_it_says_shutdown", run(pinned)),
        Trial::test("nobody_else_is_served", run(strangers)),
        Trial::test("without_an_invitation_it_says_a_sentence_and_exits_1", run(uninvited)),
        Trial::test("without_a_client_certificate_the_connection_is_plain", run(plain)),
        Trial::test("the_sockets_directory_is_honoured_and_left_empty", run(socket_dir)),
        Trial::test("the_runners_services_answer", run(runner)),
        Trial::test("debug_prints_how_to_attach_and_outlives_shutdown", run(debug)),
        Trial::test("the_log_has_the_runners_form_and_no_secrets", run(log)),
        Trial::test("a_panic_ends_one_call_and_no_other", run(panic)),
        Trial::test("an_interrupt_is_ignored_and_sigterm_cancels", run(signals)),
        Trial::test("a_client_that_goes_away_cancels_its_calls", run(gone)),
        Trial::test("it_ends_when_its_parent_is_gone", run(orphan)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test of libtest-mimic from an async one: an assertion that fails is a panic, which it reports.
fn run<F: Future<Output = ()>>(test: fn() -> F) -> impl FnOnce() -> Result<(), libtest_mimic::Failed> + Send {
    move || {
        // Helpers block: connections need a thread that nobody blocks.
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(test());
        Ok(())
    }
}

async fn has_schema(channel: Channel) -> bool {
    let schema = ProviderClient::new(channel).get_provider_schema(get_provider_schema::Request {}).await;
    schema.is_ok_and(|schema| schema.into_inner().resource_schemas.contains_key("tiny_thing"))
}

async fn shut_down(channel: Channel) {
    GrpcControllerClient::new(channel).shutdown(Empty {}).await.unwrap();
}

/// Applies the create of a thing of that name.
async fn create(channel: Channel, name: &str) -> Result<apply_resource_change::Response, tonic::Status> {
    let wire = |value: &Value| {
        let msgpack = to_msgpack(value, &tiny::Thing::schema().ty()).unwrap();
        Some(DynamicValue { msgpack, json: Vec::new() })
    };
    let request = apply_resource_change::Request {
        type_name: "tiny_thing".to_owned(),
        prior_state: wire(&Value::Null),
        planned_state: wire(&tiny::thing(name.into(), Value::Null, Value::Unknown)),
        config: wire(&tiny::thing(name.into(), Value::Null, Value::Null)),
        ..Default::default()
    };
    ProviderClient::new(channel).apply_resource_change(request).await.map(tonic::Response::into_inner)
}

async fn configure(channel: Channel, token: &str) -> Vec<Diagnostic> {
    let config = Value::map([("token", Value::from(token))]);
    let msgpack = to_msgpack(&config, &tiny::Config::schema().ty()).unwrap();
    let request = configure_provider::Request {
        terraform_version: "1.11.4".to_owned(),
        config: Some(DynamicValue { msgpack, json: Vec::new() }),
        client_capabilities: None,
    };
    ProviderClient::new(channel).configure_provider(request).await.unwrap().into_inner().diagnostics
}

async fn pinned() {
    let client = Identity::new();
    let mut host = Host::start(&mut invited(Some(&client)));
    assert!(host.line.starts_with("1|6|unix|/"), "{}", host.line);
    assert_eq!((host.field(4), host.line.split('|').count()), ("grpc", 6));
    let socket = host.socket();
    assert!(socket.exists());

    let channel = host.connect(Some(&client)).await.unwrap();
    assert!(has_schema(channel.clone()).await);
    shut_down(channel).await;
    let (status, rest) = host.end();
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{}", host.log());
    assert!(!socket.exists());
}

async fn strangers() {
    let (client, other) = (Identity::new(), Identity::new());
    let host = Host::start(&mut invited(Some(&client)));
    for stranger in [None, Some(&other)] {
        // With TLS 1.3 the client learns of the refusal only when it reads.
        let served = match host.connect(stranger).await {
            Ok(channel) => has_schema(channel).await,
            Err(_) => false,
        };
        assert!(!served, "a stranger was served");
    }
    let plain = match connect_plain(&host.socket()).await {
        Ok(channel) => has_schema(channel).await,
        Err(_) => false,
    };
    assert!(!plain, "a client without TLS was served");
    for cause in ["peer sent no certificates", "invalid peer certificate", "corrupt message"] {
        host.wait_for_log(cause);
    }
    assert!(has_schema(host.connect(Some(&client)).await.unwrap()).await, "the pinned client is served all the same");
}

async fn uninvited() {
    let check = |mut command: std::process::Command, sentence: &str| {
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{stderr}");
        assert!(stderr.contains(sentence) && stderr.lines().count() == 1, "{stderr}");
    };
    check(command(), "provider plugin for Terraform");
    let mut wrong = command();
    wrong.env(COOKIE.0, "wrong");
    check(wrong, "provider plugin for Terraform");
    let mut old = invited(None);
    old.env("PLUGIN_PROTOCOL_VERSIONS", "4,5");
    check(old, "offers only 4,5");
    let mut argument = invited(None);
    argument.arg("--help");
    check(argument, "--help");
    let mut certificate = invited(None);
    certificate.env("PLUGIN_CLIENT_CERT", "none");
    check(certificate, "PLUGIN_CLIENT_CERT");
}

async fn plain() {
    let mut command = invited(None);
    command.env("PLUGIN_MULTIPLEX_GRPC", "true");
    let host = Host::start(&mut command);
    assert_eq!((host.field(5), host.field(6)), ("", "true"));
    assert!(has_schema(connect_plain(&host.socket()).await.unwrap()).await);
}

async fn socket_dir() {
    let dir = tempfile::tempdir().unwrap();
    let client = Identity::new();
    let mut command = invited(Some(&client));
    command.env("PLUGIN_UNIX_SOCKET_DIR", dir.path());
    let mut host = Host::start(&mut command);
    assert_eq!(host.socket().parent(), Some(dir.path()));
    assert_eq!(std::fs::metadata(host.socket()).unwrap().permissions().mode() & 0o777, 0o600);
    shut_down(host.connect(Some(&client)).await.unwrap()).await;
    host.end();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

async fn runner() {
    let client = Identity::new();
    let mut host = Host::start(&mut invited(Some(&client)));
    let channel = host.connect(Some(&client)).await.unwrap();
    let request = HealthCheckRequest { service: "plugin".to_owned() };
    let health = HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);

    let mut stdio = GrpcStdioClient::new(channel.clone()).stream_stdio(()).await.unwrap().into_inner();
    let knock = Knock { knock: true, ..Default::default() };
    let offers = tokio_stream::iter([
        ConnInfo { service_id: 1, ..Default::default() },
        ConnInfo { service_id: 2, knock: Some(knock), ..Default::default() },
    ]);
    let mut broker = GrpcBrokerClient::new(channel.clone()).start_stream(offers).await.unwrap().into_inner();
    let answer = broker.message().await.unwrap().unwrap();
    assert!(answer.service_id == 2 && answer.knock.is_some_and(|knock| knock.ack && !knock.error.is_empty()));

    shut_down(channel).await;
    assert!(stdio.message().await.unwrap().is_none(), "the stream ends, and had nothing in it");
    assert_eq!(host.end().0.code(), Some(0));
}

async fn debug() {
    let mut command = command();
    command.arg("--debug");
    let mut host = Host::start(&mut command);
    let json = host.line.strip_prefix("TF_REATTACH_PROVIDERS=").unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let attach = &json[tiny::ADDRESS];
    assert_eq!(
        (&attach["Protocol"], &attach["ProtocolVersion"], &attach["Test"]),
        (&"grpc".into(), &6.into(), &true.into())
    );
    assert_eq!(attach["Pid"], host.child.id());
    let socket = std::path::PathBuf::from(attach["Addr"]["String"].as_str().unwrap());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(socket.parent().unwrap()), 0o700, "without TLS the directory is what keeps others out");

    let channel = connect_plain(&socket).await.unwrap();
    shut_down(channel.clone()).await;
    assert!(has_schema(channel).await, "it goes on");
    assert!(has_schema(connect_plain(&socket).await.unwrap()).await, "and takes new clients");
    host.signal(Signal::INT);
    let (status, rest) = host.end();
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""));
    assert!(!socket.exists() && !socket.parent().unwrap().exists());
}

async fn log() {
    let client = Identity::new();
    let mut command = invited(Some(&client));
    command.env("TF_LOG", "off").env("TF_LOG_PROVIDER", "error").env("TF_LOG_PROVIDER_TINY", "trace");
    let mut host = Host::start(&mut command);
    let channel = host.connect(Some(&client)).await.unwrap();
    assert!(configure(channel.clone(), "canary-4711").await.is_empty());
    let line: serde_json::Value = serde_json::from_str(&host.wait_for_log("\"configured\"")).unwrap();
    assert_eq!(line["@level"], "info");
    assert_eq!(line["@module"], "process.tiny");
    assert_eq!(line["tf_rpc"], "ConfigureProvider");
    assert_eq!(line["token"], "(redacted)");
    shut_down(channel).await;
    host.end();
    assert!(!host.log().contains("canary-4711"), "{}", host.log());
    for line in host.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        let keys = ["@level", "@message", "@module", "@timestamp"];
        assert!(keys.iter().all(|key| line[key].is_string()), "{line}");
    }
}

async fn panic() {
    let client = Identity::new();
    let host = Host::start(&mut invited(Some(&client)));
    let channel = host.connect(Some(&client)).await.unwrap();
    // A secret that became known in one call is kept out of what another says.
    configure(channel.clone(), tiny::SECRET).await;
    let waiting = tokio::spawn(create(channel.clone(), "wait"));
    host.wait_for_log("\"waiting\"");
    let crashed = create(channel.clone(), "panic").await.unwrap();
    let detail = &crashed.diagnostics[0].detail;
    assert!(detail.starts_with("tiny panicked over (redacted) (") && detail.contains("tiny.rs:"), "{detail}");
    assert!(create(channel.clone(), "next").await.unwrap().diagnostics.is_empty());
    let line: serde_json::Value = serde_json::from_str(&host.wait_for_log("the provider panicked")).unwrap();
    assert_eq!((&line["@level"], &line["tf_rpc"]), (&"error".into(), &"ApplyResourceChange".into()));
    assert!(!host.log().contains(tiny::SECRET), "{}", host.log());

    ProviderClient::new(channel).stop_provider(stop_provider::Request {}).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().diagnostics[0].summary, "Cancelled");
}

async fn signals() {
    let client = Identity::new();
    let mut host = Host::start(&mut invited(Some(&client)));
    host.signal(Signal::INT);
    let channel = host.connect(Some(&client)).await.unwrap();
    let waiting = tokio::spawn(create(channel.clone(), "wait"));
    host.wait_for_log("\"waiting\"");
    host.signal(Signal::INT);
    assert!(has_schema(channel).await, "an interrupt is Terraform's business");
    assert!(!host.log().contains("\"cancelled\""));
    host.signal(Signal::TERM);
    let applied = waiting.await.unwrap().unwrap();
    assert_eq!(applied.diagnostics[0].summary, "Cancelled", "the answer still arrives");
    assert_eq!(host.end().0.code(), Some(0));
}

async fn gone() {
    let client = Identity::new();
    let host = Host::start(&mut invited(Some(&client)));
    let channel = host.connect(Some(&client)).await.unwrap();
    let waiting = tokio::spawn(create(channel.clone(), "wait"));
    host.wait_for_log("\"waiting\"");
    waiting.abort();
    drop(channel);
    host.wait_for_log("\"cancelled\"");
    assert!(has_schema(host.connect(Some(&client)).await.unwrap()).await, "others are served");
}

async fn orphan() {
    let client = Identity::new();
    // A shell as the parent, so that there is a parent to kill.
    let provider = invited(Some(&client));
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "\"$0\" & wait"]).arg(provider.get_program());
    shell.env_clear().envs(provider.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdin(std::process::Stdio::null());
    shell.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut host = Host::start(&mut shell);
    let socket = host.socket();
    let channel = host.connect(Some(&client)).await.unwrap();
    let waiting = tokio::spawn(create(channel, "wait"));
    host.wait_for_log("\"waiting\"");
    host.signal(Signal::KILL);
    let applied = waiting.await.unwrap().unwrap();
    assert_eq!(applied.diagnostics[0].summary, "Cancelled", "what was under way came to its safe point");
    host.end_of_output();
    assert!(!socket.exists());
}
