//! The job as a Floodwall file.

use super::{Job, Limits};

pub(super) fn text(job: &Job) -> String {
    let Job {
        listen,
        origin,
        limits,
        behind_proxy,
        block,
        tls,
    } = job;
    let clients = if *behind_proxy {
        "clients: { trusted_proxies: [127.0.0.0/8] }\n"
    } else {
        ""
    };
    // Four cells for each: what it takes to forget none.
    let table = match limits {
        Limits::Scarce(clients) => format!(
            "prefilter: {{ interfaces: [lo], mode: \"off\", table: {{ sources: {} }} }}\n",
            4 * clients
        ),
        _ => String::new(),
    };
    let limits = match limits {
        Limits::None => Vec::new(),
        Limits::PerClient(_) => named(1),
        Limits::Scarce(_) => vec![("per-key".to_owned(), "header(x-key)")],
        Limits::Several(count, _) => named(*count),
    };
    let names: Vec<&str> = limits.iter().map(|(name, _)| name.as_str()).collect();
    let tls = tls.map_or(String::new(), |tls| {
        format!(
            ", tls: {{ certificates: [{{ chain: {}, key: {} }}], alpn: [h2, http/1.1] }}, http2: true",
            tls.chain.display(),
            tls.key.display()
        )
    });
    format!(
        "listeners: {{ web: {{ address: \"{listen}\"{tls} }} }}\n\
         {clients}\
         upstreams: {{ app: {{ servers: [\"{origin}\"] }} }}\n\
         {}\
         routes: [{{ name: all, limits: [{}], upstream: app }}]\n\
         admin: {{ socket: floodwall.sock }}\n\
         log: {{ access: off, level: warn }}\n\
         server: {{ threads: 1, drain: 1s }}\n\
         {table}",
        budgets(&limits, &rate(job.limits), *block),
        names.join(", ")
    )
}

const KEYS: [(&str, &str); 5] = [
    ("per-client", "client"),
    ("everybody", "none"),
    ("by-host", "host"),
    ("by-path", "path"),
    ("by-client-and-path", "[client, path]"),
];

/// So many limits with names of their own.
fn named(count: usize) -> Vec<(String, &'static str)> {
    let keys = KEYS.iter().cycle().enumerate().take(count);
    keys.map(|(at, (name, key))| (format!("{name}-{at}"), *key))
        .collect()
}

fn rate(limits: Limits) -> String {
    match limits {
        Limits::None => String::new(),
        Limits::Scarce(_) => "rate: 2/h, burst: 2".to_owned(),
        Limits::PerClient(rate) | Limits::Several(_, rate) => {
            format!("rate: {rate}/s, burst: {}", 2 * rate)
        }
    }
}

fn budgets(limits: &[(String, &str)], rate: &str, block: Option<&str>) -> String {
    if limits.is_empty() {
        return String::new();
    }
    let block = block.map_or(String::new(), |block| format!(", block: {block}"));
    let lines = limits
        .iter()
        .map(|(name, key)| format!("  {name}: {{ key: {key}, {rate}{block} }}\n"));
    format!("limits:\n{}", lines.collect::<String>())
}
