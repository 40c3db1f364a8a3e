//! Copies of requests, and those that were not made.

use std::fmt;

use super::Page;
use crate::mirror::MirrorStatus;

pub(super) fn write(mirrors: &[MirrorStatus], page: &mut Page<'_>) -> fmt::Result {
    if mirrors.is_empty() {
        return Ok(());
    }
    let copies = mirrors.iter().flat_map(|mirror| {
        [
            ("answered", mirror.answered),
            ("failed", mirror.failed),
            ("too_large", mirror.too_large),
            ("too_many", mirror.too_many),
        ]
        .map(|(outcome, count)| {
            (
                [("route", mirror.route.as_str()), ("outcome", outcome)],
                count,
            )
        })
    });
    page.counter(
        "mirrored_requests",
        "Copies of requests by route and outcome; `too_large` and `too_many` were not made",
        copies,
    )
}
