//! A circuit breaker: when too many answers are bad it asks no more for a while, then tries a few.

mod state;

use self::state::{HalfOpen, State};
use super::window::{Counts, Window};
use crate::{
    Nanos,
    sync::{AtomicU64, Ordering::SeqCst, exchange},
};

/// When a breaker opens, and how it closes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub trip: Trip,
    /// The breaker does not open on fewer answers than this in its window.
    pub min_requests: u64,
    /// How long nothing is asked.
    pub open_for: Nanos,
    /// So many good answers close it, and no more than that are asked for at one time: 1 to [`MOST_PROBES`].
    pub probes: u8,
    /// A probe without an answer gives its place to another one after this.
    pub probe_within: Nanos,
}

/// What opens a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// Bad answers are this share of all or more, in parts per million.
    Share(u32),
    /// There are so many bad answers or more.
    Count(u64),
}

/// What a breaker's state word can count.
pub const MOST_PROBES: u8 = state::MOST_PROBES;

/// The state of one breaker: a window of answers and one word. It outlives the rules that it is asked by.
///
/// All of it is decided by whoever asks or answers, by compare-exchange; there is no timer. Accepted: an answer
/// that comes while the breaker changes may be counted by neither state, or by both, one for each thread; and a
/// probe that lasts for 4,096 half-open phases is taken for one of the present phase.
#[derive(Debug)]
pub struct Breaker {
    word: AtomicU64,
    phases: AtomicU64,
    since: AtomicU64,
    window: Window,
}

/// Leave to ask. It goes back by [`Breaker::answered`] or [`Breaker::release`], once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a probe that does not come back holds its place until its deadline"]
pub enum Pass {
    /// The breaker is closed.
    Free,
    /// One of the few of a half-open breaker.
    Probe(Probe),
}

/// Which half-open phase, and which batch of it, a probe belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    phase: u16,
    batch: u8,
}

/// The breaker is open, or has its probes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When it is worth asking again.
    pub retry_after: Nanos,
}

/// How an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Good,
    Bad,
}

/// What an answer did to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The answers of the window were too bad.
    Opened(Counts),
    /// A probe was answered badly.
    Reopened,
    /// Enough probes were answered well.
    Closed,
}

/// What a breaker looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub position: Position,
    /// When it came into this state; [`Nanos::ZERO`] for a breaker that was always closed.
    pub since: Nanos,
    /// The answers in its window; none counts unless it is closed.
    pub counts: Counts,
}

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    Closed,
    Open { left: Nanos },
    HalfOpen { in_flight: u8, succeeded: u8 },
}

impl Breaker {
    /// A closed breaker that looks at the answers of the last `span`.
    pub fn new(span: Nanos) -> Self {
        Self {
            word: AtomicU64::new(State::Closed { phase: 0 }.pack()),
            phases: AtomicU64::new(1),
            since: AtomicU64::new(0),
            window: Window::new(span),
        }
    }

    /// A breaker with another window in the place of this one. An open breaker stays open for as long; answers
    /// that were counted by other rules are forgotten.
    #[must_use]
    pub fn succeed(&self, span: Nanos, now: Nanos) -> Self {
        let next = Self::new(span);
        let until = match self.state() {
            State::Closed { .. } => return next,
            State::Open { until } => until,
            State::HalfOpen(_) => now,
        };
        next.word.store(State::Open { until }.pack(), SeqCst);
        next.since.store(self.since.load(SeqCst), SeqCst);
        next
    }

    /// Goes on where another breaker stood, which was open for `left` more and had changed at `since`: one whose time
    /// is over tries. Tells whether it does; a breaker that has changed already goes by what it saw itself.
    pub fn resume(&self, left: Nanos, since: Nanos, now: Nanos) -> bool {
        let word = self.word.load(SeqCst);
        if State::unpack(word) != (State::Closed { phase: 0 }) || self.since.load(SeqCst) != 0 {
            return false;
        }
        let resumed = self.replace(
            word,
            State::Open {
                until: now.plus(left),
            },
        );
        if resumed {
            // Zero is for a breaker that was always closed.
            self.since.store(since.0.max(1), SeqCst);
        }
        resumed
    }

    /// The span of its window.
    pub fn span(&self) -> Nanos {
        self.window.span()
    }

    /// Asks for leave to ask.
    ///
    /// # Errors
    /// [`Refused`] while the breaker is open, and while a half-open one has all its probes out.
    pub fn ask(&self, rule: &Rule, now: Nanos) -> Result<Pass, Refused> {
        loop {
            let word = self.word.load(SeqCst);
            let state = State::unpack(word);
            if let Some(refused) = state.refuses(rule, now) {
                return Err(refused);
            }
            let next = match state {
                State::Closed { .. } => return Ok(Pass::Free),
                State::Open { .. } => HalfOpen::begin(self.next_phase()),
                State::HalfOpen(half) if half.wants_more(rule.probes) => half,
                State::HalfOpen(half) => half.next_batch(),
            };
            let next = next.with_one_more(now.plus(rule.probe_within));
            if self.replace(word, State::HalfOpen(next)) {
                if matches!(state, State::Open { .. }) {
                    self.since.store(now.0, SeqCst);
                }
                return Ok(Pass::Probe(next.probe()));
            }
        }
    }

