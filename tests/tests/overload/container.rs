//! In a container what counts is what the container may use.

use std::time::Duration;

use floodwall_tests::{Floodwall, Group, Launch, Loopback, Origin, eventually};

use crate::{measure, protected};

macro_rules! group {
    ($limits:expr) => {
        match Group::with($limits) {
            Some(group) => group,
            None => {
                eprintln!("SKIPPED {}: no limits by cgroup v2 here", module_path!());
                return;
            }
        }
    };
}

fn value(floodwall: &Floodwall<'_>, name: &str) -> Option<f64> {
    measure(floodwall, name)["value"].as_f64()
}

#[test]
fn half_a_processor_is_all_that_there_is() {
    let group = group!(&[("cpu.max", "50000 100000")]);
    let origin = Origin::start();
    let yaml = |web| protected(web, origin.address(), "cpu: { trigger: 100% }");
    let outside = Floodwall::start(&yaml(Loopback::free()));
    let inside = Launch::default()
        .within(&group)
        .start(&yaml(Loopback::free()));
    group.work();
    eventually!(value(&inside, "cpu") > Some(0.9), within Duration::from_mins(1));
    // Of the machine it is a small part.
    assert!(value(&outside, "cpu") < Some(0.9));
}

#[test]
fn memory_is_measured_by_what_the_group_may_have() {
    const MOST: u64 = 64 << 20;
    let group = group!(&[("memory.max", &MOST.to_string())]);
    let origin = Origin::start();
    let yaml = protected(
        Loopback::free(),
        origin.address(),
        "memory: { trigger: 100% }",
    );
    let floodwall = Launch::default().within(&group).start(&yaml);
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    let share = || group.memory() as f64 / MOST as f64;
    eventually!(value(&floodwall, "memory").is_some_and(|value| (value - share()).abs() < 0.03));
    assert!(share() > 0.1, "the service has some memory");
}
