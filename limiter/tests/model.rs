//! The flow table against a naive oracle: a map with room for everybody.
//!
//! The oracle is told nothing of cells. Where the table displaces a key it must say so, it must have been
//! the least debt of the set, and exactly that debt is forgiven.

use std::collections::BTreeMap;

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret,
    set::{Done, Refused},
    table::Set,
};
use proptest::prelude::*;

const SECRET: Secret = Secret { k0: 5, k1: 6 };
/// Twice as many as one set has cells.
const KEYS: u16 = 8;

#[derive(Clone, Debug)]
enum Op {
    Charge { key: u16, quota: usize, cost: u64 },
    RefundLast,
    Hold { key: u16, span: u64 },
    Clear { key: u16 },
    Advance { span: u64 },
}

fn quotas() -> [Quota; 4] {
    [
        Quota::new(1, Nanos::SECOND, 3),
        Quota::new(10, Nanos::SECOND, 5),
        Quota::new(1_000_000, Nanos::SECOND, 1000),
        Quota::CLOSED,
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    let key = 0..KEYS;
    prop_oneof![
        8 => (key.clone(), 0..4_usize, 0..4_u64).prop_map(|(key, quota, cost)| Op::Charge { key, quota, cost }),
        2 => Just(Op::RefundLast),
        1 => (key.clone(), 1..3_000_000_000_u64).prop_map(|(key, span)| Op::Hold { key, span }),
        1 => key.prop_map(|key| Op::Clear { key }),
        // Even, so that the oracle need not know how the table rounds an odd clock.
        4 => (0..1_000_000_000_u64).prop_map(|span| Op::Advance { span: 2 * span }),
    ]
}

fn flow(key: u16) -> FlowId {
    FlowId::new(
        KeyHash::of_port(SECRET, key),
        LimitId::new(SECRET, LimitKind::Request, "model"),
    )
}

/// What was charged last, so that it can be given back.
struct Charged {
    key: u16,
    quota: Quota,
    cost: u64,
    done: Done,
}

struct Both {
    table: FlowTable<Vec<Set>>,
    oracle: BTreeMap<u16, u64>,
    now: Nanos,
    last: Option<Charged>,
}

impl Both {
    /// One set: every key meets every other.
    fn new() -> Self {
        Self {
            table: FlowTable::over(vec![Set::default()], SECRET),
            oracle: BTreeMap::new(),
            now: Nanos::from_secs(10),
            last: None,
        }
    }

    fn debt(&self, key: u16) -> u64 {
        let until = self.oracle.get(&key).copied().unwrap_or(0);
        until.saturating_sub(self.now.0)
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Charge { key, quota, cost } => self.charge(key, quotas()[quota], cost),
            Op::RefundLast => self.refund(),
            Op::Hold { key, span } => {
                let until = self.now.plus(Nanos(span & !1));
                let held = self.table.hold(flow(key), until, self.now);
                let due = self.debt(key).max(span & !1);
                self.agree(key, due, held);
            }
            Op::Clear { key } => {
                self.table.clear(flow(key));
                self.oracle.remove(&key);
            }
            Op::Advance { span } => self.now = self.now.plus(Nanos(span)),
        }
        for key in 0..KEYS {
            let debt = self.table.debt(flow(key), self.now);
            assert_eq!(debt.0, self.debt(key), "key {key} after {op:?}");
        }
    }

    fn charge(&mut self, key: u16, quota: Quota, cost: u64) {
        let outcome = self.table.charge(flow(key), quota, self.now, cost);
        let price = quota.interval().0 * cost;
        let due = self.debt(key) + price;
        let depth = quota.depth().0;
        if due <= depth {
            let done = self.agree(key, due, outcome);
            self.last = Some(Charged {
                key,
                quota,
                cost,
                done,
            });
        } else {
            let retry_after = Nanos(if price > depth { u64::MAX } else { due - depth });
            assert_eq!(outcome, Err(Refused::Over { retry_after }));
        }
    }

    /// The table admitted, as the oracle does, and said whom it displaced.
    fn agree(&mut self, key: u16, due: u64, outcome: Result<Done, Refused>) -> Done {
        let Ok(done) = outcome else {
            panic!("the oracle admits key {key}: {outcome:?}")
        };
        assert_eq!(done.time.minus(self.now).0, due);
        if done.displaced > Nanos::ZERO {
            self.forgive(key, done.displaced.0);
        }
        self.oracle.insert(key, done.time.0);
        done
    }

    fn forgive(&mut self, newcomer: u16, debt: u64) {
        let others = || (0..KEYS).filter(|&key| key != newcomer && self.debt(key) > 0);
        assert_eq!(others().count(), 4, "only a full set displaces");
        assert_eq!(others().map(|key| self.debt(key)).min(), Some(debt));
        let lost: Vec<u16> = others()
            .filter(|&key| self.table.debt(flow(key), self.now) == Nanos::ZERO)
            .collect();
        assert_eq!(lost.len(), 1, "one newcomer displaces one key");
        assert_eq!(self.debt(lost[0]), debt);
        self.oracle.remove(&lost[0]);
    }

    fn refund(&mut self) {
        let Some(Charged {
            key,
            quota,
            cost,
            done,
        }) = self.last.take()
        else {
            return;
        };
        self.table.refund(flow(key), quota, done, self.now, cost);
        if done.time > self.now
            && let Some(until) = self.oracle.get_mut(&key)
        {
            *until = until.saturating_sub(quota.interval().0 * cost);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_table_is_the_oracle(ops in prop::collection::vec(ops(), 1..120)) {
        let mut both = Both::new();
        for op in &ops {
            both.apply(op);
        }
    }
}
