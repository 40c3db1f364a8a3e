//! Packets a second over a wire that are dropped before the stack: by Floodwall, xdp-filter and nftables.
//!
//! A veth pair whose one end transmits frames as a driver does, out of `BPF_PROG_TEST_RUN` with live frames, so that
//! no socket and no copy is in the figure. Each filter has the other end in its turn, as an operator
//! would write it: a source on the deny list, which has one entry or a million, and packets above a rate for each
//! source. nftables has its earliest hook for all. `ns` is all that one core does for a packet, from its transmission to its end; `ratio` is
//! ours over theirs. Needs root; the tools come with Debian's nftables and xdp-tools.

#[path = "../tests/kernel/packet.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests' own packets, of which they build more kinds"
)]
mod packet;

#[path = "rig"]
mod rig {
    pub(crate) mod parts;
    pub(crate) mod pinned;
    pub(crate) mod steady;
    pub(crate) mod tools;
    pub(crate) mod xdp_filter;
}

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

use aya::{
    Ebpf,
    programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp},
};
use floodwall_limiter::{Nanos, Quota};
use floodwall_xdp::{PacketKey, PacketLimit, Rules};
use ipnet::IpNet;
use packet::udp;
use rig::{
    parts::PARTS,
    pinned::Pinned,
    steady::{keep_to, last_cpu, median},
    tools::{feed, run},
    xdp_filter::XdpFilter,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const FRAMES: u32 = 2_000_000;
const RUNS: usize = 7;
/// As many as a driver hands over at once.
const BATCH: u32 = 64;
const BAD: &str = "203.0.113.9";
const NETWORK: &str = "203.0.113.0/24";
const PORT: u16 = 8080;

fn main() -> Result<(), Failure> {
    if !nix::unistd::geteuid().is_root() {
        println!("xdp/wire SKIPPED: needs root");
        return Ok(());
    }
    // Nothing of this is seen outside, and all of it goes with the process.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    share_a_core()?;
    let wire = Wire::lay()?;
    let denied = wire.median(|| {
        floodwall(&Rules {
            deny: vec![NETWORK.parse()?],
            ..Rules::new(1)
        })
    })?;
    let denied_by_nftables = wire.median(|| Nftables::load(&nftables_list(&interval())))?;
    let of_million = wire.median(|| {
        floodwall(&Rules {
            deny: million()
                .map(|address| IpNet::from(IpAddr::V4(address)))
                .collect(),
            ..Rules::new(1)
        })
    })?;
    let of_million_by_nftables =
        wire.median(|| Nftables::load(&nftables_list(&addresses(million()))))?;
    let denied_by_xdp_filter = wire.median(|| XdpFilter::load("receives", BAD))?;
    let limited = wire.median(|| {
        floodwall(&Rules {
            limits: vec![limit()],
            ..Rules::new(1)
        })
    })?;
    let limited_by_nftables = wire.median(|| Nftables::load(NFTABLES_RATE))?;
    for (case, ours, rival, theirs) in [
        ("denied", denied, "nftables", denied_by_nftables),
        ("denied", denied, "xdp-filter", denied_by_xdp_filter),
        (
            "denied-of-1000000",
            of_million,
            "nftables",
            of_million_by_nftables,
        ),
        ("limited", limited, "nftables", limited_by_nftables),
    ] {
        println!(
            "xdp/wire case={case} floodwall={ours:.0}ns ({:.2} M packets/s) {rival}={theirs:.0}ns ({:.2} M packets/s) \
             ratio={:.2}",
            1e3 / ours,
            1e3 / theirs,
            ours / theirs
        );
    }
    Ok(())
}

fn limit() -> PacketLimit {
    let quota = Quota::new(200, Nanos::SECOND, 400);
    PacketLimit::new("per-source", PacketKey::Source, quota)
}

/// Keeps to one core, and gives way to the kernel's own thread there: when it takes over the receiving, the ring
/// between the two ends must not overflow.
fn share_a_core() -> Result<(), Failure> {
    keep_to(last_cpu()?)?;
    run(&format!("renice -n 19 -p {}", std::process::id()))?;
    Ok(())
}

/// Two ends of a cable, and what transmits at one of them.
struct Wire {
    transmitter: Ebpf,
    frame: Vec<u8>,
    context: [u8; 24],
}

impl Wire {
    fn lay() -> Result<Self, Failure> {
        run("ip link add transmits type veth peer name receives")?;
        run("ip link set transmits up")?;
        run("ip link set receives up")?;
        // Without it a veth end takes frames only while it has an XDP program, and nftables is none.
        run("ethtool -K receives gro on")?;
        run("ip address add 10.77.0.1/24 dev receives")?;
        let mut transmitter = Ebpf::load_file(PARTS)?;
        let program: &mut Xdp = transmitter
            .program_mut("transmit")
            .ok_or("no program")?
            .try_into()?;
        program.load()?;
        let mut frame = udp(BAD, PORT).bytes();
        frame[..6].copy_from_slice(&mac("receives")?);
        Ok(Self {
            transmitter,
            context: context(frame.len(), "transmits")?,
            frame,
        })
    }

    /// Nanoseconds a packet while `filter` filters; the median of some runs.
    fn median<F>(&self, filter: impl FnOnce() -> Result<F, Failure>) -> Result<f64, Failure> {
        let _filtering = filter()?;
        self.transmit(FRAMES / 10)?;
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let before = (received()?, passed()?);
            let ns = self.transmit(FRAMES)?;
            let (received, passed) = (received()? - before.0, passed()? - before.1);
            // A few frames find the ring between the two ends full.
            if received < u64::from(FRAMES) / 20 * 19 || passed > u64::from(FRAMES) / 100 {
                let what = format!("{received} of {FRAMES} frames arrived, {passed} passed");
                return Err(what.into());
            }
            runs.push(ns / f64::from(u32::try_from(received)?));
        }
        Ok(median(runs))
    }

    /// Nanoseconds for all of the frames.
    fn transmit(&self, frames: u32) -> Result<f64, Failure> {
        let program: &Xdp = self
            .transmitter
            .program("transmit")
            .ok_or("no program")?
            .try_into()?;
        let begun = Instant::now();
        program.test_run(TestRunOptions {
            data_in: Some(&self.frame),
            ctx_in: Some(&self.context),
            repeat: frames,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::default()
        })?;
        Ok(begun.elapsed().as_secs_f64() * 1e9)
    }
}

