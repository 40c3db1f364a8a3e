//! The pre-filter as a whole: attached once, its rules replaced many times, left behind at the end.

use std::sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering::SeqCst};

use floodwall_limiter::{LimitId, Nanos};
use nix::time::{ClockId, clock_gettime};

use crate::{
    Change, Counters, Error, InterfaceStatus, Memory, Mode, Probe, Rules, Sample, Samples,
    Settings, attachment,
    interfaces::Interfaces,
    pins::{self, Claim, Folder, Origin},
    program::{Clock, Loaded, Maps},
    shared::Shared,
};

/// The pre-filter of this process.
///
/// Dropping it leaves the program attached, and it filters until the lease has run out; the next
/// [`PreFilter::attach`] of the same instance takes it over without a gap.
#[derive(Debug)]
pub struct PreFilter {
    folder: Folder,
    origin: Origin,
    shared: Shared,
    interfaces: Mutex<Interfaces>,
    live: Mutex<Loaded>,
}

impl PreFilter {
    /// Opens or makes the pinned maps, loads the program, and attaches it to the interfaces, or takes
    /// over what an earlier process left there. The lease is not touched: renew it.
    ///
    /// # Errors
    /// Any [`Error`]. Interfaces that had no program have none then.
    ///
    /// # Minimum kernel version
    /// 5.18.
    pub fn attach(settings: &Settings, rules: &Rules) -> Result<Self, Error> {
        Self::attach_as(Claim::Sole, settings, rules).map_err(Error::or_outdated)
    }

    /// Does the same beside the process that has the instance and is about to end: it knows of this, and leaves
    /// everything to this one.
    ///
    /// # Errors
    /// As [`PreFilter::attach`].
    pub fn succeed(settings: &Settings, rules: &Rules) -> Result<Self, Error> {
        Self::attach_as(Claim::Successor, settings, rules).map_err(Error::or_outdated)
    }

    fn attach_as(claim: Claim, settings: &Settings, rules: &Rules) -> Result<Self, Error> {
        let folder = Folder::open(settings, claim)?;
        let other = pins::take_over_links(settings, &folder, claim)?;
        if settings.required {
            // Before anything is made that a refusal would leave behind.
            attachment::plan(&folder, settings)?;
        }
        let (maps, origin) = folder.maps(settings.sources)?;
        let shared = Shared::over(maps)?;
        let mut live = shared.load(Maps::Shared(folder.path()), rules, &[], Clock::Kernel)?;
        if origin != Origin::Adopted {
            // What takes the place of an earlier program filters before its process has renewed anything.
            shared.page.lease_until().store(first_lease(), SeqCst);
        }
        let interfaces = Interfaces::attach(&folder, settings, live.xdp()?, &shared)?;
        attachment::leave_others(&folder, interfaces.statuses())?;
        let origin = match other {
            Some(layout) => {
                layout.remove()?;
                Origin::Replaced("it was laid out for another version".to_owned())
            }
            None => origin,
        };
        shared.page.generation().store(rules.generation, SeqCst);
        Ok(Self {
            folder,
            origin,
            shared,
            interfaces: Mutex::new(interfaces),
            live: Mutex::new(live),
        })
    }

    /// Loads a program for other rules. Nothing is switched.
    ///
    /// # Errors
    /// [`Error::TooManyLimits`], [`Error::Privilege`], [`Error::Memory`] or [`Error::Kernel`].
    pub fn load(&self, rules: &Rules) -> Result<Loaded, Error> {
        self.load_with_clock(rules, Clock::Kernel)
    }

    /// Loads a program that takes its time from somewhere else, as tests do.
    ///
    /// # Errors
    /// As [`PreFilter::load`].
    #[doc(hidden)]
    pub fn load_with_clock(&self, rules: &Rules, clock: Clock) -> Result<Loaded, Error> {
        let present = self.present();
        self.shared
            .load(Maps::Shared(self.folder.path()), rules, &present, clock)
    }

    /// Replaces the program on every interface, each atomically for its packets.
    ///
    /// # Errors
    /// [`Error::Kernel`]; every interface runs the former program then.
    pub fn switch(&self, next: Loaded) -> Result<(), Error> {
        self.replace(&mut self.live(), next, &self.watched(), &[])
    }

    /// The same, after the program was attached to those of the settings' interfaces that have none, if they are
    /// required. What else the settings say is for [`PreFilter::retarget`].
    ///
    /// # Errors
    /// Also when a required interface cannot be filtered. All is as it was then, but for another program that was
    /// taken off for this one.
    pub fn switch_requiring(&self, mut next: Loaded, settings: &Settings) -> Result<(), Error> {
        let mut live = self.live();
        let mut interfaces = self.watched();
        let new = interfaces.require(&self.folder, settings, next.xdp()?, &self.shared)?;
        if let Err(error) = self.replace(&mut live, next, &interfaces, &new) {
            interfaces.forsake(&self.folder, &new)?;
            return Err(error);
        }
        Ok(())
    }

    /// Interfaces of these settings that are filtered in another mode than they say. The kernel has one mode for
    /// an interface at a time: it takes a program of the other one only when the first is gone.
    pub fn other_modes(&self, settings: &Settings) -> Vec<InterfaceStatus> {
        let wanted = |status: &&InterfaceStatus| {
            settings.interfaces.contains(&status.name)
                && settings.mode != Mode::Auto
                && settings.mode != status.mode
        };
        self.watched().filtering().filter(wanted).cloned().collect()
    }

