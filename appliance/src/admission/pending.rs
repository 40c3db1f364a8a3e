//! A request that has to wait: for its turn at a rate, and then for its slots.

use std::{future::Future, time::Duration};

use floodwall_limiter::{
    Nanos,
    shape::concurrency::{Entered, Left},
};

use super::{Admission, Refusal, ask::Asked, taken::Taken};
use crate::{
    host::Host,
    limit::{
        live::{Alarm, Slot, Whose},
        rule::Grant,
    },
};

/// Places in line. Dropping it leaves them all, and gives back what was charged.
#[derive(Debug)]
pub struct Pending<'a>(Taken<'a>);

/// How a wait ended.
#[derive(Debug)]
pub enum Waited {
    Admitted(Admission),
    Refused(Refusal),
    /// The client left meanwhile.
    Gone,
}

impl<'a> Pending<'a> {
    pub(super) fn new(taken: Taken<'a>) -> Self {
        Self(taken)
    }

    /// Waits for all there is to wait for, or until `gone` comes true.
    pub async fn wait(mut self, gone: impl Future<Output = ()>) -> Waited {
        tokio::pin!(gone);
        let waited = async {
            self.await_turn().await;
            while !self.0.enter_slots()? {
                self.await_slot().await?;
            }
            Ok(())
        };
        let outcome = tokio::select! {
            outcome = waited => outcome,
            () = gone => return Waited::Gone,
        };
        match outcome {
            Ok(()) => Waited::Admitted(self.0.admit()),
            Err(refusal) => Waited::Refused(refusal),
        }
    }

    async fn await_turn(&mut self) {
        let alarm = self.0.alarm();
        while let Some(turn) = self.0.turn() {
            let left = turn.minus(self.0.host.now());
            if left == Nanos::ZERO {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(left.into()) => {}
                () = alarm.notified() => {}
            }
        }
        self.0.go();
    }

    /// Waits for one slot.
    async fn await_slot(&mut self) -> Result<(), Refusal> {
        let (Some(asked), alarm) = (self.0.next_slot(), self.0.alarm()) else {
            return Ok(());
        };
        match wait_for_slot(self.0.host, asked, alarm).await {
            Some(slot) => {
                self.0.granted(slot);
                Ok(())
            }
            None => self.0.no_slot(),
        }
    }
}

/// Stands in line for a slot, for as long as the limit allows.
async fn wait_for_slot(host: &Host, asked: Asked<'_>, alarm: Alarm) -> Option<Slot> {
    let (Some(queue), Grant::Concurrency(most)) = (asked.limit.queue, &asked.rule.grant) else {
        return None;
    };
    let (stats, whose) = (&asked.limit.stats, asked.whose());
    let longest = usize::try_from(queue.max_waiting).unwrap_or(usize::MAX);
    let number = match stats.live.enter(whose, *most, longest, &alarm) {
        Entered::Holds => return Some(Slot::entered(stats, whose, *most, host.now())),
        Entered::Full => return None,
        Entered::Waits(number) => number,
    };
    let mut waiter = Waiter {
        host,
        asked,
        whose,
        most: *most,
        number: Some(number),
    };
    let longest: Duration = queue.max_wait.into();
    if tokio::time::timeout(longest, alarm.notified())
        .await
        .is_ok()
    {
        waiter.number = None;
        return Some(Slot::entered(stats, whose, *most, host.now()));
    }
    waiter.leave()
}

/// Somebody in line for a slot, who leaves it when dropped.
struct Waiter<'a> {
    host: &'a Host,
    asked: Asked<'a>,
    whose: Whose,
    most: u32,
    number: Option<u64>,
}

impl Waiter<'_> {
    /// Leaves the line, with the slot if it was granted in the last moment.
    fn leave(&mut self) -> Option<Slot> {
        let number = self.number.take()?;
        let stats = &self.asked.limit.stats;
        match stats.live.leave(self.whose, number) {
            Left::Line => None,
            Left::Granted => Some(Slot::entered(stats, self.whose, self.most, self.host.now())),
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // A slot that was granted to somebody who is gone goes on to the next.
        drop(self.leave());
    }
}
