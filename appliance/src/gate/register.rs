//! The guests of every gate, by its name: a gate that keeps its name keeps its guests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::Guests;

/// Locked to compile a generation and to read the journal, never for a request.
#[derive(Debug, Default)]
pub struct Register(Mutex<BTreeMap<String, Arc<Guests>>>);

impl Register {
    /// Every gate that was asked for, with its guests.
    pub(super) fn all(&self) -> Vec<(String, Arc<Guests>)> {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |(name, guests): (&String, &Arc<Guests>)| (name.clone(), Arc::clone(guests));
        gates.iter().map(named).collect()
    }

    /// The guests of the gate of this name, new or as they stand.
    pub fn guests(&self, gate: &str) -> Arc<Guests> {
        // Only insertions happen under this lock; a panic elsewhere cannot leave them half done.
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match gates.get(gate) {
            Some(guests) => Arc::clone(guests),
            None => Arc::clone(gates.entry(gate.to_owned()).or_default()),
        }
    }
}
