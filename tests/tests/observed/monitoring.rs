//! The rules and the dashboard: they name what a real scrape has, and Prometheus takes them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use floodwall_tests::{
    Authority, Client, Curl, Host, Instance, Launch, Origin, Promtool, Request, Yaml, eventually,
    needs_root,
};
use serde_json::Value;

use crate::openmetrics::Page;

/// A file in which every feature has metrics.
const EVERYTHING: &str = "
listeners:
  web: { address: '127.0.0.1:8080', http2: true }
  secure: { address: '127.0.0.1:8443', tls: { certificates: [CERTIFICATE] } }
upstreams:
  app:
    servers: ['127.0.0.1:9000']
    health: { path: /, interval: 100ms }
    max_in_flight: 100
    breaker: { strategy: error_ratio, threshold: 50% }
    outlier: { consecutive: 5 }
    retries: { attempts: 1 }
  gone: { servers: ['127.0.0.1:1'], breaker: { strategy: error_count, threshold: 2, per: server } }
limits:
  each: { key: client, rate: 1/h, burst: 20, block: { after: 1000, within: 10s, for: 1s } }
  seen: { key: client, rate: 1/h, burst: 1, shadow: true }
  slots: { key: none, concurrency: 4 }
  line: { key: none, rate: 1k/s, queue: { max_wait: 1s } }
gates: { sale: { key: header(x-user), max_admitted: 2 } }
tokens: { app: { fetch: { upstream: app, path: /token, every: 1m }, take: header(x-origin) } }
protection:
  cpu: { trigger: 99% }
  load: { trigger: 999 }
  memory: { trigger: 99% }
  in_flight: { trigger: 1k }
  rate: { trigger: 1M/s }
  response_time: { trigger: 1h }
routes:
- { name: sale, match: { path: /sale }, gate: sale, respond: { status: 200 } }
- { name: gone, match: { path: /gone }, upstream: gone }
- name: all
  limits: [each, seen, slots, line]
  upstream: app
  request_headers: { set: { x-token: '${token.app}' } }
  mirror: { upstream: app, share: 50% }
  compress: true
prefilter:
  interfaces: [lo]
  instance: INSTANCE
  table: { sources: 2000 }
  limits: { udp: { match: { protocol: udp }, key: source, rate: 1k/s } }
admin: { address: '127.0.0.1:9901' }
state: state
";

/// The names that labels have; each has as many values as the file says, or as the program knows.
const BOUNDED: [&str; 23] = [
    "certificate",
    "gate",
    "interface",
    "layer",
    "le",
    "limit",
    "listener",
    "measure",
    "mode",
    "offence",
    "outcome",
    "priority",
    "reason",
    "route",
    "server",
    "status",
    "token",
    "upstream",
    "verdict",
    "version",
    "part",
    "kind",
    "state",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../appliance/monitoring")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).expect("the file is in the repository")
}

fn dashboard() -> Value {
    serde_json::from_str(&text("dashboard.json")).expect("the dashboard is JSON")
}

