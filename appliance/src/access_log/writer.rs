//! The thread that writes the log, and what waits for it.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use super::sink::Sink;
use crate::stats::Count;

/// Lines wait for the writer up to this, in bytes.
const MOST_PENDING: usize = 4 << 20;

/// A line is on its way to the file within this.
const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// The last lines are written within this, or lost.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// The way to the writer. It never waits for a disk or a reader: lines that the writer cannot keep up with are
/// dropped and counted.
#[derive(Debug)]
pub(super) struct Writer {
    /// Whether anybody reads what is written.
    on: AtomicBool,
    pending: Mutex<Pending>,
    wake: Condvar,
    dropped: Count,
}

#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    /// Where lines go from so many bytes on.
    turns: VecDeque<(usize, Sink)>,
    closed: bool,
    /// The writer has written its last line.
    ended: bool,
}

impl Writer {
    pub(super) fn start(sink: Sink) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self {
            on: AtomicBool::new(sink.is_read()),
            pending: Mutex::default(),
            wake: Condvar::new(),
            dropped: Count::default(),
        });
        let thread = Arc::clone(&writer);
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || thread.run(sink))?;
        Ok(writer)
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Appends the line that `write` makes, or counts it as dropped.
    pub(super) fn append(&self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let mut pending = self.lock();
        let before = pending.lines.len();
        if before < MOST_PENDING && write(&mut pending.lines) {
            pending.lines.push(b'\n');
        } else {
            pending.lines.truncate(before);
            self.dropped.one();
        }
    }

    /// Writes to another sink from the next line on.
    pub(super) fn redirect(&self, sink: Sink) {
        self.on.store(sink.is_read(), Relaxed);
        let mut pending = self.lock();
        let at = pending.lines.len();
        pending.turns.push_back((at, sink));
        drop(pending);
        self.wake.notify_all();
    }

    /// Writes what is pending and ends the thread. Later lines are lost.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
        // A sink that takes nothing more must not keep the process from ending.
        let _ = self
            .wake
            .wait_timeout_while(self.lock(), CLOSE_WITHIN, |pending| !pending.ended);
    }

    fn run(&self, mut sink: Sink) {
        let mut batch = Batch::default();
        let mut last_chance = None;
        loop {
            let closed = self.fetch(&mut batch);
            let (progress, lost) = batch.write(&mut sink);
            self.dropped.add(lost);
            if progress == Progress::Full
                && let Some(next) = batch.turn().or_else(|| self.turn())
            {
                self.dropped.add(batch.tear());
                sink = next;
                continue;
            }
            if closed {
                let end = *last_chance.get_or_insert_with(|| Instant::now() + CLOSE_WITHIN);
                if progress == Progress::Done || Instant::now() >= end {
                    return self.end(&mut batch);
                }
            }
            if progress == Progress::Full {
                sink.wait(FLUSH_AFTER);
            }
        }
    }

    /// Waits for lines, unless there are some left, and tells whether they are the last.
    fn fetch(&self, batch: &mut Batch) -> bool {
        let idle = batch.is_empty();
        let nothing_asked =
            |pending: &mut Pending| idle && !pending.closed && pending.turns.is_empty();
        let (mut pending, _) = self
            .wake
            .wait_timeout_while(self.lock(), FLUSH_AFTER, nothing_asked)
            .unwrap_or_else(PoisonError::into_inner);
        if idle {
            batch.fill(&mut pending);
        }
        pending.closed
    }

    /// Where lines are to go next: sooner than was said, for the present sink takes no more.
    fn turn(&self) -> Option<Sink> {
        self.lock().turns.pop_front().map(|(_, sink)| sink)
    }

    fn end(&self, batch: &mut Batch) {
        let mut pending = self.lock();
        self.dropped
            .add(batch.give_up(batch.lines.len()) + lines(&pending.lines));
        pending.lines.clear();
        pending.ended = true;
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // Whole lines are appended under this lock, or taken off again.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a batch came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing of it is left.
    Done,
    /// The sink is a pipe whose reader is slower.
    Full,
}

/// Lines on their way into a sink, or into several.
#[derive(Debug, Default)]
struct Batch {
    lines: Vec<u8>,
    turns: VecDeque<(usize, Sink)>,
    /// How many bytes were taken.
    done: usize,
    /// The sink has half a line that nobody completes.
    torn: bool,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.done == self.lines.len() && self.turns.is_empty()
    }

    fn fill(&mut self, pending: &mut Pending) {
        self.lines.clear();
        self.done = 0;
        std::mem::swap(&mut self.lines, &mut pending.lines);
        std::mem::swap(&mut self.turns, &mut pending.turns);
    }

    /// Gives each sink what it takes without waiting, and tells how many lines were given up.
    fn write(&mut self, sink: &mut Sink) -> (Progress, u64) {
        let mut lost = 0;
        loop {
            let end = self.turns.front().map_or(self.lines.len(), |(at, _)| *at);
            match self.write_until(end, sink) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (Progress::Full, lost);
                }
                // A full disk, say. The next lines may find it mended.
                Err(_) => lost += self.give_up(end),
            }
            match self.turn() {
                Some(next) => *sink = next,
                None => return (Progress::Done, lost),
            }
        }
    }

    fn write_until(&mut self, end: usize, sink: &mut Sink) -> io::Result<()> {
        if self.torn && self.done < end {
            sink.write(b"\n")?;
            self.torn = false;
        }
        while self.done < end {
            match sink.write(&self.lines[self.done..end]) {
                Ok(taken) => self.done += taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> Option<Sink> {
        self.torn = self.torn && self.turns.is_empty();
        self.turns.pop_front().map(|(_, sink)| sink)
    }

    fn give_up(&mut self, end: usize) -> u64 {
        let lost = lines(&self.lines[self.done..end]);
        self.torn |= self.is_within_a_line();
        self.done = end;
        lost
    }

    /// Leaves the half of a line that the present sink has: the next one begins with a whole one. Tells how many
    /// lines that loses.
    fn tear(&mut self) -> u64 {
        let is_torn = self.is_within_a_line();
        self.torn = false;
        if !is_torn {
            return 0;
        }
        let rest = &self.lines[self.done..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        self.done = end.map_or(self.lines.len(), |end| self.done + end + 1);
        1
    }

    fn is_within_a_line(&self) -> bool {
        let last = self.done.checked_sub(1);
        last.is_some_and(|last| self.lines[last] != b'\n')
    }
}

fn lines(bytes: &[u8]) -> u64 {
    (bytes.split(|byte| *byte == b'\n').count() - 1) as u64
}
