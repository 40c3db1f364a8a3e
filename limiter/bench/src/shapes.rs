//! Each shape of flow control at its usual answer, which is yes, told the time.

use std::{hint::black_box, sync::Arc};

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret, Source,
    gcra::{self, Step},
    shape::{
        adaptive::Adaptive,
        breaker::{Answer, Breaker, Rule, Trip},
        concurrency::{Keyed, Lone},
        gate::{Places, is_drawn},
        gradient,
        hot_keys::HotKeys,
        in_flight::InFlight,
        line::{Entered, Line, Place},
        memory_adaptive::MemoryAdaptive,
        outlier::{self, Outliers, SuccessRate},
        overload::{self, Strategy, Window},
        retry_budget::RetryBudget,
        warm_up::WarmUp,
    },
    table::Set,
};

use crate::contender::Contender;

/// A shape as a closure.
struct Shape<F>(F);

impl<F: Fn(u32) -> bool + Sync> Contender for Shape<F> {
    fn decide(&self, client: u32) -> bool {
        (self.0)(client)
    }
}

/// A name, and a decision of its shape.
pub type Named = (&'static str, Box<dyn Contender>);

/// All shapes for so many clients.
pub fn all(clients: u32) -> Vec<Named> {
    vec![
        ("rate", rate(clients)),
        ("rate-refused", rate_refused(clients)),
        ("warm-up", warm_up(clients)),
        ("memory-adaptive", memory_adaptive(clients)),
        ("queue", queue(clients)),
        ("count-after", debit(clients)),
        ("related", related(clients)),
        ("concurrency-one", concurrency_of_one_key()),
        ("concurrency-keyed", concurrency_of_many_keys(clients)),
        ("in-flight", in_flight()),
        ("breaker", breaker()),
        ("retry-budget", retry_budget()),
        ("outlier", outlier()),
        ("adaptive", adaptive()),
        ("gate", gate()),
        ("shed-strict", shed(Strategy::Strict)),
        ("shed-bbr", shed(Strategy::Bbr)),
        ("completed", completed()),
        ("hot-key", hot_key(clients)),
        ("hot-key-rotating", hot_key_rotating()),
    ]
}

fn boxed(decide: impl Fn(u32) -> bool + Sync + 'static) -> Box<dyn Contender> {
    Box::new(Shape(decide))
}

const SECRET: Secret = Secret {
    k0: 0x0123_4567_89ab_cdef,
    k1: 0xfedc_ba98_7654_3210,
};

const NOW: Nanos = Nanos::from_secs(1_000);

fn table(clients: u32) -> FlowTable<Box<[Set]>> {
    FlowTable::own(4 * u64::from(clients), SECRET)
}

fn limit(name: &str) -> LimitId {
    LimitId::new(SECRET, LimitKind::Request, name)
}

fn flow(client: u32, limit: LimitId) -> FlowId {
    FlowId::new(KeyHash::of_source(SECRET, Source::v4(client, 32)), limit)
}

/// Wide open: no decision is a refusal.
fn widest() -> Quota {
    Quota::new(1_000_000_000, Nanos::SECOND, u64::MAX)
}

fn rate(clients: u32) -> Box<dyn Contender> {
    let (table, limit, quota) = (table(clients), limit("rate"), widest());
    boxed(move |client| table.charge(flow(client, limit), quota, NOW, 1).is_ok())
}

fn rate_refused(clients: u32) -> Box<dyn Contender> {
    let (table, limit) = (table(clients), limit("refused"));
    boxed(move |client| {
        table
            .charge(flow(client, limit), Quota::CLOSED, NOW, 1)
            .is_err()
    })
}

/// The quota of the moment, a charge by it, and the warmth that it leaves: two cells.
fn warm_up(clients: u32) -> Box<dyn Contender> {
    let (table, limit, warmth) = (table(2 * clients), limit("warm-up"), limit("warmth"));
    let shape = WarmUp::new(widest(), Nanos::from_secs(10), 3);
    boxed(move |client| {
        let key = KeyHash::of_source(SECRET, Source::v4(client, 32));
        let (rate, warmth) = (FlowId::new(key, limit), FlowId::new(key, warmth));
        let quota = shape.quota(table.time(warmth), NOW);
        // A cold key has a burst of one, so that only the first of this moment is admitted.
        let _ = table.charge(rate, quota, NOW, 1);
        table
            .update(warmth, NOW, |word| Ok(shape.admitted(word, NOW)))
            .is_ok()
    })
}

/// The quota of the moment, half way between the marks, and a charge by it.
fn memory_adaptive(clients: u32) -> Box<dyn Contender> {
    let (table, limit) = (table(clients), limit("adapt"));
    let shape = MemoryAdaptive {
        low: 400_000_u64,
        high: 800_000,
        at_low: widest(),
        at_high: Quota::new(100_000_000, Nanos::SECOND, u64::MAX),
    };
    boxed(move |client| {
        let quota = shape.quota(black_box(600_000));
        table.charge(flow(client, limit), quota, NOW, 1).is_ok()
    })
}

/// A look at what the others have charged, and a charge for those that look here.
fn related(clients: u32) -> Box<dyn Contender> {
    let (table, mine, theirs) = (table(2 * clients), limit("mine"), limit("theirs"));
    let quota = widest();
    boxed(move |client| {
        let key = KeyHash::of_source(SECRET, Source::v4(client, 32));
        let seen = gcra::step(table.time(FlowId::new(key, mine)), quota, NOW, 1);
        let charged = table.debit(FlowId::new(key, theirs), Nanos(2), Nanos::SECOND, NOW);
        matches!(seen, Step::Admit { .. }) && charged.is_ok()
    })
}

/// A limit with a queue in which nobody waits.
fn queue(clients: u32) -> Box<dyn Contender> {
    let (table, limit, quota, line) = (
        table(clients),
        limit("queue"),
        widest(),
        Line::<()>::default(),
    );
    boxed(move |client| {
        let flow = flow(client, limit);
        let reserve = || {
            table.charge(flow, quota, NOW, 1).map(|done| Place {
                turn: NOW,
                charged: done.time,
            })
        };
        let entered = line.enter(flow.fingerprint(), 1_000, NOW, (), reserve);
        matches!(entered, Ok(Entered::AtOnce(_)))
    })
}

/// What counts by responses or bytes is charged after the fact.
fn debit(clients: u32) -> Box<dyn Contender> {
    let (table, limit) = (table(clients), limit("after"));
    boxed(move |client| {
        table
            .debit(flow(client, limit), Nanos(2), Nanos::SECOND, NOW)
            .is_ok()
    })
}

fn concurrency_of_one_key() -> Box<dyn Contender> {
    let slots = Lone::<()>::default();
    boxed(move |_| {
        let entered = slots.try_enter(1_000);
        slots.release(1_000, |()| {});
        entered
    })
}

fn concurrency_of_many_keys(clients: u32) -> Box<dyn Contender> {
    let (slots, limit) = (Keyed::<()>::default(), limit("concurrency"));
    debug_assert!(clients > 0);
    boxed(move |client| {
        let key = flow(client, limit).fingerprint();
        let entered = slots.try_enter(key, 1_000);
        slots.release(key, 1_000, |()| {});
        entered
    })
}

fn in_flight() -> Box<dyn Contender> {
    let inside = InFlight::default();
    boxed(move |_| {
        let entered = inside.enter(1_000);
        inside.leave();
        entered
    })
}

/// A closed breaker that is asked and answered.
fn breaker() -> Box<dyn Contender> {
    let breaker = Breaker::new(Nanos::from_secs(10));
    let rule = Rule {
        trip: Trip::Share(500_000),
        min_requests: 10,
        open_for: Nanos::SECOND,
        probes: 3,
        probe_within: Nanos::SECOND,
    };
    boxed(move |_| {
        let pass = breaker.ask(&rule, NOW);
        pass.map(|pass| breaker.answered(&rule, pass, Answer::Good, NOW))
            .is_ok()
    })
}

/// A request that is counted, and none repeated.
fn retry_budget() -> Box<dyn Contender> {
    let budget = RetryBudget::default();
    boxed(move |_| {
        budget.request(NOW);
        true
    })
}

/// A good answer of one of ten servers, whose rates are compared now and then.
fn outlier() -> Box<dyn Contender> {
    let rule = outlier::Rule {
        consecutive: Some(5),
        success_rate: Some(SuccessRate {
            min_servers: 5,
            min_requests: 100,
            deviations: 1_900,
        }),
        interval: Nanos::from_secs(10),
        eject_for: Nanos::from_secs(30),
        eject_at_most: Nanos::from_secs(300),
        most_share: 100_000,
    };
    let outliers = Outliers::default();
    let servers: Vec<Arc<outlier::Server>> = (0..10)
        .map(|_| Arc::new(outlier::Server::new(rule.interval)))
        .collect();
    boxed(move |client| {
        let server = client as usize % servers.len();
        let out = outliers.answered(&servers, server, false, &rule, NOW);
        out.is_empty() && servers[server].out_for(NOW).is_none()
    })
}

/// A place under an upstream's adaptive limit, and its answer.
fn adaptive() -> Box<dyn Contender> {
    let rule = gradient::Rule {
        min: 1,
        max: 1_000,
        tolerance: 1.5,
        every: Nanos::from_millis(100),
        measure_every: Nanos::from_secs(10),
    };
    let (limit, inside) = (Adaptive::new(&rule, 20, NOW), InFlight::default());
    boxed(move |client| {
        let entered = inside.enter(limit.limit());
        limit.answered(&rule, Nanos(1_000_000 + u64::from(client)), NOW);
        inside.leave();
        entered
    })
}

/// Somebody who is drawn, and takes a place.
fn gate() -> Box<dyn Contender> {
    let places = Places::default();
    boxed(move |client| {
        let lot = u64::from(client).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        !is_drawn(lot, 600_000) || places.try_take(None)
    })
}

/// A measure that is above its trigger, and by `bbr` at its capacity.
fn shed(strategy: Strategy) -> Box<dyn Contender> {
    let window = Window::default();
    for _ in 0..1_000 {
        window.completed(NOW, Nanos::from_millis(10), Nanos::from_millis(10));
    }
    boxed(move |_| overload::sheds(strategy, 95, Some(90), 1_000, || window.capacity(NOW)))
}

fn completed() -> Box<dyn Contender> {
    let window = Window::default();
    boxed(move |client| {
        let took = Nanos(1_000_000 + u64::from(client));
        window.completed(NOW, took, took);
        true
    })
}

/// A key that has a counter already.
fn hot_key(clients: u32) -> Box<dyn Contender> {
    let hot = HotKeys::default();
    debug_assert!(clients > 0);
    boxed(move |client| {
        hot.count(u64::from(client % 16) + 1, 0, NOW, |name| {
            name.push_str("client=192.0.2.7");
        });
        true
    })
}

/// A key that comes once: it takes over a counter, and its name is written.
fn hot_key_rotating() -> Box<dyn Contender> {
    let hot = HotKeys::default();
    boxed(move |client| {
        hot.count(u64::from(client) + 1, 0, NOW, |name| {
            use std::fmt::Write as _;
            let _ = write!(name, "client={}", std::net::Ipv4Addr::from_bits(client));
        });
        true
    })
}
