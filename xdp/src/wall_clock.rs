//! What the kernel knows of the wall clock: whether somebody keeps it right.

use std::time::Duration;

use nix::libc;

/// The wall clock, as the kernel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// Whether a time service has been disciplining it of late.
    pub synchronised: bool,
    /// By how much it is wrong at the most, as the kernel believes.
    pub most_error: Duration,
}

/// Asks the kernel, which takes no privilege and changes nothing; none when it does not answer.
pub fn wall_clock() -> Option<WallClock> {
    // SAFETY: every field of the structure is a number, for which zero is a value.
    let mut asked: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure lives as long as the call. Its `modes` are zero: nothing is set.
    let state = unsafe { libc::adjtimex(&raw mut asked) };
    if state < 0 {
        return None;
    }
    Some(WallClock {
        synchronised: asked.status & libc::STA_UNSYNC == 0,
        most_error: Duration::from_micros(u64::try_from(asked.maxerror).unwrap_or(0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_anybody() {
        assert!(wall_clock().is_some());
    }
}
