//! `floodwall top` in a real pseudo-terminal, beside a service with real traffic.

use std::{net::SocketAddr, os::unix::process::ExitStatusExt, time::Duration};

use floodwall_tests::{
    Client, Floodwall, Loopback, Origin, Repeat, Signal, Terminal, Yaml, eventually, wait,
};

/// The smallest screen that people still have.
const SMALL: (u16, u16) = (80, 24);

const TOP: &[&str] = &["top", "--every", "200ms"];

/// A front door with a limit by client and by path, one upstream and one gate.
fn front(web: SocketAddr, origin: &Origin) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN] } }
limits:
  per-client: { key: client, rate: 1/d, burst: 3 }
  per-path: { key: path, rate: 1000/s }
gates: { sale: { key: client, max_admitted: 4 } }
routes:
  - { name: sale, match: { path: /sale }, gate: sale, respond: { body: yours } }
  - { name: all, limits: [per-client, per-path], upstream: app }
admin: { socket: floodwall.sock }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin.address())
}

/// A service, and somebody who asks it ten times a second and is refused most of the time.
struct Scene {
    web: Loopback,
    client: SocketAddr,
    floodwall: Floodwall<'static>,
    origin: Origin,
}

impl Scene {
    fn new() -> Self {
        let (web, origin) = (Loopback::claim(), Origin::start());
        let client = web.free_port();
        let floodwall = Floodwall::start(&front(client, &origin));
        Self {
            web,
            client,
            floodwall,
            origin,
        }
    }

    fn client(&self) -> Client {
        Client::of(self.client).from(self.web.ip())
    }

    fn traffic(&self) -> Repeat<()> {
        let client = self.client();
        Repeat::every(Duration::from_millis(100), move || {
            // While no service runs nobody answers.
            let _ = client.connect().and_then(|mut it| it.get("/checkout"));
        })
    }

    fn top(&self) -> Terminal {
        self.floodwall.on_terminal(TOP, &[], SMALL)
    }
}

#[test]
fn a_small_screen_shows_both_layers_and_what_is_refused() {
    let scene = Scene::new();
    assert_eq!(scene.client().get("/sale").status, 200);
    let traffic = scene.traffic();
    let top = scene.top();
    // One look has no rates, and two have.
    top.await_screen("rate of refusals", |screen| {
        let requests = screen.lines().find(|line| line.starts_with("requests"));
        requests.is_some_and(|line| line.contains("/s  refused "))
    });
    for words in [
        "floodwall  ",
        "packets    the pre-filter is off: ",
        "blocked    0",
        "per-client",
        &format!("client={}", scene.web.ip()),
        "path=/checkout",
        &format!("{}", scene.origin.address()),
        "sale  open   [##        ]  25%",
        "q quit  ? help",
    ] {
        top.await_words(words);
    }
    let screen = top.screen();
    assert!(screen.lines().count() <= 24, "{screen}");
    assert!(
        screen.lines().all(|line| line.chars().count() <= 80),
        "{screen}"
    );
    drop(traffic);
    top.await_screen("end of the refusals", |screen| {
        screen.contains("\nrequests   0/s")
    });
}

#[test]
fn sections_are_chosen_sorted_and_filtered() {
    let scene = Scene::new();
    for path in ["/a", "/b", "/b"] {
        assert_eq!(scene.client().get(path).status, 200);
    }
    let mut top = scene.top();
    let first_row = |words: &str| {
        let words = words.to_owned();
        move |screen: &str| {
            screen
                .lines()
                .nth(6)
                .is_some_and(|line| line.contains(&words))
        }
    };
    top.type_in("2");
    top.await_screen("most asked key", first_row("per-client"));
    top.type_in("/PATH=\r");
    top.await_screen("filtered keys", first_row("path=/b"));
    top.await_words("only rows with `PATH=`");
    top.type_in("r");
    top.await_screen("reversed keys", first_row("path=/a"));
    // From REQUESTS over REFUSED, LEFT and LIMIT to KEY.
    top.type_in("ssss");
    top.await_screen("keys by their name", first_row("path=/a"));
    top.type_in("r");
    top.await_screen("keys by their name, reversed", first_row("path=/b"));
    top.type_in("\x1b");
    top.await_screen("all keys", |screen| screen.contains("client="));
    top.type_in("\x1b[C");
    top.await_words("nobody is blocked");
    top.type_in("?");
    top.await_words("Any key goes back.");
    top.type_in("?0");
    top.await_words("UPSTREAM  SERVER");
    top.type_in("p");
    top.await_words(" PAUSED");
}

