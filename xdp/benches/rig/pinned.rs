//! A pre-filter of this process's own, for as long as it is measured.

use std::ops::Deref;

use floodwall_limiter::Nanos;
use floodwall_xdp::{Error, Mode, PreFilter, Rules, Settings};

/// A pre-filter, attached or not, that drops whatever its rules say. What is pinned goes with it.
pub(crate) struct Pinned {
    filter: PreFilter,
    /// Last: it is dropped after the filter, which holds the folder's lock.
    _pins: Pins,
}

impl Pinned {
    /// Filters these interfaces, or none, in their drivers, with room for so many sources.
    pub(crate) fn on(interfaces: &[&str], sources: u64, rules: &Rules) -> Result<Self, Error> {
        let settings = Settings {
            instance: format!("bench-{}", std::process::id()),
            interfaces: interfaces.iter().map(ToString::to_string).collect(),
            mode: Mode::Native,
            required: true,
            replace: false,
            sources,
            bpffs: Settings::BPFFS.into(),
        };
        let filter = PreFilter::attach(&settings, rules)?;
        filter.renew_lease(Nanos::MAX);
        Ok(Self {
            filter,
            _pins: Pins(settings),
        })
    }
}

impl Deref for Pinned {
    type Target = PreFilter;

    fn deref(&self) -> &PreFilter {
        &self.filter
    }
}

struct Pins(Settings);

impl Drop for Pins {
    fn drop(&mut self) {
        if let Err(error) = PreFilter::detach(&self.0) {
            eprintln!("pins are left: {error}");
        }
    }
}
