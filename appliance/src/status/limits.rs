//! Limits of requests, and the keys they were asked for most.

use serde::{Deserialize, Serialize};

use crate::{admission::Budgets, generation::Generation, host::Host};

/// One limit of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitStatus {
    pub name: String,
    /// `none`, or the parts of the key.
    pub key: Vec<String>,
    /// As the file has it.
    pub rate: String,
    pub burst: u64,
    /// What it would admit at once, where there is one budget for all; absent where each key has its own.
    pub left: Option<u64>,
    pub shadow: bool,
    pub admitted: u64,
    pub refused: u64,
    /// Over the limit, and admitted because it is in shadow.
    pub shadowed: u64,
    /// Over the limit, and admitted because its key is not among those that are refused.
    pub unenforced: u64,
    /// Requests that wait for their turn or for a slot.
    pub waiting: u64,
    /// Requests under way, of a limit of concurrency.
    pub in_flight: u64,
    /// Sources it has blocked.
    pub blocks: u64,
    /// Keys in debt that lost their cell to one of this limit's, by this process.
    pub takeovers: u64,
    /// The keys that it was asked for most in the last minutes, the hottest first.
    pub hottest: Vec<HotKeyStatus>,
}

/// A key and how often it came. Counts are halved every minute, and estimated above a thousand a minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HotKeyStatus {
    /// In words; cut after 128 bytes.
    pub key: String,
    /// At the most so many requests,
    pub requests: u64,
    /// and fewer by up to so many.
    pub error: u64,
    /// Of them refused by this limit.
    pub refused: u64,
    /// What the limit would admit of it at once, by the exception that it is or the limit's own rule; absent when that
    /// exception was taken out of the file.
    pub left: Option<u64>,
}

/// All limits, in the order of the file.
pub fn limits(host: &Host, generation: &Generation) -> Vec<LimitStatus> {
    Budgets::all(host, generation)
        .map(|budgets| LimitStatus::of(&budgets))
        .collect()
}

impl LimitStatus {
    fn of(budgets: &Budgets<'_>) -> Self {
        let limit = budgets.limit;
        let key: Vec<String> = limit.key.iter().map(ToString::to_string).collect();
        Self {
            name: limit.name.clone(),
            key: if key.is_empty() {
                vec!["none".to_owned()]
            } else {
                key
            },
            rate: limit.rule.text.clone(),
            burst: limit.rule.burst,
            left: budgets.left_of_all(),
            shadow: limit.shadow,
            admitted: limit.stats.admitted.get(),
            refused: limit.stats.refused.get(),
            shadowed: limit.stats.shadowed.get(),
            unenforced: limit.stats.unenforced.get(),
            waiting: limit.stats.live.waiting(),
            in_flight: limit.stats.live.in_flight(),
            blocks: limit.stats.blocks.get(),
            takeovers: limit.stats.takeovers.get(),
            hottest: HotKeyStatus::of(budgets),
        }
    }
}

impl HotKeyStatus {
    /// So many keys of each limit are shown.
    const SHOWN: usize = 10;

    fn of(budgets: &Budgets<'_>) -> Vec<Self> {
        let hot = &budgets.limit.stats.hot;
        let keys = hot.hottest(Self::SHOWN, budgets.now).into_iter();
        keys.map(|key| Self {
            left: budgets.left_of(&key),
            key: key.name,
            requests: key.requests,
            error: key.error,
            refused: key.refused,
        })
        .collect()
    }
}
