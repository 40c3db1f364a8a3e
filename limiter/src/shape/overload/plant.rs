//! A simulated machine: some processors that share their time among the requests in flight, and nothing else.
//!
//! Time goes by in steps of one millisecond. The processor is as busy as requests are there to keep it so.

#![expect(
    clippy::cast_precision_loss,
    reason = "a simulation counts in thousands"
)]

use super::*;

/// Processors, and the milliseconds of one that a request needs.
#[derive(Clone, Copy)]
struct Machine {
    processors: f64,
    work: f64,
}

/// What became of the requests of one simulation.
#[derive(Debug, Default)]
struct Outcome {
    completed: u64,
    shed: u64,
    slowest: u64,
}

/// One request that is being served.
struct Job {
    left: f64,
    since: u64,
}

impl Machine {
    fn peak(self) -> f64 {
        1_000.0 / self.work * self.processors
    }

    /// Offers half of what the machine can do for five seconds, and `per_second` for `seconds` more.
    fn run(self, strategy: Option<Strategy>, per_second: f64, seconds: u64) -> Outcome {
        let (window, mut jobs, mut outcome) = (Window::default(), Vec::new(), Outcome::default());
        let (mut busy, mut due) = (0.0_f64, 0.0);
        for millis in 0..(CALM + seconds) * 1_000 {
            let (now, calm) = (
                Nanos::from_millis(1_000_000 + millis),
                millis < CALM * 1_000,
            );
            due += if calm { self.peak() / 2.0 } else { per_second } / 1_000.0;
            while due >= 1.0 {
                due -= 1.0;
                let in_flight = jobs.len() as u64;
                let capacity = || window.capacity(now);
                if strategy
                    .is_some_and(|how| sheds(how, cpu(busy), Some(TRIGGER), in_flight, capacity))
                {
                    outcome.shed += 1;
                } else {
                    jobs.push(Job {
                        left: self.work,
                        since: millis,
                    });
                }
            }
            let used = (jobs.len() as f64).min(self.processors);
            let each = used / (jobs.len() as f64).max(1.0);
            busy += (used / self.processors - busy) / TIME_CONSTANT;
            jobs.retain_mut(|job| {
                job.left -= each;
                let done = job.left <= 1e-9;
                if done {
                    let took = millis + 1 - job.since;
                    window.completed(now, Nanos::from_millis(took), Nanos::from_millis(took));
                    outcome.completed += u64::from(!calm);
                    let settled = job.since >= (CALM + SETTLING) * 1_000;
                    outcome.slowest = outcome.slowest.max(if settled { took } else { 0 });
                }
                !done
            });
        }
        outcome
    }
}

/// Seconds before the overload begins.
const CALM: u64 = 5;

/// Seconds that the first wave takes to be served: what came in before the smoothed processor time told.
const SETTLING: u64 = 30;

/// Milliseconds that the processor time is smoothed over, as the sampler does.
const TIME_CONSTANT: f64 = 500.0;

/// Nine tenths of the processor, in millionths.
const TRIGGER: u64 = 900_000;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of one"
)]
fn cpu(busy: f64) -> u64 {
    (busy * 1e6) as u64
}

const MACHINES: [Machine; 4] = [
    Machine {
        processors: 1.0,
        work: 5.0,
    },
    Machine {
        processors: 2.0,
        work: 20.0,
    },
    Machine {
        processors: 8.0,
        work: 50.0,
    },
    Machine {
        processors: 4.0,
        work: 200.0,
    },
];

#[test]
fn under_saturation_bbr_keeps_the_throughput_within_a_tenth_of_the_peak() {
    for machine in MACHINES {
        for overload in [1.2, 2.0, 5.0, 20.0] {
            let seconds = 60;
            let offered = machine.peak() * overload;
            let outcome = machine.run(Some(Strategy::Bbr), offered, seconds);
            let throughput = outcome.completed as f64 / seconds as f64;
            let (peak, work) = (machine.peak(), machine.work);
            assert!(
                throughput >= 0.9 * peak,
                "{throughput}/s of {peak}/s, {overload} times as much offered"
            );
            // What is let in is served nearly as fast as on an idle machine.
            let most = 8.0 * work + 10.0;
            assert!(
                (outcome.slowest as f64) < most,
                "{outcome:?}, {overload} times as much offered"
            );
            let surplus = (offered - throughput) * seconds as f64;
            assert!(outcome.shed as f64 >= 0.9 * surplus, "{outcome:?}");
        }
    }
}

#[test]
fn without_it_the_same_machine_is_of_no_use_to_anybody() {
    let machine = MACHINES[1];
    let outcome = machine.run(None, machine.peak() * 2.0, 60);
    // All are served at once, and so slowly that few are ever done.
    assert!(
        (outcome.completed as f64) < 60.0 * machine.peak() / 2.0,
        "{outcome:?}"
    );
}

#[test]
fn below_the_trigger_nothing_is_shed() {
    for machine in MACHINES {
        let outcome = machine.run(Some(Strategy::Bbr), machine.peak() * 0.8, 40);
        assert_eq!(outcome.shed, 0, "{outcome:?}");
    }
}
