//! Some of the packets that the kernel dropped, one by one: into the log, and the last of them for `status`.
//!
//! The program shows no more than `prefilter.sample` allows, so that no flood makes a flood of lines.

use std::{
    collections::VecDeque,
    io,
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, SystemTime},
};

use floodwall_xdp::Sample;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use serde::{Deserialize, Serialize};

use crate::{access_log::timestamp, host::Host};

/// A packet that the kernel dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// RFC 3339 in UTC.
    pub at: String,
    /// Absent when the packet could not be parsed.
    pub source: Option<String>,
    /// The destination port, where there is one.
    pub port: Option<u16>,
    pub protocol: String,
    pub reason: String,
    /// The limit that refused it.
    pub limit: Option<String>,
    pub interface: String,
    pub bytes: u32,
}

/// The last samples, the latest first.
#[derive(Debug, Default)]
pub struct Recent(Mutex<VecDeque<Dropped>>);

/// So many are kept.
const KEPT: usize = 32;

impl Recent {
    pub fn all(&self) -> Vec<Dropped> {
        self.lock().iter().cloned().collect()
    }

    fn keep(&self, dropped: Dropped) {
        let mut kept = self.lock();
        kept.truncate(KEPT - 1);
        kept.push_front(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Dropped>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many milliseconds the thread waits for a sample before it looks whether the host is still there.
const PATIENCE: u8 = 250;

/// Starts the thread that takes out samples as they come, for as long as the host is there.
///
/// # Errors
/// When there is no thread to be had.
pub fn watch(host: &Arc<Host>) -> io::Result<()> {
    let host = Arc::downgrade(host);
    let thread = thread::Builder::new().name("samples".to_owned());
    thread.spawn(move || {
        if let Err(error) = follow(&host) {
            tracing::error!(%error, "dropped packets are not shown any more");
        }
    })?;
    Ok(())
}

fn follow(host: &Weak<Host>) -> Result<(), Unreadable> {
    let Some(opened) = host.upgrade().and_then(|host| host.kernel.samples()) else {
        return Ok(());
    };
    let mut samples = opened?;
    loop {
        let readable = PollFd::new(samples.as_fd(), PollFlags::POLLIN);
        match poll(&mut [readable], PollTimeout::from(PATIENCE)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(host) = host.upgrade() else {
            return Ok(());
        };
        while let Some(sample) = host.kernel.next_sample(&mut samples) {
            let dropped = show(&host, &sample);
            tell(&dropped);
            host.samples.keep(dropped);
        }
    }
}

/// Why samples cannot be read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Kernel(#[from] floodwall_xdp::Error),
    #[error("cannot wait for samples: {0}")]
    Poll(#[from] Errno),
}

fn tell(dropped: &Dropped) {
    tracing::info!(
        source = dropped.source,
        port = dropped.port,
        protocol = dropped.protocol,
        reason = dropped.reason,
        limit = dropped.limit,
        interface = dropped.interface,
        bytes = dropped.bytes,
        "dropped in the kernel"
    );
}

fn show(host: &Host, sample: &Sample) -> Dropped {
    let age = host.now().minus(sample.time);
    Dropped {
        at: timestamp(SystemTime::now() - Duration::from(age)),
        source: sample.source.map(|source| source.to_string()),
        port: sample.port,
        protocol: protocol(sample.protocol),
        reason: sample.reason.name().to_owned(),
        limit: sample.limit.clone(),
        interface: host.kernel.interface(sample.ifindex),
        bytes: sample.bytes,
    }
}

/// The name of a protocol above IP, or its number.
pub(super) fn protocol(number: u8) -> String {
    let name = match number {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmpv6",
        132 => "sctp",
        _ => return number.to_string(),
    };
    name.to_owned()
}
