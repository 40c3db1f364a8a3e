//! Ctrl-C as something to be asked about, so that the stage is cleared in any case.

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// SIGINT, SIGTERM and SIGHUP, which end nothing by themselves any more. Programs that are started get them as usual.
#[derive(Debug)]
pub(crate) struct Interrupt(SignalFd);

impl Interrupt {
    pub(crate) fn catch() -> Self {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        signals.thread_block().expect("signals can be blocked");
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Self(SignalFd::with_flags(&signals, flags).expect("the kernel has signalfd"))
    }

    /// Whether one of them has come.
    pub(crate) fn has_come(&self) -> bool {
        matches!(self.0.read_signal(), Ok(Some(_)))
    }
}
