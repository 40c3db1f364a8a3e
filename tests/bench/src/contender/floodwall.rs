//! The job as a Floodwall file.

use super::{Job, Limits};

pub(super) fn text(job: &Job) -> String {
    let Job {
        listen,
        origin,
        limits,
        behind_proxy,
        block,
    } = job;
    let clients = if *behind_proxy {
        "clients: { trusted_proxies: [127.0.0.0/8] }\n"
    } else {
        ""
    };
    let keys: &[(&str, &str)] = match limits {
        Limits::None => &[],
        Limits::PerClient(_) => &KEYS[..1],
        Limits::Five(_) => &KEYS,
    };
    let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
    format!(
        "listeners: {{ web: {{ address: \"{listen}\" }} }}\n\
         {clients}\
         upstreams: {{ app: {{ servers: [\"{origin}\"] }} }}\n\
         {}\
         routes: [{{ name: all, limits: [{}], upstream: app }}]\n\
         admin: {{ socket: floodwall.sock }}\n\
         log: {{ access: off, level: warn }}\n\
         server: {{ threads: 1, drain: 1s }}\n",
        budgets(keys, *limits, *block),
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

fn budgets(keys: &[(&str, &str)], limits: Limits, block: Option<&str>) -> String {
    let (Limits::PerClient(rate) | Limits::Five(rate)) = limits else {
        return String::new();
    };
    let block = block.map_or(String::new(), |block| format!(", block: {block}"));
    let burst = 2 * rate;
    let lines = keys.iter().map(|(name, key)| {
        format!("  {name}: {{ key: {key}, rate: {rate}/s, burst: {burst}{block} }}\n")
    });
    format!("limits:\n{}", lines.collect::<String>())
}
