//! The interfaces that the pre-filter is to watch.

use std::process::{Command, Stdio};

use floodwall_config::{Prefilter, XdpMode};
use floodwall_xdp::{DriverSupport, Occupant};

use super::{Finding, Machine, Patient, Verdict};
use crate::{
    prefilter::{Interface, InterfaceState},
    status::Status,
};

const AREA: &str = "interfaces";

/// `IFF_UP`.
const UP: u64 = 1;

/// Packets of a larger MTU come in several buffers, with room for what XDP keeps before and behind them.
const MOST_IN_ONE_BUFFER: u64 = 3498;

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let Some(prefilter) = patient.prefilter() else {
        return Vec::new();
    };
    let names = prefilter.interfaces.iter();
    names
        .flat_map(|name| one(name, prefilter, patient.machine, patient.running))
        .collect()
}

fn one(
    name: &str,
    prefilter: &Prefilter,
    machine: &Machine,
    running: Option<&Status>,
) -> Vec<Finding> {
    let folder = format!("sys/class/net/{name}");
    let required = Verdict::unless_required(prefilter.required);
    let Some(flags) = machine.text(format!("{folder}/flags")) else {
        return vec![Finding::ok(AREA, name, "there is no such interface").but(
            required,
            "nothing that comes in over it is filtered until it is there",
            "ip link: names of this host's; write the right one into prefilter.interfaces",
        )];
    };
    let filtered = running.and_then(|status| {
        let mut all = status.prefilter.interfaces.iter();
        all.find(|each| each.name == name)
    });
    let mut findings = vec![is_up(name, &flags)];
    findings.push(match filtered {
        Some(interface) => as_filtered(interface, required),
        None => occupied(
            name,
            floodwall_xdp::occupant(name),
            prefilter,
            running.is_some(),
        ),
    });
    let mtu = machine.number(format!("{folder}/mtu"));
    findings.push(driver(
        name,
        floodwall_xdp::driver_support(name),
        mtu,
        prefilter.mode,
    ));
    findings.extend(large_receive_offload(name, prefilter.mode));
    findings
}

fn is_up(name: &str, flags: &str) -> Finding {
    let flags = u64::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0);
    if flags & UP != 0 {
        return Finding::ok(AREA, name, "up");
    }
    Finding::ok(AREA, name, "down").but(
        Verdict::Warning,
        "no packet comes in over it",
        format!("ip link set dev {name} up"),
    )
}

fn as_filtered(interface: &Interface, required: Verdict) -> Finding {
    let name = format!("{} program", interface.name);
    let why = interface.why.as_deref().unwrap_or("nobody knows why");
    match (interface.state, &interface.fallback) {
        (InterfaceState::Filtering, None) => {
            let mode = interface.mode.as_deref().unwrap_or("some");
            Finding::ok(AREA, name, format!("the service's, in {mode} mode"))
        }
        (InterfaceState::Filtering, Some(why)) => {
            Finding::ok(AREA, name, format!("the service's, not native: {why}")).but(
                Verdict::Warning,
                "in generic mode a packet costs what the stack spends on it before it is dropped",
                format!(
                    "ethtool -i {}: another driver or a smaller MTU may do",
                    interface.name
                ),
            )
        }
        (InterfaceState::Waiting, _) => Finding::ok(AREA, name, "the service waits for it").but(
            required,
            "nothing that comes in over it is filtered",
            "floodwall status",
        ),
        (InterfaceState::Covered, _) => Finding::ok(AREA, name, why),
        (InterfaceState::Refused, _) => Finding::ok(AREA, name, format!("not filtered: {why}"))
            .but(
                required,
                "nothing that comes in over it is filtered",
                "do what the error says; the service tries again by itself",
            ),
    }
}

