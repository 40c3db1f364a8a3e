//! Copies of requests that another upstream gets to see.
//!
//! A copy is sent by a task of its own when the whole request has been read, and its answer is thrown away: whatever
//! becomes of it, the client's request neither waits nor fails. A copy that would be one too many, or whose body is too
//! large, is not made, and counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::BytesMut;
use floodwall_config as config;
use http::{HeaderMap, Method, Request, Uri, header};
use pingora_http::RequestHeader;
use serde::{Deserialize, Serialize};

use crate::{
    aside,
    fetch::{BodyBound, Bounds},
    generation::Generation,
    host::Host,
    stats::Count,
};

/// What a route's mirror did, over all generations that had a route of its name.
#[derive(Debug, Default)]
pub struct MirrorStats {
    pub answered: Count,
    pub failed: Count,
    /// Not made because the body was too large.
    pub too_large: Count,
    /// Not made because there were as many under way as there may be.
    pub too_many: Count,
    in_flight: AtomicU64,
    /// Requests so far: which of them are in the share.
    asked: AtomicU64,
}

/// One route's mirror.
#[derive(Debug)]
pub struct Mirror {
    rules: config::Mirror,
    /// The route's name, which marks the copies.
    route: String,
    pub stats: Arc<MirrorStats>,
}

/// A copy in the making: the body comes after the head.
#[derive(Debug)]
pub struct Copy {
    mirror: Arc<Mirror>,
    head: Request<()>,
    body: BytesMut,
    _place: Place,
}

/// One of the copies under way.
#[derive(Debug)]
struct Place(Arc<MirrorStats>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Marks a copy, with the name of its route.
const MARK: &str = "x-floodwall-mirror";

/// Fields about the connection, which the copy's own has.
const HOP_BY_HOP: [header::HeaderName; 6] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];

impl Mirror {
    pub fn new(rules: config::Mirror, route: &str, stats: Arc<MirrorStats>) -> Arc<Self> {
        let route = route.to_owned();
        Arc::new(Self {
            rules,
            route,
            stats,
        })
    }

    /// Begins a copy of a request as the upstream is to get it, if there is to be one.
    pub fn begin(self: &Arc<Self>, request: &RequestHeader) -> Option<Copy> {
        if !self.wants_next() || request.headers.contains_key(header::UPGRADE) {
            return None;
        }
        let length = request
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.rules.body) {
            self.stats.too_large.one();
            return None;
        }
        let head = self.head(request)?;
        let place = self.take_place()?;
        Some(Copy {
            mirror: Arc::clone(self),
            head,
            body: BytesMut::new(),
            _place: place,
        })
    }

    /// Whether the next request is in the share: every tenth for 10%, and evenly for what does not come out even.
    fn wants_next(&self) -> bool {
        let share = u64::from(self.rules.share.millionths());
        let asked = self.stats.asked.fetch_add(1, Relaxed) % 1_000_000;
        (asked + 1) * share / 1_000_000 > asked * share / 1_000_000
    }

    fn take_place(&self) -> Option<Place> {
        let most = u64::from(self.rules.max_in_flight);
        let taken = self
            .stats
            .in_flight
            .fetch_update(Relaxed, Relaxed, |now| (now < most).then_some(now + 1));
        if taken.is_err() {
            self.stats.too_many.one();
            return None;
        }
        Some(Place(Arc::clone(&self.stats)))
    }

    fn head(&self, request: &RequestHeader) -> Option<Request<()>> {
        let uri: Uri = str::from_utf8(request.raw_path()).ok()?.parse().ok()?;
        let mut head = Request::new(());
        *head.method_mut() = Method::clone(&request.method);
        *head.uri_mut() = uri;
        let mut headers: HeaderMap = request.headers.clone();
        for name in &HOP_BY_HOP {
            headers.remove(name);
        }
        // The client of the copy writes it anew.
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(MARK, self.route.parse().ok()?);
        *head.headers_mut() = headers;
        Some(head)
    }
}

impl Copy {
    /// Forgets the body so far: the request is sent once more.
    pub fn restart(&mut self) {
        self.body.clear();
    }

    /// Takes a part of the body in. False when it is too large, and the copy is to be given up.
    pub fn body(&mut self, part: &[u8]) -> bool {
        let fits = (self.body.len() + part.len()) as u64 <= self.mirror.rules.body;
        if fits {
            self.body.extend_from_slice(part);
        } else {
            self.mirror.stats.too_large.one();
        }
        fits
    }

    /// Sends it, without anybody waiting for it.
    pub fn send(self, host: Arc<Host>, generation: Arc<Generation>) {
        tokio::spawn(async move {
            let Self {
                mirror,
                head,
                body,
                _place,
            } = self;
            let bounds = Bounds {
                within: mirror.rules.timeout.into(),
                body: BodyBound::Start { most: MOST_READ },
            };
            let request = head.map(|()| body.freeze());
            let upstream = generation.upstream(mirror.rules.upstream);
            match aside::ask(&host, upstream, request, bounds).await {
                Ok(_) => mirror.stats.answered.one(),
                Err(error) => {
                    mirror.stats.failed.one();
                    tracing::debug!(route = mirror.route, "a mirrored request failed: {error}");
                }
            }
        });
    }
}

/// As much of an answer is read, so that a server is not cut off in the middle of a usual one.
const MOST_READ: usize = 1 << 20;

/// How the mirror of a route stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MirrorStatus {
    pub route: String,
    pub upstream: String,
    /// Sent, and answered somehow.
    pub answered: u64,
    /// Sent, and not answered.
    pub failed: u64,
    /// Not sent: the body was too large.
    pub too_large: u64,
    /// Not sent: as many were under way as there may be.
    pub too_many: u64,
    pub in_flight: u64,
}

/// All mirrors, in the order of their routes.
pub fn status(generation: &Generation) -> Vec<MirrorStatus> {
    let routes = generation.router.routes().iter();
    let mirrors = routes.filter_map(|route| route.mirror.as_ref());
    mirrors
        .map(|mirror| MirrorStatus {
            route: mirror.route.clone(),
            upstream: generation.upstream(mirror.rules.upstream).name.clone(),
            answered: mirror.stats.answered.get(),
            failed: mirror.stats.failed.get(),
            too_large: mirror.stats.too_large.get(),
            too_many: mirror.stats.too_many.get(),
            in_flight: mirror.stats.in_flight.load(Relaxed),
        })
        .collect()
}
