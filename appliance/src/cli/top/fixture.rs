//! A look at a service that never was.

use std::time::Instant;

use serde_json::{Value, json};

use super::Sample;
use crate::status::Status;

/// A service that has run for so many seconds, with one of everything.
pub(super) fn sample(uptime_seconds: f64, change: impl FnOnce(&mut Status)) -> Sample {
    let mut status: Status = serde_json::from_value(status(uptime_seconds)).unwrap();
    change(&mut status);
    let blocks = json!([{
        "source": "198.51.100.9", "scope": "listeners", "reason": "per-client", "by": "limit", "uid": null,
        "since_seconds_ago": 2.0, "ends_in_seconds": 8.0, "dropped_packets": 900, "dropped_bytes": 54_000,
    }]);
    Sample {
        at: Instant::now(),
        status,
        blocks: serde_json::from_value(blocks).unwrap(),
    }
}

fn status(uptime_seconds: f64) -> Value {
    json!({
        "version": "0.1.0", "pid": 4711, "since": "2026-01-01T00:00:00Z", "uptime_seconds": uptime_seconds,
        "generation": { "proxy": 3, "kernel": 3, "file": "/etc/floodwall/floodwall.yaml" },
        "last_reload": null, "reloads": { "taken": 2, "refused": 0 },
        "listeners": [{ "name": "web", "address": "192.0.2.1:80", "connections_open": 4 }],
        "connections": {
            "open": 4, "accepted": 0, "refused_blocked": 0, "refused_full": 0, "cut": 0, "offences": {}, "failed": {},
        },
        "requests": {
            "in_flight": 2, "malformed": 0, "unrouted": 0, "access_log_dropped": 0, "fields_dropped": 0,
            "finished": [{ "class": "2xx", "count": 0 }, { "class": "4xx", "count": 0 }],
        },
        "routes": [], "tokens": [], "mirrors": [], "protection": null,
        "upstreams": [upstream()],
        "limits": [limit("per-client", &["client"]), limit("per-path", &["path"])],
        "gates": [{
            "name": "sale", "phase": "open", "opens": null, "closes": null, "admit": "100%", "draw": "random",
            "admitted": 30, "max_admitted": 100, "kept": true, "let_in": 0,
            "refused": { "before": 0, "after": 0, "not_drawn": 0, "nameless": 0, "full": 0, "unrecorded": 0 },
        }],
        "prefilter": {
            "on": true, "why": null, "features": [], "displaced": 0, "contended": 0, "resets": 0,
            "no_cookies": null, "samples_lost": 0,
            "interfaces": [{
                "name": "eth0", "state": "filtering", "why": null, "mode": "native", "fallback": null,
                "adopted": false, "packets": [], "replaced": null,
            }],
            "packets": [packets("passed", false), packets("blocked", true), packets("denied", true)],
            "limits": [{ "name": "syns", "admitted": 0, "dropped": 0, "cookies": 0, "shadowed": 0 }],
            "samples": [{
                "at": "2026-01-01T00:00:07Z", "source": "203.0.113.5", "port": 80, "protocol": "tcp",
                "reason": "denied", "limit": null, "interface": "eth0", "bytes": 60,
            }],
        },
        "table": { "cells": 1, "bytes": 16, "shared_with_kernel": true, "displaced": 0, "contended": 0 },
        "blocks": 1,
        "blocks_budget": { "standing": 1, "max": 65_536, "refused_full": 0, "refused_rate": 0, "unlisted": 0 },
    })
}

fn packets(reason: &str, dropped: bool) -> Value {
    json!({ "reason": reason, "dropped": dropped, "answered": false, "packets": 0, "bytes": 0 })
}

fn limit(name: &str, key: &[&str]) -> Value {
    let hot = |words: &str, requests: u64| json!({ "key": format!("{}={words}", key[0]), "requests": requests, "error": 0, "refused": requests / 10 });
    let hottest = match key[0] {
        "client" => vec![hot("198.51.100.9", 700), hot("192.0.2.7", 50)],
        _ => vec![hot("/checkout", 300)],
    };
    json!({
        "name": name, "key": key, "rate": "100/s", "burst": 100, "shadow": false, "admitted": 0, "refused": 0,
        "shadowed": 0, "unenforced": 0, "waiting": 0, "in_flight": 0, "blocks": 0, "takeovers": 0,
        "hottest": hottest,
    })
}

fn upstream() -> Value {
    let server = |address: &str, healthy: bool| {
        json!({
            "address": address, "weight": 1, "share": 1.0, "requests": 0, "in_flight": 1,
            "health": { "healthy": healthy, "since_seconds": null, "checks": 3, "failures": 0 },
            "last_error": null, "breaker": null, "out_for_seconds": null, "ejections": null,
        })
    };
    json!({
        "name": "app", "balance": "round_robin", "names": [], "panicking": false, "requests": 0, "answers": [],
        "response_time": { "count": 0, "sum_seconds": 0.0, "buckets": [] }, "connect_failures": 0, "retries": 0,
        "retries_over_budget": 0, "retries_left": null, "errors": 0, "in_flight": 2, "max_in_flight": 64,
        "unqueued_ms": null, "refused_full": 0, "refused_unknown": 0, "refused_open": 0, "breaker_opened": 1,
        "servers": [server("192.0.2.20:9000", true), server("192.0.2.21:9000", false)],
        "breaker": {
            "state": "open", "since_seconds": 1.0, "open_for_seconds": 4.0, "answers": 10, "bad": 9,
            "probes_in_flight": 0, "probes_succeeded": 0,
        },
    })
}
