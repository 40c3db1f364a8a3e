//! Requests that never became one: too slow, too large, or not HTTP. They are answered, logged and counted
//! like any other.

use std::time::SystemTime;

use crate::{
    access_log::{Entry, Verdict, timestamp},
    server::connection::Connection,
};

/// What was wrong with a request's head.
pub use crate::strict::Fault;

pub const HEAD_TOO_SLOW: Fault = Fault {
    status: 408,
    what: "the request header took too long",
};

pub const NOT_A_TUNNEL: Fault = Fault {
    status: 405,
    what: "CONNECT is not for this server",
};

/// An HTTP/2 request that the engine refuses before any phase sees it.
pub const MALFORMED_STREAM: Fault = Fault {
    status: 400,
    what: "the request is not well-formed HTTP/2",
};

pub const BODY_TOO_SLOW: Fault = Fault {
    status: 408,
    what: "the request body took too long",
};

pub const NOT_HTTP: Fault = Fault {
    status: 400,
    what: "the request is not well-formed HTTP/1.1",
};

/// Tells what the server meant by a response that it writes before any phase has seen the request.
pub fn fault_of(response: &[u8]) -> Fault {
    let status = response
        .get(9..12)
        .and_then(|digits| str::from_utf8(digits).ok())
        .and_then(|text| text.parse().ok());
    match status {
        Some(405) => NOT_A_TUNNEL,
        Some(408) => HEAD_TOO_SLOW,
        Some(status @ 414..=599) => Fault {
            status,
            what: "the server refused the request header",
        },
        _ => NOT_HTTP,
    }
}

/// The whole answer to such a request, after it was logged and counted. The connection ends with it.
pub fn answer(connection: &Connection, fault: Fault) -> Vec<u8> {
    note(connection, fault);
    let reason = http::StatusCode::from_u16(fault.status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let body = format!("{}\n", fault.what);
    format!(
        "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        fault.status,
        reason.unwrap_or_default(),
        body.len(),
    )
    .into_bytes()
}

/// Logs and counts a request that is answered without any phase.
pub fn note(connection: &Connection, fault: Fault) {
    let host = &connection.host;
    host.stats.requests.malformed.one();
    host.stats
        .requests
        .outcomes
        .count(Verdict::Malformed, fault.status);
    if !host.access_log.is_on() {
        return;
    }
    let peer = connection.peer.address();
    host.access_log.write(&Entry {
        time: timestamp(SystemTime::now()),
        client: peer,
        peer,
        method: "",
        host: "",
        path: "",
        status: Some(fault.status),
        bytes: fault.what.len() as u64 + 1,
        duration_ms: 0.0,
        upstream: None,
        upstream_address: None,
        upstream_ms: None,
        route: None,
        limit: None,
        shed_by: None,
        verdict: Verdict::Malformed,
        error: Some(fault.what),
        generation: host.generation().number,
        request_id: &host.request_id().to_string(),
        trace_id: None,
    });
}
