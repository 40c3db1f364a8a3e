//! Nanoseconds a decision: Floodwall's limiter beside governor, pingora-limits and sentinel-core.
//!
//! The contenders take turns, one short round each, so that whatever else the machine does meets all of
//! them; the figure is the median of their rounds, in CPU time of the slowest thread, so that a busy machine
//! does not count. That is why this is no criterion bench, which measures one contender after the other, and
//! by the wall clock. Then each shape of flow control by itself, and an attack on all contenders: see [`attack`].
//!
//! Usage: `cargo run --release -- [--quick] [decisions] [shapes] [attack]`

mod attack;
mod contender;
mod shapes;

use std::{hint::black_box, thread, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use contender::{
    Contender, Floodwall, FloodwallKnownKey, FloodwallWithClock, Governor, PingoraLimits, Sentinel,
};

const ROUNDS: usize = 9;
const QUICK_ROUNDS: usize = 3;

/// One contender and how often it decides in a round: enough for some 20 ms.
struct Entrant {
    name: &'static str,
    decisions: u32,
    contender: Box<dyn Fn(u32, u32) -> f64>,
}

impl Entrant {
    fn new<C: Contender + 'static>(
        name: &'static str,
        decisions: u32,
        clients: u32,
        contender: C,
    ) -> Self {
        let decisions = decisions.max(2 * clients.min(decisions));
        warm_up(&contender, clients);
        let contender = Box::new(move |threads, count| round(&contender, clients, threads, count));
        Self {
            name,
            decisions,
            contender,
        }
    }
}

fn main() {
    let (options, wanted): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|word| word.starts_with("--"));
    if let [what, contender] = wanted.as_slice()
        && what == attack::CHILD
    {
        return attack::alone(contender);
    }
    let quick = options.iter().any(|option| option == "--quick");
    let rounds = if quick { QUICK_ROUNDS } else { ROUNDS };
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    if chosen("decisions") {
        decisions(rounds);
    }
    if chosen("shapes") {
        all_shapes(rounds);
    }
    if chosen("attack") {
        attack::all();
    }
}

/// Prints what a decision of each shape costs, and its ratio to a plain rate's.
fn all_shapes(rounds: usize) {
    let clients = 1_000;
    let entrants: Vec<Entrant> = shapes::all(clients)
        .into_iter()
        .map(|(name, shape)| Entrant::new(name, 1_000_000, clients, shape))
        .collect();
    for threads in [1, 2] {
        let figures = medians(&entrants, threads, rounds);
        let rate = figures.first().map_or(f64::NAN, |(_, ns)| *ns);
        for (name, ns) in figures {
            let ratio = ns / rate;
            println!(
                "limiter/shape    keys={clients} threads={threads} {name:<18} {ns:6.1} ns  {ratio:.2} x rate"
            );
        }
    }
}

fn decisions(rounds: usize) {
    for clients in [1, 1_000, 1_000_000] {
        let entrants = [
            Entrant::new("floodwall", 2_000_000, clients, Floodwall::new(clients)),
            Entrant::new(
                "floodwall-hash",
                2_000_000,
                clients,
                FloodwallKnownKey::new(clients),
            ),
            Entrant::new(
                "floodwall+clock",
                1_000_000,
                clients,
                FloodwallWithClock::new(clients),
            ),
            Entrant::new("governor", 500_000, clients, Governor::new()),
            Entrant::new(
                "governor-clock",
                500_000,
                clients,
                Governor::without_clock(),
            ),
            Entrant::new("pingora-limits", 300_000, clients, PingoraLimits::new()),
            Entrant::new("sentinel-core", 5_000, clients, Sentinel::new(clients)),
        ];
        for threads in [1, 2] {
            report(clients, threads, &medians(&entrants, threads, rounds));
        }
    }
}

fn medians(entrants: &[Entrant], threads: u32, rounds: usize) -> Vec<(&'static str, f64)> {
    let mut taken = vec![Vec::new(); entrants.len()];
    for _ in 0..rounds {
        for (entrant, taken) in entrants.iter().zip(&mut taken) {
            taken.push((entrant.contender)(threads, entrant.decisions));
        }
    }
    let median = |mut rounds: Vec<f64>| {
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    };
    entrants
        .iter()
        .zip(taken)
        .map(|(entrant, rounds)| (entrant.name, median(rounds)))
        .collect()
}

/// Prints one line of figures and one of ratios. The proxy reads the clock once for all of a request's limits;
/// `+clock` reads it for each decision, `-hash` is a further limit on a key that is hashed already, and `-clock` is governor with a clock that costs one load.
fn report(clients: u32, threads: u32, figures: &[(&str, f64)]) {
    let of = |wanted: &str| {
        figures
            .iter()
            .find(|(name, _)| *name == wanted)
            .map_or(f64::NAN, |(_, ns)| *ns)
    };
    let listed: Vec<String> = figures
        .iter()
        .map(|(name, ns)| format!("{name}={ns:.1}ns"))
        .collect();
    println!(
        "limiter/decision keys={clients} threads={threads} {}",
        listed.join(" ")
    );
    let ratio = |ours: &str, theirs: &str| format!("{ours}/{theirs}={:.4}", of(ours) / of(theirs));
    println!(
        "limiter/ratio    keys={clients} threads={threads} {}",
        [
            ratio("floodwall", "governor-clock"),
            ratio("floodwall+clock", "governor"),
            ratio("floodwall", "pingora-limits"),
            ratio("floodwall+clock", "pingora-limits"),
            ratio("floodwall+clock", "sentinel-core"),
        ]
        .join(" ")
    );
}

/// Brings every client in once, so that no round measures allocation.
fn warm_up(contender: &impl Contender, clients: u32) {
    for client in 0..clients {
        assert!(contender.decide(client), "a client's first request");
    }
}

/// Nanoseconds of CPU time a decision, in the slowest of the threads that decide at once.
fn round(contender: &impl Contender, clients: u32, threads: u32, decisions: u32) -> f64 {
    let slowest = thread::scope(|scope| {
        let decide = |thread| move || timed(|| decide_all(contender, clients, thread, decisions));
        let running: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(decide(thread)))
            .collect();
        running
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .fold(f64::NAN, f64::max)
    });
    slowest / f64::from(decisions)
}

/// The CPU time of the calling thread that a piece of work takes, in nanoseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(
            time.tv_sec.unsigned_abs(),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    };
    let started = now();
    work();
    (now() - started).as_secs_f64() * 1e9
}

fn decide_all(contender: &impl Contender, clients: u32, thread: u32, decisions: u32) {
    // A full-period walk through the clients in an order that no prefetcher guesses.
    let mut client = thread;
    for _ in 0..decisions {
        client = client.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let picked = (u64::from(client) * u64::from(clients)) >> 32;
        let picked = picked as u32;
        assert!(
            black_box(contender.decide(black_box(picked))),
            "all budgets are wide open"
        );
    }
}
