//! A flood of spoofed SYNs against the kernel's own cookies, alone and behind packet limits, and against the
//! program's.
//!
//! It tells what one spoofed SYN costs the core that receives it, and how many of a good client's connections succeed
//! meanwhile. `us` is the time of the thread that sends, in which a veth pair receives too, above that of a SYN which the
//! deny list drops.
//! Needs root.

#[path = "../tests/kernel/packet.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests' own packets, of which they build more kinds"
)]
mod packet;

#[path = "rig"]
mod rig {
    pub(crate) mod parts;
    pub(crate) mod pinned;
    pub(crate) mod steady;
    pub(crate) mod tools;
}

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    programs::{Xdp, XdpMode},
};
use floodwall_limiter::{Nanos, Quota};
use floodwall_xdp::{Opens, Over, PacketKey, PacketLimit, PacketMatch, Rules};
use nix::{
    sched::{CloneFlags, unshare},
    sys::{
        resource::{UsageWho, getrusage},
        socket::{
            AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrStorage, sendto, socket,
        },
    },
    unistd::gettid,
};
use packet::{SYN, tcp};
use rig::{
    parts::PARTS,
    pinned::Pinned,
    steady::{keep_to, last_cpu, median},
    tools::run,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const SERVER: &str = "10.77.0.1:8080";
const PORT: u16 = 8080;
const SYNS: usize = 200_000;
const RUNS: usize = 5;
/// A good client's connections in each case.
const CONNECTIONS: u32 = 50;
/// Spoofed sources: 198.18.0.0/16 is for benchmarks (RFC 2544).
const SOURCES: usize = 4096;

fn main() -> Result<(), Failure> {
    if !nix::unistd::geteuid().is_root() {
        println!("xdp/syn SKIPPED: needs root");
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNET)?;
    let (outside, (ask, answers)) = outside()?;
    lay(outside)?;
    let listener = TcpListener::bind(SERVER)?;
    thread::spawn(move || listener.incoming().for_each(drop));
    let mut floor = 0.0;
    for (case, cookies, rules) in cases()? {
        fs::write("/proc/sys/net/ipv4/tcp_syncookies", cookies)?;
        let filter = |rules: Rules| Pinned::on(&["inside"], 1 << 20, &rules);
        let _filter = rules.map(filter).transpose()?;
        ask.send(())?;
        let Measured { us, served } = answers.recv()??;
        if case == "denied" {
            floor = us;
        }
        let above = us - floor;
        println!("xdp/syn case={case} us={above:.2} good-client={served}/{CONNECTIONS}");
    }
    Ok(())
}

/// What a case is called, its `net.ipv4.tcp_syncookies`, and the rules of a pre-filter if there is one.
type Case = (&'static str, &'static str, Option<Rules>);

fn cases() -> Result<Vec<Case>, Failure> {
    let denied = Rules {
        deny: vec!["198.18.0.0/16".parse()?],
        ..Rules::new(1)
    };
    let limited = |key, over| Rules {
        listener_ports: vec![PORT],
        limits: vec![PacketLimit {
            matches: PacketMatch {
                ports: vec![PORT..=PORT],
                opens: Some(Opens::Tcp),
                ..PacketMatch::default()
            },
            over,
            ..PacketLimit::new("syn", key, Quota::new(200, Nanos::SECOND, 400))
        }],
        ..Rules::new(1)
    };
    Ok(vec![
        ("denied", "1", Some(denied)),
        ("backlog-without-cookies", "0", None),
        ("kernel-cookies", "1", None),
        ("kernel-cookies-always", "2", None),
        (
            "kernel-cookies+limit-by-source",
            "1",
            Some(limited(PacketKey::Source, Over::Drop)),
        ),
        (
            "kernel-cookies+limit-for-all",
            "1",
            Some(limited(PacketKey::None, Over::Drop)),
        ),
        (
            "own-cookies+limit-for-all",
            "2",
            Some(limited(PacketKey::None, Over::Cookie)),
        ),
    ])
}

/// Puts a veth pair between this network namespace and that of another thread.
fn lay(outside: i32) -> Result<(), Failure> {
    run("ip link set lo up")?;
    run("ip link add inside type veth peer name outside")?;
    run("ip address add 10.77.0.1/24 dev inside")?;
    run("ip link set inside address 02:00:00:00:00:01 up")?;
    run(&format!("ip link set outside netns {outside}"))?;
    run("ip neighbour replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev inside")?;
    run("ip route add 198.18.0.0/16 via 10.77.0.2")?;
    Ok(())
}

struct Measured {
    us: f64,
    served: u32,
}

type Channel = (mpsc::Sender<()>, mpsc::Receiver<Result<Measured, Failure>>);

/// Starts the attacker in a network namespace of its own. Tells its thread's number, and how to ask it.
fn outside() -> Result<(i32, Channel), Failure> {
    let (ask, asked) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || -> Result<(), Failure> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        // It receives too. The client and the server have other CPUs, if there are any.
        keep_to(last_cpu()?)?;
        tell.send(gettid().as_raw())?;
        let mut attacker = None;
        while asked.recv().is_ok() {
            let attacker = match &mut attacker {
                Some(attacker) => attacker,
                None => attacker.insert(Attacker::new()?),
            };
            answer.send(attacker.measure())?;
        }
        Ok(())
    });
    Ok((told.recv()?, (ask, answers)))
}

