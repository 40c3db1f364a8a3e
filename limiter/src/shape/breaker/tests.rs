//! Sentinel's cases with their numbers, what Sentinel gets wrong, and a naive oracle.

use proptest::prelude::*;

use super::*;

const SECOND: Nanos = Nanos::SECOND;

/// Error ratio 50 %, at least 10, window 10 s, open for 2 s, 3 probes.
const RATIO: Rule = Rule {
    trip: Trip::Share(500_000),
    min_requests: 10,
    open_for: Nanos::from_secs(2),
    probes: 3,
    probe_within: Nanos::from_secs(5),
};

/// A breaker with a clock and a rule.
struct Bench {
    breaker: Breaker,
    rule: Rule,
    now: Nanos,
}

impl Bench {
    fn new(rule: Rule) -> Self {
        Self {
            breaker: Breaker::new(Nanos::from_secs(10)),
            rule,
            now: Nanos::from_secs(1000),
        }
    }

    fn ask(&self) -> Result<Pass, Refused> {
        self.breaker.ask(&self.rule, self.now)
    }

    fn answer(&self, pass: Pass, answer: Answer) -> Option<Change> {
        self.breaker.answered(&self.rule, pass, answer, self.now)
    }

    /// Asks and is answered.
    fn call(&self, answer: Answer) -> Option<Change> {
        let pass = self.ask().unwrap();
        self.answer(pass, answer)
    }

    fn calls(&self, count: usize, answer: Answer) -> Option<Change> {
        (0..count).map(|_| self.call(answer)).last().flatten()
    }

    fn pass_by(&mut self, span: Nanos) {
        self.now = self.now.plus(span);
    }

    /// Opens the breaker and waits until it may try.
    fn due(rule: Rule) -> Self {
        let mut bench = Self::new(rule);
        assert!(matches!(
            bench.calls(10, Answer::Bad),
            Some(Change::Opened(_))
        ));
        bench.pass_by(rule.open_for);
        bench
    }

    fn position(&self) -> Position {
        self.breaker.view(self.now).position
    }
}

#[test]
fn it_opens_on_the_request_that_completes_the_ratio() {
    let bench = Bench::new(RATIO);
    assert_eq!(bench.calls(5, Answer::Bad), None);
    assert_eq!(bench.calls(4, Answer::Good), None, "nine are too few");
    // Even a good one: five of ten are bad.
    let change = bench.call(Answer::Good);
    assert_eq!(change, Some(Change::Opened(Counts { all: 10, bad: 5 })));
    let refused = bench.ask().unwrap_err();
    assert_eq!(refused.retry_after, Nanos::from_secs(2));
}

#[test]
fn it_stays_closed_just_below_the_ratio() {
    let bench = Bench::new(RATIO);
    assert_eq!(bench.calls(11, Answer::Good), None);
    assert_eq!(bench.calls(10, Answer::Bad), None, "10 of 21");
    assert!(bench.call(Answer::Bad).is_some(), "11 of 22");
}

#[test]
fn what_left_the_window_does_not_count() {
    let mut bench = Bench::new(RATIO);
    bench.calls(9, Answer::Bad);
    bench.pass_by(Nanos::from_secs(11));
    assert_eq!(bench.calls(9, Answer::Bad), None);
    assert!(bench.call(Answer::Bad).is_some());
}

#[test]
fn an_error_count_opens_at_its_number() {
    let mut bench = Bench::new(Rule {
        trip: Trip::Count(5),
        min_requests: 5,
        probes: 1,
        open_for: Nanos::from_secs(3),
        ..RATIO
    });
    bench.calls(100, Answer::Good);
    assert_eq!(bench.calls(4, Answer::Bad), None);
    assert!(bench.call(Answer::Bad).is_some());
    bench.pass_by(Nanos::from_secs(3));
    assert_eq!(bench.call(Answer::Good), Some(Change::Closed));
    assert_eq!(
        bench.calls(4, Answer::Bad),
        None,
        "it counts from the start"
    );
}

#[test]
fn it_is_open_for_exactly_its_time() {
    let mut bench = Bench::new(RATIO);
    bench.calls(10, Answer::Bad);
    bench.pass_by(Nanos(2 * SECOND.0 - 1));
    assert_eq!(bench.ask().unwrap_err().retry_after, Nanos(1));
    bench.pass_by(Nanos(1));
    assert!(matches!(bench.ask(), Ok(Pass::Probe(_))));
}

#[test]
fn half_open_lets_exactly_its_probes_in() {
    let bench = Bench::due(RATIO);
    let probes = [(); 3].map(|()| bench.ask().unwrap());
    assert!(bench.ask().is_err(), "the fourth");
    assert_eq!(bench.answer(probes[0], Answer::Good), None);
    assert!(bench.ask().is_err(), "one good and two under way are three");
    assert_eq!(bench.answer(probes[1], Answer::Good), None);
    assert_eq!(bench.answer(probes[2], Answer::Good), Some(Change::Closed));
    assert_eq!(bench.position(), Position::Closed);
    assert_eq!(bench.breaker.view(bench.now).counts, Counts::default());
    assert!(matches!(bench.ask(), Ok(Pass::Free)));
}

