//! A response that Floodwall writes itself.

use crate::Header;
use crate::header::headers;
use crate::read::{Cursor, Fields, whole_u16};
use crate::section::{Key, Section, Shape};
use crate::yaml::ScalarKind;

/// A response out of the file: to `respond`, and to a refusal by a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    pub headers: Vec<Header>,
    /// The body as written; a refusal without one says which limit refused and when to come back.
    pub body: Option<String>,
}

pub(crate) static SECTION: Section = Section {
    name: "response",
    keys: &[
        Key::new(
            "status",
            Shape::Whole { min: 200, max: 599 },
            "default 200, and 429 for a refusal",
        ),
        Key::new("headers", Shape::Pairs(&Shape::Scalar), "name to value"),
        Key::new("body", Shape::Text("(.|\n)*"), "the body as it is sent"),
    ],
    one_of: &[],
};

impl Response {
    /// Reads a response whose status is `status` unless the file says otherwise.
    pub(crate) fn read(status: u16) -> impl Fn(Cursor<'_>) -> Option<Self> {
        move |value| {
            let fields = Fields::open(value, &SECTION)?;
            let status = fields.or("status", whole_u16(200, 599), status);
            let headers = fields.or("headers", headers, Vec::new());
            let body = fields.optional("body", body);
            let response = Self {
                status: status?,
                headers: headers?,
                body: body?,
            };
            if matches!(response.status, 204 | 304) && response.body.is_some() {
                let found = format!("a body with status {}", response.status);
                return fields.refuse("body", found, "no body with 204 and 304");
            }
            Some(response)
        }
    }

    /// A refusal when the limit says nothing about it.
    pub(crate) fn too_many_requests() -> Self {
        Self::bare(429)
    }

    /// What an upstream that is not asked answers when it says nothing about it.
    pub fn unavailable() -> Self {
        Self::bare(503)
    }

    fn bare(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
        }
    }
}

/// Reads a body, which may be empty.
pub(crate) fn body(value: Cursor<'_>) -> Option<String> {
    match (value.kind(), value.written()) {
        (Some(ScalarKind::Text), Some(text)) => Some(text.to_owned()),
        _ => value.refuse("text"),
    }
}
