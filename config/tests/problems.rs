//! Tables of texts and of what is said about them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fmt::Write;

use floodwall_config::{Config, schema};

/// Who can see that a text is wrong.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    /// Already the JSON Schema.
    BySchema,
    /// Only the reader, which knows more than one value at a time.
    ByReader,
}
use Seen::{ByReader, BySchema};

/// A file that is right, before `rest` is added: two lines.
const DOOR: &str = "listeners: { web: { address: '127.0.0.1:8080' } }\nroutes: [{ name: all, respond: { status: 200 } }]\n";

/// Checks that `DOOR` and each row's text have just the row's problem, from its line on (the text's first line is 3).
fn check(rows: &[(Seen, &str, &str)]) {
    for (seen, rest, expected) in rows {
        let text = format!("{DOOR}{rest}\n");
        check_whole(*seen, &text, expected);
    }
}

/// The same for a row whose place is plain from its path.
fn check_without_place(seen: Seen, rest: &str, expected: &str) {
    let text = format!("{DOOR}{rest}\n");
    let problems = Config::from_text(&text, "f").unwrap_err().to_string();
    let (_, said) = problems.split_once(": ").unwrap();
    check_whole(seen, &text, &problems);
    assert_eq!(said, expected, "\n{text}");
}

fn check_whole(seen: Seen, text: &str, expected: &str) {
    let problems = Config::from_text(text, "f")
        .err()
        .map(|problems| problems.to_string());
    assert_eq!(problems.as_deref(), Some(expected), "\n{text}");
    let json: serde_json::Value = serde_yaml::from_str(text).unwrap();
    let refused = !jsonschema::is_valid(&schema(), &json);
    assert_eq!(refused, seen == BySchema, "the schema on\n{text}");
}

#[test]
fn the_door_itself_is_right() {
    Config::from_text(DOOR, "f").unwrap();
    assert!(jsonschema::is_valid(
        &schema(),
        &serde_yaml::from_str(DOOR).unwrap()
    ));
}

#[test]
fn keys() {
    check(&[
        (
            BySchema,
            "limts: {}",
            "f:3:1: limts: unknown key, did you mean `limits`?; allowed: listeners, clients, upstreams, routes, limits, tokens, gates, errors, protection, prefilter, admin, log, state, server",
        ),
        (
            BySchema,
            "backends: {}",
            "f:3:1: backends: unknown key; allowed: listeners, clients, upstreams, routes, limits, tokens, gates, errors, protection, prefilter, admin, log, state, server",
        ),
        (
            BySchema,
            "<<: {}",
            "f:3:1: <<: unknown key; allowed: listeners, clients, upstreams, routes, limits, tokens, gates, errors, protection, prefilter, admin, log, state, server",
        ),
        (
            BySchema,
            "server: { thread: 2 }",
            "f:3:11: server.thread: unknown key, did you mean `threads`?; allowed: threads, drain, merge_slashes",
        ),
        (
            BySchema,
            "cluster: {}",
            "f:3:1: cluster: is in the contract but not built yet; remove it",
        ),
        (
            BySchema,
            "limits: { a: { key: client } }",
            "f:3:14: limits.a.rate: is missing; allowed: exactly one of rate, concurrency",
        ),
        (
            BySchema,
            "server: [threads]",
            "f:3:9: server: found a list; allowed: a mapping",
        ),
        (
            BySchema,
            "limits:",
            "f:3:1: limits: found nothing; allowed: a mapping",
        ),
        (
            BySchema,
            "limits: { 'two words': { key: client, rate: 1/s } }",
            "f:3:24: limits.\"two words\": found the name \"two words\"; allowed: 1 to 64 letters, digits or any of _ . : / @ + -",
        ),
    ]);
}

#[test]
fn keys_given_twice_at_every_level() {
    for (rest, expected) in [
        (
            "server: {}\nserver: {}",
            "f:4:1: server: given twice, first at 3:1; allowed: once",
        ),
        (
            "server: { drain: 1s, drain: 2s }",
            "f:3:22: server.drain: given twice, first at 3:11; allowed: once",
        ),
        (
            "limits: { a: { key: client, rate: 1/s }, \"a\": { key: none, rate: 1/s } }",
            "f:3:42: limits.a: given twice, first at 3:11; allowed: once",
        ),
        (
            "limits: { a: { key: client, rate: 1/s, exceptions: { 192.0.2.1: unlimited, 192.0.2.1: 1/s } } }",
            "f:3:76: limits.a.exceptions.\"192.0.2.1\": given twice, first at 3:54; allowed: once",
        ),
    ] {
        let text = format!("{DOOR}{rest}\n");
        assert_eq!(
            Config::from_text(&text, "f").unwrap_err().to_string(),
            expected,
            "\n{text}"
        );
    }
}

#[test]
fn a_name_given_twice_among_many() {
    let mut text = format!("{DOOR}limits:\n");
    for at in (0..40).chain([7]) {
        writeln!(text, "  l{at}: {{ key: none, rate: 1/s }}").unwrap();
    }
    let problems = Config::from_text(&text, "f").unwrap_err().to_string();
    assert_eq!(
        problems,
        "f:44:3: limits.l7: given twice, first at 11:3; allowed: once"
    );
}

#[test]
fn numbers_that_are_none() {
    let limit = |rest: &str| format!("limits: {{ a: {{ key: none, {rest} }} }}");
    let rate = "N/s, N/m, N/h, N/d or N/DURATION, such as 50/s, 20/10s or 10k/s";
    let plain = "a rate such as 50/s or 20/10s";
    for (value, found, allowed) in [
        (".nan", "the number .nan", plain),
        (".inf", "the number .inf", plain),
        ("1e400", "`1e400`", rate),
        ("5", "the number 5", plain),
        ("yes", "`yes`", rate),
        ("true", "true", plain),
        ("~", "nothing", plain),
        ("[1/s]", "a list", plain),
        ("-1/s", "`-1/s`", rate),
        ("1.5k/s", "`1.5k/s`", rate),
        ("unlimited", "`unlimited`", rate),
        ("11M/s", "`11M/s`", "at most 10M/s"),
    ] {
        let text = format!("{DOOR}{}\n", limit(&format!("rate: {value}")));
        let problems = Config::from_text(&text, "f").unwrap_err();
        let place = if value == "~" { "3:27" } else { "3:33" };
        assert_eq!(
            problems.to_string(),
            format!("f:{place}: limits.a.rate: found {found}; allowed: {allowed}")
        );
    }
    let burst = "a whole number from 1 to 1000000000";
    for (value, found) in [
        ("0", "the number 0"),
        ("-1", "the number -1"),
        ("1.5", "the number 1.5"),
        (".nan", "the number .nan"),
        ("1e3", "the number 1e3"),
        ("010", "`010`"),
        (
            "99999999999999999999999999999999999999999",
            "the number 99999999999999999999999999999999999999999",
        ),
        ("two", "`two`"),
        ("\"\"", "``"),
    ] {
        let text = format!("{DOOR}{}\n", limit(&format!("rate: 1/s, burst: {value}")));
        let problems = Config::from_text(&text, "f").unwrap_err();
        assert_eq!(
            problems.to_string(),
            format!("f:3:45: limits.a.burst: found {found}; allowed: {burst}")
        );
    }
}

