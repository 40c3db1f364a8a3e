//! The answer of an upstream that stays with HTTP, passed on as it comes. The connections end with it.

use std::{io, time::Duration};

use bytes::BytesMut;
use floodwall_config::Direction;
use http::{StatusCode, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{Outcome, handshake::Agreed};
use crate::{
    proxy::Exchange,
    server::{
        body::{Body, Framing},
        guard::ClientStream,
        head::Most,
    },
    strict,
};

/// Bytes read at one time.
const AT_ONCE: usize = 16 << 10;

const TRAILERS: Most = Most {
    bytes: 64 << 10,
    fields: 256,
};

/// Writes the head, and as much of a body as it announces. A body that breaks off looks so to the client: it is
/// shorter than it says, or without its last chunk, or its connection is reset.
pub(super) async fn answer(
    exchange: &Exchange,
    mut client: ClientStream,
    mut agreed: Agreed,
    head: BytesMut,
    has_no_body: bool,
) -> Outcome {
    let write = exchange
        .connection
        .as_ref()
        .map(|connection| connection.rules.write);
    let read = exchange
        .upstream()
        .ok()
        .map(|upstream| upstream.timeouts.read);
    let patience = (
        read.unwrap_or(Duration::ZERO),
        write.unwrap_or(Duration::ZERO),
    );
    let mut bytes = 0;
    let mut count = |passed| {
        bytes += passed;
        exchange.passed(Direction::Out, passed);
    };
    let has_no_body = has_no_body
        || matches!(
            agreed.response.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    let framing = framing(&agreed, has_no_body);
    let passed = pass(
        &mut client,
        &mut agreed,
        head,
        framing,
        patience,
        &mut count,
    )
    .await;
    let ended = if passed.is_ok() {
        client.shutdown().await.is_ok()
    } else {
        client.get_ref().line().reset();
        false
    };
    Outcome {
        bytes,
        error: (!ended).then_some("the answer to an upgrade broke off"),
    }
}

/// How the end of the answer's body is told; nothing when it is the end of the connection.
fn framing(agreed: &Agreed, has_no_body: bool) -> Option<Framing> {
    let headers = &agreed.response.headers;
    match strict::framing_of(headers) {
        _ if has_no_body => Some(Framing::None),
        Framing::None if !headers.contains_key(header::CONTENT_LENGTH) => None,
        framing => Some(framing),
    }
}

async fn pass(
    client: &mut ClientStream,
    agreed: &mut Agreed,
    head: BytesMut,
    framing: Option<Framing>,
    (read, write): (Duration, Duration),
    count: &mut impl FnMut(u64),
) -> io::Result<()> {
    timeout(write, client.write_all(&head)).await??;
    let mut body = framing.map(|framing| Body::new(framing, TRAILERS));
    let mut said = std::mem::take(&mut agreed.said);
    loop {
        let taken = match &mut body {
            Some(body) => body
                .take(&said)
                .map_err(|fault| io::Error::other(fault.what))?,
            None => said.len(),
        };
        if taken > 0 {
            count(taken as u64);
            timeout(write, client.write_all(&said[..taken])).await??;
        }
        if body.as_ref().is_some_and(Body::has_ended) {
            return Ok(());
        }
        said.clear();
        said.reserve(AT_ONCE);
        if timeout(read, agreed.upstream.read_buf(&mut said)).await?? == 0 {
            return match body {
                Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
                None => Ok(()),
            };
        }
    }
}
