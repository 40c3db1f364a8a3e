//! Which protocol a connection speaks: with TLS the two have agreed on it; a plaintext connection says so with its
//! first bytes (RFC 9113, 3.3 and 3.4).

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::frames::PREFACE;
use crate::server::{FIRST_REQUEST, guard::Guard, line::Line, wire::Wire};

/// So many bytes tell the preface from every method of HTTP/1.
const TELLING: usize = 4;

/// The protocol's name in TLS (RFC 9113, 3.2).
pub const ALPN: &[u8] = b"h2";

/// Whether a connection begins with HTTP/2. Nothing is taken from it. Nothing comes back when the connection is to
/// end: it said nothing for too long, or everybody is to leave.
pub(in crate::server) async fn begins(guard: &Guard, leave: watch::Receiver<bool>) -> Option<bool> {
    let line = match guard.wire() {
        wire @ Wire::Tls(_) => return Some(wire.alpn() == Some(ALPN)),
        Wire::Plain(_) if !guard.connection().rules.http2 => return Some(false),
        Wire::Plain(line) => line,
    };
    tokio::select! {
        begins = timeout(guard.connection().rules.idle, look(line)) => begins.ok(),
        () = overstays(leave) => None,
    }
}

/// Comes back when everybody is to leave and who has just come has had the time to say something.
async fn overstays(mut leave: watch::Receiver<bool>) {
    // Whoever gives the order outlives the connections.
    let _ = leave.wait_for(|leaves| *leaves).await;
    sleep(FIRST_REQUEST).await;
}

async fn look(line: &Line) -> bool {
    let mut bytes = [0; TELLING];
    let mut known = 0;
    while known < TELLING {
        known = match line.peek(&mut bytes, known).await {
            // It has ended, or will tell so when it is read.
            Ok(0) | Err(_) => return false,
            Ok(length) => length,
        };
        if !PREFACE.starts_with(&bytes[..known]) {
            return false;
        }
    }
    true
}
