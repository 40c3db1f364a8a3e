//! The interfaces that are to be filtered, over time: they come and go, and so do the wishes.

use aya::programs::Xdp;

use crate::{
    Error, InterfaceState, InterfaceStatus, Settings,
    attachment::{self, distinct, index_of, occupant},
    cover::covers,
    pins::Folder,
    shared::Shared,
};

/// What is wanted, and how each interface is doing.
#[derive(Debug)]
pub(crate) struct Interfaces {
    settings: Settings,
    all: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    status: InterfaceStatus,
    /// The program on an interface that refused, for it may go.
    occupant: Option<u32>,
}

/// What became of an interface that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub before: InterfaceState,
    pub now: InterfaceStatus,
}

impl Interfaces {
    /// Attaches to all of them: to each that can be had, or to all or none when they are required.
    pub(crate) fn attach(
        folder: &Folder,
        settings: &Settings,
        xdp: &mut Xdp,
        shared: &Shared,
    ) -> Result<Self, Error> {
        let mut interfaces = Self {
            settings: settings.clone(),
            all: distinct(&settings.interfaces)
                .map(|name| Watched::waiting(name))
                .collect(),
        };
        if settings.required {
            let plans = attachment::plan(folder, &uncovered(settings))?;
            give_rows(settings, shared)?;
            for status in attachment::attach(folder, plans, xdp, settings.mode)? {
                interfaces.set(Watched::new(folder, status));
            }
        }
        interfaces.settle(folder, xdp, shared, Watched::is_settled)?;
        Ok(interfaces)
    }

    /// Has each interface filtered that is not left `as_it_is`, or finds out what it waits for: those first that bring
    /// the packets of others.
    fn settle(
        &mut self,
        folder: &Folder,
        xdp: &mut Xdp,
        shared: &Shared,
        as_it_is: impl Fn(&Watched, &Folder) -> bool,
    ) -> Result<Vec<Change>, Error> {
        let settings = &self.settings;
        let names = self.all.iter().map(|watched| &watched.status.name);
        let covers = names.map(|name| covers(name, &settings.interfaces));
        let mut order: Vec<_> = covers.enumerate().collect();
        order.sort_by_key(|(_, covers)| covers.len());
        let mut changes = Vec::new();
        for (at, covers) in order {
            let is_filtering = |by: &&&String| {
                let mut all = self.all.iter().map(|watched| &watched.status);
                all.any(|status| status.name == ***by && status.is_filtering())
            };
            let by = covers.iter().find(is_filtering);
            let watched = &mut self.all[at];
            changes.extend(match by {
                Some(by) => watched.leave_to(folder, by)?,
                None if as_it_is(watched, folder) => None,
                None => {
                    give_rows(settings, shared)?;
                    watched.settle(folder, settings, xdp)?
                }
            });
        }
        Ok(changes)
    }

    fn set(&mut self, watched: Watched) {
        let name = &watched.status.name;
        match self.all.iter_mut().find(|one| one.status.name == *name) {
            Some(one) => *one = watched,
            None => self.all.push(watched),
        }
    }

    pub(crate) fn statuses(&self) -> impl Iterator<Item = &InterfaceStatus> {
        self.all.iter().map(|watched| &watched.status)
    }

    /// Those whose links run the program.
    pub(crate) fn filtering(&self) -> impl Iterator<Item = &InterfaceStatus> {
        self.statuses().filter(|status| status.is_filtering())
    }

    /// Attaches to interfaces that have come or become free, and forgets those that have gone.
    pub(crate) fn reconcile(
        &mut self,
        folder: &Folder,
        xdp: &mut Xdp,
        shared: &Shared,
    ) -> Result<Vec<Change>, Error> {
        self.settle(folder, xdp, shared, Watched::is_settled)
    }

    /// Attaches a program to those of these interfaces that have none, if they are required: to all or to none.
    /// Tells their numbers.
    ///
    /// # Errors
    /// What kept one of them from being filtered; nothing has changed then.
    pub(crate) fn require(
        &mut self,
        folder: &Folder,
        settings: &Settings,
        xdp: &mut Xdp,
        shared: &Shared,
    ) -> Result<Vec<u32>, Error> {
        if !settings.required {
            return Ok(Vec::new());
        }
        let is_filtered = |name: &&String| {
            let index = index_of(name);
            self.filtering()
                .any(|status| status.name == **name && Some(status.ifindex) == index)
        };
        let mut wanted = uncovered(settings);
        wanted.interfaces.retain(|name| !is_filtered(&name));
        let plans = attachment::plan(folder, &wanted)?;
        give_rows(settings, shared)?;
        let statuses = attachment::attach(folder, plans, xdp, settings.mode)?;
        let new = statuses.iter().map(|status| status.ifindex).collect();
        for status in statuses {
            self.set(Watched::new(folder, status));
        }
        Ok(new)
    }

