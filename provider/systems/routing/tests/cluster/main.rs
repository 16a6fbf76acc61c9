//! Routes served by a real controller: the testbed's Traefik, with FFE_TEST_KUBECONFIG naming the testbed's kubeconfig
//! and FFE_NODE_IP the address that Traefik serves (`Part::Traefik` running). Without them the tests are ignored, and fail
//! where FFE_REQUIRE says that they run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod bare;
mod client;
mod gateway;
mod issuance;
mod nginx;
mod traefik;
mod world;

use std::process::ExitCode;

use ffe_surroundings::Needs;
use libtest_mimic::{Arguments, Trial};

/// A test on a runtime of its own.
macro_rules! trial {
    ($needs:expr, $module:ident :: $name:ident) => {
        $needs.trial(concat!(stringify!($module), "::", stringify!($name)), || {
            tokio::runtime::Runtime::new()?.block_on($module::$name());
            Ok(())
        })
    };
}

fn trials() -> Vec<Trial> {
    let traefik = ["FFE_TEST_KUBECONFIG", "FFE_NODE_IP"];
    let acme = [&traefik[..], &["FFE_ACME_DIRECTORY", "FFE_ACME_CA", "FFE_ACME_ROOTS"]].concat();
    let (traefik, acme) = (Needs::variables(&traefik), Needs::variables(&acme));
    vec![
        trial!(traefik, traefik::everything_that_is_promised_is_kept),
        trial!(traefik, traefik::a_path_below_the_root_leaves_the_rest_of_the_host_alone),
        trial!(traefik, nginx::redirects_are_understood_and_the_rest_is_warned_of),
        trial!(traefik, gateway::our_listeners_come_and_go_beside_those_of_others),
        trial!(traefik, gateway::a_gateway_of_ones_own_is_not_touched),
        trial!(traefik, bare::no_name_and_no_setting_of_an_entry_point_matters),
        trial!(acme, issuance::through_traefiks_own_class),
        trial!(acme, issuance::through_the_dialect_of_ingress_nginx),
        trial!(acme, issuance::through_a_gateway),
    ]
}

fn main() -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}
