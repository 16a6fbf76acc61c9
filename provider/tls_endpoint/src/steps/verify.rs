//! HTTPS works as a client sees it: from here, or from inside the cluster where here is not the world.

mod backend;
mod controller;
mod expect;
mod settings;

use std::time::Duration;

use ffe_https::{CheckResult, Connect, Direct, Expected, ResolveTo, Scheme, Target};
use tfplugin::{Diagnostic, Path};
use tokio::time::Instant;

use self::controller::Controller;
use self::expect::{Expectations, expectations};
pub(crate) use self::settings::{From, Settings};
use crate::model::VerifyResult;
use crate::run::{Run, Stop, failed};
use crate::status;
use crate::steps::resolved;

const BETWEEN: Duration = Duration::from_secs(2);
/// For the alert and the record.
const THE_REST: Duration = Duration::from_secs(60);

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(settings) = Settings::of(run) else { return Ok(()) };
    let (namespace, secret) = (&run.spec.names.namespace, &run.spec.certificate.secret_name);
    let pair =
        status::pair(run.cluster, namespace, secret).await.map_err(failed("The certificate could not be read"))?;
    let expected = expectations(run.spec, &settings, run.around()?, pair.as_ref())?;
    let controller = match settings.from {
        From::Here => None,
        From::Auto | From::Inside => controller::find(run, &settings).await?,
    };
    let ends = Instant::now() + settings.timeout;
    let hosts: Vec<String> = run.spec.plain_hosts().map(str::to_owned).collect();
    for (index, host) in hosts.iter().enumerate() {
        let looker = Looker {
            run,
            settings: &settings,
            expected: &expected,
            controller: controller.as_ref(),
            host,
            // The further requests are made at the first host.
            first: index == 0,
        };
        let (results, by_name) = looker.until(ends).await?;
        if by_name {
            resolved::leads_there(&mut run.done, host);
        }
        tracing::info!(%host, checks = results.len(), "HTTPS is as expected");
        run.done.results.extend(results);
    }
    // Looking has a time of its own; what is left needs little.
    run.deadline = run.deadline.max(Instant::now() + THE_REST);
    Ok(())
}

struct Looker<'a, 'b> {
    run: &'a Run<'b>,
    settings: &'a Settings,
    expected: &'a Expectations,
    controller: Option<&'a Controller>,
    host: &'a str,
    first: bool,
}

/// What was seen on one way.
struct Sight {
    results: Vec<CheckResult>,
    way: String,
    /// It need not be reached.
    unreached: bool,
}

impl Sight {
    fn is_good(&self) -> bool {
        self.unreached || CheckResult::all_passed(&self.results)
    }
}

impl Looker<'_, '_> {
    /// Looks until everything is as expected. True when it was seen from here, by its name alone.
    async fn until(&self, ends: Instant) -> Result<(Vec<VerifyResult>, bool), Stop> {
        loop {
            let sights = tokio::select! {
                () = self.run.cancel.cancelled() => return Err(Stop::Cancelled),
                sights = self.look() => sights,
            };
            let wrong: Vec<&Sight> = sights.iter().filter(|sight| !sight.is_good()).collect();
            if wrong.is_empty() {
                let by_name =
                    self.settings.resolve_to.is_none() && sights.first().is_some_and(|one| one.way.is_empty());
                return Ok((self.told(&sights), by_name));
            }
            let worth_waiting = wrong.iter().all(|sight| CheckResult::worth_waiting(&sight.results));
            if !worth_waiting || Instant::now() >= ends {
                let backend = backend::trouble(self.run).await;
                return Err(Stop::failed(self.failure(&sights, worth_waiting, backend)));
            }
            tracing::info!(host = %self.host, wrong = %explain(&sights), "HTTPS is not as expected yet");
            tokio::select! {
                () = self.run.cancel.cancelled() => return Err(Stop::Cancelled),
                () = tokio::time::sleep(BETWEEN) => {}
            }
        }
    }

    /// One look; a second one at the origin where somebody else answers for it.
    async fn look(&self) -> Vec<Sight> {
        let mut expected = self.expected.client.clone();
        if !self.first {
            expected.extra.clear();
        }
        let mut sights = vec![self.by_any_way(&expected, !self.is_proxied()).await];
        if self.is_proxied() {
            let mut origin = self.at_origin(&self.expected.origin).await;
            for result in &mut origin.results {
                result.name = format!("origin {}", result.name);
            }
            if !is_reached(&origin) {
                // An origin that lets nobody in but the edge is no mistake.
                origin.unreached = true;
            }
            sights.push(origin);
        }
        sights
    }

    fn is_proxied(&self) -> bool {
        self.run.spec.dns.as_ref().is_some_and(|dns| dns.proxied)
    }

    /// From here; where nothing answers, at the address; and then from inside. Another way is only taken where it leads
    /// to the same end.
    async fn by_any_way(&self, expected: &Expected, detours: bool) -> Sight {
        if self.settings.from == From::Inside {
            return self.look_inside(expected).await;
        }
        let here = self.look_here(expected, self.settings.resolve_to.as_ref(), String::new()).await;
        if is_reached(&here) || !detours || self.settings.from == From::Here || self.settings.resolve_to.is_some() {
            return here;
        }
        let other = self.at_origin(expected).await;
        if is_reached(&other) { other } else { here }
    }

