//! Somebody is killed in each step of an endpoint, or the user stops it there; the next apply converges: one DNS record, one
//! Certificate, one order.
//!
//! The table says where, each point as the requests that lead to it. The gates before the API server and before the
//! stand-in for Cloudflare stop the last of them before it gets through ([`Before`]) or after it was done and before it is
//! answered ([`After`]), and then somebody dies.

mod play;
mod scene;

use crate::gate::Moment::{self, After, Before};
use crate::{Case, When};
use Story::{First, More};
use Way::{Cloudflare, Cluster};
use Who::{Provider, Terraform, User};

pub(super) const CASES: &[Case] = &[
    Case { name: "tls_kills::a_handful", when: When::Always, run: |stage| play::all(stage, |point| point.always) },
    Case {
        name: "tls_kills::from_the_route_to_dns",
        when: When::Full,
        run: |stage| play::all(stage, |point| point.is_in(First, &["look", "route", "address", "dns"])),
    },
    Case {
        name: "tls_kills::issuer_and_certificate",
        when: When::Full,
        run: |stage| play::all(stage, |point| point.is_in(First, &["issuer", "certificate"])),
    },
    Case {
        name: "tls_kills::from_the_order_to_the_end",
        when: When::Full,
        run: |stage| play::all(stage, |point| point.is_in(First, &["issued", "verify", "alert", "record"])),
    },
    Case {
        name: "tls_kills::another_host",
        when: When::Full,
        run: |stage| play::all(stage, |point| point.story == More),
    },
];

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// Nothing was there before.
    First,
    /// The endpoint gets another host: another record, and another certificate.
    More,
}

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The provider.
    Provider,
    /// Terraform: the provider ends by itself.
    Terraform,
    /// Nobody: the user presses Ctrl-C.
    User,
}

/// Which gate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The one before the API server.
    Cluster,
    /// The one before the stand-in for Cloudflare.
    Cloudflare,
}

/// A row of the table.
struct Point {
    story: Story,
    who: Who,
    step: &'static str,
    moment: Moment,
    way: Way,
    /// Requests, each a method and a part of the path in which `{}` is the endpoint's name; the last one is the point.
    requests: &'static [(&'static str, &'static str)],
    /// It is played in every run.
    always: bool,
}

impl Point {
    fn is_in(&self, story: Story, steps: &[&str]) -> bool {
        self.story == story && steps.contains(&self.step)
    }
}

type Requests = &'static [(&'static str, &'static str)];

const fn first(who: Who, step: &'static str, moment: Moment, requests: Requests) -> Point {
    Point { story: First, who, step, moment, way: Cluster, requests, always: false }
}

const fn dns(point: Point) -> Point {
    Point { way: Cloudflare, ..point }
}

const fn more(point: Point) -> Point {
    Point { story: More, ..point }
}

const fn always(point: Point) -> Point {
    Point { always: true, ..point }
}

const BEGUN: Requests = &[("PATCH", "/configmaps/ffe-tls-endpoint.{}?")];
const ROUTE: Requests = &[("PATCH", "/ingresses/{}?")];
const ADDRESS: Requests = &[("PATCH", "/ingresses/{}?"), ("PATCH", "/ingresses/{}-http?"), ("GET", "/ingresses")];
const DNS: Requests = &[("POST", "/dns_records")];
const ISSUER: Requests = &[("PATCH", "/issuers/{}?")];
const READY: Requests = &[("PATCH", "/issuers/{}?"), ("GET", "/issuers")];
const CERTIFICATE: Requests = &[("PATCH", "/certificates/{}-tls?")];
/// It is waited for, and the order is looked at.
const ISSUED: Requests = &[("PATCH", "/certificates/{}-tls?"), ("GET", "/certificates/{}-tls"), ("GET", "/orders")];
/// The certificate is in its Secret, which is read for what a client must see.
const VERIFY: Requests = &[("PATCH", "/certificates/{}-tls?"), ("GET", "/secrets/{}-tls"), ("GET", "/secrets/{}-tls")];
const ALERT: Requests = &[("PATCH", "/prometheusrules/{}-certificate?")];
const RECORD: Requests =
    &[("PATCH", "/prometheusrules/{}-certificate?"), ("PATCH", "/configmaps/ffe-tls-endpoint.{}?")];

#[rustfmt::skip]
const POINTS: &[Point] = &[
    first(Provider, "look", After, BEGUN),
    first(Provider, "route", Before, ROUTE),
    first(Provider, "route", After, ROUTE),
    first(Provider, "address", Before, ADDRESS),
    dns(first(Provider, "dns", Before, DNS)),
    always(dns(first(Provider, "dns", After, DNS))),
    dns(first(User, "dns", After, DNS)),
    first(Provider, "issuer", Before, ISSUER),
    first(Provider, "issuer", After, ISSUER),
    first(Provider, "issuer", Before, READY),
    first(Provider, "certificate", Before, CERTIFICATE),
    always(first(Provider, "certificate", After, CERTIFICATE)),
    first(Terraform, "certificate", After, CERTIFICATE),
    first(Provider, "issued", Before, ISSUED),
    first(User, "issued", Before, ISSUED),
    first(Provider, "verify", Before, VERIFY),
    always(first(Provider, "verify", After, VERIFY)),
    first(Provider, "alert", After, ALERT),
    first(Provider, "record", Before, RECORD),
    first(Provider, "record", After, RECORD),

    more(first(Provider, "route", After, ROUTE)),
    more(dns(first(Provider, "dns", After, DNS))),
    more(first(Provider, "certificate", After, CERTIFICATE)),
    more(first(User, "issued", Before, ISSUED)),
    more(first(Provider, "record", After, RECORD)),
];
