//! `tokens.NAME`: what is fetched in the background and put into headers.

use floodwall_limiter::Nanos;

use crate::header::headers;
use crate::matching;
use crate::read::{self, Cursor, Fields, Names, SHORTEST, choice, span, text};
use crate::response;
use crate::section::{DURATION, Key, NAME, Section, Shape, TEXT};
use crate::{Header, HeaderName, UpstreamIndex};

/// A value that an upstream gives out, such as a bearer token.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub name: String,
    pub fetch: Fetch,
    pub take: Take,
    pub missing: Missing,
}

/// The request that asks for a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    pub upstream: UpstreamIndex,
    pub method: String,
    /// With its query; begins with `/`.
    pub path: String,
    pub headers: Vec<Header>,
    pub body: Option<String>,
    /// How old a token may get.
    pub every: Nanos,
    /// For the whole exchange.
    pub timeout: Nanos,
}

/// Where the token stands in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Take {
    Header(HeaderName),
    /// A pointer into a JSON document (RFC 6901); empty for the whole of it.
    Json(String),
}

/// What becomes of a request while there is no token yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// It gets 503.
    Refuse,
    /// The header is left out.
    #[default]
    Omit,
    /// The header is there, with nothing in the token's place.
    Empty,
}

pub(crate) static SECTION: Section = Section {
    name: "tokens.NAME",
    keys: &[
        Key::required(
            "fetch",
            Shape::Section(&FETCH),
            "the request that asks for it",
        ),
        Key::required(
            "take",
            Shape::Text(r"header\([^()]+\)|json\(.*\)"),
            "header(NAME) or json(POINTER): where it stands in the answer",
        ),
        Key::new(
            "missing",
            Shape::Choice(MISSING),
            "what a request gets while there is none; default omit",
        ),
    ],
    one_of: &[],
};

static FETCH: Section = Section {
    name: "tokens.NAME.fetch",
    keys: &[
        Key::required("upstream", NAME, "the upstream that gives it out"),
        Key::new("method", Shape::Text("[A-Z][A-Z-]*"), "default GET"),
        Key::required("path", Shape::Text("/.*"), "with its query"),
        Key::new("headers", Shape::Pairs(&Shape::Scalar), "name to value"),
        Key::new("body", TEXT, "none by default"),
        Key::new("every", DURATION, "how old it may get; default 60s"),
        Key::new("timeout", DURATION, "for the whole exchange; default 5s"),
    ],
    one_of: &[],
};

/// In the order of [`MISSING_MEANS`].
const MISSING: &[&str] = &["refuse", "omit", "empty"];
const MISSING_MEANS: &[Missing] = &[Missing::Refuse, Missing::Omit, Missing::Empty];

/// Nobody's token lives shorter; bounds what a slip of the pen asks of the server.
const MOST_OFTEN: Nanos = Nanos::from_millis(100);

impl Token {
    /// Reads one of `tokens`.
    pub(crate) fn read(name: &str, value: Cursor<'_>, upstreams: &Names<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let name = read::name(name, value);
        let fetch = fields.required("fetch", |value| Fetch::read(value, upstreams));
        let take = fields.required("take", Take::read);
        let missing = fields.or("missing", choice(MISSING, MISSING_MEANS), Missing::Omit);
        Some(Self {
            name: name?,
            fetch: fetch?,
            take: take?,
            missing: missing?,
        })
    }
}

impl Fetch {
    fn read(value: Cursor<'_>, upstreams: &Names<'_>) -> Option<Self> {
        let fields = Fields::open(value, &FETCH)?;
        let upstream = fields.required("upstream", |value| upstreams.resolve(value));
        let method = fields.or("method", matching::method, "GET".to_owned());
        let path = fields.required("path", target);
        let headers = fields.or("headers", headers, Vec::new());
        let body = fields.optional("body", response::body);
        let every = fields.or("every", span(MOST_OFTEN), Nanos::from_secs(60));
        let timeout = fields.or("timeout", span(SHORTEST), Nanos::from_secs(5));
        Some(Self {
            upstream: UpstreamIndex(upstream?),
            method: method?,
            path: path?,
            headers: headers?,
            body: body?,
            every: every?,
            timeout: timeout?,
        })
    }
}

fn target(value: Cursor<'_>) -> Option<String> {
    let target = text(value)?;
    let plain = target.chars().all(|c| ('!'..='~').contains(&c) && c != '#');
    if plain && target.starts_with('/') {
        Some(target.to_owned())
    } else {
        value.refuse("a path that begins with /, with its query, as it stands on the wire")
    }
}

impl Take {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let written = text(value)?;
        let call = written
            .strip_suffix(')')
            .and_then(|call| call.split_once('('));
        match call {
            Some(("header", name)) => HeaderName::of(name, value).map(Self::Header),
            Some(("json", pointer)) if pointer.is_empty() || pointer.starts_with('/') => {
                Some(Self::Json(pointer.to_owned()))
            }
            _ => value.refuse("header(NAME), or json(POINTER) such as json(/access_token)"),
        }
    }
}
