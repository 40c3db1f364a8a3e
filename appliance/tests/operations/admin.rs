//! The admin address.

use crate::{
    http,
    service::Service,
    site::{RESPOND, Site},
};

#[test]
fn the_documents_are_those_of_the_command_line() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    site.prints(&["blocks", "add", "192.0.2.1", "--for", "1h"]);
    let read = |path| {
        let response = http::get(site.admin, path).unwrap();
        assert_eq!(
            (response.status, response.header("content-type")),
            (200, Some("application/json"))
        );
        serde_json::from_str::<serde_json::Value>(&response.body).unwrap()
    };
    let (status, shown) = (read("/status"), site.json(&["status", "--json"]));
    let names = |document: &serde_json::Value| {
        document
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&status), names(&shown));
    assert_eq!(read("/limits"), shown["limits"]);
    assert_eq!(read("/blocks")[0]["source"], "192.0.2.1");
}

#[test]
fn metrics_are_openmetrics_text() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    http::get(site.web, "/").unwrap();
    let response = http::get(site.admin, "/metrics").unwrap();
    assert!(
        response
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert!(response.body.ends_with("# EOF\n"));
    for line in [
        "floodwall_generation{layer=\"proxy\"} 1",
        "floodwall_limit_requests_total{limit=\"per-client\",verdict=\"admitted\"} 1",
        "floodwall_requests_total{status=\"2xx\"} 1",
        "floodwall_prefilter_on 0",
    ] {
        assert!(
            response.body.lines().any(|each| each == line),
            "no {line} in\n{}",
            response.body
        );
    }
}

#[test]
fn it_only_reads() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let response = http::request(site.admin, method, "/status").unwrap();
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
    let head = http::request(site.admin, "HEAD", "/status").unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(
        head.header("content-length")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            > 100
    );
    assert_eq!(http::get(site.admin, "/nothing").unwrap().status, 404);
    assert!(
        http::get(site.admin, "/")
            .unwrap()
            .body
            .contains("/metrics")
    );
}

#[test]
fn garbage_is_refused_and_the_next_reader_served() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    assert_eq!(
        http::raw(site.admin, "nonsense\r\n\r\n").unwrap().status,
        400
    );
    let flood = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    // The answer may be lost with the connection, because not all of the request was read.
    if let Ok(response) = http::raw(site.admin, &flood) {
        assert_eq!(response.status, 431);
    }
    assert_eq!(http::get(site.admin, "/").unwrap().status, 200);
}
