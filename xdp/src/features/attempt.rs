//! Features that aya does not ask for: flags, instructions and commands. They are tried.

use std::os::fd::OwnedFd;

use aya_obj::generated::{
    BPF_F_XDP_HAS_FRAGS,
    bpf_cmd::{BPF_LINK_DETACH, BPF_PROG_LOAD},
    bpf_prog_type::BPF_PROG_TYPE_XDP,
};
use nix::errno::Errno;

use crate::bpf::{self, Words};

/// The fields of `union bpf_attr` for `BPF_PROG_LOAD` up to the flags. The kernel takes an attribute that ends early,
/// and zeros for the rest.
#[repr(C)]
struct Load {
    kind: u32,
    instructions_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

const _: () = assert!(size_of::<Load>() == 48);

/// Passes everything: `r0 = XDP_PASS; exit`.
static PASS: [u64; 2] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];

/// The same after a compare-exchange: `r0 = 0; *(u64 *)(r10 - 8) = r0; r1 = 1; lock cmpxchg [r10 - 8], r1`.
static COMPARE_EXCHANGE: [u64; 6] = [
    0x0000_0000_0000_00b7,
    0x0000_0000_fff8_0a7b,
    0x0000_0001_0000_01b7,
    0x0000_00f1_fff8_1adb,
    PASS[0],
    PASS[1],
];

/// Whether a program may say that it takes packets in several buffers; none when the kernel does not let this process
/// ask.
pub(super) fn takes_frags() -> Option<bool> {
    is_taken(&load(&PASS, BPF_F_XDP_HAS_FRAGS))
}

pub(super) fn takes_compare_exchange() -> Option<bool> {
    is_taken(&load(&COMPARE_EXCHANGE, 0))
}

/// Whether this is a program as the kernel knows them.
fn is_taken(loaded: &Result<OwnedFd, Errno>) -> Option<bool> {
    match loaded {
        Ok(_) => Some(true),
        // Without what is asked for it would be taken, or refused for want of privilege or memory.
        Err(Errno::EINVAL) if load(&PASS, 0).err() != Some(Errno::EINVAL) => Some(false),
        Err(_) => None,
    }
}

/// Whether links are detached by a command, which came with the links of XDP: those are known by nothing else that
/// could be asked without an interface.
pub(super) fn knows_xdp_links() -> Option<bool> {
    let mut no_link = Words([u32::MAX, 0, 0, 0]);
    match bpf::call(BPF_LINK_DETACH, &mut no_link) {
        Err(Errno::EBADF) => Some(true),
        Err(Errno::EINVAL) => Some(false),
        _ => None,
    }
}

fn load(program: &'static [u64], flags: u32) -> Result<OwnedFd, Errno> {
    let mut load = Load {
        kind: BPF_PROG_TYPE_XDP as u32,
        instructions_count: u32::try_from(program.len()).unwrap_or(0),
        instructions: program.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags,
    };
    bpf::open(BPF_PROG_LOAD, &mut load)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A compare-exchange whose operation is none.
    static UNKNOWN: [u64; 6] = {
        let mut program = COMPARE_EXCHANGE;
        program[3] |= 0xff << 32;
        program
    };

    #[test]
    fn what_no_kernel_knows_is_told_from_what_this_one_does() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: loading an XDP program needs root");
            return;
        }
        assert_eq!(is_taken(&load(&PASS, 1 << 31)), Some(false));
        assert_eq!(is_taken(&load(&UNKNOWN, 0)), Some(false));
        assert!(takes_frags().is_some());
        assert_eq!(takes_compare_exchange(), Some(true));
        assert_eq!(knows_xdp_links(), Some(true));
    }
}