    /// Counts an answer, and tells what it changed.
    pub fn answered(&self, rule: &Rule, pass: Pass, answer: Answer, now: Nanos) -> Option<Change> {
        match pass {
            Pass::Free => self.count(rule, answer, now),
            Pass::Probe(probe) => self.judge(rule, probe, answer, now),
        }
    }

    /// An answer that began well ended badly: one of those that were counted as good was bad.
    pub fn broke_off(&self, rule: &Rule, now: Nanos) -> Option<Change> {
        let word = self.word.load(SeqCst);
        if !matches!(State::unpack(word), State::Closed { .. }) {
            return None;
        }
        self.window.add_bad(now);
        self.trip(rule, word, now)
    }

    /// Gives leave back that was not used, or whose answer nobody waits for.
    pub fn release(&self, pass: Pass) {
        let Pass::Probe(probe) = pass else { return };
        loop {
            let word = self.word.load(SeqCst);
            let State::HalfOpen(half) = State::unpack(word) else {
                return;
            };
            let Some(next) = half.without(probe) else {
                return;
            };
            if self.replace(word, State::HalfOpen(next)) {
                return;
            }
        }
    }

    /// What [`Breaker::ask`] would say, changing nothing.
    ///
    /// # Errors
    /// As [`Breaker::ask`].
    pub fn would(&self, rule: &Rule, now: Nanos) -> Result<(), Refused> {
        self.state().refuses(rule, now).map_or(Ok(()), Err)
    }

    /// Looks at it, changing nothing.
    pub fn view(&self, now: Nanos) -> View {
        let position = match self.state() {
            State::Closed { .. } => Position::Closed,
            State::Open { until } if now < until => Position::Open {
                left: until.minus(now),
            },
            State::Open { .. } => Position::HalfOpen {
                in_flight: 0,
                succeeded: 0,
            },
            State::HalfOpen(half) => Position::HalfOpen {
                in_flight: half.in_flight,
                succeeded: half.succeeded,
            },
        };
        View {
            position,
            since: Nanos(self.since.load(SeqCst)),
            counts: self.window.counts(now),
        }
    }

    fn count(&self, rule: &Rule, answer: Answer, now: Nanos) -> Option<Change> {
        let word = self.word.load(SeqCst);
        // What was asked before the breaker opened says nothing of how things are since.
        if !matches!(State::unpack(word), State::Closed { .. }) {
            return None;
        }
        self.window.add(now, answer == Answer::Bad);
        self.trip(rule, word, now)
    }

    /// Opens a breaker that was closed, as `word` says, if its window is too bad.
    fn trip(&self, rule: &Rule, word: u64, now: Nanos) -> Option<Change> {
        let counts = self.window.counts(now);
        let opens = counts.all >= rule.min_requests.max(1) && rule.trip.is_reached(counts);
        let opened = opens && self.open(word, rule, now);
        opened.then_some(Change::Opened(counts))
    }

    fn judge(&self, rule: &Rule, probe: Probe, answer: Answer, now: Nanos) -> Option<Change> {
        loop {
            let word = self.word.load(SeqCst);
            let State::HalfOpen(half) = State::unpack(word) else {
                return None;
            };
            if half.phase != probe.phase {
                return None;
            }
            if answer == Answer::Bad {
                if self.open(word, rule, now) {
                    return Some(Change::Reopened);
                }
                continue;
            }
            let next = half.with_success(probe);
            if next.succeeded < rule.probes {
                if self.replace(word, State::HalfOpen(next)) {
                    return None;
                }
                continue;
            }
            // Before the word: nobody counts while it says half-open.
            self.window.reset();
            if self.replace(word, State::Closed { phase: half.phase }) {
                self.since.store(now.0, SeqCst);
                return Some(Change::Closed);
            }
        }
    }

    fn open(&self, word: u64, rule: &Rule, now: Nanos) -> bool {
        let until = now.plus(rule.open_for);
        let done = self.replace(word, State::Open { until });
        if done {
            self.since.store(now.0, SeqCst);
        }
        done
    }

    fn state(&self) -> State {
        State::unpack(self.word.load(SeqCst))
    }

    fn replace(&self, word: u64, state: State) -> bool {
        exchange(&self.word, word, state.pack())
    }

    fn next_phase(&self) -> u64 {
        self.phases.fetch_add(1, SeqCst)
    }
}

impl Trip {
    fn is_reached(self, counts: Counts) -> bool {
        match self {
            Self::Share(parts) => {
                u128::from(counts.bad) * 1_000_000 >= u128::from(counts.all) * u128::from(parts)
            }
            Self::Count(most) => counts.bad >= most,
        }
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
