//! The page that a scrape reads, written family by family.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use crate::status::LatencyStatus;

/// The page that is being written: a line of help for each family, then its samples.
pub(super) struct Page<'e>(pub(super) DescriptorEncoder<'e>);

impl Page<'_> {
    pub(super) fn counter<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in samples {
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
        Ok(())
    }

    pub(super) fn counter_one(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, f64>(&count, None)
    }

    pub(super) fn gauge<L: EncodeLabelSet, N: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, N)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    pub(super) fn gauge_one(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    /// A histogram of times.
    pub(super) fn histogram<'a, L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, &'a LatencyStatus)>,
    ) -> fmt::Result {
        let seconds = Some(&Unit::Seconds);
        let mut family = self
            .0
            .encode_descriptor(name, help, seconds, MetricType::Histogram)?;
        for (labels, times) in samples {
            let buckets = times.buckets.iter();
            let buckets: Vec<_> = buckets
                .map(|bucket| (bucket.most_seconds.unwrap_or(f64::INFINITY), bucket.count))
                .collect();
            family
                .encode_family(&labels)?
                .encode_histogram::<NoLabelSet>(times.sum_seconds, times.count, &buckets, None)?;
        }
        Ok(())
    }

    pub(super) fn unit_gauges<L: EncodeLabelSet, N: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        unit: &Unit,
        samples: impl IntoIterator<Item = (L, N)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, Some(unit), MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    pub(super) fn unit_gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: &Unit,
        value: f64,
    ) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, Some(unit), MetricType::Gauge)?
            .encode_gauge(&value)
    }
}
