//! The access log: its fields, and what becomes of it when its file is moved away.

use std::{fs, path::Path};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Signal, Yaml, eventually};
use serde_json::Value;

const LOGGED: &str = "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN] } }
limits: { once: { key: header(x-key), rate: 1/h, burst: 1 } }
routes: [{ name: all, limits: [once], upstream: app }]
log: { access: ./one.log }
";

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap_or_default()
}

#[test]
fn a_line_has_every_field() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = Yaml::new(LOGGED)
        .with("WEB", web)
        .with("ORIGIN", origin.address())
        .without_line("log:");
    let floodwall = Floodwall::start(&yaml);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = |path: &str| {
        let request = Request::new("POST", path).host("shop.example.org");
        let request = request.header("X-Key", "a").header("traceparent", parent);
        Client::of(web).send(&request.body("four"))
    };
    let body = request("/cart?item=1").body;
    let line = floodwall.logged(|line| line["status"] == 200);
    let peer = line["peer"].clone();
    for (field, value) in [
        ("client", peer.clone()),
        ("method", "POST".into()),
        ("host", "shop.example.org".into()),
        ("path", "/cart".into()),
        ("bytes", body.len().into()),
        ("upstream", "app".into()),
        ("upstream_address", origin.address().to_string().into()),
        ("route", "all".into()),
        ("limit", Value::Null),
        ("verdict", "admitted".into()),
        ("generation", 1.into()),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736".into()),
        (
            "request_id",
            origin
                .last()
                .header("x-request-id")
                .unwrap_or_default()
                .into(),
        ),
    ] {
        assert_eq!(line[field], value, "{field} in {line:#}");
    }
    let (whole, upstream) = (&line["duration_ms"], &line["upstream_ms"]);
    assert!(
        upstream.as_f64() > Some(0.0) && upstream.as_f64() <= whole.as_f64(),
        "{line:#}"
    );
    assert_eq!(line["time"].as_str().map(str::len), Some(24), "{line:#}");
    assert_eq!(request("/again").status, 429);
    let refused = floodwall.logged(|line| line["status"] == 429);
    for (field, value) in [("limit", "once"), ("verdict", "refused"), ("route", "all")] {
        assert_eq!(refused[field], value, "{refused:#}");
    }
    assert_eq!(refused["upstream"], Value::Null);
}

#[test]
fn a_file_that_was_moved_away_is_made_anew_by_a_signal_and_by_a_reload() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = Yaml::new(LOGGED)
        .with("WEB", web)
        .with("ORIGIN", origin.address());
    let floodwall = Floodwall::start(&yaml);
    let file = |name: &str| floodwall.folder().join(name);
    let (log, mut expected) = (file("one.log"), 0);
    let mut ask = || {
        assert_eq!(
            Client::of(web).get("/").status / 100,
            if expected == 0 { 2 } else { 4 }
        );
        expected += 1;
    };
    ask();
    eventually!(lines(&log).len() == 1);
    fs::rename(&log, file("old.log")).unwrap();
    ask();
    // Nobody told it: the file has another name by now.
    eventually!(lines(&file("old.log")).len() == 2);
    floodwall.signal(Signal::SIGUSR1);
    eventually!(log.exists());
    ask();
    eventually!(lines(&log).len() == 1);
    fs::rename(&log, file("older.log")).unwrap();
    floodwall.hang_up();
    ask();
    eventually!(lines(&log).len() == 1);
    // Another target, without a restart.
    floodwall.write(&yaml.clone().with("./one.log", "./two.log"));
    let reloaded = floodwall.reload();
    assert!(reloaded.stdout.contains("log.access: "), "{reloaded:?}");
    ask();
    eventually!(lines(&file("two.log")).len() == 1);
    // One that cannot be had changes nothing.
    floodwall.write(&yaml.with("./one.log", "./no/such/folder.log"));
    let refused = floodwall.reload();
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("log.access: cannot append to"),
        "{refused:?}"
    );
    ask();
    eventually!(lines(&file("two.log")).len() == 2);
    let all = ["old.log", "older.log", "one.log", "two.log"].map(|name| lines(&file(name)).len());
    assert_eq!(all, [2, 1, 1, 2], "every request has one line");
    assert_eq!(floodwall.status()["requests"]["access_log_dropped"], 0);
}
