//! Waits for a workload of the cluster that KUBECONFIG names, and explains it when it does not come
//! up: `cargo run -p ffe-workloads --example diagnose -- ffe Deployment backend 60s`.
#![allow(clippy::print_stdout)]

use ffe_cluster::{Cancel, Cluster, Environment, KubernetesSettings, ObjectRef, parse_duration};
use ffe_workloads::WaitOptions;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter("ffe=info,warn").init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [namespace, kind, name, timeout] = arguments.as_slice() else {
        return Err("usage: diagnose NAMESPACE KIND NAME TIMEOUT".into());
    };
    let api_version = match kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" => "apps/v1",
        "Job" => "batch/v1",
        _ => "v1",
    };
    let cluster = Cluster::connect(&KubernetesSettings::default(), &Environment::process())?;
    println!("{} ({}), {}", cluster.server(), cluster.origin(), cluster.server_version().await?);
    let workload = ObjectRef::new(api_version, kind, Some(namespace), name);
    let options = WaitOptions::new(parse_duration(timeout)?, Cancel::new());
    match ffe_workloads::wait_rollout(&cluster, &workload, &options).await {
        Ok(()) => println!("{workload} is ready"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
