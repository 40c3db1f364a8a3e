//! Where the pre-filter runs, and what became of that.

use std::{fmt, path::PathBuf};

/// Where and how the program is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is pinned carries this name, so that several can run on one host.
    pub instance: String,
    /// These may change in the life of a process: see [`crate::PreFilter::retarget`].
    pub interfaces: Vec<String>,
    pub mode: Mode,
    /// Every interface must be there and take the program when it is first wanted. Otherwise one that cannot be
    /// filtered yet is tried again.
    pub required: bool,
    /// Another program on an interface is taken off, instead of being left there and named.
    pub replace: bool,
    /// How many sources the flow table can track, 16 bytes each; rounded up to a power of two.
    pub sources: u64,
    /// Where the BPF file system is mounted, or a folder of it that this user may write to.
    pub bpffs: PathBuf,
}

impl Settings {
    pub const BPFFS: &str = "/sys/fs/bpf";
}

/// How the program is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, or else in the stack.
    #[default]
    Auto,
    /// In the driver only.
    Native,
    /// In the stack, which works on every interface and is slower.
    Generic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// How one interface is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceStatus {
    pub name: String,
    /// Zero while there is no such interface.
    pub ifindex: u32,
    pub state: InterfaceState,
    /// [`Mode::Native`] or [`Mode::Generic`] where it is filtered.
    pub mode: Mode,
    /// Why the mode is generic although native was tried first.
    pub fallback: Option<String>,
    /// The program of an earlier process was still attached and was replaced without a gap.
    pub adopted: bool,
    /// Somebody else's program that was taken off for this one.
    pub replaced: Option<String>,
}

/// Whether an interface is filtered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfaceState {
    Filtering,
    /// There is no such interface. When it comes it is filtered.
    Waiting,
    /// It cannot be filtered, and why.
    Refused(String),
    /// Its packets are filtered where they come in before, on this other one.
    Covered(String),
}

impl InterfaceStatus {
    pub(crate) fn unfiltered(name: &str, ifindex: u32, state: InterfaceState) -> Self {
        Self {
            name: name.to_owned(),
            ifindex,
            state,
            mode: Mode::Auto,
            fallback: None,
            adopted: false,
            replaced: None,
        }
    }

    pub fn is_filtering(&self) -> bool {
        self.state == InterfaceState::Filtering
    }
}
