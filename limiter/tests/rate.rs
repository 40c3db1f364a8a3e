//! Never over, hardly under: the long-run rate under a hand-cranked clock, from one in ten seconds to a million a second.

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret,
    clock::{Clock, HandCrank},
};

const SECRET: Secret = Secret { k0: 8, k1: 9 };
const START: Nanos = Nanos::from_secs(77);

/// A small generator of pseudo-random numbers (Marsaglia's xorshift), so that a failure can be repeated.
struct Jitter(u64);

impl Jitter {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Offers a hundred times what `count` in `per` allows, in uneven steps, and asserts at every step.
fn hammer(count: u64, per: Nanos, burst: u64) {
    let table = FlowTable::own(64, SECRET);
    let flow = FlowId::new(
        KeyHash::of_nothing(SECRET),
        LimitId::new(SECRET, LimitKind::Request, "rate"),
    );
    let quota = Quota::new(count, per, burst);
    let clock = HandCrank::at(START);
    let mut jitter = Jitter(0x9e37_79b9_7f4a_7c15);
    let mut admitted = 0;
    let allowed = |clock: &HandCrank| {
        let spent = u128::from(clock.now().minus(START).0);
        u128::from(burst) + spent * u128::from(count) / u128::from(per.0)
    };
    while admitted < burst + 3_000 {
        clock.turn(Nanos(jitter.below(per.0 / count / 50 + 2)));
        if table.charge(flow, quota, clock.now(), 1).is_ok() {
            admitted += 1;
            assert!(
                u128::from(admitted) <= allowed(&clock),
                "{count} in {per:?}: over after {admitted}"
            );
        }
    }
    let share = u128::from(admitted) * 1000 / allowed(&clock);
    assert!(share >= 990, "{count} in {per:?}: only {share} of 1000");
}

#[test]
fn slow_rates() {
    hammer(1, Nanos::from_secs(10), 1);
    hammer(7, Nanos::from_secs(60), 3);
    hammer(1, Nanos::SECOND, 1);
}

#[test]
fn usual_rates() {
    for rate in [3, 50, 100, 999, 1000, 12_345] {
        hammer(rate, Nanos::SECOND, rate);
    }
}

#[test]
fn fast_rates() {
    for rate in [100_000, 333_333, 1_000_000] {
        hammer(rate, Nanos::SECOND, 100);
    }
}
