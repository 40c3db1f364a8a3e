//! The job as an nginx file; and the origin of all contenders, which is an nginx too.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use super::{Job, Limits};
use crate::server::Server;

pub(super) fn start(job: &Job) -> anyhow::Result<Server> {
    Server::start(job.listen, |folder| text(job, folder), command)
}

/// A server that answers everything with six bytes, but [`LARGE`] with 64 KiB.
pub(crate) fn origin(listen: SocketAddr) -> anyhow::Result<Server> {
    Server::start(listen, |folder| site(listen, folder), command)
}

/// The path of the large answer.
pub(crate) const LARGE: &str = "/large";

fn site(listen: SocketAddr, folder: &Path) -> String {
    // Without it the large answer is a 404, which every measurement counts as a refusal and ends at.
    let _ = fs::write(folder.join("large"), "x".repeat(65536));
    frame(
        folder,
        &format!(
            "server {{
               listen {listen} backlog=4096;
               location / {{ return 200 \"hello\\n\"; }}
               location = {LARGE} {{ root {}; sendfile on; open_file_cache max=10; }}
             }}",
            folder.display()
        ),
    )
}

fn command(file: &Path) -> Command {
    let mut nginx = Command::new("nginx");
    nginx.arg("-c").arg(file);
    nginx
}

fn text(job: &Job, folder: &Path) -> String {
    let Job {
        listen,
        origin,
        limits,
        behind_proxy,
        tls,
        ..
    } = job;
    let (tls, certificate) = tls.map_or_else(Default::default, |tls| {
        let files = format!(
            "ssl_certificate {}; ssl_certificate_key {}; ssl_session_cache shared:tls:10m;",
            tls.chain.display(),
            tls.key.display()
        );
        ("ssl http2", files)
    });
    let (zone, limit) = match limits {
        Limits::PerClient(rate) => (
            format!("limit_req_zone $binary_remote_addr zone=clients:256m rate={rate}r/s;"),
            format!(
                "limit_req zone=clients burst={} nodelay; limit_req_status 429;",
                2 * rate
            ),
        ),
        // One more than the first at once, and then its slowest rate.
        Limits::Scarce(_) => (
            "limit_req_zone $http_x_key zone=keys:256m rate=1r/m;".to_owned(),
            "limit_req zone=keys burst=1 nodelay; limit_req_status 429;".to_owned(),
        ),
        Limits::None | Limits::Several(..) => (String::new(), String::new()),
    };
    let real_ip = if *behind_proxy {
        "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;"
    } else {
        ""
    };
    let http = format!(
        "{zone}
         {real_ip}
         upstream app {{ server {origin}; keepalive 256; keepalive_requests 1000000000; }}
         server {{
           listen {listen} backlog=4096 {tls};
           {certificate}
           location / {{
             {limit}
             proxy_pass http://app;
             proxy_http_version 1.1;
             proxy_set_header Connection \"\";
             proxy_set_header Host $http_host;
             proxy_set_header X-Forwarded-For $remote_addr;
             proxy_set_header X-Forwarded-Proto $scheme;
             proxy_set_header X-Forwarded-Host $http_host;
             proxy_set_header X-Request-Id $request_id;
           }}
         }}"
    );
    frame(folder, &http)
}

fn frame(folder: &Path, http: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
         worker_processes 1;
         pid {folder}/pid;
         error_log {folder}/error crit;
         events {{ worker_connections 20000; }}
         http {{
           access_log off;
           keepalive_requests 1000000000;
           {http}
         }}"
    )
}
