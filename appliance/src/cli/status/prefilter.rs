//! What the kernel does: where it filters, what came in, and the last packets it dropped.

use std::io::{self, Write};

use crate::{
    cli::table::Table,
    prefilter::{Interface, InterfaceState, KernelStatus, PacketCount},
};

pub(super) fn summary(out: &mut impl Write, kernel: &KernelStatus) -> io::Result<()> {
    if !kernel.on && kernel.interfaces.is_empty() {
        return writeln!(
            out,
            "pre-filter   off: {}",
            kernel.why.as_deref().unwrap_or("nobody knows why")
        );
    }
    let mut heading = "pre-filter ";
    for interface in &kernel.interfaces {
        writeln!(out, "{heading}  {}", in_words(interface))?;
        if let Some(why) = &interface.fallback {
            writeln!(out, "             not native: {why}")?;
        }
        if let Some(program) = &interface.replaced {
            writeln!(out, "             in the place of {program}")?;
        }
        heading = "           ";
    }
    for lacking in kernel
        .features
        .iter()
        .filter(|each| each.present == Some(false))
    {
        let (name, since) = (&lacking.name, &lacking.since);
        writeln!(
            out,
            "             this kernel lacks {name}, which came with {since}"
        )?;
    }
    if let Some(why) = &kernel.why {
        writeln!(out, "             {why}")?;
    }
    if let Some(why) = &kernel.no_cookies {
        writeln!(
            out,
            "             SYNs are dropped, not answered with cookies: {why}"
        )?;
    }
    writeln!(
        out,
        "             {} displaced, {} contended, {} answered with a reset",
        kernel.displaced, kernel.contended, kernel.resets
    )
}

fn in_words(interface: &Interface) -> String {
    let name = &interface.name;
    let why = interface.why.as_deref().unwrap_or("nobody knows why");
    match interface.state {
        InterfaceState::Filtering => {
            let mode = interface.mode.as_deref().unwrap_or("somehow");
            let adopted = if interface.adopted {
                ", adopted from an earlier process"
            } else {
                ""
            };
            format!("{mode} on {name}{adopted}")
        }
        InterfaceState::Waiting => format!("waiting for {name}: there is no such interface"),
        InterfaceState::Refused => format!("NOT on {name}: {why}"),
        InterfaceState::Covered => format!("{name}: {why}"),
    }
}

/// What came in: over all interfaces, and where there are several, over each.
pub(super) fn packets(kernel: &KernelStatus) -> Table<5> {
    let mut table = Table::new(["PACKETS", "", "OVER", "COUNT>", "BYTES>"]);
    let mut rows = |interface: &str, counts: &[PacketCount]| {
        for count in counts.iter().filter(|count| count.packets > 0) {
            let bytes = if count.dropped {
                count.bytes.to_string()
            } else {
                String::new()
            };
            table.row([
                count.reason.clone(),
                count.became().to_owned(),
                interface.to_owned(),
                count.packets.to_string(),
                bytes,
            ]);
        }
    };
    match kernel.interfaces.as_slice() {
        [only] => rows(&only.name, &kernel.packets),
        several => {
            rows("all", &kernel.packets);
            for interface in several {
                rows(&interface.name, &interface.packets);
            }
        }
    }
    table
}

pub(super) fn limits(kernel: &KernelStatus) -> Table<5> {
    let mut table = Table::new([
        "PACKET LIMIT",
        "ADMITTED>",
        "DROPPED>",
        "COOKIES>",
        "SHADOWED>",
    ]);
    for limit in &kernel.limits {
        table.row([
            limit.name.clone(),
            limit.admitted.to_string(),
            limit.dropped.to_string(),
            limit.cookies.to_string(),
            limit.shadowed.to_string(),
        ]);
    }
    table
}

/// The last packets that the kernel dropped and showed.
pub(super) fn samples(kernel: &KernelStatus) -> Table<5> {
    let mut table = Table::new(["LAST DROPPED", "SOURCE", "TO", "WHY", "OVER"]);
    for sample in &kernel.samples {
        let port = sample.port.map(|port| format!(" {port}"));
        let limit = sample.limit.as_ref().map(|limit| format!(" by {limit}"));
        table.row([
            sample.at.clone(),
            sample.source.clone().unwrap_or_default(),
            format!("{}{}", sample.protocol, port.unwrap_or_default()),
            format!("{}{}", sample.reason, limit.unwrap_or_default()),
            sample.interface.clone(),
        ]);
    }
    table
}