#[test]
fn limits() {
    check(&[
        (
            ByReader,
            "limits: { a: { key: none, rate: 1/365d, burst: 1M } }",
            "f:3:48: limits.a.burst: found 1000000, which `rate` takes centuries to give back; allowed: at most 292",
        ),
        (
            BySchema,
            "limits: { a: { key: user, rate: 1/s } }",
            "f:3:21: limits.a.key: found `user`; allowed: none, client, header(NAME), cookie(NAME), query(NAME), path, host, method, route, connection, tls.sni, tls.ja4, or a list of them",
        ),
        (
            ByReader,
            "limits: { a: { key: header(a b), rate: 1/s } }",
            "f:3:21: limits.a.key: found \"a b\"; allowed: a header name",
        ),
        (
            BySchema,
            "limits: { a: { key: tls.ja3, rate: 1/s } }",
            "f:3:21: limits.a.key: found `tls.ja3`; allowed: none, client, header(NAME), cookie(NAME), query(NAME), path, host, method, route, connection, tls.sni, tls.ja4, or a list of them",
        ),
        (
            BySchema,
            "limits: { a: { key: [client, none], rate: 1/s } }",
            "f:3:30: limits.a.key[1]: found `none` in a list; allowed: `key: none` alone",
        ),
        (
            BySchema,
            "limits: { a: { key: [path, path], rate: 1/s } }",
            "f:3:28: limits.a.key[1]: found the same part as in item 0, counted from 0; allowed: each once",
        ),
        (
            BySchema,
            "limits: { a: { key: [], rate: 1/s } }",
            "f:3:21: limits.a.key: found 0 of them; allowed: at least 1",
        ),
        (
            ByReader,
            "limits: { a: { key: path, rate: 1/s, block: { after: 1, within: 1s, for: 1s } } }",
            "f:3:45: limits.a.block: found a block on a key without `client`: refusals would not say whom to block; allowed: only when `key` has client",
        ),
        (
            ByReader,
            "limits: { a: { key: client, rate: 1/s, block: { after: 1, within: 1s, for: 5s, max: 4s } } }",
            "f:3:85: limits.a.block.max: found 4s, less than `for`; allowed: at least 5s",
        ),
        (
            BySchema,
            "limits: { a: { key: client, rate: 1/s, block: { after: 32768, within: 1s, for: 5s } } }",
            "f:3:56: limits.a.block.after: found the number 32768; allowed: a whole number from 1 to 32767",
        ),
        (
            BySchema,
            "limits: { a: { key: client, rate: 1/s, block: { after: 1, within: 1s, for: 5s, scope: world } } }",
            "f:3:87: limits.a.block.scope: found `world`; allowed: listeners, host",
        ),
        (
            ByReader,
            "limits: { a: { key: client, rate: 1/s, absent: skip } }",
            "f:3:48: limits.a.absent: found it on a key that every request has; allowed: only when `key` has a header, cookie or query",
        ),
        (
            ByReader,
            "limits: { a: { key: none, rate: 1/s, exceptions: { x: 1/s } } }",
            "f:3:55: limits.a.exceptions.x: found an exception to one budget for all; allowed: none with `key: none`",
        ),
        (
            ByReader,
            "limits: { a: { key: client, rate: 1/s, exceptions: { bob: 1/s } } }",
            "f:3:59: limits.a.exceptions.bob: found `bob`; allowed: an address or a network, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32",
        ),
        (
            ByReader,
            "limits: { a: { key: client, rate: 1/s, exceptions: { 10.1.2.3/8: 1/s } } }",
            "f:3:66: limits.a.exceptions.\"10.1.2.3/8\": found `10.1.2.3/8` with host bits set; allowed: 10.0.0.0/8",
        ),
        (
            ByReader,
            "limits: { a: { key: client, rate: 1/s, exceptions: { 192.0.2.1: 1/s, 192.0.2.1/32: 2/s } } }",
            "f:3:84: limits.a.exceptions.\"192.0.2.1/32\": found `192.0.2.1/32` again, written otherwise; allowed: each once",
        ),
        (
            BySchema,
            "limits: { a: { key: client, rate: 1/s, reject: { status: 600 } } }",
            "f:3:58: limits.a.reject.status: found the number 600; allowed: a whole number from 200 to 599",
        ),
        (
            BySchema,
            "limits: { a: { key: client, rate: 1/s, shadow: yes } }",
            "f:3:48: limits.a.shadow: found `yes`; allowed: true or false",
        ),
    ]);
}

