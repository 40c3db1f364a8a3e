//! The numbers of `status` for Prometheus: `OpenMetrics` text, made when it is asked for.
//!
//! Nothing is counted here. The request path adds to plain atomics, and a scrape reads them.

mod answers;
mod gates;
mod limits;
mod listeners;
mod mirrors;
mod page;
pub mod plain;
mod prefilter;
mod process;
mod protection;
mod resources;
mod state;
mod tokens;
mod traffic;
mod upstreams;

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    registry::Registry,
};

use self::page::Page;
use crate::{service::Service, status::Status};

/// The media type of [`Metrics::text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page of metrics.
#[derive(Debug)]
pub struct Metrics {
    service: Registry,
    /// Without a prefix: every process has these.
    resources: Registry,
}

impl Metrics {
    pub fn new(service: Arc<Service>) -> Self {
        let started = service.host.started.wall;
        let mut resources = Registry::default();
        resources.register_collector(Box::new(resources::Resources { started }));
        let mut registry = Registry::with_prefix("floodwall");
        registry.register_collector(Box::new(Scrape(service)));
        Self {
            service: registry,
            resources,
        }
    }

    /// The page as it is now.
    ///
    /// # Errors
    /// Never in practice: a `String` takes everything.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        text::encode_registry(&mut page, &self.service)?;
        text::encode_registry(&mut page, &self.resources)?;
        text::encode_eof(&mut page)?;
        Ok(page)
    }

    /// The same in the older format, of [`plain::MEDIA_TYPE`].
    ///
    /// # Errors
    /// As [`Metrics::text`].
    pub fn plain_text(&self) -> Result<String, fmt::Error> {
        Ok(plain::from_open_metrics(&self.text()?))
    }
}

#[derive(Debug)]
struct Scrape(Arc<Service>);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        write(&self.0.status(), &mut Page(encoder))
    }
}

fn write(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    process::write(status, page)?;
    traffic::write(status, page)?;
    listeners::write(&status.listeners, page)?;
    answers::write(status, page)?;
    limits::write(status, page)?;
    gates::write(&status.gates, page)?;
    if let Some(protection) = &status.protection {
        protection::write(protection, page)?;
    }
    upstreams::write(status, page)?;
    tokens::write(&status.tokens, page)?;
    mirrors::write(&status.mirrors, page)?;
    state::write(status.state.as_ref(), page)?;
    prefilter::write(&status.prefilter, page)
}
