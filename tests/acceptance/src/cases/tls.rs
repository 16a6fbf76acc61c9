//! An address by HTTPS, with certificates that are really issued and requests that really go through the controller.

mod around;
mod cloudflare;
mod drift;
mod foreign;
mod gateway;
mod in_use;
mod issuance;
mod life;
mod many;
mod name_server;
mod renewal;
mod shared;
mod verified;
mod ways;

pub(super) use cloudflare::configure;
pub(super) use shared::twenty;

use crate::{Case, When};

pub(super) const CASES: &[Case] = &[
    Case { name: "tls::from_apply_to_destroy_and_back", when: When::Always, run: life::http01 },
    Case { name: "tls::class_nginx", when: When::Full, run: life::nginx },
    Case { name: "tls::gateway_listener_of_ours", when: When::Always, run: gateway::listener },
    Case { name: "tls::gateway_shared_and_left", when: When::Full, run: gateway::shared },
    Case { name: "tls::drift_is_seen_and_put_right", when: When::Full, run: drift::drift },
    Case { name: "tls::rewritten_by_webhooks", when: When::Full, run: drift::rewritten },
    Case { name: "tls::wildcard_by_dns01", when: When::Full, run: issuance::dns01 },
    Case { name: "tls::internal_ca_and_self_signed", when: When::Always, run: issuance::internal },
    Case { name: "tls::records_at_cloudflare", when: When::Full, run: cloudflare::records },
    Case { name: "tls::records_at_a_name_server", when: When::Always, run: name_server::records },
    Case { name: "tls::renewed_by_cert_manager", when: When::Full, run: renewal::renewed },
    Case { name: "tls::not_renewed_is_a_warning", when: When::Full, run: renewal::overdue },
    Case { name: "tls::seen_by_name_by_address_and_from_inside", when: When::Full, run: ways::all },
    Case { name: "tls::verified_wildcard_part_and_issuer", when: When::Always, run: verified::all },
    Case { name: "tls::running_site_stays_as_it_is", when: When::Full, run: verified::running_site },
    Case { name: "tls::in_use_settings", when: When::Full, run: in_use::settings },
    Case { name: "tls::in_use_ways", when: When::Always, run: in_use::ways },
    Case { name: "tls::in_use_replaced", when: When::Full, run: in_use::replaced },
    Case { name: "tls::in_use_renamed", when: When::Full, run: in_use::renamed },
    Case { name: "tls::in_use_failing", when: When::Full, run: in_use::failing },
    Case { name: "tls::in_use_release", when: When::Full, run: in_use::release },
    Case { name: "tls::many_services_of_one_host", when: When::Full, run: many::services },
    Case { name: "tls::imported_own", when: When::Full, run: foreign::own },
    Case { name: "tls::foreign_ingress_taken_over", when: When::Full, run: foreign::taken_over },
    Case { name: "tls::foreign_ingress_with_other_names", when: When::Full, run: foreign::other_names },
    Case { name: "tls::foreign_ingress_of_helm", when: When::Full, run: foreign::of_helm },
    Case { name: "tls::secret_of_another_certificate", when: When::Full, run: foreign::of_another_certificate },
    Case { name: "tls::shared_issuer_moved_to", when: When::Always, run: shared::moved },
    Case { name: "tls::shared_issuer_with_many_solvers", when: When::Full, run: shared::solvers },
    Case { name: "tls::certificate_data_alert_and_shared_issuer", when: When::Full, run: around::all },
];
