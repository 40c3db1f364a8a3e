//! The place of one token, and what is known of it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;

/// The place of a token. Requests load it without a lock.
#[derive(Debug, Default)]
pub(super) struct Slot {
    value: ArcSwapOption<Secret>,
    course: Mutex<Course>,
}

/// How fetching it goes.
#[derive(Debug, Default)]
struct Course {
    /// When it is to be fetched; at once when none.
    due: Option<Instant>,
    under_way: bool,
    fetched: Option<Instant>,
    fetches: u64,
    failures: u64,
    /// Failures since the last success.
    in_a_row: u32,
    /// Why the last fetch failed; none after a success.
    error: Option<String>,
}

/// A token. It cannot be printed.
#[derive(Clone)]
pub struct Value(Arc<Secret>);

struct Secret(Box<[u8]>);

/// How a token stands; nothing of it is secret.
#[derive(Debug)]
pub(super) struct Standing {
    /// Since it was fetched; none when it never was.
    pub(super) age: Option<Duration>,
    /// Why the last fetch failed; none when it did not.
    pub(super) error: Option<String>,
    pub(super) fetches: u64,
    pub(super) failures: u64,
}

impl Value {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Slot {
    pub(super) fn value(&self) -> Option<Value> {
        self.value.load_full().map(Value)
    }

    pub(super) fn standing(&self) -> Standing {
        let course = self.course();
        Standing {
            age: course.fetched.map(|at| at.elapsed()),
            error: course.error.clone(),
            fetches: course.fetches,
            failures: course.failures,
        }
    }

    /// When it is to be fetched next; none while it is.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let course = self.course();
        (!course.under_way).then(|| course.due.unwrap_or(now))
    }

    /// Takes the next fetch upon whoever asks; false when somebody else has it.
    pub(super) fn begin(&self) -> bool {
        let mut course = self.course();
        course.fetches += u64::from(!course.under_way);
        !std::mem::replace(&mut course.under_way, true)
    }

    /// Takes a token in, which is good until `due`.
    pub(super) fn succeed(&self, token: Box<[u8]>, now: Instant, due: Instant) {
        self.value.store(Some(Arc::new(Secret(token))));
        let mut course = self.course();
        course.fetched = Some(now);
        course.error = None;
        course.in_a_row = 0;
        course.rest_until(due);
    }

    /// Takes note of a failure, and keeps the token there is. `due` is told how many there were in a row.
    pub(super) fn fail(&self, error: String, due: impl FnOnce(u32) -> Instant) {
        let mut course = self.course();
        course.failures += 1;
        course.in_a_row = course.in_a_row.saturating_add(1);
        course.error = Some(error);
        let due = due(course.in_a_row);
        course.rest_until(due);
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        // Only plain numbers change under this lock.
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Course {
    fn rest_until(&mut self, due: Instant) {
        self.due = Some(due);
        self.under_way = false;
    }
}
