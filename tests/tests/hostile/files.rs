//! Configuration files that nobody wrote in good faith, through `floodwall check`.

use std::time::{Duration, Instant};

use floodwall_tests::{Floodwall, Yaml};

/// Far above what a busy machine takes, far below what a text that unfolds itself would.
const BOUNDED: Duration = Duration::from_secs(20);

/// Asserts that `floodwall check` refuses a text with exit 2, in bounded time, and that one of its lines
/// begins like this.
fn assert_refused(text: &str, line: &str) {
    let begun = Instant::now();
    let answer = Floodwall::check(text.as_bytes());
    let took = begun.elapsed();
    let excerpt: String = answer.stderr.chars().take(400).collect();
    assert_eq!(answer.code, Some(2), "no {line:?}: {excerpt}");
    let said = answer.stderr.lines().any(|said| said.starts_with(line));
    assert!(said, "no {line:?}: {excerpt}");
    assert!(took < BOUNDED, "{line:?} took {took:?}");
}

#[test]
fn what_is_no_mapping() {
    let minimal = Yaml::example("minimal.yaml").text().to_owned();
    let aliases = (1..30).fold("a0: &a0 [x, x, x, x]\n".to_owned(), |text, at| {
        let before = at - 1;
        text + &format!("a{at}: &a{at} [*a{before}, *a{before}, *a{before}]\n")
    });
    for (text, line) in [
        (String::new(), "1:1: found an empty file"),
        ("- a\n".into(), "1:1: "),
        ("a: \0\n".into(), "1:4: "),
        ("listeners: {\n".into(), "2:1: "),
        ("[".repeat(100_000), "1:"),
        ("{a: ".repeat(100_000), "1:"),
        (aliases, "1:5: found an anchor"),
        (minimal.clone() + "---\na: 1\n", "10:1: "),
        (minimal + "limits: {}\n", "10:1: limits: "),
    ] {
        assert_refused(&text, &format!("floodwall.yaml:{line}"));
    }
    let long = "# x\n".repeat(9 << 20);
    assert_refused(
        &long,
        "floodwall.yaml: found a larger file; allowed: at most ",
    );
}

#[test]
fn what_is_no_such_key_or_value() {
    for (old, new, line) in [
        (
            "key: client,",
            "key: client, key: path,",
            "7:30: limits.per-client.key: ",
        ),
        (
            "key: client",
            "kee: client",
            "7:17: limits.per-client.kee: ",
        ),
        (
            "127.0.0.1:8080",
            "[127.0.0.1:8080]",
            "3:19: listeners.web.address: ",
        ),
        ("{ path_prefix: / }", "7", "9:25: routes[0].match: "),
        (
            "[per-client]",
            "[per-clint]",
            "9:54: routes[0].limits[0]: found",
        ),
        (
            "upstream: app",
            "upstream: ap",
            "9:77: routes[0].upstream: found",
        ),
    ] {
        let yaml = Yaml::example("minimal.yaml").with(old, new);
        assert_refused(yaml.text(), &format!("floodwall.yaml:{line}"));
    }
}

#[test]
fn what_is_no_number() {
    for burst in [
        ".nan",
        ".inf",
        "-1",
        "1.5",
        "1e3",
        "99999999999999999999",
        "0",
        "many",
    ] {
        let yaml = Yaml::example("minimal.yaml").with("burst: 200", format!("burst: {burst}"));
        assert_refused(
            yaml.text(),
            "floodwall.yaml:7:50: limits.per-client.burst: found",
        );
    }
    for rate in [
        "NaN/s",
        "inf/s",
        "-1/s",
        "1.5/s",
        "1/0s",
        "1/-1s",
        "99999999999999999999/s",
        "100",
        "/s",
        "1/",
    ] {
        let yaml = Yaml::example("minimal.yaml").with("100/s", rate);
        assert_refused(
            yaml.text(),
            "floodwall.yaml:7:36: limits.per-client.rate: found",
        );
    }
}

#[test]
fn every_problem_is_printed_at_once() {
    let yaml = Yaml::example("minimal.yaml")
        .with("rate: 100/s", "rate: fast")
        .with("8080", "99999")
        .with("upstream: app", "upstream: none");
    let answer = Floodwall::check(yaml.text().as_bytes());
    assert_eq!(answer.code, Some(2));
    let lines: Vec<&str> = answer.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", answer.stderr);
    for (line, part) in lines.iter().zip(["127.0.0.1:99999", "fast", "none"]) {
        let (row, column) = yaml.place_of(part);
        assert!(
            line.starts_with(&format!("floodwall.yaml:{row}:{column}: ")),
            "{line}"
        );
        // What was found and what is allowed, in each of them.
        assert!(line.contains(part) && line.contains("allowed"), "{line}");
    }
}

#[test]
fn a_file_that_is_no_file() {
    for path in ["/nonexistent/floodwall.yaml", "/"] {
        let answer = Floodwall::command(&["check", "-c", path]);
        assert_eq!(answer.code, Some(2));
        assert!(
            answer
                .stderr
                .starts_with(&format!("{path}: cannot be read: ")),
            "{}",
            answer.stderr
        );
    }
    let answer = Floodwall::check(b"listeners: \xff\n");
    assert_eq!(answer.code, Some(2));
    assert!(answer.stderr.contains("not UTF-8"), "{}", answer.stderr);
}
