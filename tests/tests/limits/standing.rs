//! How an admitted client stands with its limits, on responses of an upstream that says such things too.

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Loopback, Response, Script, Yaml};

/// An interim response, then one that is right up to the limits it tells of.
const ANSWER: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
HTTP/1.1 200 OK\r\nRateLimit: \"theirs\";r=9\r\nRateLimit-Policy: \"theirs\";q=9\r\nRATELIMIT: more\r\n\
Content-Length: 4\r\n\r\ngood";

/// What breaks off where its head should end.
const BROKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n";

fn origin() -> Script {
    Script::start(|stage| {
        loop {
            let head = stage.head()?;
            stage.say(if head.contains("/broken") {
                BROKEN
            } else {
                ANSWER
            })?;
        }
    })
}

fn file(web: SocketAddr, origin: &Script) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN] } }
limits:
  narrow: { key: client, rate: 1/h, burst: 100 }
routes:
  - { name: edited, match: { path: /edited }, limits: [narrow], upstream: app, response_headers: { remove: [ratelimit-policy], set: { ratelimit: mine } } }
  - { name: all, limits: [narrow], upstream: app }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin.address())
}

/// Both fields; each may come once.
fn said(response: &Response) -> [Option<&str>; 2] {
    ["ratelimit-policy", "ratelimit"].map(|name| response.header(name))
}

#[test]
fn it_is_said_once_in_our_words_and_with_the_final_response() {
    let (web, origin) = (Loopback::free(), origin());
    let _floodwall = Floodwall::start(&file(web, &origin));
    let mut client = Client::of(web).connect().expect("a connection");
    for left in (90..100).rev() {
        client
            .write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("a request is taken");
        let interim = client.response().expect("an interim response");
        assert_eq!((interim.status, said(&interim)), (103, [None; 2]));
        let response = client.response().expect("a response");
        assert_eq!((response.status, response.body.as_str()), (200, "good"));
        let [policy, ratelimit] = said(&response);
        assert_eq!(policy, Some("\"narrow\";q=100;w=360000"));
        let begins = format!("\"narrow\";r={left};t=");
        assert!(
            ratelimit.is_some_and(|field| field.starts_with(&begins)),
            "{ratelimit:?}"
        );
    }
}

#[test]
fn the_route_has_the_last_word() {
    let (web, origin) = (Loopback::free(), origin());
    let _floodwall = Floodwall::start(&file(web, &origin));
    let mut client = Client::of(web).connect().expect("a connection");
    client
        .write(b"GET /edited HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("a request is taken");
    client.response().expect("an interim response");
    let response = client.response().expect("a response");
    assert_eq!(said(&response), [None, Some("mine")]);
}

#[test]
fn what_failed_says_nothing_of_it() {
    let (web, origin) = (Loopback::free(), origin());
    let _floodwall = Floodwall::start(&file(web, &origin));
    let response = Client::of(web).get("/broken");
    assert_eq!((response.status, said(&response)), (502, [None; 2]));
}
