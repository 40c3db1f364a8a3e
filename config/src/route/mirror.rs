//! `routes[].mirror`: copies of requests that another upstream gets to see.

use floodwall_limiter::Nanos;

use crate::UpstreamIndex;
use crate::read::{Cursor, Fields, Names, SHORTEST, share, size_between, span, whole_u32};
use crate::section::{DURATION, Key, NAME, SHARE, SIZE, Section, Shape};
use crate::units::Share;

/// Who gets copies of a route's requests. What it answers is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    pub upstream: UpstreamIndex,
    /// Of the requests.
    pub share: Share,
    /// A request with a larger body is not copied.
    pub body: u64,
    /// Copies under way at one time; further ones are not made.
    pub max_in_flight: u32,
    /// For a whole exchange.
    pub timeout: Nanos,
}

pub(crate) static SECTION: Section = Section {
    name: "routes[].mirror",
    keys: &[
        Key::required("upstream", NAME, "the upstream that gets the copies"),
        Key::new("share", SHARE, "of the requests; default 100%"),
        Key::new(
            "body",
            SIZE,
            "a request with a larger body is not copied; default 64KiB",
        ),
        Key::new(
            "max_in_flight",
            Shape::Whole {
                min: 1,
                max: MOST_IN_FLIGHT,
            },
            "copies at one time; default 100",
        ),
        Key::new("timeout", DURATION, "for a whole exchange; default 10s"),
    ],
    one_of: &[],
};

const MOST_IN_FLIGHT: u64 = 10_000;

impl Mirror {
    pub(crate) fn read(value: Cursor<'_>, upstreams: &Names<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let upstream = fields.required("upstream", |value| upstreams.resolve(value));
        let share = fields.or("share", share(Share::NOTHING), Share::WHOLE);
        let body = fields.or("body", size_between(0, 16 << 20), 64 << 10);
        let max_in_flight = fields.or("max_in_flight", whole_u32(1, MOST_IN_FLIGHT), 100);
        let timeout = fields.or("timeout", span(SHORTEST), Nanos::from_secs(10));
        Some(Self {
            upstream: UpstreamIndex(upstream?),
            share: share?,
            body: body?,
            max_in_flight: max_in_flight?,
            timeout: timeout?,
        })
    }
}
