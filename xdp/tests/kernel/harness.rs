//! An instance of its own for each test, and what the tests look at.

use std::{
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use floodwall_limiter::{FlowId, FlowTable, KeyHash, Nanos, Prefixes, Scope, Source, table::Set};
use floodwall_xdp::{
    Clock, Counters, Error, Loaded, Mapped, Mode, Outcome, PreFilter, Reason, Rules, Run, Settings,
};
use floodwall_xdp_abi::maps::LAYOUT;

/// Says why a test cannot run, if so.
pub(crate) fn skipped() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: loading an XDP program needs root");
    }
    !root
}

/// Ends a test that cannot run, and says why.
macro_rules! needs_root {
    () => {
        if $crate::kernel::harness::skipped() {
            return;
        }
    };
}
pub(crate) use needs_root;

/// A pre-filter without interfaces, whose programs are run on packets by hand, at a time by hand.
pub(crate) struct Bench {
    pub(crate) filter: PreFilter,
    pub(crate) table: FlowTable<Mapped<Set>>,
    settings: Settings,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with_sources(4096)
    }

    pub(crate) fn with_sources(sources: u64) -> Self {
        let settings = settings(&[], sources);
        let filter = PreFilter::attach(&settings, &rules()).unwrap();
        filter.renew_lease(Nanos::MAX);
        filter.turn_clock(Nanos::SECOND);
        let memory = filter.memory();
        Self {
            table: FlowTable::over(memory.flows, memory.secret),
            filter,
            settings,
        }
    }

    pub(crate) fn load(&self, rules: &Rules) -> Loaded {
        self.filter.load_with_clock(rules, Clock::Injected).unwrap()
    }

    /// Sends one packet and tells what decided over it. It comes in over the loopback interface.
    pub(crate) fn send(&self, program: &Loaded, packet: &[u8]) -> Reason {
        self.decided(|| program.test_run(packet, 1).unwrap()).0
    }

    /// Sends one packet over an interface of this network namespace.
    pub(crate) fn send_over(&self, program: &Loaded, packet: &[u8], ifindex: u32) -> Reason {
        self.decided(|| program.test_run_over(packet, ifindex).unwrap())
            .0
    }

    /// Runs one packet and tells what decided over it.
    pub(crate) fn decided(&self, run: impl FnOnce() -> Run) -> (Reason, Run) {
        let before = self.filter.counters().unwrap();
        let run = run();
        let reason = one_more(&before, &self.filter.counters().unwrap());
        let expected = match reason {
            Reason::Cookie => run.action == Outcome::Answer,
            _ => (run.action == Outcome::Pass) != reason.drops(),
        };
        assert!(expected, "{reason:?}: {:?}", run.action);
        (reason, run)
    }

    pub(crate) fn source(&self, address: &str) -> KeyHash {
        let source = Source::of(address.parse().unwrap(), Prefixes::default());
        KeyHash::of_source(self.table.secret(), source)
    }

    pub(crate) fn block(&self, address: &str, scope: Scope, until: Nanos) {
        let flow = FlowId::block(self.source(address), scope);
        self.table.hold(flow, until, Nanos::SECOND).unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // The folder is locked by this very process until the filter is dropped: its pins go one by one.
        for name in PINS {
            let _ = std::fs::remove_file(folder(&self.settings).join(name));
        }
        let _ = std::fs::remove_dir(folder(&self.settings));
    }
}

/// Settings whose pins are removed at the end.
pub(crate) struct Instance(pub(crate) Settings);

impl Instance {
    pub(crate) fn on(interfaces: &[&str]) -> Self {
        Self(settings(interfaces, 4096))
    }

    pub(crate) fn attach(&self, rules: &Rules) -> Result<PreFilter, Error> {
        PreFilter::attach(&self.0, rules)
    }

    pub(crate) fn leased(&self, rules: &Rules) -> PreFilter {
        let filter = self.attach(rules).unwrap();
        filter.renew_lease(Nanos::MAX);
        filter
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = PreFilter::detach(&self.0) {
            eprintln!("pins are left: {error}");
        }
    }
}

pub(crate) fn folder(settings: &Settings) -> PathBuf {
    let folder = format!("{}-v{LAYOUT}", settings.instance);
    settings.bpffs.join("floodwall").join(folder)
}

/// The maps that are pinned.
const PINS: [&str; 7] = [
    "FLOWS",
    "BLOCKS",
    "CONTROL",
    "COUNTERS",
    "INTERFACES",
    "ROWS",
    "SAMPLES",
];

/// Settings with an instance of their own.
pub(crate) fn settings(interfaces: &[&str], sources: u64) -> Settings {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Settings {
        instance: format!("test-{}-{number}", process::id()),
        interfaces: interfaces.iter().map(ToString::to_string).collect(),
        mode: Mode::Auto,
        required: true,
        replace: false,
        sources,
        bpffs: Settings::BPFFS.into(),
    }
}

/// Rules that let everything pass but what is malformed.
pub(crate) fn rules() -> Rules {
    Rules {
        listener_ports: vec![443],
        ..Rules::new(1)
    }
}

/// The only reason that has one packet more.
fn one_more(before: &Counters, after: &Counters) -> Reason {
    let grown = |reason: &Reason| after.of(*reason) - before.of(*reason);
    let mut changed = Reason::ALL.into_iter().filter(|reason| grown(reason) != 0);
    let reason = changed.next().expect("some counter grew");
    assert_eq!(grown(&reason), 1, "{reason:?} counted the packet once");
    assert_eq!(changed.next(), None, "one reason for one packet");
    reason
}
