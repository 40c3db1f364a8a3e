//! One HTTP/2 stream: the request's state, and its end when it takes too long.
//!
//! Over HTTP/1 the guard below the engine ends what takes too long. A stream has no bytes of its own to fail, and the
//! engine waits for a body for ever; so its whole future is given up, which resets the stream.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use floodwall_limiter::Nanos;
use pingora_core::{
    apps::HttpServerApp,
    protocols::http::{ServerSession, v2::server::HttpSession},
};
use pingora_proxy::HttpProxy;
use tokio::{
    sync::watch,
    time::{Instant, Sleep},
};

use crate::{
    early,
    proxy::Proxy,
    refusal,
    server::{connection::Connection, progress::Progress},
};

/// Where a stream's request comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    pub connection: Arc<Connection>,
    pub progress: Arc<Progress>,
}

tokio::task_local! {
    /// The engine's session has no place for what belongs to a stream; its task has.
    static ORIGIN: Origin;
}

/// The origin of the stream whose task this is.
pub fn origin() -> Option<Origin> {
    ORIGIN.try_with(Clone::clone).ok()
}

/// What is to become of the connection after one of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Stay,
    /// Its client is blocked now.
    End,
}

/// Serves one request.
pub(super) async fn serve(
    session: HttpSession,
    connection: Arc<Connection>,
    proxy: Arc<HttpProxy<Proxy>>,
    leave: watch::Receiver<bool>,
) -> After {
    let progress = Arc::<Progress>::default();
    let origin = Origin {
        connection: Arc::clone(&connection),
        progress: Arc::clone(&progress),
    };
    let request = async {
        let session = ServerSession::new_http2(session);
        proxy.process_new_http(session, &leave).await;
    };
    let bounded = Bounded {
        request: Box::pin(request),
        connection,
        progress: Arc::clone(&progress),
        timer: None,
    };
    ORIGIN.scope(origin, bounded).await;
    if progress.is_last() {
        After::End
    } else {
        After::Stay
    }
}

/// Answers a request that no phase is to see.
pub(super) async fn refuse(
    mut session: HttpSession,
    connection: Arc<Connection>,
    fault: early::Fault,
) -> After {
    early::note(&connection, fault);
    if let Ok(answer) = refusal::plain(fault.status, fault.what) {
        // A client that is gone takes no answer.
        let _ = session.write_response_header(answer.header, false);
        let _ = session.write_body(answer.body.into(), true).await;
    }
    After::Stay
}

/// A request that is given up when its time is over.
struct Bounded<F> {
    request: Pin<Box<F>>,
    connection: Arc<Connection>,
    progress: Arc<Progress>,
    /// The clock, and the moment that it was set for.
    timer: Option<(Nanos, Pin<Box<Sleep>>)>,
}

impl<F: Future<Output = ()>> Future for Bounded<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.request.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        loop {
            // The phases move it while they run.
            let Some(due) = self.progress.due() else {
                return Poll::Pending;
            };
            let now = self.connection.host.now();
            if due <= now {
                self.progress.give_up(now);
                return Poll::Ready(());
            }
            // A moment that moved away is noticed when the clock rings, so that a body resets no timers.
            if self
                .timer
                .as_ref()
                .is_none_or(|(set_for, _)| *set_for > due)
            {
                let sleep = tokio::time::sleep_until(Instant::now() + due.minus(now).into());
                self.timer = Some((due, Box::pin(sleep)));
            }
            let rings = self
                .timer
                .as_mut()
                .is_some_and(|(_, sleep)| sleep.as_mut().poll(context).is_ready());
            if !rings {
                return Poll::Pending;
            }
            self.timer = None;
        }
    }
}
