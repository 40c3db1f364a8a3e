//! `gates.NAME`: who is let in to something that there is less of than people who want it.

use crate::key;
use crate::read::{self, Cursor, Fields, choice, count, moment, share};
use crate::response;
use crate::section::{COUNT, Key, MOMENT, SHARE, Section, Shape};
use crate::units::{Moment, Share};
use crate::{KeyPart, Response};

/// A gate: closed before it opens and after it closes, a draw in between, and only so many places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    pub name: String,
    /// Whoever is let in once is let in always. None: every request is somebody new, and nobody is remembered.
    pub key: Option<Vec<KeyPart>>,
    pub opens: Option<Moment>,
    /// Later than `opens`.
    pub closes: Option<Moment>,
    /// The part of those who ask that is let in.
    pub admit: Share,
    /// 1 to 10,000,000.
    pub max_admitted: Option<u64>,
    pub draw: Draw,
    /// What a request without the key is.
    pub absent: Nameless,
    /// The answer before it opens.
    pub before: Response,
    /// The answer to who is not drawn.
    pub refused: Response,
    /// The answer when all places are taken.
    pub full: Response,
    /// The answer after it has closed.
    pub after: Response,
}

/// How the draw is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Anew for each request: who is not drawn may try again.
    Random,
    /// By a keyed hash of the key and the gate's name: trying again does not help.
    Fixed,
}

/// What becomes of a request without the gate's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nameless {
    /// It is refused: it could be anybody, and letting it in once would let everybody in.
    Refuse,
    /// All of them are one.
    Shared,
}

pub(crate) static SECTION: Section = Section {
    name: "gates.NAME",
    keys: &[
        Key::new(
            "key",
            key::KEY,
            "who is let in once is let in always; none by default: nobody is remembered",
        ),
        Key::new("opens", MOMENT, "always open by default"),
        Key::new("closes", MOMENT, "never by default"),
        Key::new("admit", SHARE, "the part that is drawn; default 100%"),
        Key::new("max_admitted", COUNT, "places; no bound by default"),
        Key::new(
            "draw",
            Shape::Choice(DRAWS),
            "for each request, or once for each key; default random",
        ),
        Key::new(
            "absent",
            Shape::Choice(ABSENT),
            "what a request without the key is; default refuse",
        ),
        Key::new(
            "before",
            Shape::Section(&response::SECTION),
            "before it opens; default 403",
        ),
        Key::new(
            "refused",
            Shape::Section(&response::SECTION),
            "when not drawn; default 403",
        ),
        Key::new(
            "full",
            Shape::Section(&response::SECTION),
            "when all places are taken; default as `refused`",
        ),
        Key::new(
            "after",
            Shape::Section(&response::SECTION),
            "after it has closed; default as `refused`",
        ),
    ],
    one_of: &[],
};

const DRAWS: &[&str] = &["random", "fixed"];
const ABSENT: &[&str] = &["refuse", "shared"];
const MOST_PLACES: u64 = 10_000_000;

impl Gate {
    pub(crate) fn read(name: &str, value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let name = read::name(name, value);
        let key = fields.optional("key", KeyPart::read_all);
        let opens = fields.optional("opens", moment);
        let closes = fields.optional("closes", moment);
        let admit = fields.or("admit", share(Share::NOTHING), Share::WHOLE);
        let max_admitted = fields.optional("max_admitted", count(1, MOST_PLACES));
        let draw = fields.or(
            "draw",
            choice(DRAWS, &[Draw::Random, Draw::Fixed]),
            Draw::Random,
        );
        let absent = fields.or(
            "absent",
            choice(ABSENT, &[Nameless::Refuse, Nameless::Shared]),
            Nameless::Refuse,
        );
        let answer = |key| fields.optional(key, Response::read(403));
        let (before, refused, full, after) = (
            answer("before"),
            answer("refused"),
            answer("full"),
            answer("after"),
        );
        // A key of no parts is nobody's key.
        let key = key?.filter(|parts| !parts.is_empty());
        let fits =
            check_key(&fields, key.as_deref(), draw?) & check_times(&fields, opens?, closes?);
        let (refused, full, after) = (refused?, full?, after?);
        let or_refused = |given: Option<Response>, own: &str| {
            given
                .or_else(|| refused.clone())
                .unwrap_or_else(|| said(own))
        };
        let gate = Self {
            name: name?,
            key,
            opens: opens?,
            closes: closes?,
            admit: admit?,
            max_admitted: max_admitted?,
            draw: draw?,
            absent: absent?,
            before: before?.unwrap_or_else(|| said("not open yet\n")),
            full: or_refused(full, "all places are taken\n"),
            after: or_refused(after, "it is over\n"),
            refused: or_refused(None, "you were not drawn\n"),
        };
        fits.then_some(gate)
    }
}

fn said(body: &str) -> Response {
    Response {
        status: 403,
        headers: Vec::new(),
        body: Some(body.to_owned()),
    }
}

/// Reports keys that mean nothing with the gate's key.
fn check_key(fields: &Fields<'_>, key: Option<&[KeyPart]>, draw: Draw) -> bool {
    let mut fits = true;
    let mut refuse = |name: &str, found: &str, allowed: &str| {
        fields.refuse::<()>(name, found, allowed);
        fits = false;
    };
    let nameless = "it without a key that says who is asking";
    if key.is_none() {
        for name in ["max_admitted", "absent"] {
            if fields.has(name) {
                refuse(name, nameless, "only beside `key`");
            }
        }
        if draw == Draw::Fixed {
            refuse("draw", nameless, "random, or a `key` beside it");
        }
    } else if fields.has("absent")
        && !key.is_some_and(|parts| parts.iter().any(KeyPart::may_be_absent))
    {
        refuse(
            "absent",
            "it on a key that every request has",
            "only when `key` has a header, cookie or query",
        );
    }
    fits
}

fn check_times(fields: &Fields<'_>, opens: Option<Moment>, closes: Option<Moment>) -> bool {
    match (opens, closes) {
        (Some(opens), Some(closes)) if closes <= opens => {
            let found = "a moment that is not after `opens`";
            fields.refuse::<()>("closes", found, format!("a moment after {opens}"));
            false
        }
        _ => true,
    }
}
