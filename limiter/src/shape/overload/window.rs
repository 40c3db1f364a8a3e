//! What the last seconds completed, and how fast a request can be.
//!
//! How many are completed is forgotten after ten seconds. How fast one can be is kept for ten minutes: while a
//! machine is overloaded every request is slow, and a shorter memory would take that for what it needs, and let in
//! as many as make it so. Should requests become slower for good, the old time makes the capacity too low; the
//! processor is then no longer above its trigger, and nothing is shed.
//!
//! The numbers of one request are not written together, so that a reader may see it in one of them and not yet in
//! another: one request of those that end at this very moment.

use super::ring::{MOST, Ring, TURNS};
use crate::Nanos;

/// Twenty of these are ten seconds, as in Sentinel.
const SPAN: Nanos = Nanos::from_millis(500);

/// Twenty of these are ten minutes.
const LONG_SPAN: Nanos = Nanos::from_secs(30);

/// So many spans make up the recent past of [`Window::response_time`]: between half a second and one.
const RECENT: usize = 2;

/// Requests that were completed lately.
#[derive(Debug)]
pub struct Window {
    completed: Ring,
    /// Microseconds until the response's header, all together.
    responding: Ring,
    /// Microseconds of the fastest request, from its header to the last byte of its response.
    least: Ring,
}

/// What a machine was seen to do, at the best, within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The most that were completed, as of the best half second.
    pub completed_per_second: u64,
    /// The least time that a request took; zero when none was completed.
    pub least_response_time: Nanos,
}

impl Capacity {
    /// How many requests at once keep the machine as busy as it gets (Little's law), rounded up: any more wait.
    pub fn concurrency(self) -> u64 {
        let product =
            u128::from(self.completed_per_second) * u128::from(self.least_response_time.0);
        u64::try_from(product.div_ceil(u128::from(Nanos::SECOND.0))).unwrap_or(u64::MAX)
    }
}

impl Default for Window {
    fn default() -> Self {
        Self {
            completed: Ring::of(SPAN),
            responding: Ring::of(SPAN),
            least: Ring::of(LONG_SPAN),
        }
    }
}

impl Window {
    /// Notes a request that is over as of `now`: `responding` is the time until its response's header, and
    /// `whole` until its last byte.
    pub fn completed(&self, now: Nanos, responding: Nanos, whole: Nanos) {
        self.responding
            .note(now, micros(responding), |sum, more| sum + more.min(MOST));
        // At least one: a request that took no time at all would make every capacity zero.
        self.least.note(now, micros(whole).max(1), u64::min);
        self.completed.note(now, 1, |sum, more| sum + more);
    }

    /// The best that was seen within the window.
    pub fn capacity(&self, now: Nanos) -> Capacity {
        let most = self.completed.youngest(now, TURNS).max();
        let least = self.least.youngest(now, TURNS).min();
        Capacity {
            completed_per_second: most.unwrap_or(0) * (Nanos::SECOND.0 / SPAN.0),
            least_response_time: Nanos(least.unwrap_or(0) * 1_000),
        }
    }

    /// The average time until a response's header over the last half to whole second; none when there was none.
    pub fn response_time(&self, now: Nanos) -> Option<Nanos> {
        let completed: u64 = self.completed.youngest(now, RECENT).sum();
        let responding: u64 = self.responding.youngest(now, RECENT).sum();
        (completed > 0).then(|| Nanos(responding / completed * 1_000))
    }
}

