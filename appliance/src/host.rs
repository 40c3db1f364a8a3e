//! What outlives every generation: the flow table, the book of blocks, the counters, and the door to the kernel.

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::{ArcSwap, Guard};
use floodwall_limiter::{Nanos, Secret, clock::Clock};
use tokio::sync::watch;

use crate::{
    access_log::AccessLog,
    blocks::Budget,
    clock::Monotonic,
    gate::Journal,
    generation::Generation,
    memory::{Book, Table},
    prefilter::{Kernel, samples::Recent},
    pressure::Readings,
    protection::Traffic,
    state::Report,
    stats::Stats,
};

/// The running front door. One value for the whole process, shared by every thread.
#[derive(Debug)]
pub struct Host {
    pub table: Table,
    pub book: Book,
    /// What of the blocks that limits may make is spent.
    pub budget: Budget,
    pub kernel: Kernel,
    /// The last packets that the kernel dropped and showed.
    pub samples: Recent,
    pub stats: Stats,
    pub access_log: AccessLog,
    /// What keeps those who were let in by gates.
    pub journal: Journal,
    /// How it goes with what is kept in the `state` folder.
    pub state: Arc<Report>,
    pub started: Started,
    /// This process serves only what it has: no connection is kept.
    pub leaving: AtomicBool,
    /// What overload protection counts.
    pub traffic: Traffic,
    /// How hard the machine works.
    pub pressure: Arc<Readings>,
    /// Tells every thread that servers may have left, for the connections that it keeps.
    pub departures: watch::Sender<()>,
    generation: ArcSwap<Generation>,
    next_request: AtomicU64,
    request_prefix: u32,
}

/// When the process began, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    pub monotonic: Nanos,
    pub wall: std::time::SystemTime,
}

impl Host {
    /// Puts the first generation into its house.
    pub fn new(
        table: Table,
        book: Book,
        kernel: Kernel,
        stats: Stats,
        access_log: AccessLog,
        journal: Journal,
        first: Arc<Generation>,
    ) -> Self {
        first.take_over();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "any 32 bits of the hash will do"
        )]
        let request_prefix = table.secret().hash_words([Monotonic.now().0]) as u32;
        let budget = Budget::with(&book.list(&table, Monotonic.now()));
        Self {
            table,
            book,
            budget,
            kernel,
            samples: Recent::default(),
            stats,
            access_log,
            state: Arc::clone(journal.report()),
            journal,
            started: Started {
                monotonic: Monotonic.now(),
                wall: std::time::SystemTime::now(),
            },
            leaving: AtomicBool::new(false),
            traffic: Traffic::default(),
            pressure: Arc::default(),
            departures: watch::Sender::default(),
            generation: ArcSwap::new(first),
            next_request: AtomicU64::new(1),
            request_prefix,
        }
    }

    /// The generation for a short look. Whoever keeps one for a request takes [`Host::pin`].
    pub fn generation(&self) -> Guard<Arc<Generation>> {
        self.generation.load()
    }

    /// The generation that a request keeps until it ends.
    pub fn pin(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// Makes `next` the generation of every request from now on.
    pub fn switch(&self, next: Arc<Generation>) {
        next.take_over();
        self.generation.store(next);
        self.stats.tokens.wake();
        self.departures.send_replace(());
    }

    pub fn now(&self) -> Nanos {
        Monotonic.now()
    }

    pub fn secret(&self) -> Secret {
        self.table.secret()
    }

    /// A number that nobody outside can foresee.
    pub fn chance(&self) -> u64 {
        let number = self.next_request.fetch_add(1, Relaxed);
        self.secret().hash_words([number, Monotonic.now().0])
    }

    /// A request id that is unique on this host: it names the process and counts its requests.
    pub fn request_id(&self) -> RequestId {
        let number = self.next_request.fetch_add(1, Relaxed) & 0xffff_ffff;
        RequestId(u64::from(self.request_prefix) << 32 | number)
    }
}

/// Names one request, in sixteen hexadecimal digits, to the upstream and in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// What it is written as.
    pub fn digits(self) -> [u8; 16] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 16];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        digits
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits()
            .iter()
            .try_for_each(|digit| f.write_char((*digit).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn an_id_is_sixteen_hexadecimal_digits() {
        for id in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(RequestId(id).to_string(), format!("{id:016x}"));
        }
    }
}
