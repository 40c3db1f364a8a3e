//! Machines that are folders.

use std::{fs, path::PathBuf, time::Duration};

use super::*;

/// A machine of two cores without control groups.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.write("proc/self/cgroup", "0::/\n");
        machine.host_ticks(0, 0);
        machine.write("proc/loadavg", "3.50 2.00 1.00 1/100 4242\n");
        machine.write(
            "proc/meminfo",
            "MemTotal:        1000 kB\nMemFree:          100 kB\nMemAvailable:     250 kB\n",
        );
        machine
    }

    /// The same, with the process in a unit of a slice.
    fn with_groups() -> Self {
        let machine = Self::new();
        machine.write("proc/self/cgroup", "0::/a.slice/b.service\n");
        machine.write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn host_ticks(&self, busy: u64, idle: u64) {
        let text = format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 0 0 0\ncpu1 0 0 0\nintr 1\n");
        self.write("proc/stat", &text);
    }

    fn group_cpu(&self, group: &str, max: &str, usage_micros: u64) {
        self.write(
            &format!("sys/fs/cgroup/{group}/cpu.max"),
            &format!("{max} 100000\n"),
        );
        self.write(
            &format!("sys/fs/cgroup/{group}/cpu.stat"),
            &format!("usage_usec {usage_micros}\nuser_usec 1\n"),
        );
    }

    fn group_memory(&self, group: &str, current: u64, idle: u64, max: &str) {
        let file =
            |name: &str, text: String| self.write(&format!("sys/fs/cgroup/{group}/{name}"), &text);
        file("memory.current", format!("{current}\n"));
        file("memory.max", format!("{max}\n"));
        file(
            "memory.stat",
            format!("anon 1\ninactive_file {idle}\nactive_file 3\n"),
        );
    }

    fn sampler(&self) -> Sampler {
        Sampler::open(self.0.path())
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HALF: Duration = Duration::from_millis(500);

#[test]
fn without_groups_the_numbers_are_the_hosts() {
    let machine = Machine::new();
    let mut sampler = machine.sampler();
    let begin = Instant::now();
    assert_eq!(sampler.sample(begin).cpu, None, "one look is no span");
    machine.host_ticks(30, 70);
    let sample = sampler.sample(begin + SECOND);
    assert_eq!(sample.cpu, Some(300_000));
    assert_eq!(sample.load, Some(1_750), "3.5 on two cores");
    let memory = sample.memory.unwrap();
    assert_eq!((memory.used, memory.limit), (750 * 1024, 1000 * 1024));
    assert_eq!(sample.stalls, [[None, None]; 3], "this kernel counts none");
}

#[test]
fn a_jump_is_seen_smoothed() {
    let machine = Machine::new();
    let mut sampler = machine.sampler();
    let begin = Instant::now();
    sampler.sample(begin);
    machine.host_ticks(0, 100);
    assert_eq!(sampler.sample(begin + SECOND).cpu, Some(0));
    machine.host_ticks(100, 100);
    // 1 - 1/e of it after one time constant, and 95 % after three.
    let after_one = sampler.sample(begin + HALF * 3).cpu.unwrap();
    assert!((632_000..633_000).contains(&after_one), "{after_one}");
    machine.host_ticks(300, 100);
    let after_three = sampler.sample(begin + HALF * 5).cpu.unwrap();
    assert!((950_000..951_000).contains(&after_three), "{after_three}");
    // Between two ticks nothing is known, and nothing changes.
    assert_eq!(sampler.sample(begin + HALF * 6).cpu, Some(after_three));
}

#[test]
fn the_tightest_quota_on_the_way_up_counts() {
    let machine = Machine::with_groups();
    // Of two cores the unit used half of one, of four the whole slice three: with its neighbours it is fuller.
    machine.group_cpu("a.slice/b.service", "200000", 1_000_000);
    machine.group_cpu("a.slice", "400000", 9_000_000);
    let mut sampler = machine.sampler();
    let begin = Instant::now();
    sampler.sample(begin);
    machine.group_cpu("a.slice/b.service", "200000", 1_500_000);
    machine.group_cpu("a.slice", "400000", 12_000_000);
    machine.host_ticks(1, 99);
    assert_eq!(sampler.sample(begin + SECOND).cpu, Some(750_000));
}

#[test]
fn groups_without_a_quota_leave_it_to_the_host() {
    let machine = Machine::with_groups();
    machine.group_cpu("a.slice/b.service", "max", 0);
    let mut sampler = machine.sampler();
    let begin = Instant::now();
    sampler.sample(begin);
    machine.group_cpu("a.slice/b.service", "max", 900_000);
    machine.host_ticks(90, 10);
    assert_eq!(sampler.sample(begin + SECOND).cpu, Some(900_000));
}

#[test]
fn memory_is_the_working_set_of_the_group_nearest_its_limit() {
    let machine = Machine::with_groups();
    machine.group_memory("a.slice/b.service", 500, 100, "1000");
    machine.group_memory("a.slice", 1_900, 100, "2000");
    let memory = machine.sampler().sample(Instant::now()).memory.unwrap();
    assert_eq!((memory.used, memory.limit), (1_800, 2_000));
    machine.group_memory("a.slice", 1_900, 100, "max");
    let memory = machine.sampler().sample(Instant::now()).memory.unwrap();
    assert_eq!((memory.used, memory.limit), (400, 1_000));
}

#[test]
fn stalls_are_the_own_groups_and_else_the_hosts() {
    let machine = Machine::with_groups();
    let stalls = |percent: &str| {
        format!("some avg10={percent} avg60=0.00 total=1\nfull avg10=0.00 total=0\n")
    };
    machine.write("proc/pressure/cpu", &stalls("10.00"));
    machine.write("proc/pressure/io", &stalls("20.00"));
    machine.write(
        "sys/fs/cgroup/a.slice/b.service/io.pressure",
        &stalls("30.00"),
    );
    let [cpu, memory, io] = machine.sampler().sample(Instant::now()).stalls;
    assert_eq!(cpu, [Some(100_000), Some(0)]);
    assert_eq!(memory, [None, None]);
    assert_eq!(io, [Some(300_000), Some(0)]);
}

#[test]
fn this_machine_has_a_processor_and_memory() {
    let mut sampler = Sampler::open(Path::new("/"));
    let sample = sampler.sample(Instant::now());
    assert!(sample.load.is_some());
    assert!(
        sample
            .memory
            .is_some_and(|memory| memory.used > 0 && memory.used < memory.limit)
    );
}
