//! What lists cost: nanoseconds a packet by the size of the list, and the time of a load.
//!
//! One line for each size and family: a source that is on the list and one that is not, both above an empty list
//! and beside no limits, as the median of nine runs; then the time from the prefixes to a loaded program. The
//! packets come from one source, so that its bucket is in the cache; `cold` is one packet from each of 20,000
//! sources, call into the kernel and all.
//! Needs root.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use floodwall_limiter::Nanos;
use floodwall_xdp::{Loaded, Mode, PreFilter, Rules, Settings};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

#[path = "../tests/kernel/packet.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests' own packets, of which they build more kinds"
)]
mod packet;

use packet::{ACK, tcp};

type Failure = Box<dyn std::error::Error>;

const REPEAT: u32 = 200_000;
const RUNS: usize = 9;

fn main() -> Result<(), Failure> {
    if !nix::unistd::geteuid().is_root() {
        println!("xdp/lists SKIPPED: needs root");
        return Ok(());
    }
    let settings = Settings {
        instance: format!("lists-{}", std::process::id()),
        interfaces: Vec::new(),
        mode: Mode::Auto,
        required: true,
        replace: false,
        sources: 1024,
        bpffs: Settings::BPFFS.into(),
    };
    let filter = PreFilter::attach(&settings, &Rules::new(1))?;
    filter.renew_lease(Nanos::MAX);
    let none = filter.load(&Rules::new(1))?;
    let base = ns(&none, on(0, false))?;
    println!("xdp/lists size=0 innocent={base:.1}");
    for six in [false, true] {
        for size in [1, 100, 1_000_000] {
            report(&filter, size, six, base)?;
        }
    }
    drop(filter);
    PreFilter::detach(&settings)?;
    Ok(())
}

fn report(filter: &PreFilter, size: u32, six: bool, base: f64) -> Result<(), Failure> {
    let deny = (0..size).map(|index| net(index, six)).collect();
    let rules = Rules {
        deny,
        ..Rules::new(1)
    };
    let began = Instant::now();
    let program = filter.load(&rules)?;
    let load = began.elapsed();
    let denied = ns(&program, on(size / 2, six))?;
    let innocent = ns(&program, off(six))?;
    let cold = cold(&program, |index| on(index % size, six))?;
    println!(
        "xdp/lists size={size} family={} denied={denied:.1} innocent={innocent:.1} above-none={:.1} cold={cold:.0} load={:.3}s",
        if six { 6 } else { 4 },
        innocent - base,
        load.as_secs_f64(),
    );
    Ok(())
}

/// Networks of three lengths, spread over the address space.
fn net(index: u32, six: bool) -> IpNet {
    let length = [24, 28, 32][index as usize % 3];
    match on(index, six) {
        IpAddr::V4(address) => Ipv4Net::new_assert(address, length).trunc().into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 2 * length).trunc().into(),
    }
}

/// An address on the list.
fn on(index: u32, six: bool) -> IpAddr {
    // An odd factor: all different, and in no order.
    let bits = index.wrapping_mul(0x9e37_79b1) >> 1;
    if six {
        Ipv6Addr::from(0x2001_u128 << 112 | u128::from(bits) << 64).into()
    } else {
        Ipv4Addr::from(bits).into()
    }
}

/// An address that no list has.
fn off(six: bool) -> IpAddr {
    if six {
        Ipv6Addr::from(0x2a00_u128 << 112 | 1).into()
    } else {
        Ipv4Addr::from(0xc633_6407).into()
    }
}

/// The kernel answers in whole nanoseconds, so that a median is no finer.
fn ns(program: &Loaded, source: IpAddr) -> Result<f64, Failure> {
    let packet = tcp(&source.to_string(), 443, ACK).bytes();
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(program.test_run(&packet, REPEAT)?.time.as_secs_f64() * 1e9);
    }
    runs.sort_by(f64::total_cmp);
    Ok(runs[RUNS / 2])
}

/// The time of one packet of each of many sources, which finds its bucket in no cache but the largest.
fn cold(program: &Loaded, source: impl Fn(u32) -> IpAddr) -> Result<f64, Failure> {
    const SOURCES: u32 = 20_000;
    let mut total = Duration::ZERO;
    for index in 0..SOURCES {
        let packet = tcp(&source(index * 41).to_string(), 443, ACK).bytes();
        total += program.test_run(&packet, 1)?.time;
    }
    Ok(total.as_secs_f64() * 1e9 / f64::from(SOURCES))
}
