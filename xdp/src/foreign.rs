//! Somebody else's program on an interface: who has it there, and how it is taken off.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
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
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;
const BPF_LINK_DETACH: libc::c_int = 34;

fn open(link: u32) -> io::Result<OwnedFd> {
    let fd = bpf(BPF_LINK_GET_FD_BY_ID, [link, 0, 0, 0])?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes the program of a pinned link off at once, whoever holds the link. By its path, for a service may not open
/// links by their numbers.
pub(crate) fn detach_pinned(pin: &Path) -> io::Result<()> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let [low, high] = halves(path.as_ptr() as u64);
    let fd = bpf(BPF_OBJ_GET, [low, high, 0, 0])?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    detach(&unsafe { OwnedFd::from_raw_fd(fd) })
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
    let [low, high] = halves(address);
    bpf(BPF_OBJ_GET_INFO_BY_FD, [raw(link), size, low, high])?;
    let word = info[IFINDEX / 2].to_ne_bytes();
    Ok(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
}

/// A number of 64 bits as the kernel finds it in two words.
fn halves(number: u64) -> [u32; 2] {
    let bytes = number.to_ne_bytes();
    let word = |start: usize| u32::from_ne_bytes(std::array::from_fn(|at| bytes[start + at]));
    [word(0), word(4)]
}

fn raw(link: &OwnedFd) -> u32 {
    link.as_raw_fd().cast_unsigned()
}

/// The `bpf` call with attributes of four words.
fn bpf(command: libc::c_int, attributes: [u32; 4]) -> io::Result<RawFd> {
    #[repr(C, align(8))]
    struct Attributes([u32; 4]);
    let mut attributes = Attributes(attributes);
    // SAFETY: the kernel reads this many bytes, and writes only where two words point to if the command
    // says so; the callers whose words point anywhere keep that memory for the call.
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
