//! The limit beside simulated upstreams: servers that answer at a certain pace, and a queue before them.

use std::collections::VecDeque;

use super::*;

const RULE: Rule = Rule {
    min: 4,
    max: 1_000,
    tolerance: 1.5,
    every: Nanos::from_millis(100),
    measure_every: Nanos::from_secs(5),
};

/// An upstream that works on `workers` requests at one time, each for `work`, and lets the others wait.
struct Plant {
    workers: usize,
    work: Nanos,
    /// When the requests under way began, and when they end, in order of their end.
    under_way: VecDeque<(Nanos, Nanos)>,
    /// When each worker is free.
    free: Vec<Nanos>,
    noise: u64,
}

impl Plant {
    fn new(workers: usize, millis: u64) -> Self {
        Self {
            workers,
            work: Nanos::from_millis(millis),
            under_way: VecDeque::new(),
            free: Vec::new(),
            noise: 1,
        }
    }

    /// What it can answer in a second.
    fn capacity(&self) -> f64 {
        float(self.workers as u64) * 1e9 / float(self.work.0)
    }

    fn ask(&mut self, now: Nanos) {
        self.free.resize(self.workers, now);
        let first = (0..self.workers)
            .min_by_key(|worker| self.free[*worker])
            .unwrap();
        // A work of half to one and a half times its length: xorshift, so that every run is the same.
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        let work = self.work.0 / 2 + self.noise % self.work.0;
        let end = self.free[first].max(now).plus(Nanos(work));
        self.free[first] = end;
        self.under_way.push_back((now, end));
    }

    /// The times that the answers up to now took.
    fn answers(&mut self, now: Nanos) -> Vec<Nanos> {
        let all = self.under_way.drain(..);
        let (done, left): (VecDeque<_>, _) = all.partition(|(_, end)| *end <= now);
        self.under_way = left;
        done.into_iter()
            .map(|(begin, end)| end.minus(begin))
            .collect()
    }
}

/// What came out of some seconds.
#[derive(Debug)]
struct Outcome {
    /// Answers a second.
    rate: f64,
    /// The mean over all answers, in milliseconds.
    latency: f64,
    /// The fewest answers of any tenth of a second, as a part of the mean.
    worst_tenth: f64,
}

struct Bench {
    gradient: Gradient,
    plant: Plant,
    now: Nanos,
}

impl Bench {
    fn new(plant: Plant) -> Self {
        let now = Nanos::from_secs(100);
        Self {
            gradient: Gradient::new(&RULE, 20, now),
            plant,
            now,
        }
    }

    /// Offers so many requests a second for some seconds, in steps of a millisecond.
    fn run(&mut self, seconds: u64, offered: u64) -> Outcome {
        let mut tenths = Vec::new();
        let (mut all, mut sum) = (0_u64, 0_u64);
        let mut debt = 0;
        for _ in 0..seconds * 10 {
            let (mut answers, mut took, mut busy) = (0, 0, false);
            for _ in 0..100 {
                self.now = self.now.plus(Nanos::from_millis(1));
                for time in self.plant.answers(self.now) {
                    answers += 1;
                    took += time.0;
                }
                debt += offered;
                while debt >= 1_000 {
                    debt -= 1_000;
                    if (self.plant.under_way.len() as u64) < self.gradient.limit(&RULE) {
                        self.plant.ask(self.now);
                    } else {
                        busy = true;
                    }
                }
            }
            let mean = Nanos(took / answers.max(1));
            let sample = Sample {
                answers,
                mean,
                busy,
            };
            self.gradient.learn(&RULE, sample, self.now);
            tenths.push(answers);
            all += answers;
            sum += took;
        }
        let mean = float(all) / float(tenths.len() as u64);
        Outcome {
            rate: float(all) / float(seconds),
            latency: float(sum) / float(all.max(1)) / 1e6,
            worst_tenth: tenths.iter().copied().map(float).fold(f64::MAX, f64::min) / mean,
        }
    }
}

