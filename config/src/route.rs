//! `routes[]`: what is done with which request.

mod compress;
mod mirror;
mod redirect;
pub(crate) mod rewrite;
mod split;

use std::path::Path as FilePath;

use floodwall_limiter::Nanos;

use crate::read::{
    self, Cursor, Fields, NAME_PATTERN, Names, SHORTEST, choice, span, text, unique_list,
};
use crate::section::{ANY, DURATION, Key, NAME, ONE, Section, Shape};
use crate::{
    ErrorPages, GateIndex, HeaderEdits, LimitIndex, Match, Priority, Response, UpstreamIndex,
};
use crate::{error_page, header, matching, response};

pub use compress::{Algorithm, Compress, Level as CompressionLevel, MediaType};
pub use mirror::Mirror;
pub use redirect::{Location, Path, Redirect};
pub use rewrite::{NewPath, Rewrite};
pub use split::{Arm, Split, Takes};

/// One rule of the routing list.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub name: String,
    /// The file's `match`.
    pub matches: Match,
    /// All of them admit a request, or none is charged; in the order of the file, each once.
    pub limits: Vec<LimitIndex>,
    /// Asked after the limits.
    pub gate: Option<GateIndex>,
    /// How long its requests are spared when the machine has too much to do.
    pub priority: Priority,
    pub action: Action,
    /// Changes to the request on its way to the upstream.
    pub request_headers: HeaderEdits,
    /// Changes to the response on its way to the client.
    pub response_headers: HeaderEdits,
    /// What the upstream gets to see instead of the path and the host.
    pub rewrite: Rewrite,
    /// Who gets copies of its requests.
    pub mirror: Option<Mirror>,
    /// What is shown instead of errors, before the file's own.
    pub errors: ErrorPages,
    /// Which responses are made smaller on the way to the client.
    pub compress: Option<Compress>,
    /// The whole request from its header to the last byte of the response; only with an upstream.
    pub timeout: Option<Nanos>,
}

/// Who answers a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Upstream(UpstreamIndex),
    Split(Split),
    Respond(Response),
    Redirect(Redirect),
}

impl Action {
    /// The upstreams that may answer.
    pub fn upstreams(&self) -> impl Iterator<Item = UpstreamIndex> {
        let (one, arms) = match self {
            Self::Upstream(index) => (Some(*index), &[][..]),
            Self::Split(split) => (None, &split.arms[..]),
            Self::Respond(_) | Self::Redirect(_) => (None, &[][..]),
        };
        one.into_iter().chain(arms.iter().map(|arm| arm.upstream))
    }
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
            "gate",
            Shape::Text(NAME_PATTERN),
            "the name of the gate that must let in",
        ),
        Key::new(
            "priority",
            Shape::Choice(PRIORITIES),
            "what is shed last under overload; default normal",
        ),
        Key::new("upstream", NAME, "the name of the upstream that answers"),
        Key::new(
            "split",
            Shape::List(&Shape::Section(&split::ARM), ONE),
            "several upstreams, the first that takes it",
        ),
        Key::new(
            "respond",
            Shape::Section(&response::SECTION),
            "the response that is given",
        ),
        Key::new(
            "redirect",
            Shape::Section(&redirect::SECTION),
            "where else the client is told to ask",
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
            "rewrite",
            Shape::Section(&rewrite::SECTION),
            "another path or host for the upstream",
        ),
        Key::new(
            "mirror",
            Shape::Section(&mirror::SECTION),
            "another upstream that gets copies",
        ),
        Key::new(
            "errors",
            Shape::Named(&error_page::SECTION, ANY),
            "what is shown instead of errors, before the file's own",
        ),
        Key::new(
            "compress",
            compress::SHAPE,
            "which responses are compressed; none by default",
        ),
        Key::new(
            "timeout",
            DURATION,
            "for the whole exchange with the upstream",
        ),
    ],
    one_of: &["upstream", "split", "respond", "redirect"],
};

