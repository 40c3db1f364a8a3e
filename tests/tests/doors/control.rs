//! The control socket.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
};

use floodwall_tests::{Client, Control, Floodwall, Loopback, eventually, needs_root};
use serde_json::json;

use super::{changeable, front};

const NOBODY: u32 = 65_534;

fn start() -> (Floodwall<'static>, Client) {
    let ip = Loopback::claim();
    let (web, admin) = (ip.free_port(), ip.free_port());
    (Floodwall::start(&front(web, admin)), Client::of(web))
}

#[test]
fn the_socket_is_its_owners_and_its_groups() {
    let (floodwall, _) = start();
    let meta = fs::metadata(floodwall.socket()).expect("a socket");
    assert_eq!(meta.permissions().mode() & 0o7777, 0o660);
    let process = fs::metadata(format!("/proc/{}", floodwall.pid())).expect("a process");
    assert_eq!((meta.uid(), meta.gid()), (process.uid(), process.gid()));
}

#[test]
fn another_user_is_refused_even_when_the_mode_lets_everybody_in() {
    needs_root!();
    let (floodwall, _) = start();
    let socket = floodwall.socket();
    let before = changeable(&floodwall);
    let block = ["blocks", "add", "192.0.2.7", "--for", "1h"];
    let closed = floodwall.ask_as(NOBODY, NOBODY, &block);
    assert_eq!(closed.code, Some(1));
    assert!(
        closed.stderr.contains("may only be opened by user root"),
        "{}",
        closed.stderr
    );

    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("root may");
    for command in [
        &block[..],
        &["status"],
        &["gate", "list", "laptop"],
        &["reload"],
    ] {
        let refused = floodwall.ask_as(NOBODY, NOBODY, command);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        let why = "user 65534 may not ask at the control socket: it is for root, the service's user and the group root";
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    assert_eq!(changeable(&floodwall), before);
    assert!(
        floodwall
            .log()
            .contains("somebody may not ask at the control socket uid=65534")
    );

    // Whoever is in the path's group may.
    chown(&socket, None, Some(NOBODY)).expect("root may");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o660)).expect("root may");
    let added = floodwall.ask_as(NOBODY - 1, NOBODY, &block);
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    assert_eq!(floodwall.blocks()[0]["uid"], NOBODY - 1);
}

#[test]
fn what_is_no_question_changes_nothing_and_is_told_so() {
    let (floodwall, web) = start();
    let before = changeable(&floodwall);
    let clear = "{\"version\":1,\"body\":\"clear_blocks\"}";
    let deep = "[".repeat(200_000) + "\n";
    let long = format!("{{\"version\":1,\"body\":\"{}\"}}\n", "x".repeat(2 << 20));
    for (bytes, said) in [
        (
            &b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
            "not a message",
        ),
        (b"\0\0\0\0\n", "not a message"),
        (b"\xff\xfe\xfd\n", "not a message"),
        (b"\n", "not a message"),
        (b"{}\n", "not a message"),
        (
            b"{\"version\":2,\"body\":\"clear_blocks\"}\n",
            "speaks version 2",
        ),
        (
            b"{\"version\":1,\"body\":\"format_disk\"}\n",
            "unknown variant",
        ),
        (
            b"{\"version\":1,\"body\":\"clear_blocks\",\"as\":\"root\"}\n",
            "unknown field",
        ),
        (
            b"{\"version\":1,\"body\":{\"delete_guests\":{}}}\n",
            "missing field",
        ),
        (
            b"{\"version\":1,\"body\":{\"delete_guests\":{\"gate\":7}}}\n",
            "invalid type",
        ),
        (deep.as_bytes(), "not a message"),
        (long.as_bytes(), "unknown variant"),
        // Half a question is none.
        (&clear.as_bytes()[..30], ""),
        (clear.as_bytes(), ""),
        (b"", ""),
    ] {
        let mut caller = Control::of(&floodwall);
        caller.write(bytes).expect("the service reads");
        let answer = caller.finish().expect("the service closes");
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(answer.contains(said), "{shown}: {answer}");
        assert_eq!(answer.is_empty(), said.is_empty(), "{shown}: {answer}");
    }
    assert_eq!(changeable(&floodwall), before);
    assert_eq!(web.get("/").status, 200);
}

#[test]
fn a_question_that_is_too_long_is_refused_before_it_is_over() {
    let (floodwall, web) = start();
    let mut caller = Control::of(&floodwall);
    let mebibyte = vec![b'x'; 1 << 20];
    // It stops reading when there is too much.
    let sent = (0..80)
        .take_while(|_| caller.write(&mebibyte).is_ok())
        .count();
    assert!((63..80).contains(&sent), "{sent} MiB");
    let answer = caller.line().expect("an answer");
    assert!(answer.contains("a question has 64 MiB at most"), "{answer}");
    assert_eq!(web.get("/").status, 200);
    assert_eq!(floodwall.ask(&["status"]).code, Some(0));
}

#[test]
fn whoever_writes_slowly_or_comes_too_often_keeps_nobody_out() {
    let (floodwall, web) = start();
    let mut slow: Vec<Control> = (0..60).map(|_| Control::of(&floodwall)).collect();
    let line = b"{\"version\":1,\"body\":\"status\"}";
    for byte in &line[..20] {
        for caller in &mut slow {
            caller.write(&[*byte]).expect("the service waits");
        }
    }
    assert_eq!(floodwall.ask(&["status"]).code, Some(0));
    assert_eq!(web.get("/").status, 200);
    // More than one user may have: those are told so at once.
    let mut more: Vec<Control> = (0..40).map(|_| Control::of(&floodwall)).collect();
    let told = more.pop().expect("one of them").finish().expect("closed");
    assert!(told.contains("as many connections"), "{told}");
    drop(more);
    eventually!(floodwall.ask(&["status"]).code == Some(0));
    // In the end the slow ones are closed as well.
    for mut caller in slow {
        let answer = caller.line().expect("the service says so and closes");
        assert!(
            answer.contains("no whole question came within 10 s"),
            "{answer}"
        );
    }
    assert_eq!(floodwall.ask(&["status"]).code, Some(0));
}

#[test]
fn many_who_ask_at_one_time_are_all_answered() {
    let (floodwall, _) = start();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            let floodwall = &floodwall;
            scope.spawn(move || {
                let mut caller = Control::of(floodwall);
                for _ in 0..20 {
                    let answer = caller.ask(&json!("limits"));
                    assert_eq!(answer["limits"][0]["name"], "narrow");
                }
            });
        }
    });
}
