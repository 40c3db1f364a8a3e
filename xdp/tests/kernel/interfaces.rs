//! Interfaces that come, go, and belong to somebody else.

use aya::{
    Ebpf, EbpfLoader,
    programs::{Xdp, XdpMode},
};
use floodwall_xdp::{
    Change, InterfaceState, InterfaceStatus, Mode, Origin, PreFilter, Reason, Settings,
};

use super::{
    harness::{Instance, folder, needs_root, rules},
    life_cycle::denying,
    namespace::{Namespace, eventually, ip, pair, try_ip},
    packet::{ACK, tcp},
};

/// An instance that takes what it can get.
fn lenient(interfaces: &[&str]) -> Instance {
    let mut instance = Instance::on(interfaces);
    instance.0.required = false;
    instance
}

fn state(filter: &PreFilter, name: &str) -> InterfaceState {
    let all = filter.interfaces();
    let found = all.into_iter().find(|status| status.name == name);
    found.unwrap().state
}

fn names(changes: &[Change]) -> Vec<&str> {
    changes
        .iter()
        .map(|change| change.now.name.as_str())
        .collect()
}

#[test]
fn an_interface_that_comes_is_filtered_and_one_that_comes_back_again() {
    needs_root!();
    let _namespace = Namespace::new();
    let instance = lenient(&["right", "later"]);
    let filter = instance.leased(&rules());
    assert_eq!(state(&filter, "right"), InterfaceState::Filtering);
    assert_eq!(state(&filter, "later"), InterfaceState::Waiting);
    assert_eq!(filter.reconcile().unwrap(), []);
    for _ in 0..2 {
        ip("link add later type veth peer name other");
        assert_eq!(names(&filter.reconcile().unwrap()), ["later"]);
        assert_eq!(state(&filter, "later"), InterfaceState::Filtering);
        assert_eq!(filter.reconcile().unwrap(), []);
        ip("link del later");
        assert_eq!(names(&filter.reconcile().unwrap()), ["later"]);
        assert_eq!(state(&filter, "later"), InterfaceState::Waiting);
    }
    // Between two looks it was made anew, with another number.
    ip("link del right");
    pair();
    assert_eq!(names(&filter.reconcile().unwrap()), ["right"]);
    assert_eq!(state(&filter, "right"), InterfaceState::Filtering);
}

#[test]
fn one_made_anew_with_the_same_number_is_noticed() {
    needs_root!();
    let _namespace = Namespace::new();
    ip("link add again index 4711 type veth peer name other");
    let instance = lenient(&["again"]);
    let filter = instance.leased(&rules());
    ip("link del again");
    ip("link add again index 4711 type veth peer name other");
    filter.reconcile().unwrap();
    assert_eq!(state(&filter, "again"), InterfaceState::Filtering);
    // It is: the next program can be switched to, and a second look finds nothing to do.
    assert_eq!(filter.reconcile().unwrap(), []);
    filter.switch(filter.load(&rules()).unwrap()).unwrap();
    assert_eq!(filter.reconcile().unwrap(), []);
}

#[test]
fn wishes_change_and_links_follow() {
    needs_root!();
    let _namespace = Namespace::new();
    let mut instance = lenient(&["left"]);
    let filter = instance.leased(&rules());
    instance.0.interfaces = vec!["right".into(), "later".into()];
    let changes = filter.retarget(&instance.0).unwrap();
    assert_eq!(names(&changes), ["right"]);
    let all = filter.interfaces();
    let names: Vec<_> = all.iter().map(|status| status.name.as_str()).collect();
    assert_eq!(names, ["right", "later"]);
    // The one that is not wanted any more is free for anybody.
    let mut other = Instance::on(&["left"]);
    other.attach(&rules()).unwrap();
    other.0.interfaces.clear();
}

/// Makes an interface that is called `above`, of a kind that not every kernel knows.
fn made(kind: &str, made: &str) -> bool {
    let is_made = try_ip(&format!("link add {made}"));
    if !is_made {
        eprintln!("SKIPPED: this kernel does not know {kind}");
    }
    is_made
}

#[test]
fn an_interface_of_any_kind_is_filtered_as_its_kind_can() {
    needs_root!();
    let _namespace = Namespace::new();
    for (kind, made_as, mode) in [
        (
            "a VLAN device",
            "link left name above type vlan id 7",
            Mode::Generic,
        ),
        ("a bridge", "name above type bridge", Mode::Generic),
        ("a bond", "name above type bond", Mode::Native),
        (
            "a macvlan",
            "link left name above type macvlan",
            Mode::Generic,
        ),
        ("a dummy", "name above type dummy", Mode::Generic),
    ] {
        if !made(kind, made_as) {
            continue;
        }
        let instance = lenient(&["right", "above"]);
        let filter = instance.leased(&rules());
        let all = filter.interfaces();
        let modes: Vec<_> = all.iter().map(|status| status.mode).collect();
        assert_eq!(modes, [Mode::Native, mode], "{kind}: {all:?}");
        drop(filter);
        let _ = PreFilter::detach(&instance.0);
        ip("link del above");
    }
}

