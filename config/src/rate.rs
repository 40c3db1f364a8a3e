//! Rates as the file writes them, beside what the limiter counts with.

use floodwall_limiter::{Nanos, Quota};

/// A rate with its burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The rate as the file has it, such as `20/10s`.
    pub text: String,
    /// What is allowed every `per`; 0 admits nothing.
    pub count: u64,
    /// At least 1 ms.
    pub per: Nanos,
    /// What is allowed at once; 0 only when `count` is.
    pub burst: u64,
    /// The same for the limiter.
    pub quota: Quota,
}
