//! Every interface's own counters.

use floodwall_xdp::{PreFilter, Reason};

use super::{
    harness::{Instance, needs_root},
    life_cycle::denying,
    namespace::{Namespace, eventually, index, ip},
    packet::{ACK, tcp},
};

fn frame() -> Vec<u8> {
    tcp("203.0.113.9", 443, ACK).bytes()
}

/// How many packets an interface had that are on the deny list.
fn denied(filter: &PreFilter, name: &str) -> u64 {
    let counters = filter.counters().unwrap();
    let mut interfaces = counters.interfaces.iter();
    let own = interfaces.find(|each| each.ifindex == index(name)).unwrap();
    own.reasons[Reason::Denied as usize].packets
}

/// Makes an interface that gets what is sent into `into`.
fn link(name: &str, number: &str, into: &str) {
    ip(&format!(
        "link add name {name} {number}type veth peer name {into}"
    ));
    for name in [name, into] {
        ip(&format!("link set {name} up"));
    }
}

#[test]
fn interfaces_whose_numbers_are_alike_or_large_are_counted_apart() {
    needs_root!();
    let namespace = Namespace::new();
    // The last two are beyond the numbers that have rows.
    let all = [
        ("one", 4096),
        ("two", 4160),
        ("three", 65_535),
        ("four", 65_600),
        ("five", 70_000),
    ];
    for (name, number) in all {
        link(name, &format!("index {number} "), &format!("to-{name}"));
    }
    let instance = Instance::on(&all.map(|(name, _)| name));
    let filter = instance.leased(&denying(1));
    for (position, (name, _)) in all.into_iter().enumerate() {
        for _ in 0..=position {
            namespace.send_into(&format!("to-{name}"), &frame());
        }
    }
    eventually("all have come", || {
        filter.counters().unwrap().of(Reason::Denied) == 15
    });
    let counted = all.map(|(name, _)| denied(&filter, name));
    assert_eq!(counted, [1, 2, 3, 9, 9]);
}

#[test]
fn an_interface_that_is_made_begins_at_zero_and_the_totals_stay() {
    needs_root!();
    let namespace = Namespace::new();
    let mut instance = Instance::on(&["right", "later"]);
    instance.0.required = false;
    let filter = instance.leased(&denying(1));
    namespace.send(&frame());
    // More than there are rows.
    for round in 1..=70 {
        link("later", "", "into");
        filter.reconcile().unwrap();
        assert_eq!(denied(&filter, "later"), 0, "in round {round}");
        namespace.send_into("into", &frame());
        eventually("it is counted", || denied(&filter, "later") == 1);
        assert_eq!(filter.counters().unwrap().of(Reason::Denied), round + 1);
        ip("link del later");
        filter.reconcile().unwrap();
    }
    assert_eq!(denied(&filter, "right"), 1);
}

#[test]
fn counts_go_on_after_a_restart() {
    needs_root!();
    let namespace = Namespace::new();
    let mut instance = Instance::on(&["left", "right"]);
    let filter = instance.leased(&denying(1));
    namespace.send(&frame());
    eventually("it is counted", || denied(&filter, "right") == 1);
    drop(filter);
    // In another order, in which new rows would go to others.
    instance.0.interfaces.reverse();
    let filter = instance.leased(&denying(1));
    assert_eq!((denied(&filter, "right"), denied(&filter, "left")), (1, 0));
}
