//! A gate as operators see it: `status`, the admin address and the metrics say the same.

use floodwall_tests::{Client, Floodwall, Loopback};

use super::{KEY, ask, sale};

#[test]
fn status_the_admin_address_and_the_metrics_say_the_same() {
    let ip = Loopback::claim();
    let (web, admin) = (ip.free_port(), ip.free_port());
    let gate = format!("{KEY}, max_admitted: 2, opens: 2021-08-08T00:00:00Z");
    let yaml = sale(web, &gate).with("admin: { ", format!("admin: {{ address: {admin}, "));
    let floodwall = Floodwall::start(&yaml);
    for (user, status) in [("ann", 200), ("ann", 200), ("bob", 200), ("late", 403)] {
        assert_eq!(ask(web, user).status, status, "{user}");
    }
    Client::of(web).get("/flashsale");
    let shown = floodwall.status()["gates"][0].clone();
    let expected = serde_json::json!({
        "name": "laptop",
        "phase": "open",
        "opens": "2021-08-08T00:00:00Z",
        "closes": null,
        "admit": "100%",
        "draw": "random",
        "admitted": 2,
        "max_admitted": 2,
        "kept": true,
        "let_in": 3,
        "refused": {
            "before": 0, "after": 0, "not_drawn": 0, "nameless": 1, "full": 1, "unrecorded": 0,
        },
    });
    assert_eq!(shown, expected);

    let read = Client::of(admin).get("/gates/laptop");
    assert_eq!(read.header("content-type"), Some("application/json"));
    let read: serde_json::Value = serde_json::from_str(&read.body).expect("JSON");
    assert_eq!(read, expected);
    let none = Client::of(admin).get("/gates/phone");
    assert_eq!(
        (none.status, none.body.as_str()),
        (404, "there is no gate phone\n")
    );

    let page = Client::of(admin).get("/metrics").body;
    for line in [
        "floodwall_gate_requests_total{gate=\"laptop\",verdict=\"let_in\"} 3",
        "floodwall_gate_requests_total{gate=\"laptop\",verdict=\"before\"} 0",
        "floodwall_gate_requests_total{gate=\"laptop\",verdict=\"after\"} 0",
        "floodwall_gate_requests_total{gate=\"laptop\",verdict=\"not_drawn\"} 0",
        "floodwall_gate_requests_total{gate=\"laptop\",verdict=\"nameless\"} 1",
        "floodwall_gate_requests_total{gate=\"laptop\",verdict=\"full\"} 1",
        "floodwall_gate_requests_total{gate=\"laptop\",verdict=\"unrecorded\"} 0",
        "floodwall_gate_admitted{gate=\"laptop\"} 2",
        "floodwall_gate_max_admitted{gate=\"laptop\"} 2",
        "floodwall_gate_open{gate=\"laptop\"} 1",
        "floodwall_gate_kept{gate=\"laptop\"} 1",
        "floodwall_state_problems 0",
        "floodwall_state_set_aside 0",
    ] {
        assert!(
            page.lines().any(|each| each == line),
            "no {line} in\n{page}"
        );
    }
    let names = floodwall.json(&["gate", "list", "laptop", "--json"]);
    assert_eq!(names, serde_json::json!(["ann", "bob"]));
}