#[test]
fn one_failure_reopens_for_the_whole_time() {
    let mut bench = Bench::due(RATIO);
    let probes = [(); 3].map(|()| bench.ask().unwrap());
    assert_eq!(bench.answer(probes[0], Answer::Good), None);
    bench.pass_by(SECOND);
    assert_eq!(bench.answer(probes[1], Answer::Bad), Some(Change::Reopened));
    assert_eq!(bench.ask().unwrap_err().retry_after, Nanos::from_secs(2));
    // The third is of a phase that is over, whatever it brings.
    bench.pass_by(Nanos::from_secs(2));
    let next = bench.ask().unwrap();
    assert_eq!(bench.answer(probes[2], Answer::Bad), None);
    assert_eq!(
        bench.position(),
        Position::HalfOpen {
            in_flight: 1,
            succeeded: 0
        }
    );
    bench.breaker.release(next);
}

#[test]
fn an_answer_from_before_decides_nothing() {
    let mut bench = Bench::new(RATIO);
    let (late, later) = (bench.ask().unwrap(), bench.ask().unwrap());
    bench.calls(10, Answer::Bad);
    assert_eq!(bench.answer(late, Answer::Good), None);
    bench.pass_by(Nanos::from_secs(2));
    let probe = bench.ask().unwrap();
    assert_eq!(bench.answer(later, Answer::Bad), None, "it is no probe");
    assert_eq!(bench.answer(probe, Answer::Bad), Some(Change::Reopened));
}

#[test]
fn a_probe_that_leaves_makes_room_for_another() {
    let bench = Bench::due(RATIO);
    let probes = [(); 3].map(|()| bench.ask().unwrap());
    bench.breaker.release(probes[1]);
    assert!(bench.ask().is_ok());
    assert!(bench.ask().is_err());
}

#[test]
fn a_probe_that_never_ends_does_not_keep_it_half_open() {
    let mut bench = Bench::due(RATIO);
    let lost = [(); 3].map(|()| bench.ask().unwrap());
    bench.pass_by(Nanos::from_secs(4));
    assert!(bench.ask().is_err());
    // Deadlines are kept to 67 ms.
    bench.pass_by(Nanos::from_millis(1_070));
    let next = [(); 3].map(|()| bench.ask().unwrap());
    assert!(bench.ask().is_err());
    // A lost one that comes back holds no place any more, but its answer counts.
    bench.breaker.release(lost[0]);
    assert!(bench.ask().is_err());
    assert_eq!(bench.answer(lost[1], Answer::Good), None);
    assert_eq!(bench.answer(next[0], Answer::Good), None);
    assert_eq!(bench.answer(lost[2], Answer::Good), Some(Change::Closed));
}

#[test]
fn an_answer_that_breaks_off_was_bad_after_all() {
    let bench = Bench::new(RATIO);
    bench.calls(10, Answer::Good);
    for _ in 0..4 {
        assert_eq!(bench.breaker.broke_off(&bench.rule, bench.now), None);
    }
    let change = bench.breaker.broke_off(&bench.rule, bench.now);
    assert_eq!(change, Some(Change::Opened(Counts { all: 10, bad: 5 })));
    assert_eq!(bench.breaker.broke_off(&bench.rule, bench.now), None);
}

#[test]
fn another_window_keeps_an_open_breaker_open() {
    let mut bench = Bench::new(RATIO);
    bench.calls(10, Answer::Bad);
    bench.pass_by(SECOND);
    bench.breaker = bench.breaker.succeed(Nanos::from_secs(5), bench.now);
    assert_eq!(bench.ask().unwrap_err().retry_after, SECOND);
    bench.pass_by(SECOND);
    let _lost = bench.ask().unwrap();
    bench.breaker = bench.breaker.succeed(Nanos::from_secs(7), bench.now);
    assert!(bench.ask().is_ok(), "its probes are new");
    let closed = Breaker::new(SECOND).succeed(Nanos::from_secs(5), bench.now);
    assert_eq!(closed.view(bench.now).position, Position::Closed);
}

#[test]
fn fewer_probes_after_a_reload_still_close_it() {
    let mut bench = Bench::due(Rule { probes: 5, ..RATIO });
    for _ in 0..3 {
        assert_eq!(bench.call(Answer::Good), None);
    }
    bench.rule.probes = 2;
    bench.pass_by(Nanos::from_secs(6));
    assert_eq!(bench.call(Answer::Good), Some(Change::Closed));
}

#[test]
fn eight_threads_open_it_once_and_probe_three_times() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    let bench = Bench::new(RATIO);
    let count = |of: &(dyn Fn() -> bool + Sync)| {
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        count.fetch_add(usize::from(of()), SeqCst);
                    }
                });
            }
        });
        count.into_inner()
    };
    let opened = count(&|| {
        let pass = bench.ask();
        pass.is_ok_and(|pass| bench.answer(pass, Answer::Bad).is_some())
    });
    assert_eq!(opened, 1);
    let later = bench.now.plus(Nanos::from_secs(2));
    let probes = count(&|| bench.breaker.ask(&bench.rule, later).is_ok());
    assert_eq!(probes, 3);
}

