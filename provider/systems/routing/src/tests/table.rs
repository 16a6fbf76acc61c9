//! Every cell of the support table, held against what is made: a promise shows in the objects when the setting is on,
//! and only then; what is not promised is warned of.

use super::{api, everything, gateway, on_gateway, resolved, route};
use crate::{Dialect, How, Resolved, Route, Security, Served, Setting, objects, support, warnings};
use serde_json::json;

/// The settings without this one, and with it.
fn without_and_with(setting: Setting) -> (Security, Security) {
    let (all, none) = (everything(), Security::default());
    let with = match setting {
        Setting::SslRedirect => Security { ssl_redirect: true, ..none.clone() },
        Setting::HstsMaxAge => Security { hsts_max_age: all.hsts_max_age, ..none.clone() },
        // means nothing by itself
        Setting::HstsSubdomains => {
            let hsts = Security { hsts_max_age: all.hsts_max_age, ..none };
            return (hsts.clone(), Security { hsts_subdomains: true, ..hsts });
        }
        Setting::FrameOptions => Security { frame_options: all.frame_options, ..none.clone() },
        Setting::ContentSecurityPolicy => {
            Security { content_security_policy: all.content_security_policy, ..none.clone() }
        }
        Setting::ContentTypeNosniff => Security { content_type_nosniff: true, ..none.clone() },
        Setting::RequestsPerMinute => Security { requests_per_minute: all.requests_per_minute, ..none.clone() },
    };
    (none, with)
}

async fn place(dialect: Dialect) -> (Route, Resolved) {
    let ingress = |dialect| {
        let served = Served { class: "any".to_owned(), controller: Some("any".to_owned()), dialect };
        (route("any"), Resolved::Ingress(served))
    };
    match dialect {
        Dialect::Gateway => {
            let api = api();
            api.put(gateway(json!([{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}])));
            let route = on_gateway("infra", true);
            let found = resolved(&api, &route).await;
            (route, found)
        }
        other => ingress(other),
    }
}

#[tokio::test]
async fn every_cell_is_kept() {
    for dialect in Dialect::ALL {
        let (route, resolved) = place(dialect).await;
        for setting in Setting::ALL {
            let (without, with) = without_and_with(setting);
            let told = |security: Security| {
                let route = Route { security, ..route.clone() };
                let made: Vec<String> = objects(&route, &resolved).iter().map(ToString::to_string).collect();
                let attributes: Vec<String> =
                    warnings(&route, &resolved).into_iter().map(|warning| warning.attribute).collect();
                (made.join("\n"), attributes)
            };
            let ((before, silent), (after, warned)) = (told(without), told(with));
            let attribute = format!("security.{}", setting.attribute());
            let cell = format!("{dialect}, {attribute}");
            assert!(!silent.contains(&attribute), "{cell}: warned of though it is off");
            match support(dialect, setting) {
                How::Object { trace, .. } | How::Annotation { key: trace } => {
                    assert!(after.contains(trace) && !before.contains(trace), "{cell}: {trace} in {after}");
                    assert!(!warned.contains(&attribute), "{cell}: promised and warned of");
                }
                How::Administrator { .. } | How::Unsupported { .. } => {
                    assert!(warned.contains(&attribute), "{cell}: neither promised nor warned of");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_warning_names_who_can_do_it_and_what_was_wanted() {
    let (route, resolved) = place(Dialect::IngressNginx).await;
    let found = warnings(&route, &resolved);
    let of = |attribute: &str| found.iter().find(|warning| warning.attribute == attribute).unwrap().to_string();
    assert!(of("ingress_class").contains("retired"));
    let hsts = of("security.hsts_max_age");
    assert!(hsts.contains("ConfigMap") && hsts.contains("hsts-max-age") && hsts.contains("31536000"), "{hsts}");
    let policy = of("security.content_security_policy");
    assert!(policy.contains("add-headers") && policy.contains("default-src 'self'"), "{policy}");
}
