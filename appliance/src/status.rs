//! What the running service says of itself: the documents behind `floodwall status` and the admin address.
//!
//! Their names are a promise: they end in the unit where there is one, and they stay.

mod blocks;
mod limits;
mod routes;
mod traffic;
mod upstreams;

use std::path::PathBuf;

use floodwall_config::XdpMode;
use floodwall_limiter::Nanos;
use serde::{Deserialize, Serialize};

pub use self::{
    blocks::{BlockAdded, BlocksBudget, NewBlock},
    limits::{HotKeyStatus, LimitStatus, limits},
    routes::{BucketStatus, LatencyStatus, RouteStatus},
    traffic::{
        CertificateStatus, ClassCount, ConnectionCounts, ListenerStatus, RequestCounts,
        VerdictCount,
    },
    upstreams::{
        BreakerState, BreakerStatus, ConnectionStatus, HealthStatus, LastError, NameStatus,
        ServerStatus, UpstreamStatus,
    },
};

use crate::{
    access_log::timestamp,
    gate::GateStatus,
    generation::Generation,
    host::Host,
    mirror::{self, MirrorStatus},
    prefilter::KernelStatus,
    protection::status::ProtectionStatus,
    reload::{LastReload, Passage, Reloader},
    state::StateStatus,
    tokens::{self, status::TokenStatus},
};

/// Everything at a glance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    /// When the process began, RFC 3339 in UTC.
    pub since: String,
    pub uptime_seconds: f64,
    pub generation: GenerationStatus,
    /// The last reload, whatever became of it; absent before the first.
    pub last_reload: Option<LastReload>,
    pub reloads: ReloadCounts,
    /// The last reloads and what each changed, the latest first.
    pub history: Vec<Passage>,
    pub listeners: Vec<ListenerStatus>,
    pub connections: ConnectionCounts,
    pub requests: RequestCounts,
    /// Where the access log goes, as the file has it; `off` when it is not kept.
    pub access_log: String,
    /// Those that have had requests.
    pub routes: Vec<RouteStatus>,
    pub upstreams: Vec<UpstreamStatus>,
    pub limits: Vec<LimitStatus>,
    pub tokens: Vec<TokenStatus>,
    pub gates: Vec<GateStatus>,
    pub mirrors: Vec<MirrorStatus>,
    /// Absent when the file has no `protection`.
    pub protection: Option<ProtectionStatus>,
    pub prefilter: KernelStatus,
    pub table: TableStatus,
    /// How many sources are blocked now and listed.
    pub blocks: usize,
    pub blocks_budget: BlocksBudget,
    /// What is kept over a restart; absent when the file names no `state` folder.
    pub state: Option<StateStatus>,
}

/// One rule set in two layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationStatus {
    pub proxy: u64,
    /// The same number, unless the pre-filter is off.
    pub kernel: Option<u64>,
    pub file: PathBuf,
}

/// How often a reload was taken or refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReloadCounts {
    pub taken: u64,
    pub refused: u64,
}

/// The flow table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableStatus {
    pub cells: u64,
    pub bytes: u64,
    /// Whether the kernel maps the same memory.
    pub shared_with_kernel: bool,
    /// Keys in debt that lost their cell to another one, by this process.
    pub displaced: u64,
    /// Decisions given up because too many threads raced for one cell.
    pub contended: u64,
}

impl Status {
    /// Looks at everything once. Counters go on while it does.
    pub fn of(host: &Host, reloader: &Reloader) -> Self {
        let generation = host.pin();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: timestamp(host.started.wall),
            uptime_seconds: uptime_seconds(host),
            generation: GenerationStatus {
                proxy: generation.number,
                kernel: host.kernel.generation(),
                file: generation.file.clone(),
            },
            last_reload: reloader.last(),
            reloads: ReloadCounts {
                taken: host.stats.reloads.taken.get(),
                refused: host.stats.reloads.refused.get(),
            },
            history: reloader.history(),
            listeners: traffic::listeners(host, &generation),
            connections: ConnectionCounts::of(host),
            requests: RequestCounts::of(host),
            access_log: generation.config.log.access.to_string(),
            routes: routes::routes(&generation),
            upstreams: upstreams::upstreams(&generation, host.now()),
            limits: limits(host, &generation),
            tokens: tokens::status::all(&generation.tokens),
            gates: gates(&generation, host),
            mirrors: mirror::status(&generation),
            protection: generation
                .protection
                .as_ref()
                .map(|protection| ProtectionStatus::of(host, protection)),
            table: TableStatus::of(host),
            prefilter: KernelStatus {
                wanted: wants_prefilter(&generation),
                samples: host.samples.all(),
                ..host.kernel.status()
            },
            blocks: crate::blocks::count(host),
            blocks_budget: BlocksBudget::of(host, &generation),
            state: host.state.status(),
        }
    }
}

fn wants_prefilter(generation: &Generation) -> bool {
    let prefilter = generation.config.prefilter.as_ref();
    prefilter.is_some_and(|prefilter| prefilter.mode != XdpMode::Off)
}

/// How long the process has been running, in seconds.
pub fn uptime_seconds(host: &Host) -> f64 {
    seconds(host.now().minus(host.started.monotonic))
}

/// All gates, in the order of the file.
pub fn gates(generation: &Generation, host: &Host) -> Vec<GateStatus> {
    let now = std::time::SystemTime::now();
    let gates = generation.gates().iter();
    gates
        .map(|gate| GateStatus::of(gate, &host.journal, now))
        .collect()
}

fn seconds(span: Nanos) -> f64 {
    std::time::Duration::from(span).as_secs_f64()
}

impl TableStatus {
    /// Bytes of one cell.
    const CELL: u64 = 16;

    fn of(host: &Host) -> Self {
        Self {
            cells: host.table.cells(),
            bytes: host.table.cells() * Self::CELL,
            shared_with_kernel: host.kernel.generation().is_some(),
            displaced: host.table.displaced(),
            contended: host.table.contended(),
        }
    }
}
