//! The pre-filter on real interfaces: attached, left behind, adopted, replaced, refused.

use std::path::PathBuf;

use aya::{
    EbpfLoader,
    programs::{Xdp, XdpMode},
};
use floodwall_limiter::{FlowId, FlowTable, KeyHash, Nanos, Prefixes, Scope, Source};
use floodwall_xdp::{Error, Mode, Origin, PreFilter, Reason, Rules, Settings};

use super::{
    harness::{Instance, folder, needs_root, rules},
    namespace::{Namespace, eventually, index, ip, pair},
    packet::{ACK, tcp},
};

const BAD: &str = "203.0.113.9";

pub(crate) fn denying(generation: u64) -> Rules {
    Rules {
        generation,
        deny: vec!["203.0.113.0/24".parse().unwrap()],
        ..rules()
    }
}

fn count(filter: &PreFilter, reason: Reason) -> u64 {
    filter.counters().unwrap().of(reason)
}

#[test]
fn a_virtual_pair_is_native_and_the_loopback_falls_back_and_says_why() {
    needs_root!();
    let _namespace = Namespace::new();
    let instance = Instance::on(&["right", "lo"]);
    let filter = instance.attach(&rules()).unwrap();
    let [right, lo] = &filter.interfaces()[..] else {
        panic!("two interfaces")
    };
    assert_eq!((right.mode, &right.fallback), (Mode::Native, &None));
    assert_eq!(lo.mode, Mode::Generic);
    assert!(
        lo.fallback.as_ref().unwrap().contains("not supported"),
        "{lo:?}"
    );
    assert_eq!(filter.origin(), &Origin::Created);
}

#[test]
fn a_mode_that_an_interface_lacks_is_refused() {
    needs_root!();
    let _namespace = Namespace::new();
    let mut instance = Instance::on(&["right", "lo"]);
    instance.0.mode = Mode::Native;
    let error = instance.attach(&rules()).unwrap_err();
    assert!(matches!(&error, Error::Mode { interface, .. } if interface == "lo"));
    // The interface before it was left as it was found.
    instance.0.interfaces = vec!["right".to_owned()];
    let filter = instance.attach(&rules()).unwrap();
    assert!(!filter.interfaces()[0].adopted);
}

#[test]
fn what_a_process_leaves_goes_on_filtering_and_is_adopted() {
    needs_root!();
    let namespace = Namespace::new();
    let instance = Instance::on(&["right"]);
    let packet = tcp(BAD, 443, ACK).bytes();
    let filter = instance.leased(&rules());
    let memory = filter.memory();
    let table = FlowTable::over(memory.flows, memory.secret);
    let source = Source::of(BAD.parse().unwrap(), Prefixes::default());
    let flow = FlowId::block(KeyHash::of_source(memory.secret, source), Scope::Listeners);
    table.hold(flow, Nanos(u64::MAX >> 1), Nanos::ZERO).unwrap();
    drop((table, filter));
    for _ in 0..100 {
        namespace.send(&packet);
    }
    let next = instance
        .attach(&Rules {
            generation: 2,
            ..rules()
        })
        .unwrap();
    assert_eq!(next.origin(), &Origin::Adopted);
    assert!(next.interfaces()[0].adopted);
    assert_eq!(next.interfaces()[0].mode, Mode::Native);
    assert_eq!(next.generation(), 2);
    eventually("the packets between the two were dropped", || {
        count(&next, Reason::Blocked) == 100
    });
    assert_eq!(count(&next, Reason::Passed), 0);
}

const PACKETS: u64 = 20_000;

#[test]
fn rules_are_replaced_without_a_gap() {
    needs_root!();
    let namespace = Namespace::new();
    let instance = Instance::on(&["right"]);
    let filter = instance.leased(&denying(1));
    let packet = tcp(BAD, 443, ACK).bytes();
    // Only this thread is in the namespace, and links are replaced from any.
    std::thread::scope(|scope| {
        let switching = scope.spawn(|| {
            for generation in 2..=40 {
                let next = filter.load(&denying(generation)).unwrap();
                filter.switch(next).unwrap();
                assert_eq!(filter.generation(), generation);
            }
        });
        for _ in 0..PACKETS {
            namespace.send(&packet);
        }
        switching.join().unwrap();
    });
    eventually("every packet met a deny list", || {
        count(&filter, Reason::Denied) == PACKETS
    });
    assert_eq!(count(&filter, Reason::Passed), 0);
}

#[test]
fn when_the_lease_has_run_out_everything_passes() {
    needs_root!();
    let namespace = Namespace::new();
    let instance = Instance::on(&["right"]);
    let filter = instance.leased(&denying(1));
    let packet = tcp(BAD, 443, ACK).bytes();
    namespace.send(&packet);
    eventually("denied", || count(&filter, Reason::Denied) == 1);
    filter.renew_lease(Nanos(1));
    namespace.send(&packet);
    eventually("let pass", || count(&filter, Reason::LeaseExpired) == 1);
    filter.renew_lease(Nanos::MAX);
    namespace.send(&packet);
    eventually("denied again", || count(&filter, Reason::Denied) == 2);
}

