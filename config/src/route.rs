//! `routes[]`: what is done with which request.

use floodwall_limiter::Nanos;

use crate::read::{
    self, Cursor, Fields, NAME_PATTERN, Names, SHORTEST, choice, span, text, unique_list,
};
use crate::section::{ANY, DURATION, Key, Section, Shape};
use crate::{HeaderEdits, LimitIndex, Match, Priority, Response, UpstreamIndex};
use crate::{header, matching, response};

/// One rule of the routing list.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub name: String,
    /// The file's `match`.
    pub matches: Match,
    /// All of them admit a request, or none is charged; in the order of the file, each once.
    pub limits: Vec<LimitIndex>,
    /// How long its requests are spared when the machine has too much to do.
    pub priority: Priority,
    pub action: Action,
    /// Changes to the request on its way to the upstream.
    pub request_headers: HeaderEdits,
    /// Changes to the response on its way to the client.
    pub response_headers: HeaderEdits,
    /// The whole request from its header to the last byte of the response; only with an upstream.
    pub timeout: Option<Nanos>,
}

/// Who answers a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Upstream(UpstreamIndex),
    Respond(Response),
}

pub(crate) static SECTION: Section = Section {
    name: "routes[]",
    keys: &[
        Key::required("name", Shape::Text(NAME_PATTERN), "a name of its own"),
        Key::new(
            "match",
            Shape::Section(&matching::SECTION),
            "which requests; all by default",
        ),
        Key::new(
            "limits",
            Shape::List(&Shape::Text(NAME_PATTERN), ANY),
            "names of limits, all of which must admit",
        ),
        Key::new(
            "priority",
            Shape::Choice(PRIORITIES),
            "what is shed last under overload; default normal",
        ),
        Key::new(
            "upstream",
            Shape::Text(NAME_PATTERN),
            "the name of the upstream that answers",
        ),
        Key::new(
            "respond",
            Shape::Section(&response::SECTION),
            "the response that is given",
        ),
        Key::new(
            "request_headers",
            Shape::Section(&header::EDITS),
            "changes on the way to the upstream",
        ),
        Key::new(
            "response_headers",
            Shape::Section(&header::EDITS),
            "changes on the way to the client",
        ),
        Key::new(
            "timeout",
            DURATION,
            "for the whole exchange with the upstream",
        ),
    ],
    one_of: &["upstream", "respond"],
};

/// In the order of [`Priority::ALL`].
const PRIORITIES: &[&str] = &["low", "normal", "high", "critical"];

/// What a route may refer to.
pub(crate) struct Known<'a> {
    pub(crate) limits: Names<'a>,
    pub(crate) upstreams: Names<'a>,
}

impl Route {
    pub(crate) fn read(value: Cursor<'_>, known: &Known<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let name = fields.required("name", |value| read::name(text(value)?, value));
        let matches = fields.or("match", Match::read, Match::default());
        let limits = fields.or("limits", |list| limits(list, known), Vec::new());
        let priority = fields.or(
            "priority",
            choice(PRIORITIES, &Priority::ALL),
            Priority::Normal,
        );
        let upstream = fields.optional("upstream", |value| known.upstreams.resolve(value));
        let respond = fields.optional("respond", Response::read(200));
        let request_headers = fields.optional("request_headers", HeaderEdits::read);
        let response_headers = fields.or(
            "response_headers",
            HeaderEdits::read,
            HeaderEdits::default(),
        );
        let timeout = fields.optional("timeout", span(SHORTEST));
        let action = match (upstream?, respond?) {
            (Some(index), None) => Action::Upstream(UpstreamIndex(index)),
            (None, Some(response)) => Action::Respond(response),
            // Reported when the fields were opened.
            _ => return None,
        };
        let ignored = ["request_headers", "timeout"]
            .into_iter()
            .find(|key| fields.has(key));
        if let (Action::Respond(_), Some(key)) = (&action, ignored) {
            return fields.refuse(
                key,
                "it beside `respond`, where nothing is sent on",
                "only beside `upstream`",
            );
        }
        Some(Self {
            name: name?,
            matches: matches?,
            limits: limits?,
            priority: priority?,
            action,
            request_headers: request_headers?.unwrap_or_default(),
            response_headers: response_headers?,
            timeout: timeout?,
        })
    }
}

fn limits(list: Cursor<'_>, known: &Known<'_>) -> Option<Vec<LimitIndex>> {
    unique_list(list, "limit", |value| {
        known.limits.resolve(value).map(LimitIndex)
    })
}
