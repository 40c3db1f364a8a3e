//! Work that goes on beside a test until the test has seen enough.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::wait::for_the_clock;

/// A thread that does the same again and again. It ends when this is dropped, so that a test that fails ends.
#[derive(Debug)]
pub struct Repeat<T> {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<T>>>,
}

impl<T: Send + 'static> Repeat<T> {
    /// Starts with the first time at once, in the network namespace of the calling thread. A `period` of zero
    /// is as fast as it goes.
    pub fn every(period: Duration, mut work: impl FnMut() -> T + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut results = Vec::new();
            let mut next = Instant::now();
            while !ends.load(Relaxed) {
                for_the_clock(next);
                results.push(work());
                next += period;
            }
            results
        });
        Self {
            over,
            thread: Some(thread),
        }
    }

    /// Ends the work after the present time, and returns what each time gave. A panic in it is the caller's.
    pub fn stop(mut self) -> Vec<T> {
        self.over.store(true, Relaxed);
        let results = self.thread.take().map(JoinHandle::join);
        results
            .unwrap_or_else(|| Ok(Vec::new()))
            .unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl<T> Drop for Repeat<T> {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // The test has failed already, or does not care.
            let _ = thread.join();
        }
    }
}
