//! What counters gained in a second, between two looks at the service.

use serde::Serialize;

use super::Sample;
use crate::{
    gate::GateStatus,
    prefilter::{PacketCount, PacketLimitCount},
    status::{LimitStatus, ServerStatus, Status, UpstreamStatus},
};

/// What happens in a second, in both layers.
#[derive(Debug, Serialize)]
pub(super) struct Rates {
    /// How long was looked.
    pub interval_seconds: f64,
    pub requests: RequestRates,
    pub connections: ConnectionRates,
    pub packets: PacketRates,
    pub limits: Vec<LimitRates>,
    pub upstreams: Vec<UpstreamRates>,
    pub gates: Vec<GateRates>,
    /// Packets of blocked sources, in the order of the blocks.
    pub blocks: Vec<f64>,
}

/// Requests over all listeners.
#[derive(Debug, Serialize)]
pub(super) struct RequestRates {
    pub finished_per_second: f64,
    /// The same by what was decided, and by the class of their status.
    pub by_verdict: Vec<VerdictRate>,
    pub by_class: Vec<ClassRate>,
}

#[derive(Debug, Serialize)]
pub(super) struct VerdictRate {
    pub verdict: String,
    pub per_second: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct ClassRate {
    pub class: String,
    pub per_second: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct ConnectionRates {
    pub accepted_per_second: f64,
    /// Closed at accept, because the source was blocked or there were too many.
    pub refused_per_second: f64,
}

/// Packets over all interfaces, and by what decided over them.
#[derive(Debug, Serialize)]
pub(super) struct PacketRates {
    pub passed_per_second: f64,
    pub dropped_per_second: f64,
    pub answered_per_second: f64,
    pub by_reason: Vec<ReasonRates>,
    pub by_limit: Vec<PacketLimitRates>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReasonRates {
    pub reason: String,
    pub packets_per_second: f64,
    /// Of dropped frames; what passes is counted in packets only.
    pub bytes_per_second: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct PacketLimitRates {
    pub name: String,
    pub admitted_per_second: f64,
    pub dropped_per_second: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct LimitRates {
    pub name: String,
    pub admitted_per_second: f64,
    pub refused_per_second: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct UpstreamRates {
    pub name: String,
    pub requests_per_second: f64,
    pub errors_per_second: f64,
    pub servers: Vec<ServerRates>,
}

#[derive(Debug, Serialize)]
pub(super) struct ServerRates {
    pub address: String,
    pub requests_per_second: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct GateRates {
    pub name: String,
    pub let_in_per_second: f64,
    pub refused_per_second: f64,
}

impl Rates {
    /// Compares two looks, the earlier one first. Lists are in the order of the later one.
    pub(super) fn between(before: &Sample, after: &Sample) -> Self {
        let span = Span::between(before, after);
        Self {
            interval_seconds: span.seconds,
            requests: span.requests(),
            connections: span.connections(),
            packets: span.packets(),
            limits: span.limits(),
            upstreams: span.upstreams(),
            gates: span.gates(),
            blocks: span.blocks(before, after),
        }
    }
}

/// Two looks, and the time between them.
struct Span<'a> {
    before: &'a Status,
    after: &'a Status,
    /// Whether one process counted all the time. The kernel's counters may outlive it.
    is_one_process: bool,
    seconds: f64,
}

/// Times too short to be measured count as this long.
const SHORTEST_SECONDS: f64 = 1e-3;

impl<'a> Span<'a> {
    fn between(before: &'a Sample, after: &'a Sample) -> Self {
        let (old, new) = (&before.status, &after.status);
        let is_one_process = (old.pid, &old.since) == (new.pid, &new.since);
        // The service knows better than we how long it was between its two answers.
        let seconds = if is_one_process {
            new.uptime_seconds - old.uptime_seconds
        } else {
            after.at.saturating_duration_since(before.at).as_secs_f64()
        };
        Self {
            before: old,
            after: new,
            is_one_process,
            seconds: seconds.max(SHORTEST_SECONDS),
        }
    }

    /// The rate of a counter of the process.
    fn of(&self, count: impl Fn(&Status) -> u64) -> f64 {
        self.of_some(|status| Some(count(status)))
    }

    /// The rate of a counter of the process that is not always there.
    fn of_some(&self, count: impl Fn(&'a Status) -> Option<u64>) -> f64 {
        let before = self.is_one_process.then(|| count(self.before)).flatten();
        self.rate(before, count(self.after).unwrap_or(0))
    }

    /// The rate of a counter of the kernel.
    fn of_kernel(&self, count: impl Fn(&'a Status) -> Option<u64>) -> f64 {
        self.rate(count(self.before), count(self.after).unwrap_or(0))
    }

    /// A counter that is new began at zero, and so did one that is lower than it was.
    fn rate(&self, before: Option<u64>, after: u64) -> f64 {
        let before = before.filter(|before| *before <= after).unwrap_or(0);
        #[expect(
            clippy::cast_precision_loss,
            reason = "nobody counts 2^52 in one interval"
        )]
        let gained = (after - before) as f64;
        gained / self.seconds
    }

    fn requests(&self) -> RequestRates {
        let verdicts = self.after.requests.verdicts.iter();
        let verdicts = verdicts.map(|each| VerdictRate {
            verdict: each.verdict.clone(),
            per_second: self.of_some(|status| verdict(status, &each.verdict)),
        });
        let classes = self.after.requests.finished.iter();
        let by_class: Vec<ClassRate> = classes
            .map(|each| ClassRate {
                class: each.class.clone(),
                per_second: self.of_some(|status| class(status, &each.class)),
            })
            .collect();
        RequestRates {
            finished_per_second: by_class.iter().map(|class| class.per_second).sum(),
            by_verdict: verdicts.collect(),
            by_class,
        }
    }

    fn connections(&self) -> ConnectionRates {
        ConnectionRates {
            accepted_per_second: self.of(|status| status.connections.accepted),
            refused_per_second: self
                .of(|status| status.connections.refused_blocked + status.connections.refused_full),
        }
    }

    fn packets(&self) -> PacketRates {
        let sum = |wanted: fn(&PacketCount) -> bool| {
            self.of_kernel(|status| {
                let packets = status.prefilter.packets.iter();
                Some(
                    packets
                        .filter(|each| wanted(each))
                        .map(|each| each.packets)
                        .sum(),
                )
            })
        };
        let reasons = self.after.prefilter.packets.iter();
        let limits = self.after.prefilter.limits.iter();
        PacketRates {
            passed_per_second: sum(|each| !each.dropped && !each.answered),
            dropped_per_second: sum(|each| each.dropped),
            answered_per_second: sum(|each| each.answered),
            by_reason: reasons
                .map(|each| {
                    let find = |status: &'a Status| reason(status, &each.reason);
                    ReasonRates {
                        reason: each.reason.clone(),
                        packets_per_second: self
                            .of_kernel(|status| find(status).map(|each| each.packets)),
                        bytes_per_second: self
                            .of_kernel(|status| find(status).map(|each| each.bytes)),
                    }
                })
                .collect(),
            by_limit: limits
                .map(|each| {
                    let find = |status: &'a Status| packet_limit(status, &each.name);
                    PacketLimitRates {
                        name: each.name.clone(),
                        admitted_per_second: self
                            .of_kernel(|status| find(status).map(|each| each.admitted)),
                        dropped_per_second: self.of_kernel(|status| {
                            find(status).map(|each| each.dropped + each.cookies)
                        }),
                    }
                })
                .collect(),
        }
    }

    fn limits(&self) -> Vec<LimitRates> {
        let rates = self.after.limits.iter().map(|each| {
            let find = |status: &'a Status| limit(status, &each.name);
            LimitRates {
                name: each.name.clone(),
                admitted_per_second: self.of_some(|status| find(status).map(|each| each.admitted)),
                refused_per_second: self.of_some(|status| find(status).map(|each| each.refused)),
            }
        });
        rates.collect()
    }

    fn upstreams(&self) -> Vec<UpstreamRates> {
        let rates = self.after.upstreams.iter().map(|each| {
            let find = |status: &'a Status| upstream(status, &each.name);
            let servers = each.servers.iter().map(|server| ServerRates {
                address: server.address.clone(),
                requests_per_second: self.of_some(|status| {
                    let server = self::server(find(status)?, &server.address)?;
                    Some(server.requests)
                }),
            });
            UpstreamRates {
                name: each.name.clone(),
                requests_per_second: self.of_some(|status| find(status).map(|each| each.requests)),
                errors_per_second: self.of_some(|status| find(status).map(|each| each.errors)),
                servers: servers.collect(),
            }
        });
        rates.collect()
    }

    fn gates(&self) -> Vec<GateRates> {
        let rates = self.after.gates.iter().map(|each| {
            let find = |status: &'a Status| gate(status, &each.name);
            GateRates {
                name: each.name.clone(),
                let_in_per_second: self.of_some(|status| find(status).map(|each| each.let_in)),
                refused_per_second: self
                    .of_some(|status| find(status).map(|each| each.refused.total())),
            }
        });
        rates.collect()
    }

    fn blocks(&self, before: &Sample, after: &Sample) -> Vec<f64> {
        let rates = after.blocks.iter().map(|block| {
            let old = before
                .blocks
                .iter()
                .find(|each| each.source == block.source);
            self.rate(old.map(|old| old.dropped_packets), block.dropped_packets)
        });
        rates.collect()
    }
}

fn verdict(status: &Status, name: &str) -> Option<u64> {
    let mut all = status.requests.verdicts.iter();
    Some(all.find(|each| each.verdict == name)?.count)
}

fn class(status: &Status, name: &str) -> Option<u64> {
    let mut all = status.requests.finished.iter();
    Some(all.find(|each| each.class == name)?.count)
}

fn reason<'a>(status: &'a Status, name: &str) -> Option<&'a PacketCount> {
    let mut all = status.prefilter.packets.iter();
    all.find(|each| each.reason == name)
}

fn packet_limit<'a>(status: &'a Status, name: &str) -> Option<&'a PacketLimitCount> {
    let mut all = status.prefilter.limits.iter();
    all.find(|each| each.name == name)
}

fn limit<'a>(status: &'a Status, name: &str) -> Option<&'a LimitStatus> {
    status.limits.iter().find(|each| each.name == name)
}

