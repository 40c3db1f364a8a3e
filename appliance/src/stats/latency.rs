//! How long things take, as a histogram with fixed buckets.

use std::time::Duration;

use floodwall_limiter::Nanos;

use super::Count;

/// The upper ends of the buckets but for the last, in seconds: from what a cache answers in to what a person gives
/// up on, three for each power of ten, as dashboards expect them.
pub const BOUNDS: [f64; 15] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The same in microseconds.
const MICROS: [u64; BOUNDS.len()] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000,
];

/// Times that were measured. Two additions each, without a lock; a reader may see one of the two.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [Count; BOUNDS.len() + 1],
    /// Of all times.
    micros: Count,
}

impl Latency {
    pub fn note(&self, took: Nanos) {
        let micros = u64::try_from(Duration::from(took).as_micros()).unwrap_or(u64::MAX);
        let bucket = MICROS.partition_point(|bound| *bound < micros);
        self.buckets[bucket].one();
        self.micros.add(micros);
    }

    /// How many times fell into each bucket, the last of which has no end.
    pub fn buckets(&self) -> [u64; BOUNDS.len() + 1] {
        self.buckets.each_ref().map(Count::get)
    }

    /// The sum of all times, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        Duration::from_micros(self.micros.get()).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_in_the_first_bucket_that_holds_it() {
        let latency = Latency::default();
        for micros in [0, 500, 501, 30_000_000, 30_000_001, u64::MAX / 1_000] {
            latency.note(Nanos(micros * 1_000));
        }
        let buckets = latency.buckets();
        assert_eq!((buckets[0], buckets[1]), (2, 1));
        assert_eq!((buckets[14], buckets[15]), (1, 2));
        assert_eq!(buckets.iter().sum::<u64>(), 6);
    }

    #[test]
    fn both_lists_of_ends_are_the_same() {
        for (seconds, micros) in BOUNDS.into_iter().zip(MICROS) {
            assert_eq!(
                Duration::from_secs_f64(seconds),
                Duration::from_micros(micros)
            );
        }
        let latency = Latency::default();
        latency.note(Nanos::from_millis(1_500));
        latency.note(Nanos::from_millis(500));
        assert!((latency.sum_seconds() - 2.0).abs() < f64::EPSILON);
    }
}
