//! What the kernel counts.

use std::fmt;

use super::Page;
use crate::prefilter::{KernelStatus, PacketCount};

pub(super) fn write(kernel: &KernelStatus, page: &mut Page<'_>) -> fmt::Result {
    page.gauge_one(
        "prefilter_on",
        "1 when packets are filtered in the kernel",
        u64::from(kernel.on),
    )?;
    page.gauge_one(
        "prefilter_wanted",
        "1 when the file asks for that",
        u64::from(kernel.wanted),
    )?;
    let generic = kernel.interfaces.iter().map(|each| {
        let labels = [("interface", each.name.as_str())];
        (labels, u64::from(each.fallback.is_some()))
    });
    page.gauge(
        "prefilter_fallback",
        "1 where native mode was tried, and generic mode is what there is",
        generic,
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
        "prefilter_interface_info",
        "How the program is attached to an interface; always 1",
        modes,
    )?;
    packets(kernel, page)?;
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
fn packets(kernel: &KernelStatus, page: &mut Page<'_>) -> fmt::Result {
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
