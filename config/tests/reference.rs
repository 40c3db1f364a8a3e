//! The reference file shows every key, and says the truth about the defaults.

use floodwall_config::{Config, schema};
use serde_json::Value;

const REFERENCE: &str = include_str!("../floodwall.yaml");

#[test]
fn it_loads() {
    // With the list that it names, which is beside it.
    let config = Config::load(concat!(env!("CARGO_MANIFEST_DIR"), "/floodwall.yaml"))
        .unwrap_or_else(|problems| panic!("{problems}"));
    let json: Value = serde_yaml::from_str(REFERENCE).unwrap();
    assert!(jsonschema::is_valid(&schema(), &json));
    assert_eq!(config.routes.len(), 8);
}

/// Reports the keys that `schema` knows and `value` does not show, in all the values that it describes.
fn missing(schema: &Value, values: &[&Value], path: &str, into: &mut Vec<String>) {
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        let shown: Vec<&Value> = values.iter().filter_map(|value| value.get(key)).collect();
        if shown.is_empty() {
            into.push(format!("{path}.{key}"));
        }
        missing(inner, &shown, &format!("{path}.{key}"), into);
    }
    if schema["additionalProperties"].is_object() {
        let shown: Vec<&Value> = values
            .iter()
            .filter_map(|value| value.as_object())
            .flat_map(|map| map.values())
            .collect();
        missing(
            &schema["additionalProperties"],
            &shown,
            &format!("{path}.*"),
            into,
        );
    }
    let items: Vec<&Value> = values
        .iter()
        .filter_map(|value| value.as_array())
        .flatten()
        .collect();
    missing_in_some(&schema["items"], &items, path, into);
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        let objects: Vec<&Value> = values
            .iter()
            .copied()
            .filter(|value| value.is_object())
            .collect();
        missing_in_some(choice, &objects, path, into);
    }
}

fn missing_in_some(schema: &Value, values: &[&Value], path: &str, into: &mut Vec<String>) {
    if schema.is_object() {
        missing(schema, values, &format!("{path}[]"), into);
    }
}

#[test]
fn it_shows_every_key() {
    let mut unshown = Vec::new();
    missing(
        &schema(),
        &[&serde_yaml::from_str(REFERENCE).unwrap()],
        "",
        &mut unshown,
    );
    // Shown once, under a route: a match of a limit or a split has the same keys, and a refusal those of an answer.
    unshown.retain(|path| !path.starts_with(".limits.*.match."));
    unshown.retain(|path| !path.starts_with(".routes[].split[].when."));
    for answer in ["before", "refused", "full", "after"] {
        unshown.retain(|path| !path.starts_with(&format!(".gates.*.{answer}.")));
    }
    unshown.retain(|path| !path.starts_with(".upstreams.*.breaker.open."));
    // Shown once, for the whole upstream.
    unshown.retain(|path| !path.starts_with(".upstreams.*.servers[][].tls."));
    // Shown once, for the whole file.
    unshown.retain(|path| !path.starts_with(".routes[].errors."));
    // Shown once, on the other list.
    unshown.retain(|path| path != ".prefilter.allow[][].file");
    assert!(unshown.is_empty(), "{unshown:#?}");
}

