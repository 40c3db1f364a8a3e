//! `protection`: when there is more work than the machine can do, and what is refused then.

use floodwall_limiter::Nanos;
pub use floodwall_limiter::shape::overload::{Priority, Strategy};

use crate::rate::BURST_KEY;
use crate::read::{Cursor, Fields, SHORTEST, choice, count, share, span};
use crate::section::{COUNT, DURATION, Key, RATE, SHARE, Section, Shape};
use crate::units::Share;
use crate::yaml::ScalarKind;
use crate::{Rate, Response, response};

/// What protects the machine from more work than it can do.
#[derive(Clone, Debug, PartialEq)]
pub struct Protection {
    /// At least one, each measure once.
    pub triggers: Vec<Trigger>,
    /// What a request that is shed gets.
    pub reject: Response,
}

/// A measure, where it begins to shed, and what is shed then.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    pub measure: Measure,
    pub strategy: Strategy,
}

/// What is measured, with its trigger: the highest value at which nothing is shed.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// Of the processor time that the container or the host has.
    Cpu(Share),
    /// The load average of one minute for each core, in thousandths.
    Load(u64),
    /// Of the memory that the container or the host has.
    Memory(Share),
    /// Of the last ten seconds, the part in which tasks waited.
    Pressure(Resource, Stalled, Share),
    /// Requests that are being served.
    InFlight(u64),
    /// Requests that are let in.
    Rate(Rate),
    /// The average time until a response's header.
    ResponseTime(Nanos),
}

/// A resource that tasks wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Cpu,
    Memory,
    Io,
}

/// Who waits: some task at least, or all that are not idle at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalled {
    Some,
    Full,
}

impl Measure {
    /// The key that it has in the file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu",
            Self::Load(_) => "load",
            Self::Memory(_) => "memory",
            Self::Pressure(..) => "pressure",
            Self::InFlight(_) => "in_flight",
            Self::Rate(_) => "rate",
            Self::ResponseTime(_) => "response_time",
        }
    }
}

pub(crate) static SECTION: Section = Section {
    name: "protection",
    keys: &[
        Key::new("cpu", Shape::Section(&CPU), "processor time that is used"),
        Key::new(
            "load",
            Shape::Section(&LOAD),
            "the load average of one minute for each core",
        ),
        Key::new("memory", Shape::Section(&MEMORY), "memory that is used"),
        Key::new(
            "pressure",
            Shape::Section(&PRESSURE),
            "how long tasks wait for a resource",
        ),
        Key::new(
            "in_flight",
            Shape::Section(&IN_FLIGHT),
            "requests being served",
        ),
        Key::new("rate", Shape::Section(&RATE_SECTION), "requests let in"),
        Key::new(
            "response_time",
            Shape::Section(&RESPONSE_TIME),
            "the average time until a response's header",
        ),
        Key::new(
            "reject",
            Shape::Section(&response::SECTION),
            "what a request that is shed gets",
        ),
    ],
    one_of: &[],
};

static CPU: Section = measure("protection.cpu", &[SHARE_TRIGGER, STRATEGY]);
static LOAD: Section = measure("protection.load", &[LOAD_TRIGGER, STRATEGY]);
static MEMORY: Section = measure("protection.memory", &[SHARE_TRIGGER, ONLY_STRICT]);
static PRESSURE: Section = measure(
    "protection.pressure",
    &[
        SHARE_TRIGGER,
        STRATEGY,
        Key::new(
            "of",
            Shape::Choice(RESOURCES),
            "the resource that is waited for; default cpu",
        ),
        Key::new(
            "stall",
            Shape::Choice(STALLS),
            "whether some task waits, or all of them; default some",
        ),
    ],
);
static IN_FLIGHT: Section = measure("protection.in_flight", &[COUNT_TRIGGER, ONLY_STRICT]);
static RATE_SECTION: Section = measure(
    "protection.rate",
    &[
        Key::required("trigger", RATE, "the highest rate, such as 5k/s"),
        BURST_KEY,
        ONLY_STRICT,
    ],
);
static RESPONSE_TIME: Section = measure("protection.response_time", &[DURATION_TRIGGER, STRATEGY]);

