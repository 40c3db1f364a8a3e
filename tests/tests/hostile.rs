//! Bad input: what is no proper request is refused with the right status, logged and counted, and never
//! proxied; what is no proper file is refused at its place, soon.

use std::{
    fmt::Write,
    net::SocketAddr,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Yaml, eventually};

fn front(web: SocketAddr, origin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners:
  web: { address: WEB, timeouts: { header: 700ms, body: 700ms }, max: { header_bytes: 8KiB, headers: 50, uri: 1KiB, body: 1KiB } }
upstreams: { app: { servers: [ORIGIN] } }
routes:
  - { name: all, match: { path_prefix: / }, upstream: app }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin)
}

/// The status of a response, read off its first line.
fn status_of(response: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(response);
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("no response: {text:?}"))
}

/// Sends each of the inputs on a connection of its own, and asserts the status it gets, that nothing else comes
/// on that connection, that the log has it and the counter counts it, and that the origin saw nothing.
fn assert_refused(inputs: &[(&str, Vec<u8>, u16)]) {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let mut wrong = Vec::new();
    for (at, (name, bytes, status)) in inputs.iter().enumerate() {
        let response = Client::of(web).exchange(bytes);
        let response = response.unwrap_or_else(|error| panic!("{name}: {error}"));
        let got = status_of(&response);
        if got != *status {
            wrong.push(format!("{name}: {got} instead of {status}"));
        }
        let rest = String::from_utf8_lossy(&response[12..]);
        assert!(!rest.contains("HTTP/1.1 "), "{name}: two responses");
        eventually!(floodwall.access_log().len() == at + 1);
        let line = floodwall.access_log().pop().unwrap_or_default();
        assert_eq!(line["status"], got, "{name}");
        assert_eq!(line["verdict"], "malformed", "{name}");
        assert!(line["error"].is_string(), "{name}: {line}");
        assert_eq!(
            floodwall.status()["requests"]["malformed"],
            at + 1,
            "{name}"
        );
    }
    assert_eq!(origin.count(), 0, "{:?}", origin.seen());
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Nothing of this keeps anybody else from being served.
    assert_eq!(Client::of(web).get("/").status, 200);
}

/// A request whose fields, after a Host, are these.
fn with_fields(fields: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: example.org\r\n{fields}\r\n{body}").into_bytes()
}

#[test]
fn a_request_has_one_host() {
    let of = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}\r\n").into_bytes();
    assert_refused(&[
        ("none", of(""), 400),
        ("empty", of("Host:\r\n"), 400),
        ("two", of("Host: a\r\nHost: b\r\n"), 400),
        ("the same twice", of("Host: a\r\nHost: a\r\n"), 400),
        ("a list", of("Host: a, b\r\n"), 400),
        ("a path in it", of("Host: a/b\r\n"), 400),
        ("somebody in it", of("Host: me@a\r\n"), 400),
        ("a port that is none", of("Host: a:b\r\n"), 400),
    ]);
}

