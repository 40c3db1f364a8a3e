//! Where the pre-filter runs, and what became of that.

use std::{fmt, path::PathBuf};

/// What stays for the life of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is pinned carries this name, so that several can run on one host.
    pub instance: String,
    pub interfaces: Vec<String>,
    pub mode: Mode,
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

/// How one interface is filtered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceStatus {
    pub name: String,
    pub ifindex: u32,
    /// [`Mode::Native`] or [`Mode::Generic`].
    pub mode: Mode,
    /// Why the mode is generic although native was tried first.
    pub fallback: Option<String>,
    /// The program of an earlier process was still attached and was replaced without a gap.
    pub adopted: bool,
}