/// On both, a packet would be judged twice and charged twice.
#[test]
fn packets_that_come_over_another_interface_are_filtered_there_alone() {
    needs_root!();
    let _namespace = Namespace::new();
    let covered = |by: &str| InterfaceState::Covered(by.to_owned());
    for (kind, made_as) in [
        ("a VLAN device", "link left name above type vlan id 7"),
        ("a macvlan", "link left name above type macvlan"),
    ] {
        if !made(kind, made_as) {
            continue;
        }
        for order in [["left", "above"], ["above", "left"]] {
            for required in [false, true] {
                let mut instance = lenient(&order);
                instance.0.required = required;
                let filter = instance.leased(&rules());
                assert_eq!(state(&filter, "left"), InterfaceState::Filtering, "{kind}");
                assert_eq!(state(&filter, "above"), covered("left"), "{kind}");
                assert_eq!(filter.reconcile().unwrap(), []);
                drop(filter);
                let _ = PreFilter::detach(&instance.0);
            }
        }
        ip("link del above");
    }
}

#[test]
fn an_interface_is_filtered_itself_while_the_one_below_is_not() {
    needs_root!();
    let _namespace = Namespace::new();
    if !made("a macvlan", "link left name above type macvlan") {
        return;
    }
    let mut instance = lenient(&["above"]);
    let filter = instance.leased(&rules());
    assert_eq!(state(&filter, "above"), InterfaceState::Filtering);
    let turn_to = |instance: &mut Instance, wanted: &[&str]| {
        instance.0.interfaces = wanted.iter().map(|name| (*name).to_owned()).collect();
        filter.retarget(&instance.0).unwrap();
    };
    // The kernel takes no program below another one, and nobody is left without one meanwhile.
    turn_to(&mut instance, &["left", "above"]);
    let below = state(&filter, "left");
    assert!(
        matches!(&below, InterfaceState::Refused(why) if why.contains("above it")),
        "{below:?}"
    );
    assert_eq!(state(&filter, "above"), InterfaceState::Filtering);
    turn_to(&mut instance, &["left"]);
    assert_eq!(state(&filter, "left"), InterfaceState::Filtering);
    turn_to(&mut instance, &["above", "left"]);
    let covered = InterfaceState::Covered("left".to_owned());
    assert_eq!(state(&filter, "above"), covered);
    turn_to(&mut instance, &["above"]);
    assert_eq!(state(&filter, "above"), InterfaceState::Filtering);
}

#[test]
fn a_required_interface_is_had_or_nothing_changes() {
    needs_root!();
    let namespace = Namespace::new();
    let instance = lenient(&["right"]);
    let filter = instance.leased(&denying(1));
    let wish = |interfaces: &[&str], generation| {
        let mut settings = instance.0.clone();
        settings.required = true;
        settings.interfaces = interfaces.iter().map(ToString::to_string).collect();
        let next = filter.load(&denying(generation)).unwrap();
        let outcome = filter.switch_requiring(next, &settings);
        outcome.and_then(|()| filter.retarget(&settings))
    };
    let foreign = attach_by_link("lo");
    for (interfaces, why) in [
        (&["right", "left", "later"][..], "no such interface: later"),
        (&["left", "lo", "right"], "another XDP program"),
    ] {
        let error = wish(interfaces, 2).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(filter.generation(), 1);
        let all = filter.interfaces();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(state(&filter, "right"), InterfaceState::Filtering);
        assert_eq!(filter.reconcile().unwrap(), []);
        // The one before it in the list was let go of: anybody may have it.
        drop(attach_by_link("left"));
    }
    namespace.send(&tcp("203.0.113.9", 443, ACK).bytes());
    eventually("the former rules hold", || {
        filter.counters().unwrap().of(Reason::Denied) == 1
    });
    drop(foreign);
    eventually("lo is free", || wish(&["left", "lo", "right"], 3).is_ok());
    let all = filter.interfaces();
    assert!(all.iter().all(InterfaceStatus::is_filtering), "{all:?}");
    assert_eq!(all.len(), 3);
    assert_eq!(filter.generation(), 3);
}

#[test]
fn filtering_ends_and_begins_again_with_the_wishes() {
    needs_root!();
    let namespace = Namespace::new();
    let mut instance = lenient(&["right"]);
    let filter = instance.leased(&denying(1));
    let wanted = std::mem::take(&mut instance.0.interfaces);
    filter.retarget(&instance.0).unwrap();
    namespace.send(&tcp("203.0.113.9", 443, ACK).bytes());
    drop(attach_by_link("right"));
    instance.0.interfaces = wanted;
    eventually("it is filtered again", || {
        filter.retarget(&instance.0).unwrap();
        state(&filter, "right") == InterfaceState::Filtering
    });
    namespace.send(&tcp("203.0.113.9", 443, ACK).bytes());
    eventually("the second is dropped, the first was not", || {
        filter.counters().unwrap().of(Reason::Denied) == 1
    });
}

