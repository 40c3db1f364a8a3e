//! The door to the kernel: the pre-filter when it is attached, and a reason when it is not.
//!
//! Nothing else in the program knows the difference: without the kernel the same table and the same book lie
//! in memory of the process's own, and blocks are enforced at accept.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use floodwall_config::{self as config, Config, XdpMode};
use floodwall_limiter::{FlowTable, Nanos, Prefixes, Secret, block::BlockBook, clock::Clock};
use floodwall_xdp::{self as xdp, Mode, Origin, PreFilter, Rules, Settings};
use serde::{Deserialize, Serialize};

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

/// The pre-filter was not detached.
#[derive(Debug, thiserror::Error)]
pub enum DetachError {
    #[error("the configuration has no prefilter")]
    None,
    #[error("floodwall is running; stop it first, or what it drops would come through at once")]
    Running,
    #[error(transparent)]
    Kernel(xdp::Error),
}

/// Takes off whatever the configuration's instance has attached, without a service. Tells the instance's name.
///
/// # Errors
/// [`DetachError`]; everything stays then.
pub fn detach(config: &Config) -> Result<&str, DetachError> {
    let prefilter = config.prefilter.as_ref().ok_or(DetachError::None)?;
    match PreFilter::detach(&settings(prefilter)) {
        Ok(()) => Ok(&prefilter.instance),
        Err(xdp::Error::InstanceInUse { .. }) => Err(DetachError::Running),
        Err(error) => Err(DetachError::Kernel(error)),
    }
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
    },
    Off {
        why: String,
    },
}

/// A program for the next generation, loaded but not yet in charge.
#[derive(Debug)]
pub struct Prepared(Option<(xdp::Loaded, Nanos)>);

/// Blocks that the book of a process without the kernel can list.
const OWN_BLOCKS: u64 = 16_384;

/// After a clean stop the kernel filters on for no longer than this: somebody meant to stop.
const OUTLIVE_A_STOP: Nanos = Nanos::from_secs(60);

/// Attaches the pre-filter for the first generation, or finds out why it cannot be.
///
/// # Errors
/// Only when the configuration requires it.
pub fn open(config: &Config) -> Result<Opened, Error> {
    let Some(prefilter) = &config.prefilter else {
        return own(config, "the configuration has no prefilter");
    };
    if prefilter.mode == XdpMode::Off {
        return own(config, "prefilter.mode is off");
    }
    match PreFilter::attach(&settings(prefilter), &rules(config, prefilter, 1)) {
        Ok(filter) => Ok(shared(filter, prefilter)),
        Err(error) if prefilter.required => Err(Error::Required(error)),
        Err(error) => {
            tracing::warn!(%error, "the pre-filter is off: blocks are enforced at accept");
            own(config, &error.to_string())
        }
    }
}

fn shared(filter: PreFilter, prefilter: &config::Prefilter) -> Opened {
    let xdp::Memory {
        flows,
        blocks,
        secret,
    } = filter.memory();
    let kernel = Kernel::On {
        filter: Box::new(filter),
        outlive: AtomicU64::new(prefilter.outlive.0),
    };
    kernel.renew();
    Opened {
        kernel,
        table: FlowTable::over(Memory::Shared(flows), secret),
        book: BlockBook::over(Memory::Shared(blocks)),
    }
}

fn own(config: &Config, why: &str) -> Result<Opened, Error> {
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
        },
        table: FlowTable::over(Memory::own(Table::sets_for(sources)), Secret { k0, k1 }),
        book: BlockBook::over(Memory::own(OWN_BLOCKS)),
    })
}

fn settings(prefilter: &config::Prefilter) -> Settings {
    Settings {
        instance: prefilter.instance.clone(),
        interfaces: prefilter.interfaces.clone(),
        mode: match prefilter.mode {
            XdpMode::Native => Mode::Native,
            XdpMode::Generic => Mode::Generic,
            XdpMode::Auto | XdpMode::Off => Mode::Auto,
        },
        sources: prefilter.table_sources,
        bpffs: PathBuf::from(Settings::BPFFS),
    }
}

fn rules(config: &Config, prefilter: &config::Prefilter, generation: u64) -> Rules {
    let listener_ports = config
        .listeners
        .iter()
        .filter_map(|listener| match &listener.address {
            config::ListenAddress::Tcp(address) => Some(address.port()),
            config::ListenAddress::Unix(_) => None,
        })
        .collect();
    Rules {
        generation,
        prefixes: Prefixes {
            v4: config.clients.ipv4_prefix,
            v6: config.clients.ipv6_prefix,
        },
        listener_ports,
        // The kernel must never drop what speaks for many.
        allow: prefilter
            .allow
            .iter()
            .chain(&config.clients.trusted_proxies)
            .copied()
            .collect(),
        deny: prefilter.deny.clone(),
        limits: prefilter.limits.iter().map(packet_limit).collect(),
        malformed: match prefilter.malformed {
            config::Malformed::Drop => xdp::Malformed::Drop,
            config::Malformed::Pass => xdp::Malformed::Pass,
        },
    }
}

