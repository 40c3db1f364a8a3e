//! The admin address: what operators and Prometheus may read over HTTP. Nothing can be changed here.
//!
//! It has a thread apart from the proxy's, so that a flood on the listeners does not keep the operator out.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use crate::{
    blocks,
    metrics::{MEDIA_TYPE, Metrics},
    service::Service,
    status,
};

/// Readers served at one time; more wait to be accepted.
const READERS: usize = 64;

/// From a connection's first byte, or the end of its last answer, to the end of the next request's header.
const HEADER: Duration = Duration::from_secs(5);

/// The longest that one connection lasts. A scraper that keeps its own opens another.
const CONNECTION: Duration = Duration::from_mins(5);

/// Bytes of one request's header.
const HEADER_BYTES: usize = 16 << 10;

/// The pages, ready to be read.
#[derive(Debug)]
pub struct Pages {
    service: Arc<Service>,
    metrics: Metrics,
}

impl Pages {
    pub fn new(service: Arc<Service>) -> Self {
        Self {
            metrics: Metrics::new(Arc::clone(&service)),
            service,
        }
    }

    /// One gate as it stands.
    fn gate(&self, name: &str) -> Response<Full<Bytes>> {
        let host = &self.service.host;
        let gates = status::gates(&host.generation(), host);
        match gates.iter().find(|gate| gate.name == name) {
            Some(gate) => json(gate),
            None => page(
                StatusCode::NOT_FOUND,
                "text/plain; charset=utf-8",
                format!("there is no gate {name}\n"),
            ),
        }
    }

    /// The answer to one request.
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return only_reading();
        }
        match request.uri().path() {
            "/" => page(StatusCode::OK, "text/plain; charset=utf-8", INDEX),
            "/metrics" => match self.metrics.text() {
                Ok(text) => page(StatusCode::OK, MEDIA_TYPE, text),
                Err(error) => failed(&error),
            },
            "/status" => json(&self.service.status()),
            "/blocks" => json(&blocks::list(&self.service.host)),
            "/limits" => {
                let host = &self.service.host;
                json(&status::limits(&host.generation(), host.now()))
            }
            path if let Some(name) = path.strip_prefix("/gates/") => self.gate(name),
            _ => page(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", INDEX),
        }
    }
}

const INDEX: &str = "\
Floodwall, the admin address: for reading only.

  /status   everything at a glance, as JSON
  /limits   the limits of requests and what they did, as JSON
  /gates/NAME  who is let in by a gate, and how many were refused, as JSON
  /blocks   the sources that are kept out, why and until when, as JSON
  /metrics  all numbers for Prometheus

To change something: floodwall blocks, floodwall reload.
";

/// Serves the pages until it is dropped.
///
/// # Errors
/// When the runtime cannot watch the listener.
pub async fn serve(listener: std::net::TcpListener, pages: Arc<Pages>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(READERS));
    loop {
        let seat = Arc::clone(&room).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, peer)) => {
                let pages = Arc::clone(&pages);
                tokio::spawn(async move {
                    let _seat = seat;
                    converse(stream, peer, pages).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin address cannot accept");
                // Out of file descriptors, most likely: whoever holds them needs time to give them back.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, pages: Arc<Pages>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = pages.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    if let Ok(Err(error)) = timeout(CONNECTION, connection).await {
        tracing::debug!(%peer, %error, "a reader of the admin address went away");
    }
}

fn json(document: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_vec_pretty(document) {
        Ok(mut text) => {
            text.push(b'\n');
            page(StatusCode::OK, "application/json", text)
        }
        Err(error) => failed(&error),
    }
}

fn only_reading() -> Response<Full<Bytes>> {
    let mut response = page(
        StatusCode::METHOD_NOT_ALLOWED,
        "text/plain; charset=utf-8",
        "only GET and HEAD\n",
    );
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn failed(error: &dyn std::error::Error) -> Response<Full<Bytes>> {
    page(
        StatusCode::INTERNAL_SERVER_ERROR,
        "text/plain; charset=utf-8",
        format!("{error}\n"),
    )
}

fn page(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