#[test]
fn the_selected_source_is_blocked_and_let_in_again() {
    let scene = Scene::new();
    let source = scene.web.ip().to_string();
    assert_eq!(scene.client().get("/").status, 200);
    let mut top = scene.top();
    top.type_in("2/client=\r");
    top.await_words(&format!("client={source}"));
    // The arrow comes over a slow line.
    for byte in ["\x1b", "[", "B"] {
        top.type_in(byte);
    }
    top.type_in("b");
    top.await_words(&format!("block {source} for how long? 10m"));
    top.type_in("\x151h\r");
    top.await_words(&format!("block {source} for 1h? y/n"));
    assert!(scene.floodwall.blocks().is_empty());
    top.type_in("y");
    top.await_words(&format!("{source} is blocked for "));
    let blocks = scene.floodwall.blocks();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    let left = blocks[0]["ends_in_seconds"].as_f64().expect("a number");
    assert!((3_500.0..=3_600.0).contains(&left), "{blocks:?}");
    assert!(
        scene
            .client()
            .connect()
            .and_then(|mut it| it.get("/"))
            .is_err()
    );

    top.type_in("\x1b");
    top.type_in("/\x15\r3");
    top.await_screen("countdown", |screen| {
        screen.contains(&source) && screen.contains("59m 5")
    });
    top.type_in("jun");
    top.await_words("nothing was done");
    assert_eq!(scene.floodwall.blocks().len(), 1);
    top.type_in("uy");
    top.await_words(&format!("{source} is let in again"));
    top.await_words("nobody is blocked");
    assert!(scene.floodwall.blocks().is_empty());

    // What the service says no to is said here.
    top.type_in("bnobody\r\r");
    top.await_words("block nobody for 10m? y/n");
    top.type_in("y");
    top.await_words("found the source `nobody`; allowed:");
}

