//! The `bpf` system call, for what aya does not offer.

use std::os::fd::{FromRawFd as _, OwnedFd};

use aya_obj::generated::bpf_cmd;
use nix::{errno::Errno, libc};

/// Four words of `union bpf_attr`: all that the commands of links take.
#[repr(C, align(8))]
pub(crate) struct Words(pub(crate) [u32; 4]);

/// Calls the kernel with an attribute, which may end early: it takes zeros for the rest. Whoever puts an address into
/// the attribute keeps what is there for the call.
pub(crate) fn call<A>(command: bpf_cmd, attribute: &mut A) -> Result<libc::c_long, Errno> {
    let (at, size) = (&raw mut *attribute, size_of::<A>());
    // SAFETY: the attribute is as long as is said and outlives the call. The kernel writes only into it, and where an
    // address in it says, whose memory the caller keeps.
    Errno::result(unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_long, at, size) })
}

/// The same, for a command that makes a descriptor.
pub(crate) fn open<A>(command: bpf_cmd, attribute: &mut A) -> Result<OwnedFd, Errno> {
    let fd = call(command, attribute)?;
    let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for the caller, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A number of 64 bits as the kernel finds it in two words.
pub(crate) fn halves(number: u64) -> [u32; 2] {
    let bytes = number.to_ne_bytes();
    let word = |start: usize| u32::from_ne_bytes(std::array::from_fn(|at| bytes[start + at]));
    [word(0), word(4)]
}
