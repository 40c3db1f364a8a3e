//! `routes[].split`: one route, several upstreams.

use crate::read::{Cursor, Fields, Names, share};
use crate::section::{Key, NAME, SHARE, Section, Shape};
use crate::units::Share;
use crate::{KeyPart, Match, UpstreamIndex, key, matching};

/// Who of several upstreams takes a request: the first arm that wants it.
///
/// A key has a point between nothing and the whole that never changes. The shares lie one after the other, in the
/// order of the file, and an arm takes the keys whose points are within its share.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// At least one; together they take every request.
    pub arms: Vec<Arm>,
    /// What is sent one way always. A request that lacks all of it goes by its client.
    pub sticky: Vec<KeyPart>,
}

/// One way to go.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub takes: Takes,
    pub upstream: UpstreamIndex,
}

/// What an arm takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Takes {
    When(Match),
    /// Keys from one point to the next: those of the earlier shares come before.
    Share {
        from: Share,
        to: Share,
    },
    Rest,
}

pub(crate) static ARM: Section = Section {
    name: "routes[].split[]",
    keys: &[
        Key::new(
            "when",
            Shape::Section(&matching::SECTION),
            "takes the requests that match",
        ),
        Key::new("share", SHARE, "takes so many of the keys"),
        Key::new(
            "sticky",
            key::KEY,
            "the key that goes one way always; default client",
        ),
        Key::required("upstream", NAME, "the name of the upstream that answers"),
    ],
    one_of: &[],
};

impl Split {
    pub(crate) fn read(list: Cursor<'_>, upstreams: &Names<'_>) -> Option<Self> {
        let mut taken = Share::NOTHING;
        let mut sticky: Option<Vec<KeyPart>> = None;
        let mut complete = false;
        let arms = list.items(|item| {
            if complete {
                return item.refuse_as("an arm that no request gets to", "none after the last");
            }
            let (arm, keyed) = read_arm(item, upstreams, &mut taken)?;
            if let Some(key) = keyed {
                agree(item, &mut sticky, key)?;
            }
            complete = matches!(arm.takes, Takes::Rest) || taken == Share::WHOLE;
            Some(arm)
        })?;
        if !complete {
            return list.refuse_as(
                "no arm that takes what is left",
                "{ upstream: NAME } as the last one, or shares of 100%",
            );
        }
        Some(Self {
            arms,
            sticky: sticky.unwrap_or_else(|| vec![KeyPart::Client]),
        })
    }
}

/// Reads an arm, with the key of its share.
fn read_arm(
    item: Cursor<'_>,
    upstreams: &Names<'_>,
    spent: &mut Share,
) -> Option<(Arm, Option<Vec<KeyPart>>)> {
    let fields = Fields::open(item, &ARM)?;
    let when = fields.optional("when", Match::read);
    let part = fields.optional("share", share(Share::NOTHING));
    let key = fields.optional("sticky", sticky);
    let upstream = fields.required("upstream", |value| upstreams.resolve(value));
    let (when, part, key) = (when?, part?, key?);
    if key.is_some() && part.is_none() {
        return fields.refuse("sticky", "`sticky` without `share`", "only beside `share`");
    }
    let takes = match (when, part) {
        (Some(_), Some(_)) => {
            return fields.refuse("share", "`share` beside `when`", "one of them");
        }
        (Some(when), None) => Takes::When(when),
        (None, Some(part)) => {
            let (from, sum) = (*spent, spent.millionths() + part.millionths());
            if sum > Share::WHOLE.millionths() {
                let found = format!("{part} when only {} is left", left(*spent));
                return fields.refuse("share", found, "shares of 100% together");
            }
            *spent = Share::of_millionths(sum);
            Takes::Share { from, to: *spent }
        }
        (None, None) => Takes::Rest,
    };
    let upstream = UpstreamIndex(upstream?);
    let keyed = part.map(|_| key.unwrap_or_else(|| vec![KeyPart::Client]));
    Some((Arm { takes, upstream }, keyed))
}

fn left(taken: Share) -> Share {
    Share::of_millionths(Share::WHOLE.millionths() - taken.millionths())
}

fn sticky(value: Cursor<'_>) -> Option<Vec<KeyPart>> {
    let key = KeyPart::read_all(value)?;
    // Neither is the same at the next request, or on the next host.
    if key.is_empty() || key.contains(&KeyPart::Connection) {
        return value.refuse("client, header(NAME), cookie(NAME), query(NAME), path, host, method, route, or a list of them");
    }
    Some(key)
}

/// Two keys would have two points, and the shares would not add up.
fn agree(item: Cursor<'_>, agreed: &mut Option<Vec<KeyPart>>, key: Vec<KeyPart>) -> Option<()> {
    match agreed {
        Some(agreed) if *agreed != key => item.refuse_as(
            "another `sticky` than before",
            "one key for all shares of a split",
        ),
        _ => {
            *agreed = Some(key);
            Some(())
        }
    }
}
