//! The keys of session tickets, which outlive generations and are shared by all threads.
//!
//! They change every six hours, and open what the last ones closed; nothing of them is written anywhere. A
//! resumed session is not asked for a certificate again. So whoever changes what clients are asked for gets new
//! keys: a ticket from before must not open the door now.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{RootCertStore, crypto::ring::Ticketer, server::ProducesTickets};

/// The tickets of every listener, by its name.
#[derive(Debug, Default)]
pub struct Tickets(Mutex<HashMap<String, Known>>);

/// The keys of a listener, with what it asked its clients for when they were new.
type Known = (Asked, Arc<dyn ProducesTickets>);

/// What a session was asked for when it began.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) authorities: Option<Arc<RootCertStore>>,
    pub(super) required: bool,
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        let roots = |asked: &Self| asked.authorities.as_ref().map(|store| store.roots.clone());
        self.required == other.required && roots(self) == roots(other)
    }
}

impl Tickets {
    /// The keys of a listener that asks its clients for this.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(super) fn of(
        &self,
        listener: &str,
        asked: &Asked,
    ) -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
        // Only whole values are stored under this lock.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, tickets)) = known.get(listener)
            && before == asked
        {
            return Ok(Arc::clone(tickets));
        }
        let tickets = Ticketer::new()?;
        let entry = (asked.clone(), Arc::clone(&tickets));
        known.insert(listener.to_owned(), entry);
        Ok(tickets)
    }
}
