//! Nanoseconds a packet, measured by the kernel (`BPF_PROG_TEST_RUN`), beside xdp-filter on the same packets.
//!
//! One line for each case, the median of nine runs. `above-empty` is what is left of both after an empty
//! program's time, and `ratio` is ours over theirs. Needs root; xdp-filter comes with Debian's xdp-tools.

#[path = "../tests/kernel/packet.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests' own packets, of which they build more kinds"
)]
mod packet;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    programs::{ProgramInfo, TestRun as _, TestRunOptions, Xdp, loaded_programs},
};
use floodwall_limiter::{FlowId, FlowTable, KeyHash, Nanos, Prefixes, Quota, Scope, Source};
use floodwall_xdp::{
    Action, Checks, Cost, Loaded, Mode, PacketKey, PacketLimit, PreFilter, Rules, Settings,
};
use packet::{ACK, tcp};

type Failure = Box<dyn std::error::Error>;

const REPEAT: u32 = 1_000_000;
const RUNS: usize = 9;
const GOOD: &str = "198.51.100.7";
const BAD: &str = "203.0.113.9";

fn main() -> Result<(), Failure> {
    if !nix::unistd::geteuid().is_root() {
        println!("xdp/ns SKIPPED: needs root");
        return Ok(());
    }
    // What is attached for the comparison is attached where nobody else is.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    let empty = empty()?;
    println!("xdp/ns case=empty floodwall={empty:.1}");
    let rival = Rival::start().inspect_err(|error| println!("xdp/ns no xdp-filter: {error}"));
    let (pass, drop) = match &rival {
        Ok(rival) => (Some(rival.ns(GOOD)?), Some(rival.ns(BAD)?)),
        Err(_) => (None, None),
    };
    let ours = Ours::start()?;
    let report = |case: &str, ns: f64, theirs: Option<f64>| {
        let theirs = theirs.map_or(String::new(), |theirs| {
            let ratio = (ns - empty) / (theirs - empty);
            format!(" xdp-filter={theirs:.1} ratio={ratio:.2}")
        });
        let above = ns - empty;
        println!("xdp/ns case={case} floodwall={ns:.1} above-empty={above:.1}{theirs}");
    };
    for limits in [0, 1, 16] {
        ours.report_load(limits)?;
    }
    report("pass", ours.ns(&rules(0), GOOD)?, pass);
    report("pass-unchecked", ours.ns(&unchecked(), GOOD)?, pass);
    report("pass-1-limit", ours.ns(&rules(1), GOOD)?, pass);
    report("pass-4-limits", ours.ns(&rules(4), GOOD)?, pass);
    report("pass-16-limits", ours.ns(&rules(16), GOOD)?, pass);
    report(
        "pass-1-limit-of-bytes",
        ours.ns(&one(|limit| limit.cost = Cost::Bytes), GOOD)?,
        pass,
    );
    report(
        "pass-1-shadow",
        ours.ns(&one(|limit| limit.shadow = true), GOOD)?,
        pass,
    );
    let wide = Some(Prefixes { v4: 24, v6: 48 });
    report(
        "pass-1-limit-of-its-own-prefix",
        ours.ns(&one(|limit| limit.prefixes = wide), GOOD)?,
        pass,
    );
    let elsewhere = vec![("192.0.2.0/24".parse()?, None)];
    let excepted = one(|limit| limit.exceptions.clone_from(&elsewhere));
    report(
        "pass-1-limit-beside-an-exception",
        ours.ns(&excepted, GOOD)?,
        pass,
    );
    let chain = tcp("2001:db8::7", 443, ACK)
        .behind(60, &[0; 7])
        .behind(0, &[0; 7])
        .bytes();
    report(
        "pass-ipv6-2-extensions",
        ours.ns_of(&rules(0), &chain)?,
        None,
    );
    let plain = tcp("2001:db8::7", 443, ACK).bytes();
    report("pass-ipv6", ours.ns_of(&rules(0), &plain)?, None);
    report("malformed", ours.ns_of(&rules(0), &plain[..60])?, drop);
    report(
        "bogus-flags",
        ours.ns_of(&rules(0), &tcp(GOOD, 443, 0).bytes())?,
        drop,
    );
    let closed = one(|limit| limit.quota = Quota::CLOSED);
    report("limited", ours.ns(&closed, GOOD)?, drop);
    let listed = Rules {
        deny: vec!["203.0.113.0/24".parse()?],
        ..rules(1)
    };
    report("denied", ours.ns(&listed, BAD)?, drop);
    let sampled = Rules {
        sample: Some(Quota::new(10, Nanos::SECOND, 10)),
        ..listed.clone()
    };
    report("denied-sampled", ours.ns(&sampled, BAD)?, drop);
    report("pass-beside-a-list", ours.ns(&listed, GOOD)?, pass);
    ours.block(BAD)?;
    report("blocked", ours.ns(&rules(1), BAD)?, drop);
    report("blocked-without-limits", ours.ns(&rules(0), BAD)?, drop);
    Ok(())
}

/// No limits, and nothing is looked for.
fn unchecked() -> Rules {
    Rules {
        checks: Checks {
            tcp_flags: Action::Pass,
            land: Action::Pass,
            martians: Action::Pass,
            lengths: Action::Pass,
        },
        ..rules(0)
    }
}

/// One limit that is something else as well.
fn one(change: impl Fn(&mut PacketLimit)) -> Rules {
    let mut rules = rules(1);
    rules.limits.iter_mut().for_each(change);
    rules
}

