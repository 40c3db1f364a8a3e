//! What the service may do: capabilities of its process.

use floodwall_config::ListenAddress;

use super::{Finding, Machine, Patient, Verdict};

const AREA: &str = "capabilities";

/// A capability by its bit in `CapEff` (`<linux/capability.h>`).
struct Capability {
    name: &'static str,
    bit: u32,
    matters: &'static str,
}

/// Has the powers of `CAP_BPF` and `CAP_PERFMON` as well.
const SYS_ADMIN: u32 = 21;

const FOR_THE_FILTER: [Capability; 3] = [
    Capability {
        name: "CAP_NET_ADMIN",
        bit: 12,
        matters: "without it no program is attached to an interface, and blocks are enforced at accept",
    },
    Capability {
        name: "CAP_PERFMON",
        bit: 38,
        matters: "without it the verifier refuses the pre-filter, and blocks are enforced at accept",
    },
    Capability {
        name: "CAP_BPF",
        bit: 39,
        matters: "without it the pre-filter cannot be loaded, and blocks are enforced at accept",
    },
];

const FOR_LOW_PORTS: Capability = Capability {
    name: "CAP_NET_BIND_SERVICE",
    bit: 10,
    matters: "without it no port below net.ipv4.ip_unprivileged_port_start can be listened on",
};

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let Some(held) = effective(patient.machine, &patient.process()) else {
        return vec![Finding::ok(AREA, "CapEff", "cannot be read").but(
            Verdict::Unseen,
            "whether the service may do what the file asks of it is not known",
            "sudo floodwall doctor",
        )];
    };
    let mut findings = Vec::new();
    if let Some(prefilter) = patient.prefilter() {
        let verdict = Verdict::unless_required(prefilter.required);
        findings.extend(
            FOR_THE_FILTER
                .iter()
                .map(|each| one(each, held, verdict, patient)),
        );
        findings.push(bpf_file_system(patient.machine, verdict));
    }
    if needs_low_ports(patient) {
        findings.push(one(&FOR_LOW_PORTS, held, Verdict::Problem, patient));
    }
    findings
}

fn one(wanted: &Capability, held: u64, otherwise: Verdict, patient: &Patient<'_>) -> Finding {
    let Capability { name, bit, matters } = *wanted;
    let by_another = bit >= 38 && held & (1 << SYS_ADMIN) != 0;
    let whose = patient.whose();
    if held & (1 << bit) != 0 || by_another {
        return Finding::ok(AREA, name, format!("{whose} has it"));
    }
    let mend = if patient.running.is_some() {
        "systemctl edit floodwall: AmbientCapabilities= and CapabilityBoundingSet= as in the unit that came with it"
    } else {
        "systemctl start floodwall: its unit grants it, so that no root is needed"
    };
    Finding::ok(AREA, name, format!("{whose} does not have it")).but(otherwise, matters, mend)
}

/// The effective set of a process.
fn effective(machine: &Machine, process: &str) -> Option<u64> {
    let set = machine.field(format!("proc/{process}/status"), "CapEff")?;
    u64::from_str_radix(&set, 16).ok()
}

fn needs_low_ports(patient: &Patient<'_>) -> bool {
    const START: &str = "proc/sys/net/ipv4/ip_unprivileged_port_start";
    let first_free = patient.machine.number(START).unwrap_or(1024);
    let listeners = patient.config.listeners.iter();
    let mut ports = listeners.filter_map(|listener| match &listener.address {
        ListenAddress::Tcp(address) => Some(address.port()),
        ListenAddress::Unix(_) => None,
    });
    ports.any(|port| u64::from(port) < first_free)
}

/// Maps and programs that outlive the process are pinned in it.
fn bpf_file_system(machine: &Machine, otherwise: Verdict) -> Finding {
    const WHERE: &str = "/sys/fs/bpf";
    let mounts = machine.text("proc/self/mounts").unwrap_or_default();
    let mut mounts = mounts.lines().map(|line| line.split(' '));
    let is_mounted =
        mounts.any(|mut words| words.nth(1) == Some(WHERE) && words.next() == Some("bpf"));
    if is_mounted {
        return Finding::ok(AREA, "bpffs", format!("mounted on {WHERE}"));
    }
    Finding::ok(AREA, "bpffs", format!("not mounted on {WHERE}")).but(
        otherwise,
        "what filters on without the process is pinned there; the service mounts it only if it may",
        format!("mount -t bpf bpf {WHERE}"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::machine::fake;
    use super::*;
    use crate::generation::Generation;

    fn findings(held: &str, mounts: &str, yaml: &str) -> Vec<(String, Verdict)> {
        let status = format!("Name:\tfloodwall\nCapEff:\t{held}\nCapBnd:\t0\n");
        let (_folder, machine) =
            fake(&[("proc/self/status", &status), ("proc/self/mounts", mounts)]);
        let config = floodwall_config::Config::from_text(yaml, "/f.yaml").unwrap();
        let compiled = Generation::check(&config).unwrap();
        let patient = Patient {
            machine: &machine,
            config: &config,
            compiled: &compiled,
            running: None,
        };
        let findings = check(&patient).into_iter();
        findings.map(|each| (each.subject, each.verdict)).collect()
    }

    const PROXY: &str = "listeners: { web: { address: '127.0.0.1:80' } }\nroutes: [{ name: a, respond: { status: 200 } }]\n";
    const BPFFS: &str = "proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw,mode=700 0 0";

    #[test]
    fn only_what_the_file_needs_is_asked_for() {
        let low = ("CAP_NET_BIND_SERVICE".to_owned(), Verdict::Problem);
        assert_eq!(findings("0000000000000000", "", PROXY), [low]);
        let high = PROXY.replace(":80'", ":8080'");
        assert_eq!(findings("0000000000000000", "", &high), []);
    }

    #[test]
    fn the_pre_filter_needs_three_and_a_file_system() {
        let yaml = PROXY.replace(":80'", ":8080'") + "prefilter: { interfaces: [eth0] }\n";
        let verdicts = |held, mounts, yaml: &str| -> Vec<Verdict> {
            findings(held, mounts, yaml)
                .into_iter()
                .map(|(_, verdict)| verdict)
                .collect()
        };
        assert_eq!(verdicts("000000c000001000", BPFFS, &yaml), [Verdict::Ok; 4]);
        assert_eq!(
            verdicts("0000000000201000", BPFFS, &yaml),
            [Verdict::Ok; 4],
            "CAP_SYS_ADMIN"
        );
        assert_eq!(
            verdicts("0000000000000000", "", &yaml),
            [Verdict::Warning; 4]
        );
        let required = yaml.replace("[eth0]", "[eth0], required: true");
        assert_eq!(
            verdicts("0000000000000000", "", &required),
            [Verdict::Problem; 4]
        );
    }

    #[test]
    fn a_process_that_nobody_may_look_at_is_unseen() {
        assert_eq!(
            findings("nonsense", "", PROXY),
            [("CapEff".to_owned(), Verdict::Unseen)]
        );
    }
}
