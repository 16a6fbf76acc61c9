//! Holds a lease of the cluster that KUBECONFIG names, to see by hand who gets it when:
//! `cargo run -p ffe-lease --example lease -- NAMESPACE NAME IDENTITY DURATION`. Stop it with
//! SIGSTOP or SIGKILL while a second one waits. `FFE_LEASE_DURATION` makes the lease itself shorter.
#![allow(clippy::print_stdout)]

use ffe_cluster::{Cancel, Cluster, Environment, KubernetesSettings, parse_duration};
use ffe_lease::{Holder, LeaseError, LeaseOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter("ffe=debug,warn").init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [namespace, name, identity, duration] = arguments.as_slice() else {
        return Err("usage: lease NAMESPACE NAME IDENTITY DURATION".into());
    };
    let cluster = Cluster::connect(&KubernetesSettings::default(), &Environment::process())?;
    let holder = Holder::this_process(identity, "trying leases by hand");
    let options = LeaseOptions::from_environment()?;
    let lease = match ffe_lease::acquire(&cluster, namespace, name, holder, &options, &Cancel::new()).await {
        Ok(lease) => lease,
        Err(LeaseError::Cluster(error)) => return Err(error.into()),
        Err(error) => {
            println!("{error}\n{}", error.advice().unwrap_or_default());
            return Ok(());
        }
    };
    println!("{} holds it, transition {}", lease.holder(), lease.transitions());
    tokio::select! {
        () = lease.lost().cancelled() => println!("lost: {}", lease.loss().unwrap_or_default()),
        () = tokio::time::sleep(parse_duration(duration)?) => {
            println!("still held: {}", lease.still_held());
            lease.release().await?;
            println!("released");
        }
    }
    Ok(())
}
