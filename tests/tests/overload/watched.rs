//! Measures that the machine gives, which every machine is over or under for certain.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, eventually};

use crate::{each_priority, measure, protected, shed};

#[test]
fn memory_above_its_trigger_sheds_all_but_the_critical() {
    let (web, origin) = (Loopback::free(), Origin::start());
    // No machine that runs this has all of its memory free.
    let yaml = protected(web, origin.address(), "memory: { trigger: 0% }");
    let floodwall = Floodwall::start(&yaml);
    // A high one is shed above half of the way from the trigger to everything.
    let value = measure(&floodwall, "memory")["value"].as_f64();
    let high = if value.expect("memory is known") > 0.5 {
        503
    } else {
        200
    };
    assert_eq!(each_priority(web), [503, 503, high, 200]);
    assert_eq!(shed(&floodwall, "memory")[..2], [1, 1]);
    let explained = floodwall.json(&["explain", "--json", "/"]);
    assert_eq!(explained["protection"]["priority"], "normal");
    assert_eq!(explained["protection"]["shed_by"], "memory");
    assert_eq!(explained["action"]["respond"]["status"], 503);
    let text = floodwall.ask(&["explain", "/"]).stdout;
    assert!(
        text.contains("priority normal: shed, memory is over its trigger"),
        "{text}"
    );
    let text = floodwall.ask(&["status"]).stdout;
    assert!(text.contains("low, normal"), "{text}");
}

#[test]
fn below_every_trigger_nothing_is_shed_and_all_values_are_shown() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let all = "cpu: { trigger: 100%, strategy: bbr }, load: { trigger: 999 }, memory: { trigger: 100% }, \
               pressure: { trigger: 100%, of: io, stall: full }, response_time: { trigger: 1m }";
    let floodwall = Floodwall::start(&protected(web, origin.address(), all));
    for _ in 0..20 {
        // The low ones are shed above 80 % of the processor, which the tests beside this one may use.
        let statuses = each_priority(web);
        assert_eq!(statuses[1..], [200; 3]);
    }
    // The processor has no value before there is a span to measure.
    eventually!(measure(&floodwall, "cpu")["value"].is_number());
    for name in ["load", "memory", "response_time"] {
        assert!(measure(&floodwall, name)["value"].is_number(), "{name}");
    }
    assert_eq!(shed(&floodwall, "cpu")[1..], [0; 3]);
    assert!(Client::of(web).get("/").status == 200);
}

/// Works on so many threads until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn on(threads: usize) -> Self {
        let on = Arc::new(AtomicBool::new(true));
        for _ in 0..threads {
            let on = Arc::clone(&on);
            thread::spawn(move || while on.load(Relaxed) {});
        }
        Self(on)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

#[test]
fn a_busy_processor_and_those_that_wait_for_it_shed_the_least_important_first() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let _busy = Busy::on(2 * cores);
    // Whoever runs this uses some of it, and the busy ones wait for each other.
    for (name, rule) in [
        ("cpu", "cpu: { trigger: 1% }"),
        (
            "pressure",
            "pressure: { trigger: 1%, of: cpu, stall: some }",
        ),
        ("load", "load: { trigger: 0.01 }"),
    ] {
        if name == "pressure" && !Path::new("/proc/pressure/cpu").exists() {
            eprintln!("pressure SKIPPED: this kernel tells no stalls (PSI)");
            continue;
        }
        let floodwall = Floodwall::start(&protected(web, origin.address(), rule));
        let value = || measure(&floodwall, name)["value"].as_f64();
        eventually!(value() > Some(0.02), within Duration::from_secs(30));
        let statuses = each_priority(web);
        assert_eq!(
            [statuses[0], statuses[1], statuses[3]],
            [503, 503, 200],
            "{name}"
        );
        assert_eq!(shed(&floodwall, name)[..2], [1, 1], "{name}");
        let explained = floodwall.json(&["explain", "--json", "/"]);
        assert_eq!(explained["protection"]["shed_by"], name);
    }
}

#[test]
fn protection_comes_and_goes_with_a_reload() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let with = protected(web, origin.address(), "memory: { trigger: 0% }");
    let without = with.clone().without_line("protection:");
    let floodwall = Floodwall::start(&without);
    assert_eq!(each_priority(web), [200; 4]);
    assert!(floodwall.status()["protection"].is_null());
    floodwall.write(&with);
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(Client::of(web).get("/").status, 503);
    floodwall.write(&without);
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(each_priority(web), [200; 4]);
}
