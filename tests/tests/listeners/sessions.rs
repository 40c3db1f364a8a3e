//! Sessions: resumed on any thread, and whole through reloads that bring other certificates.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use floodwall_tests::{Authority, Curl, Floodwall, Loopback, s_client};

use crate::secure;

#[test]
fn every_thread_resumes_what_another_began_and_a_reload_keeps_it_so() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let yaml = secure(web, &[&www], "").and("server: { threads: 4 }\n");
    let floodwall = Floodwall::start(&yaml);
    let ticket = authority.file("ticket", b"");
    let ticket = ticket.to_str().unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        s_client(web, &[version, "-sess_out", ticket]);
        assert_eq!(floodwall.reload().code, Some(0));
        // One of four threads each time: all of them by chance alone would be one in 65,536.
        for _ in 0..8 {
            let said = s_client(web, &[version, "-sess_in", ticket]);
            assert!(said.contains("Reused, "), "{version}: {said}");
        }
    }
}

#[test]
fn a_reload_shows_the_files_that_are_there_now_and_nobody_is_turned_away() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let floodwall = Floodwall::start(&secure(web, &[&www], ""));
    let serial = || {
        let said = s_client(web, &["-servername", "www.test"]);
        let begin = said.find("-----BEGIN").expect("a certificate is shown");
        said[begin..begin + 500].to_owned()
    };
    let (over, asked, failed) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    let got = Curl::new()
                        .trusting(&authority.certificate())
                        .https("www.test", web, "/");
                    asked.fetch_add(1, Relaxed);
                    failed.fetch_add(usize::from(got.body != "hello"), Relaxed);
                }
            });
        }
        let mut before = serial();
        for _ in 0..5 {
            authority.issue("www", &["www.test"]);
            assert_eq!(serial(), before, "nothing changes before the reload");
            floodwall.hang_up();
            let after = serial();
            assert_ne!(after, before, "the new certificate is shown");
            before = after;
        }
        over.store(true, Relaxed);
    });
    assert_eq!(failed.load(Relaxed), 0, "of {}", asked.load(Relaxed));
    let last = floodwall.status()["last_reload"].to_string();
    assert!(last.contains("listeners.web.tls.certificates"), "{last}");
}
