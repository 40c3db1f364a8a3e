//! The numbers of `status` for Prometheus: `OpenMetrics` text, made when it is asked for.
//!
//! Nothing is counted here. The request path adds to plain atomics, and a scrape reads them.

mod answers;
mod gates;
mod mirrors;
mod tokens;

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, NoLabelSet, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use crate::{
    prefilter::{KernelStatus, PacketCount},
    protection::status::{PriorityStatus, ProtectionStatus},
    service::Service,
    status::{LatencyStatus, LimitStatus, Status},
};

/// The media type of [`Metrics::text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page of metrics.
#[derive(Debug)]
pub struct Metrics(Registry);

impl Metrics {
    pub fn new(service: Arc<Service>) -> Self {
        let mut registry = Registry::with_prefix("floodwall");
        registry.register_collector(Box::new(Scrape(service)));
        Self(registry)
    }

    /// The page as it is now.
    ///
    /// # Errors
    /// Never in practice: a `String` takes everything.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.0)?;
        Ok(page)
    }
}

#[derive(Debug)]
struct Scrape(Arc<Service>);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        write(&self.0.status(), &mut Page(encoder))
    }
}

fn write(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    process(status, page)?;
    traffic(status, page)?;
    answers::write(status, page)?;
    limits(status, page)?;
    gates::write(&status.gates, page)?;
    if let Some(protection) = &status.protection {
        overload(protection, page)?;
    }
    upstreams(status, page)?;
    tokens::write(&status.tokens, page)?;
    mirrors::write(&status.mirrors, page)?;
    table(status, page)?;
    prefilter(status, page)
}

fn process(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    page.gauge(
        "build",
        "The running version; always 1",
        [([("version", status.version.as_str())], 1)],
    )?;
    page.unit_gauge(
        "uptime",
        "Time since the process began",
        &Unit::Seconds,
        status.uptime_seconds,
    )?;
    let kernel = status
        .generation
        .kernel
        .map(|number| ([("layer", "kernel")], number));
    let layers = [([("layer", "proxy")], status.generation.proxy)]
        .into_iter()
        .chain(kernel);
    page.gauge(
        "generation",
        "The rule set that a layer runs; both run the same",
        layers,
    )?;
    let reloads = [
        ("taken", status.reloads.taken),
        ("refused", status.reloads.refused),
    ];
    page.counter(
        "reloads",
        "Reloads by what became of them",
        reloads.map(|(outcome, count)| ([("outcome", outcome)], count)),
    )?;
    let ok = status.last_reload.as_ref().is_none_or(|last| last.ok);
    page.gauge_one(
        "last_reload_ok",
        "0 when the last reload was refused",
        u64::from(ok),
    )
}

fn traffic(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let (requests, connections) = (&status.requests, &status.connections);
    let classes = requests
        .finished
        .iter()
        .map(|class| ([("status", class.class.as_str())], class.count));
    page.counter(
        "requests",
        "Finished requests by the class of their status",
        classes,
    )?;
    page.gauge_one(
        "requests_in_flight",
        "Requests being served",
        requests.in_flight,
    )?;
    page.counter_one(
        "requests_malformed",
        "Requests refused before any route was looked for",
        requests.malformed,
    )?;
    page.counter_one(
        "requests_unrouted",
        "Requests that no route took",
        requests.unrouted,
    )?;
    page.counter_one(
        "access_log_lines_dropped",
        "Access log lines that could not be kept",
        requests.access_log_dropped,
    )?;
    page.counter_one(
        "header_fields_dropped",
        "Header fields left out because what a request put into them could not stand on the wire",
        requests.fields_dropped,
    )?;
    page.gauge_one("connections_open", "Client connections", connections.open)?;
    page.counter_one(
        "connections_accepted",
        "Client connections accepted",
        connections.accepted,
    )?;
    let refused = [
        ("blocked", connections.refused_blocked),
        ("full", connections.refused_full),
    ];
    page.counter(
        "connections_refused",
        "Client connections closed at accept",
        refused.map(|(why, count)| ([("reason", why)], count)),
    )?;
    page.counter_one(
        "connections_cut",
        "Client connections ended because their source was blocked",
        connections.cut,
    )?;
    let offences = connections.offences.iter();
    page.counter(
        "http2_connections_ended",
        "HTTP/2 connections ended for what their clients did",
        offences.map(|(offence, count)| ([("offence", offence.as_str())], *count)),
    )?;
    let failed = connections.failed.iter();
    page.counter(
        "connections_failed",
        "Client connections that ended before their first request could come",
        failed.map(|(reason, count)| ([("reason", reason.as_str())], *count)),
    )
}

