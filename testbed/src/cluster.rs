//! A real single-node Kubernetes, on a [`Node`](crate::node::Node) of its own.

pub(crate) mod api;
pub(crate) mod config;
pub(crate) mod objects;
pub(crate) mod other;
pub(crate) mod services;
pub(crate) mod start;
pub(crate) mod stop;

use std::net::Ipv4Addr;

/// Addresses of pods.
pub(crate) const POD_CIDR: &str = "10.244.0.0/16";
/// Addresses of services.
pub(crate) const SERVICE_CIDR: &str = "10.96.0.0/16";
/// The service `kubernetes`: the first address of the services.
pub(crate) const API_SERVICE_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// The service `kube-dns`.
pub(crate) const DNS_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// Where the API listens, on the node's address.
pub(crate) const API_PORT: u16 = 16443;
/// Where the API of the other cluster listens, on the same.
pub(crate) const OTHER_API_PORT: u16 = 16444;
/// Where etcd listens on the node's loopback, for clients and for members.
pub(crate) const ETCD_PORTS: (u16, u16) = (23790, 23800);
