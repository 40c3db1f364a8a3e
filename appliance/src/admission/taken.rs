//! What the limits have granted a request so far: all of it is given back unless the request is admitted.

use std::mem;

use floodwall_config as config;
use floodwall_limiter::{
    Nanos, Quota,
    gcra::{self, Step},
    set::{Done, Refused},
    shape::line,
};
use smallvec::SmallVec;

mod slots;
mod turns;

use super::{Admission, After, Afterwards, Refusal, Standing, ask::Asked, standing::Spent};
use crate::{
    host::Host,
    limit::{
        Counts,
        live::{Alarm, Slot},
    },
};

/// The limits of one request, asked one after the other.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    pub host: &'a Host,
    now: Nanos,
    charges: SmallVec<[Charge<'a>; 8]>,
    /// Limits that only look, and are charged later or by others.
    looks: SmallVec<[Look<'a>; 2]>,
    /// Limits of concurrency whose slots are still to be entered, the last one first.
    slots_to_enter: SmallVec<[Asked<'a>; 1]>,
    slots: SmallVec<[(Asked<'a>, Slot); 1]>,
    watched_by: SmallVec<[Asked<'a>; 1]>,
    shadowed: SmallVec<[config::LimitIndex; 2]>,
    /// Made when there is something to wait for.
    alarm: Option<Alarm>,
}

/// A charge, and the place in line that came with it.
#[derive(Debug)]
struct Charge<'a> {
    asked: Asked<'a>,
    quota: Quota,
    done: Done,
    ticket: Option<line::Ticket>,
}

impl Charge<'_> {
    #[inline]
    fn spent(&self, now: Nanos) -> Spent<'_> {
        Spent {
            asked: &self.asked,
            quota: self.quota,
            debt: self.done.time.minus(now),
        }
    }
}

#[derive(Debug)]
struct Look<'a> {
    asked: Asked<'a>,
    debt: Nanos,
}

impl<'a> Taken<'a> {
    pub(super) fn new(host: &'a Host, now: Nanos) -> Self {
        Self {
            host,
            now,
            charges: SmallVec::new(),
            looks: SmallVec::new(),
            slots_to_enter: SmallVec::new(),
            slots: SmallVec::new(),
            watched_by: SmallVec::new(),
            shadowed: SmallVec::new(),
            alarm: None,
        }
    }

    /// Asks one limit.
    ///
    /// # Errors
    /// The limit's refusal.
    #[inline]
    pub(super) fn ask(&mut self, asked: Asked<'a>) -> Result<(), Refusal> {
        match &asked.limit.counts {
            Counts::Requests { .. } => self.charge(asked),
            Counts::Concurrency => {
                self.slots_to_enter.push(asked);
                Ok(())
            }
            Counts::Related | Counts::Bytes(_) | Counts::Responses(_) => self.look(asked),
        }
    }

    /// Takes note of a limit that watches the load of one of this request's.
    pub(super) fn watched_by(&mut self, asked: Asked<'a>) {
        self.watched_by.push(asked);
    }

    fn charge(&mut self, asked: Asked<'a>) -> Result<(), Refusal> {
        let table = &self.host.table;
        let quota = asked.quota(self.host, self.now);
        let refused = match table.charge(asked.flow(), quota, self.now, 1) {
            Ok(done) => {
                asked.limit.stats.took(done);
                self.charges.push(Charge {
                    asked,
                    quota,
                    done,
                    ticket: None,
                });
                return Ok(());
            }
            Err(refused) => refused,
        };
        match asked.limit.queue {
            Some(queue) if asked.enforced => self.queue(asked, quota, queue),
            _ => self.over(asked, retry_after(refused)),
        }
    }

    /// Asks a limit that is charged later, or by others.
    fn look(&mut self, asked: Asked<'a>) -> Result<(), Refusal> {
        let table = &self.host.table;
        let quota = asked.quota(self.host, self.now);
        let time = table.time(asked.flow());
        match gcra::step(time, quota, self.now, 1) {
            Step::Admit { .. } => {
                self.looks.push(Look {
                    asked,
                    debt: time.minus(self.now),
                });
                Ok(())
            }
            Step::Refuse { retry_after } => self.over(asked, retry_after),
        }
    }

    /// Refuses, unless the limit only counts this key.
    #[inline(never)]
    fn over(&mut self, asked: Asked<'a>, retry_after: Nanos) -> Result<(), Refusal> {
        let stats = &asked.limit.stats;
        if asked.enforced {
            stats.refused.one();
            stats.hot.refused(asked.flow().fingerprint());
            return Err(Refusal {
                limit: asked.index,
                policy: asked.rule.policy.clone(),
                retry_after,
            });
        }
        if asked.limit.shadow {
            stats.shadowed.one();
        } else {
            stats.unenforced.one();
        }
        self.shadowed.push(asked.index);
        Ok(())
    }

    /// Every limit admits it: charges what was looked at by others, and keeps nothing to give back.
    #[inline]
    pub(super) fn admit(&mut self) -> Admission {
        let mut admission = Admission {
            standing: self.standing(),
            shadowed: mem::take(&mut self.shadowed),
            ..Admission::default()
        };
        for charge in &self.charges {
            self.admitted(charge, &mut admission.after);
        }
        self.charges.clear();
        if !self.looks.is_empty() || !self.watched_by.is_empty() {
            self.settle(&mut admission.after);
        }
        for (asked, slot) in self.slots.drain(..) {
            asked.limit.stats.admitted.one();
            admission.slots.push(slot);
        }
        admission
    }

    fn admitted(&self, charge: &Charge<'a>, after: &mut Afterwards) {
        let (asked, now) = (&charge.asked, self.now);
        asked.limit.stats.admitted.one();
        if let Some(admitted) = asked.rule.admitted(now) {
            let next = |word| Ok(admitted(word));
            // Too many races leave the key a little colder than it is.
            if let Ok(done) = self.host.table.update(asked.warmth(), now, next) {
                asked.limit.stats.took(done);
            }
        }
        if matches!(asked.limit.counts, Counts::Requests { cost: Some(_) }) {
            after.push(After::new(asked, Some((charge.quota, charge.done))));
        }
    }

    /// What the limits that only looked are charged, now or later.
    fn settle(&mut self, after: &mut Afterwards) {
        for look in self.looks.drain(..) {
            look.asked.limit.stats.admitted.one();
            if !matches!(look.asked.limit.counts, Counts::Related) {
                after.push(After::new(&look.asked, None));
            }
        }
        for watching in &self.watched_by {
            let interval = watching.rule.price(1);
            // One over the rate and no more, so that the watching limit opens as soon as the load is gone.
            let deepest = watching.rule.depth().plus(interval);
            let table = &self.host.table;
            // Too many races forgive one charge.
            if let Ok(done) = table.debit(watching.flow(), interval, deepest, self.now) {
                watching.limit.stats.took(done);
            }
        }
    }

    /// How the client stands with the tightest of the limits that are enforced: of its rates, or else of its slots.
    fn standing(&self) -> Option<Standing> {
        let enforced = |charge: &&Charge<'_>| charge.asked.enforced;
        let rates = self.charges.iter().filter(enforced);
        // By reference, for a charge is long.
        let charged = rates.reduce(|one, other| {
            let is_tighter = other.spent(self.now).is_tighter(&one.spent(self.now));
            if is_tighter { other } else { one }
        });
        let looked = self.looks.iter().map(|look| Spent {
            asked: &look.asked,
            quota: look.asked.quota(self.host, self.now),
            debt: look.debt,
        });
        let looked = looked.filter(|spent| spent.asked.enforced);
        let tightest = charged
            .map(|charge| charge.spent(self.now))
            .into_iter()
            .chain(looked)
            .reduce(|one, other| if other.is_tighter(&one) { other } else { one });
        tightest.map(|spent| spent.standing()).or_else(|| {
            let mut slots = self.slots.iter();
            let held = slots.find(|(asked, _)| asked.enforced);
            held.map(|(asked, _)| Standing::of_slots(asked))
        })
    }
}

impl Drop for Taken<'_> {
    /// Gives back whatever was not admitted. Slots do so by themselves.
    fn drop(&mut self) {
        let now = if self.alarm.is_some() {
            self.host.now()
        } else {
            self.now
        };
        for charge in &self.charges {
            let refund = |time| {
                let done = Done {
                    time,
                    ..charge.done
                };
                let flow = charge.asked.flow();
                self.host.table.refund(flow, charge.quota, done, now, 1);
            };
            match charge.ticket {
                None => refund(charge.done.time),
                Some(ticket) => charge.asked.limit.stats.live.line.leave(
                    ticket,
                    now,
                    |alarm| alarm.notify_one(),
                    |place| refund(place.charged),
                ),
            }
        }
    }
}

fn retry_after(refused: Refused) -> Nanos {
    match refused {
        Refused::Over { retry_after } => retry_after,
        // A lost race is over in no time.
        Refused::Contended => Nanos(1),
    }
}
