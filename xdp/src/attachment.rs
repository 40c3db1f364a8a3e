//! The program on an interface: attached, adopted, replaced; always by a pinned link.

use std::{collections::HashSet, io::ErrorKind, path::Path};

use aya::programs::{
    Xdp, XdpMode,
    links::{FdLink, PinnedLink},
    xdp::XdpLink,
};
use nix::net::if_::if_nametoindex;

use crate::{
    Error, InterfaceState, InterfaceStatus, Mode, Settings,
    error::{EACCES, EEXIST, EPERM, chain, errno},
    foreign, link,
    netlink::{self, Attached},
    pins::{self, Folder},
};

/// What is to be done with one interface.
#[derive(Debug)]
pub(crate) struct Plan {
    interface: String,
    ifindex: u32,
    /// The mode of the program that an earlier process left here.
    left: Option<Mode>,
    /// Somebody else's program, which has to go.
    foreign: Option<Attached>,
}

/// Looks at every interface before any is touched.
///
/// # Errors
/// [`Error::NoSuchInterface`], or [`Error::Occupied`] by somebody else's program.
pub(crate) fn plan(folder: &Folder, settings: &Settings) -> Result<Vec<Plan>, Error> {
    distinct(&settings.interfaces)
        .map(|interface| plan_one(folder, interface, settings))
        .collect()
}

/// The names, each once.
pub(crate) fn distinct(names: &[String]) -> impl Iterator<Item = &String> {
    let mut seen = HashSet::new();
    names.iter().filter(move |name| seen.insert(*name))
}

fn plan_one(folder: &Folder, interface: &str, settings: &Settings) -> Result<Plan, Error> {
    let ifindex = index_of(interface).ok_or_else(|| Error::NoSuchInterface {
        interface: interface.to_owned(),
    })?;
    let program = linked_program(&folder.link(ifindex))?;
    let (left, foreign) = match netlink::attached(ifindex)? {
        Some(attached) if Some(attached.program) == program => (Some(attached.mode), None),
        Some(attached) if settings.replace => (None, Some(attached)),
        Some(attached) => {
            return Err(Error::Occupied {
                interface: interface.to_owned(),
                program: foreign::describe(attached.program),
            });
        }
        None => (None, None),
    };
    let left = left.filter(|left| settings.mode == Mode::Auto || settings.mode == *left);
    if left.is_none() {
        // The link's interface is gone, or it has to be attached in another mode.
        unlink(folder, ifindex)?;
    }
    Ok(Plan {
        interface: interface.to_owned(),
        ifindex,
        left,
        foreign,
    })
}

/// The number of the interface that has this name now.
pub(crate) fn index_of(interface: &str) -> Option<u32> {
    if_nametoindex(interface).ok()
}

/// The program that an interface has, whosever it is, and whether it is the one of the instance's link.
pub(crate) fn occupant(folder: &Folder, ifindex: u32) -> Result<Option<(u32, bool)>, Error> {
    let linked = linked_program(&folder.link(ifindex))?;
    let attached = netlink::attached(ifindex)?;
    Ok(attached.map(|attached| (attached.program, linked == Some(attached.program))))
}

/// Attaches to one interface, or finds out what it has to wait for.
///
/// # Errors
/// [`Error::Privilege`]: no interface will do then.
pub(crate) fn settle(
    folder: &Folder,
    interface: &str,
    settings: &Settings,
    xdp: &mut Xdp,
) -> Result<InterfaceStatus, Error> {
    let settled = plan_one(folder, interface, settings)
        .and_then(|plan| carry_out(folder, &plan, xdp, settings.mode));
    let unfiltered = |state| {
        let ifindex = index_of(interface).unwrap_or(0);
        InterfaceStatus::unfiltered(interface, ifindex, state)
    };
    match settled {
        Err(Error::NoSuchInterface { .. }) => Ok(unfiltered(InterfaceState::Waiting)),
        Err(error @ Error::Privilege { .. }) => Err(error),
        Err(error) => Ok(unfiltered(InterfaceState::Refused(error.to_string()))),
        Ok(status) => Ok(status),
    }
}

/// The id of the program that a pinned link belongs to.
fn linked_program(pin: &Path) -> Result<Option<u32>, Error> {
    if !pin.exists() {
        return Ok(None);
    }
    let link = open(pin)?;
    let info = link
        .info()
        .map_err(|error| Error::kernel(format!("ask about {}", pin.display()), error))?;
    Ok(Some(info.program_id()))
}

/// Carries the plans out. Interfaces without a program come first, for that may fail; if it does, they
/// are left as they were found.
pub(crate) fn attach(
    folder: &Folder,
    plans: Vec<Plan>,
    xdp: &mut Xdp,
    mode: Mode,
) -> Result<Vec<InterfaceStatus>, Error> {
    let mut statuses = Vec::new();
    let (adopt, new): (Vec<_>, Vec<_>) = plans.into_iter().partition(|plan| plan.left.is_some());
    for plan in new {
        match attach_new(folder, &plan, xdp, mode) {
            Ok(status) => statuses.push(status),
            Err(error) => {
                for status in &statuses {
                    unlink(folder, status.ifindex)?;
                }
                return Err(error);
            }
        }
    }
    for plan in adopt {
        statuses.push(carry_out(folder, &plan, xdp, mode)?);
    }
    Ok(statuses)
}

