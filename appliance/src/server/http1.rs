//! HTTP/1 towards clients: one request after the other, and between them nothing but the connection itself.
//!
//! What the engine keeps of a request, its buffers and the futures of its phases, are tens of kibibytes. They are made
//! when the request's first byte is there and are gone with its last, so that a connection that waits has none of them.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use pingora_core::{
    apps::HttpServerApp,
    protocols::{Stream, http::ServerSession},
};
use pingora_proxy::HttpProxy;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    FIRST_REQUEST,
    guard::Guard,
    progress::{Moment, Phase, Progress},
};
use crate::proxy::Proxy;

/// How often a connection with a request under way is looked at when everybody is to leave.
const LOOK: Duration = Duration::from_millis(20);

/// Serves requests until one is the last, the client leaves or says nothing for too long, or everybody must go.
pub(super) async fn serve(
    mut guard: Box<Guard>,
    proxy: Arc<HttpProxy<Proxy>>,
    leave: watch::Receiver<bool>,
) {
    let connection = Arc::clone(guard.connection());
    let idle = connection.rules.idle;
    let mut dismissed = pin!(dismissed(leave.clone(), Arc::clone(guard.progress())));
    let mut silence = pin!(sleep(idle));
    loop {
        tokio::select! {
            biased;
            () = poll_fn(|context| guard.poll_next(context)) => {}
            () = &mut dismissed => return,
            () = &mut silence => match idle_left(&guard, idle) {
                Some(left) => {
                    silence.as_mut().reset(Instant::now() + left);
                    continue;
                }
                None => return,
            },
        }
        let mut session = ServerSession::new_http1(guard);
        session.set_keepalive((!*leave.borrow()).then_some(idle.as_secs().max(1)));
        let next = tokio::select! {
            biased;
            next = proxy.process_new_http(session, &leave) => next,
            () = &mut dismissed => None,
        };
        // Whoever gets the connection after the engine; without a connection it is told so by being dropped.
        let successor = connection.successor();
        let Some(back) = next.and_then(|reused| guard_of(reused.consume().0)) else {
            return;
        };
        if let Some(joined) = successor {
            // In a box: what a tunnel keeps is larger than what a connection does that waits.
            return Box::pin(joined.run(*back, leave)).await;
        }
        guard = back;
    }
}

/// How much longer the connection may say nothing; nothing when it has been silent for that long. Setting a timer with
/// each request would cost every one of them what is asked here when the first has run out.
fn idle_left(guard: &Guard, idle: Duration) -> Option<Duration> {
    let ended = guard.progress().ended()?;
    let silent = guard.connection().host.now().minus(ended);
    idle.checked_sub(silent.into())
        .filter(|left| !left.is_zero())
}

/// The guard that a session was made of.
fn guard_of(stream: Stream) -> Option<Box<Guard>> {
    stream.into_any().downcast().ok()
}

/// Comes true when everybody is to leave and this client has no request under way. One that has just come has not
/// had the time to send its first.
async fn dismissed(mut leave: watch::Receiver<bool>, progress: Arc<Progress>) {
    // Whoever gives the order outlives the connections.
    if leave.wait_for(|leaves| *leaves).await.is_err() {
        return std::future::pending().await;
    }
    let before_all = Moment {
        phase: Phase::Idle,
        request: 0,
    };
    if progress.moment() == before_all {
        sleep(FIRST_REQUEST).await;
    }
    while progress.phase() != Phase::Idle {
        sleep(LOOK).await;
    }
}
