//! Clients as there are: curl and h2load, HTTP/1 on the same port, drains, refusals and blocks.

use std::{net::SocketAddr, process::Command, time::Duration};

use floodwall_tests::{
    Client, Floodwall, Http2, Loopback, Origin, Request, Signal, eventually, h2::reason, wait,
};

use crate::{front, start};

pub(crate) fn run(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{command}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command} {arguments:?}: {text}{errors}"
    );
    text
}

fn curl(web: SocketAddr, path: &str, more: &[&str]) -> String {
    let url = format!("http://{web}{path}");
    let options = [
        "-sS",
        "-m",
        "10",
        "--http2-prior-knowledge",
        "-w",
        "%{http_version} %{http_code}",
    ];
    run("curl", &[&options[..], more, &[&url]].concat())
}

#[test]
fn curl_speaks_http_2_and_the_origin_sees_http_1() {
    let (web, origin, floodwall) = start();
    assert_eq!(curl(web, "/a?b=c", &[]), "origin: /a?b=c\n2 200");
    let seen = origin.last();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("GET", "/a?b=c")
    );
    assert_eq!(seen.header("host"), Some(web.to_string().as_str()));
    assert!(seen.header("x-forwarded-for").is_some());
    assert_eq!(curl(web, "/", &["-d", "a body"]), "origin: /\n2 200");
    assert_eq!(origin.last().body, "a body");
    let line = floodwall.logged(|line| line["path"] == "/a");
    assert_eq!(
        (&line["status"], &line["verdict"]),
        (&200.into(), &"admitted".into())
    );
    assert_eq!(line["host"], web.ip().to_string());
}

#[test]
fn a_port_speaks_both_protocols_and_an_upgrade_to_http_2_is_not_heard() {
    let (web, origin, _floodwall) = start();
    assert_eq!(Client::of(web).get("/").status, 200);
    let upgrade = Request::get("/")
        .header("Connection", "Upgrade, HTTP2-Settings")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA");
    let response = Client::of(web).send(&upgrade);
    assert_eq!(response.status, 200);
    assert_eq!(origin.last().header("upgrade"), None);
    assert_eq!(origin.last().header("http2-settings"), None);
    // Methods that begin as the preface does.
    assert_eq!(
        Client::of(web).send(&Request::new("PROPFIND", "/")).status,
        200
    );
    assert_eq!(Client::of(web).send(&Request::new("P", "/")).status, 200);
}

#[test]
fn h2load_gets_an_answer_to_each_of_its_requests() {
    let (web, _origin, floodwall) = start();
    let url = format!("http://{web}/");
    let report = run("h2load", &["-n", "5000", "-c", "10", "-m", "50", &url]);
    assert!(
        report.contains("5000 succeeded, 0 failed, 0 errored"),
        "{report}"
    );
    assert_eq!(floodwall.finished("2xx"), 5000);
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
}

#[test]
fn a_refusal_is_of_one_stream_alone() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address())
        .with("routes:", "limits: { few: { key: client, rate: 1/h, burst: 2 } }\nroutes:")
        .with("path_prefix: / }, upstream: app }", "path_prefix: /few }, limits: [few], upstream: app }\n  - { name: rest, upstream: app }");
    let floodwall = Floodwall::start(&yaml);
    let mut client = Http2::connect(web).expect("a connection");
    let slow = client
        .request("GET", "/slow/300", &[], true)
        .expect("a stream");
    let statuses: Vec<_> = (0..4)
        .map(|_| client.get("/few").expect("an answer").status)
        .collect();
    assert_eq!(statuses, [Some(200), Some(200), Some(429), Some(429)]);
    assert_eq!(client.end_of(slow).expect("an answer").status, Some(200));
    assert_eq!(floodwall.status()["connections"]["accepted"], 1);
}

/// What it opened before is finished, what comes after is not begun, and it is told so.
#[test]
fn a_drain_says_farewell_and_finishes_streams() {
    let (web, _origin, mut floodwall) = start();
    let mut client = Http2::connect(web).expect("a connection");
    let slow = client
        .request("GET", "/slow/700", &[], true)
        .expect("a stream");
    eventually!(floodwall.status()["requests"]["in_flight"] == 1);
    floodwall.signal(Signal::SIGTERM);
    let told = client.farewell_begins().expect("a farewell");
    assert_eq!(told, Some(reason::NO_ERROR));
    assert_eq!(client.end_of(slow).expect("an answer").status, Some(200));
    client.farewell().expect("an end");
    assert_eq!(floodwall.wait(wait::PATIENCE).code(), Some(0));
}

#[test]
fn an_idle_connection_is_told_and_closed() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("header: 700ms,", "header: 700ms, idle: 1s,");
    let _floodwall = Floodwall::start(&yaml);
    let mut client = Http2::connect(web).expect("a connection");
    // A request that takes longer than that is no idle time.
    assert_eq!(
        client.get("/slow/1500").expect("an answer").status,
        Some(200)
    );
    assert_eq!(client.farewell().expect("an end"), Some(reason::NO_ERROR));
}

#[test]
fn a_block_ends_the_connection_of_its_source_and_every_other_one() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address())
        .with("routes:", "limits: { few: { key: client, rate: 1/h, burst: 1, block: { after: 2, within: 10s, for: 30s } } }\nroutes:")
        .with("upstream: app }\n", "limits: [few], upstream: app }\n");
    let floodwall = Floodwall::start(&yaml);
    let mut other = Http2::connect(web).expect("a connection");
    assert_eq!(other.get("/").expect("an answer").status, Some(200));
    let mut client = Http2::connect(web).expect("a connection");
    assert_eq!(client.get("/").expect("an answer").status, Some(429));
    assert_eq!(client.get("/").expect("the last answer").status, Some(429));
    let reason = client.farewell().expect("an end");
    assert_eq!(reason, Some(reason::ENHANCE_YOUR_CALM));
    other.farewell().expect("an end");
    assert!(
        Http2::connect(web)
            .and_then(|mut client| client.get("/"))
            .is_err()
    );
    eventually!(floodwall.status()["connections"]["open"] == 0, within Duration::from_secs(5));
}