#[test]
fn a_mode_that_would_need_a_gap_is_named() {
    needs_root!();
    let _namespace = Namespace::new();
    let mut instance = lenient(&["right", "lo"]);
    let filter = instance.leased(&rules());
    let mut others = |mode, interfaces: &[&str]| {
        instance.0.mode = mode;
        instance.0.interfaces = interfaces.iter().map(ToString::to_string).collect();
        let all = filter.other_modes(&instance.0).into_iter();
        all.map(|status| status.name).collect::<Vec<_>>()
    };
    assert_eq!(others(Mode::Auto, &["right", "lo"]), [""; 0]);
    assert_eq!(others(Mode::Native, &["right", "lo"]), ["lo"]);
    assert_eq!(others(Mode::Generic, &["right", "lo"]), ["right"]);
    assert_eq!(others(Mode::Native, &["right"]), [""; 0]);
}

/// Somebody else's program, attached without a link, as `ip` does it.
fn attach_by_netlink(interface: &str) {
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/parts.bpf.o");
    let bytes = std::fs::read(object).unwrap();
    let pinned = format!("/sys/fs/bpf/foreign-{}-{interface}", std::process::id());
    let mut foreign = EbpfLoader::new().load(&bytes).unwrap();
    let program: &mut Xdp = foreign.program_mut("empty").unwrap().try_into().unwrap();
    program.load().unwrap();
    program.pin(&pinned).unwrap();
    ip(&format!(
        "link set dev {interface} xdpgeneric pinned {pinned}"
    ));
    std::fs::remove_file(pinned).unwrap();
}

/// Somebody else's program, attached by a link that lives as long as this.
fn attach_by_link(interface: &str) -> Ebpf {
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/parts.bpf.o");
    let mut foreign = EbpfLoader::new().load_file(object).unwrap();
    let program: &mut Xdp = foreign.program_mut("empty").unwrap().try_into().unwrap();
    program.load().unwrap();
    program.attach(interface, XdpMode::Skb).unwrap();
    foreign
}

#[test]
fn somebody_elses_program_is_named_and_waited_for() {
    needs_root!();
    let _namespace = Namespace::new();
    let foreign = attach_by_link("right");
    let instance = lenient(&["left", "right"]);
    let filter = instance.leased(&rules());
    assert_eq!(state(&filter, "left"), InterfaceState::Filtering);
    let InterfaceState::Refused(why) = state(&filter, "right") else {
        panic!("{:?}", filter.interfaces())
    };
    assert!(why.contains("empty, id "), "{why}");
    assert!(
        why.contains(&format!("(pid {})", std::process::id())),
        "{why}"
    );
    assert!(why.contains("prefilter.replace: true"), "{why}");
    assert_eq!(filter.reconcile().unwrap(), []);
    drop(foreign);
    eventually("filtered when it is free", || {
        filter.reconcile().unwrap();
        state(&filter, "right") == InterfaceState::Filtering
    });
}

#[test]
fn somebody_elses_program_is_taken_off_when_that_is_wanted() {
    needs_root!();
    let _namespace = Namespace::new();
    let _foreign = attach_by_link("left");
    attach_by_netlink("right");
    let mut instance = lenient(&["left", "right"]);
    let filter = instance.leased(&rules());
    assert!(
        filter
            .interfaces()
            .iter()
            .all(|status| !status.is_filtering())
    );
    instance.0.replace = true;
    filter.retarget(&instance.0).unwrap();
    for status in filter.interfaces() {
        assert_eq!(status.state, InterfaceState::Filtering);
        assert_eq!(status.mode, Mode::Native);
        assert!(
            status.replaced.as_ref().unwrap().contains("empty"),
            "{status:?}"
        );
    }
}

#[test]
fn links_of_another_layout_are_taken_over_and_its_folder_goes() {
    needs_root!();
    let namespace = Namespace::new();
    let instance = Instance::on(&["right"]);
    drop(instance.leased(&denying(1)));
    let other = other_layout(&instance.0);
    std::fs::rename(folder(&instance.0), &other).unwrap();
    let filter = instance.attach(&denying(2)).unwrap();
    assert!(filter.interfaces()[0].adopted);
    assert!(matches!(filter.origin(), Origin::Replaced(why) if why.contains("another version")));
    assert!(!other.exists());
    // Nobody has renewed the lease of the new maps yet, and there is no gap all the same.
    namespace.send(&tcp("203.0.113.9", 443, ACK).bytes());
    eventually("denied", || {
        filter.counters().unwrap().of(Reason::Denied) == 1
    });
}

#[test]
fn detaching_takes_every_layout() {
    needs_root!();
    let _namespace = Namespace::new();
    let instance = Instance::on(&["right"]);
    drop(instance.leased(&rules()));
    let other = other_layout(&instance.0);
    std::fs::rename(folder(&instance.0), &other).unwrap();
    PreFilter::detach(&instance.0).unwrap();
    assert!(!other.exists());
    assert!(!instance.attach(&rules()).unwrap().interfaces()[0].adopted);
}

fn other_layout(settings: &Settings) -> std::path::PathBuf {
    folder(settings).with_file_name(format!("{}-v9999", settings.instance))
}
