//! What a route does with requests and responses on their way, in the words of the file.

use floodwall_config::{Action, Config, HeaderEdits, HeaderRule, Route, units::format_duration};
use http::header;

use crate::request::RequestView;

pub(super) fn of(route: &Route, config: &Config, request: RequestView<'_>) -> Vec<String> {
    let mut changes = Vec::new();
    changes.extend(upgrade(route, request));
    edits("request_headers", &route.request_headers, &mut changes);
    edits("response_headers", &route.response_headers, &mut changes);
    if let Some(mirror) = &route.mirror {
        let name = &config[mirror.upstream].name;
        changes.push(format!("mirror: {} to upstream {name}", mirror.share));
    }
    if route.compress.is_some() {
        changes.push("compress: what the client takes compressed".to_owned());
    }
    if let Some(within) = route.timeout {
        changes.push(format!(
            "timeout: {} for all of it",
            format_duration(within)
        ));
    }
    changes
}

/// Another protocol, which only an upstream may agree to.
fn upgrade(route: &Route, request: RequestView<'_>) -> Option<String> {
    let wanted = request.headers.get(header::UPGRADE)?.to_str().ok()?;
    Some(match &route.action {
        Action::Upstream(_) | Action::Split(_) => {
            format!(
                "upgrade: the upstream is asked for {wanted}; if it agrees, both ends are joined"
            )
        }
        Action::Respond(_) | Action::Redirect(_) => {
            format!("upgrade: nobody is asked for {wanted}")
        }
    })
}

/// In the order in which they are made.
fn edits(name: &str, edits: &HeaderEdits, into: &mut Vec<String>) {
    let removed = edits.remove.iter();
    into.extend(removed.map(|field| format!("{name}: remove {field}")));
    let mut rules = |verb: &str, rules: &[HeaderRule]| {
        let rules = rules.iter();
        into.extend(rules.map(|rule| format!("{name}: {verb} {}: {}", rule.name, rule.value)));
    };
    rules("set", &edits.set);
    rules("add", &edits.add);
}
