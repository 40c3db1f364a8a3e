//! What changes in the tokens.

use super::compare::Changes;
use crate::{Config, Fetch, Token, UpstreamIndex};

/// Compares tokens by their names. Nothing of what they are fetched with is shown: it may be secret.
pub(super) fn compare(changes: &mut Changes, old: &Config, new: &Config) {
    changes.by_name(
        "tokens",
        &old.tokens,
        &new.tokens,
        |changes, path, before, after| {
            changes.edited(path, &meaning(before, old), &meaning(after, new));
        },
    );
}

/// A token and the name of its upstream: indexes shift when an upstream is added.
fn meaning<'a>(token: &Token, config: &'a Config) -> (&'a str, Token) {
    let fetch = Fetch {
        upstream: UpstreamIndex(0),
        ..token.fetch.clone()
    };
    let name = config[token.fetch.upstream].name.as_str();
    let token = Token {
        fetch,
        ..token.clone()
    };
    (name, token)
}
