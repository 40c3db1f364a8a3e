//! One thread for all upstreams: it checks their servers and looks up their names, so that no request does.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use floodwall_limiter::Nanos;
use tokio::{
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use super::{health, names};
use crate::{generation::Generation, host::Host};

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Attendant {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// How often it looks what is due: the shortest interval of checks is as long.
const EVERY: Duration = Duration::from_millis(100);

/// Checks that are under way at one time, at most.
const MOST_CHECKS: usize = 64;

/// Names that are looked up at one time, at most; each keeps a thread.
const MOST_LOOKS: usize = 8;

impl Attendant {
    /// Attends to the upstreams of whichever generation the host runs.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn over(host: Arc<Host>) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(MOST_LOOKS)
            .thread_name("look-up")
            .enable_all()
            .build()?;
        let thread = thread::Builder::new()
            .name("upstreams".to_owned())
            .spawn(move || {
                runtime.block_on(attend(&host, stopped));
                // A name that is still looked up is not waited for.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        // Nobody listens when the thread has ended by a panic, which its hook reported.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn attend(host: &Arc<Host>, mut stopped: watch::Receiver<bool>) {
    let checks = Arc::new(Semaphore::new(MOST_CHECKS));
    loop {
        let generation = host.pin();
        for index in 0..generation.upstreams().len() {
            look_up_due(host, &generation, index);
            check_due(host, &generation, index, &checks);
        }
        drop(generation);
        tokio::select! {
            _ = stopped.changed() => return,
            () = sleep(EVERY) => {}
        }
    }
}

/// Looks up the names that are due, and lets the upstream follow what was found meanwhile.
fn look_up_due(host: &Arc<Host>, generation: &Arc<Generation>, index: usize) {
    let upstream = &generation.upstreams()[index];
    for name in upstream.names() {
        if !upstream.state.names.take_look(&name, host.now()) {
            continue;
        }
        let (host, generation) = (Arc::clone(host), Arc::clone(generation));
        tokio::spawn(async move {
            let upstream = &generation.upstreams()[index];
            let dns = &upstream.config.dns;
            let asked = name.clone();
            let look = tokio::task::spawn_blocking(move || names::look_up(&asked));
            let answer = match timeout(dns.timeout.into(), look).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(panicked)) => Err(io::Error::other(panicked)),
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
            };
            upstream
                .state
                .names
                .answered(&name, answer, dns, host.now());
        });
    }
    if upstream.follow_names(host.now()) {
        upstream.take_over();
        host.departures.send_replace(());
    }
}

/// Begins the checks that are due.
fn check_due(
    host: &Arc<Host>,
    generation: &Arc<Generation>,
    index: usize,
    checks: &Arc<Semaphore>,
) {
    let upstream = &generation.upstreams()[index];
    if upstream.config.health.is_none() {
        return;
    }
    let group = upstream.group();
    // Whatever changed since: a check of another generation, for one that has begun before a reload.
    group.look();
    for (at, server) in group.servers.iter().enumerate() {
        if !server.live.vitals.take_check(host.now()) {
            continue;
        }
        let (host, generation) = (Arc::clone(host), Arc::clone(generation));
        let (group, checks) = (Arc::clone(&group), Arc::clone(checks));
        tokio::spawn(async move {
            // It is never closed.
            let _permit = checks.acquire().await;
            let upstream = &generation.upstreams()[index];
            let Some(rule) = &upstream.config.health else {
                return;
            };
            let server = &group.servers[at];
            let found = health::check(upstream, server, rule).await;
            let fell_ill = note(&upstream.name, server, rule, found, host.now());
            group.look();
            if fell_ill {
                host.departures.send_replace(());
            }
        });
    }
}

/// Takes note of a check, tells the operator what is new, and answers whether the server is unhealthy from now on.
fn note(
    upstream: &str,
    server: &super::Server,
    rule: &floodwall_config::Health,
    found: Result<(), health::Illness>,
    now: Nanos,
) -> bool {
    let (live, endpoint) = (&server.live, &server.endpoint);
    let change = live.vitals.checked(found.is_ok(), rule, now);
    match (change, found) {
        (Some(true), _) => {
            live.begin(now);
            tracing::info!("{endpoint} of upstream {upstream} is well again");
        }
        (Some(false), Err(illness)) => {
            tracing::warn!("{endpoint} of upstream {upstream} is unhealthy: {illness}");
            live.failed(illness.to_string(), now);
        }
        (_, Err(illness)) => live.failed(illness.to_string(), now),
        (_, Ok(())) => {}
    }
    change == Some(false)
}