fn limits(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let verdicts = status.limits.iter().flat_map(|limit| {
        [
            ("admitted", limit.admitted),
            ("refused", limit.refused),
            ("shadowed", limit.shadowed),
            ("unenforced", limit.unenforced),
        ]
        .map(|(verdict, count)| {
            (
                [("limit", limit.name.as_str()), ("verdict", verdict)],
                count,
            )
        })
    });
    page.counter(
        "limit_requests",
        "Requests by limit and verdict; `shadowed` is over a limit that only counts, `unenforced` over one that \
         does not refuse this key",
        verdicts,
    )?;
    let blocks = status
        .limits
        .iter()
        .map(|limit| ([("limit", limit.name.as_str())], limit.blocks));
    let takeovers = status
        .limits
        .iter()
        .map(|limit| ([("limit", limit.name.as_str())], limit.takeovers));
    page.counter(
        "limit_takeovers",
        "Keys in debt that lost their cell to one of a limit's",
        takeovers,
    )?;
    page.counter("limit_blocks", "Sources that a limit has blocked", blocks)?;
    let gauge = |of: fn(&LimitStatus) -> u64| {
        let limits = status.limits.iter();
        limits.map(move |limit| ([("limit", limit.name.as_str())], of(limit)))
    };
    page.gauge(
        "limit_waiting",
        "Requests that wait for their turn or for a slot",
        gauge(|limit| limit.waiting),
    )?;
    page.gauge(
        "limit_in_flight",
        "Requests that hold a slot of a limit of concurrency",
        gauge(|limit| limit.in_flight),
    )?;
    page.gauge_one(
        "blocked_sources",
        "Sources that are blocked now",
        status.blocks as u64,
    )?;
    let budget = &status.blocks_budget;
    page.gauge_one(
        "blocks_budget",
        "How many sources limits may block at one time",
        budget.max,
    )?;
    page.gauge_one(
        "blocks_budget_spent",
        "How many of them are blocked now",
        budget.standing,
    )?;
    let refused = [("full", budget.refused_full), ("rate", budget.refused_rate)];
    page.counter(
        "blocks_refused",
        "Blocks that limits wanted and the budget did not allow",
        refused.map(|(why, count)| ([("reason", why)], count)),
    )
}

fn overload(status: &ProtectionStatus, page: &mut Page<'_>) -> fmt::Result {
    let measures = &status.measures;
    page.gauge_one(
        "protection_in_flight",
        "Requests that overload protection let in and that are being served",
        status.in_flight,
    )?;
    page.gauge_one(
        "protection_capacity_requests",
        "How many requests at once keep the machine busy, as bbr estimates it",
        status.capacity.concurrency,
    )?;
    let values = measures
        .iter()
        .filter_map(|each| Some(([("measure", each.measure.as_str())], each.value?)));
    page.gauge(
        "protection_value",
        "Where a measure stands: shares from 0 to 1, times in seconds",
        values,
    )?;
    let triggers = measures
        .iter()
        .map(|each| ([("measure", each.measure.as_str())], each.trigger));
    page.gauge(
        "protection_trigger",
        "Above which value a measure sheds requests of priority normal",
        triggers,
    )?;
    let by_priority = |number: fn(&PriorityStatus) -> u64| {
        measures.iter().flat_map(move |each| {
            let of = move |priority: &'_ PriorityStatus| {
                let labels = [
                    ("measure", each.measure.clone()),
                    ("priority", priority.priority.clone()),
                ];
                (labels, number(priority))
            };
            each.priorities.iter().map(of)
        })
    };
    page.gauge(
        "protection_sheds",
        "1 when a measure sheds requests of a priority",
        by_priority(|priority| u64::from(priority.sheds)),
    )?;
    page.counter(
        "shed_requests",
        "Requests shed, by the measure that was over its trigger and by priority",
        by_priority(|priority| priority.shed),
    )
}