/// Every `expr` of a document, wherever it stands.
fn expressions(document: &Value) -> Vec<String> {
    match document {
        Value::Object(fields) => {
            let own = fields.get("expr").and_then(Value::as_str);
            let inner = fields.values().flat_map(expressions);
            own.map(ToOwned::to_owned)
                .into_iter()
                .chain(inner)
                .collect()
        }
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

/// The words of Floodwall's own metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split(|c| !is_part(c))
        .filter(|word| word.starts_with("floodwall_") || word.starts_with("process_"))
        .map(ToOwned::to_owned)
        .collect()
}

/// Serves everything once, and takes the page in both formats.
fn scrape_of_everything() -> (Page, String) {
    let host = Host::alone();
    let (authority, instance) = (Authority::new("monitoring"), Instance::claim());
    let certificate = authority.issue("www", &["www.test"]);
    let yaml = Yaml::new(EVERYTHING)
        .with("CERTIFICATE", certificate.yaml())
        .with("INSTANCE", &instance);
    let _origin = host.run(|| Origin::on_port(9000));
    let floodwall = Launch::default().on(&host).start(&yaml);
    let at = |port: u16| Client::of(([127, 0, 0, 1], port).into());
    host.run(|| {
        for number in 0..30 {
            let user = format!("user-{number}");
            at(8080).send(&Request::get("/sale").header("x-user", user));
            at(8080).get(&format!("/page/{number}"));
            at(8080).get("/gone");
        }
        let secure = ([127, 0, 0, 1], 8443).into();
        let answer = Curl::new()
            .trusting(&authority.certificate())
            .https("www.test", secure, "/sale");
        assert_ne!(answer.status, 0, "{answer:?}");
    });
    eventually!(
        floodwall.status()["upstreams"][0]["servers"][0]["health"]["checks"].as_u64() > Some(0)
    );
    let asked = |accept: &str| {
        host.run(|| at(9901).send(&Request::get("/metrics").header("accept", accept)))
    };
    let open = asked("application/openmetrics-text; version=1.0.0, text/plain;q=0.5");
    let plain = asked("text/plain;version=0.0.4");
    let kind = plain.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    (Page::read(&open.body), plain.body)
}

#[test]
fn what_rules_and_dashboard_name_is_on_the_page_and_labels_are_bounded() {
    needs_root!();
    let (page, plain) = scrape_of_everything();
    let there: BTreeSet<&str> = page
        .samples
        .iter()
        .map(|sample| sample.name.as_str())
        .collect();
    let rules = metrics(&text("rules.yaml"));
    let shown = metrics(&expressions(&dashboard()).join("\n"));
    assert!(rules.len() > 15 && shown.len() > 30, "{rules:?} {shown:?}");
    for name in rules.union(&shown) {
        assert!(there.contains(name.as_str()), "no {name} on the page");
    }
    let labels = page.samples.iter().flat_map(|sample| sample.labels.keys());
    for label in labels {
        assert!(BOUNDED.contains(&label.as_str()), "{label}");
    }
    // Thirty clients and thirty paths are no reason for thirty lines of anything.
    for name in there {
        let lines = page.samples.iter().filter(|sample| sample.name == name);
        let lines = lines
            .filter(|sample| !sample.labels.contains_key("le"))
            .count();
        assert!(lines <= 120, "{name} has {lines} lines");
    }
    let Some(promtool) = Promtool::find() else {
        eprintln!("SKIPPED promtool check metrics: promtool is not installed");
        return;
    };
    promtool.succeeds(&folder(), &["check", "metrics"], &plain);
}

#[test]
fn rules_fire_when_they_should() {
    let Some(promtool) = Promtool::find() else {
        eprintln!("SKIPPED {}: promtool is not installed", module_path!());
        return;
    };
    promtool.succeeds(&folder(), &["check", "rules", "rules.yaml"], "");
    promtool.succeeds(&folder(), &["test", "rules", "rules_test.yaml"], "");
}

#[test]
fn every_alert_is_tested_and_says_what_to_do() {
    let rules: Value = serde_yaml::from_str(&text("rules.yaml")).expect("rules are YAML");
    let tests = text("rules_test.yaml");
    let groups = rules["groups"].as_array().expect("groups");
    let all = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"));
    let alerts: Vec<_> = all.filter(|rule| rule["alert"].is_string()).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        let name = alert["alert"].as_str().expect("a name");
        let quiet = format!("alertname: {name}, eval_time");
        let fires = [
            format!("alertname=\"{name}\""),
            format!("alertname: {name}\n"),
        ];
        assert!(tests.contains(&quiet), "{name} is never quiet");
        assert!(
            fires.iter().any(|words| tests.contains(words)),
            "{name} never fires"
        );
        let severity = alert["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("page" | "ticket")), "{name}");
        for part in ["summary", "description", "runbook"] {
            let words = alert["annotations"][part].as_str();
            assert!(
                words.is_some_and(|words| words.len() > 20),
                "{name} has no {part}"
            );
        }
    }
}

#[test]
fn prometheus_takes_every_query_of_the_dashboard() {
    let dashboard = dashboard();
    assert_eq!(dashboard["schemaVersion"], 39);
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(
            panel["datasource"]["uid"], "${datasource}",
            "{}",
            panel["title"]
        );
        let described = panel["description"]
            .as_str()
            .is_some_and(|words| words.len() > 3);
        assert!(described, "{}", panel["title"]);
    }
    let expressions = expressions(&dashboard);
    let Some(promtool) = Promtool::find() else {
        eprintln!("SKIPPED {}: promtool is not installed", module_path!());
        return;
    };
    let rules: Vec<Value> = (0..)
        .zip(&expressions)
        .map(|(number, expression)| {
            let expression = expression
                .replace("$__rate_interval", "5m")
                .replace("$__interval", "1m");
            serde_json::json!({ "record": format!("dashboard:{number}"), "expr": expression })
        })
        .collect();
    let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let scratch = tempfile::tempdir().expect("a temporary folder");
    fs::write(scratch.path().join("rules.yaml"), file.to_string()).expect("a file");
    promtool.succeeds(scratch.path(), &["check", "rules", "rules.yaml"], "");
}
