//! The contract's examples load as they stand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::path::Path;

use floodwall_config::{
    Action, Config, MaxInFlight, Measure, Missing, PacketKey, RetryOn, Segment, Strategy, Takes,
    Trip, Variable, schema, units::Share,
};
use floodwall_limiter::Nanos;

fn text_of(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/examples")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Makes the changes, and says how the file loads then; the schema takes it too.
fn load_without(name: &str, changes: &[(&str, &str)]) -> Config {
    let mut text = text_of(name);
    for (old, new) in changes {
        assert!(text.contains(old), "{name} has no {old:?}");
        text = text.replace(old, new);
    }
    let valid = jsonschema::validator_for(&schema()).unwrap();
    let json: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let refused: Vec<_> = valid
        .iter_errors(&json)
        .map(|error| error.to_string())
        .collect();
    assert!(refused.is_empty(), "{name}: the schema refuses {refused:?}");
    Config::from_text(&text, Path::new("/srv").join(name))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn minimal_loads_as_it_stands() {
    let config = load_without("minimal.yaml", &[]);
    assert_eq!(
        config.routes[0].action,
        Action::Upstream(floodwall_config::UpstreamIndex(0))
    );
    assert_eq!(config[config.routes[0].limits[0]].name, "per-client");
    let limit = &config[config.routes[0].limits[0]];
    assert_eq!(limit.budget.rate().unwrap().burst, 200);
    assert_eq!(config.admin.socket, Path::new("/srv/floodwall.sock"));
}

#[test]
fn sentinel_port_loads_as_it_stands() {
    let prefilter = load_without("sentinel-port.yaml", &[]).prefilter.unwrap();
    let [slow, closed] = prefilter.limits.as_slice() else {
        panic!("two limits")
    };
    assert_eq!(
        (slow.name.as_str(), slow.key, slow.rate.burst),
        ("port:8000", PacketKey::None, 1)
    );
    assert_eq!(
        (
            closed.matches.ports[0].first,
            closed.rate.count,
            closed.rate.burst
        ),
        (8001, 0, 0)
    );
}

#[test]
fn envoy_sentinel_loads_as_it_stands() {
    let config = load_without("envoy-sentinel.yaml", &[]);
    assert_eq!(config.limits[0].key[0].to_string(), "header(user)");
    assert_eq!(config.upstreams[0].servers.len(), 2);
}

#[test]
fn edge_loads_as_it_stands() {
    let config = load_without("edge.yaml", &[]);
    let app = &config.upstreams[0];
    assert_eq!((app.retries.attempts, app.retries.on.len()), (2, 3));
    assert_eq!(app.retries.on[0], RetryOn::Connect);
    assert_eq!(app.retries.on[2].to_string(), "503");
    assert_eq!(app.max_in_flight, Some(MaxInFlight::Fixed(512)));
    assert_eq!(app.breaker.as_ref().unwrap().probes, 3);
    let block = config.limits[0].block.as_ref().unwrap();
    assert_eq!(
        (block.after, block.duration, block.max),
        (20, Nanos::from_secs(5), Nanos::from_secs(3_600))
    );
    let login = config.limits[1].budget.rate().unwrap();
    assert_eq!(login.per, Nanos::from_secs(60));
    assert_eq!(config.limits[0].exceptions.len(), 2);
    let [cpu, in_flight] = config.protection.unwrap().triggers.try_into().unwrap();
    assert_eq!((cpu.measure.name(), cpu.strategy), ("cpu", Strategy::Bbr));
    assert_eq!(in_flight.measure, Measure::InFlight(4_000));
    assert_eq!(config.prefilter.unwrap().limits[1].rate.count, 20_000);
    assert_eq!(config.state.unwrap(), Path::new("/srv/state"));
}

#[test]
fn flash_sale_loads_as_it_stands() {
    load_without("flash-sale.yaml", &[]);
}

#[test]
fn mesh_loads_as_it_stands() {
    let config = load_without("mesh.yaml", &[]);
    let breaker = config.upstreams[0].breaker.as_ref().unwrap();
    assert_eq!(breaker.trip, Trip::ErrorCount { threshold: 5 });
    assert_eq!((breaker.min_requests, breaker.probes), (5, 1));
    let Action::Split(split) = &config.routes[0].action else {
        panic!("no split")
    };
    let to: Vec<_> = split
        .arms
        .iter()
        .map(|arm| config[arm.upstream].name.as_str())
        .collect();
    assert_eq!(to, ["v2-backend", "v2-backend", "v1-backend"]);
    let five = Share::of_millionths(50_000);
    let share = Takes::Share {
        from: Share::NOTHING,
        to: five,
    };
    assert_eq!(split.arms[1].takes, share);
    assert_eq!(split.sticky[0].to_string(), "cookie(uid)");
}

#[test]
fn token_loads_as_it_stands() {
    let config = load_without("token.yaml", &[]);
    let token = &config.tokens[0];
    assert_eq!(token.fetch.path, "/auth");
    assert_eq!(
        (token.fetch.every, token.fetch.timeout),
        (Nanos::from_secs(15), Nanos::from_secs(5))
    );
    assert_eq!(token.missing, Missing::Omit);
    let set = &config.routes[0].response_headers.set;
    assert_eq!(set[0].value.fixed(), Some("hello"));
    assert_eq!(
        set[1].value.segments,
        [Segment::Variable(Variable::Token("service".into()))]
    );
}