fn upstreams(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let by_name = |count: fn(&crate::status::UpstreamStatus) -> u64| {
        status
            .upstreams
            .iter()
            .map(move |upstream| ([("upstream", upstream.name.as_str())], count(upstream)))
    };
    page.counter(
        "upstream_requests",
        "Requests sent to an upstream",
        by_name(|upstream| upstream.requests),
    )?;
    page.counter(
        "upstream_connect_failures",
        "Connections that could not be opened",
        by_name(|upstream| upstream.connect_failures),
    )?;
    page.counter(
        "upstream_retries",
        "Requests that were tried again",
        by_name(|upstream| upstream.retries),
    )?;
    page.counter(
        "upstream_retries_over_budget",
        "Retries that the budget did not allow",
        by_name(|upstream| upstream.retries_over_budget),
    )?;
    let refused = status.upstreams.iter().flat_map(|upstream| {
        [
            ("full", upstream.refused_full),
            ("open", upstream.refused_open),
        ]
        .map(|(why, count)| {
            (
                [("upstream", upstream.name.as_str()), ("reason", why)],
                count,
            )
        })
    });
    page.counter(
        "upstream_refused",
        "Requests that an upstream did not take: its breaker was `open`, or it was `full`",
        refused,
    )?;
    let in_flight = status
        .upstreams
        .iter()
        .filter_map(|upstream| Some(([("upstream", upstream.name.as_str())], upstream.in_flight?)));
    page.gauge(
        "upstream_in_flight",
        "Requests that an upstream with `max_in_flight` has",
        in_flight,
    )?;
    let bounds = status.upstreams.iter().filter_map(|upstream| {
        Some((
            [("upstream", upstream.name.as_str())],
            upstream.max_in_flight?,
        ))
    });
    page.gauge(
        "upstream_max_in_flight",
        "Requests that an upstream may have; it moves when it is adaptive",
        bounds,
    )?;
    servers(status, page)?;
    outliers(status, page)?;
    breakers(status, page)?;
    page.counter(
        "upstream_errors",
        "Requests that an upstream failed to answer",
        by_name(|upstream| upstream.errors),
    )
}

/// What every server has, and what checks found out of those that are checked.
fn servers(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let all = || {
        status.upstreams.iter().flat_map(|upstream| {
            upstream.servers.iter().map(|server| {
                let labels = [
                    ("upstream", upstream.name.as_str()),
                    ("server", server.address.as_str()),
                ];
                (labels, server)
            })
        })
    };
    let checked = || all().filter_map(|(labels, server)| Some((labels, server.health.as_ref()?)));
    page.counter(
        "upstream_server_requests",
        "Requests sent to a server, each try by itself",
        all().map(|(labels, server)| (labels, server.requests)),
    )?;
    page.gauge(
        "upstream_server_in_flight",
        "Requests that a server has now",
        all().map(|(labels, server)| (labels, server.in_flight)),
    )?;
    page.gauge(
        "upstream_server_healthy",
        "1 unless the checks of a server fail",
        checked().map(|(labels, health)| (labels, u64::from(health.healthy))),
    )?;
    page.counter(
        "upstream_server_checks",
        "Checks of a server",
        checked().map(|(labels, health)| (labels, health.checks)),
    )?;
    page.counter(
        "upstream_server_check_failures",
        "Checks of a server that failed",
        checked().map(|(labels, health)| (labels, health.failures)),
    )?;
    page.gauge(
        "upstream_panicking",
        "1 while so few servers are well that all are asked",
        status.upstreams.iter().map(|upstream| {
            (
                [("upstream", upstream.name.as_str())],
                u64::from(upstream.panicking),
            )
        }),
    )
}

fn outliers(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let servers = || {
        status.upstreams.iter().flat_map(|upstream| {
            upstream.servers.iter().filter_map(|server| {
                let labels = [
                    ("upstream", upstream.name.as_str()),
                    ("server", server.address.as_str()),
                ];
                Some((labels, server, server.ejections?))
            })
        })
    };
    page.gauge(
        "upstream_server_out",
        "1 while a server is left out because it does badly",
        servers().map(|(labels, server, _)| (labels, u64::from(server.out_for_seconds.is_some()))),
    )?;
    page.counter(
        "upstream_server_ejections",
        "Times that a server was left out",
        servers().map(|(labels, _, ejections)| (labels, ejections)),
    )
}

fn breakers(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    page.counter(
        "upstream_breaker_opened",
        "Times that a breaker opened",
        status.upstreams.iter().map(|upstream| {
            (
                [("upstream", upstream.name.as_str())],
                upstream.breaker_opened,
            )
        }),
    )?;
    let positions = status.upstreams.iter().flat_map(|upstream| {
        let whole = upstream.breaker.as_ref().map(|breaker| ("", breaker));
        let servers = upstream
            .servers
            .iter()
            .filter_map(|server| Some((server.address.as_str(), server.breaker.as_ref()?)));
        whole.into_iter().chain(servers).map(|(server, breaker)| {
            (
                [("upstream", upstream.name.as_str()), ("server", server)],
                breaker.state as u64,
            )
        })
    });
    page.gauge(
        "upstream_breaker_state",
        "0 closed, 1 half-open, 2 open; without a server for the breaker of all",
        positions,
    )
}

