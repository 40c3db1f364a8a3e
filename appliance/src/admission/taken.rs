//! What the limits have granted a request so far: all of it is given back unless the request is admitted.

use std::{mem, sync::Arc};

use floodwall_config as config;
use floodwall_limiter::{
    Nanos, Quota,
    gcra::{self, Step},
    set::{Done, Refused},
    shape::{concurrency, line},
};
use smallvec::SmallVec;

use super::{Admission, After, Afterwards, Refusal, Standing, ask::Asked};
use crate::{
    host::Host,
    limit::{
        Counts,
        live::{Alarm, Slot},
        rule::Grant,
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

#[derive(Debug)]
struct Look<'a> {
    asked: Asked<'a>,
    debt: Nanos,
}

/// Nobody knows when a slot will be released; a client may ask again after this.
const SLOT_RETRY: Nanos = Nanos::SECOND;

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
                if done.displaced > Nanos::ZERO {
                    asked.limit.stats.takeovers.one();
                }
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
            _ => self.over(&asked, retry_after(refused)),
        }
    }

    /// Takes a place in line.
    fn queue(
        &mut self,
        asked: Asked<'a>,
        quota: Quota,
        queue: config::Queue,
    ) -> Result<(), Refusal> {
        let (host, now) = (self.host, self.now);
        let reserve = || {
            let deeper = quota.deeper(queue.max_wait);
            let done = host.table.charge(asked.flow(), deeper, now, 1)?;
            Ok(line::Place {
                // By then no more is owed than may be at once.
                turn: done.time.minus(quota.depth()),
                charged: done.time,
            })
        };
        let alarm = Arc::clone(self.alarm.get_or_insert_default());
        let most = usize::try_from(queue.max_waiting).unwrap_or(usize::MAX);
        let entered =
            asked
                .limit
                .stats
                .live
                .line
                .enter(asked.key.bits(), most, now, alarm, reserve);
        let (charged, ticket) = match entered {
            Ok(line::Entered::AtOnce(place)) => (place.charged, None),
            Ok(line::Entered::Waits(ticket)) => (Nanos::ZERO, Some(ticket)),
            Ok(line::Entered::Full) => return self.over(&asked, quota.interval()),
            Err(refused) => return self.over(&asked, retry_after(refused)),
        };
        self.charges.push(Charge {
            asked,
            quota,
            done: Done {
                time: charged,
                displaced: Nanos::ZERO,
            },
            ticket,
        });
        Ok(())
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
            Step::Refuse { retry_after } => self.over(&asked, retry_after),
        }
    }

    /// Refuses, unless the limit only counts this key.
    fn over(&mut self, asked: &Asked<'a>, retry_after: Nanos) -> Result<(), Refusal> {
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

    /// When it is this request's turn: the latest of its places.
    pub(super) fn turn(&self) -> Option<Nanos> {
        let turn = |charge: &Charge<'_>| charge.asked.limit.stats.live.line.turn(charge.ticket?);
        self.charges.iter().filter_map(turn).max()
    }

    pub(super) fn alarm(&mut self) -> Alarm {
        Arc::clone(self.alarm.get_or_insert_default())
    }

    /// Its turn has come: the places are used.
    pub(super) fn go(&mut self) {
        self.now = self.host.now();
        for charge in &mut self.charges {
            let line = &charge.asked.limit.stats.live.line;
            if let Some(place) = charge.ticket.take().and_then(|ticket| line.go(ticket)) {
                charge.done.time = place.charged;
            }
        }
    }

    /// Enters the slots that are free, unless there is a turn to wait for first. True when nothing is left to
    /// wait for.
    ///
    /// # Errors
    /// The refusal of a limit that has neither a slot nor a queue.
    pub(super) fn enter_slots(&mut self) -> Result<bool, Refusal> {
        if self.slots_to_enter.len() > 1 {
            self.slots_to_enter
                .sort_by_key(|asked| std::cmp::Reverse(asked.index));
        }
        if self.charges.iter().any(|charge| charge.ticket.is_some()) {
            return Ok(false);
        }
        while let Some(asked) = self.slots_to_enter.last().copied() {
            let stats = &asked.limit.stats;
            let Grant::Concurrency(most) = asked.rule.grant else {
                self.slots_to_enter.pop();
                continue;
            };
            let whose = asked.whose();
            let alarm = self.alarm.get_or_insert_default();
            if stats.live.enter(whose, most, 0, alarm) == concurrency::Entered::Holds {
                self.slots_to_enter.pop();
                let slot = Slot::entered(stats, whose, most);
                self.slots.push((asked, slot));
            } else if asked.limit.queue.is_some() && asked.enforced {
                return Ok(false);
            } else {
                self.slots_to_enter.pop();
                self.over(&asked, SLOT_RETRY)?;
            }
        }
        Ok(true)
    }

    /// The next limit of concurrency that has to be waited for.
    pub(super) fn next_slot(&self) -> Option<Asked<'a>> {
        self.slots_to_enter.last().copied()
    }

    /// A slot was granted.
    pub(super) fn granted(&mut self, slot: Slot) {
        if let Some(asked) = self.slots_to_enter.pop() {
            self.slots.push((asked, slot));
        }
    }

    /// The wait for a slot was too long.
    pub(super) fn too_long(&mut self) -> Option<Refusal> {
        let asked = self.slots_to_enter.pop()?;
        self.over(&asked, SLOT_RETRY).err()
    }

    /// Every limit admits it: charges what was looked at by others, and keeps nothing to give back.
    pub(super) fn admit(mut self) -> Admission {
        let standing = self.standing();
        let (host, now) = (self.host, self.now);
        let mut after = Afterwards::default();
        for charge in self.charges.drain(..) {
            let asked = &charge.asked;
            asked.limit.stats.admitted.one();
            if let Grant::WarmUp(curve, _) = &asked.rule.grant {
                // Too many races leave the key a little colder than it is.
                let _ =
                    host.table
                        .update(asked.warmth(), now, |word| Ok(curve.admitted(word, now)));
            }
            if matches!(asked.limit.counts, Counts::Requests { cost: Some(_) }) {
                after.push(After::new(asked, Some((charge.quota, charge.done))));
            }
        }
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
            // Too many races forgive one charge.
            let _ = host.table.debit(watching.flow(), interval, deepest, now);
        }
        for (asked, _) in &self.slots {
            asked.limit.stats.admitted.one();
        }
        Admission {
            standing,
            shadowed: mem::take(&mut self.shadowed),
            after,
            slots: self.slots.drain(..).map(|(_, slot)| slot).collect(),
        }
    }

    /// How the client stands with the tightest of the limits that are enforced.
    fn standing(&self) -> Option<Standing> {
        let charged = self
            .charges
            .iter()
            .map(|charge| (charge.asked, charge.quota, charge.done.time.minus(self.now)));
        let looked = self
            .looks
            .iter()
            .map(|look| (look.asked, look.asked.quota(self.host, self.now), look.debt));
        let of_rate = charged
            .chain(looked)
            .filter(|(asked, ..)| asked.enforced)
            .min_by_key(|(_, quota, debt)| quota.remaining(*debt))
            .map(|(asked, quota, debt)| standing(&asked, quota, debt));
        of_rate.or_else(|| {
            let (asked, _) = self.slots.iter().find(|(asked, _)| asked.enforced)?;
            let held = asked.limit.stats.live.held(asked.whose());
            Some(Standing {
                limit: asked.index,
                policy: asked.rule.policy.clone(),
                remaining: asked.rule.burst.saturating_sub(held),
                reset: None,
            })
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

fn standing(asked: &Asked<'_>, quota: Quota, debt: Nanos) -> Standing {
    // The next unit is there when the debt has fallen by what is missing to a whole interval. All times in cells
    // are even, so that an odd debt is the clock's: a nanosecond that must not count as a whole interval.
    let room = quota.depth().minus(Nanos(debt.0 & !1)).0 % quota.interval().0;
    Standing {
        limit: asked.index,
        policy: asked.rule.policy.clone(),
        remaining: asked.remaining(quota, debt),
        reset: Some(Nanos(quota.interval().0 - room)),
    }
}

fn retry_after(refused: Refused) -> Nanos {
    match refused {
        Refused::Over { retry_after } => retry_after,
        // A lost race is over in no time.
        Refused::Contended => Nanos(1),
    }
}
