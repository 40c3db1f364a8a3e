//! A million strangers pass through a table with room for four thousand: nobody else may notice.

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Scope, Secret, Source, table::Set,
};

const SECRET: Secret = Secret { k0: 12, k1: 13 };
const START: Nanos = Nanos::from_secs(5);
/// Ten a second: a debt of 100 ms for each request.
const QUOTA: Quota = Quota::new(10, Nanos::SECOND, 5);

fn key(address: u32) -> KeyHash {
    KeyHash::of_source(SECRET, Source::v4(address, 32))
}

fn flow(address: u32) -> FlowId {
    FlowId::new(
        key(address),
        LimitId::new(SECRET, LimitKind::Request, "rotation"),
    )
}

/// Lets a million new keys make one request each, in fifty turns of 200 ms, and calls `between` at each turn.
fn rotate(table: &FlowTable<Box<[Set]>>, mut between: impl FnMut(u32, Nanos)) {
    for turn in 0..50 {
        let now = START.plus(Nanos::from_millis(200 * u64::from(turn)));
        between(turn, now);
        for stranger in 0..20_000 {
            let address = 0x0a00_0000 + turn * 20_000 + stranger;
            assert!(
                table.charge(flow(address), QUOTA, now, 1).is_ok(),
                "a stranger's first request"
            );
        }
    }
    assert!(table.displaced() > 100_000, "the table was not full");
}

#[test]
fn innocents_at_half_their_limit_are_never_refused() {
    let table = FlowTable::own(4096, SECRET);
    rotate(&table, |turn, now| {
        for innocent in 0..200 {
            let verdict = table.charge(flow(0xc000_0200 + innocent), QUOTA, now, 1);
            assert!(
                verdict.is_ok(),
                "innocent {innocent} in turn {turn}: {verdict:?}"
            );
        }
    });
}

#[test]
fn rotating_keys_do_not_free_the_blocked_nor_those_deep_in_debt() {
    let table = FlowTable::own(4096, SECRET);
    let blocked = FlowId::block(key(0xc633_6401), Scope::Listeners);
    let indebted = flow(0xc633_6402);
    assert!(
        table
            .hold(blocked, START.plus(Nanos::from_secs(3600)), START)
            .is_ok()
    );
    let slow = Quota::new(3, Nanos::from_secs(3600), 3);
    assert!(table.charge(indebted, slow, START, 3).is_ok());
    rotate(&table, |turn, now| {
        assert!(table.blocked(blocked, now).listeners, "turn {turn}");
        assert!(table.charge(indebted, slow, now, 1).is_err(), "turn {turn}");
    });
}
