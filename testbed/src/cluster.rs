//! A real single-node Kubernetes on this machine.

pub(crate) mod api;
pub(crate) mod config;
pub(crate) mod objects;
pub(crate) mod other;
pub(crate) mod services;
pub(crate) mod start;
pub(crate) mod stop;

use std::net::Ipv4Addr;

/// Name of the only node.
pub(crate) const NODE_NAME: &str = "node1";
/// Addresses of pods.
pub(crate) const POD_CIDR: &str = "10.244.0.0/16";
/// Addresses of services.
pub(crate) const SERVICE_CIDR: &str = "10.96.0.0/16";
/// The service `kubernetes`: the first address of the services.
pub(crate) const API_SERVICE_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// The service `kube-dns`.
pub(crate) const DNS_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// Where the API listens; not the usual 6443, which a cluster of the user's may have.
pub(crate) const API_PORT: u16 = 16443;
/// Where the API of the other cluster listens.
pub(crate) const OTHER_API_PORT: u16 = 16444;
/// Where etcd listens, for clients and for members.
pub(crate) const ETCD_PORTS: (u16, u16) = (23790, 23800);
