//! Overload protection: what is refused at once when there is more to do than the machine can.
//!
//! It is asked right after the route is known, because the route says how much a request matters, and before any
//! limit is charged. What a request costs here is a few loads; without `protection` in the file it costs nothing.

use std::sync::Arc;

use floodwall_config::{self as config, Measure, Priority, Strategy};
use floodwall_limiter::{
    FlowId, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret,
    set::{Done, Refused},
    shape::{
        in_flight::InFlight,
        overload::{self, Window},
    },
};

use crate::{host::Host, pressure::Readings, stats::Count};

pub mod answer;
pub mod preview;
pub mod status;

use answer::Answers;

/// The protection of one generation.
#[derive(Debug)]
pub struct Protection {
    /// Measures that are only looked at.
    watched: Vec<Watched>,
    /// How many requests of each priority may be in flight.
    most_in_flight: Option<[Option<u64>; 4]>,
    rate: Option<Rate>,
    answers: Answers,
}

/// What overload protection knows of the requests, over all generations.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Requests that were let in and are being served.
    pub in_flight: InFlight,
    /// Those of them that wait for a limit, and keep nobody busy meanwhile.
    waiting: InFlight,
    /// Requests that upstreams completed.
    pub window: Window,
    /// Requests that were shed, by [`measure`] and priority.
    shed: [[Count; 4]; MEASURES.len()],
}

/// The keys of all measures, in the order of their counters.
pub const MEASURES: [&str; 7] = [
    "cpu",
    "load",
    "memory",
    "pressure",
    "in_flight",
    "rate",
    "response_time",
];

/// A measure that somebody else takes.
#[derive(Debug)]
struct Watched {
    measure: Measure,
    strategy: Strategy,
    /// Above which value a priority is shed.
    thresholds: [Option<u64>; 4],
}

/// The rate at which requests are let in, whoever sends them: one budget, of which the priorities may use more or
/// less.
#[derive(Debug)]
struct Rate {
    flow: FlowId,
    quotas: [Option<Quota>; 4],
    /// What a priority is charged by that is never shed.
    full: Quota,
}

/// A request that was let in. It is in flight until this is dropped, however it ends.
#[derive(Debug)]
pub struct Pass {
    host: Arc<Host>,
    /// Since when it is worked on.
    since: Nanos,
    charged: Option<Charged>,
}

/// A charge that can be given back.
#[derive(Clone, Copy, Debug)]
struct Charged {
    flow: FlowId,
    quota: Quota,
    done: Done,
}

/// A request that was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed {
    /// The key of the measure that was over its trigger.
    pub by: &'static str,
}

/// Says in the log which measures of the running generation this machine does not give: they shed nobody.
pub fn warn_of_unknown(host: &Host) {
    let (generation, now) = (host.generation(), host.now());
    let watched = generation
        .protection
        .iter()
        .flat_map(|protection| &protection.watched);
    for watched in watched {
        // The processor has no value before there is a span to measure.
        if !matches!(watched.measure, Measure::Cpu(_)) && watched.value(host, now).is_none() {
            let measure = watched.measure.name();
            tracing::warn!(
                measure,
                "protection: this machine does not give it, so that it sheds nothing"
            );
        }
    }
}

impl Protection {
    pub fn compile(protection: &config::Protection, secret: Secret) -> Self {
        let mut compiled = Self {
            watched: Vec::new(),
            most_in_flight: None,
            rate: None,
            answers: Answers::compile(protection),
        };
        for trigger in &protection.triggers {
            match &trigger.measure {
                Measure::InFlight(most) => {
                    let of = |priority: Priority| priority.threshold(*most, None);
                    compiled.most_in_flight = Some(Priority::ALL.map(of));
                }
                Measure::Rate(rate) => compiled.rate = Some(Rate::compile(rate, secret)),
                _ => compiled.watched.push(Watched::compile(trigger)),
            }
        }
        compiled
    }