#[test]
fn what_it_gives_as_default_is_the_default() {
    let explicit = "
listeners:
  web:
    address: 127.0.0.1:8080
    timeouts: { handshake: 10s, header: 10s, body: 30s, idle: 60s, write: 30s }
    max: { header_bytes: 64KiB, headers: 100, uri: 8KiB }
clients: { trusted_proxies: [10.0.0.0/8], forwarded_header: x-forwarded-for, ipv6_prefix: 64, ipv4_prefix: 32 }
upstreams:
  app:
    servers: [{ address: 127.0.0.1:9000, weight: 1 }]
    balance: round_robin
    timeouts: { connect: 3s, read: 60s, write: 60s, idle: 60s }
    retries: { attempts: 1, on: [connect], methods: idempotent, budget: { share: 20%, min_per_second: 10 } }
    breaker: { strategy: error_ratio, threshold: 50%, min_requests: 5, window: 10s, open_for: 5s, probes: 1, per: upstream, errors: [5xx], open: { status: 503 } }
    outlier: { consecutive: 5, interval: 10s, for: 30s, max: 5m, max_share: 10%, success_rate: { min_servers: 5, min_requests: 100, deviations: 1.9 } }
    max_in_flight: { adaptive: { min: 4, max: 1000, measure_every: 10s } }
limits:
  a:
    key: [client, header(x)]
    rate: 50/s
    burst: 50
    absent: shared
    shadow: false
    reject: { status: 429 }
    block: { after: 1, within: 1s, for: 1s, max: 1h, scope: listeners }
routes: [{ name: all, match: {}, limits: [], upstream: app }]
prefilter:
  interfaces: [lo]
  mode: auto
  required: false
  limits:
    p: { match: { syn: false, new: false }, key: source, rate: 5/s, burst: 5, per: packets, shadow: false, exceptions: {} }
    b: { key: none, rate: 1KiB/s, burst: 64KiB, per: bytes }
  malformed: drop
  fragments: pass
  checks: { tcp_flags: drop, land: drop, martians: drop, lengths: drop }
  blocks: { action: drop, max: 16384, rate: 1000/s, burst: 1000 }
  sample: 10/s
  table: { sources: 1M }
  outlive: 10m
  instance: floodwall
admin: { socket: floodwall.sock }
log: { access: stdout, level: info }
server: { drain: 30s }
";
    let implied = "
listeners: { web: { address: '127.0.0.1:8080' } }
clients: { trusted_proxies: [10.0.0.0/8] }
upstreams: { app: { servers: ['127.0.0.1:9000'], breaker: { strategy: error_ratio, threshold: 50% }, outlier: { success_rate: {} }, max_in_flight: { adaptive: {} } } }
limits: { a: { key: [client, header(x)], rate: 50/s, block: { after: 1, within: 1s, for: 1s } } }
routes: [{ name: all, upstream: app }]
prefilter: { interfaces: [lo], limits: { p: { key: source, rate: 5/s }, b: { key: none, rate: 1KiB/s, per: bytes } } }
";
    let read = |text: &str| {
        Config::from_text(text, "/srv/f.yaml").unwrap_or_else(|problems| panic!("{problems}"))
    };
    assert_eq!(read(explicit), read(implied));
}

#[test]
fn the_socket_of_an_installed_service_is_in_its_runtime_folder() {
    let text =
        "listeners: { web: { address: '127.0.0.1:8080' } }\nroutes: [{ name: all, respond: {} }]\n";
    let config = Config::from_text(text, "/etc/floodwall/floodwall.yaml").unwrap();
    assert_eq!(
        config.admin.socket.to_str(),
        Some("/run/floodwall/floodwall.sock")
    );
}

#[test]
fn a_thousand_limits_and_ten_thousand_routes_load() {
    use std::fmt::Write;
    let mut text = String::from(
        "listeners: { web: { address: '127.0.0.1:8080' } }\nupstreams: { app: { servers: ['127.0.0.1:9000'] } }\nlimits:\n",
    );
    for at in 0..1_000 {
        writeln!(text, "  l{at}: {{ key: client, rate: 50/s, burst: 100 }}").unwrap();
    }
    text.push_str("routes:\n");
    for at in 0..10_000 {
        writeln!(
            text,
            "  - {{ name: r{at}, match: {{ path_prefix: /p{at} }}, limits: [l{}], upstream: app }}",
            at % 1_000
        )
        .unwrap();
    }
    let start = std::time::Instant::now();
    let config = Config::from_text(&text, "f").unwrap();
    println!("{} bytes in {:?}", text.len(), start.elapsed());
    assert_eq!((config.limits.len(), config.routes.len()), (1_000, 10_000));
    assert_eq!(config[config.routes[9_999].limits[0]].name, "l999");
}
