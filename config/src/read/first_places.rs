//! Finding keys that are given twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use crate::problem::Place;

/// Where each key of a mapping came first.
pub(super) enum FirstPlaces<'a> {
    /// Most mappings have a few keys, which are compared faster than hashed.
    Few(Vec<(&'a str, Place)>),
    Many(HashMap<&'a str, Place>),
}

impl<'a> FirstPlaces<'a> {
    pub(super) fn for_keys(count: usize) -> Self {
        if count <= 16 {
            Self::Few(Vec::with_capacity(count))
        } else {
            Self::Many(HashMap::with_capacity(count))
        }
    }

    /// Where `key` came before; None when this is the first time.
    pub(super) fn first(&mut self, key: &'a str, place: Place) -> Option<Place> {
        match self {
            Self::Few(places) => {
                let first = places
                    .iter()
                    .find(|(known, _)| *known == key)
                    .map(|(_, first)| *first);
                if first.is_none() {
                    places.push((key, place));
                }
                first
            }
            Self::Many(places) => match places.entry(key) {
                Slot::Occupied(first) => Some(*first.get()),
                Slot::Vacant(free) => {
                    free.insert(place);
                    None
                }
            },
        }
    }
}