#[test]
fn it_converges_near_the_knee() {
    for (workers, millis) in [(4, 20), (10, 20), (40, 20), (100, 50)] {
        let mut bench = Bench::new(Plant::new(workers, millis));
        bench.run(30, 20_000);
        let outcome = bench.run(60, 20_000);
        let capacity = bench.plant.capacity();
        assert!(
            outcome.rate > 0.95 * capacity,
            "{workers}x{millis}: {outcome:?} of {capacity}"
        );
        let slower = outcome.latency / float(millis);
        assert!(slower < 2.5, "{workers}x{millis}: {outcome:?}");
    }
}

#[test]
fn nothing_stalls_while_it_measures() {
    let mut bench = Bench::new(Plant::new(40, 20));
    bench.run(30, 20_000);
    let outcome = bench.run(60, 20_000);
    assert!(outcome.worst_tenth > 0.6, "{outcome:?}");
}

#[test]
fn it_does_not_grow_without_end_under_overload() {
    let mut bench = Bench::new(Plant::new(20, 20));
    bench.run(30, 50_000);
    let early = bench.gradient.limit;
    bench.run(600, 50_000);
    assert!(
        bench.gradient.limit < 1.5 * early,
        "{early} to {}",
        bench.gradient.limit
    );
}

#[test]
fn it_follows_an_upstream_that_becomes_slower_and_faster_again() {
    let mut bench = Bench::new(Plant::new(40, 20));
    bench.run(30, 20_000);
    bench.plant.work = Nanos::from_millis(80);
    bench.run(15, 20_000);
    let outcome = bench.run(30, 20_000);
    let capacity = bench.plant.capacity();
    assert!(outcome.rate > 0.9 * capacity, "{outcome:?} of {capacity}");
    assert!(outcome.latency < 2.5 * 80.0, "{outcome:?}");
    bench.plant.work = Nanos::from_millis(10);
    bench.run(15, 20_000);
    let outcome = bench.run(30, 20_000);
    let capacity = bench.plant.capacity();
    assert!(outcome.rate > 0.9 * capacity, "{outcome:?} of {capacity}");
    assert!(outcome.latency < 2.5 * 10.0, "{outcome:?}");
}

#[test]
fn it_follows_an_upstream_that_loses_half_of_its_workers() {
    let mut bench = Bench::new(Plant::new(40, 20));
    bench.run(30, 20_000);
    let before = bench.gradient.limit;
    bench.plant.workers = 10;
    bench.plant.free.truncate(10);
    bench.run(30, 20_000);
    assert!(bench.gradient.limit < before / 2.0);
    let outcome = bench.run(30, 20_000);
    assert!(outcome.rate > 0.9 * bench.plant.capacity(), "{outcome:?}");
    assert!(outcome.latency < 2.5 * 20.0, "{outcome:?}");
}

#[test]
fn an_idle_upstream_keeps_its_limit() {
    let mut bench = Bench::new(Plant::new(40, 20));
    bench.run(30, 20_000);
    let before = bench.gradient.limit;
    let quiet = bench.run(60, 200);
    assert!((quiet.rate - 200.0).abs() < 2.0, "{quiet:?}");
    assert!(
        bench.gradient.limit >= before * 0.8,
        "{before} to {}",
        bench.gradient.limit
    );
    assert!(bench.gradient.limit <= before * 1.01);
}

#[test]
fn it_stays_within_its_bounds_whatever_it_is_told() {
    let mut gradient = Gradient::new(&RULE, 1_000_000, Nanos::ZERO);
    let mut now = Nanos::ZERO;
    for step in 0..10_000_u64 {
        now = now.plus(RULE.every);
        let mean = Nanos(step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (step % 64));
        let sample = Sample {
            answers: step % 50,
            mean,
            busy: step % 3 > 0,
        };
        gradient.learn(&RULE, sample, now);
        assert!((RULE.min..=RULE.max).contains(&gradient.limit(&RULE)));
    }
}
