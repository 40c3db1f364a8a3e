//! What a route does with requests and responses on their way, in the words of the file.

use floodwall_config::{Config, HeaderEdits, HeaderRule, Route};

pub(super) fn of(route: &Route, config: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    edits("request_headers", &route.request_headers, &mut changes);
    edits("response_headers", &route.response_headers, &mut changes);
    if let Some(mirror) = &route.mirror {
        let name = &config[mirror.upstream].name;
        changes.push(format!("mirror: {} to upstream {name}", mirror.share));
    }
    if route.compress.is_some() {
        changes.push("compress: what the client takes compressed".to_owned());
    }
    changes
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