const fn measure(name: &'static str, keys: &'static [Key]) -> Section {
    Section {
        name,
        keys,
        one_of: &[],
    }
}

const SHARE_TRIGGER: Key = Key::required("trigger", SHARE, "above this share, such as 90%");
const LOAD_TRIGGER: Key = Key::required("trigger", Shape::Scalar, "above this, such as 1.5");
const COUNT_TRIGGER: Key = Key::required("trigger", COUNT, "at most so many at once");
const DURATION_TRIGGER: Key = Key::required("trigger", DURATION, "above this, such as 500ms");
const STRATEGY: Key = Key::new(
    "strategy",
    Shape::Choice(STRATEGIES),
    "strict, or bbr: only what is beyond the machine's capacity; default strict",
);
const ONLY_STRICT: Key = Key::new("strategy", Shape::Choice(ONLY), "strict");

const STRATEGIES: &[&str] = &["strict", "bbr"];
const ONLY: &[&str] = &["strict"];
const RESOURCES: &[&str] = &["cpu", "memory", "io"];
const STALLS: &[&str] = &["some", "full"];

const MOST_IN_FLIGHT: u64 = 1_000_000_000;

impl Protection {
    pub(crate) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let triggers = [
            trigger(&fields, "cpu", &CPU, |of| {
                Trigger::of(share_in(of).map(Measure::Cpu), adaptive(of))
            }),
            trigger(&fields, "load", &LOAD, |of| {
                let above = of.required("trigger", thousandths);
                Trigger::of(above.map(Measure::Load), adaptive(of))
            }),
            trigger(&fields, "memory", &MEMORY, |of| {
                Trigger::of(share_in(of).map(Measure::Memory), strict(of))
            }),
            trigger(&fields, "pressure", &PRESSURE, |of| {
                Trigger::of(pressure(of), adaptive(of))
            }),
            trigger(&fields, "in_flight", &IN_FLIGHT, |of| {
                let most = of.required("trigger", count(0, MOST_IN_FLIGHT));
                Trigger::of(most.map(Measure::InFlight), strict(of))
            }),
            trigger(&fields, "rate", &RATE_SECTION, |of| {
                let rate = Rate::read_under("trigger", of);
                Trigger::of(rate.map(Measure::Rate), strict(of))
            }),
            trigger(&fields, "response_time", &RESPONSE_TIME, |of| {
                let above = of.required("trigger", span(SHORTEST));
                Trigger::of(above.map(Measure::ResponseTime), adaptive(of))
            }),
        ];
        let reject = fields.or("reject", Response::read(503), Response::unavailable());
        let triggers = triggers.into_iter().collect::<Option<Vec<_>>>()?;
        let triggers: Vec<Trigger> = triggers.into_iter().flatten().collect();
        if triggers.is_empty() {
            let allowed = "cpu, load, memory, pressure, in_flight, rate or response_time";
            return value.refuse_as("nothing that is measured", allowed);
        }
        Some(Self {
            triggers,
            reject: reject?,
        })
    }
}

impl Trigger {
    fn of(measure: Option<Measure>, strategy: Option<Strategy>) -> Option<Self> {
        Some(Self {
            measure: measure?,
            strategy: strategy?,
        })
    }
}

