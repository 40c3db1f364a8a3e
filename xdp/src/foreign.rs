//! Somebody else's program on an interface: who has it there, and how it is taken off.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use aya::programs::{links::LinkType, loaded_links, loaded_programs};
use nix::libc;

use crate::{
    Error,
    netlink::{self, Attached},
};

/// Names a program: its name and id, and the processes that hold it, as far as this one may see them.
pub(crate) fn describe(program: u32) -> String {
    // Only root may look at all programs: without a name there is a number.
    let mut programs = loaded_programs().filter_map(Result::ok);
    let info = programs.find(|info| info.id() == program);
    let mut words = match info.as_ref().and_then(|info| info.name_as_str()) {
        Some(name) => format!("{name}, id {program}"),
        None => format!("id {program}"),
    };
    let holders = holders(program);
    if !holders.is_empty() {
        words.push_str(", held by ");
        words.push_str(&holders.join(", "));
    }
    words
}

/// The processes with a descriptor of the program or of a link to it.
fn holders(program: u32) -> Vec<String> {
    let line = format!("prog_id:\t{program}");
    let holds = |pid: &str| {
        let infos = fs::read_dir(format!("/proc/{pid}/fdinfo")).ok()?;
        let mut texts = infos.filter_map(|info| fs::read_to_string(info.ok()?.path()).ok());
        texts.find(|text| text.lines().any(|found| found == line))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten();
    let mut holders = Vec::new();
    for process in processes.filter_map(Result::ok) {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
            continue;
        };
        if holds(pid).is_some() {
            let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            holders.push(format!("{} (pid {pid})", command.trim()));
        }
    }
    holders
}

/// Takes a program off an interface, however it is attached.
///
/// # Errors
/// [`Error::Kernel`] or [`Error::Privilege`].
pub(crate) fn remove(ifindex: u32, attached: Attached) -> Result<(), Error> {
    let act = |error| {
        Error::kernel(
            format!("take off the program of interface {ifindex}"),
            error,
        )
    };
    match link_to(ifindex, attached.program).map_err(act)? {
        Some(link) => detach(&link).map_err(act),
        None => netlink::detach(ifindex, attached.mode).map_err(act),
    }
}

/// The link by which a program is on an interface, if it is there by one.
fn link_to(ifindex: u32, program: u32) -> io::Result<Option<OwnedFd>> {
    let links = loaded_links().filter_map(Result::ok);
    for info in links.filter(|info| info.program_id() == program) {
        if info.link_type().ok() != Some(LinkType::Xdp) {
            continue;
        }
        // One program may be on several interfaces, by a link each.
        let link = open(info.id())?;
        if ifindex_of(&link)? == ifindex {
            return Ok(Some(link));
        }
    }
    Ok(None)
}

// From <linux/bpf.h>.
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;
const BPF_LINK_DETACH: libc::c_int = 34;

fn open(link: u32) -> io::Result<OwnedFd> {
    let fd = bpf(BPF_LINK_GET_FD_BY_ID, [link, 0, 0, 0])?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// # Minimum kernel version
/// 5.9.
fn detach(link: &OwnedFd) -> io::Result<()> {
    bpf(BPF_LINK_DETACH, [raw(link), 0, 0, 0]).map(drop)
}

/// The interface of an XDP link; zero when the interface has gone.
fn ifindex_of(link: &OwnedFd) -> io::Result<u32> {
    // `struct bpf_link_info`: type, id, program, padding, and for XDP the interface.
    const IFINDEX: usize = 4;
    let mut info = [0_u64; 32];
    let address = (&raw mut info) as u64;
    let size = u32::try_from(size_of_val(&info)).unwrap_or(0);
    #[expect(clippy::cast_possible_truncation, reason = "the halves of an address")]
    let mut attributes = [raw(link), size, address as u32, (address >> 32) as u32];
    if cfg!(target_endian = "big") {
        attributes.swap(2, 3);
    }
    bpf(BPF_OBJ_GET_INFO_BY_FD, attributes)?;
    let word = info[IFINDEX / 2].to_ne_bytes();
    Ok(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
}

fn raw(link: &OwnedFd) -> u32 {
    link.as_raw_fd().cast_unsigned()
}

/// The `bpf` call with attributes of four words.
fn bpf(command: libc::c_int, attributes: [u32; 4]) -> io::Result<RawFd> {
    #[repr(C, align(8))]
    struct Attributes([u32; 4]);
    let mut attributes = Attributes(attributes);
    // SAFETY: the kernel reads this many bytes, and writes only where the third and fourth word point to if the
    // command says so; the one caller that has such a command keeps that memory for the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw mut attributes,
            size_of::<Attributes>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    RawFd::try_from(result).map_err(io::Error::other)
}