#[test]
fn shapes_of_limits() {
    let refused = |rest: &str| {
        let text = format!(
            "{DOOR}limits: {{ b: {{ key: none, rate: 1/s }}, a: {{ key: client, {rest} }} }}\n"
        );
        let problems = Config::from_text(&text, "f").unwrap_err().to_string();
        problems
            .replace("f:3:", "")
            .lines()
            .map(|line| line.split_once(": ").unwrap().1.to_owned())
            .collect::<Vec<_>>()
    };
    for (rest, expected) in [
        (
            "rate: 1/s, concurrency: 3",
            "limits.a: found `rate` and `concurrency`; allowed: exactly one of rate, concurrency",
        ),
        (
            "concurrency: 3, warm_up: { period: 1s }",
            "limits.a.warm_up: found it beside `concurrency`, but it belongs to a rate; allowed: one of the two",
        ),
        (
            "rate: 1/s, warm_up: { period: 1s, cold_factor: 1 }",
            "limits.a.warm_up.cold_factor: found the number 1; allowed: a whole number from 2 to 100",
        ),
        (
            "rate: 1/s, queue: { max_wait: 1s }, cost: { response_header: x-cost }",
            "limits.a.cost: found it beside `queue`, but a turn is given out before its cost is known; allowed: one of the two",
        ),
        (
            "rate: 1KiB/s, count: bytes, queue: { max_wait: 1s }",
            "limits.a.queue: found it beside a `count` of something else than requests; allowed: only with `count: requests`",
        ),
        (
            "rate: 1KiB/s",
            "limits.a.rate: found `1KiB/s`; allowed: N/s, N/m, N/h, N/d or N/DURATION, such as 50/s, 20/10s or 10k/s",
        ),
        (
            "rate: 1/s, count: { responses: { errors: false } }",
            "limits.a.count.responses: found nothing that counts; allowed: `status`, `errors: true`, or both",
        ),
        (
            "rate: 1/s, count: { responses: { status: [404, 7xx] } }",
            "limits.a.count.responses.status[1]: found `7xx`; allowed: a status such as 404, or a class such as 5xx",
        ),
        (
            "rate: 1/s, related: { limit: a }",
            "limits.a.related.limit: found the limit itself; allowed: another limit",
        ),
        (
            "rate: 1/s, related: { route: nowhere }",
            "limits.a.related.route: found `nowhere`, but no route has this name; allowed: all",
        ),
        (
            "rate: 1/s, adapt: { memory: { low: 90%, high: 1GiB, rate: 1/s } }",
            "limits.a.adapt.memory.high: found a share beside a size; allowed: both of one kind",
        ),
        (
            "rate: 1/s, adapt: { memory: { low: 90%, high: 60%, rate: 1/s } }",
            "limits.a.adapt.memory.high: found no more than `low`; allowed: more than `low`",
        ),
        (
            "concurrency: 3, exceptions: { 192.0.2.1: 1/s }",
            "limits.a.exceptions.\"192.0.2.1\": found `1/s`; allowed: a whole number from 0 to 1000000",
        ),
        (
            "rate: 1/s, enforce: 40",
            "limits.a.enforce: found the number 40; allowed: a share such as 40%",
        ),
    ] {
        assert_eq!(refused(rest), [expected], "{rest}");
    }
}