/// In the order of [`Priority::ALL`].
const PRIORITIES: &[&str] = &["low", "normal", "high", "critical"];

/// What a route may refer to.
pub(crate) struct Known<'a> {
    pub(crate) limits: Names<'a>,
    pub(crate) upstreams: Names<'a>,
    pub(crate) tokens: Names<'a>,
    pub(crate) gates: Names<'a>,
    /// Where the file lies.
    pub(crate) folder: &'a FilePath,
}

impl Route {
    pub(crate) fn read(value: Cursor<'_>, known: &Known<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let name = fields.required("name", |value| read::name(text(value)?, value));
        let matches = fields.or("match", Match::read, Match::default());
        let limits = fields.or("limits", |list| limits(list, known), Vec::new());
        let gate = fields.optional("gate", |value| known.gates.resolve(value));
        let priority = fields.or(
            "priority",
            choice(PRIORITIES, &Priority::ALL),
            Priority::Normal,
        );
        let edits = |value: Cursor<'_>| HeaderEdits::read(value, &known.tokens);
        let request_headers = fields.or("request_headers", edits, HeaderEdits::default());
        let response_headers = fields.or("response_headers", edits, HeaderEdits::default());
        let timeout = fields.optional("timeout", span(SHORTEST));
        let rewrite = fields.or(
            "rewrite",
            |value| Rewrite::read(value, matches.as_ref()),
            Rewrite::default(),
        );
        let mirror = fields.optional("mirror", |value| Mirror::read(value, &known.upstreams));
        let errors = fields.or(
            "errors",
            |map| ErrorPages::read(map, known.folder),
            ErrorPages::default(),
        );
        let compress = fields.or("compress", Compress::read, None);
        let action = Action::read(&fields, matches.as_ref(), known);
        Some(Self {
            name: name?,
            matches: matches?,
            limits: limits?,
            gate: gate?.map(GateIndex),
            priority: priority?,
            action: action?,
            request_headers: request_headers?,
            response_headers: response_headers?,
            rewrite: rewrite?,
            mirror: mirror?,
            errors: errors?,
            compress: compress?,
            timeout: timeout?,
        })
    }
}

/// Keys about the way to an upstream.
const ONWARD: [&str; 5] = [
    "request_headers",
    "rewrite",
    "mirror",
    "compress",
    "timeout",
];

impl Action {
    fn read(fields: &Fields<'_>, matches: Option<&Match>, known: &Known<'_>) -> Option<Self> {
        let upstreams = &known.upstreams;
        let upstream = fields.optional("upstream", |value| upstreams.resolve(value));
        let split = fields.optional("split", |list| Split::read(list, upstreams));
        let respond = fields.optional("respond", Response::read(200));
        let redirect = fields.optional("redirect", |value| Redirect::read(value, matches));
        let action = match (upstream?, split?, respond?, redirect?) {
            (Some(index), None, None, None) => Self::Upstream(UpstreamIndex(index)),
            (None, Some(split), None, None) => Self::Split(split),
            (None, None, Some(response), None) => Self::Respond(response),
            (None, None, None, Some(redirect)) => Self::Redirect(redirect),
            // Reported when the fields were opened.
            _ => return None,
        };
        let here = match action {
            Self::Upstream(_) | Self::Split(_) => return Some(action),
            Self::Respond(_) => "respond",
            Self::Redirect(_) => "redirect",
        };
        match ONWARD.into_iter().find(|key| fields.has(key)) {
            Some(key) => fields.refuse(
                key,
                format!("it beside `{here}`, where nothing is sent on"),
                "only beside `upstream` or `split`",
            ),
            None => Some(action),
        }
    }
}

fn limits(list: Cursor<'_>, known: &Known<'_>) -> Option<Vec<LimitIndex>> {
    unique_list(list, "limit", |value| {
        known.limits.resolve(value).map(LimitIndex)
    })
}
