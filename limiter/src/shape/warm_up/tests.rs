use proptest::prelude::*;

use super::*;
use crate::gcra::{Step, step};

const START: Nanos = Nanos::from_secs(100);

fn warm_up(rate: u64, burst: u64, period: u64, factor: u32) -> WarmUp {
    let quota = Quota::new(rate, Nanos::SECOND, burst);
    WarmUp::new(quota, Nanos::from_secs(period), factor)
}

/// A key with its two words.
struct Key {
    limit: WarmUp,
    tat: Nanos,
    word: Nanos,
}

impl Key {
    fn cold(limit: WarmUp) -> Self {
        Self {
            limit,
            tat: Nanos::ZERO,
            word: Nanos::ZERO,
        }
    }

    fn ask(&mut self, now: Nanos) -> bool {
        let quota = self.limit.quota(self.word, now);
        let Step::Admit { tat } = step(self.tat, quota, now, 1) else {
            return false;
        };
        self.tat = tat;
        self.word = self.limit.admitted(self.word, now);
        true
    }

    /// Asks every `gap` for `span` from `from`, and counts what is admitted in each second.
    fn offered(&mut self, from: Nanos, span: u64, gap: Nanos) -> Vec<u64> {
        let mut admitted = vec![0; usize::try_from(span).unwrap()];
        let mut now = from;
        while now < from.plus(Nanos::from_secs(span)) {
            let second = usize::try_from(now.minus(from).0 / 1_000_000_000).unwrap();
            admitted[second] += u64::from(self.ask(now));
            now = now.plus(gap);
        }
        admitted
    }
}

/// The rate of a key with this warmth, in hundredths a second.
fn rate_at(limit: WarmUp, warmth: Nanos) -> u64 {
    let level = Level {
        warmth,
        window: START.0 / limit.window.0,
        used: 0,
    };
    let word = limit.word(level, START);
    100_000_000_000 / limit.quota(word, START).interval().0
}

#[test]
fn the_curve_of_a_hundred_a_second_in_ten_seconds_from_a_third() {
    let limit = warm_up(100, 1, 10, 3);
    // Sentinel: 33.33 with 1,000 stored, 50 with 750, 100 at the warning line of 500; 5 s of warmth between.
    assert_eq!(limit.span, Nanos::from_secs(5));
    assert_eq!(
        limit.quota(Nanos::ZERO, START).interval(),
        Nanos::from_millis(30)
    );
    let near = |warmth: u64, expected: u64| {
        let rate = rate_at(limit, Nanos::from_millis(warmth));
        assert!(rate.abs_diff(expected) <= 1, "{rate} at {warmth} ms");
    };
    near(0, 3333);
    near(2500, 5000);
    near(5000, 10_000);
}

#[test]
fn under_saturation_a_third_at_first_and_all_of_it_after_the_period() {
    for burst in [1, 100] {
        let mut key = Key::cold(warm_up(100, burst, 10, 3));
        let admitted = key.offered(START, 14, Nanos(100_000));
        assert!(
            (32..=38).contains(&admitted[0]),
            "burst {burst}: {admitted:?}"
        );
        assert!(
            admitted.windows(2).all(|pair| pair[1] + 2 >= pair[0]),
            "{admitted:?}"
        );
        assert!(admitted[7] < 95, "burst {burst}: {admitted:?}");
        assert!(
            admitted[11..]
                .iter()
                .all(|&count| (97..=101).contains(&count)),
            "{admitted:?}"
        );
    }
}

#[test]
fn idle_for_the_period_it_is_cold_again() {
    let mut key = Key::cold(warm_up(100, 100, 10, 3));
    let first = key.offered(START, 12, Nanos::from_millis(1));
    let again = key.offered(START.plus(Nanos::from_secs(22)), 2, Nanos::from_millis(1));
    assert!(again[0].abs_diff(first[0]) <= 1, "{first:?} and {again:?}");
    // A pause of two seconds takes two of the five seconds of warmth.
    let mut key = Key::cold(warm_up(100, 1, 10, 3));
    key.offered(START, 15, Nanos::from_millis(1));
    let now = START.plus(Nanos::from_secs(17));
    assert!((550..=650).contains(&key.limit.permille(key.word, now)));
}

