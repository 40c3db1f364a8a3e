//! Files that nobody wrote in good faith: a clear problem, soon.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fmt::Write;
use std::time::Duration;

use floodwall_config::Config;
use proptest::prelude::*;

/// The time that this thread has spent computing: what else the machine does is not the reader's fault.
fn cpu_time() -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(spent.split(' ').next().unwrap().parse().unwrap())
}

/// The first problem of a text, which must be found within seconds, in a debug build on a
/// crowded machine too: what is quadratic in four megabytes would take minutes.
fn problem_of(text: &str) -> String {
    let start = cpu_time();
    let problems = Config::from_text(text, "f").unwrap_err().to_string();
    let took = cpu_time().saturating_sub(start);
    assert!(
        took < Duration::from_secs(5),
        "{took:?} for {}",
        &problems[..problems.len().min(200)]
    );
    assert!(
        problems.len() < 64 << 10,
        "the report is long: {}",
        problems.len()
    );
    problems.lines().next().unwrap().to_owned()
}

#[test]
fn forty_megabytes() {
    assert_eq!(
        problem_of(&"a: 1\n".repeat(8 << 20)),
        "f: found a file of 41943040 bytes; allowed: at most 32 MiB"
    );
    let file = std::env::temp_dir().join(format!("floodwall-config-{}.yaml", std::process::id()));
    std::fs::write(&file, vec![b'a'; 40 << 20]).unwrap();
    let problems = Config::load(&file).unwrap_err().to_string();
    std::fs::remove_file(&file).unwrap();
    assert!(
        problems.ends_with("found a larger file; allowed: at most 32 MiB"),
        "{problems}"
    );
}

#[test]
fn four_megabytes_of_anything() {
    const MOST: usize = 4 << 20;
    let fill = |unit: &str| unit.repeat(MOST / unit.len());
    for text in [
        fill("a"),
        fill("a: 1\n"),
        fill("- 1\n"),
        fill("[,"),
        fill("[[[["),
        fill("{a: {"),
        fill("- - "),
        fill("? "),
        fill("\"x\": 'y'\n"),
        fill("# comment\n"),
        fill("\n"),
        fill(" "),
        fill("\t"),
        fill("---\n"),
        fill("&a "),
        fill("!t "),
        fill("%YAML 1.1\n"),
        fill("|\n"),
        format!("a: \"{}", fill("x ")),
        format!("a: [{}", fill("1, ")),
    ] {
        let problem = problem_of(&text);
        assert!(
            problem.contains("allowed") || problem.contains("not YAML"),
            "{problem}"
        );
    }
}

#[test]
fn aliases_that_multiply() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for at in 1..30 {
        let last = at - 1;
        writeln!(
            text,
            "a{at}: &a{at} [*a{last}, *a{last}, *a{last}, *a{last}, *a{last}, *a{last}]"
        )
        .unwrap();
    }
    assert_eq!(
        problem_of(&text),
        "f:1:5: found an anchor; allowed: values written out"
    );
}

#[test]
fn a_hundred_thousand_mistakes() {
    let mut text = String::from(
        "listeners: { web: { address: '127.0.0.1:8080' } }\nupstreams: { app: { servers: ['127.0.0.1:1'] } }\nroutes:\n",
    );
    for at in 0..50_000 {
        writeln!(text, "- {{ nam: r{at}, upstream: apq{at}, limits: [x] }}").unwrap();
    }
    assert!(problem_of(&text).starts_with("f:4:3: routes[0].name: is missing"));
}

#[test]
fn files_that_are_no_text() {
    let load = |bytes: &[u8]| {
        let name = format!(
            "floodwall-config-{}-{}.yaml",
            std::process::id(),
            bytes.len()
        );
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, bytes).unwrap();
        let problems = Config::load(&file).unwrap_err().to_string();
        std::fs::remove_file(&file).unwrap();
        problems
    };
    assert!(
        load(b"\x7fELF\x02\x01\xff")
            .ends_with("found a byte at offset 6 that is not UTF-8; allowed: UTF-8 text")
    );
    assert!(load(b"").ends_with(":1:1: found an empty file; allowed: a mapping"));
    assert!(load(b"a: \0\n").contains("not YAML") || load(b"a: \0\n").contains("allowed"));
    let missing = Config::load("/nonexistent/floodwall.yaml")
        .unwrap_err()
        .to_string();
    assert_eq!(
        missing,
        "/nonexistent/floodwall.yaml: cannot be read: No such file or directory (os error 2)"
    );
    assert!(
        Config::load("/")
            .unwrap_err()
            .to_string()
            .starts_with("/: cannot be read: ")
    );
}

#[test]
fn other_ways_to_write_the_same() {
    let text =
        "listeners: { web: { address: '127.0.0.1:8080' } }\nroutes: [{ name: all, respond: {} }]\n";
    let config = Config::from_text(text, "f").unwrap();
    assert_eq!(
        Config::from_text(&format!("\u{feff}{text}"), "f").unwrap(),
        config
    );
    assert_eq!(
        Config::from_text(&text.replace('\n', "\r\n"), "f").unwrap(),
        config
    );
    assert_eq!(
        Config::from_text(&format!("---\n{text}...\n"), "f").unwrap(),
        config
    );
}

/// Bits of configuration, good and bad, that are glued together.
fn scrap() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "listeners:",
        "routes:",
        "limits:",
        "a:",
        "key:",
        "client",
        "rate:",
        "1/s",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ": ",
        "\n",
        "  ",
        "\"",
        "'",
        "#",
        "&x ",
        "*x",
        "!!",
        "|",
        ">",
        "%",
        "---",
        "\t",
        "0x1",
        ".nan",
        "~",
        "é",
        "\u{feff}",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in prop_oneof![".*", "(?s).{0,200}", scrap()]) {
        let _ = Config::from_text(&text, "f");
    }

    #[test]
    fn no_value_panics(value in ".*", key in prop::sample::select(vec!["key", "rate", "burst", "exceptions", "block", "match"])) {
        let _ = Config::from_text(&format!("limits: {{ a: {{ {key}: {value} }} }}"), "f");
    }
}
