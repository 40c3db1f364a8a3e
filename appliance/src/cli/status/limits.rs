//! Limits of requests, and the keys they were asked for most.

use crate::{cli::table::Table, status as document};

pub(super) fn limits(status: &document::Status) -> Table<8> {
    let mut table = Table::new([
        "LIMIT",
        "RATE>",
        "BURST>",
        "LEFT>",
        "ADMITTED>",
        "REFUSED>",
        "BLOCKS>",
        "KEY",
    ]);
    for limit in &status.limits {
        let (refused, key) = (limit.refused + limit.shadowed, limit.key.join(", "));
        table.row([
            limit.name.clone(),
            limit.rate.clone(),
            limit.burst.to_string(),
            limit
                .left
                .map_or_else(|| "by key".to_owned(), |left| left.to_string()),
            limit.admitted.to_string(),
            refused.to_string(),
            limit.blocks.to_string(),
            if limit.shadow {
                format!("{key} (shadow: refuses nobody)")
            } else {
                key
            },
        ]);
    }
    table
}

/// The keys that the limits were asked for most: a few of each.
pub(super) fn hottest(status: &document::Status) -> Table<6> {
    const SHOWN: usize = 3;
    let mut table = Table::new([
        "HOTTEST KEYS",
        "REQUESTS>",
        "ERROR>",
        "REFUSED>",
        "LEFT>",
        "KEY",
    ]);
    // One key for all is no hotter than its limit.
    let limits = status.limits.iter().filter(|limit| limit.key != ["none"]);
    for limit in limits {
        for hot in limit.hottest.iter().take(SHOWN) {
            table.row([
                limit.name.clone(),
                hot.requests.to_string(),
                hot.error.to_string(),
                hot.refused.to_string(),
                hot.left
                    .map_or_else(|| "-".to_owned(), |left| left.to_string()),
                hot.key.clone(),
            ]);
        }
    }
    table
}
