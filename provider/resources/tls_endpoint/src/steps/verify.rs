//! HTTPS works as a client sees it: at every address of every host, from here, or from inside the cluster where here is not
//! the world.

mod backend;
mod controller;
mod expect;
mod patience;
mod settings;
mod site;

use std::net::IpAddr;
use std::time::Duration;

use ffe_https::{CheckResult, Connect, Direct, Expected, ExtraCheck, Failure, ResolveTo, Scheme, Target};
use tfplugin::{Diagnostic, Path};
use tokio::time::Instant;

use self::controller::Controller;
use self::expect::{Expectations, expectations};
use self::patience::{Enough, Patience};
pub(crate) use self::settings::{From, Settings};
pub(crate) use self::site::{Site, sites};
use crate::authority::Authority;
use crate::model::VerifyResult;
use crate::run::{Run, Stop, failed};
use crate::status::{self, Pair};
use crate::steps::{issued, resolved};

const BETWEEN: Duration = Duration::from_secs(2);
/// How long a resolver may take.
const ANSWER: Duration = Duration::from_secs(5);
/// For the alert and the record.
const THE_REST: Duration = Duration::from_secs(60);

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(settings) = Settings::of(run) else { return Ok(()) };
    let sites = sites(run.spec, settings.wildcard_label.as_deref(), &run.run_id);
    let authority = Authority::find(run.cluster, run.spec).await;
    run.done.warnings.extend(authority.distrusted(run.spec));
    let pair = pair(run).await?;
    let expected = expectations(run.spec, &settings, run.around()?, &authority, &sites, pair.as_ref())?;
    let controller = match settings.from {
        From::Here => None,
        From::Auto | From::Inside => controller::find(run, &settings).await?,
    };
    let ends = Instant::now() + settings.timeout;
    let mut renewed = false;
    for (index, site) in sites.iter().enumerate() {
        let mut looker = Looker {
            run,
            settings: &settings,
            authority: &authority,
            sites: &sites,
            expected: expected.clone().beside(run.served_beside.get(&site.host)),
            controller: controller.as_ref(),
            site,
            // The further requests are made at the first host.
            first: index == 0,
            renewed: false,
        };
        let (results, by_name) = looker.until(ends).await?;
        renewed |= looker.renewed;
        if by_name {
            resolved::leads_there(&mut run.done, &site.host);
        }
        tracing::info!(host = %site.name, checks = results.len(), "HTTPS is as expected");
        run.done.results.extend(results);
    }
    if renewed {
        issued::note(run).await?;
    }
    // Looking has a time of its own; what is left needs little.
    run.deadline = run.deadline.max(Instant::now() + THE_REST);
    Ok(())
}

/// What the Secret holds now.
async fn pair(run: &Run<'_>) -> Result<Option<Pair>, Stop> {
    let (namespace, secret) = (&run.spec.names.namespace, &run.spec.certificate.secret_name);
    status::pair(run.cluster, namespace, secret).await.map_err(failed("The certificate could not be read"))
}

struct Looker<'a, 'b> {
    run: &'a Run<'b>,
    settings: &'a Settings,
    authority: &'a Authority,
    sites: &'a [Site],
    expected: Expectations,
    controller: Option<&'a Controller>,
    site: &'a Site,
    first: bool,
    /// The certificate became another one while it was looked.
    renewed: bool,
}

/// What was seen on one way.
struct Sight {
    results: Vec<CheckResult>,
    way: String,
    /// It was reached by the host's name, as a client reaches it.
    by_name: bool,
    /// This machine has no way there.
    no_way: bool,
    /// It need not be reached.
    unreached: bool,
    /// Somebody else answers there, whose certificate comes from elsewhere.
    edge: bool,
}

impl Sight {
    fn is_good(&self) -> bool {
        self.unreached || CheckResult::all_passed(&self.results)
    }

    fn is_reached(&self) -> bool {
        self.results.first().is_some_and(|result| result.passed)
    }
}

