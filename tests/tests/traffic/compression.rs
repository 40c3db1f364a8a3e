//! Responses that are made smaller on their way to the client.

use std::process::Command;

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request};

use crate::front;

/// What curl, which decodes what it asked for, makes of a response: its body and its header.
#[expect(clippy::expect_used, reason = "a test that cannot go on may panic")]
fn curl(url: &str, accepts: &str) -> (Vec<u8>, String) {
    let run = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--max-time", "10"])
            .args(arguments)
            .arg(url)
            .output()
            .expect("curl runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let field = format!("accept-encoding: {accepts}");
    let head = run(&["-D", "-", "-o", "/dev/null", "-H", &field]);
    let body = run(&["--compressed", "-H", &field]);
    (body, String::from_utf8_lossy(&head).to_ascii_lowercase())
}

#[test]
fn a_client_that_takes_it_gets_less_and_reads_the_same() {
    let (web, app) = (Loopback::free(), Origin::start());
    let text = "a line of text that comes again and again\n".repeat(5_000);
    app.say(&text);
    app.give(&["content-type: text/plain", "etag: \"v1\""]);
    let floodwall = Floodwall::start(&front(
        web,
        app.address(),
        "  - { name: plain, match: { path: /plain }, upstream: app }
  - { name: all, upstream: app, compress: true }
",
    ));
    let url = format!("http://{web}/");
    for accepts in ["gzip", "br", "gzip;q=0.5, br"] {
        let (body, head) = curl(&url, accepts);
        assert!(body == text.as_bytes(), "{accepts}: another body");
        let coding = if accepts == "gzip" { "gzip" } else { "br" };
        assert!(
            head.contains(&format!("content-encoding: {coding}\r\n")),
            "{head}"
        );
        assert!(head.contains("vary: accept-encoding\r\n"), "{head}");
        assert!(head.contains("etag: w/\"v1\"\r\n"), "{head}");
        assert!(!head.contains("content-length"), "{head}");
    }
    let logged = floodwall.logged(|line| line["path"] == "/");
    let bytes = logged["bytes"].as_u64().expect("a number");
    assert!((1..10_000).contains(&bytes), "{bytes}");
    let client = Client::of(web);
    for request in [
        Request::get("/"),
        Request::get("/plain").header("accept-encoding", "gzip"),
        Request::new("HEAD", "/").header("accept-encoding", "gzip"),
    ] {
        let response = client.send(&request);
        assert_eq!(response.header("content-encoding"), None, "{request:?}");
        assert_eq!(
            response.header("content-length"),
            Some(text.len().to_string().as_str())
        );
    }
    // What is coded already passes as it is.
    app.give(&["content-type: text/plain", "content-encoding: x-own"]);
    let response = client.send(&Request::get("/").header("accept-encoding", "gzip"));
    assert_eq!(response.header("content-encoding"), Some("x-own"));
    assert!(response.body == text, "another body");
}
