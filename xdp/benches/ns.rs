//! Nanoseconds a packet, measured by the kernel (`BPF_PROG_TEST_RUN`), beside xdp-filter on the same packets, and
//! what each part of them is for.
//!
//! One line for each case, the median of 101 runs in turn. `above-empty` is what is left of both after an empty
//! program's time, and `ratio` is ours over theirs. Then the parts: what one thing costs by itself (`primitive`),
//! and what one step more costs the program (`step`). Needs root; xdp-filter comes with Debian's xdp-tools.

#[path = "ns/cases.rs"]
mod cases;
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

use std::time::Instant;

use aya::programs::loaded_programs;
use cases::{BAD, Beside, GOOD, PRIMITIVES, STEPS, rules};
use packet::{ACK, tcp};
use rig::{
    attached,
    case::{self, Case, measure},
    pinned::Pinned,
    steady::{keep_to, last_cpu},
    tools::run,
    xdp_filter::XdpFilter,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    if !nix::unistd::geteuid().is_root() {
        println!("xdp/ns SKIPPED: needs root");
        return Ok(());
    }
    keep_to(last_cpu()?)?;
    // What is attached for the comparison is attached where nobody else is.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    let ours = Pinned::on(&[], 1 << 20, &rules(0))?;
    for limits in [0, 1, 16] {
        report_load(&ours, limits)?;
    }
    let mut cases = vec![part("empty")?];
    let _rival = match rival() {
        Ok((rival, theirs)) => {
            cases.extend(theirs);
            Some(rival)
        }
        Err(error) => {
            println!("xdp/ns no xdp-filter: {error}");
            None
        }
    };
    for primitive in PRIMITIVES {
        cases.push(part(primitive)?);
    }
    let judged = cases::all(&ours)?;
    let beside: Vec<_> = judged
        .iter()
        .map(|(case, beside)| (case.name.clone(), *beside))
        .collect();
    cases.extend(judged.into_iter().map(|(case, _)| case));
    measure(&mut cases)?;
    report(&cases, &beside);
    Ok(())
}

fn part(name: &'static str) -> Result<Case, Failure> {
    let packet = tcp(GOOD, 443, ACK).bytes();
    Ok(Case::new(name, case::part(name)?, packet))
}

fn report(cases: &[Case], beside: &[(String, Beside)]) {
    let found = |name: &str| cases.iter().find(|case| case.name == name);
    let empty = found("empty").map_or(0.0, Case::ns);
    let above = |name: &str| found(name).map(|case| case.ns() - empty);
    println!("xdp/ns case=empty floodwall={empty:.0}");
    for (name, beside) in beside {
        let ns = above(name).unwrap_or(f64::NAN);
        let theirs = match beside {
            Beside::Pass => above("their-pass"),
            Beside::Drop => above("their-drop"),
            Beside::Nothing => None,
        };
        let theirs = theirs.map_or(String::new(), |theirs| {
            format!(" xdp-filter={theirs:.0} ratio={:.2}", ns / theirs)
        });
        println!("xdp/ns case={name} above-empty={ns:.0}{theirs}");
    }
    for name in PRIMITIVES {
        println!(
            "xdp/ns primitive={name} ns={:.0}",
            above(name).unwrap_or(f64::NAN)
        );
    }
    for (step, without, with, times) in STEPS {
        if let (Some(without), Some(with)) = (above(without), above(with)) {
            println!(
                "xdp/ns step={step} ns={:.1}",
                (with - without) / f64::from(*times)
            );
        }
    }
}

/// What the verifier has to look at, and how long a reload waits for it.
fn report_load(ours: &Pinned, limits: u32) -> Result<(), Failure> {
    let start = Instant::now();
    let _program = ours.load(&rules(limits))?;
    let ms = start.elapsed().as_millis();
    let newest = loaded_programs().filter_map(Result::ok).last();
    let verified = newest.and_then(|program| program.verified_instruction_count());
    let verified = verified.unwrap_or(0);
    println!("xdp/ns case=load limits={limits} ms={ms} instructions-verified={verified}");
    Ok(())
}

/// xdp-filter on one of a pair of virtual interfaces.
fn rival() -> Result<(XdpFilter, [Case; 2]), Failure> {
    run("ip link add fwbench0 type veth peer name fwbench1")?;
    run("ip link set fwbench0 up")?;
    let loaded = XdpFilter::load("fwbench0", BAD)?;
    let program = attached::on("fwbench0")?;
    let case = |name: &str, from| Case::new(name, program.clone(), tcp(from, 443, ACK).bytes());
    let cases = [case("their-pass", GOOD), case("their-drop", BAD)];
    Ok((loaded, cases))
}
