//! Start, signals and end of the service.

use std::{
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    sync::{Arc, mpsc},
    thread,
};

use floodwall::{boot::Floodwall, handover::Inheritance, systemd::Manager};
use nix::sys::signal::Signal;

use crate::{
    http,
    service::{PATIENCE, Service},
    site::{RESPOND, Site, stderr},
};

#[test]
fn it_serves_when_it_says_so_and_leaves_nothing_behind() {
    let site = Site::with(RESPOND);
    let mut service = Service::start(&site);
    assert_eq!(http::get(site.web, "/").unwrap().body, "ok\n");
    assert_eq!(
        site.socket().metadata().unwrap().permissions().mode() & 0o777,
        0o660
    );
    service.signal(Signal::SIGTERM);
    assert!(service.hear("STOPPING=1").is_some());
    assert_eq!(service.end(), Some(0));
    assert!(!site.socket().exists());
}

#[test]
fn a_second_service_for_the_same_file_is_told_that_one_is_running() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    let said = stderr(&site.floodwall(&["run"]).code(1));
    assert!(said.contains("already running"), "{said}");
    assert_eq!(http::get(site.web, "/").unwrap().status, 200);
    assert!(site.prints(&["status"]).contains("floodwall "));
}

#[test]
fn a_killed_service_is_followed_by_another() {
    let site = Site::with(RESPOND);
    Service::start(&site).kill();
    assert!(site.socket().exists());
    let _service = Service::start(&site);
    assert!(site.prints(&["status"]).contains("generation   1"));
}

#[test]
fn an_address_that_is_taken_is_named_with_its_listener() {
    let site = Site::with(RESPOND);
    let _taken = TcpListener::bind(site.web).unwrap();
    let said = stderr(&site.floodwall(&["run"]).code(1));
    assert!(
        said.contains("listeners.web") && said.contains(&site.web.to_string()),
        "{said}"
    );
    assert!(!site.socket().exists());
    let site = Site::with(RESPOND);
    let _taken = TcpListener::bind(site.admin).unwrap();
    let said = stderr(&site.floodwall(&["run"]).code(1));
    assert!(
        said.contains("admin.address") && said.contains(&site.admin.to_string()),
        "{said}"
    );
}

#[test]
fn sighup_reloads_and_tells_the_service_manager() {
    let site = Site::with(RESPOND);
    let mut service = Service::start(&site);
    site.write(&RESPOND.replace("ok", "new"));
    service.signal(Signal::SIGHUP);
    assert!(service.hear("RELOADING=1\nMONOTONIC_USEC=").is_some());
    assert!(service.hear("STATUS=generation 2 ").is_some());
    assert_eq!(http::get(site.web, "/").unwrap().body, "new\n");
    site.write("routes: nonsense\n");
    service.signal(Signal::SIGHUP);
    assert!(
        service
            .hear("STATUS=generation 2 in the proxy; the pre-filter is off; reload refused")
            .is_some()
    );
    assert_eq!(http::get(site.web, "/").unwrap().body, "new\n");
}

#[test]
fn the_watchdog_is_fed() {
    let site = Site::with(RESPOND);
    let mut service = Service::start_with(&site, &[("WATCHDOG_USEC", "200000")]);
    for _ in 0..3 {
        assert!(service.hear("WATCHDOG=1").is_some());
    }
}

/// An origin that answers when it is told to.
struct Origin {
    address: std::net::SocketAddr,
    asked: mpsc::Receiver<()>,
    answer: mpsc::Sender<()>,
}

fn slow_origin() -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, asked) = mpsc::channel();
    let (answer, told) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).unwrap() > 0);
        tell.send(()).unwrap();
        // The story may end without an answer.
        if told.recv().is_ok() {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")
                .unwrap();
        }
    });
    Origin {
        address,
        asked,
        answer,
    }
}

fn proxy_to(origin: &Origin) -> String {
    format!(
        "upstreams:\n  app: {{ servers: [{}] }}\nroutes:\n  - {{ name: all, match: {{ path_prefix: / }}, upstream: app }}\n",
        origin.address
    )
}

#[test]
fn a_request_that_is_under_way_is_finished_before_the_end() {
    let origin = slow_origin();
    let site = Site::with(&proxy_to(&origin));
    let mut service = Service::start(&site);
    let web = site.web;
    let client = thread::spawn(move || http::get(web, "/"));
    origin.asked.recv_timeout(PATIENCE).unwrap();
    service.signal(Signal::SIGTERM);
    assert!(service.hear("STOPPING=1").is_some());
    origin.answer.send(()).unwrap();
    assert_eq!(client.join().unwrap().unwrap().body, "slow");
    assert_eq!(service.end(), Some(0));
}

#[test]
fn a_second_signal_does_not_wait_for_anybody() {
    let origin = slow_origin();
    let site = Site::with(&proxy_to(&origin));
    let mut service = Service::start(&site);
    let web = site.web;
    let client = thread::spawn(move || http::get(web, "/"));
    origin.asked.recv_timeout(PATIENCE).unwrap();
    service.signal(Signal::SIGTERM);
    assert!(service.hear("STOPPING=1").is_some());
    service.signal(Signal::SIGTERM);
    assert_eq!(service.end(), Some(0));
    assert!(client.join().unwrap().is_err());
}

#[test]
fn it_runs_in_a_process_that_has_other_things_to_do() {
    let site = Site::with(RESPOND);
    let floodwall = Floodwall::boot(
        &site.file(),
        Arc::new(Manager::from_environment()),
        &mut Inheritance::default(),
    )
    .unwrap();
    assert!(floodwall.alive());
    assert_eq!(http::get(site.web, "/").unwrap().body, "ok\n");
    site.write(&RESPOND.replace("ok", "new"));
    assert_eq!(floodwall.service.reloader.reload().unwrap().to, 2);
    assert_eq!(http::get(site.web, "/").unwrap().body, "new\n");
    floodwall.stop(|| false);
    assert!(http::get(site.web, "/").is_err());
    assert!(!site.socket().exists());
}