fn packet_limit(limit: &config::PacketLimit) -> xdp::PacketLimit {
    xdp::PacketLimit {
        name: limit.name.clone(),
        protocol: limit.matches.protocol.map(|protocol| match protocol {
            config::Protocol::Tcp => xdp::Protocol::Tcp,
            config::Protocol::Udp => xdp::Protocol::Udp,
            config::Protocol::Icmp => xdp::Protocol::Icmp,
        }),
        ports: limit
            .matches
            .ports
            .iter()
            .map(|range| range.first..=range.last)
            .collect(),
        syn: limit.matches.syn,
        key: match limit.key {
            config::PacketKey::None => xdp::PacketKey::None,
            config::PacketKey::Source => xdp::PacketKey::Source,
            config::PacketKey::Port => xdp::PacketKey::Port,
            config::PacketKey::SourcePort => xdp::PacketKey::SourcePort,
        },
        quota: limit.rate.quota,
    }
}

impl Kernel {
    /// The generation that packets meet.
    pub fn generation(&self) -> Option<u64> {
        match self {
            Self::On { filter, .. } => Some(filter.generation()),
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
            (Self::On { filter, .. }, Some(prefilter)) => filter
                .load(&rules(&generation.config, prefilter, generation.number))
                .map(|loaded| Prepared(Some((loaded, prefilter.outlive)))),
            _ => Ok(Prepared(None)),
        }
    }

    /// Puts a prepared program in charge of every interface.
    ///
    /// # Errors
    /// When an interface does not take it; all of them have the earlier program then.
    pub fn switch(&self, prepared: Prepared) -> Result<(), xdp::Error> {
        match (self, prepared.0) {
            (Self::On { filter, outlive }, Some((loaded, next))) => {
                filter.switch(loaded)?;
                outlive.store(next.0, Relaxed);
                self.renew();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Tells the program that the process is there.
    pub fn renew(&self) {
        if let Self::On { filter, outlive } = self {
            filter.renew_lease(Monotonic.now().plus(Nanos(outlive.load(Relaxed))));
        }
    }

    /// Tells the program that the process leaves on purpose.
    pub fn leave(&self) {
        if let Self::On { filter, outlive } = self {
            filter.renew_lease(
                Monotonic
                    .now()
                    .plus(Nanos(outlive.load(Relaxed)).min(OUTLIVE_A_STOP)),
            );
        }
    }

    pub fn status(&self) -> KernelStatus {
        match self {
            Self::On { filter, .. } => KernelStatus::on(filter),
            Self::Off { why } => KernelStatus {
                why: Some(why.clone()),
                ..KernelStatus::default()
            },
        }
    }
}

/// The pre-filter as operators see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelStatus {
    pub on: bool,
    /// Why it is off, or what of an earlier state had to be given up.
    pub why: Option<String>,
    pub interfaces: Vec<Interface>,
    /// Packets by what decided over them, since the maps were made.
    pub packets: Vec<PacketCount>,
    pub limits: Vec<PacketLimitCount>,
    /// How often the kernel moved a key in debt out of its cell, or lost too many races.
    pub displaced: u64,
    pub contended: u64,
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub name: String,
    pub mode: String,
    /// Why the mode is generic although native was tried first.
    pub fallback: Option<String>,
    /// The program of an earlier process was still attached, and was replaced without a gap.
    pub adopted: bool,
}

/// Packets with one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketCount {
    pub reason: String,
    /// Whether the reason is one for dropping.
    pub dropped: bool,
    pub packets: u64,
}

/// What became of the packets that one packet limit counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketLimitCount {
    pub name: String,
    pub admitted: u64,
    pub dropped: u64,
}

impl KernelStatus {
    fn on(filter: &PreFilter) -> Self {
        let (counters, unread) = match filter.counters() {
            Ok(counters) => (counters, None),
            Err(error) => (
                xdp::Counters::default(),
                Some(format!("the counters cannot be read: {error}")),
            ),
        };
        let given_up = match filter.origin() {
            Origin::Replaced(why) => Some(format!(
                "the state of an earlier version was given up: {why}"
            )),
            Origin::Created | Origin::Adopted => None,
        };
        Self {
            on: true,
            why: unread.or(given_up),
            interfaces: filter
                .interfaces()
                .iter()
                .map(|interface| Interface {
                    name: interface.name.clone(),
                    mode: interface.mode.to_string(),
                    fallback: interface.fallback.clone(),
                    adopted: interface.adopted,
                })
                .collect(),
            packets: counters
                .reasons
                .iter()
                .map(|(reason, packets)| PacketCount {
                    reason: reason.name().to_owned(),
                    dropped: reason.drops(),
                    packets: *packets,
                })
                .collect(),
            limits: counters
                .limits
                .iter()
                .map(|limit| PacketLimitCount {
                    name: limit.name.clone(),
                    admitted: limit.admitted,
                    dropped: limit.dropped,
                })
                .collect(),
            displaced: counters.displaced,
            contended: counters.contended,
        }
    }
}
