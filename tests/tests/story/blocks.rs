//! Blocks: what they leave open, who makes them, and what becomes of them without a process.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use floodwall_tests::{
    Client, Floodwall, Host, Instance, Launch, Origin, Request, Wire, Yaml, needs_root, wait,
};

use crate::{
    attack::{attempt, flood},
    edge::{ATTACKER, EDGE, Scene, packets},
};

/// Blocks the attacker by hand.
fn block(floodwall: &Floodwall<'_>, length: &str, scope: &str) {
    let answer = floodwall.ask(&[
        "blocks",
        "add",
        &ATTACKER.to_string(),
        "--for",
        length,
        "--scope",
        scope,
    ]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
}

fn unblock(floodwall: &Floodwall<'_>) {
    let answer = floodwall.ask(&["blocks", "remove", &ATTACKER.to_string()]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
}

fn kind(attempt: io::Result<u16>) -> Result<u16, ErrorKind> {
    attempt.map_err(|error| error.kind())
}

/// A request to some other port of the edge.
fn at_port(from: &Host, port: u16) -> Result<u16, ErrorKind> {
    let client = Client::of(SocketAddr::from((EDGE, port))).patient_for(Duration::from_millis(300));
    kind(from.run(|| Ok(client.connect()?.get("/")?.status)))
}

#[test]
fn a_block_hits_the_front_door_and_not_the_house() {
    needs_root!();
    let scene = Scene::new();
    let floodwall = scene.start(&scene.yaml());
    let _ssh = scene.edge.run(|| Origin::on_port(2222));
    flood(&scene.attacker);
    assert_eq!(kind(attempt(&scene.attacker)), Err(ErrorKind::TimedOut));
    assert_eq!(at_port(&scene.attacker, 2222), Ok(200), "its ssh, say");
    block(&floodwall, "1m", "host");
    assert_eq!(at_port(&scene.attacker, 2222), Err(ErrorKind::TimedOut));
    assert!(packets(&floodwall.status(), "blocked-host") > 0);
    assert_eq!(kind(attempt(&scene.good)), Ok(200));
    unblock(&floodwall);
    assert_eq!(at_port(&scene.attacker, 2222), Ok(200));
    assert_eq!(
        kind(attempt(&scene.attacker)),
        Ok(200),
        "removed from both scopes"
    );
    assert!(floodwall.blocks().is_empty());
}

/// Of three packets, one after the other, exactly the one in between is dropped.
#[test]
fn add_and_remove_act_on_the_next_packet() {
    needs_root!();
    let scene = Scene::new();
    let floodwall = scene.start(&scene.yaml());
    let port = scene
        .edge
        .run(|| UdpSocket::bind((EDGE, 8080)))
        .expect("TCP has the port, UDP is free");
    port.set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a socket may wait");
    let sender = scene
        .attacker
        .run(|| UdpSocket::bind(("0.0.0.0", 0)))
        .expect("any port");
    sender
        .connect((EDGE, 8080))
        .expect("the edge is on the wire");
    let receive = || {
        let mut number = [0];
        port.recv(&mut number)
            .map(|_| number[0])
            .map_err(|error| error.kind())
    };
    for round in 0..5 {
        sender.send(&[round]).expect("the wire takes it");
        assert_eq!(receive(), Ok(round));
        block(&floodwall, "1m", "listeners");
        let before = packets(&floodwall.status(), "blocked");
        sender.send(&[99]).expect("the wire takes it");
        assert_eq!(packets(&floodwall.status(), "blocked"), before + 1);
        unblock(&floodwall);
    }
    sender.send(&[7]).expect("the wire takes it");
    assert_eq!(
        receive(),
        Ok(7),
        "what was sent while blocked is gone for good"
    );
}

#[test]
fn nobody_blocks_whom_it_must_not() {
    needs_root!();
    let scene = Scene::new();
    let floodwall = scene.start(&scene.yaml());
    // The example trusts and allows this network.
    let answer = floodwall.ask(&["blocks", "add", "10.200.0.7", "--for", "1m"]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("10.200.0.7"), "{}", answer.stderr);
    assert!(floodwall.blocks().is_empty());
}

#[test]
fn what_is_left_in_the_kernel_can_be_taken_out() {
    needs_root!();
    let scene = Scene::new();
    let mut floodwall = scene.start(&scene.yaml());
    block(&floodwall, "1h", "listeners");
    let file = floodwall.folder().join("floodwall.yaml");
    let file = file.to_str().expect("a folder in plain letters").to_owned();
    let detach = || Floodwall::command(&["prefilter", "detach", "-c", &file]);
    let answer = detach();
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    assert!(answer.stderr.contains("stop it first"), "{}", answer.stderr);
    assert_eq!(kind(attempt(&scene.attacker)), Err(ErrorKind::TimedOut));
    floodwall.kill();
    assert_eq!(kind(attempt(&scene.attacker)), Err(ErrorKind::TimedOut));
    let answer = detach();
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_eq!(
        kind(attempt(&scene.attacker)),
        Err(ErrorKind::ConnectionRefused)
    );
    floodwall.start_again();
    let status = floodwall.status();
    assert_eq!(status["prefilter"]["interfaces"][0]["adopted"], false);
}

#[test]
fn the_kernel_goes_on_without_the_process() {
    needs_root!();
    let scene = Scene::new();
    let mut floodwall = scene.start(&scene.yaml());
    block(&floodwall, "20s", "listeners");
    let blocked_at = Instant::now();
    floodwall.kill();
    // Whom the kernel lets through learns that nobody listens; the attacker learns nothing.
    assert_eq!(
        kind(attempt(&scene.good)),
        Err(ErrorKind::ConnectionRefused)
    );
    assert_eq!(kind(attempt(&scene.attacker)), Err(ErrorKind::TimedOut));
    floodwall.start_again();
    let blocks = floodwall.blocks();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    let remains = blocks[0]["ends_in_seconds"].as_f64().expect("a number");
    let expected = 20.0 - blocked_at.elapsed().as_secs_f64();
    assert!(
        (remains - expected).abs() < 0.3,
        "{remains} s remain instead of {expected} s"
    );
    assert_eq!(
        (&blocks[0]["by"], &blocks[0]["reason"]),
        (&"operator".into(), &"by hand".into())
    );
    let status = floodwall.status();
    assert_eq!(
        status["prefilter"]["interfaces"][0]["adopted"], true,
        "{status:#}"
    );
    assert_eq!(kind(attempt(&scene.attacker)), Err(ErrorKind::TimedOut));
    assert_eq!(kind(attempt(&scene.good)), Ok(200));
    unblock(&floodwall);
    assert_eq!(kind(attempt(&scene.attacker)), Ok(200));
}

#[test]
fn nobody_stays_locked_out_by_a_process_that_is_gone() {
    needs_root!();
    let scene = Scene::new();
    let yaml = scene.yaml().with("mode: auto", "mode: auto\n  outlive: 2s");
    let mut floodwall = scene.start(&yaml);
    block(&floodwall, "1h", "listeners");
    assert_eq!(kind(attempt(&scene.attacker)), Err(ErrorKind::TimedOut));
    floodwall.kill();
    let gone = Instant::now();
    assert_eq!(kind(attempt(&scene.attacker)), Err(ErrorKind::TimedOut));
    // The lease is renewed once a second, so that between one and two seconds of it are left.
    let passes = wait::until(Duration::from_secs(5), || {
        match kind(attempt(&scene.attacker)) {
            Err(ErrorKind::ConnectionRefused) => Some(gone.elapsed()),
            _ => None,
        }
    });
    let passes = passes.expect("everything passes after two seconds");
    println!("everything passes {passes:?} after the process is gone");
    assert!(
        passes > Duration::from_millis(900) && passes < Duration::from_millis(2600),
        "{passes:?}"
    );
    // Who is back keeps what is left of the block.
    floodwall.start_again();
    assert_eq!(kind(attempt(&scene.attacker)), Err(ErrorKind::TimedOut));
    assert_eq!(kind(attempt(&scene.good)), Ok(200));
}

/// Who has a network of addresses is one source, whichever of them it sends from.
#[test]
fn an_ipv6_source_is_blocked_with_its_64() {
    needs_root!();
    let wire = Wire::new();
    let edge = wire.host(&["2001:db8::1/32"]);
    let attacker = wire.host(&["2001:db8:0:7::2/32", "2001:db8:0:7:ffff::3/32"]);
    let neighbour = wire.host(&["2001:db8:0:8::2/32"]);
    let instance = Instance::claim();
    let yaml = Yaml::example("sentinel-port.yaml")
        .with("0.0.0.0:8080", "\"[::]:8080\"")
        .with("[lo]", "[eth0]")
        .with(
            "mode: auto",
            format!("mode: native\n  instance: {instance}\n  table: {{ sources: 2000 }}"),
        );
    let floodwall = Launch::default().on(&edge).start(&yaml);
    let web = Client::of("[2001:db8::1]:8080".parse().expect("an address"))
        .patient_for(Duration::from_millis(300));
    let from = |host: &Host, address: &str| {
        let address: IpAddr = address.parse().expect("an address");
        let response = host.run(|| web.from(address).try_send(&Request::get("/")));
        kind(response.map(|response| response.status))
    };
    assert_eq!(from(&attacker, "2001:db8:0:7::2"), Ok(200));
    let answer = floodwall.ask(&["blocks", "add", "2001:db8:0:7::2", "--for", "1m"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_eq!(floodwall.blocks()[0]["source"], "2001:db8:0:7::/64");
    assert_eq!(from(&attacker, "2001:db8:0:7::2"), Err(ErrorKind::TimedOut));
    assert_eq!(
        from(&attacker, "2001:db8:0:7:ffff::3"),
        Err(ErrorKind::TimedOut)
    );
    assert_eq!(from(&neighbour, "2001:db8:0:8::2"), Ok(200));
    let answer = floodwall.ask(&["blocks", "remove", "2001:db8:0:7:ffff::3"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_eq!(from(&attacker, "2001:db8:0:7::2"), Ok(200));
}

/// The lists come first, in the kernel: who is denied never reaches the proxy.
#[test]
fn who_is_denied_gets_nothing() {
    needs_root!();
    let wire = Wire::new();
    let edge = wire.host(&["203.0.113.1/24", "10.200.0.1/24"]);
    let denied = wire.host(&["203.0.113.9/24"]);
    let allowed = wire.host(&["10.200.0.9/24"]);
    let instance = Instance::claim();
    let yaml = Yaml::example("sentinel-port.yaml").with("[lo]", "[eth0]").with(
        "mode: auto",
        format!("mode: native\n  instance: {instance}\n  table: {{ sources: 2000 }}\n  allow: [10.200.0.0/16]\n  deny: [203.0.113.0/24, 10.0.0.0/8]"),
    );
    let floodwall = Launch::default().on(&edge).start(&yaml);
    let get = |from: &Host, edge: [u8; 4]| {
        let client =
            Client::of(SocketAddr::from((edge, 8080))).patient_for(Duration::from_millis(300));
        kind(
            from.run(|| client.try_send(&Request::get("/")))
                .map(|response| response.status),
        )
    };
    assert_eq!(get(&denied, [203, 0, 113, 1]), Err(ErrorKind::TimedOut));
    assert_eq!(
        get(&allowed, [10, 200, 0, 1]),
        Ok(200),
        "what is allowed is looked up first"
    );
    let status = floodwall.status();
    assert!(
        packets(&status, "denied") > 0 && packets(&status, "allowed") > 0,
        "{status:#}"
    );
    assert_eq!(status["connections"]["accepted"], 1);
}
