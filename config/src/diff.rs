//! What a reload changes, and what it cannot.

mod compare;
mod prefilter;
mod routes;
mod tokens;

use std::fmt;
use std::path::PathBuf;

use crate::units::format_duration;
use crate::{Config, Gate, Grant, Limit, Listener, Protection, Upstream};
use compare::{Changes, or_else, word};

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
    /// A list has other entries.
    Entries {
        added: usize,
        removed: usize,
    },
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
            ChangeKind::Entries { added: 1, removed } => {
                write!(f, "{path}: 1 entry added, {removed} removed")
            }
            ChangeKind::Entries { added, removed } => {
                write!(f, "{path}: {added} entries added, {removed} removed")
            }
            ChangeKind::Reordered => write!(f, "{path}: in another order"),
        }
    }
}

impl Config {
    /// Names all that a reload from this configuration to `new` changes; empty when they mean the same.
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let mut changes = Changes(self.restart_only(new));
        for listener in &new.listeners {
            listener_live(&mut changes, &self.listeners, listener);
        }
        changes.edited("clients", &self.clients, &new.clients);
        changes.by_name("upstreams", &self.upstreams, &new.upstreams, upstream);
        changes.by_name("limits", &self.limits, &new.limits, limit);
        changes.by_name("gates", &self.gates, &new.gates, gate);
        protection(
            &mut changes,
            self.protection.as_ref(),
            new.protection.as_ref(),
        );
        routes::compare(&mut changes, self, new);
        tokens::compare(&mut changes, self, new);
        changes.edited("errors", &self.errors, &new.errors);
        prefilter::live(
            &mut changes,
            self.prefilter.as_ref(),
            new.prefilter.as_ref(),
        );
        changes.value(
            "admin.hosts",
            &self.admin.hosts,
            &new.admin.hosts,
            |hosts| {
                let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
                format!("[{}]", hosts.join(", "))
            },
        );
        let shown = ToString::to_string;
        changes.value("log.access", &self.log.access, &new.log.access, shown);
        changes.value("log.level", &self.log.level, &new.log.level, word);
        changes.value(
            "server.drain",
            &self.server.drain,
            &new.server.drain,
            |span| format_duration(*span),
        );
        changes.value(
            "server.merge_slashes",
            &self.server.merge_slashes,
            &new.server.merge_slashes,
            ToString::to_string,
        );
        changes.0
    }

    /// Names what of `new` cannot be applied to a running service: what is bound, opened or sized at its start.
    pub fn restart_only(&self, new: &Self) -> Vec<Change> {
        let (old, mut changes) = (self, Changes::default());
        // Sockets are bound once. Timeouts and bounds belong to a generation and change with it.
        changes.by_name(
            "listeners",
            &old.listeners,
            &new.listeners,
            |changes, path, old, new| {
                let key = |key: &str| format!("{path}.{key}");
                let (from, to) = (&old.address, &new.address);
                changes.value(&key("address"), from, to, ToString::to_string);
                let octal = |mode: &u32| format!("{mode:04o}");
                changes.value(&key("mode"), &old.mode, &new.mode, octal);
            },
        );
        let path = |path: &PathBuf| path.display().to_string();
        let address = or_else("none", ToString::to_string);
        changes.value(
            "admin.address",
            &old.admin.address,
            &new.admin.address,
            address,
        );
        changes.value("admin.socket", &old.admin.socket, &new.admin.socket, path);
        changes.value("state", &old.state, &new.state, or_else("none", path));
        let threads = or_else("one a core", ToString::to_string);
        changes.value(
            "server.threads",
            &old.server.threads,
            &new.server.threads,
            threads,
        );
        prefilter::fixed(&mut changes, old.prefilter.as_ref(), new.prefilter.as_ref());
        changes.0
    }
}

fn listener_live(changes: &mut Changes, old: &[Listener], new: &Listener) {
    let Some(old) = old.iter().find(|old| old.name == new.name) else {
        return;
    };
    changes.value(
        &format!("listeners.{}.http2", new.name),
        &old.http2,
        &new.http2,
        word,
    );
    changes.edited(&format!("listeners.{}.tls", new.name), &old.tls, &new.tls);
    changes.value(
        &format!("listeners.{}.proxy_protocol", new.name),
        &old.proxy_protocol,
        &new.proxy_protocol,
        ToString::to_string,
    );
    changes.edited(
        &format!("listeners.{}.timeouts", new.name),
        &old.timeouts,
        &new.timeouts,
    );
    changes.edited(&format!("listeners.{}.max", new.name), &old.max, &new.max);
}

fn protection(changes: &mut Changes, old: Option<&Protection>, new: Option<&Protection>) {
    let triggers = |of: Option<&Protection>| of.map_or(Vec::new(), |of| of.triggers.clone());
    changes.by_name(
        "protection",
        &triggers(old),
        &triggers(new),
        Changes::edited,
    );
    if let (Some(old), Some(new)) = (old, new) {
        changes.edited("protection.reject", &old.reject, &new.reject);
    }
}