#[test]
fn clients_and_addresses() {
    check(&[
        (
            ByReader,
            "clients: { trusted_proxies: [10.0.0.1/8] }",
            "f:3:30: clients.trusted_proxies[0]: found `10.0.0.1/8` with host bits set; allowed: 10.0.0.0/8",
        ),
        (
            ByReader,
            "clients: { trusted_proxies: ['::ffff:192.0.2.1'] }",
            "f:3:30: clients.trusted_proxies[0]: found the IPv4-mapped `::ffff:192.0.2.1`; allowed: it as IPv4: 192.0.2.1",
        ),
        (
            ByReader,
            "clients: { trusted_proxies: [10.0.0.0/33] }",
            "f:3:30: clients.trusted_proxies[0]: found `10.0.0.0/33`; allowed: an address or a network, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32",
        ),
        (
            ByReader,
            "clients: { forwarded_header: x-real-ip }",
            "f:3:30: clients.forwarded_header: found a header that nobody is trusted to set; allowed: only beside `trusted_proxies`",
        ),
        (
            BySchema,
            "clients: { ipv6_prefix: 129 }",
            "f:3:25: clients.ipv6_prefix: found the number 129; allowed: a whole number from 1 to 128",
        ),
        (
            BySchema,
            "clients: { ipv4_prefix: 0 }",
            "f:3:25: clients.ipv4_prefix: found the number 0; allowed: a whole number from 1 to 32",
        ),
        (
            ByReader,
            "admin: { address: 127.0.0.1:0 }",
            "f:3:19: admin.address: found `127.0.0.1:0`; allowed: a port from 1 to 65535",
        ),
        (
            ByReader,
            "admin: { address: 127.0.0.1:8080 }",
            "f:3:19: admin.address: found `127.0.0.1:8080`, but listeners.web has 127.0.0.1:8080; allowed: an address of its own",
        ),
        (
            ByReader,
            "admin: { address: 0.0.0.0:8080 }",
            "f:3:19: admin.address: found `0.0.0.0:8080`, but listeners.web has 127.0.0.1:8080; allowed: an address of its own",
        ),
        (
            BySchema,
            "admin: { hosts: ['http://edge.test'] }",
            "f:3:18: admin.hosts[0]: found `http://edge.test`; allowed: a host without port, such as www.example.org or *.example.org",
        ),
        (
            ByReader,
            "admin: { hosts: [edge.test, EDGE.test] }",
            "f:3:29: admin.hosts[1]: found the same host as in item 0, counted from 0; allowed: each once",
        ),
        (
            BySchema,
            "admin: { address: localhost:9901 }",
            "f:3:19: admin.address: found `localhost:9901`; allowed: an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        ),
        (
            BySchema,
            "log: { level: loud }",
            "f:3:15: log.level: found `loud`; allowed: error, warn, info, debug, trace",
        ),
        (
            ByReader,
            "log: { access: stdot }",
            "f:3:16: log.access: found `stdot`; allowed: stdout, stderr, off, or a path with a / in it such as ./access.log",
        ),
        (
            BySchema,
            "server: { threads: 0 }",
            "f:3:20: server.threads: found the number 0; allowed: a whole number from 1 to 1024",
        ),
        (
            BySchema,
            "server: { drain: 30 }",
            "f:3:18: server.drain: found the number 30; allowed: a duration such as 250ms or 5s",
        ),
    ]);
}

#[test]
fn upstreams() {
    check(&[
        (
            BySchema,
            "upstreams: { a: {} }",
            "f:3:17: upstreams.a.servers: is missing; allowed: ip:port, host:port or unix:PATH, or {address, weight}",
        ),
        (
            BySchema,
            "upstreams: { a: { servers: [] } }",
            "f:3:28: upstreams.a.servers: found 0 of them; allowed: at least 1",
        ),
        (
            BySchema,
            "upstreams: { a: { servers: [app] } }",
            "f:3:29: upstreams.a.servers[0]: found `app`; allowed: an address or a name and a port, such as 127.0.0.1:9000, [::1]:9000 or app.internal:9000, or unix:PATH",
        ),
        (
            BySchema,
            "upstreams: { a: { servers: [127.0.0.1] } }",
            "f:3:29: upstreams.a.servers[0]: found `127.0.0.1`; allowed: an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        ),
        (
            BySchema,
            "upstreams: { a: { servers: [{ address: 127.0.0.1:1, weight: 0 }] } }",
            "f:3:61: upstreams.a.servers[0].weight: found the number 0; allowed: a whole number from 1 to 1000",
        ),
        (
            ByReader,
            "upstreams: { a: { servers: [127.0.0.1:1, { address: 127.0.0.1:1 }] } }",
            "f:3:42: upstreams.a.servers[1]: found `127.0.0.1:1` again; allowed: each server once, with a weight",
        ),
        (
            BySchema,
            "upstreams: { a: { servers: [127.0.0.1:1], balance: hash } }",
            "f:3:52: upstreams.a.balance: found `hash`; allowed: round_robin, least_request, random, or hash(KEY) with a key such as client, header(NAME), cookie(NAME) or path",
        ),
        (
            ByReader,
            "upstreams: { a: { servers: [127.0.0.1:1], balance: hash(path), slow_start: 5s } }",
            "f:3:76: upstreams.a.slow_start: found `slow_start` beside `balance: hash(path)`; allowed: it beside round_robin, least_request or random: a key has one server, or another",
        ),
        (
            ByReader,
            "upstreams: { a: { servers: [a:1], dns: { refresh: 10ms } } }",
            "f:3:51: upstreams.a.dns.refresh: found `10ms`; allowed: a duration of at least 1s",
        ),
        (
            BySchema,
            "upstreams: { a: { servers: [127.0.0.1:1], balance: roundrobin } }",
            "f:3:52: upstreams.a.balance: found `roundrobin`; allowed: round_robin, least_request, random, or hash(KEY) with a key such as client, header(NAME), cookie(NAME) or path",
        ),
        (
            BySchema,
            "upstreams: { a: { servers: [127.0.0.1:1], timeouts: { connect: 0.5s } } }",
            "f:3:64: upstreams.a.timeouts.connect: found `0.5s`; allowed: a whole number with ms, s, m, h or d, such as 250ms or 5s",
        ),
        (
            ByReader,
            "upstreams: { a: { servers: [127.0.0.1:1], timeouts: { connect: 0s } } }",
            "f:3:64: upstreams.a.timeouts.connect: found `0s`; allowed: a duration of at least 1ms",
        ),
        (
            BySchema,
            "upstreams: { a: { servers: [127.0.0.1:1], retries: { attempts: 11 } } }",
            "f:3:64: upstreams.a.retries.attempts: found the number 11; allowed: a whole number from 0 to 10",
        ),
    ]);
}

#[test]
fn prefilter() {
    check(&[
        (
            BySchema,
            "prefilter: {}",
            "f:3:12: prefilter.interfaces: is missing; allowed: where packets come in",
        ),
        (
            BySchema,
            "prefilter: { interfaces: [an-interface-of-20-b] }",
            "f:3:27: prefilter.interfaces[0]: found `an-interface-of-20-b`; allowed: an interface name of at most 15 bytes",
        ),
        (
            BySchema,
            "prefilter: { interfaces: [lo], mode: fast }",
            "f:3:38: prefilter.mode: found `fast`; allowed: auto, native, generic, off",
        ),
        (
            ByReader,
            "prefilter: { interfaces: [lo], mode: off, required: true }",
            "f:3:53: prefilter.required: found true beside `mode: off`; allowed: false, or another mode",
        ),
        (
            ByReader,
            "prefilter: { interfaces: [lo], table: { sources: 1000 } }",
            "f:3:50: prefilter.table.sources: found the number 1000; allowed: a whole number from 1024 to 1000000000",
        ),
        (
            ByReader,
            "prefilter: { interfaces: [lo], outlive: 999ms }",
            "f:3:41: prefilter.outlive: found `999ms`; allowed: a duration of at least 1s",
        ),
        (
            BySchema,
            "prefilter: { interfaces: [lo], instance: ../etc }",
            "f:3:42: prefilter.instance: found `../etc`; allowed: 1 to 32 of a-z, 0-9, _ and -",
        ),
        (
            BySchema,
            "prefilter: { interfaces: [lo], limits: { a: { key: client, rate: 1/s } } }",
            "f:3:52: prefilter.limits.a.key: found `client`; allowed: none, source, port or [source, port]",
        ),
        (
            BySchema,
            "prefilter: { interfaces: [lo], limits: { a: { match: { ports: [0] }, key: none, rate: 1/s } } }",
            "f:3:64: prefilter.limits.a.match.ports[0]: found the number 0; allowed: a port from 1 to 65535, or two of them in order as in 8000-8099",
        ),
        (
            ByReader,
            "prefilter: { interfaces: [lo], limits: { a: { match: { ports: [9-8] }, key: none, rate: 1/s } } }",
            "f:3:64: prefilter.limits.a.match.ports[0]: found `9-8`; allowed: a port from 1 to 65535, or two of them in order as in 8000-8099",
        ),
        (
            ByReader,
            "prefilter: { interfaces: [lo], limits: { a: { match: { protocol: udp, syn: true }, key: none, rate: 1/s } } }",
            "f:3:76: prefilter.limits.a.match.syn: found it on a protocol without SYN; allowed: only with tcp",
        ),
        (
            ByReader,
            "prefilter: { interfaces: [lo], limits: { a: { match: { protocol: icmp }, key: port, rate: 1/s } } }",
            "f:3:79: prefilter.limits.a.key: found ports as key of ICMP, which has none; allowed: none or source",
        ),
    ]);
    let many: Vec<String> = (0..17)
        .map(|at| format!("    l{at}: {{ key: none, rate: 1/s }}"))
        .collect();
    let many = many.join(
        "
",
    );
    check(&[(
        ByReader,
        &format!("prefilter:\n  interfaces: [lo]\n  limits:\n{many}"),
        "f:6:5: prefilter.limits: found 17 of them; allowed: at most 16",
    )]);
}

/// One listener, an upstream `app`, a limit `fair`, and `route` as the only one: it stands in line 4.
fn check_route(seen: Seen, route: &str, expected: &str) {
    let head = "listeners: { web: { address: '127.0.0.1:8080' } }\nupstreams: { app: { servers: ['127.0.0.1:9000'] } }\nlimits: { fair: { key: client, rate: 1/s } }\n";
    check_whole(seen, &format!("{head}routes: [{route}]\n"), expected);
}

/// Checks each row as the keys of a packet limit.
fn check_packet_limit(rows: &[(Seen, &str, &str)]) {
    for (seen, limit, expected) in rows {
        let text = format!("prefilter: {{ interfaces: [lo], limits: {{ a: {{ {limit} }} }} }}");
        check_without_place(*seen, &text, &format!("prefilter.limits.a.{expected}"));
    }
}

#[test]
fn packet_limits() {
    check_packet_limit(&[
        (
            ByReader,
            "key: none, rate: 10MiB/s",
            "rate: found `10MiB/s`; allowed: N/s, N/m, N/h, N/d or N/DURATION, such as 50/s, 20/10s or 10k/s",
        ),
        (
            BySchema,
            "key: none, rate: 10MB/s, per: bytes",
            "rate: found `10MB/s`; allowed: SIZE/s or N/s in bytes, such as 10MiB/s, 64KiB/10s or 10M/s",
        ),
        (
            ByReader,
            "key: none, rate: 20GiB/s, per: bytes",
            "rate: found `20GiB/s`; allowed: at most 10000M/s",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, per: bytes, burst: 1KiB",
            "burst: found `1KiB`; allowed: 1518B to 1024GiB",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, burst: 1KiB",
            "burst: found `1KiB`; allowed: a whole number from 1 to 1000000000",
        ),
        (
            BySchema,
            "key: none, rate: 1/s, per: bits",
            "per: found `bits`; allowed: packets, bytes",
        ),
        (
            BySchema,
            "key: none, rate: 1/s, shadow: maybe",
            "shadow: found `maybe`; allowed: true or false",
        ),
        (
            BySchema,
            "key: source, rate: 1/s, ipv4_prefix: 33",
            "ipv4_prefix: found the number 33; allowed: a whole number from 1 to 32",
        ),
        (
            ByReader,
            "key: port, rate: 1/s, ipv6_prefix: 48",
            "ipv6_prefix: found it on a key without `source`; allowed: only when `key` has source",
        ),
    ]);
}

#[test]
fn what_packet_limits_match() {
    check_packet_limit(&[
        (
            ByReader,
            "key: [source, port], rate: 1/s, match: { protocol: gre }",
            "key: found ports as key of GRE, which has none; allowed: none or source",
        ),
        (
            ByReader,
            "key: port, rate: 1/s, match: { icmp: [8] }",
            "key: found ports as key of ICMP, which has none; allowed: none or source",
        ),
        (
            ByReader,
            "key: port, rate: 1/s, match: { protocol: 89 }",
            "key: found ports as key of protocol 89, which has none; allowed: none or source",
        ),
        (
            BySchema,
            "key: none, rate: 1/s, match: { protocol: 256 }",
            "match.protocol: found the number 256; allowed: tcp, udp, icmp, sctp, igmp, gre, esp, ah, or a number from 0 to 255",
        ),
        (
            BySchema,
            "key: none, rate: 1/s, match: { protocol: ospf }",
            "match.protocol: found `ospf`; allowed: tcp, udp, icmp, sctp, igmp, gre, esp, ah, or a number from 0 to 255",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, match: { protocol: 50, ports: [80] }",
            "match.ports: found ports of ESP, which has none; allowed: only with tcp, udp or sctp",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, match: { protocol: sctp, syn: true }",
            "match.syn: found it on a protocol without SYN; allowed: only with tcp",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, over: cookie, match: { new: true }",
            "over: found cookie on what may be no SYN; allowed: only with `match: { syn: true }`",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, match: { protocol: udp, new: true }",
            "match.new: found it on a protocol without connections; allowed: only with tcp or sctp",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, match: { syn: true, new: true }",
            "match.new: found it beside `syn`, which it includes; allowed: one of them",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, match: { protocol: tcp, icmp: [8] }",
            "match.icmp: found ICMP types on TCP; allowed: only with `protocol: icmp`",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, match: { icmp: [8], ports: [80] }",
            "match.icmp: found ICMP types beside ports, syn or new, which ICMP has not; allowed: one of them",
        ),
        (
            BySchema,
            "key: none, rate: 1/s, match: { icmp: [packet-too-big] }",
            "match.icmp[0]: found `packet-too-big`; allowed: echo-request, echo-reply, unreachable, time-exceeded, parameter-problem, timestamp-request, timestamp-reply, or a number from 0 to 255",
        ),
    ]);
}

#[test]
fn exceptions_of_packet_limits() {
    check_packet_limit(&[
        (
            ByReader,
            "key: source, rate: 1/s, exceptions: { 192.0.2.1/24: 5/s }",
            "exceptions.\"192.0.2.1/24\": found `192.0.2.1/24` with host bits set; allowed: 192.0.2.0/24",
        ),
        (
            ByReader,
            "key: source, rate: 1/s, exceptions: { 192.0.2.1: 5/s, 192.0.2.1/32: 6/s }",
            "exceptions.\"192.0.2.1/32\": found `192.0.2.1/32` again, written otherwise; allowed: each once",
        ),
        (
            ByReader,
            "key: none, rate: 1/s, exceptions: { 192.0.2.1: 5/s }",
            "exceptions: found a rate for 192.0.2.1/32, but the key has no `source`; allowed: unlimited, or a key with source",
        ),
        (
            ByReader,
            "key: source, ipv4_prefix: 24, rate: 1/s, exceptions: { 192.0.2.1: 5/s }",
            "exceptions: found a rate for 192.0.2.1/32, which is smaller than what the limit counts as one source; allowed: unlimited, or a network that is no smaller",
        ),
    ]);
}

#[test]
fn blocks_checks_and_samples() {
    let cases: &[(Seen, &str, &str)] = &[
        (
            BySchema,
            "fragments: maybe",
            "fragments: found `maybe`; allowed: drop, pass",
        ),
        (
            BySchema,
            "checks: { land: reset }",
            "checks.land: found `reset`; allowed: drop, pass",
        ),
        (
            BySchema,
            "checks: { xmas: drop }",
            "checks.xmas: unknown key; allowed: tcp_flags, land, martians, lengths",
        ),
        (
            BySchema,
            "blocks: { action: reject }",
            "blocks.action: found `reject`; allowed: drop, reset",
        ),
        (
            ByReader,
            "blocks: { max: 0 }",
            "blocks.max: found the number 0; allowed: a whole number from 1 to 16384",
        ),
        (
            ByReader,
            "blocks: { max: 20k }",
            "blocks.max: found `20k`; allowed: a whole number from 1 to 16384",
        ),
        (
            BySchema,
            "blocks: { rate: 5 }",
            "blocks.rate: found the number 5; allowed: a rate such as 50/s or 20/10s",
        ),
        (
            BySchema,
            "sample: off",
            "sample: found `off`; allowed: N/s, N/m, N/h, N/d or N/DURATION, such as 50/s, 20/10s or 10k/s",
        ),
    ];
    for (seen, keys, expected) in cases {
        let text = format!("prefilter: {{ interfaces: [lo], {keys} }}");
        check_without_place(*seen, &text, &format!("prefilter.{expected}"));
    }
}

#[test]
fn routes() {
    for (seen, route, expected) in [
        (
            BySchema,
            "{ name: a }",
            "f:4:10: routes[0].upstream: is missing; allowed: exactly one of upstream, split, respond, redirect",
        ),
        (
            BySchema,
            "{ name: a, upstream: app, respond: {} }",
            "f:4:10: routes[0]: found `upstream` and `respond`; allowed: exactly one of upstream, split, respond, redirect",
        ),
        (
            BySchema,
            "{ upstream: app }",
            "f:4:10: routes[0].name: is missing; allowed: a name of its own",
        ),
        (
            ByReader,
            "{ name: a, upstream: ap }",
            "f:4:31: routes[0].upstream: found `ap`, but no upstream has this name, did you mean `app`?; allowed: app",
        ),
        (
            ByReader,
            "{ name: a, upstream: app, limits: [fairr] }",
            "f:4:45: routes[0].limits[0]: found `fairr`, but no limit has this name, did you mean `fair`?; allowed: fair",
        ),
        (
            BySchema,
            "{ name: a, upstream: app, limits: [fair, fair] }",
            "f:4:51: routes[0].limits[1]: found the same limit as in item 0, counted from 0; allowed: each once",
        ),
        (
            ByReader,
            "{ name: a, upstream: app }, { name: a, respond: {} }",
            "f:4:38: routes[1]: found another route of the name `a`; allowed: a name of its own",
        ),
        (
            ByReader,
            "{ name: a, respond: {}, timeout: 1s }",
            "f:4:43: routes[0].timeout: found it beside `respond`, where nothing is sent on; allowed: only beside `upstream` or `split`",
        ),
        (
            ByReader,
            "{ name: a, respond: { status: 204, body: x } }",
            "f:4:51: routes[0].respond.body: found a body with status 204; allowed: no body with 204 and 304",
        ),
        (
            ByReader,
            "{ name: a, respond: { headers: { Content-Length: 5 } } }",
            "f:4:59: routes[0].respond.headers.Content-Length: found `content-length`, which frames the message; allowed: any other header",
        ),
        (
            ByReader,
            "{ name: a, respond: { headers: { x-a: \"b\\r\\nc: d\" } } }",
            "f:4:48: routes[0].respond.headers.x-a: found `b\\r\\nc: d`; allowed: printable ASCII without blanks at its ends",
        ),
        (
            ByReader,
            "{ name: a, match: { path_regex: \"(\" }, respond: {} }",
            "f:4:42: routes[0].match.path_regex: found `(`: unclosed group; allowed: a regular expression of the regex crate",
        ),
        (
            ByReader,
            "{ name: a, match: { path_regex: \"(a{1000}){1000}\" }, respond: {} }",
            "f:4:42: routes[0].match.path_regex: found an expression that compiles to more than 256 KiB; allowed: a smaller one",
        ),
        (
            BySchema,
            "{ name: a, match: { path: ping }, respond: {} }",
            "f:4:36: routes[0].match.path: found `ping`; allowed: a path that begins with /, as it stands on the wire",
        ),
        (
            BySchema,
            "{ name: a, match: { methods: [get] }, respond: {} }",
            "f:4:40: routes[0].match.methods[0]: found `get`; allowed: a method in capitals, such as GET",
        ),
        (
            BySchema,
            "{ name: a, match: { hosts: ['a:80'] }, respond: {} }",
            "f:4:38: routes[0].match.hosts[0]: found `a:80`; allowed: a host without port, such as www.example.org or *.example.org",
        ),
        (
            ByReader,
            "{ name: a, match: { headers: { X-A: 1, x-a: 2 } }, respond: {} }",
            "f:4:54: routes[0].match.headers.x-a: found `x-a` again in other letters; allowed: each name once",
        ),
        (
            ByReader,
            "{ name: a, gate: g, respond: {} }",
            "f:4:27: routes[0].gate: found `g`, but no gate has this name; allowed: a name of a gate, of which the file has none",
        ),
    ] {
        check_route(seen, route, expected);
    }
}

#[test]
fn splits() {
    for (seen, split, expected) in [
        (
            BySchema,
            "[]",
            "f:4:28: routes[0].split: found no arm that takes what is left; allowed: { upstream: NAME } as the last one, or shares of 100%",
        ),
        (
            ByReader,
            "[{ share: 5%, upstream: app }]",
            "f:4:28: routes[0].split: found no arm that takes what is left; allowed: { upstream: NAME } as the last one, or shares of 100%",
        ),
        (
            ByReader,
            "[{ upstream: app }, { share: 5%, upstream: app }]",
            "f:4:48: routes[0].split[1]: found an arm that no request gets to; allowed: none after the last",
        ),
        (
            ByReader,
            "[{ share: 60%, upstream: app }, { share: 50%, upstream: app }]",
            "f:4:69: routes[0].split[1].share: found 50% when only 40% is left; allowed: shares of 100% together",
        ),
        (
            ByReader,
            "[{ share: 5%, sticky: path, upstream: app }, { share: 5%, upstream: app }, { upstream: app }]",
            "f:4:73: routes[0].split[1]: found another `sticky` than before; allowed: one key for all shares of a split",
        ),
        (
            ByReader,
            "[{ share: 5%, sticky: connection, upstream: app }, { upstream: app }]",
            "f:4:50: routes[0].split[0].sticky: found `connection`; allowed: client, header(NAME), cookie(NAME), query(NAME), path, host, method, route, or a list of them",
        ),
        (
            ByReader,
            "[{ sticky: path, upstream: app }]",
            "f:4:39: routes[0].split[0].sticky: found `sticky` without `share`; allowed: only beside `share`",
        ),
        (
            ByReader,
            "[{ share: 5%, when: { path: / }, upstream: app }, { upstream: app }]",
            "f:4:38: routes[0].split[0].share: found `share` beside `when`; allowed: one of them",
        ),
    ] {
        check_route(seen, &format!("{{ name: a, split: {split} }}"), expected);
    }
}

#[test]
fn redirects_and_rewrites() {
    for (seen, rest, expected) in [
        (
            ByReader,
            "redirect: {}",
            "f:4:31: routes[0].redirect: found a redirect to nowhere else; allowed: `to`, or one of scheme, host, path, path_prefix, path_regex",
        ),
        (
            BySchema,
            "redirect: { to: example.org }",
            "f:4:37: routes[0].redirect.to: found `example.org`; allowed: an address that begins with https://, http:// or one /",
        ),
        (
            ByReader,
            "redirect: { to: //example.org }",
            "f:4:37: routes[0].redirect.to: found `//example.org`; allowed: an address that begins with https://, http:// or one /",
        ),
        (
            ByReader,
            "redirect: { to: /x, host: a.example }",
            "f:4:37: routes[0].redirect.to: found `to` beside parts of an address; allowed: one or the other",
        ),
        (
            ByReader,
            "redirect: { to: /x, status: 304 }",
            "f:4:49: routes[0].redirect.status: found the number 304; allowed: 301, 302, 303, 307 or 308",
        ),
        (
            ByReader,
            "redirect: { path_prefix: /x }",
            "f:4:46: routes[0].redirect.path_prefix: found a prefix in the place of none; allowed: only in a route whose `match` has a `path_prefix`",
        ),
        (
            ByReader,
            "redirect: { path: '/${upstream}' }",
            "f:4:39: routes[0].redirect.path: found the variable `${upstream}`; allowed: client, peer, host, method, path, query, route, listener, scheme, generation, request_id, header.NAME, cookie.NAME, query.NAME; $${ stands for ${ itself",
        ),
        (
            ByReader,
            "redirect: { to: / }, timeout: 5s",
            "f:4:51: routes[0].timeout: found it beside `redirect`, where nothing is sent on; allowed: only beside `upstream` or `split`",
        ),
        (
            BySchema,
            "upstream: app, compress: { types: [text] }",
            "f:4:56: routes[0].compress.types[0]: found `text`; allowed: a media type without parameters, such as text/html or text/*",
        ),
        (
            ByReader,
            "respond: {}, compress: true",
            "f:4:44: routes[0].compress: found it beside `respond`, where nothing is sent on; allowed: only beside `upstream` or `split`",
        ),
        (
            BySchema,
            "upstream: app, mirror: { share: 5% }",
            "f:4:44: routes[0].mirror.upstream: is missing; allowed: the upstream that gets the copies",
        ),
        (
            BySchema,
            "upstream: app, rewrite: { host: 'a b' }",
            "f:4:53: routes[0].rewrite.host: found `a b`; allowed: a host, with a port if need be, such as app.internal:8080",
        ),
        (
            ByReader,
            "upstream: app, rewrite: { host: 'a:0' }",
            "f:4:53: routes[0].rewrite.host: found `a:0`; allowed: a host, with a port if need be, such as app.internal:8080",
        ),
        (
            BySchema,
            "upstream: app, rewrite: { path_regex: { pattern: '^/a', replacement: '/b?c' } }",
            "f:4:90: routes[0].rewrite.path_regex.replacement: found `/b?c`; allowed: a path as it stands on the wire, without a query",
        ),
    ] {
        check_route(seen, &format!("{{ name: a, {rest} }}"), expected);
    }
}

#[test]
fn error_pages() {
    check(&[
        (
            ByReader,
            "errors: { '302': { body: a } }",
            "f:3:18: errors.302: found `302`; allowed: a status such as 502, or 4xx or 5xx",
        ),
        (
            BySchema,
            "errors: { '502': { body: a, file: b } }",
            "f:3:18: errors.502: found `body` and `file`; allowed: exactly one of body, file
f:3:35: errors.502.file: found b, which cannot be read: No such file or directory (os error 2); allowed: a text file",
        ),
        (
            ByReader,
            "errors: { 5xx: { file: not-there.html } }",
            "f:3:24: errors.5xx.file: found not-there.html, which cannot be read: No such file or directory (os error 2); allowed: a text file",
        ),
    ]);
}

#[test]
fn variables_and_tokens() {
    let text = |set: &str, token: &str| {
        format!(
            "listeners: {{ web: {{ address: '127.0.0.1:8080' }} }}\nupstreams: {{ app: {{ servers: ['127.0.0.1:9000'] }} }}\ntokens: {{ auth: {{ {token} }} }}\nroutes: [{{ name: a, upstream: app, request_headers: {{ set: {{ x: {set} }} }} }}]\n"
        )
    };
    let right = "fetch: { upstream: app, path: / }, take: header(x)";
    for (seen, set, token, expected) in [
        (
            ByReader,
            "'${client'",
            right,
            "f:4:65: routes[0].request_headers.set.x: found `${` without `}`; allowed: ${NAME}, or $${ for ${ itself",
        ),
        (
            ByReader,
            "'${token.aut}'",
            right,
            "f:4:65: routes[0].request_headers.set.x: found `aut`, but no token has this name, did you mean `auth`?; allowed: auth",
        ),
        (
            ByReader,
            "'${who}'",
            right,
            "f:4:65: routes[0].request_headers.set.x: found the variable `${who}`; allowed: client, peer, host, method, path, query, route, listener, scheme, generation, request_id, upstream, header.NAME, cookie.NAME, query.NAME, token.NAME; $${ stands for ${ itself",
        ),
        (
            BySchema,
            "y",
            "fetch: { upstream: app, path: / }, take: body",
            "f:3:60: tokens.auth.take: found `body`; allowed: header(NAME), or json(POINTER) such as json(/access_token)",
        ),
        (
            ByReader,
            "y",
            "fetch: { upstream: app, path: /, every: 50ms }, take: json()",
            "f:3:59: tokens.auth.fetch.every: found `50ms`; allowed: a duration of at least 100ms",
        ),
        (
            BySchema,
            "y",
            "take: json()",
            "f:3:17: tokens.auth.fetch: is missing; allowed: the request that asks for it",
        ),
    ] {
        check_whole(seen, &text(set, token), expected);
    }
}

#[test]
fn listeners() {
    let text = |listeners: &str| {
        format!("listeners: {{ {listeners} }}\nroutes: [{{ name: all, respond: {{}} }}]\n")
    };
    for (seen, listeners, expected) in [
        (
            BySchema,
            "",
            "f:1:12: listeners: found 0 of them; allowed: at least 1",
        ),
        (
            ByReader,
            "a: { address: 'unix:/run/x.sock' }, b: { address: 'unix:/run/x.sock' }",
            "f:1:64: listeners.b.address: found /run/x.sock, but listeners.a has it; allowed: a path of its own",
        ),
        (
            ByReader,
            "a: { address: '0.0.0.0:80', mode: '0600' }",
            "f:1:48: listeners.a.mode: found it for an ip:port; allowed: it for a unix socket only",
        ),
        (
            ByReader,
            "a: { address: 'unix:x.sock', mode: rw }",
            "f:1:49: listeners.a.mode: found `rw`; allowed: octal permissions such as 0660",
        ),
        (
            ByReader,
            "a: { address: '0.0.0.0:80', proxy_protocol: true }",
            "f:1:58: listeners.a.proxy_protocol: found true without `clients.trusted_proxies`; allowed: true with the networks of those who send it in `clients.trusted_proxies`",
        ),
        (
            BySchema,
            "a: { address: '0.0.0.0:80', tls: {} }",
            "f:1:47: listeners.a.tls.certificates: is missing; allowed: a list of at least one {chain, key}",
        ),
        (
            BySchema,
            "a: { address: '0.0.0.0:80', tls: { certificates: [] } }",
            "f:1:63: listeners.a.tls.certificates: found 0 of them; allowed: at least 1",
        ),
        (
            BySchema,
            "a: { address: '0.0.0.0:80', tls: { certificates: [{ chain: a.pem }] } }",
            "f:1:64: listeners.a.tls.certificates[0].key: is missing; allowed: a PEM file of the certificate's private key",
        ),
        (
            ByReader,
            "a: { address: '0.0.0.0:80', tls: { certificates: [{ chain: a, key: b }], min_version: 1.1 } }",
            "f:1:100: listeners.a.tls.min_version: found the number 1.1; allowed: 1.2 or 1.3",
        ),
        (
            ByReader,
            "a: { address: '0.0.0.0:80', tls: { certificates: [{ chain: a, key: b }], client_auth: optional } }",
            "f:1:100: listeners.a.tls.client_auth: found it without `client_ca`; allowed: both or neither",
        ),
        (
            BySchema,
            "a: { address: '0.0.0.0:80', tls: { certificates: [{ chain: a, key: b }], alpn: [spdy] } }",
            "f:1:94: listeners.a.tls.alpn[0]: found `spdy`; allowed: h2, http/1.1",
        ),
        (
            ByReader,
            "a: { address: '[::]:80' }, b: { address: '[::1]:80' }",
            "f:1:55: listeners.b.address: found `[::1]:80`, but listeners.a has [::]:80; allowed: an address of its own",
        ),
        (
            BySchema,
            "a: { address: '0.0.0.0:80', max: { streams: 0 } }",
            "f:1:58: listeners.a.max.streams: found the number 0; allowed: a whole number from 1 to 1000",
        ),
        (
            ByReader,
            "a: { address: '0.0.0.0:80', max: { uri: 64KiB, header_bytes: 8KiB } }",
            "f:1:54: listeners.a.max.uri: found 64KiB, more than `header_bytes`; allowed: at most 8KiB",
        ),
        (
            BySchema,
            "a: { address: '0.0.0.0:80', max: { body: 10MB } }",
            "f:1:55: listeners.a.max.body: found `10MB`; allowed: a whole number with B, KiB, MiB or GiB, such as 64KiB",
        ),
    ] {
        check_whole(seen, &text(listeners), expected);
    }
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let text = "server: { threads: none }\nlimits: { a: { key: who, rate: fast, burst: -1 } }\nroutes: [{ name: r, limits: [b], upstream: c }]\nlisteners: { l: { address: nowhere } }\n";
    let problems = Config::from_text(text, "f").expect_err("nothing is right");
    let paths: Vec<_> = problems
        .as_slice()
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    let expected = [
        "server.threads",
        "limits.a.key",
        "limits.a.rate",
        "limits.a.burst",
        "routes[0].limits[0]",
        "routes[0].upstream",
        "listeners.l.address",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn gates() {
    check(&[
        (
            ByReader,
            "gates: { g: { max_admitted: 3 } }",
            "f:3:29: gates.g.max_admitted: found it without a key that says who is asking; allowed: only beside `key`",
        ),
        (
            ByReader,
            "gates: { g: { draw: fixed } }",
            "f:3:21: gates.g.draw: found it without a key that says who is asking; allowed: random, or a `key` beside it",
        ),
        (
            ByReader,
            "gates: { g: { key: client, absent: shared } }",
            "f:3:36: gates.g.absent: found it on a key that every request has; allowed: only when `key` has a header, cookie or query",
        ),
        (
            BySchema,
            "gates: { g: { opens: tomorrow } }",
            "f:3:22: gates.g.opens: found `tomorrow`; allowed: a moment with its offset, such as 2026-11-27T08:00:00Z or 2026-11-27T09:00:00+01:00",
        ),
        (
            ByReader,
            "gates: { g: { opens: '2026-11-27T08:00:00Z', closes: '2026-11-27T09:00:00+01:00' } }",
            "f:3:54: gates.g.closes: found a moment that is not after `opens`; allowed: a moment after 2026-11-27T08:00:00Z",
        ),
        (
            ByReader,
            "gates: { g: { key: client, max_admitted: 0 } }",
            "f:3:42: gates.g.max_admitted: found the number 0; allowed: a whole number from 1 to 10000000",
        ),
    ]);
}
