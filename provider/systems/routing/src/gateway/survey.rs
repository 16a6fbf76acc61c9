//! Which listeners of a Gateway will do for a route. Pure: the Gateway and the namespace's labels are given.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Attachment, Controller, MissingListener, OurListener};
use crate::names::listener_name;
use crate::route::{GatewayRef, Route};

/// A listener, as far as it matters here.
struct Listener<'a> {
    name: &'a str,
    host: Option<&'a str>,
    port: u16,
    protocol: &'a str,
    /// Namespace and name of the Secrets
    secrets: Vec<(&'a str, &'a str)>,
    admits: bool,
}

/// Finds the listeners for a route.
pub(crate) fn survey(
    route: &Route,
    wished: &GatewayRef,
    gateway: &Value,
    controller: Option<Controller>,
    labels: &BTreeMap<String, String>,
    backend_ports: Vec<u16>,
) -> Attachment {
    let hosts = route.distinct_hosts();
    let spec = gateway.pointer("/spec/listeners").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let all: Vec<Listener<'_>> = spec.iter().filter_map(|listener| read(listener, wished, route, labels)).collect();
    let http = all
        .iter()
        .filter(|listener| listener.protocol == "HTTP" && listener.admits)
        .filter(|listener| hosts.iter().any(|host| covers(listener.host, host)))
        .map(|listener| listener.name.to_owned())
        .collect();

    let mut attachment = Attachment {
        gateway: wished.clone(),
        class: gateway.pointer("/spec/gatewayClassName").and_then(Value::as_str).unwrap_or_default().to_owned(),
        controller,
        http,
        https: Vec::new(),
        ours: Vec::new(),
        missing: Vec::new(),
        backend_ports,
    };
    for host in hosts {
        let own = listener_name(&route.namespace, &route.name, host);
        match with_our_secret(&all, route, host, &own) {
            Some(name) => push_once(&mut attachment.https, name),
            None if wished.manage_listener && taken(&all, host, &own).is_none() => {
                let secret = secret_of(&all, route, &own);
                attachment.ours.push(OurListener {
                    name: own.clone(),
                    host: host.to_owned(),
                    port: port(&all),
                    secret,
                });
                push_once(&mut attachment.https, own);
            }
            None => {
                attachment.missing.push(MissingListener { host: host.to_owned(), nearest: nearest(&all, route, host) })
            }
        }
    }
    attachment
}

