//! The listeners: who is connected to each, and until when their certificates are valid.

use std::fmt;

use prometheus_client::registry::Unit;

use super::Page;
use crate::status::ListenerStatus;

pub(super) fn write(listeners: &[ListenerStatus], page: &mut Page<'_>) -> fmt::Result {
    let open = listeners
        .iter()
        .map(|each| ([("listener", each.name.as_str())], each.connections_open));
    page.gauge(
        "listener_connections_open",
        "Client connections by listener",
        open,
    )?;
    let ends = listeners.iter().flat_map(|listener| {
        listener.certificates.iter().map(|certificate| {
            let labels = [
                ("listener", listener.name.as_str()),
                ("certificate", certificate.chain.as_str()),
            ];
            (labels, certificate.ends_unix_seconds)
        })
    });
    page.unit_gauges(
        "certificate_expiry_timestamp",
        "When a certificate ends to be valid, in seconds since 1970, by listener and file",
        &Unit::Seconds,
        ends,
    )
}
