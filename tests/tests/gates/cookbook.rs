//! The flash-sale cookbook, step by step: what takes a program there takes lines of YAML here, and each request is
//! answered as the cookbook prints it.

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Loopback, Request, Yaml};

const BOUGHT: &str = "You can buy the laptop for $1 now.\n";
const EARLY: &str = "not start yet.\n";
const SOLD_OUT: &str = "sold out.\n";

/// The cookbook's file with only these lines of its gate.
fn step(web: SocketAddr, lines: &[&str]) -> Yaml {
    let all = [
        "key: header(authorization)",
        "opens: 2021-08-08T00:00:00+00:00",
        "admit: 60%",
        "max_admitted: 3",
    ];
    let example = Yaml::example("flash-sale.yaml")
        .with("127.0.0.1:10080", web)
        .without_section("admin")
        .and("admin: { socket: floodwall.sock }\n");
    let gone = all.iter().filter(|line| !lines.contains(line));
    gone.fold(example, |yaml, line| yaml.without_line(line))
}

/// What `curl` prints for a user, or for nobody in particular.
fn curl(web: SocketAddr, user: Option<&str>) -> String {
    let request = Request::get("/flashsale");
    let request = match user {
        Some(user) => request.header("authorization", user),
        None => request,
    };
    Client::of(web).send(&request).body
}

/// Asks for a user until they have bought, and says how often they were turned away before.
fn until_bought(web: SocketAddr, user: &str) -> usize {
    // Sixty in a hundred are let in: two hundred in a row who are not are nobody's luck.
    let answers = (0..200).map(|_| curl(web, Some(user)));
    let refused: Vec<String> = answers.take_while(|answer| answer != BOUGHT).collect();
    assert!(refused.len() < 200, "{user} is never let in");
    assert!(refused.iter().all(|answer| answer == SOLD_OUT));
    refused.len()
}

#[test]
fn each_step_is_a_line_more() {
    let web = Loopback::free();

    // 1: everybody buys.
    let shop = step(web, &[]).without_line("gate: laptop");
    let floodwall = Floodwall::start(&shop);
    assert_eq!(curl(web, None), BOUGHT);
    let now = |lines: &[&str]| {
        floodwall.write(&step(web, lines));
        let reloaded = floodwall.reload();
        assert_eq!(reloaded.code, Some(0), "{}", reloaded.stderr);
    };
    let opens = "opens: 2021-08-08T00:00:00+00:00";

    // 2: nobody buys before it opens, and everybody after.
    floodwall.write(&step(web, &[opens]).with("2021-08-08", "2921-08-08"));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(curl(web, None), EARLY);
    now(&[opens]);
    assert_eq!(curl(web, None), BOUGHT);

    // 3: two in five are turned away, by chance each time.
    let admit = "admit: 60%";
    now(&[opens, admit]);
    let answers: Vec<String> = (0..400).map(|_| curl(web, None)).collect();
    let bought = answers.iter().filter(|answer| *answer == BOUGHT).count();
    let sold_out = answers.iter().filter(|answer| *answer == SOLD_OUT).count();
    assert_eq!(bought + sold_out, 400);
    // Six sigma.
    assert!((181..=299).contains(&bought), "{bought} of 400");

    // 4: lucky once, lucky always.
    let key = "key: header(authorization)";
    now(&[opens, admit, key]);
    until_bought(web, "user1");
    for _ in 0..50 {
        assert_eq!(curl(web, Some("user1")), BOUGHT);
    }

    // 5: three, and never a fourth.
    now(&[opens, admit, key, "max_admitted: 3"]);
    until_bought(web, "user2");
    until_bought(web, "user3");
    for _ in 0..50 {
        assert_eq!(curl(web, Some("user4")), SOLD_OUT);
        assert_eq!(curl(web, Some("user1")), BOUGHT);
    }

    // The data: listed, applied from standard input, deleted.
    let three = "id/user1: \"true\"\nid/user2: \"true\"\nid/user3: \"true\"\n";
    let list = || floodwall.ask(&["gate", "list", "laptop"]).stdout;
    assert_eq!(list(), three);
    let more = "\nid/user4: \"true\"\nid/user5: \"true\"\n";
    let applied = floodwall.tell(&["gate", "apply", "laptop", "-"], more);
    assert_eq!(applied.stdout, "let in: 2\n", "{}", applied.stderr);
    assert_eq!(list(), format!("{three}{}", more.trim_start()));
    assert_eq!(curl(web, Some("user4")), BOUGHT);
    let deleted = floodwall.ask(&["gate", "delete", "laptop"]);
    assert_eq!(deleted.stdout, "put out: 5\n");
    assert_eq!(list(), "{}\n");
    assert_eq!(
        floodwall
            .tell(&["gate", "apply", "laptop", "-"], &list())
            .stdout,
        "let in: 0\n",
        "what is listed can be applied"
    );
}

#[test]
fn whoever_comes_early_late_or_unlucky_may_be_sent_elsewhere() {
    let web = Loopback::free();
    let send_to = |to: &str| format!("{{ status: 302, headers: {{ location: {to} }} }}");
    let sale = |when: &str, most: &str| {
        let refusals = format!(
            "before: {}\n    after: {}\n    full: {}\n    refused: {}",
            send_to("/soon"),
            send_to("/over"),
            send_to("/full"),
            send_to("/unlucky"),
        );
        step(web, &["key: header(authorization)"])
            .without_line("before: {")
            .with(
                "    refused: { status: 403, body: \"sold out.\\n\" }",
                format!("    {refusals}\n    {when}\n    {most}"),
            )
    };
    let floodwall = Floodwall::start(&sale("opens: 2999-01-01T00:00:00Z", "max_admitted: 1"));
    let sent = |user: &str| {
        let answer =
            Client::of(web).send(&Request::get("/flashsale").header("authorization", user));
        let to = answer.header("location").map(ToOwned::to_owned);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        (answer.status, to.expect("a redirect"))
    };
    let goes = |to: &str| (302, to.to_owned());
    assert_eq!(sent("user1"), goes("/soon"));
    for (when, most, to) in [
        ("closes: 2021-08-08T00:00:00Z", "max_admitted: 1", "/over"),
        ("admit: 0%", "max_admitted: 1", "/unlucky"),
    ] {
        floodwall.write(&sale(when, most));
        assert_eq!(floodwall.reload().code, Some(0));
        assert_eq!(sent("user1"), goes(to));
    }
    floodwall.write(&sale("admit: 100%", "max_admitted: 1"));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(curl(web, Some("user1")), BOUGHT);
    assert_eq!(sent("user2"), goes("/full"));
}
