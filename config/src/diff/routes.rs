//! What changes in the routes.

use super::ChangeKind;
use super::compare::Changes;
use crate::{Action, Arm, Config, Mirror, Route, Split, UpstreamIndex};

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
    gate: Option<&'a str>,
    /// Those that may answer, in their order.
    upstreams: Vec<&'a str>,
    /// The action without its references.
    action: Action,
    mirror: Option<&'a str>,
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
        let gate = route.gate.map(|index| config[index].name.as_str());
        let upstreams = route
            .action
            .upstreams()
            .map(|index| config[index].name.as_str())
            .collect();
        let nobody = UpstreamIndex(0);
        let nothing = Action::Upstream(nobody);
        let mirror = route.mirror.map(|mirror| Mirror {
            upstream: nobody,
            ..mirror
        });
        let rest = Route {
            limits: Vec::new(),
            gate: None,
            action: nothing,
            mirror,
            ..route.clone()
        };
        Self {
            limits,
            gate,
            upstreams,
            action: bare(&route.action),
            mirror: route
                .mirror
                .map(|mirror| config[mirror.upstream].name.as_str()),
            rest,
        }
    }
}

/// An action that refers to nothing.
fn bare(action: &Action) -> Action {
    let nobody = UpstreamIndex(0);
    match action {
        Action::Upstream(_) => Action::Upstream(nobody),
        Action::Split(split) => {
            let arms = split.arms.iter().map(|arm| Arm {
                takes: arm.takes.clone(),
                upstream: nobody,
            });
            Action::Split(Split {
                arms: arms.collect(),
                sticky: split.sticky.clone(),
            })
        }
        Action::Respond(_) | Action::Redirect(_) => action.clone(),
    }
}
