//! What a reload changes, and what it cannot.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use floodwall_limiter::Nanos;

use crate::units::format_duration;
use crate::{Config, Limit, LimitIndex, Listener, Route, Upstream};

/// One difference between two configurations, by the path of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Such as `limits.per-client.rate`.
    pub path: String,
    pub kind: ChangeKind,
}

/// How a key differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Removed,
    /// With the old and the new value in words.
    Changed {
        old: String,
        new: String,
    },
    /// Changed in a way that is better read in the file.
    Edited,
    /// The same things in another order.
    Reordered,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.kind {
            ChangeKind::Added => write!(f, "{path}: added"),
            ChangeKind::Removed => write!(f, "{path}: removed"),
            ChangeKind::Changed { old, new } => write!(f, "{path}: {old} -> {new}"),
            ChangeKind::Edited => write!(f, "{path}: changed"),
            ChangeKind::Reordered => write!(f, "{path}: in another order"),
        }
    }
}

impl Config {
    /// Names all that a reload from this configuration to `new` changes; empty when they mean the same.
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let mut changes = self.restart_only(new);
        listeners_live(&self.listeners, &new.listeners, &mut changes);
        edited("clients", &self.clients, &new.clients, &mut changes);
        by_name(
            "upstreams",
            &self.upstreams,
            &new.upstreams,
            upstream,
            &mut changes,
        );
        by_name("limits", &self.limits, &new.limits, limit, &mut changes);
        routes(self, new, &mut changes);
        prefilter_live(self, new, &mut changes);
        value(
            "log.level",
            (&self.log.level, &new.log.level),
            word,
            &mut changes,
        );
        value(
            "server.drain",
            (&self.server.drain, &new.server.drain),
            |span: &Nanos| format_duration(*span),
            &mut changes,
        );
        changes
    }

    /// Names what of `new` cannot be applied to a running service: what is bound, opened or sized at its start.
    pub fn restart_only(&self, new: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        // Sockets are bound once. Timeouts and bounds belong to a generation and change with it.
        let address = |old: &Listener, new: &Listener, path: &str, changes: &mut Vec<Change>| {
            value(
                &format!("{path}.address"),
                (&old.address, &new.address),
                ToString::to_string,
                changes,
            );
        };
        by_name(
            "listeners",
            &self.listeners,
            &new.listeners,
            address,
            &mut changes,
        );
        value(
            "admin.address",
            (&self.admin.address, &new.admin.address),
            |address: &Option<SocketAddr>| {
                address.map_or("none".into(), |address| address.to_string())
            },
            &mut changes,
        );
        value(
            "admin.socket",
            (&self.admin.socket, &new.admin.socket),
            |path: &PathBuf| path.display().to_string(),
            &mut changes,
        );
        value(
            "log.access",
            (&self.log.access, &new.log.access),
            ToString::to_string,
            &mut changes,
        );
        value(
            "state",
            (&self.state, &new.state),
            path_or_none,
            &mut changes,
        );
        value(
            "server.threads",
            (&self.server.threads, &new.server.threads),
            |threads: &Option<NonZeroU16>| {
                threads.map_or("one a core".into(), |threads| threads.to_string())
            },
            &mut changes,
        );
        prefilter_fixed(self, new, &mut changes);
        changes
    }
}

/// Things that the operator names.
trait Named: PartialEq {
    fn name(&self) -> &str;
}

macro_rules! named {
    ($($type:ty),*) => {$(
        impl Named for $type {
            fn name(&self) -> &str {
                &self.name
            }
        }
    )*};
}
named!(Listener, Upstream, Limit, Route);

fn added(path: String) -> Change {
    Change {
        path,
        kind: ChangeKind::Added,
    }
}

fn removed(path: String) -> Change {
    Change {
        path,
        kind: ChangeKind::Removed,
    }
}

fn changed(path: &str, old: String, new: String) -> Change {
    Change {
        path: path.into(),
        kind: ChangeKind::Changed { old, new },
    }
}

/// Compares a value that is short enough to be shown.
fn value<T: PartialEq>(
    path: &str,
    (old, new): (&T, &T),
    show: impl Fn(&T) -> String,
    changes: &mut Vec<Change>,
) {
    if old != new {
        changes.push(changed(path, show(old), show(new)));
    }
}

/// A word of the file: its variant's name in lower case.
fn word<T: fmt::Debug>(value: &T) -> String {
    format!("{value:?}").to_lowercase()
}

fn path_or_none(path: &Option<PathBuf>) -> String {
    path.as_ref()
        .map_or("none".into(), |path| path.display().to_string())
}

/// Compares a value that is better read in the file.
fn edited<T: PartialEq>(path: &str, old: &T, new: &T, changes: &mut Vec<Change>) {
    if old != new {
        changes.push(Change {
            path: path.into(),
            kind: ChangeKind::Edited,
        });
    }
}

