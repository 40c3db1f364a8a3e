//! Memory: the working set of a group against its limit, or what is not available on the host.

use std::path::{Path, PathBuf};

use floodwall_config::units::Share;

use super::file::{Source, field};

/// All that is read to know how full memory is.
#[derive(Debug)]
pub(super) struct Memory {
    groups: Vec<Group>,
    host: Option<Source>,
}

/// Bytes that are used, of those that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) used: u64,
    pub(super) limit: u64,
}

/// The part of `limit` that `used` is.
pub(super) fn share(used: u64, limit: u64) -> Share {
    let millionths = u128::from(used) * 1_000_000 / u128::from(limit.max(1));
    Share::of_millionths(u32::try_from(millionths).unwrap_or(u32::MAX))
}

impl Memory {
    pub(super) fn open(root: &Path, groups: &[PathBuf]) -> Self {
        Self {
            groups: groups.iter().filter_map(|path| Group::open(path)).collect(),
            host: Source::open(&root.join("proc/meminfo")),
        }
    }

    /// The usage of the group that is nearest to its limit; the host's when none has one.
    pub(super) fn sample(&self) -> Option<Usage> {
        let groups = self.groups.iter().filter_map(Group::sample);
        groups
            .max_by_key(|usage| share(usage.used, usage.limit))
            .or_else(|| self.host.as_ref()?.read(of_host))
    }
}

#[derive(Debug)]
struct Group {
    current: Source,
    limit: Source,
    stat: Source,
}

impl Group {
    fn open(path: &Path) -> Option<Self> {
        Some(Self {
            current: Source::open(&path.join("memory.current"))?,
            limit: Source::open(&path.join("memory.max"))?,
            stat: Source::open(&path.join("memory.stat"))?,
        })
    }

    /// The working set, as the kubelet counts it: without the pages of files that nobody used lately. None without
    /// a limit.
    fn sample(&self) -> Option<Usage> {
        let limit = self.limit.read(|text| text.trim().parse().ok())?;
        let current: u64 = self.current.read(|text| text.trim().parse().ok())?;
        let idle = self.stat.read(|text| field(text, "inactive_file"));
        Some(Usage {
            used: current.saturating_sub(idle.unwrap_or(0)),
            limit,
        })
    }
}

/// What `/proc/meminfo` says is not available, which leaves out what the kernel would give back at once.
fn of_host(text: &str) -> Option<Usage> {
    let bytes = |name| Some(field(text, name)?.saturating_mul(1024));
    let limit = bytes("MemTotal")?;
    Some(Usage {
        used: limit.saturating_sub(bytes("MemAvailable")?),
        limit,
    })
}