fn carry_out(
    folder: &Folder,
    plan: &Plan,
    xdp: &mut Xdp,
    mode: Mode,
) -> Result<InterfaceStatus, Error> {
    let Some(left) = plan.left else {
        return attach_new(folder, plan, xdp, mode);
    };
    replace(xdp, &folder.link(plan.ifindex))?;
    Ok(InterfaceStatus {
        mode: left,
        adopted: true,
        ..InterfaceStatus::unfiltered(&plan.interface, plan.ifindex, InterfaceState::Filtering)
    })
}

fn attach_new(
    folder: &Folder,
    plan: &Plan,
    xdp: &mut Xdp,
    mode: Mode,
) -> Result<InterfaceStatus, Error> {
    let pin = folder.link(plan.ifindex);
    let replaced = match plan.foreign {
        Some(foreign) => {
            let words = foreign::describe(foreign.program);
            foreign::remove(plan.ifindex, foreign)?;
            Some(words)
        }
        None => None,
    };
    let native = match mode {
        Mode::Generic => Err(None),
        Mode::Auto | Mode::Native => link(xdp, plan, XdpMode::Driver).map_err(Some),
    };
    let (link, mode, fallback) = match native {
        Ok(link) => (link, Mode::Native, None),
        Err(Some(error)) if mode == Mode::Native || is_privilege(&error) => {
            return Err(refused(plan, Mode::Native, error));
        }
        Err(error) => {
            let fallback = error.map(|error| chain(error.as_ref()));
            let link = link(xdp, plan, XdpMode::Skb)
                .map_err(|error| refused(plan, Mode::Generic, error))?;
            (link, Mode::Generic, fallback)
        }
    };
    link.pin(&pin)
        .map_err(|error| Error::kernel(format!("pin {}", pin.display()), error))?;
    Ok(InterfaceStatus {
        mode,
        fallback,
        replaced,
        ..InterfaceStatus::unfiltered(&plan.interface, plan.ifindex, InterfaceState::Filtering)
    })
}

/// What kept a link from being made.
type Refusal = Box<dyn std::error::Error + Send + Sync>;

fn link(xdp: &mut Xdp, plan: &Plan, mode: XdpMode) -> Result<FdLink, Refusal> {
    let id = xdp.attach_to_if_index(plan.ifindex, mode)?;
    // A kernel before 5.9 has no XDP links; what aya attached instead is detached when it is dropped here.
    Ok(xdp.take_link(id)?.try_into()?)
}

fn is_privilege(refusal: &Refusal) -> bool {
    matches!(errno(refusal.as_ref()), Some(EPERM | EACCES))
}

fn refused(plan: &Plan, mode: Mode, refusal: Refusal) -> Error {
    if is_privilege(&refusal) {
        return Error::boxed(format!("attach to {}", plan.interface), refusal);
    }
    let mut reason = chain(refusal.as_ref());
    if errno(refusal.as_ref()) == Some(EEXIST) {
        // The kernel takes them from below to above only.
        reason.push_str(
            "; an interface above it has a program already, and would be filtered with this one: name that one no more",
        );
    }
    Error::Mode {
        interface: plan.interface.clone(),
        mode,
        reason,
    }
}

/// Makes the link at `pin` run this program from the next packet on.
///
/// # Errors
/// [`Error::Kernel`]. A link whose interface has gone is no error: nothing comes in there.
pub(crate) fn replace(xdp: &mut Xdp, pin: &Path) -> Result<(), Error> {
    const ENOLINK: i32 = 67;
    let act = || format!("replace the program of {}", pin.display());
    let link = XdpLink::try_from(open(pin)?).map_err(|error| Error::kernel(act(), error))?;
    match xdp.attach_to_link(link) {
        Ok(id) => {
            // Closes this handle of the link; the pinned one keeps it attached.
            xdp.detach(id).map_err(|error| Error::kernel(act(), error))
        }
        Err(error) if errno(&error) == Some(ENOLINK) => Ok(()),
        Err(error) => Err(Error::kernel(act(), error)),
    }
}

fn open(pin: &Path) -> Result<FdLink, Error> {
    PinnedLink::from_pin(pin)
        .map(FdLink::from)
        .map_err(|error| Error::kernel(format!("open {}", pin.display()), error))
}

/// Detaches from the interfaces that an earlier process filtered and this one does not.
pub(crate) fn leave_others<'a>(
    folder: &Folder,
    interfaces: impl Iterator<Item = &'a InterfaceStatus>,
) -> Result<(), Error> {
    let kept: HashSet<u32> = interfaces.map(|status| status.ifindex).collect();
    for ifindex in folder.links()? {
        if !kept.contains(&ifindex) {
            unlink(folder, ifindex)?;
        }
    }
    Ok(())
}

/// Detaches from one interface, which is free then: the kernel would let go of a link some moments after its last
/// handle is gone. The caller may be in another network namespace than the interface.
pub(crate) fn unlink(folder: &Folder, ifindex: u32) -> Result<(), Error> {
    let pin = folder.link(ifindex);
    match link::pinned(&pin).and_then(|link| link::detach(&link)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::kernel(format!("detach {}", pin.display()), error))
        }
        _ => pins::remove(&pin),
    }
}
