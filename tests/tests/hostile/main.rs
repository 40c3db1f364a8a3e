//! Bad input: what is no proper request is refused with the right status, logged and counted, and never
//! proxied; what is no proper file is refused at its place, soon.

use std::net::SocketAddr;

use floodwall_tests::Yaml;

mod bent;
mod files;
mod forged;
mod framing;
mod requests;
mod slow;
mod spellings;

pub(crate) fn front(web: SocketAddr, origin: SocketAddr) -> Yaml {
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
pub(crate) fn status_of(response: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(response);
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("no response: {text:?}"))
}

/// A request whose fields, after a Host, are these.
pub(crate) fn with_fields(fields: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: example.org\r\n{fields}\r\n{body}").into_bytes()
}