#[test]
fn a_body_has_one_length() {
    let hello = "hello";
    assert_refused(&[
        (
            "length and encoding",
            with_fields(
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "encoding and length",
            with_fields(
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "two lengths",
            with_fields("Content-Length: 5\r\nContent-Length: 6\r\n", hello),
            400,
        ),
        (
            "the same length twice",
            with_fields("Content-Length: 5\r\nContent-Length: 5\r\n", hello),
            400,
        ),
        (
            "a list of lengths",
            with_fields("Content-Length: 5, 5\r\n", hello),
            400,
        ),
        (
            "no number",
            with_fields("Content-Length: five\r\n", hello),
            400,
        ),
        ("empty", with_fields("Content-Length:\r\n", hello), 400),
        ("a sign", with_fields("Content-Length: +5\r\n", hello), 400),
        (
            "negative",
            with_fields("Content-Length: -5\r\n", hello),
            400,
        ),
        (
            "hexadecimal",
            with_fields("Content-Length: 0x5\r\n", hello),
            400,
        ),
        (
            "beyond 64 bits",
            with_fields("Content-Length: 99999999999999999999\r\n", hello),
            400,
        ),
        (
            "space before the colon",
            with_fields("Content-Length : 5\r\n", hello),
            400,
        ),
        (
            "another encoding",
            with_fields("Transfer-Encoding: gzip\r\n", hello),
            400,
        ),
        (
            "encodings",
            with_fields("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            501,
        ),
        (
            "two encodings",
            with_fields(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
    ]);
}

#[test]
fn a_head_is_bounded() {
    let many = (0..60).fold(String::new(), |mut all, at| {
        let _ = write!(all, "X-{at}: y\r\n");
        all
    });
    let line = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    assert_refused(&[
        ("too many fields", with_fields(&many, ""), 431),
        (
            "a field too long",
            with_fields(&format!("X: {}\r\n", "y".repeat(9 << 10)), ""),
            431,
        ),
        (
            "a field without end",
            with_fields(&format!("X: {}", "y".repeat(64 << 10)), "")[..40 << 10].to_vec(),
            431,
        ),
        (
            "a target too long",
            line(&format!("/{}", "x".repeat(2 << 10))),
            414,
        ),
        (
            "a body too long",
            with_fields("Content-Length: 1025\r\n", &"x".repeat(1025)),
            413,
        ),
    ]);
}

#[test]
fn a_head_is_well_formed() {
    let of = |text: &str| text.as_bytes().to_vec();
    assert_refused(&[
        ("words", of("hello there\r\n\r\n"), 400),
        ("bytes", (128..=255).chain(*b"\r\n\r\n").collect(), 400),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a hello of another kind \r\n\r\n"
                .to_vec(),
            400,
        ),
        (
            "a NUL in a field",
            of("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
            400,
        ),
        (
            "a NUL in the target",
            of("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
        ),
        ("a bare LF", of("GET / HTTP/1.1\nHost: a\n\n"), 400),
        (
            "one bare LF",
            of("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
            400,
        ),
        (
            "a bare CR",
            of("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
            400,
        ),
        (
            "a folded line",
            of("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
            400,
        ),
        (
            "a field without a name",
            of("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
            400,
        ),
        (
            "a field without a colon",
            of("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
            400,
        ),
        ("no version", of("GET /\r\n\r\n"), 400),
        (
            "another version",
            of("GET / HTTP/3.7\r\nHost: a\r\n\r\n"),
            400,
        ),
    ]);
}

#[test]
fn a_target_is_a_path() {
    let line = |first: &str| format!("{first} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    assert_refused(&[
        ("a tunnel", line("CONNECT example.org:443"), 405),
        (
            "somebody else's server",
            line("GET http://other.example.org/"),
            400,
        ),
        ("relative", line("GET index.html"), 400),
        ("a star", line("GET *"), 400),
        ("a fragment", line("GET /a#b"), 400),
        ("bytes that are not ASCII", line("GET /\u{e9}"), 400),
        ("empty", line("GET "), 400),
    ]);
}

/// A head that drips in must be whole before the clock runs out, however alive the connection looks.
#[test]
fn a_slow_head_is_cut() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    for (at, drip) in [false, true].into_iter().enumerate() {
        let mut connection = Client::of(web).connect().expect("a connection");
        connection
            .write(b"GET / HTTP/1.1\r\nHost: a\r\n")
            .expect("it is open");
        let begun = Instant::now();
        if drip {
            let tenth = Duration::from_millis(100);
            floodwall_tests::wait::paced(tenth, Duration::from_millis(1500), || {
                connection.write(b"X: y\r\n")
            });
        }
        let response = connection.read_to_end().expect("it is closed in time");
        let took = begun.elapsed();
        // With the drip, what it wrote after the end may have turned the end into a reset.
        if !(drip && response.is_empty()) {
            assert_eq!(status_of(&response), 408);
        }
        assert!(
            took >= Duration::from_millis(700) && took < Duration::from_secs(4),
            "{took:?}"
        );
        eventually!(floodwall.access_log().len() == at + 1);
        let line = floodwall.access_log().pop().unwrap_or_default();
        assert_eq!(
            (&line["status"], &line["verdict"]),
            (&408.into(), &"malformed".into())
        );
    }
    assert_eq!(floodwall.status()["requests"]["malformed"], 2);
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_slow_body_is_cut() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let response = Client::of(web)
        .exchange(&with_fields("Content-Length: 5\r\n", "he"))
        .expect("it is closed in time");
    assert_eq!(status_of(&response), 408);
    assert_eq!(
        floodwall.logged(|line| line["status"] == 408)["error"],
        "the request body took too long"
    );
}

/// Its length is not announced, so that it is known only while it passes.
#[test]
fn a_body_of_chunks_is_bounded_too() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    let body = format!("{}0\r\n\r\n", chunk.repeat(4));
    let response = Client::of(web)
        .exchange(&with_fields("Transfer-Encoding: chunked\r\n", &body))
        .expect("an answer");
    assert_eq!(status_of(&response), 413);
    floodwall.logged(|line| line["status"] == 413);
    assert!(origin.seen().is_empty(), "the origin got a whole request");
}

#[test]
fn metrics_count_what_is_refused() {
    let ip = Loopback::claim();
    let (web, admin, origin) = (ip.free_port(), ip.free_port(), Origin::start());
    let yaml = front(web, origin.address()).and(&format!("admin: {{ address: {admin} }}\n"));
    let _floodwall = Floodwall::start(&yaml);
    for _ in 0..3 {
        let response = Client::of(web)
            .exchange(b"nonsense\r\n\r\n")
            .expect("an answer");
        assert_eq!(status_of(&response), 400);
    }
    let metrics = Client::of(admin).get("/metrics");
    assert!(
        metrics
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
    );
    assert!(
        metrics
            .body
            .contains("floodwall_requests_malformed_total 3\n"),
        "{}",
        metrics.body
    );
    assert!(
        metrics
            .body
            .contains("floodwall_requests_total{status=\"4xx\"} 3\n"),
        "{}",
        metrics.body
    );
}

/// `floodwall check` of each of the texts: exit 2 in under a second, with the place and the words.
#[test]
fn files_that_are_wrong() {
    let minimal = Yaml::example("minimal.yaml");
    let changed = |old: &str, new: &str| minimal.clone().with(old, new).text().to_owned();
    let aliases = (1..30).fold("a0: &a0 [x, x, x, x]\n".to_owned(), |mut text, at| {
        let before = at - 1;
        let _ = writeln!(text, "a{at}: &a{at} [*a{before}, *a{before}, *a{before}]");
        text
    });
    let mut wrong = Vec::new();
    for (name, text, found) in [
        (
            "empty",
            String::new(),
            "floodwall.yaml:1:1: found an empty file",
        ),
        (
            "ten megabytes",
            "# x\n".repeat(10 << 18),
            "floodwall.yaml: found a larger file; allowed: at most ",
        ),
        ("deep nesting", "[".repeat(100_000), "floodwall.yaml:1:"),
        ("deep mappings", "{a: ".repeat(100_000), "floodwall.yaml:1:"),
        ("aliases", aliases, "floodwall.yaml:1:5: found an anchor"),
        (
            "no YAML",
            "listeners: {\n".to_owned(),
            "floodwall.yaml:2:1: ",
        ),
        ("a NUL", "a: \0\n".to_owned(), "floodwall.yaml:1:4: "),
        ("a list", "- a\n".to_owned(), "floodwall.yaml:1:1: "),
        (
            "two documents",
            minimal.text().to_owned() + "---\na: 1\n",
            "floodwall.yaml:10:1: ",
        ),
        (
            "a key twice",
            minimal.text().to_owned() + "limits: {}\n",
            "floodwall.yaml:10:1: limits: ",
        ),
        (
            "a deep key twice",
            changed("key: client,", "key: client, key: path,"),
            "floodwall.yaml:7:30: limits.per-client.key: ",
        ),
        (
            "an unknown key",
            changed("key: client", "kee: client"),
            "floodwall.yaml:7:17: limits.per-client.kee: ",
        ),
        (
            "a list for a text",
            changed("127.0.0.1:8080", "[127.0.0.1:8080]"),
            "floodwall.yaml:3:19: listeners.web.address: ",
        ),
        (
            "a number for a map",
            changed("{ path_prefix: / }", "7"),
            "floodwall.yaml:9:25: routes[0].match: ",
        ),
        (
            "NaN",
            changed("burst: 200", "burst: .nan"),
            "floodwall.yaml:7:50: limits.per-client.burst: found",
        ),
        (
            "infinity",
            changed("burst: 200", "burst: .inf"),
            "floodwall.yaml:7:50: limits.per-client.burst: found",
        ),
        (
            "a rate of NaN",
            changed("100/s", "NaN/s"),
            "floodwall.yaml:7:36: limits.per-client.rate: found",
        ),
        (
            "negative",
            changed("burst: 200", "burst: -1"),
            "floodwall.yaml:7:50: limits.per-client.burst: found",
        ),
        (
            "a fraction",
            changed("burst: 200", "burst: 1.5"),
            "floodwall.yaml:7:50: limits.per-client.burst: found",
        ),
        (
            "too many digits",
            changed("burst: 200", "burst: 99999999999999999999"),
            "floodwall.yaml:7:50: limits.per-client.burst: found",
        ),
        (
            "nothing for ever",
            changed("100/s", "1/0s"),
            "floodwall.yaml:7:36: limits.per-client.rate: found",
        ),
        (
            "no such limit",
            changed("[per-client]", "[per-clint]"),
            "floodwall.yaml:9:54: routes[0].limits[0]: found",
        ),
        (
            "no such upstream",
            changed("upstream: app", "upstream: ap"),
            "floodwall.yaml:9:77: routes[0].upstream: found",
        ),
    ] {
        let begun = Instant::now();
        let answer = Floodwall::check(text.as_bytes());
        let took = begun.elapsed();
        let excerpt: String = answer.stderr.chars().take(400).collect();
        assert_eq!(answer.code, Some(2), "{name}: {excerpt}");
        if !answer.stderr.lines().any(|line| line.starts_with(found)) {
            wrong.push(format!("{name}: not {found:?} but {excerpt:?}"));
        }
        assert!(took < Duration::from_secs(1), "{name}: {took:?}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_problem_is_printed_at_once() {
    let yaml = Yaml::example("minimal.yaml")
        .with("rate: 100/s", "rate: fast")
        .with("8080", "99999")
        .with("upstream: app", "upstream: none");
    let answer = Floodwall::check(yaml.text().as_bytes());
    assert_eq!(answer.code, Some(2));
    let lines: Vec<&str> = answer.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", answer.stderr);
    for (line, part) in lines.iter().zip(["127.0.0.1:99999", "fast", "none"]) {
        let (row, column) = yaml.place_of(part);
        assert!(
            line.starts_with(&format!("floodwall.yaml:{row}:{column}: ")),
            "{line}"
        );
        // What was found and what is allowed, in each of them.
        assert!(line.contains(part) && line.contains("allowed"), "{line}");
    }
}

#[test]
fn a_file_that_is_no_file() {
    for path in ["/nonexistent/floodwall.yaml", "/"] {
        let answer = Floodwall::command(&["check", "-c", path]);
        assert_eq!(answer.code, Some(2));
        assert!(
            answer
                .stderr
                .starts_with(&format!("{path}: cannot be read: ")),
            "{}",
            answer.stderr
        );
    }
    let answer = Floodwall::check(b"listeners: \xff\n");
    assert_eq!(answer.code, Some(2));
    assert!(answer.stderr.contains("not UTF-8"), "{}", answer.stderr);
}
