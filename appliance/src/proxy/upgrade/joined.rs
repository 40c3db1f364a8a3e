//! A client and an upstream that have agreed on another protocol, until one of them ends it.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use floodwall_config::Direction;
use http::{Method, StatusCode, header};
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::{io::AsyncWriteExt, sync::watch};

use super::{handshake::Agreed, relay};
use crate::{
    proxy::{Exchange, hop, report},
    server::guard::{ClientStream, Guard},
    tunnel::{End, Patience, Tunnel},
};

/// A request whose engine is done with it: the two ends of a tunnel, or an upstream that would not have one.
#[derive(Debug)]
pub struct Joined {
    exchange: Exchange,
    asked: RequestHeader,
    agreed: Agreed,
}

/// One direction may go on for so long after the other has ended.
const REST: Duration = Duration::from_secs(5);

/// What is known when it is over.
#[derive(Debug)]
pub(in crate::proxy) struct Outcome {
    /// What the client got, without the head.
    pub(in crate::proxy) bytes: u64,
    pub(in crate::proxy) error: Option<&'static str>,
}

impl Joined {
    pub(super) fn new(exchange: Exchange, asked: RequestHeader, agreed: Agreed) -> Self {
        Self {
            exchange,
            asked,
            agreed,
        }
    }

    /// Carries what the two say to each other, and writes the request's line when they are done.
    pub async fn run(mut self: Box<Self>, guard: Guard, leave: watch::Receiver<bool>) {
        let status = self.agreed.response.status;
        let (client, said) = guard.into_parts();
        let outcome = match finish_head(&mut self.agreed.response) {
            Ok(head) if status == StatusCode::SWITCHING_PROTOCOLS => {
                carry(&self.exchange, (client, said), self.agreed, head, leave).await
            }
            Ok(head) => {
                let to_head = self.asked.method == Method::HEAD;
                relay::answer(&self.exchange, client, self.agreed, head, to_head).await
            }
            Err(_) => Outcome {
                bytes: 0,
                error: Some("an error inside the proxy"),
            },
        };
        report::left_engine(&mut self.exchange, &self.asked, status.as_u16(), &outcome);
    }
}

/// The head that the client gets.
fn finish_head(response: &mut ResponseHeader) -> Result<BytesMut> {
    let status = response.status;
    let protocols = hop::protocols(&response.headers);
    hop::strip_response(response);
    let offers =
        status == StatusCode::SWITCHING_PROTOCOLS || status == StatusCode::UPGRADE_REQUIRED;
    if offers && !protocols.is_empty() {
        response.insert_header(header::UPGRADE, protocols.join(", "))?;
    }
    let connection = match status {
        StatusCode::SWITCHING_PROTOCOLS => "Upgrade",
        StatusCode::UPGRADE_REQUIRED => "Upgrade, close",
        _ => "close",
    };
    response.insert_header(header::CONNECTION, connection)?;
    let mut head = BytesMut::new();
    head.put_slice(b"HTTP/1.1 ");
    head.put_slice(status.as_str().as_bytes());
    head.put_u8(b' ');
    head.put_slice(response.get_reason_phrase().unwrap_or_default().as_bytes());
    head.put_slice(b"\r\n");
    response.header_to_h1_wire(&mut head);
    head.put_slice(b"\r\n");
    Ok(head)
}

async fn carry(
    exchange: &Exchange,
    (client, said): (ClientStream, BytesMut),
    agreed: Agreed,
    mut head: BytesMut,
    leave: watch::Receiver<bool>,
) -> Outcome {
    let (in_head, early) = (head.len() as u64, said.len() as u64);
    exchange.passed(Direction::In, early);
    exchange.passed(Direction::Out, agreed.said.len() as u64);
    head.extend_from_slice(&agreed.said);
    let patience = Patience {
        idle: exchange
            .upstream()
            .map_or(REST, |upstream| upstream.timeouts.tunnel),
        write: exchange
            .connection
            .as_ref()
            .map_or(REST, |connection| connection.rules.write),
        rest: REST,
    };
    let mut tunnel = Tunnel::new((client, said), (agreed.upstream, head), patience);
    let end = tokio::select! {
        end = tunnel.carry(|direction, bytes| exchange.passed(direction, bytes)) => Some(end),
        () = drained(exchange, leave) => None,
    };
    let bytes = tunnel.carried().from_upstream - in_head;
    let error = match end {
        Some(End::Closed) => None,
        Some(End::Idle) => Some("nothing passed through the tunnel for too long"),
        Some(End::Stalled) => Some("an end of the tunnel does not read"),
        Some(End::Broken(_)) => Some("an end of the tunnel went away"),
        None => {
            let (mut client, mut upstream) = tunnel.into_ends();
            // Whoever does not take the end is cut with the process.
            let _ = tokio::join!(client.shutdown(), upstream.shutdown());
            Some("the service stops")
        }
    };
    Outcome { bytes, error }
}

/// Comes true shortly before the requests that are under way are cut, so that tunnels end in order.
async fn drained(exchange: &Exchange, mut leave: watch::Receiver<bool>) {
    if leave.wait_for(|leaves| *leaves).await.is_err() {
        return std::future::pending().await;
    }
    let drain: Duration = exchange.generation.config.server.drain.into();
    tokio::time::sleep(drain.saturating_sub(drain / 10)).await;
}