/// Reads one measure's section. The outer None means that it is there and wrong.
#[expect(
    clippy::option_option,
    reason = "given and wrong, not given, given and right"
)]
fn trigger(
    fields: &Fields<'_>,
    name: &'static str,
    section: &'static Section,
    read: impl FnOnce(&Fields<'_>) -> Option<Trigger>,
) -> Option<Option<Trigger>> {
    fields.optional(name, |value| read(&Fields::open(value, section)?))
}

fn adaptive(fields: &Fields<'_>) -> Option<Strategy> {
    let meanings = &[Strategy::Strict, Strategy::Bbr];
    fields.or("strategy", choice(STRATEGIES, meanings), Strategy::Strict)
}

/// Reads the strategy of a measure that fewer requests at once would not lower, or that is a bound itself.
fn strict(fields: &Fields<'_>) -> Option<Strategy> {
    let only = choice(ONLY, &[Strategy::Strict]);
    fields.or("strategy", only, Strategy::Strict)
}

fn pressure(fields: &Fields<'_>) -> Option<Measure> {
    let above = share_in(fields);
    let resources = &[Resource::Cpu, Resource::Memory, Resource::Io];
    let of = fields.or("of", choice(RESOURCES, resources), Resource::Cpu);
    let stalls = &[Stalled::Some, Stalled::Full];
    let stalled = fields.or("stall", choice(STALLS, stalls), Stalled::Some);
    Some(Measure::Pressure(of?, stalled?, above?))
}

fn share_in(fields: &Fields<'_>) -> Option<Share> {
    fields.required("trigger", share(Share::NOTHING))
}

/// Reads a number with up to three decimals, in thousandths.
fn thousandths(value: Cursor<'_>) -> Option<u64> {
    const ALLOWED: &str = "a number from 0 to 999 with at most three decimals, such as 1.5";
    let number = match value.kind() {
        Some(ScalarKind::Integer(_) | ScalarKind::Float) => value.written()?,
        _ => return value.refuse(ALLOWED),
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let read = |text: &str| text.parse::<u64>().ok();
    match (read(whole), read(&format!("{decimals:0<3}"))) {
        (Some(whole), Some(decimals)) if whole < 1_000 && decimals < 1_000 => {
            Some(whole * 1_000 + decimals)
        }
        _ => value.refuse(ALLOWED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn read(protection: &str) -> Result<Protection, String> {
        let text = format!(
            "listeners: {{ web: {{ address: 127.0.0.1:8080 }} }}\nroutes: [{{ name: all, respond: {{}} }}]\nprotection: {protection}\n"
        );
        Config::from_text(&text, "f")
            .map_err(|problems| problems.to_string())
            .map(|config| config.protection.unwrap())
    }

    #[test]
    fn every_measure_has_its_own_unit() {
        let all = "{ cpu: { trigger: 90%, strategy: bbr }, load: { trigger: 1.5 }, memory: { trigger: 95% }, \
                   pressure: { trigger: 20%, of: io, stall: full }, in_flight: { trigger: 4k }, \
                   rate: { trigger: 5k/s, burst: 100 }, response_time: { trigger: 500ms, strategy: bbr } }";
        let protection = read(all).unwrap();
        let [cpu, load, memory, pressure, in_flight, rate, response_time] =
            protection.triggers.try_into().unwrap();
        let share = Share::of_millionths;
        assert_eq!(
            (cpu.measure, cpu.strategy),
            (Measure::Cpu(share(900_000)), Strategy::Bbr)
        );
        assert_eq!(
            (load.measure, load.strategy),
            (Measure::Load(1_500), Strategy::Strict)
        );
        assert_eq!(memory.measure, Measure::Memory(share(950_000)));
        let stalled = Measure::Pressure(Resource::Io, Stalled::Full, share(200_000));
        assert_eq!(pressure.measure, stalled);
        assert_eq!(in_flight.measure, Measure::InFlight(4_000));
        assert!(matches!(rate.measure, Measure::Rate(rate) if rate.burst == 100));
        assert_eq!(
            response_time.measure,
            Measure::ResponseTime(Nanos::from_millis(500))
        );
        assert_eq!(protection.reject.status, 503);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (protection, part) in [
            ("{}", "nothing that is measured"),
            ("{ reject: { status: 500 } }", "nothing that is measured"),
            ("{ cpu: {} }", "protection.cpu"),
            ("{ cpu: { trigger: 101% } }", "0% to 100%"),
            (
                "{ in_flight: { trigger: 5, strategy: bbr } }",
                "allowed: strict",
            ),
            (
                "{ memory: { trigger: 5%, strategy: bbr } }",
                "allowed: strict",
            ),
            ("{ load: { trigger: 1.2345 } }", "three decimals"),
            ("{ load: { trigger: 1e1 } }", "three decimals"),
            ("{ load: { trigger: -1 } }", "three decimals"),
            ("{ load: { trigger: .inf } }", "three decimals"),
            ("{ pressure: { trigger: 5%, of: disk } }", "cpu, memory, io"),
            ("{ rate: { trigger: 50 } }", "a rate such as"),
        ] {
            let problems = read(protection).unwrap_err();
            assert!(problems.contains(part), "{protection}: {problems}");
        }
    }
}
