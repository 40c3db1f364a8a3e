//! A network in the kernel for one test: hosts in namespaces of their own, on one wire.

use std::{
    fs::File,
    path::PathBuf,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use nix::sched::{CloneFlags, setns};
use serde_json::Value;

/// What all hosts of a test are plugged into: a switch in a namespace of its own.
#[derive(Debug)]
pub struct Wire {
    switch: Host,
}

/// A host with an interface `eth0` on the wire, and `lo`.
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
}

#[derive(Debug)]
struct Namespace {
    name: String,
}

impl Wire {
    pub fn new() -> Self {
        let switch = Host::alone();
        switch
            .namespace
            .ip("link add br0 type bridge forward_delay 0");
        switch.namespace.ip("link set br0 up");
        Self { switch }
    }

    /// Plugs in a host with these addresses, each with its prefix length.
    pub fn host(&self, addresses: &[&str]) -> Host {
        let namespace = Namespace::new();
        let plug = namespace.plug();
        let (host, switch) = (&namespace.name, &self.switch.namespace.name);
        ip(&format!(
            "link add eth0 netns {host} type veth peer name {plug} netns {switch}"
        ));
        let switch = &self.switch.namespace;
        switch.ip(&format!("link set {plug} master br0 up"));
        namespace.ip("link set eth0 up");
        for address in addresses {
            let address_family_flags = if address.contains(':') { " nodad" } else { "" };
            namespace.ip(&format!(
                "address add {address} dev eth0{address_family_flags}"
            ));
        }
        Host { namespace }
    }
}

impl Wire {
    /// The host that the wire is, with an interface for each of the others.
    pub fn switch(&self) -> &Host {
        &self.switch
    }

    /// The switch's interface for a host.
    pub fn plug(&self, host: &Host) -> String {
        host.namespace.plug()
    }

    /// How many frames went from the wire to a host, whatever became of them there.
    pub fn delivered(&self, host: &Host) -> u64 {
        let (switch, plug) = (&self.switch.namespace.name, host.namespace.plug());
        let words = format!("-s -j -n {switch} link show dev {plug}");
        let shown: Value = serde_json::from_str(&ip(&words)).expect("`ip -j` writes JSON");
        shown[0]["stats64"]["tx"]["packets"]
            .as_u64()
            .expect("an interface counts")
    }
}

impl Default for Wire {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// A host that is plugged in nowhere, with `lo` alone.
    pub fn alone() -> Self {
        Self {
            namespace: Namespace::new(),
        }
    }

    /// Runs `work` on a thread inside the host's namespace. Sockets and threads that it makes stay there.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = self.path();
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                let namespace = File::open(path).expect("the namespace is there");
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("root may enter a namespace");
                work()
            });
            inside
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Lets the host send to an address through its interface.
    pub fn route(&self, network: &str) {
        self.namespace.ip(&format!("route add {network} dev eth0"));
    }

    /// The file that stands for the host's network namespace.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.namespace.name)
    }
}

impl Namespace {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("floodwall-{}-{}", process::id(), MADE.fetch_add(1, Relaxed));
        ip(&format!("netns add {name}"));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// The other end of its cable, at the switch.
    fn plug(&self) -> String {
        format!("p-{}", self.name.rsplit('-').next().unwrap_or_default())
    }

    fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.name));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The test is over; a namespace that stays behind is only untidy.
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

fn ip(arguments: &str) -> String {
    let ran = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("iproute2 is installed");
    assert!(
        ran.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8_lossy(&ran.stdout).into_owned()
}
