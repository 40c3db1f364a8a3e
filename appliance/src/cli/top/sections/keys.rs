//! The hottest keys of all limits.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Cell, Row, Tone};
use crate::status::{LimitStatus, Status};

pub(super) fn rows(status: &Status) -> (&'static [&'static str], Vec<Row>) {
    const COLUMNS: &[&str] = &["REQUESTS>", "REFUSED>", "LEFT>", "LIMIT", "KEY"];
    // One key for all is no hotter than its limit.
    let limits = status.limits.iter().filter(|limit| limit.key != ["none"]);
    let rows = limits.flat_map(|limit| {
        limit.hottest.iter().map(|hot| {
            let cells = vec![
                Cell::count(hot.requests),
                Cell::count(hot.refused),
                hot.left.map_or_else(|| Cell::words(""), Cell::count),
                Cell::words(&limit.name),
                Cell::words(&hot.key),
            ];
            Row::new(format!("{} {}", limit.name, hot.key), cells)
                .of_source(source(limit, &hot.key))
                .tinted(Tone::Notable, hot.refused > 0)
        })
    });
    (COLUMNS, rows.collect())
}

/// The client that a limit's key is about, when that is its first part. What follows a part that clients choose cannot be
/// told from what they chose: a path may read ` client=192.0.2.7`.
fn source(limit: &LimitStatus, key: &str) -> Option<String> {
    let begins_with_client = limit.key.first().is_some_and(|part| part == "client");
    let client = key.strip_prefix("client=").filter(|_| begins_with_client)?;
    let client = client.split(' ').next()?;
    let is_source = client.parse::<IpAddr>().is_ok() || client.parse::<IpNet>().is_ok();
    is_source.then(|| client.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::sample;

    #[test]
    fn only_a_client_that_the_service_names_can_be_blocked() {
        let limit = |part: &str| {
            let mut limit = sample(1.0, |_| {}).status.limits.remove(0);
            limit.key = vec![part.to_owned(), "path".to_owned()];
            limit
        };
        for (part, key, client) in [
            ("client", "client=192.0.2.7", Some("192.0.2.7")),
            (
                "client",
                "client=2001:db8::/64 path=/",
                Some("2001:db8::/64"),
            ),
            (
                "client",
                "client=192.0.2.7 path=/ client=192.0.2.9",
                Some("192.0.2.7"),
            ),
            ("query(q)", "query(q)= client=192.0.2.9", None),
            ("query(q)", "client=192.0.2.9", None),
            ("client", "client=nobody", None),
            ("none", "none", None),
        ] {
            assert_eq!(source(&limit(part), key).as_deref(), client, "{key}");
        }
    }
}
