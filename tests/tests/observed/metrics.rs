//! The page of metrics: well-formed, and with the traffic that there was.

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, Yaml, eventually};

use crate::openmetrics::Page;

const FILE: &str = "listeners: { web: { address: WEB } }
upstreams:
  app: { servers: [ORIGIN] }
  gone: { servers: ['127.0.0.1:1'], timeouts: { connect: 1s } }
limits: { once: { key: header(x-key), rate: 1/h, burst: 2 } }
protection: { in_flight: { trigger: 1k } }
routes:
- { name: 'odd:/@+-.name', match: { path: /odd }, respond: { status: 204 } }
- { name: narrow, match: { path: /narrow }, limits: [once], respond: { status: 200 } }
- { name: gone, match: { path: /gone }, upstream: gone }
- { name: idle, match: { path: /idle }, respond: { status: 200 } }
- { name: all, match: { path_prefix: /app }, upstream: app }
admin: { address: ADMIN }
";

fn scrape(admin: SocketAddr) -> Page {
    let response = Client::of(admin).get("/metrics");
    let kind = response.header("content-type").unwrap_or_default();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    Page::read(&response.body)
}

#[test]
#[expect(clippy::float_cmp, reason = "counts are whole numbers")]
fn requests_are_counted_and_timed_by_route_status_and_upstream() {
    let (web, admin, origin) = (Loopback::free(), Loopback::free(), Origin::start());
    let yaml = Yaml::new(FILE)
        .with("WEB", web)
        .with("ADMIN", admin)
        .with("ORIGIN", origin.address());
    let floodwall = Floodwall::start(&yaml);
    // A page before any traffic is one, too.
    scrape(admin);
    let client = Client::of(web);
    for (path, times) in [
        ("/odd", 3),
        ("/narrow", 5),
        ("/gone", 2),
        ("/app/a", 4),
        ("/none", 1),
    ] {
        for _ in 0..times {
            client.get(path);
        }
    }
    origin.be(Mood::Status(503));
    client.get("/app/b");
    eventually!(floodwall.finished("5xx") == 3);
    let page = scrape(admin);
    let odd = "odd:/@+-.name";
    for (route, status, count) in [
        (odd, "2xx", 3.0),
        ("narrow", "2xx", 2.0),
        ("narrow", "4xx", 3.0),
        ("gone", "5xx", 2.0),
        ("all", "2xx", 4.0),
        ("all", "5xx", 1.0),
    ] {
        let labels = [("route", route), ("status", status)];
        assert_eq!(
            page.value("floodwall_route_requests_total", &labels),
            count,
            "{labels:?}"
        );
    }
    let timed = |name: &str, label: &str, value: &str| page.value(name, &[(label, value)]);
    for (route, count) in [(odd, 3.0), ("narrow", 5.0), ("gone", 2.0), ("all", 5.0)] {
        let count_of = timed("floodwall_route_duration_seconds_count", "route", route);
        assert_eq!(count_of, count, "{route}");
    }
    // A route that nobody used has no lines.
    let routes = page.labelled("floodwall_route_requests_total", "route");
    assert_eq!(routes, [odd, "narrow", "gone", "all"].into());
    let app = |status| {
        let labels = [("upstream", "app"), ("status", status)];
        page.value("floodwall_upstream_responses_total", &labels)
    };
    assert_eq!((app("2xx"), app("5xx")), (4.0, 1.0));
    let name = "floodwall_upstream_response_time_seconds_count";
    assert_eq!(timed(name, "upstream", "app"), 5.0);
    assert_eq!(timed(name, "upstream", "gone"), 0.0);
    let sum = timed("floodwall_route_duration_seconds_sum", "route", "all");
    assert!(sum > 0.0 && sum < 60.0, "{sum}");
    for (verdict, count) in [("admitted", 2.0), ("refused", 3.0)] {
        let labels = [("limit", "once"), ("verdict", verdict)];
        assert_eq!(page.value("floodwall_limit_requests_total", &labels), count);
    }
    assert_eq!(page.value("floodwall_requests_unrouted_total", &[]), 1.0);
    // What routes have counted outlives a reload.
    floodwall.reload();
    let labels = [("route", odd), ("status", "2xx")];
    assert_eq!(
        scrape(admin).value("floodwall_route_requests_total", &labels),
        3.0
    );
    let said = floodwall.ask(&["status"]).stdout;
    assert!(said.contains("99% WITHIN"), "{said}");
}