fn upstream(changes: &mut Changes, path: &str, old: &Upstream, new: &Upstream) {
    let shown = |servers: &Vec<_>| {
        servers
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    changes.value(
        &format!("{path}.servers"),
        &old.servers,
        &new.servers,
        shown,
    );
    changes.value(
        &format!("{path}.balance"),
        &old.balance,
        &new.balance,
        ToString::to_string,
    );
    changes.edited(&format!("{path}.health"), &old.health, &new.health);
    changes.value(
        &format!("{path}.slow_start"),
        &old.slow_start,
        &new.slow_start,
        or_else("none", |span| format_duration(*span)),
    );
    changes.edited(&format!("{path}.dns"), &old.dns, &new.dns);
    changes.edited(&format!("{path}.tls"), &old.tls, &new.tls);
    changes.edited(
        &format!("{path}.proxy_protocol"),
        &old.proxy_protocol,
        &new.proxy_protocol,
    );
    changes.edited(&format!("{path}.timeouts"), &old.timeouts, &new.timeouts);
    changes.edited(&format!("{path}.pool"), &old.pool, &new.pool);
    changes.edited(&format!("{path}.retries"), &old.retries, &new.retries);
    changes.edited(&format!("{path}.breaker"), &old.breaker, &new.breaker);
    changes.edited(&format!("{path}.outlier"), &old.outlier, &new.outlier);
    changes.value(
        &format!("{path}.max_in_flight"),
        &old.max_in_flight,
        &new.max_in_flight,
        or_else("none", ToString::to_string),
    );
    changes.value(&format!("{path}.http2"), &old.http2, &new.http2, word);
}

fn limit(changes: &mut Changes, path: &str, old: &Limit, new: &Limit) {
    changes.edited(&format!("{path}.key"), &old.key, &new.key);
    budget(changes, path, &old.budget, &new.budget);
    changes.edited(&format!("{path}.queue"), &old.queue, &new.queue);
    changes.edited(&format!("{path}.related"), &old.related, &new.related);
    changes.value(
        &format!("{path}.enforce"),
        &old.enforce,
        &new.enforce,
        ToString::to_string,
    );
    changes.edited(
        &format!("{path}.exceptions"),
        &old.exceptions,
        &new.exceptions,
    );
    changes.edited(&format!("{path}.match"), &old.matches, &new.matches);
    changes.value(&format!("{path}.absent"), &old.absent, &new.absent, word);
    changes.value(&format!("{path}.shadow"), &old.shadow, &new.shadow, word);
    changes.edited(&format!("{path}.reject"), &old.reject, &new.reject);
    changes.edited(&format!("{path}.block"), &old.block, &new.block);
}

fn gate(changes: &mut Changes, path: &str, old: &Gate, new: &Gate) {
    changes.edited(&format!("{path}.key"), &old.key, &new.key);
    let moment = or_else("none", ToString::to_string);
    changes.value(&format!("{path}.opens"), &old.opens, &new.opens, moment);
    let moment = or_else("none", ToString::to_string);
    changes.value(&format!("{path}.closes"), &old.closes, &new.closes, moment);
    let shown = ToString::to_string;
    changes.value(&format!("{path}.admit"), &old.admit, &new.admit, shown);
    let places = or_else("no bound", ToString::to_string);
    changes.value(
        &format!("{path}.max_admitted"),
        &old.max_admitted,
        &new.max_admitted,
        places,
    );
    changes.value(&format!("{path}.draw"), &old.draw, &new.draw, word);
    changes.value(&format!("{path}.absent"), &old.absent, &new.absent, word);
    changes.edited(&format!("{path}.before"), &old.before, &new.before);
    changes.edited(&format!("{path}.refused"), &old.refused, &new.refused);
    changes.edited(&format!("{path}.full"), &old.full, &new.full);
    changes.edited(&format!("{path}.after"), &old.after, &new.after);
}

fn budget(changes: &mut Changes, path: &str, old: &Grant, new: &Grant) {
    let (Grant::Rate(old), Grant::Rate(new)) = (old, new) else {
        let shown = |budget: &Grant| match budget {
            Grant::Rate(budget) => budget.rate.to_string(),
            Grant::Concurrency(most) => most.to_string(),
        };
        return changes.value(&format!("{path}.concurrency"), old, new, shown);
    };
    changes.value(
        &format!("{path}.rate"),
        &old.rate,
        &new.rate,
        ToString::to_string,
    );
    for ((key, old), (_, new)) in old.shapes().iter().zip(&new.shapes()) {
        changes.edited(&format!("{path}.{key}"), old, new);
    }
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
            (
                "9000']",
                "9000'], http2: true",
                "upstreams.app.http2: false -> true",
            ),
            (
                "9000']",
                "9000'], pool: { max_idle: 0 }",
                "upstreams.app.pool: changed",
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
                "prefilter.deny: 1 entry added, 0 removed",
            ),
            (
                "[eth0]",
                "[eth0], blocks: { max: 5, rate: 7/s }, fragments: drop",
                "prefilter.fragments: pass -> drop; prefilter.blocks.max: 16384 -> 5; prefilter.blocks.rate: 1000/s burst 1000 -> 7/s burst 7",
            ),
            ("[eth0]", "[eth1]", "prefilter.interfaces: eth0 -> eth1"),
            (
                "[eth0]",
                "[eth0], mode: generic",
                "prefilter.mode: auto -> generic",
            ),
            (
                "[eth0]",
                "[eth0], required: true",
                "prefilter.required: false -> true",
            ),
            (
                "8080'",
                "8080', http2: true, max: { streams: 9 }",
                "listeners.web.http2: false -> true; listeners.web.max: changed",
            ),
            (
                "8080'",
                "8080', max: { uri: 1KiB }",
                "listeners.web.max: changed",
            ),
        ] {
            let (named, refused) = changes(from, to);
            let nothing: &[String] = &[];
            assert_eq!(
                (named.join("; ").as_str(), &refused[..]),
                (expected, nothing),
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
            (
                "[eth0]",
                "[eth0], table: { sources: 2M }",
                "prefilter.table.sources: 1000000 -> 2000000",
            ),
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
