//! Readers for single values and for lists of them.

use std::collections::HashMap;
use std::hash::Hash;

use floodwall_limiter::Nanos;

use super::Cursor;
use crate::units::{
    Moment, RateParts, Share, UnitError, format_duration, format_size, parse_byte_rate,
    parse_count, parse_duration, parse_moment, parse_rate, parse_share, parse_size,
};
use crate::yaml::ScalarKind;

/// The shortest timeout.
pub(crate) const SHORTEST: Nanos = Nanos::from_millis(1);

/// Reads text. A number is not text: `name: 5` needs quotes.
pub(crate) fn text(value: Cursor<'_>) -> Option<&str> {
    match value.kind() {
        Some(ScalarKind::Text) => value
            .written()
            .filter(|text| !text.is_empty())
            .or_else(|| value.refuse("text")),
        Some(ScalarKind::Nothing) | None => value.refuse("text"),
        Some(_) => value.refuse("text (put quotes around it)"),
    }
}

/// Reads `true` or `false`.
pub(crate) fn flag(value: Cursor<'_>) -> Option<bool> {
    match value.kind() {
        Some(ScalarKind::Bool(flag)) => Some(flag),
        _ => value.refuse("true or false"),
    }
}

/// Reads one of a few words.
pub(crate) fn choice<T: Copy>(
    words: &'static [&'static str],
    meanings: &'static [T],
) -> impl Fn(Cursor<'_>) -> Option<T> {
    debug_assert_eq!(words.len(), meanings.len(), "a meaning for each word");
    move |value| {
        let found = value
            .written()
            .and_then(|word| words.iter().position(|known| *known == word));
        match found.and_then(|at| meanings.get(at)) {
            Some(meaning) if value.kind() == Some(ScalarKind::Text) => Some(*meaning),
            _ => value.refuse(words.join(", ")),
        }
    }
}

/// Reads a whole number between `min` and `max`.
pub(crate) fn whole(min: u64, max: u64) -> impl Fn(Cursor<'_>) -> Option<u64> {
    move |value| match value.kind() {
        Some(ScalarKind::Integer(number)) => match u64::try_from(number) {
            Ok(number) if (min..=max).contains(&number) => Some(number),
            _ => value.refuse(between(min, max)),
        },
        _ => value.refuse(between(min, max)),
    }
}

/// Makes readers of whole numbers for the smaller types; `max` is one of the type's numbers.
macro_rules! whole_as {
    ($($name:ident -> $type:ty),*) => {$(
        pub(crate) fn $name(min: u64, max: u64) -> impl Fn(Cursor<'_>) -> Option<$type> {
            debug_assert!(<$type>::try_from(max).is_ok(), "the largest number fits the type");
            move |value| whole(min, max)(value)?.try_into().ok()
        }
    )*};
}
whole_as!(whole_u8 -> u8, whole_u16 -> u16, whole_u32 -> u32);

/// Reads a whole number that may be written with `k` or `M`.
pub(crate) fn count(min: u64, max: u64) -> impl Fn(Cursor<'_>) -> Option<u64> {
    move |value| match (value.kind(), value.written()) {
        (Some(ScalarKind::Text), Some(text)) => match parse_count(text) {
            Ok(count) if (min..=max).contains(&count) => Some(count),
            _ => value.refuse(between(min, max)),
        },
        _ => whole(min, max)(value),
    }
}

fn between(min: u64, max: u64) -> String {
    format!("a whole number from {min} to {max}")
}

/// Reads a duration of `min` at least.
pub(crate) fn span(min: Nanos) -> impl Fn(Cursor<'_>) -> Option<Nanos> {
    move |value| {
        let span = unit(value, parse_duration, "a duration such as 250ms or 5s")?;
        if span < min {
            return value.refuse(format!("a duration of at least {}", format_duration(min)));
        }
        Some(span)
    }
}

/// Reads a size between `min` and `max` bytes.
pub(crate) fn size_between(min: u64, max: u64) -> impl Fn(Cursor<'_>) -> Option<u64> {
    move |value| {
        let size = unit(value, parse_size, "a size such as 64KiB")?;
        if !(min..=max).contains(&size) {
            return value.refuse(format!("{} to {}", format_size(min), format_size(max)));
        }
        Some(size)
    }
}

/// Reads a moment.
pub(crate) fn moment(value: Cursor<'_>) -> Option<Moment> {
    unit(value, parse_moment, "a moment such as 2026-11-27T08:00:00Z")
}

/// Reads a share of `min` at least.
pub(crate) fn share(min: Share) -> impl Fn(Cursor<'_>) -> Option<Share> {
    move |value| {
        let share = unit(value, parse_share, "a share such as 40%")?;
        if share < min {
            return value.refuse(format!("a share of at least {min}"));
        }
        Some(share)
    }
}

/// Reads a rate and keeps its text.
pub(crate) fn rate(value: Cursor<'_>) -> Option<(String, RateParts)> {
    let parts = unit(value, parse_rate, "a rate such as 50/s or 20/10s")?;
    Some((value.written()?.to_owned(), parts))
}

/// Reads a rate in bytes and keeps its text.
pub(crate) fn byte_rate(value: Cursor<'_>) -> Option<(String, RateParts)> {
    let parts = unit(value, parse_byte_rate, "a rate such as 10MiB/s or 10M/s")?;
    Some((value.written()?.to_owned(), parts))
}

/// Reads a number of bytes between `min` and `max`, as a size or as a count.
pub(crate) fn bytes(min: u64, max: u64) -> impl Fn(Cursor<'_>) -> Option<u64> {
    move |value| {
        let size = value.written().and_then(|text| parse_size(text).ok());
        match size {
            Some(_) => size_between(min, max)(value),
            None => count(min, max)(value),
        }
    }
}

/// Reads text in one of the small languages.
fn unit<T>(value: Cursor<'_>, parse: fn(&str) -> Result<T, UnitError>, allowed: &str) -> Option<T> {
    match (value.kind(), value.written()) {
        (Some(ScalarKind::Text), Some(text)) => match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => value.refuse(error.allowed),
        },
        _ => value.refuse(allowed),
    }
}

/// Reads a list whose items differ from each other; `what` names one of them.
pub(crate) fn unique_list<T: Eq + Hash>(
    value: Cursor<'_>,
    what: &str,
    read: impl FnMut(Cursor<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = value.items(read)?;
    let mut seen = HashMap::with_capacity(items.len());
    let mut unique = true;
    for (at, item) in items.iter().enumerate() {
        if let Some(first) = seen.insert(item, at) {
            let found = format!("the same {what} as in item {first}, counted from 0");
            value.item::<()>(at, |again| again.refuse_as(found, "each once"));
            unique = false;
        }
    }
    unique.then_some(items)
}

/// Refuses a collection that has fewer items than `min` or more than `max`.
pub(crate) fn counted<T>(
    value: Cursor<'_>,
    items: Vec<T>,
    min: usize,
    max: usize,
) -> Option<Vec<T>> {
    match items.len() {
        found if found < min => {
            value.refuse_as(format!("{found} of them"), format!("at least {min}"))
        }
        found if found > max => {
            value.refuse_as(format!("{found} of them"), format!("at most {max}"))
        }
        _ => Some(items),
    }
}