fn upstream<'a>(status: &'a Status, name: &str) -> Option<&'a UpstreamStatus> {
    status.upstreams.iter().find(|each| each.name == name)
}

fn server<'a>(upstream: &'a UpstreamStatus, address: &str) -> Option<&'a ServerStatus> {
    upstream.servers.iter().find(|each| each.address == address)
}

fn gate<'a>(status: &'a Status, name: &str) -> Option<&'a GateStatus> {
    status.gates.iter().find(|each| each.name == name)
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "the numbers of these tests are exact in binary"
)]
mod tests {
    use super::*;
    use crate::cli::top::sample;

    #[test]
    fn a_rate_is_what_was_gained_in_the_services_own_time() {
        let before = sample(10.0, |status| status.requests.finished[0].count = 100);
        let after = sample(12.0, |status| {
            status.requests.finished[0].count = 150;
            status.requests.verdicts[1].count = 20;
        });
        let rates = Rates::between(&before, &after);
        assert_eq!(rates.interval_seconds, 2.0);
        assert_eq!(rates.requests.by_class[0].per_second, 25.0);
        assert_eq!(rates.requests.finished_per_second, 25.0);
        assert_eq!(rates.requests.by_verdict[1].verdict, "refused");
        assert_eq!(rates.requests.by_verdict[1].per_second, 10.0);
    }

