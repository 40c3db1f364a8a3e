//! Load balancers that say whom they speak for.

use std::net::Ipv4Addr;

use floodwall_tests::{
    Authority, Client, Curl, Floodwall, Loopback, Origin, Request, Yaml, eventually,
};

use crate::handshakes::failed;

/// A listener that wants a header, from the balancer alone, in front of an origin.
fn balanced(web: std::net::SocketAddr, balancer: Ipv4Addr, origin: &Origin) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB, proxy_protocol: true, max: { connections_per_client: 2 } } }
clients: { trusted_proxies: [BALANCER] }
upstreams: { app: { servers: [ORIGIN] } }
limits: { fair: { key: client, rate: 1/d, burst: 2, block: { after: 1, within: 10s, for: 5m, max: 1h } } }
routes: [{ name: all, limits: [fair], upstream: app }]
",
    )
    .with("WEB", web)
    .with("BALANCER", balancer)
    .with("ORIGIN", origin.address())
}

/// A header of version 2 for a client at this address.
fn v2(client: Ipv4Addr, more: &[u8]) -> Vec<u8> {
    let length = u16::try_from(12 + more.len()).unwrap().to_be_bytes();
    let (client, server) = (client.octets(), [192, 0, 2, 254]);
    let head = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &length[..]].concat();
    [&head[..], &client, &server, &[0x12, 0x67, 0, 80], more].concat()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn limits_and_the_upstream_see_the_client_and_the_balancer_is_never_blocked() {
    let (web, balancer, origin) = (Loopback::free(), Loopback::claim().ip(), Origin::start());
    let floodwall = Floodwall::start(&balanced(web, balancer, &origin));
    let send = |header: &[u8]| {
        let all = [header, GET].concat();
        let answer = Client::of(web).from(balancer).exchange(&all).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let one = b"PROXY TCP4 198.51.100.7 192.0.2.254 4711 80\r\n";
    assert!(send(one).starts_with("HTTP/1.1 200"));
    assert_eq!(
        origin.last().header("x-forwarded-for"),
        Some("198.51.100.7")
    );
    let line = floodwall.logged(|line| line["client"] == "198.51.100.7");
    assert_eq!(line["peer"], "198.51.100.7");
    // Both versions are the same client, whose budget ends; another one's does not.
    assert!(
        send(&v2(Ipv4Addr::new(198, 51, 100, 7), b"\x04\x00\x01x")).starts_with("HTTP/1.1 200")
    );
    for _ in 0..3 {
        assert!(send(one).starts_with("HTTP/1.1 429"));
    }
    assert!(send(&v2(Ipv4Addr::new(198, 51, 100, 8), b"")).starts_with("HTTP/1.1 200"));
    assert!(
        floodwall.blocks().is_empty(),
        "nobody is blocked whose packets never come here"
    );
    // The balancer's own connections, as for its health checks.
    assert!(send(b"PROXY UNKNOWN\r\n").starts_with("HTTP/1.1 200"));
    assert_eq!(
        origin.last().header("x-forwarded-for"),
        Some(balancer.to_string().as_str())
    );
}

#[test]
fn without_the_header_or_from_a_stranger_there_is_no_connection() {
    let (web, balancer, origin) = (Loopback::free(), Loopback::claim().ip(), Origin::start());
    let floodwall = Floodwall::start(&balanced(web, balancer, &origin));
    let header = b"PROXY TCP4 198.51.100.7 192.0.2.254 4711 80\r\n";
    let balancer = Client::of(web).from(balancer);
    let stranger = Client::of(web).from(Loopback::claim().ip());
    for (client, sent, reason) in [
        (balancer, GET.to_vec(), "proxy_header"),
        (balancer, b"PROXY TCP4 nobody\r\n".to_vec(), "proxy_header"),
        (stranger, [header, GET].concat(), "proxy_untrusted"),
    ] {
        let before = failed(&floodwall, reason);
        assert_eq!(client.exchange(&sent).unwrap(), b"", "{reason}");
        eventually!(failed(&floodwall, reason) == before + 1);
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn connections_and_blocks_count_for_whom_the_header_names() {
    let (web, balancer, origin) = (Loopback::free(), Loopback::claim().ip(), Origin::start());
    let floodwall = Floodwall::start(&balanced(web, balancer, &origin));
    let client = Client::of(web).from(balancer);
    let header = |last: u8| v2(Ipv4Addr::new(198, 51, 100, last), b"");
    let mut open: Vec<_> = (0..2)
        .map(|_| {
            let mut connection = client.connect().unwrap();
            connection.write(&header(7)).unwrap();
            assert_eq!(connection.get("/").unwrap().status, 200);
            connection
        })
        .collect();
    let send = |last: u8| client.exchange(&[&header(last)[..], GET].concat()).unwrap();
    assert_eq!(send(7), b"", "a third of one client");
    assert!(send(8).starts_with(b"HTTP/1.1 200"), "another one's first");
    let blocked = floodwall.ask(&["blocks", "add", "198.51.100.7", "--for", "1m"]);
    assert_eq!(blocked.code, Some(0), "{}", blocked.stderr);
    assert!(
        open.iter_mut()
            .all(|open| open.send(&Request::get("/")).is_err()),
        "all are cut"
    );
    drop(open);
    assert_eq!(send(7), b"");
    eventually!(failed(&floodwall, "proxy_blocked") == 1);
}

#[test]
fn the_header_comes_before_tls_and_curl_writes_one_that_is_read() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let yaml = crate::secure(web, &[&www], "")
        .with("timeouts:", "proxy_protocol: true\n    timeouts:")
        .and("clients: { trusted_proxies: [127.0.0.0/8] }\n");
    let floodwall = Floodwall::start(&yaml);
    let got = Curl::new()
        .trusting(&authority.certificate())
        .flag("--haproxy-protocol")
        .https("www.test", web, "/");
    assert_eq!(got.body, "hello");
    assert_eq!(failed(&floodwall, "proxy_header"), 0);
}
