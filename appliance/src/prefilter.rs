//! The door to the kernel: the pre-filter when it is attached, and a reason when it is not.
//!
//! Nothing else in the program knows the difference: without the kernel the same table and the same book lie
//! in memory of the process's own, and blocks are enforced at accept.

pub(crate) mod cookies;
mod detach;
mod fate;
mod interfaces;
mod mode;
mod packet_limit;
mod rules;
pub mod samples;
mod status;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use arc_swap::ArcSwapOption;
use floodwall_config::{self as config, Config, XdpMode};
use floodwall_limiter::{FlowTable, Nanos, Secret, block::BlockBook, clock::Clock};
use floodwall_xdp::{self as xdp, InterfaceStatus, Origin, PreFilter, Settings};

use self::rules::{rules, settings};
pub use self::{
    detach::{DetachError, detach},
    fate::{Judge, JudgeError, Judged, State},
    interfaces::Caretaker,
    status::{Interface, InterfaceState, KernelStatus, PacketCount, PacketLimitCount},
};
use crate::{
    clock::Monotonic,
    generation::Generation,
    memory::{Book, Memory, Table},
};

/// The pre-filter was required and could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("prefilter.required is true, but the pre-filter cannot be attached: {0}")]
    Required(#[source] xdp::Error),
    #[error("cannot draw the flow table's secret: {0}")]
    Secret(getrandom::Error),
}

/// What a start begins with.
#[derive(Debug)]
pub struct Opened {
    pub kernel: Kernel,
    pub table: Table,
    pub book: Book,
}

/// The pre-filter, or why there is none.
#[derive(Debug)]
pub enum Kernel {
    On {
        filter: Box<PreFilter>,
        /// Nanoseconds; a reload may change it.
        outlive: AtomicU64,
        /// Why limits drop what they were to answer with SYN cookies, in the present generation.
        no_cookies: ArcSwapOption<String>,
        /// The present generation's mode is `off`, so that no interface is wanted.
        resting: AtomicBool,
    },
    Off {
        why: String,
        /// The first generation's mode was `off`.
        by_choice: bool,
    },
}

/// A program for the next generation, loaded but not yet in charge.
#[derive(Debug)]
pub struct Prepared(Option<Next>);

#[derive(Debug)]
struct Next {
    loaded: xdp::Loaded,
    outlive: Nanos,
    settings: Settings,
    no_cookies: Option<String>,
    resting: bool,
}

/// Blocks that the book of a process without the kernel can list.
const OWN_BLOCKS: u64 = 16_384;

/// After a clean stop the kernel filters on for no longer than this: somebody meant to stop.
const OUTLIVE_A_STOP: Nanos = Nanos::from_secs(60);

/// Attaches the pre-filter for the first generation, or finds out why it cannot be.
///
/// A successor does so beside the process whose work it goes on with.
///
/// # Errors
/// Only when the configuration requires it.
pub fn open(config: &Config, is_successor: bool) -> Result<Opened, Error> {
    let Some(prefilter) = &config.prefilter else {
        return own(config, "the configuration has no prefilter", false);
    };
    if prefilter.mode == XdpMode::Off {
        return own(config, mode::IS_OFF, true);
    }
    let no_cookies = cookies::lacking(prefilter);
    let rules = rules(config, prefilter, 1, no_cookies.is_none());
    let attached = if is_successor {
        PreFilter::succeed(&settings(prefilter), &rules)
    } else {
        PreFilter::attach(&settings(prefilter), &rules)
    };
    match attached {
        Ok(filter) => Ok(shared(filter, prefilter, no_cookies)),
        Err(error) if prefilter.required => Err(Error::Required(error)),
        Err(error) => {
            tracing::warn!(%error, "the pre-filter is off: blocks are enforced at accept");
            own(config, &error.to_string(), false)
        }
    }
}

fn shared(filter: PreFilter, prefilter: &config::Prefilter, no_cookies: Option<String>) -> Opened {
    let xdp::Memory {
        flows,
        blocks,
        secret,
    } = filter.memory();
    let kernel = Kernel::On {
        filter: Box::new(filter),
        outlive: AtomicU64::new(prefilter.outlive.0),
        no_cookies: ArcSwapOption::from_pointee(no_cookies),
        resting: AtomicBool::new(false),
    };
    kernel.renew();
    Opened {
        kernel,
        table: FlowTable::over(Memory::Shared(flows), secret),
        book: BlockBook::over(Memory::Shared(blocks)),
    }
}

fn own(config: &Config, why: &str, by_choice: bool) -> Result<Opened, Error> {
    let mut words = [0; 16];
    getrandom::fill(&mut words).map_err(Error::Secret)?;
    let [k0, k1] = [&words[..8], &words[8..]].map(|half| {
        half.iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))
    });
    let sources = config
        .prefilter
        .as_ref()
        .map_or(config::Prefilter::DEFAULT_SOURCES, |prefilter| {
            prefilter.table_sources
        });
    Ok(Opened {
        kernel: Kernel::Off {
            why: why.to_owned(),
            by_choice,
        },
        table: FlowTable::over(Memory::own(Table::sets_for(sources)), Secret { k0, k1 }),
        book: BlockBook::over(Memory::own(OWN_BLOCKS)),
    })
}

