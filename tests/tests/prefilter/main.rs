//! The pre-filter as its operator meets it: captures, samples, counters, resets, and floods with forged senders.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

mod blocks;
mod cookies;
mod dump;
mod edge;
mod frame;
mod reload;
mod seen;
mod strangers;
mod top;
