//! What lists cost: nanoseconds a packet by the size of the list, and the time of a load, beside the kernel's own
//! trie of prefixes and xdp-filter.
//!
//! One line for each list: a source that is on it and one that is not, both above an empty program, as the median
//! of 101 runs in turn; then the time that loading took. xdp-filter knows exact addresses only, and gets as many as
//! it takes. The packets come from one source, so that its bucket is in the cache; `cold` is one packet from each
//! of 20,000 sources, call into the kernel and all.
//! Needs root; xdp-filter comes with Debian's xdp-tools.

#[path = "../tests/kernel/packet.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests' own packets, of which they build more kinds"
)]
mod packet;
#[path = "rig"]
mod rig {
    pub(crate) mod attached;
    pub(crate) mod case;
    pub(crate) mod parts;
    pub(crate) mod pinned;
    pub(crate) mod steady;
    pub(crate) mod tools;
    pub(crate) mod xdp_filter;
}
#[path = "lists/rivals.rs"]
mod rivals;
#[path = "lists/sources.rs"]
mod sources;

use std::time::{Duration, Instant};

use floodwall_xdp::{PreFilter, Rules};
use packet::{ACK, tcp};
use rig::{
    case::{Case, Program, measure, ours, part},
    pinned::Pinned,
    steady::{keep_to, last_cpu},
};
use sources::Sources;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const MILLION: u32 = 1_000_000;

fn main() -> Result<(), Failure> {
    if !nix::unistd::geteuid().is_root() {
        println!("xdp/lists SKIPPED: needs root");
        return Ok(());
    }
    keep_to(last_cpu()?)?;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    let filter = Pinned::on(&[], 1024, &Rules::new(1))?;
    let mut lists = Vec::new();
    for sources in [Sources::V4_NETWORKS, Sources::V6_NETWORKS] {
        for size in [1, 100, MILLION] {
            lists.push(List::of(&filter, sources, size)?);
        }
    }
    lists.push(List::of(&filter, Sources::V4_ADDRESSES, MILLION)?);
    lists.push(rivals::trie(Sources::V4_NETWORKS, MILLION)?);
    let _xdp_filter = match rivals::xdp_filter(Sources::V4_ADDRESSES) {
        Ok((loaded, list)) => {
            lists.push(list);
            Some(loaded)
        }
        Err(error) => {
            println!("xdp/lists no xdp-filter: {error}");
            None
        }
    };
    report(&filter, &lists)
}

/// A list, and the program that has it.
struct List {
    of: &'static str,
    sources: Sources,
    size: u32,
    program: Program,
    load: Duration,
}

impl List {
    /// Our own.
    fn of(filter: &PreFilter, sources: Sources, size: u32) -> Result<Self, Failure> {
        let deny = (0..size).map(|index| sources.net(index)).collect();
        let rules = Rules {
            deny,
            ..Rules::new(1)
        };
        let began = Instant::now();
        let program = ours(filter.load(&rules)?);
        Ok(Self {
            of: "floodwall",
            sources,
            size,
            program,
            load: began.elapsed(),
        })
    }

    fn cases(&self) -> [Case; 2] {
        let case = |name: &str, source: std::net::IpAddr| {
            let packet = tcp(&source.to_string(), 443, ACK).bytes();
            Case::new(name, self.program.clone(), packet)
        };
        [
            case("denied", self.sources.on(self.size / 2)),
            case("innocent", self.sources.off()),
        ]
    }

    /// The time of one packet of each of many sources, which finds its bucket in no cache but the largest.
    fn cold(&self) -> Result<f64, Failure> {
        const SOURCES: u32 = 20_000;
        let mut total = Duration::ZERO;
        for index in 0..SOURCES {
            let source = self.sources.on(index * 41 % self.size);
            let packet = tcp(&source.to_string(), 443, ACK).bytes();
            total += (self.program)(&packet, 1)?;
        }
        Ok(total.as_secs_f64() * 1e9 / f64::from(SOURCES))
    }
}

fn report(filter: &PreFilter, lists: &[List]) -> Result<(), Failure> {
    let packet = tcp("198.51.100.7", 443, ACK).bytes();
    let none = ours(filter.load(&Rules::new(1))?);
    let mut cases = vec![
        Case::new("empty", part("empty")?, packet.clone()),
        Case::new("innocent", none, packet),
    ];
    cases.extend(lists.iter().flat_map(List::cases));
    measure(&mut cases)?;
    let empty = cases[0].ns();
    let above = |case: &Case| format!("{}={:.0}", case.name, case.ns() - empty);
    println!("xdp/lists of=floodwall size=0 {}", above(&cases[1]));
    for (list, cases) in lists.iter().zip(cases[2..].chunks(2)) {
        println!(
            "xdp/lists of={} size={} {} {} {} cold={:.0} load={:.3}s",
            list.of,
            list.size,
            list.sources.name,
            above(&cases[0]),
            above(&cases[1]),
            list.cold()?,
            list.load.as_secs_f64(),
        );
    }
    Ok(())
}
