//! What the process takes of the host, under the names that every Prometheus client library gives it.

use std::{fmt, fs, time::SystemTime};

use nix::{
    sys::{
        resource::{Resource, UsageWho, getrlimit, getrusage},
        time::TimeValLike as _,
    },
    unistd::{SysconfVar, sysconf},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use super::Page;

/// Looks at the process when it is scraped.
#[derive(Debug)]
pub(super) struct Resources {
    pub(super) started: SystemTime,
}

impl Collector for Resources {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        cpu(&mut page)?;
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH);
        page.unit_gauge(
            "process_start_time",
            "When the process began, in seconds since 1970",
            &Unit::Seconds,
            started.map_or(0.0, |since| since.as_secs_f64()),
        )?;
        if let Some(resident) = resident_bytes() {
            page.gauge_one(
                "process_resident_memory_bytes",
                "Memory of the process that is in use, the flow table included",
                resident,
            )?;
        }
        if let Some(open) = open_files() {
            page.gauge_one("process_open_fds", "Open file descriptors", open)?;
        }
        if let Ok((most, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
            page.gauge_one(
                "process_max_fds",
                "File descriptors that the process may have",
                most,
            )?;
        }
        Ok(())
    }
}

fn cpu(page: &mut Page<'_>) -> fmt::Result {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Ok(());
    };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds are exact for 285 years"
    )]
    let seconds = micros as f64 / 1e6;
    page.0
        .encode_descriptor(
            "process_cpu",
            "Processor time of the process, its own and the kernel's for it",
            Some(&Unit::Seconds),
            MetricType::Counter,
        )?
        .encode_counter::<NoLabelSet, _, f64>(&seconds, None)
}

fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * u64::try_from(page).ok()?)
}

fn open_files() -> Option<u64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the folder itself.
    u64::try_from(open.saturating_sub(1)).ok()
}
