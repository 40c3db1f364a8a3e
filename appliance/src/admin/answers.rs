//! What may be read, by its path.

use std::sync::Arc;

use http::{Method, Request, StatusCode, header};

use super::{
    authority,
    events::Feed,
    page::Page,
    reply::{self, Reply, TEXT},
};
use crate::{
    blocks, fields,
    metrics::{MEDIA_TYPE, Metrics, plain},
    service::Service,
    status,
};

/// Everything that is answered.
#[derive(Debug)]
pub struct Answers {
    service: Arc<Service>,
    metrics: Metrics,
    page: Page,
    pub(super) feed: Arc<Feed>,
}

const INDEX: &str = "\
Floodwall, the admin address: for reading only.

  /         in a browser: everything at a glance, live
  /status   everything at a glance, as JSON
  /events   the same and the blocks, once a second, as server-sent events
  /limits   the limits of requests and what they did, as JSON
  /gates/NAME  who is let in by a gate, and how many were refused, as JSON
  /blocks   the sources that are kept out, why and until when, as JSON
  /metrics  all numbers for Prometheus

To change something: floodwall blocks, floodwall reload.
";

impl Answers {
    pub fn new(service: Arc<Service>) -> Self {
        Self {
            metrics: Metrics::new(Arc::clone(&service)),
            page: Page::new(),
            feed: Feed::of(Arc::clone(&service)),
            service,
        }
    }

    /// The answer to one request.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Reply {
        let generation = self.service.host.generation();
        if let Some(name) = authority::strange(request, &generation.config.admin.hosts) {
            return misdirected(name);
        }
        if authority::is_lured(request) {
            return reply::whole(
                StatusCode::FORBIDDEN,
                TEXT,
                "asked by a page of another site\n",
            );
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return reply::only_reading();
        }
        match request.uri().path() {
            "/" if reads_html(request) => self.page.index(request),
            "/" => {
                let mut index = reply::whole(StatusCode::OK, TEXT, INDEX);
                reply::set(&mut index, header::VARY, "accept");
                index
            }
            "/events" => self.events(request),
            "/metrics" => self.metrics(request),
            "/status" => reply::json(&self.service.status()),
            "/blocks" => reply::json(&blocks::list(&self.service.host)),
            "/limits" => {
                let host = &self.service.host;
                reply::json(&status::limits(host, &host.generation()))
            }
            path if let Some(name) = path.strip_prefix("/gates/") => self.gate(name),
            path => self
                .page
                .part(path, request)
                .unwrap_or_else(|| reply::whole(StatusCode::NOT_FOUND, TEXT, INDEX)),
        }
    }

    /// The page of metrics, in the older format for those who ask for that alone.
    fn metrics<B>(&self, request: &Request<B>) -> Reply {
        let is_plain = accepts(request, "text/plain") && !accepts(request, OPEN_METRICS);
        let (media_type, text) = if is_plain {
            (plain::MEDIA_TYPE, self.metrics.plain_text())
        } else {
            (MEDIA_TYPE, self.metrics.text())
        };
        match text {
            Ok(text) => {
                let mut page = reply::whole(StatusCode::OK, media_type, text);
                reply::set(&mut page, header::VARY, "accept");
                page
            }
            Err(error) => reply::failed(&error),
        }
    }

    /// One gate as it stands.
    fn gate(&self, name: &str) -> Reply {
        let host = &self.service.host;
        let gates = status::gates(&host.generation(), host);
        match gates.iter().find(|gate| gate.name == name) {
            Some(gate) => reply::json(gate),
            None => reply::whole(
                StatusCode::NOT_FOUND,
                TEXT,
                format!("there is no gate {name}\n"),
            ),
        }
    }

    fn events<B>(&self, request: &Request<B>) -> Reply {
        if request.method() == Method::HEAD {
            return reply::whole(StatusCode::OK, "text/event-stream", "");
        }
        match self.feed.watch() {
            Ok(events) => reply::stream(events),
            Err(why) => reply::busy(why.text()),
        }
    }
}

/// Whether it is a browser that asks, rather than `curl`.
fn reads_html<B>(request: &Request<B>) -> bool {
    accepts(request, "text/html")
}

const OPEN_METRICS: &str = "application/openmetrics-text";

/// Whether a request names this media type among those that it likes; `*/*` does not count.
fn accepts<B>(request: &Request<B>, wanted: &str) -> bool {
    fields::words(request.headers(), &header::ACCEPT)
        .filter_map(|range| range.split(';').next())
        .any(|media| media.trim().eq_ignore_ascii_case(wanted))
}

/// The request was made for somebody else's name.
fn misdirected(name: &[u8]) -> Reply {
    let name = name.escape_ascii();
    reply::whole(
        StatusCode::MISDIRECTED_REQUEST,
        TEXT,
        format!(
            "asked for as `{name}`; allowed: an address, localhost, or a name that is in admin.hosts\n"
        ),
    )
}
