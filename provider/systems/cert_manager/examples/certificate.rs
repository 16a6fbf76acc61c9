//! Looks at a certificate of the cluster that KUBECONFIG names:
//! `cargo run -p ffe-cert-manager --example certificate -- diagnose ffe api`, likewise
//! `wait ffe api 2m`, `retry ffe api`, `renew ffe api`, `issuer Issuer le ffe`, `installation`,
//! `release ffe api le api.example.com`.
#![allow(clippy::print_stdout)]

use ffe_cert_manager::{
    IssuerRef, diagnose, diagnose_issuer, installation, release_challenges, renew, retry, wait_certificate,
};
use ffe_cluster::{Cancel, Cluster, Environment, KubernetesSettings, parse_duration};
use ffe_workloads::WaitOptions;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter("ffe=info,warn").init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let cluster = Cluster::connect(&KubernetesSettings::default(), &Environment::process())?;
    match arguments.as_slice() {
        ["installation"] => println!("{:#?}", installation(&cluster).await?),
        ["diagnose", namespace, name] => println!("{}", diagnose(&cluster, namespace, name).await),
        ["retry", namespace, name] => println!("{:?}", retry(&cluster, namespace, name).await?),
        ["renew", namespace, name] => println!("{:?}", renew(&cluster, namespace, name).await?),
        ["issuer", kind, name, namespace] => {
            let issuer = IssuerRef { name: (*name).to_owned(), kind: kind.parse()? };
            println!("{}", diagnose_issuer(&cluster, &issuer, namespace).await);
        }
        ["release", namespace, name, issuer, host] => {
            let options = WaitOptions::new(parse_duration("1m")?, Cancel::new());
            let hosts = [(*host).to_owned()];
            let issuer = IssuerRef::issuer(issuer);
            println!("{:#?}", release_challenges(&cluster, namespace, name, &issuer, &hosts, &options).await?);
        }
        ["wait", namespace, name, timeout] => {
            let options = WaitOptions::new(parse_duration(timeout)?, Cancel::new());
            match wait_certificate(&cluster, namespace, name, None, &options).await {
                Ok(found) => println!("issued: {:#?}", found.status),
                Err(error) => println!("{error}"),
            }
        }
        _ => {
            return Err(
                "usage: diagnose|wait|retry|renew NAMESPACE NAME [TIMEOUT], issuer KIND NAME NAMESPACE, installation"
                    .into(),
            );
        }
    }
    Ok(())
}
