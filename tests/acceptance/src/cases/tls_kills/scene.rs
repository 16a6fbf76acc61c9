//! Where the points are played: an endpoint with a record at Cloudflare's stand-in and a certificate of the ACME server.

use anyhow::{Context as _, Result, ensure};
use ffe_cloudflare::standin::StandIn;

use crate::Stage;
use crate::cases::tls::configure;
use crate::gate::Gate;
use crate::tls::{Endpoint, Ever, backend, expect_gone, expect_served, host, surroundings};

/// The place.
pub(super) struct Scene<'a> {
    /// The case's.
    pub(super) stage: &'a mut Stage,
    /// Before the API server.
    pub(super) cluster: Gate,
    /// Before the stand-in.
    pub(super) cloudflare: Gate,
    standin: StandIn,
    zone: String,
    orders: Ever,
    certificates: Ever,
}

impl<'a> Scene<'a> {
    /// Opens the gates and makes the backend.
    pub(super) fn open(stage: &'a mut Stage) -> Result<Scene<'a>> {
        backend(stage)?;
        stage.shorten_leases();
        let standin = StandIn::start()?;
        let zone = standin.seed_zone(&surroundings(stage)?.zone);
        stage.set("TF_VAR_token", standin.token());
        let url = standin.base_url();
        let address = url.split('/').nth(2).and_then(|address| address.parse().ok());
        let cluster = Gate::open(&stage.kube)?;
        cluster.kubeconfig_in(&stage.side("gate")?)?;
        Ok(Scene {
            cluster,
            cloudflare: Gate::before(address.context("the stand-in has no address")?)?,
            standin,
            zone,
            orders: Ever::of(stage, "orders.acme.cert-manager.io")?,
            certificates: Ever::of(stage, "certificates")?,
            stage,
        })
    }

    /// Writes the configuration: an endpoint with one host or with two.
    pub(super) fn configure(&self, name: &str, hosts: usize) -> Result<()> {
        let hosts = self.hosts(name, hosts)?;
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let endpoint = Endpoint::new(self.stage, name, &hosts)?.more("keep_secret = false\n  dns = {}");
        let kubeconfig = self.stage.side("gate")?.join("kubeconfig").display().to_string();
        let base_url = format!("http://{}/client/v4", self.cloudflare.address());
        configure(self.stage, &base_url, &kubeconfig, &endpoint.hcl(self.stage)?)
    }

    fn hosts(&self, name: &str, count: usize) -> Result<Vec<String>> {
        ["web", "api"].iter().take(count).map(|label| host(self.stage, &format!("{label}-{name}"))).collect()
    }

    /// Everything is there, and once.
    pub(super) fn expect_complete(&mut self, name: &str, hosts: usize) -> Result<()> {
        for host in self.hosts(name, hosts)? {
            let all = self.standin.records(&self.zone);
            let found: Vec<_> = all.iter().filter(|record| record.name == host).collect();
            ensure!(found.len() == 1, "{} records of {host}: {found:?}", found.len());
            expect_served(self.stage, &host)?;
        }
        let (orders, certificates) = (self.orders.seen(&format!("{name}-tls-"))?, self.certificates.seen(name)?);
        ensure!(orders.len() == hosts, "{} orders for {hosts} certificates: {orders:?}", orders.len());
        ensure!(certificates == [format!("{name}-tls")], "{certificates:?}");
        let secret = format!("{name}-tls");
        let found = self.stage.kube.get(&["certificate", "-n", &self.stage.name, &secret])?.unwrap_or_default();
        ensure!(found["status"]["revision"] == hosts, "{found:#}");
        let requests = self.stage.kube.names(&self.stage.name, "certificaterequests")?;
        ensure!(requests.len() == 1, "{requests:?}");
        let rules = self.stage.kube.names(&self.stage.name, "prometheusrules")?;
        ensure!(rules.len() == 1, "{rules:?}");
        Ok(())
    }

    /// Nothing is left.
    pub(super) fn expect_gone(&self) -> Result<()> {
        let records = self.standin.records(&self.zone);
        ensure!(records.is_empty(), "{records:?}");
        expect_gone(self.stage, &[])
    }
}
