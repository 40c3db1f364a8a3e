//! Gates: who is let in to something that there is less of than people who want it.
//!
//! Deciding takes no lock and writes to no disk: who is in stands in a map that is read and written without locks, a
//! place is one exchange, and what must be durable is handed to the [`Journal`]. Only somebody who is let in for the
//! first time waits for it, asleep, together with all others of that moment.

mod answer;
mod guests;
mod journal;
mod lines;
mod register;
mod status;

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

use floodwall_config as config;
use floodwall_config::{Draw, KeyPart, Nameless};
use floodwall_limiter::{KeyHash, Secret, shape::gate::is_drawn};

pub use answer::answer;
pub use guests::Guests;
pub use journal::{Journal, Unkept};
pub use lines::{Malformed, read as read_lines, write as write_line};
pub use register::Register;
pub use status::GateStatus;

use crate::key::Subject;
use guests::{Claim, Guest};

/// One gate of a generation.
#[derive(Debug)]
pub struct Gate {
    pub config: config::Gate,
    /// Who is in, and what was decided; kept by the gate's name.
    pub guests: Arc<Guests>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It opens in so long.
    Before(Duration),
    /// It has closed.
    After,
    NotDrawn,
    /// The request does not say who is asking.
    Nameless,
    Full,
    /// It cannot be made durable, and so nothing is promised.
    Unrecorded,
}

/// Whoever asks to be let in, by the gate's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    Known(String),
    /// The gate has no key, and remembers nobody.
    Anybody,
    /// The request does not say who is asking.
    Nameless,
}

/// What a gate would say, as far as that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Would {
    LetIn,
    /// It would let the request in if that is drawn.
    Draw,
    Refuse(Refused),
}

impl Gate {
    pub fn compile(config: &config::Gate, guests: Arc<Guests>) -> Self {
        Self {
            config: config.clone(),
            guests,
        }
    }

    /// Lets a request in, or says why not. `chance` is a number that is equally likely to be any.
    ///
    /// # Errors
    /// [`Refused`]; nothing is taken then.
    pub async fn enter(
        &self,
        journal: &Journal,
        visitor: Visitor,
        now: SystemTime,
        chance: u64,
    ) -> Result<(), Refused> {
        // Whoever is not remembered need not wait for those who are.
        if matches!(visitor, Visitor::Known(_)) {
            journal.ready().await;
        }
        let entered = match self.decide(journal, visitor, now, chance) {
            Ok(Some(guest)) => guest.settled().await,
            Ok(None) => Ok(()),
            Err(refused) => Err(refused),
        };
        self.guests.counts.of(entered).one();
        entered
    }

    /// What [`Gate::enter`] would say, changing nothing.
    pub fn preview(&self, journal: &Journal, visitor: &Visitor, now: SystemTime) -> Would {
        self.foresee(journal, visitor, now)
            .unwrap_or_else(Would::Refuse)
    }

    /// The guest that the request is or becomes; none when nobody is remembered.
    fn decide(
        &self,
        journal: &Journal,
        visitor: Visitor,
        now: SystemTime,
        chance: u64,
    ) -> Result<Option<Arc<Guest>>, Refused> {
        self.be_open(now)?;
        let name = match visitor {
            Visitor::Known(name) => name,
            Visitor::Anybody => return self.draw(chance).map(|()| None),
            Visitor::Nameless => return Err(Refused::Nameless),
        };
        if !journal.is_ready() {
            return Err(Refused::Unrecorded);
        }
        if let Some(guest) = self.guests.find(&name) {
            return Ok(Some(guest));
        }
        match self.config.draw {
            Draw::Random => self.draw(chance)?,
            Draw::Fixed => self.draw(self.lot(journal.secret(), &name))?,
        }
        match self.guests.claim(&name, self.config.max_admitted) {
            Claim::First(guest) => {
                journal.admit(&self.config.name, name, &self.guests, &guest);
                Ok(Some(guest))
            }
            Claim::Known(guest) => Ok(Some(guest)),
            Claim::Full => Err(Refused::Full),
        }
    }

    fn foresee(
        &self,
        journal: &Journal,
        visitor: &Visitor,
        now: SystemTime,
    ) -> Result<Would, Refused> {
        self.be_open(now)?;
        let share = self.config.admit;
        let drawn = if share == config::units::Share::WHOLE {
            Would::LetIn
        } else {
            Would::Draw
        };
        let name = match visitor {
            Visitor::Known(name) => name,
            Visitor::Anybody => return Ok(drawn),
            Visitor::Nameless => return Err(Refused::Nameless),
        };
        if self.guests.find(name).is_some() {
            return Ok(Would::LetIn);
        }
        if self.guests.is_full(self.config.max_admitted) {
            return Err(Refused::Full);
        }
        if journal.is_stuck() {
            return Err(Refused::Unrecorded);
        }
        if self.config.draw == Draw::Fixed {
            self.draw(self.lot(journal.secret(), name))?;
            return Ok(Would::LetIn);
        }
        Ok(drawn)
    }

    fn be_open(&self, now: SystemTime) -> Result<(), Refused> {
        let at = |moment: config::units::Moment| moment.on_the_wall_clock();
        if let Some(opens) = self.config.opens.map(at)
            && let Ok(left) = opens.duration_since(now)
            && left > Duration::ZERO
        {
            return Err(Refused::Before(left));
        }
        match self.config.closes.map(at) {
            Some(closes) if closes <= now => Err(Refused::After),
            _ => Ok(()),
        }
    }

    fn draw(&self, number: u64) -> Result<(), Refused> {
        if is_drawn(number, self.config.admit.millionths()) {
            Ok(())
        } else {
            Err(Refused::NotDrawn)
        }
    }

    /// The number that this gate always draws for a guest: nobody who lacks the secret can tell it.
    fn lot(&self, secret: Secret, name: &str) -> u64 {
        let gate = self.config.name.as_bytes();
        let bytes = [gate, &[0], name.as_bytes()].concat();
        KeyHash::of_bytes(secret, &bytes).bits()
    }

    /// Who is asking: the value of the key, or of its parts with slashes between.
    pub fn visitor(&self, subject: &Subject<'_>) -> Visitor {
        let Some(key) = &self.config.key else {
            return Visitor::Anybody;
        };
        let mut values = subject.values(key).into_iter();
        let alone = key.len() == 1;
        let mut name = String::new();
        for (at, part) in key.iter().enumerate() {
            let value = match part {
                KeyPart::Client => Some(Cow::Owned(subject.client.counted_as().to_string())),
                _ => values.next().flatten(),
            };
            let value = match value {
                Some(value) => value,
                None if self.config.absent == Nameless::Refuse => return Visitor::Nameless,
                None => Cow::Borrowed(""),
            };
            if at > 0 {
                name.push('/');
            }
            if alone {
                name.push_str(&value);
            } else {
                // No two lists of values may look alike.
                name.push_str(&value.replace('%', "%25").replace('/', "%2F"));
            }
        }
        Visitor::Known(name)
    }
}
