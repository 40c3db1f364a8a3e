//! Programs that the kernel runs by hand (`BPF_PROG_TEST_RUN`), in turn, so that whatever slows the machine down
//! for a while slows them all down.

use std::{rc::Rc, time::Duration};

use aya::{
    Ebpf,
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use floodwall_xdp::Loaded;

use super::{parts::PARTS, steady::median};

/// Packets in one run: some milliseconds, so that most runs are left alone.
const REPEAT: u32 = 20_000;
const ROUNDS: usize = 101;

/// A program and the packet that it is run on.
pub(crate) struct Case {
    pub(crate) name: String,
    program: Program,
    packet: Vec<u8>,
    runs: Vec<f64>,
}

/// Runs a program on a packet, so many times, and tells the average time.
pub(crate) type Program = Rc<dyn Fn(&[u8], u32) -> Result<Duration, crate::Failure>>;

pub(crate) fn ours(program: Loaded) -> Program {
    Rc::new(move |packet, repeat| Ok(program.test_run(packet, repeat)?.time))
}

/// One of the programs that do one thing each.
pub(crate) fn part(name: &'static str) -> Result<Program, crate::Failure> {
    of(Ebpf::load_file(PARTS)?, name)
}

/// A program of an object, by its name.
pub(crate) fn of(mut object: Ebpf, name: &'static str) -> Result<Program, crate::Failure> {
    let program: &mut Xdp = object.program_mut(name).ok_or("no such part")?.try_into()?;
    program.load()?;
    Ok(Rc::new(move |packet, repeat| {
        let program = object.program(name).ok_or("no such part")?;
        time(program.try_into()?, packet, repeat)
    }))
}

pub(crate) fn time(program: &Xdp, packet: &[u8], repeat: u32) -> Result<Duration, crate::Failure> {
    let options = TestRunOptions {
        data_in: Some(packet),
        repeat,
        ..TestRunOptions::default()
    };
    Ok(program.test_run(options)?.duration)
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
            let time = (case.program)(&case.packet, REPEAT)?;
            case.runs.push(time.as_secs_f64() * 1e9);
        }
    }
    Ok(())
}