/// An interface without a service that would say what it does there.
fn occupied(
    name: &str,
    occupant: Result<Option<Occupant>, floodwall_xdp::Error>,
    prefilter: &Prefilter,
    is_running: bool,
) -> Finding {
    let subject = format!("{name} program");
    match occupant {
        Err(error) => Finding::ok(AREA, subject, error.to_string()).but(
            Verdict::Unseen,
            "another XDP program would keep the pre-filter off",
            "sudo floodwall doctor",
        ),
        Ok(None) => Finding::ok(AREA, subject, "none yet: it is free"),
        // A process that is gone has left it: the next one adopts it.
        Ok(Some(Occupant { words, .. })) if words.starts_with("floodwall, ") && !is_running => {
            Finding::ok(
                AREA,
                subject,
                "one of an earlier Floodwall, which a start adopts",
            )
        }
        Ok(Some(Occupant { words, mode })) if prefilter.replace => Finding::ok(
            AREA,
            subject,
            format!("{words}, {mode}: a start takes it off"),
        ),
        Ok(Some(Occupant { words, mode })) => {
            Finding::ok(AREA, subject, format!("somebody else's: {words}, {mode}")).but(
                Verdict::unless_required(prefilter.required),
                "an interface has room for one XDP program: this one stays unfiltered",
                format!("ip link set dev {name} xdp off, or prefilter.replace: true"),
            )
        }
    }
}

fn driver(name: &str, support: Option<DriverSupport>, mtu: Option<u64>, mode: XdpMode) -> Finding {
    let subject = format!("{name} driver");
    let mtu_words = mtu.map_or_else(String::new, |mtu| format!(", MTU {mtu}"));
    let generic = "it cannot run XDP itself";
    let Some(support) = support else {
        let found = format!("the kernel does not say whether it runs XDP{mtu_words}");
        return Finding::ok(AREA, subject, found).but(
            Verdict::Unseen,
            "drivers tell since Linux 6.3; without native XDP the pre-filter costs more",
            format!("floodwall status: says whether {name} is filtered native"),
        );
    };
    let is_large = mtu.is_some_and(|mtu| mtu > MOST_IN_ONE_BUFFER);
    match (support.native, mode) {
        (_, XdpMode::Generic | XdpMode::Off) => {
            Finding::ok(AREA, subject, format!("not asked: the file wants generic mode{mtu_words}"))
        }
        (false, XdpMode::Native) => Finding::ok(AREA, subject, format!("{generic}{mtu_words}")).but(
            Verdict::Problem,
            "the file wants native mode alone: this interface stays unfiltered",
            "prefilter.mode: auto",
        ),
        (false, XdpMode::Auto) => Finding::ok(AREA, subject, format!("{generic}{mtu_words}")).but(
            Verdict::Warning,
            "in generic mode a packet costs what the stack spends on it before it is dropped",
            format!("ethtool -i {name}: another driver may do; or prefilter.mode: generic, which says that it is meant"),
        ),
        (true, _) if is_large && !support.frags => {
            Finding::ok(AREA, subject, format!("runs XDP, but not for packets in several buffers{mtu_words}")).but(
                Verdict::Warning,
                "with this MTU the driver may refuse the program, and generic mode costs more",
                format!("ip link set dev {name} mtu {MOST_IN_ONE_BUFFER}"),
            )
        }
        (true, _) => Finding::ok(AREA, subject, format!("runs XDP itself{mtu_words}")),
    }
}

/// Drivers refuse native programs while they put packets together; only `ethtool` says so without privilege.
fn large_receive_offload(name: &str, mode: XdpMode) -> Option<Finding> {
    if mode == XdpMode::Generic {
        return None;
    }
    let mut ethtool = Command::new("ethtool");
    ethtool
        .args(["-k", name])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let said = ethtool.output().ok()?;
    of_features(name, &String::from_utf8_lossy(&said.stdout))
}

