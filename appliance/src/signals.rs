//! The signals of an operator and of the service manager, taken one by one by the main thread.

use std::{io, os::fd::AsFd, time::Duration};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};

/// The signals that Floodwall obeys. From the moment they are claimed they wait to be taken, and do nothing
/// by themselves.
#[derive(Debug)]
pub struct Signals(SignalFd);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// SIGHUP.
    Reload,
    /// SIGUSR1: open the access log again, for it was moved away.
    Reopen,
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGQUIT: the service goes on in a new process.
    HandOver,
}

impl Signals {
    /// Claims the signals for the calling thread and for every thread it starts from here on: the first thing
    /// that `run` does, because SIGHUP ends a process that has not claimed it.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn claim() -> io::Result<Self> {
        let mut claimed = SigSet::empty();
        for signal in [
            Signal::SIGHUP,
            Signal::SIGUSR1,
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGQUIT,
        ] {
            claimed.add(signal);
        }
        claimed.thread_block()?;
        Ok(Self(SignalFd::with_flags(
            &claimed,
            SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC,
        )?))
    }

    /// Waits for the next signal, but no longer than `patience`.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub fn next(&self, patience: Duration) -> io::Result<Option<Order>> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        // Durations beyond what poll(2) takes come back early, which is allowed.
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => self.take(),
            Err(error) => Err(error.into()),
        }
    }

    /// The next signal, if one waits.
    ///
    /// # Errors
    /// When the descriptor fails.
    pub fn take(&self) -> io::Result<Option<Order>> {
        let signal = self
            .0
            .read_signal()?
            .and_then(|info| Signal::try_from(info.ssi_signo.cast_signed()).ok());
        Ok(signal.map(|signal| match signal {
            Signal::SIGHUP => Order::Reload,
            Signal::SIGUSR1 => Order::Reopen,
            Signal::SIGQUIT => Order::HandOver,
            _ => Order::Stop,
        }))
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;

    use super::*;

    #[test]
    fn claimed_signals_wait_to_be_taken() {
        let signals = Signals::claim().unwrap();
        assert_eq!(signals.next(Duration::ZERO).unwrap(), None);
        for (signal, order) in [
            (Signal::SIGHUP, Order::Reload),
            (Signal::SIGUSR1, Order::Reopen),
            (Signal::SIGTERM, Order::Stop),
            (Signal::SIGINT, Order::Stop),
            (Signal::SIGQUIT, Order::HandOver),
        ] {
            raise(signal).unwrap();
            assert_eq!(signals.next(Duration::from_secs(5)).unwrap(), Some(order));
        }
        assert_eq!(signals.take().unwrap(), None);
    }
}
