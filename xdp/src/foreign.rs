//! Somebody else's program on an interface: who has it there, and how it is taken off.

use std::{fs, io, os::fd::OwnedFd};

use aya::programs::{links::LinkType, loaded_links, loaded_programs};

use crate::{
    Error, link,
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
        Some(link) => link::detach(&link).map_err(act),
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
        let link = link::by_number(info.id())?;
        if link::ifindex_of(&link)? == ifindex {
            return Ok(Some(link));
        }
    }
    Ok(None)
}
