//! Whether the kernel takes a program for packets in several buffers: aya asks for helpers and maps, not for flags.

use std::os::fd::{FromRawFd as _, OwnedFd};

use aya_obj::generated::{
    BPF_F_XDP_HAS_FRAGS, bpf_cmd::BPF_PROG_LOAD, bpf_prog_type::BPF_PROG_TYPE_XDP,
};
use nix::{errno::Errno, libc};

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

/// Loads the smallest such program; none when the kernel does not let this process ask.
pub(super) fn are_taken() -> Option<bool> {
    match load(BPF_F_XDP_HAS_FRAGS) {
        Ok(_) => Some(true),
        // Without the flag it would be taken: it is the flag that is not known.
        Err(Errno::EINVAL) => load(0).ok().map(|_| false),
        Err(_) => None,
    }
}

fn load(flags: u32) -> Result<OwnedFd, Errno> {
    let load = Load {
        kind: BPF_PROG_TYPE_XDP as u32,
        instructions_count: 2,
        instructions: PASS.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags,
    };
    // SAFETY: the attribute is as long as is said and outlives the call, and what it points to is static.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD as libc::c_long,
            &raw const load,
            size_of::<Load>(),
        )
    };
    let fd = i32::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for the caller, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_no_kernel_knows_is_told_from_one_that_this_one_does() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: loading an XDP program needs root");
            return;
        }
        assert_eq!(load(1 << 31).unwrap_err(), Errno::EINVAL);
        assert!(load(0).is_ok());
        assert!(are_taken().is_some());
    }
}
