//! What became of requests, and how long it took: by route, and by upstream.

use std::fmt;

use super::Page;
use crate::status::{ClassCount, Status};

pub(super) fn write(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    routes(status, page)?;
    upstreams(status, page)
}

fn routes(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let routes = || {
        status
            .routes
            .iter()
            .map(|each| (("route", each.name.as_str()), each))
    };
    page.counter(
        "route_requests",
        "Finished requests by route and by the class of their status",
        routes().flat_map(|(route, each)| by_class(route, &each.finished)),
    )?;
    page.histogram(
        "route_duration",
        "From the end of a request's head to the end of its response, by route",
        routes().map(|(route, each)| ([route], &each.duration)),
    )
}

fn upstreams(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let upstreams = || {
        let upstreams = status.upstreams.iter();
        upstreams.map(|each| (("upstream", each.name.as_str()), each))
    };
    page.counter(
        "upstream_responses",
        "Responses of an upstream by the class of their status, each try by itself",
        upstreams().flat_map(|(upstream, each)| by_class(upstream, &each.answers)),
    )?;
    page.histogram(
        "upstream_response_time",
        "From a request to the head of its response, by upstream",
        upstreams().map(|(upstream, each)| ([upstream], &each.response_time)),
    )
}

fn by_class<'a>(
    owner: (&'a str, &'a str),
    counts: &'a [ClassCount],
) -> impl Iterator<Item = ([(&'a str, &'a str); 2], u64)> {
    let counts = counts.iter();
    counts.map(move |each| ([owner, ("status", each.class.as_str())], each.count))
}