/// A check's name, outcome and detail, and the ways on which it was so.
type SeenOn<'a> = ((&'a str, &'a str, &'a str), Vec<&'a str>);

impl Looker<'_, '_> {
    /// Looks until everything is as expected. True when it was seen from here, by its name alone.
    async fn until(&mut self, ends: Instant) -> Result<(Vec<VerifyResult>, bool), Stop> {
        let mut patience = Patience::new(ends, self.run.around()?.resolved.takes_up_at_once());
        loop {
            let sights = tokio::select! {
                () = self.run.cancel.cancelled() => return Err(Stop::Cancelled),
                sights = self.look() => sights,
            };
            let wrong: Vec<&Sight> = sights.iter().filter(|sight| !sight.is_good()).collect();
            // Nothing that was looked at is nothing that is well.
            if wrong.is_empty() && sights.iter().any(Sight::is_reached) {
                return Ok((self.told(&sights), sights.iter().all(|sight| sight.by_name || sight.unreached)));
            }
            let all: Vec<&[CheckResult]> = wrong.iter().map(|sight| sight.results.as_slice()).collect();
            let prompt = !wrong.iter().any(|sight| sight.edge);
            let enough = patience.after(&all, prompt, &explain(&sights), Instant::now());
            // A certificate that was renewed meanwhile is another one to expect, whatever came of the former.
            if self.follow_renewal().await? {
                patience.begin_anew();
            } else if let Some(enough) = enough {
                let backend = backend::trouble(self.run).await;
                return Err(Stop::failed(self.failure(&sights, enough, backend)));
            }
            tracing::info!(host = %self.site.name, wrong = %explain(&sights), "HTTPS is not as expected yet");
            tokio::select! {
                () = self.run.cancel.cancelled() => return Err(Stop::Cancelled),
                () = tokio::time::sleep(BETWEEN) => {}
            }
        }
    }

    /// Whether the Secret has another certificate than the one that was expected; that is expected from now on. While it is
    /// written, or cannot be read, nothing is known of another one.
    async fn follow_renewal(&mut self) -> Result<bool, Stop> {
        let Ok(Some(pair)) = pair(self.run).await else { return Ok(false) };
        let now = pair.leaf().map(|leaf| leaf.fingerprint_sha256.clone());
        if now.is_none() || now == self.expected.certificate {
            return Ok(false);
        }
        tracing::info!(host = %self.site.name, "the certificate was renewed meanwhile");
        let around = self.run.around()?;
        self.renewed = true;
        let expected = expectations(self.run.spec, self.settings, around, self.authority, self.sites, Some(&pair))?;
        self.expected = expected.beside(self.run.served_beside.get(&self.site.host));
        Ok(true)
    }

    /// One look; a second one at the origin where somebody else answers for it.
    async fn look(&self) -> Vec<Sight> {
        let mut expected = self.expected.client.clone();
        if !self.first {
            expected.extra.clone_from(&self.settings.paths);
        }
        let proxied = self.is_proxied();
        let mut sights = self.by_any_way(&expected, !proxied).await;
        if proxied {
            sights.iter_mut().for_each(|sight| sight.edge = true);
            let mut origin = self.at_origin(&self.expected.origin).await;
            let reached = origin.iter().any(Sight::is_reached);
            for sight in &mut origin {
                for result in &mut sight.results {
                    result.name = format!("origin {}", result.name);
                }
                // An origin that lets nobody in but the edge is no mistake.
                sight.unreached |= !reached;
            }
            sights.extend(origin);
        }
        sights
    }

    fn is_proxied(&self) -> bool {
        self.run.spec.dns.as_ref().is_some_and(|dns| dns.proxied)
    }

