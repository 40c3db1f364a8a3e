//! Tokens: values that an upstream gives out, fetched in the background and put into headers.
//!
//! A request only loads what is there. One task fetches them all, apart from the threads that serve ([`keeper`]); the
//! last good token stays until there is a better one. A token is never shown: not in the log, in `status`, in
//! `explain`, nor by `Debug`.

mod answer;
pub mod keeper;
mod slot;
pub mod status;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use floodwall_config::{self as config, Config, Missing, UpstreamIndex};
use tokio::sync::Notify;

use slot::Slot;
pub use slot::Value;

/// The tokens of a generation, in the order of the file.
#[derive(Debug)]
pub struct Tokens {
    all: Vec<Arc<Token>>,
    shelf: Arc<Shelf>,
}

/// One of `tokens`.
#[derive(Debug)]
pub struct Token {
    pub name: String,
    pub missing: Missing,
    upstream: UpstreamIndex,
    fetch: config::Fetch,
    take: config::Take,
    slot: Arc<Slot>,
}

/// What outlives a generation: the tokens by their names, each with what it was fetched with.
#[derive(Debug, Default)]
pub struct Shelf {
    kept: Mutex<BTreeMap<String, (Origin, Arc<Slot>)>>,
    /// Wakes the keeper when there is another generation.
    changed: Notify,
}

/// Where a token comes from. Another origin means another token.
#[derive(Clone, Debug, PartialEq)]
struct Origin {
    upstream: String,
    method: String,
    path: String,
    headers: Vec<config::Header>,
    body: Option<String>,
    take: config::Take,
}

impl Origin {
    fn of(token: &config::Token, config: &Config) -> Self {
        let fetch = &token.fetch;
        Self {
            upstream: config[fetch.upstream].name.clone(),
            method: fetch.method.clone(),
            path: fetch.path.clone(),
            headers: fetch.headers.clone(),
            body: fetch.body.clone(),
            take: token.take.clone(),
        }
    }
}

impl Shelf {
    /// Has the keeper look at the generation that runs now: before it does, it would find the one before.
    pub fn wake(&self) {
        self.changed.notify_one();
    }
}

impl Tokens {
    /// Prepares the tokens of a file. One that comes from where it came from before is there at once.
    pub fn compile(config: &Config, shelf: &Arc<Shelf>) -> Self {
        let kept = shelf.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = |token: &config::Token| match kept.get(&token.name) {
            Some((origin, slot)) if *origin == Origin::of(token, config) => Arc::clone(slot),
            _ => Arc::default(),
        };
        let all = config
            .tokens
            .iter()
            .map(|token| {
                Arc::new(Token {
                    name: token.name.clone(),
                    missing: token.missing,
                    upstream: token.fetch.upstream,
                    fetch: token.fetch.clone(),
                    take: token.take.clone(),
                    slot: slot(token),
                })
            })
            .collect();
        Self {
            all,
            shelf: Arc::clone(shelf),
        }
    }

    /// Makes these what the next generation begins with.
    pub fn take_over(&self, config: &Config) {
        let kept = config.tokens.iter().zip(&self.all).map(|(token, slot)| {
            let origin = Origin::of(token, config);
            (token.name.clone(), (origin, Arc::clone(&slot.slot)))
        });
        let kept = kept.collect();
        *self
            .shelf
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = kept;
    }

    pub fn named(&self, name: &str) -> Option<&Arc<Token>> {
        self.all.iter().find(|token| token.name == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.all.iter()
    }
}

impl Token {
    /// The token as it is now; none before the first was fetched.
    pub fn value(&self) -> Option<Value> {
        self.slot.value()
    }
}
