//! Trace contexts go through as they came, or not at all.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Yaml};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_valid_context_passes_unchanged_and_another_does_not_pass() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN] } }
routes: [{ name: all, upstream: app }]
",
    );
    let yaml = yaml.with("WEB", web).with("ORIGIN", origin.address());
    let floodwall = Floodwall::start(&yaml);
    let state = "vendor=opaque,other=00f067aa0ba902b7";
    let later = PARENT.replacen("00", "42", 1) + "-more";
    for (parents, passes) in [
        (&[PARENT][..], true),
        (&[later.as_str()], true),
        (&[], false),
        (&["nonsense"], false),
        (&[PARENT, PARENT], false),
    ] {
        let mut request = Request::get("/").header("tracestate", state);
        for parent in parents {
            request = request.header("traceparent", *parent);
        }
        assert_eq!(Client::of(web).send(&request).status, 200);
        let seen = origin.last();
        let expected = passes.then(|| parents[0]);
        assert_eq!(seen.header("traceparent"), expected, "{parents:?}");
        assert_eq!(seen.header("tracestate"), expected.map(|_| state));
        let id = seen.header("x-request-id").unwrap_or_default();
        let line = floodwall.logged(|line| line["request_id"] == id);
        let trace = passes.then_some(&PARENT[3..35]);
        assert_eq!(line.get("trace_id").and_then(|id| id.as_str()), trace);
    }
}