    /// Lets go of interfaces that [`Interfaces::require`] attached to. Those that were wanted before are tried
    /// again at the next look.
    pub(crate) fn forsake(&mut self, folder: &Folder, new: &[u32]) -> Result<(), Error> {
        for watched in &mut self.all {
            if new.contains(&watched.status.ifindex) {
                attachment::unlink(folder, watched.status.ifindex)?;
                *watched = Watched::waiting(&watched.status.name);
            }
        }
        let wanted = &self.settings.interfaces;
        self.all
            .retain(|watched| wanted.contains(&watched.status.name));
        Ok(())
    }

    /// Filters these interfaces from now on and no others, and tries all again that refused.
    pub(crate) fn retarget(
        &mut self,
        folder: &Folder,
        settings: &Settings,
        xdp: &mut Xdp,
        shared: &Shared,
    ) -> Result<Vec<Change>, Error> {
        self.settings.interfaces.clone_from(&settings.interfaces);
        self.settings.mode = settings.mode;
        self.settings.required = settings.required;
        self.settings.replace = settings.replace;
        let mut before = std::mem::take(&mut self.all);
        for name in distinct(&settings.interfaces) {
            let known = before
                .iter()
                .position(|watched| watched.status.name == *name);
            self.all.push(known.map_or_else(
                || Watched::waiting(name),
                |position| before.swap_remove(position),
            ));
        }
        let is_filtering = |watched: &Watched, _: &Folder| watched.status.is_filtering();
        let mut changes = self.settle(folder, xdp, shared, is_filtering)?;
        if before.is_empty() {
            return Ok(changes);
        }
        for gone in before {
            attachment::unlink(folder, gone.status.ifindex)?;
        }
        // One that is gone may have kept another one from being filtered.
        changes.extend(self.settle(folder, xdp, shared, is_filtering)?);
        Ok(changes)
    }
}

/// The same wishes without the interfaces whose packets come over others of them.
fn uncovered(settings: &Settings) -> Settings {
    let names = distinct(&settings.interfaces);
    let is_own = |name: &&String| covers(name, &settings.interfaces).is_empty();
    Settings {
        interfaces: names.filter(is_own).cloned().collect(),
        ..settings.clone()
    }
}

/// Gives the interfaces that are there their counters, before their first packet.
fn give_rows(settings: &Settings, shared: &Shared) -> Result<(), Error> {
    let present = distinct(&settings.interfaces).filter_map(|name| index_of(name));
    shared.give_rows(&present.collect::<Vec<_>>())
}

impl Watched {
    fn new(folder: &Folder, status: InterfaceStatus) -> Self {
        let occupant = match status.state {
            InterfaceState::Refused(_) => occupant(folder, status.ifindex).ok().flatten(),
            InterfaceState::Filtering | InterfaceState::Waiting | InterfaceState::Covered(_) => {
                None
            }
        };
        Self {
            status,
            occupant: occupant.map(|(program, _)| program),
        }
    }

    fn waiting(name: &str) -> Self {
        Self {
            status: InterfaceStatus::unfiltered(name, 0, InterfaceState::Waiting),
            occupant: None,
        }
    }

    /// Whether nothing has happened that could change how the interface is doing.
    fn is_settled(&self, folder: &Folder) -> bool {
        let status = &self.status;
        let index = index_of(&status.name);
        if index.unwrap_or(0) != status.ifindex {
            return false;
        }
        let Some(index) = index else { return true };
        // What cannot be asked about has just gone.
        let occupant = occupant(folder, index).ok().flatten();
        match status.state {
            InterfaceState::Filtering => occupant.is_some_and(|(_, ours)| ours),
            InterfaceState::Waiting | InterfaceState::Covered(_) => false,
            InterfaceState::Refused(_) => self.occupant == occupant.map(|(program, _)| program),
        }
    }

    /// Leaves its packets to the one that brings them, which filters already.
    fn leave_to(&mut self, folder: &Folder, by: &str) -> Result<Option<Change>, Error> {
        let before = &self.status;
        let ifindex = index_of(&before.name).unwrap_or(0);
        let covered = InterfaceState::Covered(by.to_owned());
        if before.state != covered {
            attachment::unlink(folder, ifindex)?;
        }
        let now = InterfaceStatus::unfiltered(&before.name, ifindex, covered);
        Ok(self.turn_to(folder, now))
    }

    fn settle(
        &mut self,
        folder: &Folder,
        settings: &Settings,
        xdp: &mut Xdp,
    ) -> Result<Option<Change>, Error> {
        let before = self.status.clone();
        let name = &before.name;
        if before.ifindex != 0 && index_of(name) != Some(before.ifindex) {
            attachment::unlink(folder, before.ifindex)?;
        }
        let now = attachment::settle(folder, name, settings, xdp)?;
        Ok(self.turn_to(folder, now))
    }

    fn turn_to(&mut self, folder: &Folder, now: InterfaceStatus) -> Option<Change> {
        let before = std::mem::replace(self, Self::new(folder, now.clone())).status;
        let changed = now.state != before.state || now.ifindex != before.ifindex;
        changed.then_some(Change {
            before: before.state,
            now,
        })
    }
}
