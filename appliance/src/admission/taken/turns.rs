//! Turns at a rate that has a queue: places in its line, which are charged as if they were there already.

use std::sync::Arc;

use floodwall_config as config;
use floodwall_limiter::{Nanos, Quota, set::Done, shape::line};

use super::{Charge, Taken, retry_after};
use crate::{
    admission::{Refusal, ask::Asked},
    limit::live::Alarm,
};

impl<'a> Taken<'a> {
    /// Takes a place in line.
    pub(super) fn queue(
        &mut self,
        asked: Asked<'a>,
        quota: Quota,
        queue: config::Queue,
    ) -> Result<(), Refusal> {
        let (host, now) = (self.host, self.now);
        let reserve = || {
            let deeper = quota.deeper(queue.max_wait);
            let done = host.table.charge(asked.flow(), deeper, now, 1)?;
            asked.limit.stats.took(done);
            Ok(line::Place {
                // By then no more is owed than may be at once.
                turn: done.time.minus(quota.depth()),
                charged: done.time,
            })
        };
        let alarm = self.alarm();
        let most = usize::try_from(queue.max_waiting).unwrap_or(usize::MAX);
        let line = &asked.limit.stats.live.line;
        let entered = line.enter(asked.key.bits(), most, now, alarm, reserve);
        let (charged, ticket) = match entered {
            Ok(line::Entered::AtOnce(place)) => (place.charged, None),
            Ok(line::Entered::Waits(ticket)) => (Nanos::ZERO, Some(ticket)),
            Ok(line::Entered::Full) => return self.over(asked, quota.interval()),
            Err(refused) => return self.over(asked, retry_after(refused)),
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

    /// When it is this request's turn: the latest of its places.
    pub(in crate::admission) fn turn(&self) -> Option<Nanos> {
        let turn = |charge: &Charge<'_>| charge.asked.limit.stats.live.line.turn(charge.ticket?);
        self.charges.iter().filter_map(turn).max()
    }

    /// What wakes this request.
    pub(in crate::admission) fn alarm(&mut self) -> Alarm {
        Arc::clone(self.alarm.get_or_insert_default())
    }

    /// Its turn has come: the places are used.
    pub(in crate::admission) fn go(&mut self) {
        self.now = self.host.now();
        for charge in &mut self.charges {
            let line = &charge.asked.limit.stats.live.line;
            if let Some(place) = charge.ticket.take().and_then(|ticket| line.go(ticket)) {
                charge.done.time = place.charged;
            }
        }
    }
}
