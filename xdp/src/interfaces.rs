//! The interfaces that are to be filtered, over time: they come and go, and so do the wishes.

use aya::programs::Xdp;

use crate::{
    Error, InterfaceState, InterfaceStatus, Settings,
    attachment::{self, distinct, index_of, occupant},
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
        give_rows(settings, shared)?;
        let statuses = if settings.required {
            let plans = attachment::plan(folder, settings)?;
            attachment::attach(folder, plans, xdp, settings.mode)?
        } else {
            distinct(&settings.interfaces)
                .map(|name| attachment::settle(folder, name, settings, xdp))
                .collect::<Result<_, _>>()?
        };
        let watched = statuses
            .into_iter()
            .map(|status| Watched::new(folder, status));
        Ok(Self {
            settings: settings.clone(),
            all: watched.collect(),
        })
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
        let mut changes = Vec::new();
        for watched in &mut self.all {
            if watched.is_settled(folder) {
                continue;
            }
            give_rows(&self.settings, shared)?;
            changes.extend(watched.settle(folder, &self.settings, xdp)?);
        }
        Ok(changes)
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
        let missing = distinct(&settings.interfaces).filter(|name| !is_filtered(name));
        let wanted = Settings {
            interfaces: missing.cloned().collect(),
            ..settings.clone()
        };
        let plans = attachment::plan(folder, &wanted)?;
        give_rows(settings, shared)?;
        let statuses = attachment::attach(folder, plans, xdp, settings.mode)?;
        let new = statuses.iter().map(|status| status.ifindex).collect();
        for status in statuses {
            self.all
                .retain(|watched| watched.status.name != status.name);
            self.all.push(Watched::new(folder, status));
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
        give_rows(&self.settings, shared)?;
        let mut before = std::mem::take(&mut self.all);
        let mut changes = Vec::new();
        for name in distinct(&settings.interfaces) {
            let known = before
                .iter()
                .position(|watched| watched.status.name == *name);
            let mut watched = known.map_or_else(
                || Watched::waiting(name),
                |position| before.swap_remove(position),
            );
            if !watched.status.is_filtering() {
                changes.extend(watched.settle(folder, &self.settings, xdp)?);
            }
            self.all.push(watched);
        }
        for gone in before {
            attachment::unlink(folder, gone.status.ifindex)?;
        }
        Ok(changes)
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
            InterfaceState::Filtering | InterfaceState::Waiting => None,
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
            InterfaceState::Waiting => false,
            InterfaceState::Refused(_) => self.occupant == occupant.map(|(program, _)| program),
        }
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
        *self = Self::new(folder, now.clone());
        let changed = now.state != before.state || now.ifindex != before.ifindex;
        Ok(changed.then_some(Change {
            before: before.state,
            now,
        }))
    }
}
