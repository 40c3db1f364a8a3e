//! Clients that end in the middle of what a connection begins with, which is looked at before it is taken.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use floodwall_tests::{Authority, Client, Floodwall, Loopback, Yaml};

use crate::secure;

/// Well under the time that a beginning may take.
const SOON: Duration = Duration::from_secs(5);

/// Sends every beginning of the bytes and ends there. The only thread that serves must be free for others.
fn cut_everywhere(yaml: &Yaml, web: SocketAddr, bytes: &[u8]) {
    let yaml = yaml.clone().and("server: { threads: 1 }\n");
    let floodwall = Floodwall::start(&yaml);
    for length in 0..bytes.len() {
        let begun = Instant::now();
        let mut connection = Client::of(web).connect().expect("somebody accepts");
        connection.write(&bytes[..length]).expect("it is open");
        connection.end_sending().expect("it is open");
        connection
            .read_to_end()
            .unwrap_or_else(|error| panic!("cut after {length} bytes: {error}"));
        assert!(begun.elapsed() < SOON, "cut after {length} bytes");
    }
    assert_eq!(floodwall.status()["connections"]["open"], 0);
}

fn front(web: SocketAddr, more: &str) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB, MORE } }
routes: [{ name: all, respond: { status: 200, body: hello } }]
",
    )
    .with("WEB", web)
    .with("MORE", more)
}

#[test]
fn within_the_header_of_a_balancer() {
    let web = Loopback::free();
    let yaml =
        front(web, "proxy_protocol: true").and("clients: { trusted_proxies: [127.0.0.0/8] }\n");
    cut_everywhere(
        &yaml,
        web,
        b"PROXY TCP4 198.51.100.7 192.0.2.254 4711 80\r\n",
    );
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\xc0\0\x02\xfe\x12\x67\0\x50";
    cut_everywhere(&yaml, web, v2);
}

#[test]
fn within_the_preface_of_http_2() {
    let web = Loopback::free();
    cut_everywhere(
        &front(web, "http2: true"),
        web,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    );
}

/// Fingerprints need the whole hello before anything of it is taken.
#[test]
fn within_a_hello_of_tls() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let yaml = secure(web, &[&authority.issue("www", &["www.test"])], "")
        .with("name: all,", "name: all, limits: [alike],")
        .and("limits: { alike: { key: tls.ja4, rate: 1/h, burst: 2 } }\n");
    // A record of a handshake, whose hello says that it has 64 bytes.
    let hello = [
        b"\x16\x03\x01\0\x44\x01\0\0\x40\x03\x03".as_slice(),
        &[7; 12],
    ]
    .concat();
    cut_everywhere(&yaml, web, &hello);
}
