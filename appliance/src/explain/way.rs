//! The way that a route sends a request.

use floodwall_config::{
    self as config, Action, Redirect, Rewrite, Takes,
    path::{self, Slashes},
};

use super::{Here, Outcome, Rewritten};
use crate::{facts::Facts, key::Subject, redirect, split};

/// What chose among the upstreams of a route, in words.
pub(super) fn split(route: &config::Route, subject: &Subject<'_>) -> Option<String> {
    let Action::Split(split) = &route.action else {
        return None;
    };
    let arm = split::choose(split, subject)?.arm;
    let why = match &split.arms[arm].takes {
        Takes::When(_) => "its match".to_owned(),
        Takes::Rest => "what is left".to_owned(),
        Takes::Share { from, to } => {
            let key = subject.describe(&split.sticky);
            format!("the keys from {from} to {to}, by {key}")
        }
    };
    Some(format!("split[{arm}]: {why}"))
}

/// What the upstream is asked for instead; none when a rewrite changes nothing.
pub(super) fn rewritten(rewrite: &Rewrite, asked: &str, slashes: Slashes) -> Option<Rewritten> {
    let new = rewrite.path.as_ref().map(|change| change.of(asked));
    // One that no upstream gets is shown as it is.
    let new = new.map(|new| match path::joined(&new, slashes) {
        Ok(spelled) => spelled.into_owned(),
        Err(_) => new,
    });
    let rewritten = Rewritten {
        path: new.filter(|new| new != asked),
        host: rewrite.host.clone(),
    };
    (rewritten.path.is_some() || rewritten.host.is_some()).then_some(rewritten)
}

/// Where the client would be sent. There is no listener, and the request has no number yet.
pub(super) fn redirected(redirect: &Redirect, here: &Here<'_>) -> Outcome {
    let request = here.subject.request;
    let facts = Facts {
        request,
        client: here.subject.client.address,
        peer: Some(here.peer),
        listener: "",
        scheme: here.scheme,
        route: here.subject.route,
        upstream: "",
        generation: here.generation.number,
        request_id: "",
    };
    Outcome::Redirect {
        status: redirect.status,
        location: redirect::location(redirect, request.host, &facts),
    }
}