    /// Lets a request in, or says what it is shed by, as of `now`.
    ///
    /// # Errors
    /// [`Shed`]; nothing is charged then.
    pub fn admit(&self, host: &Arc<Host>, priority: Priority, now: Nanos) -> Result<Pass, Shed> {
        let verdict = self.ask(host, priority, now);
        if let Err(shed) = verdict {
            host.traffic.count(shed, priority);
        }
        verdict
    }

    fn ask(&self, host: &Arc<Host>, priority: Priority, now: Nanos) -> Result<Pass, Shed> {
        if let Some(watched) = self.over(host, priority, now) {
            let by = watched.measure.name();
            return Err(Shed { by });
        }
        let most = self.most_in_flight.and_then(|most| most[priority as usize]);
        if !host.traffic.in_flight.enter(most.unwrap_or(u64::MAX)) {
            return Err(Shed { by: "in_flight" });
        }
        let mut pass = Pass {
            host: Arc::clone(host),
            since: now,
            charged: None,
        };
        if let Some(rate) = &self.rate {
            // Dropping the pass gives its place back.
            let charged = rate.charge(host, priority, now);
            pass.charged = charged.map_err(|_| Shed { by: "rate" })?;
        }
        Ok(pass)
    }

    /// The first of the watched measures that sheds a request of this priority.
    fn over(&self, host: &Host, priority: Priority, now: Nanos) -> Option<&Watched> {
        let in_flight = host.traffic.at_work();
        self.watched
            .iter()
            .find(|watched| watched.sheds(host, priority, in_flight, now))
    }

    fn is_full(&self, priority: Priority, in_flight: u64) -> bool {
        let most = self.most_in_flight.and_then(|most| most[priority as usize]);
        most.is_some_and(|most| in_flight >= most)
    }

    fn is_too_fast(&self, host: &Host, priority: Priority, now: Nanos) -> bool {
        self.rate.as_ref().is_some_and(|rate| {
            let debt = host.table.debt(rate.flow, now);
            let quota = rate.quotas[priority as usize];
            quota.is_some_and(|quota| quota.remaining(debt) == 0)
        })
    }

    /// What a client is told whose request was shed.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }
}

impl Watched {
    fn compile(trigger: &config::Trigger) -> Self {
        let (at, most) = level(&trigger.measure);
        Self {
            measure: trigger.measure.clone(),
            strategy: trigger.strategy,
            thresholds: Priority::ALL.map(|priority| priority.threshold(at, most)),
        }
    }

    fn sheds(&self, host: &Host, priority: Priority, in_flight: u64, now: Nanos) -> bool {
        // A measure that this machine does not give sheds nobody: `status` says so.
        let Some(value) = self.value(host, now) else {
            return false;
        };
        let threshold = self.thresholds[priority as usize];
        let capacity = || host.traffic.window.capacity(now);
        overload::sheds(self.strategy, value, threshold, in_flight, capacity)
    }

    /// What is measured now, in the unit of [`level`].
    fn value(&self, host: &Host, now: Nanos) -> Option<u64> {
        let readings: &Readings = &host.pressure;
        let share = match self.measure {
            Measure::Cpu(_) => readings.cpu(),
            Measure::Memory(_) => readings.memory(),
            Measure::Pressure(of, stalled, _) => readings.stall(of, stalled),
            Measure::Load(_) => return readings.load(),
            // Nobody was answered lately: nobody waited long.
            Measure::ResponseTime(_) => {
                let average = host.traffic.window.response_time(now);
                return Some(average.unwrap_or(Nanos::ZERO).0);
            }
            Measure::InFlight(_) | Measure::Rate(_) => None,
        };
        share.map(|share| u64::from(share.millionths()))
    }
}

