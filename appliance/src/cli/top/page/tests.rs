use super::*;
use crate::cli::top::{keys::Key, sample};

const SIZE: Size = Size {
    width: 80,
    height: 24,
};

/// One second with 50 requests, and 1000 packets of a blocked source.
fn looks() -> (Sample, Sample) {
    let before = sample(10.0, |_| {});
    let mut after = sample(11.0, |status| {
        status.requests.finished[1].count = 40;
        status.requests.finished[3].count = 10;
        status.requests.verdicts[0].count = 40;
        status.requests.verdicts[1].count = 10;
        status.limits[0].refused = 10;
        status.prefilter.packets[0].packets = 60;
        status.prefilter.packets[1].packets = 1_000;
        status.prefilter.packets[1].bytes = 60_000;
    });
    after.blocks[0].dropped_packets += 1_000;
    (before, after)
}

/// Hands a view to `look`.
fn viewed<T>(trouble: Option<(&str, Duration)>, look: impl FnOnce(&View) -> T) -> T {
    let (before, after) = looks();
    look(&View {
        sample: &after,
        rates: Some(&Rates::between(&before, &after)),
        age: Duration::ZERO,
        trouble,
    })
}

fn lines(view: &View, screen: &Screen, size: Size) -> Vec<String> {
    let canvas = view.draw(screen, &view.lay_out(screen, size), size);
    (0..size.height).map(|row| canvas.text(row)).collect()
}

fn drawn(screen: &Screen, size: Size) -> Vec<String> {
    viewed(None, |view| lines(view, screen, size))
}

/// The screen after these keys.
fn pressed(keys: &str) -> Screen {
    let mut screen = Screen::default();
    for key in keys.chars() {
        let parts = viewed(None, |view| view.lay_out(&screen, SIZE));
        let key = match key {
            '\n' => Key::Enter,
            letter => Key::Letter(letter),
        };
        screen.press(key, &parts);
    }
    screen
}

#[test]
fn eighty_by_twenty_four_shows_both_layers_and_every_section() {
    assert_eq!(
        drawn(&Screen::default(), SIZE),
        [
            "floodwall  0.1.0, pid 4711, up 11.0s, generation 3",
            "requests   50/s  admitted 40  refused 10  2 in flight",
            "packets    1.1k/s  passed 60  dropped 1.0k  native on eth0",
            "blocked    1  by limits 1 of 65536  connections 4 open, 0/s new",
            " 0 all  1 limits  2 keys  3 blocks  4 upstreams  5 gates  6 packets  7 drops",
            "LIMIT       ADMITTED/S  REFUSED/S  REFUSED  WAITING  BLOCKS   RATE  KEY",
            "per-client           0         10       10        0       0  100/s  client",
            "per-path             0          0        0        0       0  100/s  path",
            "REQUESTS  REFUSED  LEFT  LIMIT       KEY                                  1 more",
            "     700       70        per-client  client=198.51.100.9",
            "     300       30        per-path    path=/checkout",
            "SOURCE        ENDS IN  DROPS/S  PACKETS     BYTES  SCOPE      BY     REASON",
            "198.51.100.9     8.0s     1.0k     1.9k  52.7 KiB  listeners  limit  per-client",
            "UPSTREAM  SERVER           REQ/S  ERR/S  BUSY  STATE                      1 more",
            "app                            0      0  2/64  open for 1.0s, tries again in 4.0",
            "app       192.0.2.21:9000      0            1  unhealthy",
            "GATE  PHASE  FILL               IN  PLACES  LET IN/S  REFUSED/S  REFUSED",
            "sale  open   [###       ]  30%  30     100         0          0        0",
            "REASON        VERDICT  PACKETS/S  BYTES/S  PACKETS  LIMIT                 1 more",
            "blocked       dropped       1.0k    60.0k     1.0k",
            "passed        passed          60        -       60",
            "SOURCE       TO      WHY     OVER  AT",
            "203.0.113.5  tcp 80  denied  eth0  2026-01-01T00:00:07Z",
            "q quit  ? help  / filter  s sort  b block  u unblock  p pause  1-7 section",
        ]
    );
}

#[test]
fn a_section_has_the_screen_to_itself() {
    let lines = drawn(&pressed("4"), SIZE);
    assert_eq!(
        lines[8],
        "app       192.0.2.21:9000      0            1  unhealthy"
    );
    assert_eq!(lines[9], "");
}

#[test]
fn a_filter_leaves_what_has_its_words_and_says_so() {
    let lines = drawn(&pressed("/checkout\n"), SIZE);
    assert_eq!(
        lines[6],
        "     300       30        per-path  path=/checkout"
    );
    assert_eq!(lines[7], "");
    assert_eq!(lines[23], "only rows with `checkout`; Escape shows all");
    let lines = drawn(&pressed("/nobody"), SIZE);
    assert_eq!(
        (lines[5].as_str(), lines[23].as_str()),
        ("no row has these words", "/nobody")
    );
    let lines = drawn(&pressed("1/nobody"), SIZE);
    assert_eq!(lines[6], "no row has these words");
}

#[test]
fn questions_stand_at_the_foot() {
    let lines = drawn(&pressed("3jb"), SIZE);
    assert_eq!(lines[23], "block 198.51.100.9 for how long? 10m");
    let lines = drawn(&pressed("3jb\n"), SIZE);
    assert_eq!(lines[23], "block 198.51.100.9 for 10m? y/n");
    let lines = drawn(&pressed("3jbx\n"), SIZE);
    assert!(
        lines[23].starts_with("block 198.51.100.9 for how long? 10mx  "),
        "{}",
        lines[23]
    );
}

#[test]
fn help_fits_the_screen() {
    assert!(HELP.lines().count() <= SIZE.height);
    assert!(HELP.lines().all(|line| line.len() <= SIZE.width));
    assert_eq!(drawn(&pressed("?"), SIZE)[0], HELP.lines().next().unwrap());
}

#[test]
fn a_service_that_does_not_answer_is_said_and_what_was_known_stays() {
    let trouble = Some(("nothing answers on /run/x.sock", Duration::from_secs(7)));
    let lines = viewed(trouble, |view| lines(view, &Screen::default(), SIZE));
    assert!(lines[0].ends_with(" NO ANSWER for 7s"), "{}", lines[0]);
    assert_eq!(lines[3], "nothing answers on /run/x.sock");
    assert_eq!(lines[6], drawn(&Screen::default(), SIZE)[6]);
    assert!(drawn(&pressed("p"), SIZE)[0].ends_with(" PAUSED"));
}

#[test]
fn what_is_off_says_why() {
    let sample = sample(1.0, |status| {
        status.prefilter.on = false;
        status.prefilter.why = Some("no privilege".to_owned());
        status.prefilter.packets.clear();
        status.prefilter.limits.clear();
    });
    let view = View {
        sample: &sample,
        rates: None,
        age: Duration::ZERO,
        trouble: None,
    };
    let lines = lines(&view, &pressed("6"), SIZE);
    assert_eq!(lines[1], "requests   - /s  2 in flight");
    assert_eq!(lines[2], "packets    the pre-filter is off: no privilege");
    assert_eq!(lines[6], "the pre-filter is off: no privilege");
}

#[test]
fn no_screen_is_too_small_and_none_too_large() {
    for (width, height) in [(1, 1), (10, 3), (20, 7), (80, 6), (300, 100)] {
        for keys in ["", "1j", "?", "3jb", "/x"] {
            let lines = drawn(&pressed(keys), Size { width, height });
            assert!(lines.iter().all(|line| line.chars().count() <= width));
        }
    }
}