fn table(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    page.gauge_one("table_cells", "Cells of the flow table", status.table.cells)?;
    page.gauge_one(
        "table_size_bytes",
        "Memory of the flow table",
        status.table.bytes,
    )?;
    page.counter_one(
        "table_displaced",
        "Keys in debt that lost their cell to another",
        status.table.displaced,
    )?;
    page.counter_one(
        "table_contended",
        "Decisions given up because too many threads raced",
        status.table.contended,
    )
}

fn prefilter(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let kernel = &status.prefilter;
    page.gauge_one(
        "prefilter_on",
        "1 when packets are filtered in the kernel",
        u64::from(kernel.on),
    )?;
    let interfaces = kernel.interfaces.iter();
    let modes = interfaces.map(|each| {
        (
            [
                ("interface", each.name.as_str()),
                ("mode", each.mode.as_deref().unwrap_or("none")),
            ],
            1,
        )
    });
    page.gauge(
        "prefilter_interface",
        "How the program is attached to an interface; always 1",
        modes,
    )?;
    prefilter_packets(kernel, page)?;
    let limits = kernel.limits.iter().flat_map(|limit| {
        [
            ("admitted", limit.admitted),
            ("dropped", limit.dropped),
            ("cookie", limit.cookies),
            ("shadowed", limit.shadowed),
        ]
        .map(|(verdict, count)| {
            (
                [("limit", limit.name.as_str()), ("verdict", verdict)],
                count,
            )
        })
    });
    page.counter(
        "prefilter_limit_packets",
        "Packets by packet limit and verdict; `cookie` is a SYN that was answered, `shadowed` is over a limit that \
         only counts",
        limits,
    )?;
    page.counter_one(
        "prefilter_resets",
        "Packets of blocked sources that were answered with a reset",
        kernel.resets,
    )?;
    page.counter_one(
        "prefilter_samples_lost",
        "Samples of drops that nobody took out in time",
        kernel.samples_lost,
    )?;
    page.counter_one(
        "prefilter_displaced",
        "Keys in debt that lost their cell to another in the kernel",
        kernel.displaced,
    )?;
    page.counter_one(
        "prefilter_contended",
        "Packets refused because too many CPUs raced for one cell",
        kernel.contended,
    )
}

/// By reason over all interfaces, and for each interface: the reasons are few, and so are the interfaces.
fn prefilter_packets(kernel: &KernelStatus, page: &mut Page<'_>) -> fmt::Result {
    let packets = kernel.packets.iter().map(|each| {
        let verdict = verdict(each);
        let labels = [("reason", each.reason.as_str()), ("verdict", verdict)];
        (labels, each.packets)
    });
    page.counter(
        "prefilter_packets",
        "Packets by what decided over them",
        packets,
    )?;
    let dropped = kernel.packets.iter().filter(|each| each.dropped);
    page.counter(
        "prefilter_dropped_bytes",
        "Bytes of dropped frames by reason",
        dropped.map(|each| ([("reason", each.reason.as_str())], each.bytes)),
    )?;
    let by_interface = kernel.interfaces.iter().flat_map(|interface| {
        interface.packets.iter().map(|each| {
            let labels = [
                ("interface", interface.name.as_str()),
                ("reason", each.reason.as_str()),
                ("verdict", verdict(each)),
            ];
            (labels, each.packets)
        })
    });
    page.counter(
        "prefilter_interface_packets",
        "Packets by interface and by what decided over them",
        by_interface,
    )
}

const fn verdict(count: &PacketCount) -> &'static str {
    match (count.dropped, count.answered) {
        (true, _) => "drop",
        (false, true) => "answer",
        (false, false) => "pass",
    }
}

/// The page that is being written: a line of help for each family, then its samples.
struct Page<'e>(DescriptorEncoder<'e>);

impl Page<'_> {
    fn counter<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in samples {
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
        Ok(())
    }

    fn counter_one(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, f64>(&count, None)
    }

    fn gauge<L: EncodeLabelSet, N: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, N)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn gauge_one(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    /// A histogram of times.
    fn histogram<'a, L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, &'a LatencyStatus)>,
    ) -> fmt::Result {
        let seconds = Some(&Unit::Seconds);
        let mut family = self
            .0
            .encode_descriptor(name, help, seconds, MetricType::Histogram)?;
        for (labels, times) in samples {
            let buckets = times.buckets.iter();
            let buckets: Vec<_> = buckets
                .map(|bucket| (bucket.most_seconds.unwrap_or(f64::INFINITY), bucket.count))
                .collect();
            family
                .encode_family(&labels)?
                .encode_histogram::<NoLabelSet>(times.sum_seconds, times.count, &buckets, None)?;
        }
        Ok(())
    }

    fn unit_gauge(&mut self, name: &str, help: &str, unit: &Unit, value: f64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, Some(unit), MetricType::Gauge)?
            .encode_gauge(&value)
    }
}