/// Compares things by their names, whatever their order.
fn by_name<T: Named>(
    path: &str,
    old: &[T],
    new: &[T],
    compare: impl Fn(&T, &T, &str, &mut Vec<Change>),
    changes: &mut Vec<Change>,
) {
    let mut gone: HashMap<&str, &T> = old.iter().map(|item| (item.name(), item)).collect();
    for item in new {
        let path = format!("{path}.{}", item.name());
        match gone.remove(item.name()) {
            Some(before) => compare(before, item, &path, changes),
            None => changes.push(added(path)),
        }
    }
    let gone = old.iter().filter(|item| gone.contains_key(item.name()));
    changes.extend(gone.map(|item| removed(format!("{path}.{}", item.name()))));
}

fn listeners_live(old: &[Listener], new: &[Listener], changes: &mut Vec<Change>) {
    for listener in new {
        let Some(before) = old.iter().find(|before| before.name == listener.name) else {
            continue;
        };
        edited(
            &format!("listeners.{}.timeouts", listener.name),
            &before.timeouts,
            &listener.timeouts,
            changes,
        );
        edited(
            &format!("listeners.{}.max", listener.name),
            &before.max,
            &listener.max,
            changes,
        );
    }
}

fn upstream(old: &Upstream, new: &Upstream, path: &str, changes: &mut Vec<Change>) {
    let shown = |upstream: &Upstream| {
        let one = |server: &crate::Server| match server.weight.get() {
            1 => server.address.to_string(),
            weight => format!("{} (weight {weight})", server.address),
        };
        upstream
            .servers
            .iter()
            .map(one)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if old.servers != new.servers {
        changes.push(changed(&format!("{path}.servers"), shown(old), shown(new)));
    }
    value(
        &format!("{path}.balance"),
        (&old.balance, &new.balance),
        word,
        changes,
    );
    edited(
        &format!("{path}.timeouts"),
        &old.timeouts,
        &new.timeouts,
        changes,
    );
    edited(
        &format!("{path}.retries"),
        &old.retries,
        &new.retries,
        changes,
    );
}

fn limit(old: &Limit, new: &Limit, path: &str, changes: &mut Vec<Change>) {
    edited(&format!("{path}.key"), &old.key, &new.key, changes);
    if old.rate != new.rate {
        let shown = |limit: &Limit| format!("{} burst {}", limit.rate.text, limit.rate.burst);
        changes.push(changed(&format!("{path}.rate"), shown(old), shown(new)));
    }
    edited(
        &format!("{path}.exceptions"),
        &old.exceptions,
        &new.exceptions,
        changes,
    );
    edited(
        &format!("{path}.match"),
        &old.matches,
        &new.matches,
        changes,
    );
    value(
        &format!("{path}.absent"),
        (&old.absent, &new.absent),
        word,
        changes,
    );
    value(
        &format!("{path}.shadow"),
        (&old.shadow, &new.shadow),
        word,
        changes,
    );
    edited(&format!("{path}.reject"), &old.reject, &new.reject, changes);
    edited(&format!("{path}.block"), &old.block, &new.block, changes);
}

fn routes(old: &Config, new: &Config, changes: &mut Vec<Change>) {
    let compare = |before: &Route, after: &Route, path: &str, changes: &mut Vec<Change>| {
        if !same_route((old, before), (new, after)) {
            changes.push(Change {
                path: path.into(),
                kind: ChangeKind::Edited,
            });
        }
    };
    by_name("routes", &old.routes, &new.routes, compare, changes);
    // The first match wins, so an order is a meaning.
    let names = |config: &Config| {
        config
            .routes
            .iter()
            .map(|route| route.name.clone())
            .collect::<Vec<_>>()
    };
    let (before, after) = (names(old), names(new));
    let (mut sorted_before, mut sorted_after) = (before.clone(), after.clone());
    sorted_before.sort_unstable();
    sorted_after.sort_unstable();
    if before != after && sorted_before == sorted_after {
        changes.push(Change {
            path: "routes".into(),
            kind: ChangeKind::Reordered,
        });
    }
}

/// Whether two routes mean the same, with what they refer to taken by name: indexes shift when a limit is added.
fn same_route((old, before): (&Config, &Route), (new, after): (&Config, &Route)) -> bool {
    let limits = |config: &Config, route: &Route| -> Vec<String> {
        route
            .limits
            .iter()
            .map(|index: &LimitIndex| config[*index].name.clone())
            .collect()
    };
    let action = |config: &Config, route: &Route| match &route.action {
        crate::Action::Upstream(index) => Ok(config[*index].name.clone()),
        crate::Action::Respond(response) => Err(response.clone()),
    };
    before.matches == after.matches
        && limits(old, before) == limits(new, after)
        && action(old, before) == action(new, after)
        && before.request_headers == after.request_headers
        && before.response_headers == after.response_headers
        && before.timeout == after.timeout
}

/// What of the pre-filter is decided when it is attached, or when its table is made.
fn prefilter_fixed(old: &Config, new: &Config, changes: &mut Vec<Change>) {
    match (&old.prefilter, &new.prefilter) {
        (None, None) => {}
        (None, Some(_)) => changes.push(added("prefilter".into())),
        (Some(_), None) => changes.push(removed("prefilter".into())),
        (Some(old), Some(new)) => {
            value(
                "prefilter.interfaces",
                (&old.interfaces, &new.interfaces),
                |names: &Vec<String>| names.join(", "),
                changes,
            );
            value("prefilter.mode", (&old.mode, &new.mode), word, changes);
            value(
                "prefilter.required",
                (&old.required, &new.required),
                word,
                changes,
            );
            value(
                "prefilter.table.sources",
                (&old.table_sources, &new.table_sources),
                word,
                changes,
            );
            value(
                "prefilter.instance",
                (&old.instance, &new.instance),
                String::clone,
                changes,
            );
        }
    }
}

/// What of the pre-filter a new program brings with it.
fn prefilter_live(old: &Config, new: &Config, changes: &mut Vec<Change>) {
    let (Some(old), Some(new)) = (&old.prefilter, &new.prefilter) else {
        return;
    };
    edited("prefilter.allow", &old.allow, &new.allow, changes);
    edited("prefilter.deny", &old.deny, &new.deny, changes);
    edited("prefilter.limits", &old.limits, &new.limits, changes);
    value(
        "prefilter.malformed",
        (&old.malformed, &new.malformed),
        word,
        changes,
    );
    value(
        "prefilter.outlive",
        (&old.outlive, &new.outlive),
        |span: &Nanos| format_duration(*span),
        changes,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "
listeners: { web: { address: '127.0.0.1:8080' } }
upstreams: { app: { servers: ['127.0.0.1:9000'] } }
limits: { a: { key: client, rate: 50/s } }
routes:
- { name: one, match: { path: /1 }, limits: [a], upstream: app }
- { name: all, upstream: app }
prefilter: { interfaces: [eth0] }
";

    fn read(text: &str) -> Config {
        Config::from_text(text, "/srv/f.yaml").unwrap()
    }

    fn changes(from: &str, to: &str) -> (Vec<String>, Vec<String>) {
        let (old, new) = (read(OLD), read(&OLD.replace(from, to)));
        let words = |changes: Vec<Change>| changes.iter().map(ToString::to_string).collect();
        (words(old.changes(&new)), words(old.restart_only(&new)))
    }

    #[test]
    fn the_same_file_changes_nothing() {
        assert_eq!(changes("50/s", "50/s"), (vec![], vec![]));
    }

    #[test]
    fn what_applies_live_is_named_and_not_refused() {
        for (from, to, expected) in [
            (
                "50/s",
                "80/s",
                "limits.a.rate: 50/s burst 50 -> 80/s burst 80",
            ),
            (
                "limits: {",
                "limits: { z: { key: none, rate: 1/s },",
                "limits.z: added",
            ),
            (
                "9000'",
                "9000', '127.0.0.1:9001'",
                "upstreams.app.servers: 127.0.0.1:9000 -> 127.0.0.1:9000, 127.0.0.1:9001",
            ),
            ("path: /1", "path: /2", "routes.one: changed"),
            (
                "- { name: all, upstream: app }\n",
                "",
                "routes.all: removed",
            ),
            ("limits: [a],", "", "routes.one: changed"),
            (
                "[eth0]",
                "[eth0], deny: [192.0.2.0/24]",
                "prefilter.deny: changed",
            ),
            (
                "8080'",
                "8080', max: { uri: 1KiB }",
                "listeners.web.max: changed",
            ),
        ] {
            assert_eq!(
                changes(from, to),
                (vec![expected.to_owned()], vec![]),
                "{from} to {to}"
            );
        }
    }

    #[test]
    fn what_needs_a_restart_is_in_both() {
        for (from, to, expected) in [
            (
                ":8080",
                ":8081",
                "listeners.web.address: 127.0.0.1:8080 -> 127.0.0.1:8081",
            ),
            (
                "web: {",
                "also: { address: '127.0.0.1:1' }, web: {",
                "listeners.also: added",
            ),
            ("[eth0]", "[eth1]", "prefilter.interfaces: eth0 -> eth1"),
            (
                "prefilter: { interfaces: [eth0] }",
                "",
                "prefilter: removed",
            ),
            (
                "prefilter:",
                "server: { threads: 2 }\nprefilter:",
                "server.threads: one a core -> 2",
            ),
        ] {
            let one = vec![expected.to_owned()];
            assert_eq!(changes(from, to), (one.clone(), one), "{from} to {to}");
        }
    }

    #[test]
    fn the_order_of_routes_is_a_change() {
        let first = "- { name: one, match: { path: /1 }, limits: [a], upstream: app }\n";
        let last = "- { name: all, upstream: app }\n";
        let (named, _) = changes(&format!("{first}{last}"), &format!("{last}{first}"));
        assert_eq!(named, ["routes: in another order"]);
    }
}
