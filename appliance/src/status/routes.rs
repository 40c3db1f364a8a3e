//! Routes, what became of their requests, and how long that took.

use serde::{Deserialize, Serialize};

use super::ClassCount;
use crate::{
    generation::Generation,
    stats::{BOUNDS, Latency},
};

/// One route that has had requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteStatus {
    pub name: String,
    /// By the class of their status.
    pub finished: Vec<ClassCount>,
    /// From the end of a request's head to the end of its response.
    pub duration: LatencyStatus,
}

/// How long things took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyStatus {
    pub count: u64,
    pub sum_seconds: f64,
    pub buckets: Vec<BucketStatus>,
}

/// Times that are no longer than this, and longer than what the bucket before it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketStatus {
    /// None for the last one, which has no end.
    pub most_seconds: Option<f64>,
    pub count: u64,
}

/// The routes that have had requests, in the order of the file.
pub(super) fn routes(generation: &Generation) -> Vec<RouteStatus> {
    let routes = generation.route_stats().map(|(name, stats)| RouteStatus {
        name: name.to_owned(),
        finished: ClassCount::all(|class| stats.answers.of(class)),
        duration: LatencyStatus::of(&stats.duration),
    });
    routes.filter(|route| route.duration.count > 0).collect()
}

impl LatencyStatus {
    pub(super) fn of(latency: &Latency) -> Self {
        let buckets = latency.buckets();
        let ends = BOUNDS.into_iter().map(Some).chain([None]);
        Self {
            count: buckets.iter().sum(),
            sum_seconds: latency.sum_seconds(),
            buckets: ends
                .zip(buckets)
                .map(|(most_seconds, count)| BucketStatus {
                    most_seconds,
                    count,
                })
                .collect(),
        }
    }

    /// The end of the bucket that holds the time which this share of all times does not exceed: infinite for the
    /// last one, and none when nothing was measured.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts beyond 2^52 may lose their last digit"
        )]
        let wanted = self.count as f64 * share;
        let mut counted = 0;
        let holder = self.buckets.iter().find(|bucket| {
            counted += bucket.count;
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            let reached = counted as f64;
            bucket.count > 0 && reached >= wanted
        });
        holder.map(|bucket| bucket.most_seconds.unwrap_or(f64::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use floodwall_limiter::Nanos;

    use super::*;

    #[test]
    fn quantiles_are_ends_of_buckets() {
        let latency = Latency::default();
        assert_eq!(LatencyStatus::of(&latency).quantile(0.5), None);
        for millis in [1, 1, 3, 40_000] {
            latency.note(Nanos::from_millis(millis));
        }
        let status = LatencyStatus::of(&latency);
        for (share, end) in [
            (0.0, 0.001),
            (0.5, 0.001),
            (0.75, 0.005),
            (0.99, f64::INFINITY),
        ] {
            assert_eq!(status.quantile(share), Some(end), "{share}");
        }
    }
}
