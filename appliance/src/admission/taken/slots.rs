//! Slots of concurrency: entered last, in the order of the file.

use floodwall_limiter::shape::concurrency::Entered;

use super::Taken;
use crate::{
    admission::{Refusal, ask::Asked},
    limit::{live::Slot, rule::Grant},
};

impl<'a> Taken<'a> {
    /// Enters the slots that are free, unless there is a turn to wait for first. True when nothing is left to
    /// wait for.
    ///
    /// # Errors
    /// The refusal of a limit that has neither a slot nor a queue.
    #[inline]
    pub(in crate::admission) fn enter_slots(&mut self) -> Result<bool, Refusal> {
        if self.charges.iter().any(|charge| charge.ticket.is_some()) {
            return Ok(false);
        }
        if self.slots_to_enter.is_empty() {
            return Ok(true);
        }
        self.enter_in_order()
    }

    fn enter_in_order(&mut self) -> Result<bool, Refusal> {
        self.slots_to_enter
            .sort_by_key(|asked| std::cmp::Reverse(asked.index));
        while let Some(asked) = self.slots_to_enter.last().copied() {
            let stats = &asked.limit.stats;
            let Grant::Concurrency(most) = asked.rule.grant else {
                self.slots_to_enter.pop();
                continue;
            };
            let whose = asked.whose();
            let alarm = self.alarm.get_or_insert_default();
            if stats.live.enter(whose, most, 0, alarm) == Entered::Holds {
                self.granted(Slot::entered(stats, whose, most, self.now));
            } else if asked.limit.queue.is_some() && asked.enforced {
                return Ok(false);
            } else {
                self.no_slot()?;
            }
        }
        Ok(true)
    }

    /// The next limit of concurrency that has to be waited for.
    pub(in crate::admission) fn next_slot(&self) -> Option<Asked<'a>> {
        self.slots_to_enter.last().copied()
    }

    /// A slot of the next limit was granted.
    pub(in crate::admission) fn granted(&mut self, slot: Slot) {
        if let Some(asked) = self.slots_to_enter.pop() {
            self.slots.push((asked, slot));
        }
    }

    /// The next limit has no slot for this request, or none in time.
    ///
    /// # Errors
    /// Its refusal, unless it only counts this key.
    pub(in crate::admission) fn no_slot(&mut self) -> Result<(), Refusal> {
        let Some(asked) = self.slots_to_enter.pop() else {
            return Ok(());
        };
        let Grant::Concurrency(most) = asked.rule.grant else {
            return Ok(());
        };
        let free = asked.limit.stats.live.until_free(asked.whose(), most);
        self.over(asked, free)
    }
}
