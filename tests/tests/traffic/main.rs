//! Routing and traffic: where requests are sent, what is changed on their way, and what is put into it.

use std::net::SocketAddr;

use floodwall_tests::Yaml;

mod compression;
mod errors;
mod headers;
mod mirrors;
mod redirects;
mod rewrites;
mod splits;
mod tokens;

/// A file with one upstream, `app`, and these routes: one a line, with `- ` before each.
pub(crate) fn front(web: SocketAddr, app: SocketAddr, routes: &str) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }\nupstreams: { app: { servers: [APP] } }\nroutes:\n",
    )
    .with("WEB", web)
    .with("APP", app)
    .and(routes)
}