fn rules(limits: u32) -> Rules {
    // Never refuses: a packet costs two nanoseconds, and takes longer.
    let quota = Quota::new(500_000_000, Nanos::SECOND, 1 << 40);
    let limit = |index| PacketLimit::new(format!("limit {index}"), PacketKey::Source, quota);
    Rules {
        listener_ports: vec![443],
        limits: (0..limits).map(limit).collect(),
        ..Rules::new(1)
    }
}

/// Our program without an interface.
struct Ours {
    filter: PreFilter,
    /// Last: it is dropped after the filter.
    _pinned: Pinned,
}

impl Ours {
    fn start() -> Result<Self, Failure> {
        let settings = Settings {
            instance: format!("bench-{}", std::process::id()),
            interfaces: Vec::new(),
            mode: Mode::Auto,
            required: true,
            replace: false,
            sources: 1 << 20,
            bpffs: Settings::BPFFS.into(),
        };
        let filter = PreFilter::attach(&settings, &rules(0))?;
        filter.renew_lease(Nanos::MAX);
        Ok(Self {
            filter,
            _pinned: Pinned(settings),
        })
    }

    fn ns(&self, rules: &Rules, from: &str) -> Result<f64, Failure> {
        self.ns_of(rules, &tcp(from, 443, ACK).bytes())
    }

    fn ns_of(&self, rules: &Rules, packet: &[u8]) -> Result<f64, Failure> {
        let program: Loaded = self.filter.load(rules)?;
        median(|| Ok(program.test_run(packet, REPEAT)?.time))
    }

    /// What the verifier has to look at, and how long a reload waits for it.
    fn report_load(&self, limits: u32) -> Result<(), Failure> {
        let start = Instant::now();
        let _program = self.filter.load(&rules(limits))?;
        let ms = start.elapsed().as_millis();
        let newest = loaded_programs().filter_map(Result::ok).last();
        let verified = newest.and_then(|program| program.verified_instruction_count());
        let verified = verified.unwrap_or(0);
        println!("xdp/ns case=load limits={limits} ms={ms} instructions-verified={verified}");
        Ok(())
    }

    fn block(&self, address: &str) -> Result<(), Failure> {
        let memory = self.filter.memory();
        let table = FlowTable::over(memory.flows, memory.secret);
        let source = Source::of(address.parse()?, Prefixes::default());
        let key = KeyHash::of_source(memory.secret, source);
        let flow = FlowId::block(key, Scope::Listeners);
        table.hold(flow, Nanos(u64::MAX >> 1), Nanos::ZERO)?;
        Ok(())
    }
}

/// What is pinned: it goes when the filter that holds it has gone.
struct Pinned(Settings);

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = PreFilter::detach(&self.0);
    }
}

fn empty() -> Result<f64, Failure> {
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/floodwall.bpf.o");
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("empty").ok_or("no empty program")?;
    let program: &mut Xdp = program.try_into()?;
    program.load()?;
    ns_of(program, &tcp(GOOD, 443, ACK).bytes())
}

fn ns_of(program: &Xdp, packet: &[u8]) -> Result<f64, Failure> {
    median(|| {
        let options = TestRunOptions {
            data_in: Some(packet),
            repeat: REPEAT,
            ..TestRunOptions::default()
        };
        Ok(program.test_run(options)?.duration)
    })
}

/// The kernel answers in whole nanoseconds, so that a median is no finer.
fn median(mut run: impl FnMut() -> Result<Duration, Failure>) -> Result<f64, Failure> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(run()?.as_secs_f64() * 1e9);
    }
    runs.sort_by(f64::total_cmp);
    Ok(runs[RUNS / 2])
}

/// xdp-filter with all its features, on a pair of virtual interfaces.
struct Rival {
    program: Xdp,
}

impl Rival {
    fn start() -> Result<Self, Failure> {
        command(
            "ip",
            &[
                "link", "add", "fwbench0", "type", "veth", "peer", "name", "fwbench1",
            ],
        )?;
        command("ip", &["link", "set", "fwbench0", "up"])?;
        command("xdp-filter", &["load", "--mode", "native", "fwbench0"])?;
        let rival = Self {
            program: on_interface("fwbench0")?,
        };
        command("xdp-filter", &["ip", "--mode", "src", BAD])?;
        Ok(rival)
    }

    fn ns(&self, from: &str) -> Result<f64, Failure> {
        ns_of(&self.program, &tcp(from, 443, ACK).bytes())
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = command("xdp-filter", &["unload", "fwbench0"]);
    }
}

fn command(name: &str, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new(name).args(arguments).output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{name} {}: {error}", arguments.join(" ")).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The program that an interface runs: for xdp-filter a dispatcher that calls it.
fn on_interface(name: &str) -> Result<Xdp, Failure> {
    let shown = command("ip", &["-details", "link", "show", "dev", name])?;
    let mut words = shown.split_whitespace().skip_while(|word| *word != "id");
    let id: u32 = words.nth(1).ok_or("no XDP program")?.parse()?;
    let info: ProgramInfo = loaded_programs()
        .filter_map(Result::ok)
        .find(|info| info.id() == id)
        .ok_or("the program has gone")?;
    let attach_type = aya_obj::programs::XdpAttachType::Interface;
    Ok(Xdp::from_program_info(
        info,
        name.to_owned().into(),
        attach_type,
    )?)
}
