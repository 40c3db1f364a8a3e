//! Limits of the process and of the kernel's network stack.

use floodwall_config::{ListenAddress, Listener};

use super::{Finding, Machine, Patient, Verdict};
use crate::server::BACKLOG;

const AREA: &str = "limits";

/// Files that the service has open beside connections: logs, sockets, maps.
const OTHERS: u64 = 256;

/// Without a bound in the file this many connections should have room, each with one to an upstream.
const UNBOUNDED: u64 = 4096;

/// A queue of half-open connections that is shorter overflows with the first burst.
const SHORT_SYN_BACKLOG: u64 = 1024;

/// With fewer local ports each server can have so few connections that a busy upstream runs out of them.
const FEW_PORTS: u64 = 10_000;

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let (machine, listeners) = (patient.machine, &patient.config.listeners);
    let mut findings = vec![open_files(machine, &patient.process(), listeners)];
    let is_tcp = |listener: &Listener| matches!(listener.address, ListenAddress::Tcp(_));
    if listeners.iter().any(is_tcp) {
        findings.extend(accept_queue(machine));
        findings.extend(syn_queue(machine));
    }
    if !patient.config.upstreams.is_empty() {
        findings.extend(local_ports(machine));
    }
    findings
}

fn open_files(machine: &Machine, process: &str, listeners: &[Listener]) -> Finding {
    let subject = "open files";
    let Some(most) = most_open_files(machine, process) else {
        return Finding::ok(AREA, subject, "cannot be read").but(
            Verdict::Unseen,
            "a connection takes a descriptor, and so does the one to its upstream",
            "sudo floodwall doctor",
        );
    };
    let bounds = listeners.iter().map(|listener| listener.max.connections);
    let clients = bounds.sum::<Option<u64>>();
    // Each client may have one connection to an upstream beside its own.
    let needed = clients
        .unwrap_or(UNBOUNDED)
        .saturating_mul(2)
        .saturating_add(OTHERS);
    let found = match clients {
        Some(clients) => {
            format!("{most}; the listeners let in {clients} connections, which take up to {needed}")
        }
        None => format!("{most}; the listeners let in any number of connections"),
    };
    let finding = Finding::ok(AREA, subject, found);
    if most >= needed {
        return finding;
    }
    // What the file lets in must fit; without a bound it is a matter of taste.
    let verdict = if clients.is_some() {
        Verdict::Problem
    } else {
        Verdict::Warning
    };
    finding.but(
        verdict,
        "with no descriptor left, nobody new is accepted and no upstream is reached",
        format!(
            "systemctl edit floodwall: LimitNOFILE={}; or listeners.NAME.max.connections",
            needed.next_power_of_two()
        ),
    )
}

/// The hard limit, to which the service raises its own.
fn most_open_files(machine: &Machine, process: &str) -> Option<u64> {
    let limits = machine.text(format!("proc/{process}/limits"))?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn accept_queue(machine: &Machine) -> Option<Finding> {
    let wanted = u64::from(BACKLOG.unsigned_abs());
    let most = machine.number("proc/sys/net/core/somaxconn")?;
    let finding = Finding::ok(
        AREA,
        "somaxconn",
        format!("{most}; listeners ask for {wanted}"),
    );
    if most >= wanted {
        return Some(finding);
    }
    Some(finding.but(
        Verdict::Warning,
        "connections of a burst are refused before they can be accepted",
        format!("sysctl -w net.core.somaxconn={wanted}"),
    ))
}

fn syn_queue(machine: &Machine) -> Option<Finding> {
    let most = machine.number("proc/sys/net/ipv4/tcp_max_syn_backlog")?;
    let finding = Finding::ok(AREA, "tcp_max_syn_backlog", most.to_string());
    if most >= SHORT_SYN_BACKLOG {
        return Some(finding);
    }
    Some(finding.but(
        Verdict::Warning,
        "a burst of new connections is answered with SYN cookies, or not at all",
        "sysctl -w net.ipv4.tcp_max_syn_backlog=4096",
    ))
}

fn local_ports(machine: &Machine) -> Option<Finding> {
    let range = machine.text("proc/sys/net/ipv4/ip_local_port_range")?;
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(first)), Some(Ok(last))) = (ends.next(), ends.next()) else {
        return None;
    };
    let ports = (last + 1).saturating_sub(first);
    let found = format!("{first} to {last}: {ports} connections to each server");
    let finding = Finding::ok(AREA, "ip_local_port_range", found);
    if ports >= FEW_PORTS {
        return Some(finding);
    }
    Some(finding.but(
        Verdict::Warning,
        "a connection to a server takes a local port, also for a minute after it is closed",
        "sysctl -w net.ipv4.ip_local_port_range='10240 65535'",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::machine::fake;
    use super::*;

    fn listeners(max: &str) -> Vec<Listener> {
        let yaml = format!(
            "listeners: {{ web: {{ address: '127.0.0.1:8080', max: {{ {max} }} }} }}\nroutes: [{{ name: a, respond: {{ status: 200 }} }}]\n"
        );
        floodwall_config::Config::from_text(&yaml, "/f.yaml")
            .unwrap()
            .listeners
    }

    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
        Max processes             127235               127235               processes \n\
        Max open files            1024                 4096                 files     \n";

    #[test]
    fn what_the_file_lets_in_must_fit() {
        let (_folder, machine) = fake(&[("proc/self/limits", LIMITS)]);
        let verdict = |max| open_files(&machine, "self", &listeners(max)).verdict;
        assert_eq!(
            verdict("connections: 1920"),
            Verdict::Ok,
            "the hard limit is 4096"
        );
        assert_eq!(verdict("connections: 1921"), Verdict::Problem);
        assert_eq!(verdict(""), Verdict::Warning, "no bound");
        assert_eq!(
            open_files(&machine, "1", &listeners("")).verdict,
            Verdict::Unseen
        );
    }

    #[test]
    fn queues_and_ports_are_judged_by_their_numbers() {
        let verdicts = |somaxconn, syn, range| {
            let (_folder, machine) = fake(&[
                ("proc/sys/net/core/somaxconn", somaxconn),
                ("proc/sys/net/ipv4/tcp_max_syn_backlog", syn),
                ("proc/sys/net/ipv4/ip_local_port_range", range),
            ]);
            [
                accept_queue(&machine),
                syn_queue(&machine),
                local_ports(&machine),
            ]
            .map(|found| found.unwrap().verdict)
        };
        assert_eq!(
            verdicts("4096\n", "1024\n", "32768\t60999\n"),
            [Verdict::Ok; 3]
        );
        assert_eq!(
            verdicts("128\n", "128\n", "60000\t60999\n"),
            [Verdict::Warning; 3]
        );
    }
}
