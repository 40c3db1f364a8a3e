//! The admin address: whatever is said there, nothing changes.

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Loopback, Request};

use super::{changeable, front};

fn start() -> (Floodwall<'static>, SocketAddr) {
    let ip = Loopback::claim();
    let (web, admin) = (ip.free_port(), ip.free_port());
    let floodwall = Floodwall::start(&front(web, admin));
    let in_it = Request::get("/sale").header("authorization", "ann");
    assert_eq!(Client::of(web).send(&in_it).status, 200);
    // A request is counted after its response is written.
    floodwall.logged(|line| line["path"] == "/sale");
    let added = floodwall.ask(&["blocks", "add", "192.0.2.7", "--for", "1h"]);
    assert_eq!(added.code, Some(0));
    (floodwall, admin)
}

/// The status of the first answer; none when the connection was only closed.
fn first_status(answer: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(answer);
    text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

const BODY: &str = "{\"version\":1,\"body\":\"clear_blocks\"}\n";

#[test]
fn no_method_on_no_path_with_whatever_body_changes_anything() {
    let (floodwall, admin) = start();
    let before = changeable(&floodwall);
    let own = format!("http://{admin}/blocks");
    let paths = [
        "/",
        "/status",
        "/status?reload=1",
        "/limits",
        "/blocks",
        "/blocks/192.0.2.7",
        "/blocks?remove=192.0.2.7",
        "/gates/laptop",
        "/gates/laptop/ann",
        "/gates/..%2f..%2fetc%2fpasswd",
        "/metrics",
        "/events",
        "/reload",
        "/-/reload",
        "/-/quit",
        "/quitquitquit",
        "//blocks",
        "/../blocks",
        own.as_str(),
    ];
    let methods = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE", "PROPFIND",
        "LOCK", "get", "RELOAD",
    ];
    for method in methods {
        // Events come until somebody leaves.
        let lasts = |path: &str| path == "/events" && ["GET", "HEAD"].contains(&method);
        for path in paths.iter().filter(|path| !lasts(path)) {
            let length = BODY.len();
            let overrides = "X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /reload\r\n";
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n{overrides}\
                 Content-Length: {length}\r\n\r\n{BODY}"
            );
            let answer = Client::of(admin)
                .exchange(request.as_bytes())
                .expect("an end");
            let status = first_status(&answer).expect("an answer");
            let allowed: &[u16] = match method {
                "GET" | "HEAD" => &[200, 400, 404],
                _ => &[400, 405],
            };
            assert!(allowed.contains(&status), "{method} {path}: {status}");
        }
    }
    assert_eq!(changeable(&floodwall), before);
}

#[test]
fn nobody_gets_another_protocol_or_a_request_past_its_reader() {
    let (floodwall, admin) = start();
    let before = changeable(&floodwall);
    let inner = format!("DELETE /blocks HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    let length = inner.len();
    let chunk = format!("{length:x}\r\n{inner}\r\n0\r\n\r\n");
    for request in [
        // Other protocols.
        "GET /status HTTP/1.1\r\nHost: HOST\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            .to_owned(),
        "GET /status HTTP/1.1\r\nHost: HOST\r\nConnection: upgrade, http2-settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
            .to_owned(),
        format!("CONNECT {admin} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("{BODY}{BODY}"),
        // Requests inside of others.
        format!("GET /status HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"),
        format!("GET /status HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nContent-Length: 0\r\nContent-Length: {length}\r\n\r\n{inner}"),
        format!("GET /status HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n{chunk}"),
        "GET /status HTTP/1.1\r\nHost: HOST\r\nX: y\rDELETE /blocks HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        format!("GET /status HTTP/1.1\nHost: HOST\nConnection: close\nContent-Length: {length}\n\n{inner}"),
        // Behind one another.
        "GET /limits HTTP/1.1\r\nHost: HOST\r\n\r\nDELETE /blocks HTTP/1.1\r\nHost: HOST\r\n\r\nPOST /reload HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned(),
    ] {
        let request = request.replace("HOST", &admin.to_string());
        let answer = Client::of(admin).exchange(request.as_bytes()).expect("an end");
        let text = String::from_utf8_lossy(&answer);
        let first = request.lines().next().unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with("HTTP/")) {
            let status = line.split(' ').nth(1).unwrap_or_default();
            assert!(
                ["200", "400", "404", "405", "505"].contains(&status),
                "{first}: {line}"
            );
        }
        assert!(first_status(&answer) != Some(101), "{first}");
    }
    assert_eq!(changeable(&floodwall), before);
    assert_eq!(Client::of(admin).get("/status").status, 200);
}
