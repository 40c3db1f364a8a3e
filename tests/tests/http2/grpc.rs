//! gRPC with its own library at both ends, and what a call is told when no server answers.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
};

use floodwall_tests::{Floodwall, Loopback, Yaml, eventually};
use serde_json::Value;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http2/call.py");

/// The distribution's Python, which has the distribution's gRPC.
const PYTHON: &str = "/usr/bin/python3";

/// A server; it ends with this.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(PYTHON)
            .args([SCRIPT, "serve"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut said = BufReader::<ChildStdout>::new(process.stdout.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("its address");
        let address = line.trim().parse().expect("python3-grpcio is installed");
        Self { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn call(web: SocketAddr, method: &str, seconds: &str, messages: &[&str]) -> Value {
    let output = Command::new(PYTHON)
        .args([SCRIPT, "call", &web.to_string(), method, seconds])
        .args(messages)
        .output()
        .expect("Python runs");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn front(web: SocketAddr, server: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners:
  web: { address: WEB, http2: true }
upstreams: { app: { servers: [SERVER], http2: true } }
limits: { few: { key: client, rate: 1/h, burst: 1 } }
routes:
  - { name: few, match: { headers: { x-few: yes } }, limits: [few], upstream: app }
  - { name: short, match: { headers: { x-short: yes } }, timeout: 300ms, upstream: app }
  - { name: calls, match: { path_prefix: /echo.Echo }, upstream: app }
",
    )
    .with("WEB", web)
    .with("SERVER", server)
}

#[test]
fn calls_of_every_kind_go_through_with_their_trailers() {
    let (web, server) = (Loopback::free(), Server::start());
    let floodwall = Floodwall::start(&front(web, server.address));
    let one = call(web, "One", "10", &["hello"]);
    assert_eq!(
        (&one["code"], &one["bodies"][0]),
        (&"OK".into(), &"hello".into())
    );
    assert_eq!(one["trailers"]["tail"], "yes");
    let messages: Vec<String> = (0..200).map(|at| at.to_string()).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let many = call(web, "Many", "10", &messages);
    assert_eq!(many["code"], "OK");
    assert_eq!(many["bodies"], Value::from(messages));
    let large = "x".repeat(100_000);
    assert_eq!(call(web, "One", "10", &[&large])["bodies"][0], large);
    let failed = call(web, "Fail", "10", &["not like this"]);
    assert_eq!(failed["code"], "FAILED_PRECONDITION");
    assert_eq!(failed["details"], "not like this");
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
}

/// The client's own clock and the proxy's agree, and the server is left alone.
#[test]
fn a_deadline_of_the_client_ends_a_call() {
    let (web, server) = (Loopback::free(), Server::start());
    let floodwall = Floodwall::start(&front(web, server.address));
    let slow = call(web, "Slow", "0.5", &["8"]);
    assert_eq!(slow["code"], "DEADLINE_EXCEEDED");
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
}

/// The fields of an answer to a call with these fields, as nghttp has seen them come. (curl 7.88 takes an answer that is
/// complete before its request was sent for an error.)
fn header(web: SocketAddr, method: &str, fields: &[&str]) -> String {
    // A message of one byte, "8".
    let message = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http2/eight.bin");
    let mut nghttp = Command::new("nghttp");
    nghttp
        .args(["-nv", "-t", "10s", "-d", message])
        .args(["-H", "content-type: application/grpc", "-H", "te: trailers"])
        .args(fields.iter().flat_map(|field| ["-H", field]))
        .arg(format!("http://{web}/echo.Echo/{method}"));
    let output = nghttp.output().expect("nghttp runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let received = said.lines().filter_map(|line| {
        let (_, field) = line.split_once("recv (stream_id=")?.1.split_once(") ")?;
        Some(format!("{field}\r\n"))
    });
    let received: String = received.collect();
    assert!(received.starts_with(":status: 200\r\n"), "{said}");
    received
}

/// Its status would be lost with the trailers, so that no call could ever succeed.
#[test]
fn an_upstream_with_http_1_takes_no_calls() {
    let (web, _origin, floodwall) = crate::start();
    let refused = header(web, "One", &[]);
    assert!(
        refused.contains("grpc-status: 12\r\n") && refused.contains("http2: true"),
        "{refused}"
    );
    floodwall.logged(|line| line["verdict"] == "unavailable");
    // Where it can be known before, the file is refused.
    let yaml = front(web, web).with("], http2: true }", "] }").with(
        "path_prefix: /echo.Echo",
        "headers: { content-type: application/grpc }",
    );
    let answer = Floodwall::check(yaml.text().as_bytes());
    assert_eq!(answer.code, Some(2));
    assert!(
        answer
            .stderr
            .contains("gRPC for `app`, which is asked with HTTP/1"),
        "{}",
        answer.stderr
    );
}

#[test]
fn what_no_server_answers_is_told_in_grpc_s_words() {
    let (web, server) = (Loopback::free(), Server::start());
    let floodwall = Floodwall::start(&front(web, server.address));
    let late = header(web, "Slow", &["grpc-timeout: 300m"]);
    assert!(late.contains("grpc-status: 4\r\n"), "{late}");
    let late = header(web, "Slow", &["x-short: yes"]);
    assert!(
        late.contains("grpc-status: 4\r\n"),
        "the route's bound: {late}"
    );
    let first = header(web, "One", &["x-few: yes"]);
    assert!(!first.contains("grpc-status: 8\r\n"), "{first}");
    let refused = header(web, "One", &["x-few: yes"]);
    assert!(refused.contains("grpc-status: 8\r\n"), "{refused}");
    assert!(
        refused.contains("grpc-message: refused by the limit few")
            && refused.contains("retry-after: "),
        "{refused}"
    );
    assert_eq!(
        floodwall.logged(|line| line["limit"] == "few")["verdict"],
        "refused"
    );
    drop(server);
    assert_eq!(call(web, "One", "10", &["hello"])["code"], "UNAVAILABLE");
    let gone = header(web, "One", &[]);
    assert!(gone.contains("grpc-status: 14\r\n"), "{gone}");
}
