//! Answers of the admin address, and what they all have in common.

use std::error::Error;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{self, HeaderName},
};
use http_body_util::{Either, Full};
use serde::Serialize;

use super::events::Events;

/// An answer that is there, or events that come.
pub(super) type Reply = Response<Either<Full<Bytes>, Events>>;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// What no answer may be used for: a guess at its type, a part of a stranger's page, a trail to where it leads.
const COMMON: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Whether the answer lasts until somebody ends it.
pub(super) fn lasts(reply: &Reply) -> bool {
    matches!(reply.body(), Either::Right(_))
}

pub(super) fn whole(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Reply {
    dressed(status, media_type, Either::Left(Full::new(body.into())))
}

pub(super) fn json(document: &impl Serialize) -> Reply {
    match serde_json::to_vec_pretty(document) {
        Ok(mut text) => {
            text.push(b'\n');
            whole(StatusCode::OK, "application/json", text)
        }
        Err(error) => failed(&error),
    }
}

/// Events until they end, and the connection with them.
pub(super) fn stream(events: Events) -> Reply {
    let mut reply = dressed(StatusCode::OK, "text/event-stream", Either::Right(events));
    set(&mut reply, header::CONNECTION, "close");
    reply
}

pub(super) fn only_reading() -> Reply {
    let mut reply = whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
    set(&mut reply, header::ALLOW, "GET, HEAD");
    reply
}

/// Says when to come back.
pub(super) fn busy(why: &'static str) -> Reply {
    let mut reply = whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, why);
    set(&mut reply, header::RETRY_AFTER, "5");
    reply
}

pub(super) fn failed(error: &dyn Error) -> Reply {
    whole(
        StatusCode::INTERNAL_SERVER_ERROR,
        TEXT,
        format!("{error}\n"),
    )
}

pub(super) fn set(reply: &mut Reply, name: HeaderName, value: &'static str) {
    let value = HeaderValue::from_static(value);
    reply.headers_mut().insert(name, value);
}

fn dressed(
    status: StatusCode,
    media_type: &'static str,
    body: Either<Full<Bytes>, Events>,
) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    set(&mut reply, header::CONTENT_TYPE, media_type);
    for (name, value) in COMMON {
        set(&mut reply, name, value);
    }
    reply
}
