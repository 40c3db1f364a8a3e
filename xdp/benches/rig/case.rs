//! Programs that the kernel runs by hand (`BPF_PROG_TEST_RUN`), in turn, so that whatever slows the machine down
//! for a while slows them all down.

use std::time::Duration;

use aya::{
    Ebpf,
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use floodwall_xdp::Loaded;

use super::steady::median;

/// Packets in one run: some milliseconds, so that most runs are left alone.
const REPEAT: u32 = 20_000;
const ROUNDS: usize = 101;

pub(crate) const PARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/parts.bpf.o");

/// A program and the packet that it is run on.
pub(crate) struct Case {
    pub(crate) name: String,
    program: Program,
    packet: Vec<u8>,
    runs: Vec<f64>,
}

/// Whose program it is.
pub(crate) enum Program {
    Ours(Loaded),
    /// One that is loaded or attached otherwise, with what it must not outlive.
    Other(Xdp),
    /// A program of an object, by its name.
    Of(Ebpf, &'static str),
}

impl Program {
    /// One of the programs that do one thing each.
    pub(crate) fn part(name: &'static str) -> Result<Self, crate::Failure> {
        let mut object = Ebpf::load_file(PARTS)?;
        let program: &mut Xdp = object.program_mut(name).ok_or("no such part")?.try_into()?;
        program.load()?;
        Ok(Self::Of(object, name))
    }

    fn time(&self, packet: &[u8]) -> Result<Duration, crate::Failure> {
        let options = TestRunOptions {
            data_in: Some(packet),
            repeat: REPEAT,
            ..TestRunOptions::default()
        };
        Ok(match self {
            Self::Ours(program) => program.test_run(packet, REPEAT)?.time,
            Self::Other(program) => program.test_run(options)?.duration,
            Self::Of(object, name) => {
                let program: &Xdp = object.program(name).ok_or("no such part")?.try_into()?;
                program.test_run(options)?.duration
            }
        })
    }
}

impl Case {
    pub(crate) fn new(name: impl Into<String>, program: Program, packet: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            program,
            packet,
            runs: Vec::new(),
        }
    }

    /// Nanoseconds a packet. The kernel answers in whole ones, so that a median is no finer.
    pub(crate) fn ns(&self) -> f64 {
        median(self.runs.clone())
    }
}

/// Runs all cases, in turn.
pub(crate) fn measure(cases: &mut [Case]) -> Result<(), crate::Failure> {
    for _ in 0..ROUNDS {
        for case in &mut *cases {
            let time = case.program.time(&case.packet)?;
            case.runs.push(time.as_secs_f64() * 1e9);
        }
    }
    Ok(())
}