    #[test]
    fn a_new_process_counts_from_zero_and_the_kernel_goes_on() {
        let before = sample(100.0, |status| {
            status.connections.accepted = 70;
            status.prefilter.packets[0].packets = 1_000;
        });
        let mut after = sample(1.0, |status| {
            status.pid += 1;
            status.connections.accepted = 80;
            status.prefilter.packets[0].packets = 1_200;
        });
        after.at = before.at + std::time::Duration::from_secs(2);
        let rates = Rates::between(&before, &after);
        assert_eq!(rates.connections.accepted_per_second, 40.0);
        assert_eq!(rates.packets.passed_per_second, 100.0);
    }

    #[test]
    fn a_counter_that_began_anew_is_never_negative() {
        let before = sample(10.0, |status| status.prefilter.packets[1].packets = 1_000);
        let after = sample(11.0, |status| status.prefilter.packets[1].packets = 30);
        let rates = Rates::between(&before, &after);
        assert_eq!(rates.packets.dropped_per_second, 30.0);
    }

    #[test]
    fn what_was_not_there_before_began_at_zero() {
        let before = sample(10.0, |status| status.limits.clear());
        let after = sample(11.0, |status| status.limits[0].refused = 5);
        let rates = Rates::between(&before, &after);
        assert_eq!(rates.limits[0].refused_per_second, 5.0);
        let gone = Rates::between(&after, &before);
        assert!(gone.limits.is_empty());
    }

    #[test]
    fn looks_in_one_moment_are_no_division_by_zero() {
        let (before, after) = (
            sample(10.0, |_| {}),
            sample(10.0, |status| status.connections.accepted = 1),
        );
        let rates = Rates::between(&before, &after);
        assert!(rates.connections.accepted_per_second.is_finite());
    }
}
