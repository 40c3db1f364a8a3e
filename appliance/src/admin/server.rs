//! Connections to the admin address, each bounded in time and memory.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt::TcpUserTimeout};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{answers::Answers, reply};

/// Readers served at one time; more wait to be accepted. Whoever watches the events is not among them.
const READERS: usize = 64;

/// From a connection's first byte, or the end of its last answer, to the end of the next request's header.
const HEADER: Duration = Duration::from_secs(5);

/// The longest that one connection lasts. A scraper that keeps its own opens another.
const CONNECTION: Duration = Duration::from_mins(5);

/// Bytes of one request's header, and of answers that wait to be written beside the one that is being made.
const BUFFER_BYTES: usize = 16 << 10;

/// Bytes that the kernel holds for a reader who does not read,
const SOCKET_BYTES: usize = 64 << 10;

/// and milliseconds after which it gives such a reader up.
const UNREAD: u32 = 10_000;

/// Serves what may be read until it is dropped.
///
/// # Errors
/// When the runtime cannot watch the listener.
pub async fn serve(listener: std::net::TcpListener, answers: Arc<Answers>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    tokio::spawn(Arc::clone(&answers.feed).keep());
    let room = Arc::new(Semaphore::new(READERS));
    // Closed only when it is dropped, which is here.
    while let Ok(seat) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let seat = Seat::taken(seat);
                tokio::spawn(converse(stream, peer, Arc::clone(&answers), seat));
            }
            Err(error) => {
                tracing::warn!(%error, "the admin address cannot accept");
                // Out of file descriptors, most likely: whoever holds them needs time to give them back.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    Ok(())
}

async fn converse(stream: TcpStream, peer: SocketAddr, answers: Arc<Answers>, seat: Arc<Seat>) {
    // What cannot be set is of a connection that is gone.
    let _ = SockRef::from(&stream).set_send_buffer_size(SOCKET_BYTES);
    let _ = setsockopt(&stream, TcpUserTimeout, &UNREAD);
    let (leave, stays) = (Arc::clone(&seat), seat);
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = answers.answer(&request);
        if reply::lasts(&answer) {
            leave.give_up();
        }
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let ended = match timeout(CONNECTION, connection.as_mut()).await {
        Ok(ended) => ended,
        // The feed ends it, or the kernel.
        Err(_) if stays.is_given_up() => connection.await,
        Err(_) => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a reader of the admin address went away");
    }
}

/// A connection's place among the readers. One that watches the events gives it up for a place of the feed's, so that
/// open pages keep no scraper out.
#[derive(Debug)]
struct Seat(Mutex<Option<OwnedSemaphorePermit>>);

impl Seat {
    fn taken(permit: OwnedSemaphorePermit) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(permit))))
    }

    fn give_up(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn is_given_up(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }
}
