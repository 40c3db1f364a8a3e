//! One generation's program: loaded, its lists and ports filled, not attached yet.

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{Error, Mapped, compile::Compiled, shared::LoadedLimit};
use aya::{
    Ebpf, EbpfLoader, Pod, include_bytes_aligned,
    maps::{Map, MapData},
    programs::{ProgramError, TestRun as _, TestRunOptions, Xdp},
};
use floodwall_xdp_abi::{
    self as abi,
    list::{self, WORDS_V4, WORDS_V6},
    maps::{
        BLOCKS, CLASSES, CONTROL, COUNTERS, Class, FLOWS, INTERFACES, LIST_V4, LIST_V6, LISTS,
        PORTS, PROGRAM, ROWS, RULES, SAMPLES,
    },
    rules::INJECTED_CLOCK,
};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub action: Outcome,
    /// The average time of one run.
    pub time: Duration,
    /// The frame as the program left it.
    pub frame: Vec<u8>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The stack gets it.
    Pass,
    Drop,
    /// It was made into an answer, which goes back the way it came.
    Answer,
}

/// By how much an answer may be longer than its question: the option that says the largest segment.
const LARGEST_OPTION: usize = 4;

/// The maps that all generations share.
const PINNED: [&str; 7] = [FLOWS, BLOCKS, CONTROL, COUNTERS, INTERFACES, ROWS, SAMPLES];

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Data(abi::Rules);

// SAFETY: `repr(C)` without padding, as its assertion on the size says.
unsafe impl Pod for Data {}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct ListData(list::Lists);

// SAFETY: as above.
unsafe impl Pod for ListData {}

/// Which maps a program works on beside its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Maps<'a> {
    /// Those that are pinned in a folder, with all other generations.
    Shared(&'a Path),
    /// None: new ones of the same size, with so many sets of cells.
    Own { sets: u64 },
}

/// How often a load is tried that a signal has broken off; as often as libbpf tries.
const ATTEMPTS: u32 = 5;

/// Gives the program to the verifier, which lets go of it (`EAGAIN`) when a signal comes for its thread.
fn verify(xdp: &mut Xdp) -> Result<(), ProgramError> {
    let broken_off = |error: &ProgramError| {
        matches!(error, ProgramError::LoadError { io_error, .. }
            if io_error.kind() == io::ErrorKind::WouldBlock)
    };
    let mut loaded = xdp.load();
    for _ in 1..ATTEMPTS {
        if !loaded.as_ref().is_err_and(broken_off) {
            break;
        }
        loaded = xdp.load();
    }
    loaded
}

impl Loaded {
    /// Loads the program, and fills the maps of its generation.
    ///
    /// # Errors
    /// [`Error::Privilege`], [`Error::Memory`], or [`Error::Kernel`] with what the verifier said.
    pub(crate) fn new(
        maps: Maps<'_>,
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
        match maps {
            Maps::Shared(folder) => {
                for name in PINNED {
                    loader.map_pin_path(name, folder.join(name));
                }
            }
            Maps::Own { sets } => {
                loader.map_max_entries(FLOWS, u32::try_from(sets).unwrap_or(u32::MAX));
            }
        }
        let lists = &compiled.lists;
        let list_data = ListData(lists.data);
        loader.override_global(LISTS, &list_data, true);
        let classes = compiled.classes.iter().flat_map(words).collect::<Vec<_>>();
        loader.map_max_entries(CLASSES, elements(&classes, CLASS_WORDS));
        loader.map_max_entries(LIST_V4, elements(&lists.v4, WORDS_V4));
        loader.map_max_entries(LIST_V6, elements(&lists.v6, WORDS_V6));
        let ebpf = loader
            .load(OBJECT)
            .map_err(|error| Error::kernel("load the maps of the XDP program", error))?;
        let mut this = Self {
            ebpf,
            generation: compiled.data.generation,
            limits,
        };
        this.fill(PORTS, &compiled.ports)?;
        this.fill(CLASSES, &classes)?;
        this.fill(LIST_V4, &lists.v4)?;
        this.fill(LIST_V6, &lists.v6)?;
        verify(this.xdp()?).map_err(|error| Error::kernel("load the XDP program", error))?;
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
        self.run(packet, repeat, None)
    }

    /// Runs the program once on a packet that comes in over an interface of this network namespace.
    ///
    /// # Errors
    /// [`Error::Kernel`], also when there is no such interface.
    pub fn test_run_over(&self, packet: &[u8], ifindex: u32) -> Result<Run, Error> {
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        // The kernel's `struct xdp_md`: data, its end, metadata, ingress interface, queue, egress interface.
        let context = [0, length, 0, ifindex, 0, 0].map(u32::to_ne_bytes);
        self.run(packet, 1, Some(context.as_flattened()))
    }

    fn run(&self, packet: &[u8], repeat: u32, context: Option<&[u8]>) -> Result<Run, Error> {
        // The smallest of SYNs is shorter than its answer.
        let mut frame = vec![0; packet.len() + LARGEST_OPTION];
        let options = TestRunOptions {
            data_in: Some(packet),
            data_out: Some(&mut frame),
            ctx_in: context,
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
        frame.truncate(result.data_size_out as usize);
        Ok(Run {
            action: match result.return_value {
                XDP_PASS => Outcome::Pass,
                XDP_TX => Outcome::Answer,
                _ => Outcome::Drop,
            },
            time: result.duration,
            frame,
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

    /// Maps the first words of one of the program's arrays.
    pub(crate) fn words(&self, name: &'static str, len: usize) -> Result<Mapped<AtomicU64>, Error> {
        let Some(Map::Array(map)) = self.ebpf.map(name) else {
            return Err(Error::Object { what: name });
        };
        Mapped::over(map, name, len)
    }

    /// Takes a per-CPU array of the program, which keeps it too.
    pub(crate) fn take_counts(&mut self, name: &'static str) -> Result<MapData, Error> {
        match self.ebpf.take_map(name) {
            Some(Map::PerCpuArray(map)) => Ok(map),
            _ => Err(Error::Object { what: name }),
        }
    }

    /// Fills an array of this generation.
    fn fill(&self, name: &'static str, words: &[u64]) -> Result<(), Error> {
        if words.is_empty() {
            return Ok(());
        }
        let memory = self.words(name, words.len())?;
        for (word, filled) in memory.as_ref().iter().zip(words) {
            // Nobody reads before the program is loaded, which orders these stores.
            word.store(*filled, Relaxed);
        }
        Ok(())
    }
}

const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

const CLASS_WORDS: usize = size_of::<Class>() / 8;

/// A class as it is laid out.
fn words(class: &Class) -> Vec<u64> {
    let quotas = class.quotas.iter();
    let quotas = quotas.flat_map(|quota| [quota.interval().0, quota.depth().0]);
    std::iter::once(class.unlimited).chain(quotas).collect()
}

/// Elements of a map that holds these words. A map has one at least.
fn elements(words: &[u64], each: usize) -> u32 {
    u32::try_from(words.len() / each).unwrap_or(u32::MAX).max(1)
}