/// What the textbook says, in plain words.
#[derive(Debug)]
enum Oracle {
    Closed(Vec<(Nanos, bool)>),
    Open(Nanos),
    HalfOpen { out: u8, good: u8 },
}

#[derive(Clone, Debug)]
enum Step {
    Ask,
    Answer { at: usize, bad: bool },
    Leave { at: usize },
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Ask),
        4 => (any::<usize>(), proptest::bool::weighted(0.6)).prop_map(|(at, bad)| Step::Answer { at, bad }),
        1 => any::<usize>().prop_map(|at| Step::Leave { at }),
        2 => (0..1_500_u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..300)
}

proptest! {
    /// The deadline of probes is out of reach here; its case stands above.
    #[test]
    fn it_does_what_the_textbook_says(steps in steps()) {
        let rule = Rule { min_requests: 4, probe_within: Nanos::from_secs(1_000_000), ..RATIO };
        let mut bench = Bench::new(rule);
        let mut oracle = Oracle::Closed(Vec::new());
        let mut out: Vec<(Pass, u32)> = Vec::new();
        let mut phase = 0_u32;
        for step in steps {
            match step {
                Step::Wait(millis) => bench.pass_by(Nanos::from_millis(millis)),
                Step::Ask => {
                    if matches!(oracle, Oracle::Open(until) if bench.now >= until) {
                        phase += 1;
                        oracle = Oracle::HalfOpen { out: 0, good: 0 };
                    }
                    let (allowed, probe) = match &mut oracle {
                        Oracle::Closed(_) => (true, 0),
                        Oracle::Open(_) => (false, 0),
                        Oracle::HalfOpen { out, good } => {
                            let allowed = *out + *good < rule.probes;
                            *out += u8::from(allowed);
                            (allowed, phase)
                        }
                    };
                    let pass = bench.ask();
                    prop_assert_eq!(pass.is_ok(), allowed);
                    out.extend(pass.map(|pass| (pass, probe)));
                }
                Step::Leave { at } if !out.is_empty() => {
                    let (pass, probe) = out.swap_remove(at % out.len());
                    bench.breaker.release(pass);
                    if let Oracle::HalfOpen { out, .. } = &mut oracle {
                        *out -= u8::from(probe == phase && probe > 0);
                    }
                }
                Step::Answer { at, bad } if !out.is_empty() => {
                    let (pass, probe) = out.swap_remove(at % out.len());
                    let answer = if bad { Answer::Bad } else { Answer::Good };
                    bench.answer(pass, answer);
                    let until = bench.now.plus(rule.open_for);
                    match &mut oracle {
                        Oracle::Closed(events) if probe == 0 => {
                            events.push((bench.now, bad));
                            // By whole buckets of a second.
                            let second = |time: Nanos| time.0 / SECOND.0;
                            events.retain(|(time, _)| second(*time) + 10 > second(bench.now));
                            let bads = events.iter().filter(|(_, bad)| *bad).count();
                            if events.len() >= 4 && bads * 2 >= events.len() {
                                oracle = Oracle::Open(until);
                            }
                        }
                        Oracle::HalfOpen { .. } if probe == phase && bad => oracle = Oracle::Open(until),
                        Oracle::HalfOpen { out, good } if probe == phase && probe > 0 => {
                            (*out, *good) = (*out - 1, *good + 1);
                            if *good == rule.probes {
                                oracle = Oracle::Closed(Vec::new());
                            }
                        }
                        _ => {}
                    }
                }
                Step::Leave { .. } | Step::Answer { .. } => {}
            }
        }
    }
}

#[test]
fn a_fresh_breaker_goes_on_where_another_stood() {
    let mut bench = Bench::new(RATIO);
    let since = bench.now.minus(SECOND);
    assert!(bench.breaker.resume(SECOND, since, bench.now));
    assert_eq!(bench.ask().unwrap_err().retry_after, SECOND);
    assert_eq!(bench.breaker.view(bench.now).since, since);
    bench.pass_by(SECOND);
    for _ in 0..3 {
        assert!(matches!(bench.ask(), Ok(Pass::Probe(_))));
    }
    assert!(bench.ask().is_err(), "its probes are out");
    assert!(
        !bench.breaker.resume(SECOND, since, bench.now),
        "it has seen something itself"
    );
}

#[test]
fn one_whose_time_is_over_tries() {
    let bench = Bench::new(RATIO);
    assert!(bench.breaker.resume(Nanos::ZERO, Nanos::ZERO, bench.now));
    assert!(matches!(
        bench.breaker.view(bench.now).position,
        Position::HalfOpen { .. }
    ));
    for _ in 0..2 {
        assert_eq!(bench.call(Answer::Good), None);
    }
    assert_eq!(bench.call(Answer::Good), Some(Change::Closed));
    assert!(!bench.breaker.resume(SECOND, Nanos::ZERO, bench.now));
}
