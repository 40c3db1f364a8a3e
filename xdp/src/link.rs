//! Links, by which programs are on interfaces: found, asked, and detached by command.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use aya_obj::generated::bpf_cmd::{
    BPF_LINK_DETACH, BPF_LINK_GET_FD_BY_ID, BPF_OBJ_GET, BPF_OBJ_GET_INFO_BY_FD,
};

use crate::bpf::{self, Words, halves};

/// Opens a link by its number, which takes a privilege that a service has not.
pub(crate) fn by_number(link: u32) -> io::Result<OwnedFd> {
    Ok(bpf::open(
        BPF_LINK_GET_FD_BY_ID,
        &mut Words([link, 0, 0, 0]),
    )?)
}

/// Opens the link that is pinned here.
pub(crate) fn pinned(pin: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let [low, high] = halves(path.as_ptr() as u64);
    Ok(bpf::open(BPF_OBJ_GET, &mut Words([low, high, 0, 0]))?)
}

/// Takes the program of a link off at once, whoever else holds the link, and in whatever namespace its interface is.
///
/// # Minimum kernel version
/// 5.9.
pub(crate) fn detach(link: &OwnedFd) -> io::Result<()> {
    bpf::call(BPF_LINK_DETACH, &mut Words([raw(link), 0, 0, 0]))?;
    Ok(())
}

/// The interface of an XDP link; zero when the interface has gone.
pub(crate) fn ifindex_of(link: &OwnedFd) -> io::Result<u32> {
    // `struct bpf_link_info`: type, id, program, padding, and for XDP the interface.
    const IFINDEX: usize = 4;
    let mut info = [0_u64; 32];
    let size = u32::try_from(size_of_val(&info)).unwrap_or(0);
    let [low, high] = halves((&raw mut info) as u64);
    bpf::call(
        BPF_OBJ_GET_INFO_BY_FD,
        &mut Words([raw(link), size, low, high]),
    )?;
    let [ifindex, _] = halves(info[IFINDEX / 2]);
    Ok(ifindex)
}

fn raw(link: &OwnedFd) -> u32 {
    link.as_raw_fd().cast_unsigned()
}
