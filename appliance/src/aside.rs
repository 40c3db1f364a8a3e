//! A request to an upstream apart from any client's: for tokens and mirrors.
//!
//! It goes by the same rules as the clients' requests: it takes a place, has leave of the breaker, and what becomes of
//! it is told to both.

use bytes::Bytes;
use floodwall_limiter::Nanos;
use http::{HeaderValue, Request, Response, header};

use crate::{
    fetch::{self, Address, Bounds, FetchError, Server},
    host::Host,
    upstream::{Attempt, Entry, Outcome, Unavailable, Upstream},
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{}", .0.reason())]
    Unavailable(Unavailable),
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// Asks one of the upstream's servers; another one when the first cannot be connected to.
///
/// # Errors
/// [`AskError`]. An answer with a bad status is none.
pub async fn ask(
    host: &Host,
    upstream: &Upstream,
    request: Request<Bytes>,
    bounds: Bounds,
) -> Result<Response<Bytes>, AskError> {
    // The place is held until the answer is complete.
    let Entry {
        place: _place,
        mut attempt,
    } = upstream.enter(host.now()).map_err(AskError::Unavailable)?;
    let mut tried = Vec::new();
    loop {
        let answer = once(host, upstream, &mut attempt, request.clone(), bounds).await;
        tried.push(attempt.address);
        let another = match &answer {
            Err(FetchError::Connect(_)) if tried.len() < upstream.servers.len() => {
                upstream.try_afresh(&tried, host.now())
            }
            _ => None,
        };
        match another {
            Some(another) if !tried.contains(&another.address) => attempt = another,
            _ => return Ok(answer?),
        }
    }
}

async fn once(
    host: &Host,
    upstream: &Upstream,
    attempt: &mut Attempt,
    mut request: Request<Bytes>,
    bounds: Bounds,
) -> Result<Response<Bytes>, FetchError> {
    let server = server_of(attempt);
    if !request.headers().contains_key(header::HOST) {
        request.headers_mut().insert(header::HOST, named(&server));
    }
    upstream.state.counts.requests.one();
    let asked = host.now();
    let answer = fetch::fetch(&server, request, bounds).await;
    let now = host.now();
    attempt.settle(upstream, outcome(&answer, now.minus(asked)), now);
    if let Err(FetchError::Connect(_)) = answer {
        upstream.state.counts.connect_failures.one();
    }
    answer
}

fn outcome(answer: &Result<Response<Bytes>, FetchError>, took: Nanos) -> Outcome {
    match answer {
        Ok(answer) => Outcome::Answered {
            status: answer.status().as_u16(),
            took,
        },
        Err(_) => Outcome::NoAnswer,
    }
}

fn server_of(attempt: &Attempt) -> Server {
    Server {
        address: Address::Tcp(attempt.address),
        tls: None,
    }
}

/// The host of a request that names none.
fn named(server: &Server) -> HeaderValue {
    match &server.address {
        // An address in words is visible ASCII.
        Address::Tcp(address) => HeaderValue::from_str(&address.to_string()),
        Address::Unix(_) => Ok(HeaderValue::from_static("localhost")),
    }
    .unwrap_or(HeaderValue::from_static("localhost"))
}
