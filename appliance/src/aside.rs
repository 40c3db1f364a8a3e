//! A request to an upstream apart from any client's: for tokens and mirrors.
//!
//! It goes by the same rules as the clients' requests: it takes a place, has leave of the breaker, and what becomes of
//! it is told to both.

use bytes::Bytes;
use floodwall_limiter::Nanos;
use http::{Request, Response, header};

use crate::{
    fetch::{self, Bounds, FetchError},
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

/// The key of a request that is no client's, where servers are chosen by one.
const OF_NOBODY: u64 = 0;

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
    } = upstream
        .enter(OF_NOBODY, host.now())
        .map_err(AskError::Unavailable)?;
    let mut tried = Vec::new();
    loop {
        let answer = once(host, upstream, &mut attempt, request.clone(), bounds).await;
        tried.push(attempt.endpoint().clone());
        let another = match &answer {
            Err(FetchError::Connect(_)) if tried.len() < upstream.group().servers.len() => {
                upstream.try_afresh(OF_NOBODY, &tried, host.now())
            }
            _ => None,
        };
        match another {
            Some(another) if !tried.contains(another.endpoint()) => attempt = another,
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
    let server = upstream.reach(attempt.server());
    if !request.headers().contains_key(header::HOST) {
        let host = upstream.host_of(attempt.server());
        request.headers_mut().insert(header::HOST, host);
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
