//! Routes served by a real controller: the testbed's Traefik, with FFE_TEST_KUBECONFIG naming the testbed's kubeconfig
//! and FFE_NODE_IP the address that Traefik serves (`Part::Traefik` running). Without the two there is nothing to try,
//! and the tests say so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod bare;
mod client;
mod gateway;
mod issuance;
mod nginx;
mod traefik;
mod world;