    /// At the route's own address, else from inside.
    async fn at_origin(&self, expected: &Expected) -> Sight {
        if self.settings.from != From::Inside
            && let Some(address) = self.run.done.address()
            && let Ok(to) = address.parse::<ResolveTo>()
        {
            let there = self.look_here(expected, Some(&to), format!("at {address}")).await;
            if is_reached(&there) || self.controller.is_none() {
                return there;
            }
        }
        self.look_inside(expected).await
    }

    async fn look_here(&self, expected: &Expected, to: Option<&ResolveTo>, way: String) -> Sight {
        let (mut https, mut http) = self.targets();
        if let Some(to) = to {
            https = https.resolve_to(to.clone());
            http = http.resolve_to(ResolveTo { port: None, ..to.clone() });
        }
        self.observe(expected, (&https, &Direct), (&http, &Direct), way).await
    }

    async fn look_inside(&self, expected: &Expected) -> Sight {
        let (https, http) = self.targets();
        let Some(controller) = self.controller else {
            let detail = "the ingress controller's service was not found; name it with verify.controller".to_owned();
            let result = CheckResult { name: "reachable".to_owned(), passed: false, detail, can_heal: false };
            return Sight { results: vec![result], way: "from inside the cluster".to_owned(), unreached: false };
        };
        let cluster = self.run.cluster;
        let (by_tls, plain) = (controller.way(cluster, Scheme::Https), controller.way(cluster, Scheme::Http));
        let way = format!("from inside the cluster, by {controller}");
        self.observe(expected, (&https, &by_tls), (&http, &plain), way).await
    }

    async fn observe(
        &self,
        expected: &Expected,
        https: (&Target, &dyn Connect),
        http: (&Target, &dyn Connect),
        way: String,
    ) -> Sight {
        let observed = ffe_https::observe(https, Some(http), expected).await;
        Sight { results: ffe_https::check(expected, https.0, &observed, jiff::Timestamp::now()), way, unreached: false }
    }

    fn targets(&self) -> (Target, Target) {
        let (path, roots) = (self.settings.path.as_str(), self.expected.roots.clone());
        (Target::https(self.host).path(path).roots(roots), Target::http(self.host).path(path))
    }

    fn told(&self, sights: &[Sight]) -> Vec<VerifyResult> {
        let redactor = self.run.redactor();
        let all = sights.iter().flat_map(|sight| sight.results.iter().map(move |result| (sight, result)));
        let seen = all.map(|(sight, result)| {
            let way = if sight.way.is_empty() { String::new() } else { format!(" ({})", sight.way) };
            VerifyResult {
                host: self.host.into(),
                check: result.name.clone().into(),
                outcome: if result.passed {
                    "passed"
                } else if sight.unreached {
                    "skipped"
                } else {
                    "failed"
                }
                .into(),
                detail: redactor.clean(&format!("{}{way}", result.detail)).into(),
            }
        });
        let skipped = self.expected.skipped.iter().map(|(check, why)| VerifyResult {
            host: self.host.into(),
            check: check.clone().into(),
            outcome: "skipped".into(),
            detail: why.clone().into(),
        });
        seen.chain(skipped).collect()
    }

    fn failure(&self, sights: &[Sight], waited: bool, backend: Option<String>) -> Diagnostic {
        let after = if waited {
            format!("After {} of trying", ffe_cluster::format_duration(self.settings.timeout))
        } else {
            "Waiting would not help".to_owned()
        };
        let backend = backend.map(|backend| format!("\n\n{backend}")).unwrap_or_default();
        let detail = format!("{after}:\n{}{backend}", explain(sights));
        let wrong = sights.iter().filter(|sight| !sight.is_good()).flat_map(|sight| &sight.results);
        let first = wrong.into_iter().find(|result| !result.passed && !result.follows());
        Diagnostic::error(format!("https://{} is not as expected", self.host), detail)
            .at(path_of(first.map(|result| result.name.as_str()).unwrap_or_default()))
    }
}

fn is_reached(sight: &Sight) -> bool {
    sight.results.first().is_some_and(|result| result.passed)
}

fn explain(sights: &[Sight]) -> String {
    let lines = sights.iter().filter(|sight| !sight.is_good()).map(|sight| {
        let way = if sight.way.is_empty() { String::new() } else { format!(" ({})", sight.way) };
        let lines = CheckResult::explain(&sight.results);
        lines.lines().map(|line| format!("  {line}{way}")).collect::<Vec<_>>().join("\n")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The attribute that a check is about.
fn path_of(check: &str) -> Path {
    let verify = Path::attribute("verify");
    match check.trim_start_matches("origin ") {
        "status" => verify.child("path"),
        "issuer" => verify.child("issuer"),
        "chain" => verify.child("ca_bundle"),
        "redirect" => Path::attribute("security").child("ssl_redirect"),
        header if header.starts_with("header ") => Path::attribute("security"),
        extra if extra.starts_with("check ") => verify.child("checks"),
        "names" | "reachable" => Path::attribute("hosts"),
        _ => verify,
    }
}
