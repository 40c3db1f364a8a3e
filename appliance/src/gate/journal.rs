//! What makes guests durable: a database in the `state` folder, and the one thread that writes to it.
//!
//! All who are let in within the time of one commit share it. Their answers wait for it, so that nobody who was told
//! that they are in is ever forgotten, however the process or the machine ends.

mod database;
mod writer;

use std::{
    io,
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use floodwall_limiter::Secret;

use super::{
    guests::{Guest, Guests, Standing},
    register::Register,
};
use crate::state::Report;
use writer::Writer;

/// What the database is called in the `state` folder.
const FILE: &str = "gates.redb";

/// How often a request looks whether a predecessor has let go of the database.
const LOOK: Duration = Duration::from_millis(20);

/// How long a request waits for that.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way to the database.
#[derive(Debug)]
pub struct Journal {
    /// None: nothing is kept, and everything is in force at once.
    writer: Option<Writer>,
    fallback: Secret,
    report: Arc<Report>,
}

/// Why who is in is not written anywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unkept {
    #[error("the file names no `state` folder")]
    NoFolder,
    /// Nobody new is let in meanwhile.
    #[error("{0}")]
    Stuck(String),
}

/// Somebody new who has a place, until it is known whether they keep it.
#[derive(Debug)]
struct Wish {
    gate: String,
    name: String,
    guests: Arc<Guests>,
    guest: Arc<Guest>,
}

impl Drop for Wish {
    /// Whoever was not made durable by now never will be.
    fn drop(&mut self) {
        self.guests.lose_unsettled(&self.name, &self.guest);
    }
}

/// One change of who is in.
#[derive(Debug)]
enum Change {
    Admit(Wish),
    /// Puts these in, and answers with how many are new.
    Apply {
        gate: String,
        names: Vec<String>,
        guests: Arc<Guests>,
        answer: mpsc::Sender<Result<usize, String>>,
    },
    /// Puts everybody out, and answers with how many that were.
    Delete {
        gate: String,
        guests: Arc<Guests>,
        answer: mpsc::Sender<Result<usize, String>>,
    },
    Close,
}

impl Journal {
    /// Opens the database of a folder, and puts back who is in. `fallback` is the secret of draws where nothing is
    /// kept.
    ///
    /// A damaged database is set aside. One that another process has open, and a folder that cannot be used, are tried
    /// again in the background; until then nobody new is let in, because nobody could be promised that they stay in.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn open(
        folder: Option<&Path>,
        register: &Arc<Register>,
        fallback: Secret,
        report: &Arc<Report>,
    ) -> io::Result<Self> {
        let writer = folder.map(|folder| Writer::start(folder, register, report));
        Ok(Self {
            writer: writer.transpose()?,
            fallback,
            report: Arc::clone(report),
        })
    }

    /// How it goes with the folder.
    pub fn report(&self) -> &Arc<Report> {
        &self.report
    }

    /// Whether it is known who is in.
    pub fn is_ready(&self) -> bool {
        self.writer.as_ref().is_none_or(Writer::is_ready)
    }

    /// Waits a moment for a predecessor to let go of the database.
    pub(super) async fn ready(&self) {
        let mut left = PATIENCE.as_millis() / LOOK.as_millis();
        while left > 0 && self.writer.as_ref().is_some_and(Writer::waits) {
            tokio::time::sleep(LOOK).await;
            left -= 1;
        }
    }

    /// Why nobody is kept; none when they are.
    pub fn unkept(&self) -> Option<Unkept> {
        match &self.writer {
            None => Some(Unkept::NoFolder),
            Some(writer) => writer.trouble().map(Unkept::Stuck),
        }
    }

    /// Whether nobody new can be recorded at the moment.
    pub(super) fn is_stuck(&self) -> bool {
        matches!(self.unkept(), Some(Unkept::Stuck(_)))
    }

    /// The secret of fixed draws; it lives as long as the database.
    pub fn secret(&self) -> Secret {
        let kept = self.writer.as_ref().and_then(Writer::secret);
        kept.unwrap_or(self.fallback)
    }

    /// Makes a new guest durable, who is told when that is done.
    pub(super) fn admit(&self, gate: &str, name: String, guests: &Arc<Guests>, guest: &Arc<Guest>) {
        let Some(writer) = &self.writer else {
            return guest.settle(Standing::In);
        };
        let wish = Wish {
            gate: gate.to_owned(),
            name,
            guests: Arc::clone(guests),
            guest: Arc::clone(guest),
        };
        // Where nobody takes it, it is dropped.
        writer.send(Change::Admit(wish));
    }

    /// Puts people in, and tells how many of them are new.
    ///
    /// # Errors
    /// Why nothing was changed, in words.
    pub fn apply(
        &self,
        gate: &str,
        names: Vec<String>,
        guests: &Arc<Guests>,
    ) -> Result<usize, String> {
        let Some(writer) = &self.writer else {
            return Ok(names.iter().filter(|name| guests.put_in(name)).count());
        };
        writer.ask(|answer| Change::Apply {
            gate: gate.to_owned(),
            names,
            guests: Arc::clone(guests),
            answer,
        })
    }

    /// Puts everybody out, and tells how many that were.
    ///
    /// # Errors
    /// Why nothing was changed, in words.
    pub fn delete(&self, gate: &str, guests: &Arc<Guests>) -> Result<usize, String> {
        let Some(writer) = &self.writer else {
            return Ok(guests.clear());
        };
        writer.ask(|answer| Change::Delete {
            gate: gate.to_owned(),
            guests: Arc::clone(guests),
            answer,
        })
    }

    /// Writes what is under way, and lets go of the database. Nobody new is let in from here on.
    pub fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Change {
    /// Tells whoever waits what has become of it.
    fn settle(self, written: Result<&(), &String>) {
        match (self, written) {
            (Self::Admit(wish), Ok(())) => wish.guest.settle(Standing::In),
            (
                Self::Apply {
                    names,
                    guests,
                    answer,
                    ..
                },
                Ok(()),
            ) => {
                let new = names.iter().filter(|name| guests.put_in(name)).count();
                // Whoever asked may have left.
                let _ = answer.send(Ok(new));
            }
            (Self::Delete { guests, answer, .. }, Ok(())) => {
                let _ = answer.send(Ok(guests.clear()));
            }
            (Self::Apply { answer, .. } | Self::Delete { answer, .. }, Err(error)) => {
                let _ = answer.send(Err(error.clone()));
            }
            // A wish that is dropped is lost.
            (Self::Admit(_), Err(_)) | (Self::Close, _) => {}
        }
    }
}
