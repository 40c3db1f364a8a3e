//! The job as an Envoy file: a proxy without limits.

use std::{env, process::Command};

use super::Job;
use crate::server::Server;

/// Where `.ci/need bench` puts the binary, unless the environment names another one.
pub(super) fn start(job: &Job) -> anyhow::Result<Server> {
    let binary = env::var_os("ENVOY_BIN").unwrap_or_else(|| "envoy".into());
    Server::start(
        job.listen,
        |_| text(job),
        |_| {
            let mut envoy = Command::new(binary);
            // It reads YAML from files of that name only, so it is told the text itself.
            envoy
                .arg("--config-yaml")
                .arg(text(job))
                .args("--concurrency 1 --disable-hot-restart -l warn".split(' '));
            envoy
        },
    )
}

fn text(job: &Job) -> String {
    let (host, port) = (job.listen.ip(), job.listen.port());
    let (to, to_port) = (job.origin.ip(), job.origin.port());
    let tls = job.tls.map_or(String::new(), |tls| {
        format!(
            "transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates:
            - certificate_chain: {{ filename: {} }}
              private_key: {{ filename: {} }}",
            tls.chain.display(),
            tls.key.display()
        )
    });
    format!(
        "static_resources:
  listeners:
  - address: {{ socket_address: {{ address: {host}, port_value: {port} }} }}
    tcp_backlog_size: 4096
    filter_chains:
    - {tls}
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          codec_type: AUTO
          use_remote_address: true
          generate_request_id: true
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes: [{{ match: {{ prefix: / }}, route: {{ cluster: app }} }}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: app
    type: STATIC
    connect_timeout: 3s
    circuit_breakers: {{ thresholds: [{{ max_connections: 20000, max_pending_requests: 20000, max_requests: 20000 }}] }}
    load_assignment:
      cluster_name: app
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: {to}, port_value: {to_port} }} }} }} }}] }}]
"
    )
}