struct Attacker {
    socket: OwnedFd,
    interface: LinkAddr,
    frames: Vec<Vec<u8>>,
    /// A veth takes what its other end's driver sends while it has a program.
    _program: Ebpf,
}

impl Attacker {
    fn new() -> Result<Self, Failure> {
        run("ip link set outside address 02:00:00:00:00:02 up")?;
        run("ip address add 10.77.0.2/24 dev outside")?;
        let kind = SockType::Raw;
        let link = nix::ifaddrs::getifaddrs()?
            .filter(|found| found.interface_name == "outside")
            .find_map(|found| {
                found
                    .address
                    .as_ref()
                    .and_then(SockaddrStorage::as_link_addr)
                    .copied()
            });
        Ok(Self {
            socket: socket(AddressFamily::Packet, kind, SockFlag::empty(), None)?,
            interface: link.ok_or("no interface")?,
            frames: (0..SOURCES).map(spoofed).collect(),
            _program: pass_all("outside")?,
        })
    }

    /// Floods, with a good client beside it.
    fn measure(&self) -> Result<Measured, Failure> {
        let stop = AtomicBool::new(false);
        let (served, us) = thread::scope(|scope| {
            let client = scope.spawn(|| {
                let kept = keep_to(0);
                let served = (0..CONNECTIONS).filter(|_| connects()).count();
                stop.store(true, Relaxed);
                kept.map(|()| served)
            });
            let mut runs = Vec::new();
            while runs.len() < RUNS || !stop.load(Relaxed) {
                runs.push(self.flood()?);
            }
            let served = client.join().map_err(|_| "the client panicked")??;
            Ok::<_, Failure>((served, median(runs)))
        })?;
        Ok(Measured {
            us,
            served: u32::try_from(served)?,
        })
    }

    /// Microseconds of this thread for each SYN.
    fn flood(&self) -> Result<f64, Failure> {
        let before = cpu()?;
        for index in 0..SYNS {
            let frame = &self.frames[index % SOURCES];
            // A full queue is as good as a drop.
            let _ = sendto(
                self.socket.as_raw_fd(),
                frame,
                &self.interface,
                MsgFlags::empty(),
            );
        }
        let spent = cpu()?.saturating_sub(before);
        let syns = u32::try_from(SYNS)?;
        Ok(spent.as_secs_f64() * 1e6 / f64::from(syns))
    }
}

fn cpu() -> Result<Duration, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let time = |spent: nix::sys::time::TimeVal| {
        Duration::from_micros(
            u64::try_from(spent.tv_sec() * 1_000_000 + spent.tv_usec()).unwrap_or(0),
        )
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

/// Whether a good client is served within a second.
fn connects() -> bool {
    let server: SocketAddr = ([10, 77, 0, 1], PORT).into();
    let started = Instant::now();
    TcpStream::connect_timeout(&server, Duration::from_secs(1)).is_ok()
        && started.elapsed() < Duration::from_secs(1)
}

/// Attaches a program that passes everything.
fn pass_all(interface: &str) -> Result<Ebpf, Failure> {
    let mut object = Ebpf::load_file(PARTS)?;
    let program: &mut Xdp = object
        .program_mut("empty")
        .ok_or("no program")?
        .try_into()?;
    program.load()?;
    program.attach(interface, XdpMode::Driver)?;
    Ok(object)
}

/// The nth spoofed SYN, with good checksums.
fn spoofed(index: usize) -> Vec<u8> {
    let from = format!("198.18.{}.{}", index / 256, index % 256);
    let mut frame = tcp(&from, PORT, SYN).to("10.77.0.1").bytes();
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    let header = checksum(&[&frame[14..34]]);
    frame[24..26].copy_from_slice(&header.to_be_bytes());
    let segment = checksum(&[&frame[26..34], &[0, 6, 0, 20], &frame[34..54]]);
    frame[50..52].copy_from_slice(&segment.to_be_bytes());
    frame
}

/// The internet checksum (RFC 1071) of parts of even lengths.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks_exact(2));
    let sum: u32 = words
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let once = (sum >> 16) + (sum & 0xffff);
    !u16::try_from((once >> 16) + (once & 0xffff)).unwrap_or(0)
}