fn micros(span: Nanos) -> u64 {
    span.0.div_ceil(1_000)
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    #[test]
    fn the_best_bucket_and_the_fastest_request_make_the_capacity() {
        let window = Window::default();
        let begin = Nanos::from_secs(100);
        for at in 0..50 {
            window.completed(begin.plus(ms(at * 10)), ms(20), ms(20));
        }
        // A slower second bucket takes nothing away.
        for at in 0..10 {
            window.completed(begin.plus(ms(500 + at * 10)), ms(90), ms(90));
        }
        let capacity = window.capacity(begin.plus(ms(900)));
        assert_eq!(capacity.completed_per_second, 100);
        assert_eq!(capacity.least_response_time, ms(20));
        assert_eq!(capacity.concurrency(), 2);
    }

    #[test]
    fn counts_are_forgotten_after_ten_seconds_and_times_after_ten_minutes() {
        let window = Window::default();
        let begin = Nanos::from_secs(600);
        window.completed(begin, ms(5), ms(5));
        let after = |millis| window.capacity(begin.plus(ms(millis)));
        assert_eq!(after(9_999).completed_per_second, 2);
        assert_eq!(after(10_000).completed_per_second, 0);
        assert_eq!(after(10_000).concurrency(), 0);
        assert_eq!(after(599_999).least_response_time, ms(5));
        assert_eq!(after(600_000).least_response_time, Nanos::ZERO);
        // The same words in their next turn begin anew.
        window.completed(begin.plus(ms(600_000)), ms(9), ms(9));
        assert_eq!(after(600_000).least_response_time, ms(9));
        assert_eq!(after(600_000).completed_per_second, 2);
    }

    #[test]
    fn the_response_time_is_the_average_of_the_last_second() {
        let window = Window::default();
        let begin = Nanos::from_secs(100);
        assert_eq!(window.response_time(begin), None);
        window.completed(begin, ms(10), ms(500));
        window.completed(begin.plus(ms(600)), ms(30), ms(500));
        assert_eq!(window.response_time(begin.plus(ms(700))), Some(ms(20)));
        assert_eq!(window.response_time(begin.plus(ms(1_100))), Some(ms(30)));
        assert_eq!(window.response_time(begin.plus(ms(1_600))), None);
    }

    #[test]
    fn times_beyond_all_measure_saturate() {
        let window = Window::default();
        window.completed(Nanos::ZERO, Nanos::MAX, Nanos::MAX);
        window.completed(Nanos::ZERO, Nanos::MAX, Nanos::MAX);
        let capacity = window.capacity(Nanos::ZERO);
        assert_eq!(capacity.least_response_time, Nanos(MOST * 1_000));
        assert!(window.response_time(Nanos::ZERO).is_some());
    }

    proptest! {
        /// Beside a list of everything that ever happened.
        #[test]
        fn it_agrees_with_a_list(
            events in prop::collection::vec((0..3_000_u64, 1..2_000_u64), 1..300),
        ) {
            let window = Window::default();
            let (mut now, mut list) = (Nanos::from_secs(7), Vec::new());
            for (gap, millis) in events {
                now = now.plus(ms(gap));
                window.completed(now, ms(millis), ms(millis));
                list.push((now, millis));
                let within = |span: Nanos, turns: usize| {
                    list.iter()
                        .filter(move |(at, _)| at.0 / span.0 + turns as u64 > now.0 / span.0)
                        .map(move |(at, millis)| (at.0 / span.0, *millis))
                };
                let of_turn = |turn| within(SPAN, TURNS).filter(|(at, _)| *at == turn).count();
                let most = within(SPAN, TURNS).map(|(turn, _)| of_turn(turn) as u64 * 2).max();
                let least = within(LONG_SPAN, TURNS).map(|(_, millis)| ms(millis)).min();
                let capacity = window.capacity(now);
                prop_assert_eq!(Some(capacity.completed_per_second), most);
                prop_assert_eq!(Some(capacity.least_response_time), least);
                let recent: Vec<u64> = within(SPAN, RECENT).map(|(_, millis)| millis).collect();
                let average = recent.iter().sum::<u64>() * 1_000 / recent.len() as u64;
                prop_assert_eq!(window.response_time(now), Some(Nanos(average * 1_000)));
            }
        }
    }

    #[test]
    fn eight_threads_lose_nothing() {
        let window = Window::default();
        let now = Nanos::from_secs(9);
        std::thread::scope(|scope| {
            for thread in 1..=8 {
                let window = &window;
                scope.spawn(move || {
                    for _ in 0..10_000 {
                        window.completed(now, ms(thread), ms(thread));
                    }
                });
            }
        });
        let capacity = window.capacity(now);
        assert_eq!(capacity.completed_per_second, 160_000);
        assert_eq!(capacity.least_response_time, ms(1));
        assert_eq!(window.response_time(now), Some(Nanos(4_500_000)));
    }
}
