//! Servers on unix sockets, and servers that are told for whom a connection is.

use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    sync::mpsc,
    thread,
};

use floodwall_tests::{Client, Floodwall, Loopback};

use crate::front;

/// Answers everything on a stream, and hands over what came first.
fn answer(mut stream: impl Read + Write, first: &mpsc::Sender<Vec<u8>>) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        seen.extend(&buffer[..read]);
        if seen.ends_with(b"\r\n\r\n") {
            // Nobody may listen any more when a test has seen enough.
            let _ = first.send(std::mem::take(&mut seen));
            let said = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            if said.is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_server_may_be_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (heads, seen) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let heads = heads.clone();
            thread::spawn(move || answer(stream, &heads));
        }
    });
    let (web, any) = (Loopback::free(), Loopback::free());
    let yaml = front(web, &[any], "health: { tcp: true, interval: 100ms }").with(
        &format!("[{any}]"),
        format!("[\"unix:{}\"]", path.display()),
    );
    let floodwall = Floodwall::start(&yaml);
    for _ in 0..3 {
        assert_eq!(Client::of(web).get("/a").status, 200);
        assert!(seen.recv().unwrap().starts_with(b"GET /a HTTP/1.1\r\n"));
    }
    let line = floodwall.logged(|line| line["status"] == 200);
    assert_eq!(line["upstream_address"], format!("unix:{}", path.display()));
}

#[test]
fn a_server_is_told_for_whom_a_connection_is() {
    let listener = std::net::TcpListener::bind(Loopback::free()).unwrap();
    let server = listener.local_addr().unwrap();
    let (heads, seen) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let heads = heads.clone();
            thread::spawn(move || answer(stream, &heads));
        }
    });
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&front(web, &[server], "proxy_protocol: v1"));
    let other = Loopback::claim().ip();
    for client in [web.ip(), other.into()] {
        assert_eq!(Client::of(web).from(client).get("/").status, 200);
        let head = String::from_utf8(seen.recv().unwrap()).unwrap();
        let line = format!("PROXY TCP4 {client} {} ", web.ip());
        assert!(head.starts_with(&line), "{head}");
        assert!(
            head.contains(&format!(" {}\r\nGET / HTTP/1.1\r\n", web.port())),
            "{head}"
        );
    }
}
