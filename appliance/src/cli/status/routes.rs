//! Routes, and how long their requests take.

use super::super::table::{Table, span};
use crate::status::{LatencyStatus, RouteStatus, Status};

/// The routes with the most requests.
pub(super) fn routes(status: &Status) -> Table<6> {
    const SHOWN: usize = 20;
    let mut table = Table::new([
        "ROUTE",
        "REQUESTS>",
        "4XX>",
        "5XX>",
        "HALF WITHIN>",
        "99% WITHIN>",
    ]);
    let mut busiest: Vec<&RouteStatus> = status.routes.iter().collect();
    busiest.sort_by_key(|route| std::cmp::Reverse(route.duration.count));
    for route in busiest.into_iter().take(SHOWN) {
        let class = |wanted: &str| {
            let mut classes = route.finished.iter();
            let found = classes.find(|class| class.class == wanted);
            found.map_or(0, |class| class.count).to_string()
        };
        table.row([
            route.name.clone(),
            route.duration.count.to_string(),
            class("4xx"),
            class("5xx"),
            within(&route.duration, 0.5),
            within(&route.duration, 0.99),
        ]);
    }
    table
}

fn within(times: &LatencyStatus, share: f64) -> String {
    match times.quantile(share) {
        Some(end) if end < 1.0 => format!("{}ms", end * 1e3),
        Some(end) if end.is_finite() => span(end),
        Some(_) => "longer".to_owned(),
        None => String::new(),
    }
}
