//! A control group (cgroup v2), as a container is one: what runs in it has its share of the machine and no more.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use crate::wait;

const ROOT: &str = "/sys/fs/cgroup";

/// A group of its own below the root. Dropping it ends whatever runs in it.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
    workers: Mutex<Vec<Child>>,
}

impl Group {
    /// Makes one with these limits (`cpu.max`, `memory.max`). None where the machine's one hierarchy is not this one, or
    /// gives its groups no such limits.
    pub fn with(limits: &[(&str, &str)]) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = Path::new(ROOT);
        let given = fs::read_to_string(root.join("cgroup.controllers")).ok()?;
        for (name, _) in limits {
            let wanted = name.split('.').next()?;
            given.split_whitespace().find(|given| *given == wanted)?;
            fs::write(root.join("cgroup.subtree_control"), format!("+{wanted}")).ok()?;
        }
        let name = format!("floodwall-{}-{}", process::id(), NEXT.fetch_add(1, Relaxed));
        let group = Self {
            path: root.join(name),
            workers: Mutex::default(),
        };
        fs::create_dir(&group.path).ok()?;
        for (name, limit) in limits {
            fs::write(group.path.join(name), limit).expect("a limit of the group");
        }
        Some(group)
    }

    /// The words before a command that put it into the group.
    pub(crate) fn words(&self) -> Vec<PathBuf> {
        let script = "echo $$ >\"$0\" && exec \"$@\"";
        let mut words = ["sh", "-c", script].map(PathBuf::from).to_vec();
        words.push(self.path.join("cgroup.procs"));
        words
    }

    /// The bytes that its processes hold, but for files that the kernel would let go of.
    pub fn memory(&self) -> u64 {
        let read = |name| fs::read_to_string(self.path.join(name)).expect("a file of the group");
        let number = |text: &str| text.trim().parse::<u64>().expect("a number");
        let (current, stat) = (number(&read("memory.current")), read("memory.stat"));
        let idle = stat
            .lines()
            .find_map(|line| line.strip_prefix("inactive_file "));
        current.saturating_sub(number(idle.expect("a line of memory.stat")))
    }

    /// Has one thread of the group work until the group ends, or for a minute.
    pub fn work(&self) {
        let words = self.words();
        let worker = Command::new(&words[0])
            .args(&words[1..])
            .args(["timeout", "60", "sh", "-c", "while :; do :; done"])
            .stdin(Stdio::null())
            .spawn()
            .expect("every machine has a shell");
        self.workers
            .lock()
            .expect("no test panics here")
            .push(worker);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
        for worker in self.workers.get_mut().into_iter().flatten() {
            let _ = worker.wait();
        }
        // A group goes when the last of its processes has gone.
        wait::until(wait::PATIENCE, || fs::remove_dir(&self.path).ok());
    }
}
