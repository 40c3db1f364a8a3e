//! The job as an HAProxy file.

use std::process::Command;

use super::{Job, Limits};
use crate::server::Server;

pub(super) fn start(job: &Job) -> anyhow::Result<Server> {
    Server::start(
        job.listen,
        |_| text(job),
        |file| {
            let mut haproxy = Command::new("haproxy");
            haproxy.arg("-db").arg("-f").arg(file);
            haproxy
        },
    )
}

fn text(job: &Job) -> String {
    let Job {
        listen,
        origin,
        limits,
        behind_proxy,
        tls,
        ..
    } = job;
    let tls = tls.map_or(String::new(), |tls| {
        format!("ssl crt {} alpn h2,http/1.1", tls.bundle.display())
    });
    let client = if *behind_proxy {
        "hdr_ip(x-forwarded-for)"
    } else {
        "src"
    };
    // Its counter slides over a period; that is as near as it comes to a rate with a burst of two seconds' worth.
    let limit = match limits {
        Limits::PerClient(rate) => format!(
            "stick-table type ip size 2m expire 10m store http_req_rate(2s)
             http-request track-sc0 {client}
             http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {} }}",
            2 * rate
        ),
        Limits::Scarce(_) => {
            "stick-table type string len 16 size 2m expire 2h store http_req_rate(1h)
             http-request track-sc0 req.hdr(x-key)
             http-request deny deny_status 429 if { sc_http_req_rate(0) gt 2 }"
                .to_owned()
        }
        Limits::None | Limits::Several(..) => String::new(),
    };
    format!(
        "global
           nbthread 1
           maxconn 9900
         defaults
           mode http
           timeout connect 3s
           timeout client 60s
           timeout server 60s
         frontend web
           bind {listen} backlog 4096 {tls}
           {limit}
           http-request set-header X-Forwarded-For %[src]
           http-request set-header X-Forwarded-Proto http
           http-request set-header X-Forwarded-Host %[req.hdr(host)]
           http-request set-header X-Request-Id %[uuid]
           default_backend app
         backend app
           http-reuse always
           server origin {origin}\n"
    )
}
