//! One request to one server, apart from the proxy: what background tasks ask upstreams with.
//!
//! Each request has a connection of its own, one deadline for everything, and a bound on what is read of the answer.
//! Nothing here retries, balances or counts: that is for whoever asks.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

use crate::upstream::Endpoint;

/// A server and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Server {
    pub endpoint: Endpoint,
    /// What a connection begins with, before anything else; nothing for most.
    pub preface: Vec<u8>,
    /// None: in plain text.
    pub tls: Option<Tls>,
}

/// What is asked of a server's certificate, and which one is shown to it.
#[derive(Clone, Debug)]
pub struct Tls {
    pub config: Arc<rustls::ClientConfig>,
    pub name: ServerName<'static>,
}

/// What a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From opening the connection to the last byte that is read.
    pub within: Duration,
    pub body: BodyBound,
}

/// How much of an answer's body is read.
#[derive(Clone, Copy, Debug)]
pub enum BodyBound {
    /// All of it; one of more bytes is an error.
    Whole { most: usize },
    /// The first bytes; the rest is not waited for.
    Start { most: usize },
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error("no connection to the server: {0}")]
    Connect(#[source] io::Error),
    #[error("no TLS with the server: {0}")]
    Tls(#[source] io::Error),
    #[error("no answer from the server: {0}")]
    Exchange(#[source] hyper::Error),
    #[error("the answer's body has more than {most} bytes")]
    TooLarge { most: usize },
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
}

/// Sends a request and reads the answer.
///
/// The target is in origin form, and the caller sets `Host`. Fields about the connection are set here.
///
/// # Errors
/// [`FetchError`] when there is no answer within the bounds. An answer with a bad status is one.
pub async fn fetch(
    server: &Server,
    request: Request<Bytes>,
    bounds: Bounds,
) -> Result<Response<Bytes>, FetchError> {
    let whole = async { exchange(open(server).await?, request, bounds.body).await };
    tokio::time::timeout(bounds.within, whole)
        .await
        .unwrap_or(Err(FetchError::Timeout(bounds.within)))
}

/// Opens a connection, with TLS where there is TLS, and closes it again.
///
/// # Errors
/// [`FetchError`] when there is no connection `within` this time.
pub async fn connect(server: &Server, within: Duration) -> Result<(), FetchError> {
    tokio::time::timeout(within, open(server))
        .await
        .unwrap_or(Err(FetchError::Timeout(within)))
        .map(drop)
}

/// A connection of any kind.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

async fn open(server: &Server) -> Result<Box<dyn Wire>, FetchError> {
    let mut plain: Box<dyn Wire> = match &server.endpoint {
        Endpoint::Ip(address) => {
            let stream = TcpStream::connect(address)
                .await
                .map_err(FetchError::Connect)?;
            // One small write each way: nothing is gained by waiting for more.
            let _ = stream.set_nodelay(true);
            Box::new(stream)
        }
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path)
                .await
                .map_err(FetchError::Connect)?;
            Box::new(stream)
        }
    };
    plain
        .write_all(&server.preface)
        .await
        .map_err(FetchError::Connect)?;
    let Some(tls) = &server.tls else {
        return Ok(plain);
    };
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    let secured = connector
        .connect(tls.name.clone(), plain)
        .await
        .map_err(FetchError::Tls)?;
    Ok(Box::new(secured))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Bytes>,
    body: BodyBound,
) -> Result<Response<Bytes>, FetchError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(FetchError::Exchange)?;
    let mut request = request.map(Full::new);
    request
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    let answer = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(FetchError::Exchange)?;
        let (head, incoming) = response.into_parts();
        Ok(Response::from_parts(head, read(incoming, body).await?))
    };
    tokio::select! {
        answer = answer => answer,
        // Its errors are the answer's too, so that its end alone decides nothing.
        never = drive(connection) => match never {},
    }
}

/// Bounds the head of an answer.
const MOST_HEAD_BYTES: usize = 64 << 10;

/// Moves the bytes of a connection, and never comes to an end.
async fn drive(connection: impl Future<Output = hyper::Result<()>>) -> Infallible {
    let _ = connection.await;
    std::future::pending().await
}

async fn read(mut incoming: Incoming, bound: BodyBound) -> Result<Bytes, FetchError> {
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(FetchError::Exchange)?.into_data() else {
            continue;
        };
        match bound {
            BodyBound::Whole { most } if body.len() + data.len() > most => {
                return Err(FetchError::TooLarge { most });
            }
            BodyBound::Start { most } if body.len() + data.len() >= most => {
                body.extend_from_slice(&data[..most - body.len()]);
                break;
            }
            _ => body.extend_from_slice(&data),
        }
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests;
