//! `limits.NAME.count`: what a rate is a rate of.

use crate::read::{Cursor, Fields, choice, flag, unique_list, whole_u16};
use crate::section::{Key, ONE, Section, Shape};
use crate::yaml::ScalarKind;

/// What a rate counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// Each request as it comes.
    Requests,
    /// The bytes of bodies, as they pass.
    Bytes(Direction),
    /// Each response of a certain kind, once it is known. A key that is over is refused at its next request.
    Responses(Responses),
}

/// Which bodies are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Both,
    /// Those of requests.
    In,
    /// Those of responses.
    Out,
}

/// Which responses are counted: those with one of the statuses, and with `errors` those that no upstream gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    pub statuses: Vec<StatusPattern>,
    /// Requests whose upstream could not be reached, broke off or took too long.
    pub errors: bool,
}

/// A status, or all of one hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusPattern {
    One(u16),
    /// The file's `4xx` is 4.
    Class(u16),
}

impl Responses {
    /// Whether a response counts: its status, and whether the upstream had failed to give one.
    pub fn has(&self, status: u16, failed: bool) -> bool {
        failed && self.errors
            || self.statuses.iter().any(|pattern| match pattern {
                StatusPattern::One(one) => *one == status,
                StatusPattern::Class(class) => *class == status / 100,
            })
    }
}

const WORDS: &[&str] = &["requests", "bytes", "bytes_in", "bytes_out"];

pub(super) const SHAPE: Shape = Shape::Either(&[Shape::Choice(WORDS), Shape::Section(&SECTION)]);

static SECTION: Section = Section {
    name: "limits.NAME.count",
    keys: &[Key::required(
        "responses",
        Shape::Section(&RESPONSES),
        "which responses count: status, errors, or both",
    )],
    one_of: &[],
};

static RESPONSES: Section = Section {
    name: "limits.NAME.count.responses",
    keys: &[
        Key::new(
            "status",
            Shape::List(&STATUS, ONE),
            "statuses such as 404 or 5xx",
        ),
        Key::new(
            "errors",
            Shape::Flag,
            "responses that stand for an upstream's failure; default false",
        ),
    ],
    one_of: &[],
};

const STATUS: Shape = Shape::Either(&[Shape::Whole { min: 100, max: 599 }, Shape::Text("[1-5]xx")]);

const STATUSES: &str = "a status such as 404, or a class such as 5xx";

impl Count {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        if !value.is_map() {
            let word = choice(
                WORDS,
                &[
                    None,
                    Some(Direction::Both),
                    Some(Direction::In),
                    Some(Direction::Out),
                ],
            );
            return word(value).map(|bytes| bytes.map_or(Self::Requests, Self::Bytes));
        }
        let fields = Fields::open(value, &SECTION)?;
        fields
            .required("responses", Responses::read)
            .map(Self::Responses)
    }
}

impl Responses {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &RESPONSES)?;
        let statuses = fields.or(
            "status",
            |list| unique_list(list, "status", StatusPattern::read),
            Vec::new(),
        );
        let errors = fields.or("errors", flag, false);
        let responses = Self {
            statuses: statuses?,
            errors: errors?,
        };
        if responses == Self::default() {
            return value.refuse_as("nothing that counts", "`status`, `errors: true`, or both");
        }
        Some(responses)
    }
}

impl StatusPattern {
    fn read(value: Cursor<'_>) -> Option<Self> {
        if value.kind() != Some(ScalarKind::Text) {
            return whole_u16(100, 599)(value).map(Self::One);
        }
        let class = value.written().and_then(|text| text.strip_suffix("xx"));
        match class.and_then(|class| class.parse().ok()) {
            Some(class @ 1..=5) => Some(Self::Class(class)),
            _ => value.refuse(STATUSES),
        }
    }
}
