//! What a reload cannot make of `prefilter.mode`.

use floodwall_config::{Config, XdpMode};

use super::{Kernel, rules::settings};

/// Why nothing is filtered when that is wanted.
pub(super) const IS_OFF: &str = "prefilter.mode is off";

impl Kernel {
    /// Names what of a new file needs a restart because of what the kernel has: empty when a reload can be taken.
    pub fn restart_only(&self, next: &Config) -> Vec<String> {
        let Some(prefilter) = &next.prefilter else {
            return Vec::new();
        };
        match self {
            Self::Off {
                by_choice: true, ..
            } if prefilter.mode != XdpMode::Off => {
                vec![
                    "prefilter.mode: it was off at the start, so the flow table is memory of the process alone, where no program can meet it"
                        .to_owned(),
                ]
            }
            Self::Off { why, .. } if prefilter.required => {
                vec![format!(
                    "prefilter.required: there is no pre-filter since the start ({why})"
                )]
            }
            Self::Off { .. } => Vec::new(),
            Self::On { filter, .. } => filter
                .other_modes(&settings(prefilter))
                .iter()
                .map(|interface| {
                    let (name, mode) = (&interface.name, interface.mode);
                    format!(
                        "prefilter.mode: {name} is filtered in {mode} mode; an interface has one mode at a time, and packets would pass unfiltered in between"
                    )
                })
                .collect(),
        }
    }
}
