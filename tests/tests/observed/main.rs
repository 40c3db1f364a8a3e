//! What an operator sees of the traffic: the access log, the metrics, and the traces that go through.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

mod access_log;
mod metrics;
mod monitoring;
mod openmetrics;
mod trace;