/// `struct xdp_md`: where the frame ends, and where it pretends to have come in.
fn context(length: usize, interface: &str) -> Result<[u8; 24], Failure> {
    let index = nix::net::if_::if_nametoindex(interface)?;
    let mut context = [0; 24];
    context[4..8].copy_from_slice(&u32::try_from(length)?.to_ne_bytes());
    context[12..16].copy_from_slice(&index.to_ne_bytes());
    Ok(context)
}

fn mac(interface: &str) -> Result<[u8; 6], Failure> {
    let shown = run(&format!("ip -brief link show {interface}"))?;
    let mac = shown
        .split_whitespace()
        .find(|word| word.matches(':').count() == 5);
    let mut bytes = [0; 6];
    for (byte, digits) in bytes.iter_mut().zip(mac.ok_or("no address")?.split(':')) {
        *byte = u8::from_str_radix(digits, 16)?;
    }
    Ok(bytes)
}

/// Frames that came to the filtered end, whatever became of them.
fn received() -> Result<u64, Failure> {
    let shown = run("ip -stats -json link show receives")?;
    let (_, rest) = shown
        .split_once("\"packets\":")
        .ok_or("no count of packets")?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    Ok(rest[..digits].parse()?)
}

/// IPv4 packets that reached the stack.
fn passed() -> Result<u64, Failure> {
    let table = fs::read_to_string("/proc/thread-self/net/snmp")?;
    let mut lines = table.lines().filter_map(|line| line.strip_prefix("Ip: "));
    let (names, values) = lines.next().zip(lines.next()).ok_or("no IP counters")?;
    let place = names.split(' ').position(|name| name == "InReceives");
    let value = place.and_then(|place| values.split(' ').nth(place));
    Ok(value.ok_or("no count of packets")?.parse()?)
}

fn floodwall(rules: &Rules) -> Result<Pinned, Failure> {
    Ok(Pinned::on(&["receives"], 1 << 20, rules)?)
}

struct Nftables;

impl Nftables {
    fn load(rules: &str) -> Result<Self, Failure> {
        feed("nft -f -", rules)?;
        Ok(Self)
    }
}

impl Drop for Nftables {
    fn drop(&mut self) {
        let _ = run("nft flush ruleset");
    }
}

/// A million addresses, the bad one among them.
fn million() -> impl Iterator<Item = Ipv4Addr> {
    let others = (1..1_000_000).map(|index| Ipv4Addr::from(0x0a00_0000 + index));
    others.chain(BAD.parse())
}

/// A set of exact addresses, which nftables hashes.
fn addresses(all: impl Iterator<Item = Ipv4Addr>) -> String {
    let all: Vec<_> = all.map(|address| address.to_string()).collect();
    let elements = all.join(", ");
    format!(
        "type ipv4_addr; size {}; elements = {{ {elements} }};",
        all.len()
    )
}

fn interval() -> String {
    format!("type ipv4_addr; flags interval; elements = {{ {NETWORK} }};")
}

fn nftables_list(set: &str) -> String {
    format!(
        "table netdev bench {{
           set bad {{ {set} }}
           chain early {{
             type filter hook ingress device \"receives\" priority 0; policy accept;
             ip saddr @bad drop
           }}
         }}
"
    )
}

const NFTABLES_RATE: &str = "table netdev bench {
  set flood { type ipv4_addr; flags dynamic; size 65536; }
  chain early {
    type filter hook ingress device \"receives\" priority 0; policy accept;
    add @flood { ip saddr limit rate over 200/second burst 400 packets } drop
  }
}
";
