//! Keeps the tokens fresh: one task for all of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use floodwall_config as config;
use http::{Request, header};

use super::{Token, answer};
use crate::{
    aside::{self, AskError},
    fetch::{BodyBound, Bounds},
    generation::Generation,
    host::Host,
};

/// Fetches the tokens of whichever generation runs, each when it is due, for as long as the process lives.
pub async fn keep(host: Arc<Host>) {
    let shelf = Arc::clone(&host.stats.tokens);
    loop {
        let generation = host.pin();
        let now = Instant::now();
        let mut soonest = None;
        for token in generation.tokens.iter() {
            match token.slot.due(now) {
                Some(due) if due <= now => begin(&host, &generation, token),
                due => soonest = earlier(soonest, due),
            }
        }
        // An old generation goes when its last request does, not when the next token is due.
        drop(generation);
        let next = async {
            match soonest {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = next => {}
            () = shelf.changed.notified() => {}
        }
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Fetches one beside the others, and wakes the keeper when it is done.
fn begin(host: &Arc<Host>, generation: &Arc<Generation>, token: &Arc<Token>) {
    if !token.slot.begin() {
        return;
    }
    let (host, generation, token) = (Arc::clone(host), Arc::clone(generation), Arc::clone(token));
    tokio::spawn(async move {
        let fetched = fetch(&host, &generation, &token).await;
        let now = Instant::now();
        let every: Duration = token.fetch.every.into();
        match fetched {
            Ok(secret) => token.slot.succeed(secret, now, now + fresh_for(every)),
            Err(error) => {
                tracing::warn!(token = token.name, "no token: {error}");
                token.slot.fail(error.to_string(), |failures| {
                    now + rest_after(failures, every)
                });
            }
        }
        host.stats.tokens.changed.notify_one();
    });
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Answer(#[from] answer::NoToken),
    #[error("its request cannot be written: {0}")]
    Request(#[from] http::Error),
}

async fn fetch(
    host: &Host,
    generation: &Generation,
    token: &Token,
) -> Result<Box<[u8]>, KeepError> {
    let bounds = Bounds {
        within: token.fetch.timeout.into(),
        body: BodyBound::Whole {
            most: MOST_ANSWER_BYTES,
        },
    };
    let upstream = generation.upstream(token.upstream);
    let request = request(&token.fetch)?;
    let answer = aside::ask(host, upstream, request, bounds).await?;
    Ok(answer::token(&answer, &token.take)?)
}

/// More than any document with a token in it has.
const MOST_ANSWER_BYTES: usize = 256 << 10;

fn request(fetch: &config::Fetch) -> Result<Request<Bytes>, http::Error> {
    let mut request = Request::builder()
        .method(fetch.method.as_str())
        .uri(fetch.path.as_str());
    for field in &fetch.headers {
        request = request.header(field.name.as_str(), field.value.as_str());
    }
    let body = fetch.body.clone().map_or_else(Bytes::new, Bytes::from);
    let mut request = request.body(body)?;
    // What nobody said is said by whoever passes it on.
    if !request.headers().contains_key(header::USER_AGENT) {
        let agent =
            http::HeaderValue::from_static(concat!("floodwall/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, agent);
    }
    Ok(request)
}

/// A token is fetched again after 80 to 95 % of its time, so that neither it runs out nor do all hosts come at once.
fn fresh_for(every: Duration) -> Duration {
    every.mul_f64(0.80 + 0.15 * chance())
}

/// After a failure the next try comes soon, then ever later, up to the usual time.
fn rest_after(failures: u32, every: Duration) -> Duration {
    let doubled = FIRST_REST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(every).mul_f64(0.75 + 0.25 * chance())
}

const FIRST_REST: Duration = Duration::from_millis(250);

/// A number from 0 to 1. Where the system has no random bytes to give, everybody gets the middle.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_token_is_fetched_before_its_time_is_up() {
        for _ in 0..1_000 {
            let fresh = fresh_for(MINUTE);
            assert!((48.0..=57.0).contains(&fresh.as_secs_f64()), "{fresh:?}");
        }
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_rests() {
        for (failures, least, most) in [
            (1, 0.18, 0.25),
            (2, 0.37, 0.5),
            (9, 45.0, 60.0),
            (99, 45.0, 60.0),
        ] {
            let rest = rest_after(failures, MINUTE).as_secs_f64();
            assert!((least..=most).contains(&rest), "{failures}: {rest}");
        }
        assert!(rest_after(99, Duration::from_millis(100)) <= Duration::from_millis(100));
    }
}