fn of_features(name: &str, features: &str) -> Option<Finding> {
    let mut lines = features.lines();
    let value = lines.find_map(|line| line.trim().strip_prefix("large-receive-offload: "))?;
    let subject = format!("{name} offload");
    if !value.starts_with("on") {
        return Some(Finding::ok(AREA, subject, "large receive offload is off"));
    }
    Some(
        Finding::ok(AREA, subject, "large receive offload is on").but(
            Verdict::Warning,
            "most drivers refuse native XDP while it is",
            format!("ethtool -K {name} lro off"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::machine::fake;
    use super::*;

    fn prefilter(rest: &str) -> Prefilter {
        let yaml = format!(
            "listeners: {{ web: {{ address: '127.0.0.1:8080' }} }}\nroutes: [{{ name: a, respond: {{ status: 200 }} }}]\nprefilter: {{ interfaces: [eth0]{rest} }}\n"
        );
        let config = floodwall_config::Config::from_text(&yaml, "/f.yaml").unwrap();
        config.prefilter.unwrap()
    }

    #[test]
    fn an_interface_that_is_missing_is_as_bad_as_the_file_says() {
        let (_folder, machine) = fake(&[]);
        let verdict = |rest| one("eth0", &prefilter(rest), &machine, None)[0].verdict;
        assert_eq!(verdict(""), Verdict::Warning);
        assert_eq!(verdict(", required: true"), Verdict::Problem);
    }

    #[test]
    fn flags_say_whether_it_is_up() {
        assert_eq!(is_up("eth0", "0x1003").verdict, Verdict::Ok);
        assert_eq!(is_up("eth0", "0x1002").verdict, Verdict::Warning);
    }

    #[test]
    fn whose_program_it_is_decides() {
        let occupant = |words: &str| {
            Ok(Some(Occupant {
                words: words.to_owned(),
                mode: floodwall_xdp::Mode::Native,
            }))
        };
        let verdict =
            |words, rest| occupied("eth0", occupant(words), &prefilter(rest), false).verdict;
        assert_eq!(verdict("floodwall, id 7", ""), Verdict::Ok);
        assert_eq!(verdict("xdp_filter, id 7", ""), Verdict::Warning);
        assert_eq!(
            verdict("xdp_filter, id 7", ", required: true"),
            Verdict::Problem
        );
        assert_eq!(verdict("xdp_filter, id 7", ", replace: true"), Verdict::Ok);
    }

    #[test]
    fn a_driver_is_judged_by_what_the_file_wants() {
        let support = |native, frags| Some(DriverSupport { native, frags });
        let verdict = |support, mtu, mode| driver("eth0", support, Some(mtu), mode).verdict;
        assert_eq!(
            verdict(support(true, true), 9000, XdpMode::Native),
            Verdict::Ok
        );
        assert_eq!(
            verdict(support(true, false), 1500, XdpMode::Auto),
            Verdict::Ok
        );
        assert_eq!(
            verdict(support(true, false), 9000, XdpMode::Auto),
            Verdict::Warning
        );
        assert_eq!(
            verdict(support(false, false), 1500, XdpMode::Auto),
            Verdict::Warning
        );
        assert_eq!(
            verdict(support(false, false), 1500, XdpMode::Native),
            Verdict::Problem
        );
        assert_eq!(
            verdict(support(false, false), 1500, XdpMode::Generic),
            Verdict::Ok
        );
        assert_eq!(verdict(None, 1500, XdpMode::Auto), Verdict::Unseen);
    }

    #[test]
    fn offload_is_read_from_what_ethtool_says() {
        let said = |value| {
            format!("Features for eth0:\nrx-checksumming: on\nlarge-receive-offload: {value}\n")
        };
        let verdict = |value| of_features("eth0", &said(value)).map(|found| found.verdict);
        assert_eq!(verdict("on"), Some(Verdict::Warning));
        assert_eq!(verdict("off [fixed]"), Some(Verdict::Ok));
        assert_eq!(of_features("eth0", ""), None);
    }
}
