//! What changes in the routes.

use super::ChangeKind;
use super::compare::Changes;
use crate::{Action, Config, Response, Route};

/// Compares routes by their names, and their order: the first match wins, so an order is a meaning.
pub(super) fn compare(changes: &mut Changes, old: &Config, new: &Config) {
    changes.by_name(
        "routes",
        &old.routes,
        &new.routes,
        |changes, path, before, after| {
            changes.edited(path, &Meaning::of(before, old), &Meaning::of(after, new));
        },
    );
    let names = |config: &Config| {
        config
            .routes
            .iter()
            .map(|route| route.name.clone())
            .collect::<Vec<_>>()
    };
    let (mut before, mut after) = (names(old), names(new));
    let moved = before != after;
    before.sort_unstable();
    after.sort_unstable();
    if moved && before == after {
        changes.push("routes", ChangeKind::Reordered);
    }
}

/// A route with what it refers to taken by name: indexes shift when a limit is added.
#[derive(PartialEq)]
struct Meaning<'a> {
    limits: Vec<&'a str>,
    upstream: Option<&'a str>,
    respond: Option<&'a Response>,
    /// The route without its references.
    rest: Route,
}

impl<'a> Meaning<'a> {
    fn of(route: &'a Route, config: &'a Config) -> Self {
        let limits = route
            .limits
            .iter()
            .map(|index| config[*index].name.as_str())
            .collect();
        let (upstream, respond) = match &route.action {
            Action::Upstream(index) => (Some(config[*index].name.as_str()), None),
            Action::Respond(response) => (None, Some(response)),
        };
        let nothing = Action::Respond(Response::too_many_requests());
        let rest = Route {
            limits: Vec::new(),
            action: nothing,
            ..route.clone()
        };
        Self {
            limits,
            upstream,
            respond,
            rest,
        }
    }
}
