//! A look at a service that is not there: what a host says of itself before it has served anybody, and a day's events.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Instant,
};

use floodwall_config::{self as config, Config};

use super::Sample;
use crate::{
    access_log::AccessLog,
    blocks::Listed,
    boot::open_host,
    host::Host,
    log::Log,
    prefilter::{
        Interface, InterfaceState, KernelStatus, PacketCount, PacketLimitCount, samples::Dropped,
    },
    reload::Reloader,
    status::{BreakerState, HotKeyStatus, Status},
    systemd::Manager,
};

const FILE: &str = "\
listeners: { web: { address: 127.0.0.1:8080 } }
upstreams:
  app:
    servers: [192.0.2.20:9000, 192.0.2.21:9000]
    health: { path: /healthz }
    breaker: { strategy: error_count, threshold: 5 }
    max_in_flight: 64
limits:
  per-client: { key: client, rate: 100/s }
  per-path: { key: path, rate: 100/s }
gates: { sale: { key: client, max_admitted: 100 } }
routes: [{ name: all, gate: sale, limits: [per-client, per-path], upstream: app }]
";

/// A service that has run for so many seconds, with one of everything.
pub(super) fn sample(uptime_seconds: f64, change: impl FnOnce(&mut Status)) -> Sample {
    static EVENTFUL: OnceLock<Status> = OnceLock::new();
    let mut status = EVENTFUL.get_or_init(eventful).clone();
    status.uptime_seconds = uptime_seconds;
    change(&mut status);
    Sample {
        at: Instant::now(),
        status,
        blocks: vec![block()],
    }
}

fn host() -> Host {
    let file = PathBuf::from("floodwall.yaml");
    let config = Config::from_text(FILE, &file).unwrap();
    let access_log = AccessLog::open(&config::AccessLog::Off).unwrap();
    open_host(&file, config, access_log, false).unwrap()
}

fn eventful() -> Status {
    let host = Arc::new(host());
    let (log, manager) = (
        Log::start(config::Level::Error),
        Manager::from_environment(),
    );
    let manager = Arc::new(manager);
    let reloader = Reloader::new(Arc::clone(&host), FILE.to_owned(), log, manager, Vec::new());
    let mut status = Status::of(&host, &reloader);
    "0.1.0".clone_into(&mut status.version);
    status.pid = 4711;
    status.generation.proxy = 3;
    status.generation.kernel = Some(3);
    status.connections.open = 4;
    status.requests.in_flight = 2;
    status.blocks = 1;
    status.blocks_budget.standing = 1;
    status.blocks_budget.max = 65_536;
    status.limits[0].hottest = vec![hot("client=198.51.100.9", 700), hot("client=192.0.2.7", 50)];
    status.limits[1].hottest = vec![hot("path=/checkout", 300)];
    status.gates[0].admitted = 30;
    status.gates[0].kept = true;
    let app = &mut status.upstreams[0];
    app.in_flight = Some(2);
    let breaker = app.breaker.as_mut().unwrap();
    breaker.state = BreakerState::Open;
    breaker.since_seconds = Some(1.0);
    breaker.open_for_seconds = Some(4.0);
    app.servers[0].in_flight = 1;
    app.servers[1].in_flight = 1;
    app.servers[1].health.as_mut().unwrap().healthy = false;
    status.prefilter = kernel();
    status
}

fn hot(key: &str, requests: u64) -> HotKeyStatus {
    HotKeyStatus {
        key: key.to_owned(),
        requests,
        error: 0,
        refused: requests / 10,
        left: None,
    }
}

fn block() -> Listed {
    Listed {
        source: "198.51.100.9".to_owned(),
        scope: "listeners".to_owned(),
        reason: "per-client".to_owned(),
        by: "limit".to_owned(),
        uid: None,
        since_seconds_ago: 2.0,
        ends_in_seconds: 8.0,
        dropped_packets: 900,
        dropped_bytes: 54_000,
    }
}

fn kernel() -> KernelStatus {
    let packets = |reason: &str, dropped| PacketCount {
        reason: reason.to_owned(),
        dropped,
        answered: false,
        packets: 0,
        bytes: 0,
    };
    KernelStatus {
        on: true,
        interfaces: vec![Interface {
            name: "eth0".to_owned(),
            state: InterfaceState::Filtering,
            why: None,
            mode: Some("native".to_owned()),
            fallback: None,
            adopted: false,
            packets: Vec::new(),
            replaced: None,
        }],
        packets: vec![
            packets("passed", false),
            packets("blocked", true),
            packets("denied", true),
        ],
        limits: vec![PacketLimitCount {
            name: "syns".to_owned(),
            admitted: 0,
            dropped: 0,
            cookies: 0,
            shadowed: 0,
        }],
        samples: vec![Dropped {
            at: "2026-01-01T00:00:07Z".to_owned(),
            source: Some("203.0.113.5".to_owned()),
            port: Some(80),
            protocol: "tcp".to_owned(),
            reason: "denied".to_owned(),
            limit: None,
            interface: "eth0".to_owned(),
            bytes: 60,
        }],
        ..KernelStatus::default()
    }
}