impl Kernel {
    /// The generation that packets meet, if there is an interface where they meet one.
    pub fn generation(&self) -> Option<u64> {
        match self {
            Self::On { filter, .. } => filter
                .interfaces()
                .iter()
                .any(InterfaceStatus::is_filtering)
                .then(|| filter.generation()),
            Self::Off { .. } => None,
        }
    }

    /// Whether the maps, and what they hold, are those of an earlier process.
    pub fn adopted(&self) -> bool {
        matches!(self, Self::On { filter, .. } if *filter.origin() == Origin::Adopted)
    }

    /// Loads the program of a generation. Everything that can fail fails here; nothing is switched.
    ///
    /// # Errors
    /// When the kernel does not take it.
    pub fn prepare(&self, generation: &Generation) -> Result<Prepared, xdp::Error> {
        match (self, &generation.config.prefilter) {
            (Self::On { filter, .. }, Some(prefilter)) => {
                let no_cookies = cookies::lacking(prefilter);
                let number = generation.number;
                let rules = rules(&generation.config, prefilter, number, no_cookies.is_none());
                Ok(Prepared(Some(Next {
                    loaded: filter.load(&rules)?,
                    outlive: prefilter.outlive,
                    settings: settings(prefilter),
                    no_cookies,
                    resting: prefilter.mode == XdpMode::Off,
                })))
            }
            _ => Ok(Prepared(None)),
        }
    }

    /// Puts a prepared program in charge of every interface, and has it filter the interfaces of its generation.
    ///
    /// # Errors
    /// When an interface does not take it; all of them have the earlier program then. An interface that is new
    /// and cannot be filtered is an error only where the pre-filter is required: otherwise it is tried again.
    pub fn switch(&self, prepared: Prepared) -> Result<(), xdp::Error> {
        let Self::On {
            filter,
            outlive,
            no_cookies,
            resting,
        } = self
        else {
            return Ok(());
        };
        let Some(next) = prepared.0 else {
            return Ok(());
        };
        filter.switch_requiring(next.loaded, &next.settings)?;
        resting.store(next.resting, Relaxed);
        no_cookies.store(next.no_cookies.map(Arc::new));
        self.tell_of_cookies();
        outlive.store(next.outlive.0, Relaxed);
        self.renew();
        interfaces::told(filter.retarget(&next.settings));
        Ok(())
    }

    /// Tells the log how each interface is doing.
    pub fn announce(&self) {
        if let Self::On { filter, .. } = self {
            filter.interfaces().iter().for_each(interfaces::tell);
        }
        self.tell_of_cookies();
    }

    /// Tells the log when limits cannot answer as they were told to.
    fn tell_of_cookies(&self) {
        if let Self::On { no_cookies, .. } = self
            && let Some(why) = no_cookies.load().as_deref()
        {
            tracing::warn!(
                why,
                "limits drop the SYNs that they were to answer with cookies"
            );
        }
    }

    /// Filters interfaces that have come, and lets go of those that have gone.
    pub fn reconcile(&self) {
        if let Self::On { filter, .. } = self {
            interfaces::told(filter.reconcile());
        }
    }

    /// Tells the program that the process is there.
    pub fn renew(&self) {
        if let Self::On {
            filter, outlive, ..
        } = self
        {
            filter.renew_lease(Monotonic.now().plus(Nanos(outlive.load(Relaxed))));
        }
    }

    /// Tells the program that the process leaves on purpose.
    pub fn leave(&self) {
        if let Self::On {
            filter, outlive, ..
        } = self
        {
            filter.renew_lease(
                Monotonic
                    .now()
                    .plus(Nanos(outlive.load(Relaxed)).min(OUTLIVE_A_STOP)),
            );
        }
    }

    /// The samples of dropped packets, for one reader; none when the pre-filter is off.
    pub fn samples(&self) -> Option<Result<xdp::Samples, xdp::Error>> {
        match self {
            Self::On { filter, .. } => Some(filter.samples()),
            Self::Off { .. } => None,
        }
    }

    /// Takes out the oldest sample, if there is one.
    pub fn next_sample(&self, samples: &mut xdp::Samples) -> Option<xdp::Sample> {
        match self {
            Self::On { filter, .. } => filter.next_sample(samples),
            Self::Off { .. } => None,
        }
    }

    /// The name of an interface, or its number when it is none of the pre-filter's.
    pub fn interface(&self, ifindex: u32) -> String {
        let known = match self {
            Self::On { filter, .. } => filter.interfaces(),
            Self::Off { .. } => Vec::new(),
        };
        let known = known.iter().find(|each| each.ifindex == ifindex);
        known.map_or_else(|| ifindex.to_string(), |each| each.name.clone())
    }

    pub fn status(&self) -> KernelStatus {
        match self {
            Self::On {
                filter,
                no_cookies,
                resting,
                ..
            } => {
                let status = KernelStatus::on(filter);
                KernelStatus {
                    no_cookies: no_cookies.load().as_deref().cloned(),
                    why: (resting.load(Relaxed).then(|| mode::IS_OFF.to_owned())).or(status.why),
                    ..status
                }
            }
            Self::Off { why, .. } => KernelStatus {
                why: Some(why.clone()),
                ..KernelStatus::default()
            },
        }
    }
}
