//! One generation's program: loaded, its lists and ports filled, not attached yet.

use std::{path::Path, sync::atomic::Ordering::Relaxed, time::Duration};

use aya::{
    Ebpf, EbpfLoader, Pod, include_bytes_aligned,
    maps::{LpmTrie, Map, MapData, lpm_trie::Key},
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use floodwall_xdp_abi::{
    self as abi,
    maps::{BLOCKS, CONTROL, COUNTERS, FLOWS, LIST_V4, LIST_V6, PORT_COUNT, PORTS, PROGRAM, RULES},
    rules::INJECTED_CLOCK,
};
use ipnet::{Ipv4Net, Ipv6Net};
use std::sync::atomic::AtomicU64;

use crate::{Error, Mapped, compile::Compiled, shared::LoadedLimit};

static OBJECT: &[u8] = include_bytes_aligned!("../floodwall.bpf.o");

/// What the program takes for the present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`.
    #[default]
    Kernel,
    /// What [`crate::PreFilter::turn_clock`] said, for tests that replay time.
    Injected,
}

/// A generation's program in the kernel. Dropping it unloads it, unless it was switched to.
#[derive(Debug)]
pub struct Loaded {
    ebpf: Ebpf,
    generation: u64,
    limits: Vec<LoadedLimit>,
}

/// What came of a packet in a test run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub dropped: bool,
    /// The average time of one run.
    pub time: Duration,
}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Data(abi::Rules);

// SAFETY: `repr(C)` without padding, as its assertion on the size says.
unsafe impl Pod for Data {}

impl Loaded {
    /// Loads the program with the pinned maps in `folder`, and fills what is its own.
    ///
    /// # Errors
    /// [`Error::Privilege`], [`Error::Memory`], or [`Error::Kernel`] with what the verifier said.
    pub(crate) fn new(
        folder: &Path,
        mut compiled: Compiled,
        limits: Vec<LoadedLimit>,
        clock: Clock,
    ) -> Result<Self, Error> {
        if clock == Clock::Injected {
            compiled.data.flags |= INJECTED_CLOCK;
        }
        let data = Data(compiled.data);
        let mut loader = EbpfLoader::new();
        loader.override_global(RULES, &data, true);
        for name in [FLOWS, BLOCKS, CONTROL, COUNTERS] {
            loader.map_pin_path(name, folder.join(name));
        }
        loader.map_max_entries(LIST_V4, entries(compiled.lists.v4.len()));
        loader.map_max_entries(LIST_V6, entries(compiled.lists.v6.len()));
        let ebpf = loader
            .load(OBJECT)
            .map_err(|error| Error::kernel("load the maps of the XDP program", error))?;
        let mut this = Self {
            ebpf,
            generation: compiled.data.generation,
            limits,
        };
        this.fill_ports(&compiled.ports)?;
        this.fill_lists(&compiled.lists.v4, &compiled.lists.v6)?;
        this.xdp()?
            .load()
            .map_err(|error| Error::kernel("load the XDP program", error))?;
        Ok(this)
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Runs the program on a packet, `repeat` times, without any interface.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses, as it does for a packet below an Ethernet header's size.
    pub fn test_run(&self, packet: &[u8], repeat: u32) -> Result<Run, Error> {
        let options = TestRunOptions {
            data_in: Some(packet),
            repeat,
            ..TestRunOptions::default()
        };
        let xdp: &Xdp = self
            .ebpf
            .program(PROGRAM)
            .and_then(|program| program.try_into().ok())
            .ok_or(Error::Object { what: PROGRAM })?;
        let result = xdp
            .test_run(options)
            .map_err(|error| Error::kernel("run the XDP program", error))?;
        Ok(Run {
            dropped: result.return_value == XDP_DROP,
            time: result.duration,
        })
    }

    pub(crate) fn limits(&self) -> &[LoadedLimit] {
        &self.limits
    }

    pub(crate) fn xdp(&mut self) -> Result<&mut Xdp, Error> {
        self.ebpf
            .program_mut(PROGRAM)
            .and_then(|program| program.try_into().ok())
            .ok_or(Error::Object { what: PROGRAM })
    }

    fn fill_ports(&self, ports: &[u64]) -> Result<(), Error> {
        let Some(Map::Array(map)) = self.ebpf.map(PORTS) else {
            return Err(Error::Object { what: PORTS });
        };
        let table = Mapped::<AtomicU64>::over(map, PORTS, PORT_COUNT as usize)?;
        for (element, limits) in table.as_ref().iter().zip(ports) {
            // Nobody reads before the program is loaded, which orders these stores.
            element.store(*limits, Relaxed);
        }
        Ok(())
    }

    fn fill_lists(&mut self, v4: &[(Ipv4Net, u32)], v6: &[(Ipv6Net, u32)]) -> Result<(), Error> {
        let v4 = v4.iter().map(|(net, action)| {
            let bits = u32::from_ne_bytes(net.network().octets());
            (Key::new(net.prefix_len().into(), bits), *action)
        });
        self.fill_list(LIST_V4, v4)?;
        let v6 = v6.iter().map(|(net, action)| {
            let bits = net.network().octets();
            (Key::new(net.prefix_len().into(), bits), *action)
        });
        self.fill_list(LIST_V6, v6)
    }

    fn fill_list<K: Pod>(
        &mut self,
        name: &'static str,
        prefixes: impl Iterator<Item = (Key<K>, u32)>,
    ) -> Result<(), Error> {
        let map = self
            .ebpf
            .map_mut(name)
            .ok_or(Error::Object { what: name })?;
        let mut trie = LpmTrie::<&mut MapData, K, u32>::try_from(map)
            .map_err(|error| Error::kernel(format!("open {name}"), error))?;
        for (key, action) in prefixes {
            trie.insert(&key, action, 0)
                .map_err(|error| Error::kernel(format!("fill {name}"), error))?;
        }
        Ok(())
    }
}

const XDP_DROP: u32 = 1;

/// A trie of no entries is none.
fn entries(prefixes: usize) -> u32 {
    u32::try_from(prefixes).unwrap_or(u32::MAX).max(1)
}