    /// From here; where nothing answers, at the address; and then from inside. Another way is only taken where it leads
    /// to the same end.
    async fn by_any_way(&self, expected: &Expected, detours: bool) -> Vec<Sight> {
        if self.settings.from == From::Inside {
            return vec![self.look_inside(expected).await];
        }
        let named = match &self.settings.resolve_to {
            Some(to) => places(to).await.into_iter().map(Some).collect(),
            None => self.addresses_of_name().await,
        };
        let by_name = self.settings.resolve_to.is_none();
        let here = self.look_at_all(expected, named, by_name).await;
        let reached = here.iter().any(Sight::is_reached);
        if reached || !detours || self.settings.from == From::Here || self.settings.resolve_to.is_some() {
            return here;
        }
        let other = self.at_origin(expected).await;
        if other.iter().any(Sight::is_reached) { other } else { here }
    }

    /// At all of the route's own addresses, else from inside.
    async fn at_origin(&self, expected: &Expected) -> Vec<Sight> {
        let mut own = Vec::new();
        for address in self.run.done.addresses.iter().filter_map(|address| address.parse::<ResolveTo>().ok()) {
            own.extend(places(&address).await.into_iter().map(Some));
        }
        if self.settings.from != From::Inside && !own.is_empty() {
            let there = self.look_at_all(expected, own, false).await;
            if there.iter().any(Sight::is_reached) || self.controller.is_none() {
                return there;
            }
        }
        vec![self.look_inside(expected).await]
    }

    /// Where the name leads; the name itself where that is one place, or nobody knows.
    async fn addresses_of_name(&self) -> Vec<Option<ResolveTo>> {
        match ffe_https::resolve(&self.site.name, ANSWER).await {
            Ok(several) if several.len() > 1 => {
                several.into_iter().map(|address| Some(ResolveTo::from(address))).collect()
            }
            _ => vec![None],
        }
    }

    /// At each of these places. One that this machine has no way to does not count where it has one to another; the further
    /// requests are made where it is reached first.
    async fn look_at_all(&self, expected: &Expected, places: Vec<Option<ResolveTo>>, by_name: bool) -> Vec<Sight> {
        let (mut expected, mut sights) = (expected.clone(), Vec::new());
        let several = places.len() > 1;
        for place in places {
            let way = match &place {
                Some(place) if several || (!by_name && self.settings.resolve_to.is_none()) => {
                    format!("at {}", place.host)
                }
                _ => String::new(),
            };
            let sight = Sight { by_name, ..self.look_here(&expected, place.as_ref(), way).await };
            if sight.is_reached() {
                expected.extra.clear();
            }
            sights.push(sight);
        }
        let reached = sights.iter().any(Sight::is_reached);
        sights.iter_mut().for_each(|sight| sight.unreached |= reached && sight.no_way);
        sights
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
            let why = "the ingress controller's service was not found; name it with verify.controller";
            let (results, way) = (vec![CheckResult::unreachable(why, false)], "from inside the cluster".to_owned());
            return Sight { results, way, by_name: false, no_way: false, unreached: false, edge: false };
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
        let no_way = matches!(observed.https, Err(Failure::NoWay { .. }));
        let results = ffe_https::check(expected, https.0, &observed, jiff::Timestamp::now());
        Sight { results, way, by_name: false, no_way, unreached: false, edge: false }
    }

    fn targets(&self) -> (Target, Target) {
        let (path, roots) = (self.settings.path.as_str(), self.expected.roots.clone());
        (Target::https(&self.site.name).path(path).roots(roots), Target::http(&self.site.name).path(path))
    }

