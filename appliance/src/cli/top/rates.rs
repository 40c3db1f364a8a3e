//! What counters gained in a second, between two looks at the service.

use std::collections::HashMap;

use serde::Serialize;

use super::Sample;
use crate::{
    blocks::Listed,
    prefilter::PacketCount,
    status::{ServerStatus, Status},
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
    /// With SYN cookies.
    pub answered_per_second: f64,
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
            blocks: span.blocks(&before.blocks, &after.blocks),
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

/// What there was before, by its name.
type Earlier<'a, T> = HashMap<&'a str, &'a T>;

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

    /// What the process counted before; nothing when that was another process.
    fn earlier<T>(&self, all: &'a [T], name: fn(&T) -> &str) -> Earlier<'a, T> {
        let all = if self.is_one_process { all } else { &[] };
        by_name(all, name)
    }

    /// The rate of a counter of the process.
    fn of(&self, count: impl Fn(&Status) -> u64) -> f64 {
        let before = self.is_one_process.then(|| count(self.before));
        self.rate(before, count(self.after))
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
        let (old, new) = (&self.before.requests, &self.after.requests);
        let verdicts = self.earlier(&old.verdicts, |each| &each.verdict);
        let by_verdict = new.verdicts.iter().map(|each| {
            let before = verdicts.get(each.verdict.as_str());
            VerdictRate {
                verdict: each.verdict.clone(),
                per_second: self.rate(before.map(|before| before.count), each.count),
            }
        });
        let classes = self.earlier(&old.finished, |each| &each.class);
        let by_class = new.finished.iter().map(|each| {
            let before = classes.get(each.class.as_str());
            ClassRate {
                class: each.class.clone(),
                per_second: self.rate(before.map(|before| before.count), each.count),
            }
        });
        let by_class: Vec<ClassRate> = by_class.collect();
        RequestRates {
            finished_per_second: by_class.iter().map(|class| class.per_second).sum(),
            by_verdict: by_verdict.collect(),
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
        let (old, new) = (&self.before.prefilter, &self.after.prefilter);
        let reasons = by_name(&old.packets, |each| &each.reason);
        let rates = |each: &PacketCount| {
            let before = reasons.get(each.reason.as_str());
            ReasonRates {
                reason: each.reason.clone(),
                packets_per_second: self.rate(before.map(|before| before.packets), each.packets),
                bytes_per_second: self.rate(before.map(|before| before.bytes), each.bytes),
            }
        };
        let by_reason: Vec<ReasonRates> = new.packets.iter().map(rates).collect();
        let sum = |wanted: fn(&PacketCount) -> bool| {
            let rates = new.packets.iter().zip(&by_reason);
            let rates = rates.filter(|(each, _)| wanted(each));
            rates.map(|(_, rates)| rates.packets_per_second).sum()
        };
        PacketRates {
            passed_per_second: sum(|each| !each.dropped && !each.answered),
            dropped_per_second: sum(|each| each.dropped),
            answered_per_second: sum(|each| each.answered),
            by_limit: self.packet_limits(),
            by_reason,
        }
    }

    fn packet_limits(&self) -> Vec<PacketLimitRates> {
        let earlier = by_name(&self.before.prefilter.limits, |each| &each.name);
        let rates = self.after.prefilter.limits.iter().map(|each| {
            let before = earlier.get(each.name.as_str());
            PacketLimitRates {
                name: each.name.clone(),
                admitted_per_second: self.rate(before.map(|before| before.admitted), each.admitted),
                dropped_per_second: self.rate(before.map(|before| before.dropped), each.dropped),
                answered_per_second: self.rate(before.map(|before| before.cookies), each.cookies),
            }
        });
        rates.collect()
    }

    fn limits(&self) -> Vec<LimitRates> {
        let earlier = self.earlier(&self.before.limits, |each| &each.name);
        let rates = self.after.limits.iter().map(|each| {
            let before = earlier.get(each.name.as_str());
            LimitRates {
                name: each.name.clone(),
                admitted_per_second: self.rate(before.map(|before| before.admitted), each.admitted),
                refused_per_second: self.rate(before.map(|before| before.refused), each.refused),
            }
        });
        rates.collect()
    }

    fn upstreams(&self) -> Vec<UpstreamRates> {
        let earlier = self.earlier(&self.before.upstreams, |each| &each.name);
        let rates = self.after.upstreams.iter().map(|each| {
            let before = earlier.get(each.name.as_str()).copied();
            let servers = before.map_or(&[][..], |before| &before.servers);
            UpstreamRates {
                name: each.name.clone(),
                requests_per_second: self.rate(before.map(|before| before.requests), each.requests),
                errors_per_second: self.rate(before.map(|before| before.errors), each.errors),
                servers: self.servers(servers, &each.servers),
            }
        });
        rates.collect()
    }

    fn servers(&self, before: &[ServerStatus], after: &[ServerStatus]) -> Vec<ServerRates> {
        let earlier = by_name(before, |each| &each.address);
        let rates = after.iter().map(|each| {
            let before = earlier.get(each.address.as_str());
            ServerRates {
                address: each.address.clone(),
                requests_per_second: self.rate(before.map(|before| before.requests), each.requests),
            }
        });
        rates.collect()
    }

    fn gates(&self) -> Vec<GateRates> {
        let earlier = self.earlier(&self.before.gates, |each| &each.name);
        let rates = self.after.gates.iter().map(|each| {
            let before = earlier.get(each.name.as_str());
            let refused = before.map(|before| before.refused.total());
            GateRates {
                name: each.name.clone(),
                let_in_per_second: self.rate(before.map(|before| before.let_in), each.let_in),
                refused_per_second: self.rate(refused, each.refused.total()),
            }
        });
        rates.collect()
    }

    /// The kernel counts these, or the process that wrote them down.
    fn blocks(&self, before: &[Listed], after: &[Listed]) -> Vec<f64> {
        let earlier = by_name(before, |block| &block.source);
        let rates = after.iter().map(|block| {
            let before = earlier.get(block.source.as_str());
            self.rate(
                before.map(|before| before.dropped_packets),
                block.dropped_packets,
            )
        });
        rates.collect()
    }
}

/// There may be tens of thousands of blocks, and thousands of limits.
fn by_name<T>(all: &[T], name: fn(&T) -> &str) -> Earlier<'_, T> {
    all.iter().map(|each| (name(each), each)).collect()
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
