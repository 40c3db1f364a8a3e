//! What can go wrong between the process and the kernel, and what to do about it.

use std::{error::Error as StdError, io, path::PathBuf};

use aya::programs::ProgramError;

use crate::{Mode, features};

type Source = Box<dyn StdError + Send + Sync>;

/// An act of the pre-filter that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no BPF file system at {path}: mount one (mount -t bpf bpf {path}) or name another folder"
    )]
    NoBpfFileSystem { path: PathBuf },

    #[error(
        "cannot {act} without privilege: the process needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and must own its folder in the BPF file system"
    )]
    Privilege { act: String, source: Source },

    #[error("this kernel lacks what the pre-filter needs: {missing}")]
    Outdated { missing: String, source: Box<Error> },

    #[error("no such interface: {interface}")]
    NoSuchInterface { interface: String },

    #[error(
        "{interface} has another XDP program already ({program}): detach it (ip link set dev {interface} xdp off), take it over (prefilter.replace: true), or leave this interface out"
    )]
    Occupied { interface: String, program: String },

    #[error("another process holds {path}: give this one a name of its own (prefilter.instance)")]
    InstanceInUse { path: PathBuf },

    #[error("{interface} takes no XDP program in {mode} mode: {reason}")]
    Mode {
        interface: String,
        mode: Mode,
        reason: String,
    },

    #[error("{found} packet limits, at most {most} are possible")]
    TooManyLimits { found: usize, most: usize },

    #[error(
        "the exceptions of packet limits come to {found} kinds of sources, at most {most} are possible"
    )]
    TooManyExceptions { found: usize, most: usize },

    #[error("a flow table for {found} sources is too large, at most {most} are possible")]
    TooManySources { found: u64, most: u64 },

    #[error("not enough memory to {act}: make the flow table smaller (prefilter.table.sources)")]
    Memory { act: String, source: Source },

    #[error("the kernel's program object lacks {what}: rebuild it (make ebpf)")]
    Object { what: &'static str },

    #[error("cannot {act}: {}", chain(.source.as_ref()))]
    Kernel { act: String, source: Source },
}

impl Error {
    /// Wraps what the kernel or aya said about an act, and recognises what an operator can mend.
    pub(crate) fn kernel(
        act: impl Into<String>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self::boxed(act.into(), Box::new(source))
    }

    /// Says that the kernel is too old, if that is why it has refused.
    pub(crate) fn or_outdated(self) -> Self {
        if !matches!(self, Self::Kernel { .. }) {
            return self;
        }
        match features::lacking() {
            Some(missing) => Self::Outdated {
                missing,
                source: Box::new(self),
            },
            None => self,
        }
    }

    pub(crate) fn boxed(act: String, source: Source) -> Self {
        match errno(source.as_ref()) {
            // With this number, too, the kernel says that its verifier refused the program.
            Some(EACCES) if is_of_verifier(source.as_ref()) => Self::Kernel { act, source },
            Some(EPERM | EACCES) => Self::Privilege { act, source },
            Some(ENOMEM) => Self::Memory { act, source },
            _ => Self::Kernel { act, source },
        }
    }
}

fn is_of_verifier(error: &(dyn StdError + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(ProgramError::LoadError { .. }))
}

pub(crate) const EPERM: i32 = 1;
pub(crate) const EACCES: i32 = 13;
pub(crate) const ENOMEM: i32 = 12;
pub(crate) const EEXIST: i32 = 17;

/// The error number at the bottom of an error, if a system call caused it.
pub(crate) fn errno(error: &(dyn StdError + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        next = error.source();
    }
    None
}

/// An error and all its causes in one line.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    if let Some(ProgramError::LoadError {
        io_error,
        verifier_log,
    }) = error.downcast_ref()
    {
        return refusal(io_error, &verifier_log.to_string());
    }
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        // Some errors say their cause themselves.
        if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
        next = error.source();
    }
    line
}

/// Why the verifier refused a program: what it says last, before it counts what it did. All that it says is
/// thousands of lines.
fn refusal(error: &io::Error, log: &str) -> String {
    const COUNTS: [&str; 3] = ["verification time", "stack depth", "processed "];
    let mut lines = log.lines().rev().map(str::trim);
    let last = lines.find(|line| !line.is_empty() && !COUNTS.iter().any(|c| line.starts_with(c)));
    last.map_or_else(|| error.to_string(), |last| format!("{error}: {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_the_verifier_says_the_reason_is_told() {
        let log = "0: R1=ctx()\n7213: (85) call bpf_tcp_gen_syncookie#110\ninvalid zero-sized read\n\
                   verification time 363749 usec\nstack depth 0+24\nprocessed 7385 insns (limit 1000000)\n";
        let refused = |log| refusal(&io::Error::from_raw_os_error(EACCES), log);
        assert_eq!(
            refused(log),
            "Permission denied (os error 13): invalid zero-sized read"
        );
        assert_eq!(refused(""), "Permission denied (os error 13)");
    }
}