/// What may end a view.
#[derive(Clone, Copy, Debug)]
enum End {
    Key(&'static str),
    Signal(Signal),
}

#[test]
fn the_terminal_is_as_it_was_whatever_ends_the_view() {
    let scene = Scene::new();
    for end in [
        End::Key("q"),
        End::Key("\x03"),
        End::Signal(Signal::SIGINT),
        End::Signal(Signal::SIGTERM),
        End::Signal(Signal::SIGHUP),
    ] {
        let mut top = scene.top();
        top.await_words("q quit");
        assert!(!top.is_as_before(), "{end:?}");
        match end {
            End::Key(key) => top.type_in(key),
            End::Signal(signal) => top.signal(signal),
        }
        let status = top.wait(wait::PATIENCE);
        assert_eq!((status.code(), status.signal()), (Some(0), None), "{end:?}");
        eventually!(top.is_as_before());
    }
}

#[test]
fn a_suspended_view_gives_the_terminal_back_and_takes_it_again() {
    let scene = Scene::new();
    let mut top = scene.top();
    top.await_words("q quit");
    top.type_in("\x1a");
    eventually!(top.is_as_before());
    top.signal(Signal::SIGCONT);
    eventually!(!top.is_as_before());
    top.await_words("q quit");
    top.type_in("q");
    assert!(top.wait(wait::PATIENCE).success());
    eventually!(top.is_as_before());
}

#[test]
fn a_service_that_goes_away_is_waited_for() {
    let mut scene = Scene::new();
    let traffic = scene.traffic();
    let mut top = scene.top();
    top.await_words("refused");
    scene.floodwall.kill();
    top.await_words(" NO ANSWER for ");
    top.await_words("is floodwall running");
    scene.floodwall.start_again();
    top.await_screen("new process", |screen| {
        let pid = format!("pid {},", scene.floodwall.pid());
        screen.contains(&pid) && !screen.contains("NO ANSWER")
    });
    top.await_screen("rates of the new process", |screen| {
        screen.contains("refused") && !screen.contains("- /s")
    });
    // No rate is negative.
    assert!(!top.written().contains(" -1"), "{}", top.screen());
    drop(traffic);
    top.type_in("q");
    assert!(top.wait(wait::PATIENCE).success());
}

#[test]
fn another_size_is_another_page() {
    let scene = Scene::new();
    let top = scene.top();
    top.await_words("q quit");
    let foot_is_in_row = |row| {
        top.await_screen("foot in the last row", |screen| {
            let foot = screen.lines().nth(row);
            foot.is_some_and(|line| line.starts_with("q quit"))
        });
    };
    top.resize(100, 40);
    foot_is_in_row(39);
    top.resize(40, 10);
    foot_is_in_row(9);
}

/// A page of 80 by 24 is some 2 kB; a line of 9600 baud carries 960 bytes a second.
#[test]
fn a_slow_line_carries_only_what_changed() {
    let scene = Scene::new();
    let traffic = scene.traffic();
    let top = scene
        .floodwall
        .on_terminal(&["top", "--every", "100ms"], &[], SMALL);
    top.await_words("refused");
    let before = (top.written().len(), scene.floodwall.finished("4xx"));
    // So many requests take two seconds, in which there are some twenty looks.
    eventually!(scene.floodwall.finished("4xx") >= before.1 + 20);
    let written = top.written().len() - before.0;
    drop(traffic);
    println!("some 20 looks were drawn with {written} bytes");
    assert!(written > 0 && written < 20 * 400, "{written} bytes");
}

#[test]
fn without_colours_there_are_none() {
    let scene = Scene::new();
    let traffic = scene.traffic();
    let coloured = |text: &str| {
        let sequences = text.split("\x1b[").skip(1);
        let mut styles = sequences.filter_map(|sequence| sequence.split_once('m'));
        styles.any(|(style, _)| style.split(';').any(|part| part.starts_with('3')))
    };
    let top = scene.top();
    top.await_words("refused");
    assert!(coloured(&top.written()));
    let plain = scene
        .floodwall
        .on_terminal(TOP, &[("NO_COLOR", "1")], SMALL);
    plain.await_words("refused");
    assert!(!coloured(&plain.written()));
    drop(traffic);
}

#[test]
fn without_a_terminal_it_is_one_page_or_one_document() {
    let scene = Scene::new();
    let traffic = scene.traffic();
    eventually!(scene.floodwall.finished("4xx") > 0);
    let page = scene.floodwall.ask(&["top", "--every", "1s"]);
    assert_eq!(page.code, Some(0), "{}", page.stderr);
    assert!(!page.stdout.contains('\x1b'), "{}", page.stdout);
    for words in [
        "requests   ",
        "  refused ",
        "per-client",
        "path=/checkout",
        "UPSTREAM",
    ] {
        assert!(
            page.stdout.contains(words),
            "no {words} in\n{}",
            page.stdout
        );
    }
    let document = scene
        .floodwall
        .json(&["top", "--once", "--every", "1s", "--json"]);
    drop(traffic);
    let rates = &document["rates"];
    let rate = |value: &serde_json::Value| value.as_f64().expect("a rate");
    assert!(
        (0.9..3.0).contains(&rate(&rates["interval_seconds"])),
        "{rates:#}"
    );
    assert_eq!(rates["limits"][0]["name"], "per-client");
    let verdicts = rates["requests"]["by_verdict"].as_array().expect("a list");
    let refused = verdicts.iter().find(|each| each["verdict"] == "refused");
    let refused = refused.expect("every verdict is there");
    for refused in [
        &rates["limits"][0]["refused_per_second"],
        &refused["per_second"],
    ] {
        assert!((1.0..=11.0).contains(&rate(refused)), "{rates:#}");
    }
    assert_eq!(document["status"]["pid"], scene.floodwall.pid());
    assert!(document["blocks"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn a_service_that_is_not_there_is_said_at_once() {
    let answer = Floodwall::command(&["top", "--socket", "/nonexistent/floodwall.sock"]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.stderr.contains("/nonexistent/floodwall.sock"),
        "{}",
        answer.stderr
    );
    let often = Floodwall::command(&["top", "--every", "1ms"]);
    assert_eq!(often.code, Some(2));
    assert!(often.stderr.contains("100ms to 1h"), "{}", often.stderr);
}