/// A listener of somebody else that serves the host with our Secret already; the narrowest one, as a request chooses.
fn with_our_secret(all: &[Listener<'_>], route: &Route, host: &str, own: &str) -> Option<String> {
    all.iter()
        .filter(|listener| listener.protocol == "HTTPS" && listener.admits && listener.name != own)
        .filter(|listener| covers(listener.host, host))
        .filter(|listener| listener.secrets.contains(&(route.namespace.as_str(), route.secret_name.as_str())))
        .max_by_key(|listener| listener.host.map_or(0, str::len))
        .map(|listener| listener.name.to_owned())
}

/// The Secret that our listener refers to now.
fn secret_of(all: &[Listener<'_>], route: &Route, own: &str) -> Option<String> {
    let mut secrets = all.iter().find(|listener| listener.name == own)?.secrets.iter();
    secrets.find(|(namespace, _)| *namespace == route.namespace).map(|(_, name)| (*name).to_owned())
}

/// A listener of somebody else for this very host: another one beside it is refused by the API server.
fn taken<'a>(all: &'a [Listener<'_>], host: &str, own: &str) -> Option<&'a str> {
    let port = port(all);
    all.iter()
        .find(|listener| {
            listener.name != own && listener.protocol == "HTTPS" && listener.port == port && listener.host == Some(host)
        })
        .map(|listener| listener.name)
}

/// In words, the listener that would do if it were changed.
fn nearest(all: &[Listener<'_>], route: &Route, host: &str) -> Option<String> {
    let found = all
        .iter()
        .filter(|listener| listener.protocol == "HTTPS" && covers(listener.host, host))
        .max_by_key(|listener| (listener.admits, listener.host.map_or(0, str::len)))?;
    Some(if found.admits {
        format!("listener {:?} serves {host} with another Secret", found.name)
    } else {
        format!("listener {:?} serves {host} but admits no routes of namespace {:?}", found.name, route.namespace)
    })
}

/// The port of HTTPS. Some controllers (Traefik) take only ports that they listen on, which the Gateway's other
/// listeners show; a Gateway with HTTP on 8000 or 8080 has HTTPS on 8443 by every custom.
fn port(all: &[Listener<'_>]) -> u16 {
    let of = |protocol: &str| all.iter().find(|listener| listener.protocol == protocol).map(|listener| listener.port);
    of("HTTPS").unwrap_or(match of("HTTP") {
        Some(8000 | 8080) => 8443,
        _ => 443,
    })
}

fn read<'a>(
    listener: &'a Value,
    gateway: &'a GatewayRef,
    route: &Route,
    labels: &BTreeMap<String, String>,
) -> Option<Listener<'a>> {
    let text = |pointer: &str| listener.pointer(pointer).and_then(Value::as_str);
    let references = listener.pointer("/tls/certificateRefs").and_then(Value::as_array);
    let secrets = references
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter(|reference| reference["kind"].as_str().is_none_or(|kind| kind == "Secret"))
        .filter_map(|reference| {
            Some((reference["namespace"].as_str().unwrap_or(&gateway.namespace), reference["name"].as_str()?))
        })
        .collect();
    Some(Listener {
        name: text("/name")?,
        host: text("/hostname").filter(|host| !host.is_empty()),
        port: u16::try_from(listener["port"].as_u64()?).ok()?,
        protocol: text("/protocol")?,
        secrets,
        admits: admits(listener, gateway, route, labels),
    })
}

/// Whether a listener lets HTTPRoutes of the route's namespace in.
fn admits(listener: &Value, gateway: &GatewayRef, route: &Route, labels: &BTreeMap<String, String>) -> bool {
    let kinds = listener.pointer("/allowedRoutes/kinds").and_then(Value::as_array).map(Vec::as_slice);
    let kind = kinds.is_none_or(|kinds| kinds.is_empty() || kinds.iter().any(|kind| kind["kind"] == "HTTPRoute"));
    let namespaces = &listener["allowedRoutes"]["namespaces"];
    let namespace = match namespaces["from"].as_str() {
        Some("All") => true,
        Some("Selector") => selects(&namespaces["selector"], labels),
        Some("None") => false,
        _ => gateway.namespace == route.namespace,
    };
    kind && namespace
}

/// A label selector of the API.
fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector["matchLabels"]
        .as_object()
        .is_none_or(|wanted| wanted.iter().all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str()));
    let expressions = selector["matchExpressions"].as_array().map(Vec::as_slice).unwrap_or_default();
    equal
        && expressions.iter().all(|expression| {
            let found = expression["key"].as_str().and_then(|key| labels.get(key));
            let among = |value: &String| {
                expression["values"].as_array().is_some_and(|values| values.iter().any(|one| one == value.as_str()))
            };
            match expression["operator"].as_str() {
                Some("In") => found.is_some_and(among),
                Some("NotIn") => !found.is_some_and(among),
                Some("Exists") => found.is_some(),
                Some("DoesNotExist") => found.is_none(),
                _ => false,
            }
        })
}

/// Whether a listener of this host serves that host: the same, any, or one that its wildcard covers. On a Gateway a
/// wildcard covers any number of labels.
fn covers(listener: Option<&str>, host: &str) -> bool {
    match listener {
        None => true,
        Some(own) if own == host => true,
        Some(own) => own
            .strip_prefix('*')
            .is_some_and(|rest| host.strip_prefix('*').unwrap_or(host).len() > rest.len() && host.ends_with(rest)),
    }
}

fn push_once(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

#[cfg(test)]
mod tests;
