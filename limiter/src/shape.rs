//! The shapes of flow control beside a plain rate: one small core each, pure or nearly so, told the time by
//! whoever asks.
//!
//! None of them is compiled into the XDP program.

pub mod adaptive;
pub mod breaker;
pub mod concurrency;
pub mod gate;
pub mod gradient;
pub mod hot_keys;
pub mod in_flight;
pub mod line;
pub mod memory_adaptive;
pub mod outlier;
pub mod overload;
pub mod retry_budget;
pub mod warm_up;
pub mod window;