#[test]
fn an_instance_has_one_process_and_an_interface_one_instance() {
    needs_root!();
    let _namespace = Namespace::new();
    let first = Instance::on(&["right"]);
    let held = first.attach(&rules()).unwrap();
    let error = first.attach(&rules()).unwrap_err();
    assert!(error.to_string().contains("prefilter.instance"), "{error}");
    assert!(matches!(
        PreFilter::detach(&first.0),
        Err(Error::InstanceInUse { .. })
    ));
    let mut second = Instance::on(&["right"]);
    let error = second.attach(&rules()).unwrap_err();
    assert!(
        matches!(&error, Error::Occupied { program, .. } if program.contains("floodwall")),
        "{error}"
    );
    second.0.interfaces = vec!["left".to_owned()];
    second.attach(&rules()).unwrap();
    drop(held);
}

#[test]
fn somebody_elses_program_is_named_and_left_alone() {
    needs_root!();
    let _namespace = Namespace::new();
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/parts.bpf.o");
    let mut foreign = EbpfLoader::new().load_file(object).unwrap();
    let program: &mut Xdp = foreign.program_mut("empty").unwrap().try_into().unwrap();
    program.load().unwrap();
    program.attach("right", XdpMode::Skb).unwrap();
    let instance = Instance::on(&["left", "right"]);
    let error = instance.attach(&rules()).unwrap_err();
    assert!(
        matches!(&error, Error::Occupied { interface, program } if interface == "right" && program.contains("empty")),
        "{error}"
    );
}

#[test]
fn maps_of_another_shape_are_replaced_and_that_is_said() {
    needs_root!();
    let _namespace = Namespace::new();
    let mut instance = Instance::on(&["right"]);
    drop(instance.attach(&rules()).unwrap());
    instance.0.sources = 1 << 16;
    let filter = instance.attach(&rules()).unwrap();
    let Origin::Replaced(why) = filter.origin() else {
        panic!("{:?}", filter.origin())
    };
    assert!(why.contains("FLOWS") && why.contains("16384"), "{why}");
    assert_eq!(filter.memory().flows.as_ref().len(), 1 << 14);
    assert!(filter.interfaces()[0].adopted);
}

#[test]
fn links_follow_the_interfaces() {
    needs_root!();
    let _namespace = Namespace::new();
    let mut instance = Instance::on(&["left", "right"]);
    drop(instance.attach(&rules()).unwrap());
    // The interface is no longer asked for: its program goes.
    instance.0.interfaces = vec!["right".to_owned()];
    drop(instance.attach(&rules()).unwrap());
    assert_eq!(links(&instance.0), 1);
    // The interface was made anew, with another number.
    ip("link del right");
    pair();
    let filter = instance.attach(&rules()).unwrap();
    assert!(!filter.interfaces()[0].adopted);
    assert_eq!(links(&instance.0), 1);
    // It goes while rules are replaced: nothing comes in there, so that is no failure.
    ip("link del right");
    let next = filter
        .load(&Rules {
            generation: 9,
            ..rules()
        })
        .unwrap();
    filter.switch(next).unwrap();
    assert_eq!(filter.generation(), 9);
}

fn links(settings: &Settings) -> usize {
    let entries = std::fs::read_dir(folder(settings)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("link-")).count()
}

#[test]
fn what_cannot_work_says_what_to_do() {
    needs_root!();
    let _namespace = Namespace::new();
    let mut instance = Instance::on(&["eth99"]);
    let error = instance.attach(&rules()).unwrap_err();
    assert_eq!(error.to_string(), "no such interface: eth99");
    instance.0.interfaces = vec!["right".to_owned()];
    instance.0.bpffs = PathBuf::from("/tmp");
    let error = instance.attach(&rules()).unwrap_err();
    assert!(error.to_string().contains("mount -t bpf"), "{error}");
    instance.0.bpffs = Settings::BPFFS.into();
    instance.0.sources = u64::MAX;
    let error = instance.attach(&rules()).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
}

#[test]
fn detaching_leaves_nothing() {
    needs_root!();
    let _namespace = Namespace::new();
    let instance = Instance::on(&["right"]);
    drop(instance.attach(&rules()).unwrap());
    PreFilter::detach(&instance.0).unwrap();
    assert!(!folder(&instance.0).exists());
    let filter = instance.attach(&rules()).unwrap();
    assert!(!filter.interfaces()[0].adopted);
    assert_eq!(filter.origin(), &Origin::Created);
}

#[test]
fn each_interface_has_its_own_counts_of_packets_and_dropped_bytes() {
    needs_root!();
    let namespace = Namespace::new();
    let filter = Instance::on(&["left", "right"]);
    let filter = filter.leased(&denying(1));
    let frame = tcp(BAD, 443, ACK).bytes();
    for _ in 0..5 {
        namespace.send(&frame);
    }
    eventually("all have come", || count(&filter, Reason::Denied) == 5);
    let counters = filter.counters().unwrap();
    let denied = |name: &str| {
        let mut rows = counters.interfaces.iter();
        let row = rows.find(|row| row.ifindex == index(name)).unwrap();
        let counts = row.reasons[Reason::Denied as usize];
        (counts.packets, counts.bytes)
    };
    assert_eq!(denied("left"), (0, 0));
    assert_eq!(denied("right"), (5, 5 * frame.len() as u64));
}

#[test]
fn a_kernel_that_runs_the_program_has_what_the_program_needs() {
    needs_root!();
    let features = floodwall_xdp::features();
    for feature in features.iter().filter(|feature| !feature.optional) {
        assert_eq!(feature.present, Some(true), "{feature:?}");
    }
    assert!(
        features
            .iter()
            .any(|feature| feature.name == "syncookies" && feature.present.is_some())
    );
}