#[test]
fn a_use_above_the_cold_rate_keeps_warm_and_one_below_it_cools() {
    let used = |every: u64| {
        let mut key = Key::cold(warm_up(100, 1, 10, 3));
        key.offered(START, 15, Nanos::from_millis(1));
        key.offered(
            START.plus(Nanos::from_secs(15)),
            20,
            Nanos::from_millis(every),
        );
        key.limit
            .permille(key.word, START.plus(Nanos::from_secs(35)))
    };
    assert!(used(20) > 980, "50 a second");
    assert!(used(28) > 980, "35 a second");
    assert!(used(40) < 300, "25 a second");
    assert_eq!(used(100), 0, "10 a second");
}

#[test]
fn fast_and_slow_rates_warm_up_too() {
    for (rate, gap) in [(20_000, Nanos(5_000)), (2, Nanos::from_millis(10))] {
        let mut key = Key::cold(warm_up(rate, 1, 10, 3));
        let admitted = key.offered(START, 30, gap);
        let (cold, warm): (u64, u64) = (admitted[..3].iter().sum(), admitted[25..].iter().sum());
        assert!(cold > 0 && cold <= rate * 2, "{rate}/s: {admitted:?}");
        assert!(warm * 100 >= rate * 5 * 95, "{rate}/s: {admitted:?}");
    }
}

#[test]
fn nothing_a_second_stays_nothing() {
    let limit = WarmUp::new(Quota::CLOSED, Nanos::from_secs(10), 3);
    assert_eq!(limit.quota(Nanos::ZERO, START), Quota::CLOSED);
}

#[test]
fn less_than_one_request_in_the_period_is_a_curve_of_one_step() {
    let limit = WarmUp::new(
        Quota::new(1, Nanos::from_secs(3600), 1),
        Nanos::from_millis(1),
        3,
    );
    let cold = limit.quota(Nanos::ZERO, START);
    assert_eq!(cold.interval(), Nanos::from_secs(3 * 3600));
    let word = limit.admitted(Nanos::ZERO, START);
    assert!(limit.quota(word, START).interval() < Nanos::from_secs(3601));
}

proptest! {
    #[test]
    fn a_quota_is_between_cold_and_warm_and_a_word_is_even_and_live(
        rate in 1..=Quota::MAX_RATE, burst in 1..1000_u64, period in 1..100_000_000_000_000_u64,
        factor in 2..100_u32, word in any::<u64>(), now in 0..u64::MAX / 4,
    ) {
        let quota = Quota::new(rate, Nanos::SECOND, burst);
        let limit = WarmUp::new(quota, Nanos(period), factor);
        let (word, now) = (Nanos(word & !1), Nanos(now));
        let got = limit.quota(word, now);
        prop_assert!(got.interval() >= quota.interval());
        prop_assert!(got.interval().0 <= quota.interval().0 * u64::from(factor) + 2);
        prop_assert!(got.depth() >= got.interval());
        let next = limit.admitted(word, now);
        prop_assert_eq!(next.0 & 1, 0);
        prop_assert!(next > now);
    }

    #[test]
    fn never_over_the_rate_whatever_comes(
        gaps in proptest::collection::vec(0..100_000_000_u64, 1..500), burst in 1..20_u64,
    ) {
        let quota = Quota::new(100, Nanos::SECOND, burst);
        let mut key = Key::cold(WarmUp::new(quota, Nanos::from_secs(10), 3));
        let (mut now, mut admitted) = (START, 0);
        for gap in gaps {
            now = now.plus(Nanos(gap));
            admitted += u64::from(key.ask(now));
        }
        prop_assert!(admitted <= burst + now.minus(START).0 / 10_000_000);
    }
}