    /// What was seen, once for all ways on which it is the same.
    fn told(&self, sights: &[Sight]) -> Vec<VerifyResult> {
        let redactor = self.run.redactor();
        let mut seen: Vec<SeenOn<'_>> = Vec::new();
        for sight in sights {
            // Of what need not be reached it is enough to say why it was not.
            for result in sight.results.iter().filter(|result| !(sight.unreached && result.follows())) {
                let outcome = match result.passed {
                    true => "passed",
                    false if sight.unreached => "skipped",
                    false => "failed",
                };
                let what = (result.name.as_str(), outcome, result.detail.as_str());
                match seen.iter_mut().find(|(known, _)| *known == what) {
                    Some((_, ways)) => ways.push(&sight.way),
                    None => seen.push((what, vec![&sight.way])),
                }
            }
        }
        let as_name =
            if self.site.name == self.site.host { Vec::new() } else { vec![format!("as {}", self.site.name)] };
        let seen = seen.into_iter().map(|((check, outcome, detail), ways)| {
            let ways = ways.into_iter().filter(|way| !way.is_empty()).map(str::to_owned);
            let ways: Vec<String> = as_name.iter().cloned().chain(ways).collect();
            let ways = if ways.is_empty() { String::new() } else { format!(" ({})", ways.join(", ")) };
            VerifyResult {
                host: self.site.host.clone().into(),
                check: check.into(),
                outcome: outcome.into(),
                detail: redactor.clean(&format!("{detail}{ways}")).into(),
            }
        });
        let skipped = self.expected.skipped.iter().map(|(check, why)| VerifyResult {
            host: self.site.host.clone().into(),
            check: check.clone().into(),
            outcome: "skipped".into(),
            detail: why.clone().into(),
        });
        seen.chain(skipped).collect()
    }

    fn failure(&self, sights: &[Sight], enough: Enough, backend: Option<String>) -> Diagnostic {
        let after = match enough {
            Enough::Hopeless => "Waiting would not help".to_owned(),
            Enough::Settled(time) => {
                format!("The same for {}, and waiting would not change it", ffe_cluster::format_duration(time))
            }
            Enough::Late => format!("After {} of trying", ffe_cluster::format_duration(self.settings.timeout)),
        };
        let wrong: Vec<&CheckResult> = sights
            .iter()
            .filter(|sight| !sight.is_good())
            .flat_map(|sight| &sight.results)
            .filter(|result| !result.passed && !result.follows())
            .collect();
        let mut detail = format!("{after}:\n{}", explain(sights));
        for more in backend.into_iter().chain(self.remarks(&wrong)) {
            detail.push_str(&format!("\n\n{more}"));
        }
        let first = wrong.first().map(|result| result.name.as_str()).unwrap_or_default();
        Diagnostic::error(format!("https://{} is not as expected", self.site.name), detail).at(path_of(first))
    }

    /// What the configuration has to do with what is wrong.
    fn remarks(&self, wrong: &[&CheckResult]) -> Vec<String> {
        let is = |name: &str| wrong.iter().any(|result| result.name.trim_start_matches("origin ") == name);
        let mut remarks = Vec::new();
        if is("chain") {
            remarks.extend(self.expected.about_distrust.clone());
        }
        if is("status") && !self.settings.path_is_named {
            remarks.push(format!(
                "{} is asked for because verify.path does not say otherwise: set it to a path that the application answers.",
                self.settings.path
            ));
        }
        let unnamed = self.settings.paths.iter().find(|path| is(&format!("check {}", path.path)));
        if let Some(ExtraCheck { path, .. }) = unnamed {
            remarks.push(format!(
                "{path} is asked for because it is a path of backends, and none of verify.checks goes to its service: add a check \
                 with a path below it that the service answers, and the status that it gives."
            ));
        }
        if is("status") && self.site.made_up {
            remarks.push(format!(
                "{} is a made-up name below {}. Where the application answers those that it knows only, give the first label of \
                 one with verify.wildcard_label.",
                self.site.name, self.site.host
            ));
        }
        remarks
    }
}

/// The addresses of a place, each on its own; itself where nobody knows them.
async fn places(to: &ResolveTo) -> Vec<ResolveTo> {
    if to.host.parse::<IpAddr>().is_ok() {
        return vec![to.clone()];
    }
    match ffe_https::resolve(&to.host, ANSWER).await {
        Ok(found) => found.into_iter().map(|address| ResolveTo { port: to.port, ..address.into() }).collect(),
        Err(_) => vec![to.clone()],
    }
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