    /// Puts `next` in the place of the live program, on interfaces that have not `got` it yet.
    fn replace(
        &self,
        live: &mut Loaded,
        mut next: Loaded,
        interfaces: &Interfaces,
        got: &[u32],
    ) -> Result<(), Error> {
        let filtering = || {
            let all = interfaces.filtering();
            all.filter(|status| !got.contains(&status.ifindex))
        };
        for (done, interface) in filtering().enumerate() {
            let pin = self.folder.link(interface.ifindex);
            if let Err(error) = attachment::replace(next.xdp()?, &pin) {
                for interface in filtering().take(done) {
                    attachment::replace(live.xdp()?, &self.folder.link(interface.ifindex))?;
                }
                return Err(error);
            }
        }
        self.shared
            .page
            .generation()
            .store(next.generation(), SeqCst);
        *live = next;
        Ok(())
    }

    /// The memory to put a flow table and a book of blocks over.
    pub fn memory(&self) -> Memory {
        self.shared.memory.clone()
    }

    /// Lets the program drop packets until this moment of `CLOCK_MONOTONIC`; [`Nanos::MAX`] is for ever.
    pub fn renew_lease(&self, until: Nanos) {
        self.shared.page.lease_until().store(until.0, SeqCst);
    }

    /// Sets the time of programs that were loaded with [`Clock::Injected`].
    #[doc(hidden)]
    pub fn turn_clock(&self, now: Nanos) {
        self.shared.page.turn_clock(now);
    }

    /// What the program has counted since the maps were made.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the map cannot be read.
    pub fn counters(&self) -> Result<Counters, Error> {
        let live = self.live();
        let interfaces = self.interfaces();
        let indices = interfaces.iter().map(|interface| interface.ifindex);
        self.shared.counters(live.limits(), indices)
    }

    /// Copies the state into a probe for these rules, to ask it what would become of packets.
    ///
    /// # Errors
    /// As [`PreFilter::load`].
    pub fn probe(&self, rules: &Rules) -> Result<Probe, Error> {
        let sets = self.shared.sets;
        let present = self.present();
        let program = self
            .shared
            .load(Maps::Own { sets }, rules, &present, Clock::Kernel)?;
        Probe::of(program, self.folder.path(), sets)
    }

    /// Opens the samples of dropped packets. They have one reader at a time.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the map cannot be opened.
    pub fn samples(&self) -> Result<Samples, Error> {
        self.folder.samples().and_then(Samples::over)
    }

    /// Takes out the oldest sample, if there is one.
    pub fn next_sample(&self, samples: &mut Samples) -> Option<Sample> {
        let live = self.live();
        let mut limits = live.limits().iter();
        samples.next(|id| {
            let limit = limits.by_ref().find(|limit| limit.id.bits() == id)?;
            Some(limit.name.clone())
        })
    }

    pub fn interfaces(&self) -> Vec<InterfaceStatus> {
        self.watched().statuses().cloned().collect()
    }

    /// Attaches to interfaces that have come since, or whose other program has gone, and lets go of those that
    /// have gone. It costs some system calls for each interface, and waits for a driver that takes the program.
    ///
    /// # Errors
    /// [`Error::Privilege`] or [`Error::Kernel`]; what was done before stays.
    pub fn reconcile(&self) -> Result<Vec<Change>, Error> {
        let mut live = self.live();
        self.watched()
            .reconcile(&self.folder, live.xdp()?, &self.shared)
    }

    /// Filters the interfaces of these settings from now on and no others; those that refused are tried again.
    /// Of the other settings `required`, `replace` and, where [`PreFilter::other_modes`] names no interface, `mode`
    /// may have changed.
    ///
    /// # Errors
    /// As [`PreFilter::reconcile`].
    pub fn retarget(&self, settings: &Settings) -> Result<Vec<Change>, Error> {
        let mut live = self.live();
        self.watched()
            .retarget(&self.folder, settings, live.xdp()?, &self.shared)
    }

    fn watched(&self) -> MutexGuard<'_, Interfaces> {
        // Each interface's state is replaced as a whole.
        self.interfaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an earlier process had left its state.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The generation of the rules that packets meet.
    pub fn generation(&self) -> u64 {
        self.shared.page.generation().load(SeqCst)
    }

    /// Detaches whatever an instance has attached and gives up its state.
    ///
    /// # Errors
    /// [`Error::InstanceInUse`] while a process holds it, or what kept the pins from being removed.
    pub fn detach(settings: &Settings) -> Result<(), Error> {
        if let Some(other) = pins::other_layout(settings, Claim::Sole)? {
            other.detach()?;
        }
        if !pins::path(settings).exists() {
            return Ok(());
        }
        Folder::open(settings, Claim::Sole)?.detach()
    }

    /// The limits of the program that packets meet.
    fn present(&self) -> Vec<LimitId> {
        self.live().limits().iter().map(|limit| limit.id).collect()
    }

    fn live(&self) -> MutexGuard<'_, Loaded> {
        // What a panicking thread leaves is a loaded program all the same.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until when the first program of new maps filters, unless somebody renews it: some seconds from now.
fn first_lease() -> u64 {
    const SECONDS: u64 = 5;
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| now.tv_sec());
    (now.cast_unsigned() + SECONDS) * Nanos::SECOND.0
}