/// The trigger of a measure as a number, and the highest value that it can have: shares in millionths, the load in
/// thousandths, times in nanoseconds.
fn level(measure: &Measure) -> (u64, Option<u64>) {
    const WHOLE: u64 = 1_000_000;
    match measure {
        Measure::Cpu(share) | Measure::Memory(share) | Measure::Pressure(_, _, share) => {
            (u64::from(share.millionths()), Some(WHOLE))
        }
        Measure::Load(number) | Measure::InFlight(number) => (*number, None),
        Measure::ResponseTime(span) => (span.0, None),
        Measure::Rate(rate) => (rate.burst, None),
    }
}

impl Rate {
    fn compile(rate: &config::Rate, secret: Secret) -> Self {
        let quota = |burst| Quota::new(rate.count, rate.per, burst);
        Self {
            // No limit of the file can have a name with a space in it.
            flow: FlowId::new(
                KeyHash::of_nothing(secret),
                LimitId::new(secret, LimitKind::Request, "protection rate"),
            ),
            quotas: Priority::ALL.map(|priority| priority.burst(rate.burst).map(quota)),
            full: rate.quota,
        }
    }

    /// Charges one request; none when it is let in all the same, though the race for the cell was lost.
    fn charge(
        &self,
        host: &Host,
        priority: Priority,
        now: Nanos,
    ) -> Result<Option<Charged>, Refused> {
        let charged = |quota, done| Charged {
            flow: self.flow,
            quota,
            done,
        };
        if let Some(quota) = self.quotas[priority as usize] {
            let done = host.table.charge(self.flow, quota, now, 1)?;
            return Ok(Some(charged(quota, done)));
        }
        // Never refused, and charged all the same, so that the others make room. The debt stays within two
        // buckets: what is critical may drain the bucket, and not close it for ever.
        let deepest = Nanos(self.full.depth().0.saturating_mul(2));
        let done = host
            .table
            .debit(self.flow, self.full.interval(), deepest, now);
        Ok(done.ok().map(|done| charged(self.full, done)))
    }

    /// How many requests are charged that time has not given back yet.
    fn used(&self, host: &Host, now: Nanos) -> u64 {
        let debt = host.table.debt(self.flow, now);
        self.full.burst().saturating_sub(self.full.remaining(debt))
    }
}

impl Pass {
    /// Takes back that the request was let in: it was no work for anybody.
    pub fn refund(self) {
        if let Some(Charged { flow, quota, done }) = self.charged {
            let now = self.host.now();
            self.host.table.refund(flow, quota, done, now, 1);
        }
    }

    /// Waits with the request. Whoever waits for a limit is in flight, but keeps the machine no busier, and how long it
    /// waits says nothing of how fast the machine is.
    pub async fn aside<T>(&mut self, wait: impl Future<Output = T>) -> T {
        let aside = Aside::new(&self.host);
        let waited = wait.await;
        drop(aside);
        self.since = self.host.now();
        waited
    }

    /// Notes that an upstream has answered it in full; its header was there at `answered`.
    pub fn completed(&self, answered: Nanos) {
        let now = self.host.now();
        let (responding, whole) = (answered.minus(self.since), now.minus(self.since));
        self.host.traffic.window.completed(now, responding, whole);
    }
}

/// Counts a request as waiting for as long as this lives: the client may leave in the middle.
struct Aside(Arc<Host>);

impl Aside {
    fn new(host: &Arc<Host>) -> Self {
        host.traffic.waiting.enter(u64::MAX);
        Self(Arc::clone(host))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.traffic.waiting.leave();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.host.traffic.in_flight.leave();
    }
}

impl Traffic {
    /// Requests that are worked on.
    fn at_work(&self) -> u64 {
        self.in_flight.now().saturating_sub(self.waiting.now())
    }

    /// How many requests of a priority a measure has shed.
    pub fn shed(&self, measure: &str, priority: Priority) -> u64 {
        let index = MEASURES.iter().position(|name| *name == measure);
        index.map_or(0, |index| self.shed[index][priority as usize].get())
    }

    fn count(&self, shed: Shed, priority: Priority) {
        if let Some(index) = MEASURES.iter().position(|name| *name == shed.by) {
            self.shed[index][priority as usize].one();
        }
    }
}
