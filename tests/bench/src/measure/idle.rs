//! Memory of connections that are open and ask for nothing, once they have asked one thing.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::Context as _;
use floodwall_tests::Loopback;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    Bench,
    contender::{Contender, Job, Limits, origin},
    cpu,
    report::Row,
};

/// As many as a proxy can serve that may open 20,000 files, a common bound.
const CONNECTIONS: u32 = 9_000;

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // What is started from here on inherits it.
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let to = Loopback::free();
    let _origin = bench.cores.on_origin(|| origin(to))?;
    let mut cells = [(); 4].map(|()| String::new());
    for (contender, cell) in Contender::PROXIES.into_iter().zip(&mut cells) {
        let job = Job::new(Loopback::free(), to, Limits::None);
        let running = bench.cores.on_server(|| contender.start(&job))?;
        drop(ask(job.listen)?);
        let before = cpu::resident_bytes(running.pid())?;
        let open = (0..CONNECTIONS)
            .map(|_| ask(job.listen))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let after = cpu::resident_bytes(running.pid())?;
        let each = after.saturating_sub(before) as f64 / f64::from(CONNECTIONS);
        println!(
            "idle {} connections={} before={before} after={after} each={each:.0}B",
            contender.name(),
            open.len()
        );
        *cell = format!("{:.1} KiB", each / 1024.0);
    }
    let [floodwall, nginx, haproxy, envoy] = cells;
    bench.report.add(Row {
        what: "memory of an idle connection, of 9,000",
        floodwall,
        nginx,
        haproxy,
        envoy,
        ..Row::default()
    });
    Ok(())
}

/// Opens a connection, has one answer, and keeps it open.
fn ask(server: SocketAddr) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {server}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    // The origin's body, whole or as the last chunk but one.
    while !answer.windows(6).any(|window| window == b"hello\n") {
        match stream.read(&mut buffer).context("reading an answer")? {
            0 => anyhow::bail!("closed: {}", String::from_utf8_lossy(&answer)),
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(stream)
}
