//! How the endpoint is looked at: the configuration with its defaults.

use std::time::Duration;

use ffe_https::{Bearer, Bundle, ExtraCheck, ResolveTo};
use ffe_routing::Rule;
use tfplugin::Attr;

use crate::model::{self, Verify};
use crate::run::Run;
use crate::settle::looked_for;
use crate::spec::duration;

/// From where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Auto,
    Here,
    Inside,
}

/// How it is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) path: String,
    /// The configuration says so.
    pub(crate) path_is_named: bool,
    /// None: any that shows that the application answers.
    pub(crate) status: Option<u16>,
    /// What stands for the star of a wildcard.
    pub(crate) wildcard_label: Option<String>,
    pub(crate) redirect: bool,
    pub(crate) issuer: Option<String>,
    pub(crate) from: From,
    pub(crate) resolve_to: Option<ResolveTo>,
    pub(crate) controller: Option<model::Controller>,
    pub(crate) bundle: Option<Bundle>,
    pub(crate) timeout: Duration,
    pub(crate) checks: Vec<ExtraCheck>,
    /// Paths that nothing else of it asks for: of each host.
    pub(crate) paths: Vec<ExtraCheck>,
}

impl Settings {
    /// Of a run; none where nothing is to be looked at.
    pub(crate) fn of(run: &Run<'_>) -> Option<Settings> {
        let settings = Settings::without_paths(run)?;
        let asked =
            std::iter::once(settings.path.as_str()).chain(settings.checks.iter().map(|check| check.path.as_str()));
        let paths = other_paths(&run.spec.route.rules, &asked.collect::<Vec<_>>());
        Some(Settings { paths, ..settings })
    }

    fn without_paths(run: &Run<'_>) -> Option<Settings> {
        let redirects = run.spec.route.security.ssl_redirect;
        let Some(given) = run.planned.verify.known() else {
            let (path, status) = looked_for(run.planned, None);
            return Some(Settings {
                path: path.into_known().unwrap_or_default(),
                status: code(&status),
                ..Settings::unsaid(redirects)
            });
        };
        if given.enabled == Attr::Known(false) {
            return None;
        }
        Some(Settings {
            path: given.path.as_str().unwrap_or("/").to_owned(),
            path_is_named: run.config.verify.known().is_some_and(|verify| verify.path.is_known()),
            status: code(&given.status),
            wildcard_label: given.wildcard_label.as_str().map(str::to_owned),
            redirect: given.redirect.unwrap_or(redirects),
            issuer: given.issuer.as_str().map(str::to_owned),
            from: match given.from.as_str() {
                Some("here") => From::Here,
                Some("inside") => From::Inside,
                _ => From::Auto,
            },
            resolve_to: given.resolve_to.as_str().and_then(|text| text.parse().ok()),
            controller: given.controller.known().cloned(),
            bundle: given.ca_bundle.as_str().and_then(|pem| Bundle::from_pem(pem.as_bytes()).ok()),
            timeout: duration(&given.timeout, 600),
            checks: checks(given, run.config.verify.known()),
            paths: Vec::new(),
        })
    }

    pub(crate) fn unsaid(redirect: bool) -> Settings {
        Settings {
            path: "/health".to_owned(),
            path_is_named: false,
            status: Some(200),
            wildcard_label: None,
            redirect,
            issuer: None,
            from: From::Auto,
            resolve_to: None,
            controller: None,
            bundle: None,
            timeout: Duration::from_secs(600),
            checks: Vec::new(),
            paths: Vec::new(),
        }
    }

    /// No other way than from here will do.
    pub(crate) fn is_only_here(&self) -> bool {
        self.from == From::Here
    }

    /// No other way than from inside will do.
    pub(crate) fn is_only_inside(&self) -> bool {
        self.from == From::Inside
    }
}

fn code(status: &Attr<i64>) -> Option<u16> {
    status.known().and_then(|status| u16::try_from(*status).ok())
}

/// The paths of rules to which none of these requests goes: each is asked for itself, and any answer of an application will do.
fn other_paths(rules: &[Rule], asked: &[&str]) -> Vec<ExtraCheck> {
    let is_asked = |rule: &Rule| asked.iter().any(|path| ffe_routing::rule_for(rules, path) == Some(rule));
    let paths = rules.iter().filter(|rule| !is_asked(rule)).map(Rule::literal);
    paths.map(|path| ExtraCheck { path: path.to_owned(), bearer: None, status: None }).collect()
}

/// The further requests; the tokens are in the configuration only.
fn checks(given: &Verify, config: Option<&Verify>) -> Vec<ExtraCheck> {
    let tokens = config.and_then(|config| config.checks.known());
    let all = given.checks.known().into_iter().flatten().enumerate();
    all.map(|(index, check)| {
        let token = tokens.and_then(|tokens| tokens.get(index)).and_then(|check| check.bearer_wo.as_str());
        ExtraCheck {
            path: check.path.as_str().unwrap_or("/").to_owned(),
            bearer: token.and_then(|token| Bearer::new(token).ok()),
            status: Some(code(&check.status).unwrap_or(200)),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use ffe_routing::{Backend, PathType};

    use super::*;

    #[test]
    fn each_path_is_asked_for_by_what_goes_there() {
        let rule = |path: &str, path_type| Rule { path_type, ..Rule::new(path, Backend::new("web", 80)) };
        let rules = [
            rule("/", PathType::Prefix),
            rule("/api", PathType::Prefix),
            rule("/api/up", PathType::Exact),
            rule("/v1(/|$)(.*)", PathType::ImplementationSpecific),
        ];
        let of = |rules: &[Rule], asked: &[&str]| {
            other_paths(rules, asked).into_iter().map(|check| check.path).collect::<Vec<_>>()
        };
        assert_eq!(of(&rules[..3], &["/health"]), ["/api", "/api/up"]);
        assert_eq!(of(&rules[..3], &["/health", "/api/v1?deep=1"]), ["/api/up"]);
        assert_eq!(of(&rules[..3], &["/health", "/api/up", "/api/x"]), Vec::<String>::new());
        assert_eq!(of(&rules[..1], &["/health"]), Vec::<String>::new());
        assert_eq!(of(&rules[2..], &["/api/up"]), ["/v1"], "a pattern as far as it is none");
        assert!(other_paths(&rules, &[]).iter().all(|check| check.status.is_none() && check.bearer.is_none()));
    }
}
