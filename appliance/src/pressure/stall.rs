//! Pressure stall information: for how much of the last ten seconds tasks waited for a resource.

use std::path::{Path, PathBuf};

use super::file::Source;

/// Millionths of the time in which some task, and in which all of them waited.
pub(super) type Stalls = [Option<u64>; 2];

/// The files of all resources, in the order of [`floodwall_config::Resource`].
#[derive(Debug)]
pub(super) struct Pressures([Option<Source>; 3]);

const NAMES: [&str; 3] = ["cpu", "memory", "io"];

impl Pressures {
    pub(super) fn open(root: &Path, groups: &[PathBuf]) -> Self {
        Self(NAMES.map(|name| {
            let own = groups.first();
            own.and_then(|group| Source::open(&group.join(format!("{name}.pressure"))))
                .or_else(|| Source::open(&root.join("proc/pressure").join(name)))
        }))
    }

    pub(super) fn sample(&self) -> [Stalls; 3] {
        self.0.each_ref().map(|source| {
            let stalls = source
                .as_ref()
                .and_then(|file| file.read(|text| Some(of(text))));
            stalls.unwrap_or_default()
        })
    }
}

/// Reads `some avg10=1.53 avg60=...` and the same line of `full`.
fn of(text: &str) -> Stalls {
    ["some", "full"].map(|kind| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let average = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("avg10="))?;
        hundredths(average).map(|hundredths| hundredths * 100)
    })
}

/// A number with two decimals, such as `1.53`, in hundredths.
pub(super) fn hundredths(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.')?;
    if decimals.len() != 2 {
        return None;
    }
    let (whole, decimals): (u64, u64) = (whole.parse().ok()?, decimals.parse().ok()?);
    whole.checked_mul(100)?.checked_add(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_are_read_and_a_line_that_is_missing_is_none() {
        let text =
            "some avg10=1.53 avg60=0.00 avg300=0.00 total=5\nfull avg10=100.00 avg60=0 total=1\n";
        assert_eq!(of(text), [Some(15_300), Some(1_000_000)]);
        // Kernels before 5.13 know no `full` of the processor.
        assert_eq!(of("some avg10=0.05 total=5\n"), [Some(500), None]);
        assert_eq!(of("nonsense"), [None, None]);
    }
}
