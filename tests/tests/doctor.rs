//! `floodwall doctor` beside things that are really wrong.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::process::Command;

use floodwall_tests::{Answer, Authority, Floodwall, Launch, Loopback, Origin, Yaml, needs_root};
use serde_json::Value;

const FILE: &str = "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN], timeouts: { connect: 1s } } }
routes: [{ name: all, upstream: app }]
";

/// What doctor said as JSON, and how it ended.
struct Said {
    code: Option<i32>,
    report: Value,
}

impl Said {
    fn of(answer: &Answer) -> Self {
        let report = serde_json::from_str(&answer.stdout);
        Self {
            code: answer.code,
            report: report.unwrap_or_else(|error| panic!("{error}: {answer:?}")),
        }
    }

    /// The findings of an area whose subject has these words in it.
    fn about(&self, area: &str, subject: &str) -> Vec<&Value> {
        let findings = self.report["findings"].as_array().expect("a list");
        let wanted = |finding: &&Value| {
            let has = finding["subject"]
                .as_str()
                .expect("a name")
                .contains(subject);
            finding["area"] == area && has
        };
        findings.iter().filter(wanted).collect()
    }

    /// The verdicts of these findings.
    fn verdicts(&self, area: &str, subject: &str) -> Vec<&str> {
        let verdict = |finding: &'_ Value| finding["verdict"].clone();
        let all = self.about(area, subject);
        all.into_iter()
            .map(|finding| {
                let bad = verdict(finding) != "ok";
                assert_eq!(finding["mend"].is_string(), bad, "{finding:#}");
                finding["verdict"].as_str().expect("a word")
            })
            .collect()
    }
}

/// Runs doctor on a file that no service runs.
fn doctor(yaml: &Yaml) -> Said {
    Said::of(&Floodwall::with_file(yaml, &["doctor", "--json"]))
}

fn file(origin: &Origin) -> Yaml {
    let yaml = Yaml::new(FILE).with("WEB", Loopback::free());
    yaml.with("ORIGIN", origin.address())
}

#[test]
fn a_host_that_is_well_has_no_problem() {
    let origin = Origin::start();
    let said = doctor(&file(&origin));
    assert_eq!(said.code, Some(0), "{:#}", said.report);
    assert_eq!(said.report["problems"], 0);
    assert_eq!(said.verdicts("upstreams", "app"), ["ok"]);
    assert_eq!(said.verdicts("listeners", "web"), ["ok"]);
    assert_eq!(said.verdicts("service", "running"), ["unseen"]);
    assert_eq!(origin.count(), 0, "a connection is enough");
}

#[test]
fn words_name_the_problem_and_how_to_mend_it() {
    let (gone, web) = (Loopback::free(), Loopback::free());
    let yaml = Yaml::new(FILE).with("WEB", web).with("ORIGIN", gone);
    let answer = Floodwall::with_file(&yaml, &["doctor"]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let line = format!("problem  app {gone}: no connection to the server");
    assert!(answer.stdout.contains(&line), "{}", answer.stdout);
    assert!(answer.stdout.contains("mend  nc -vz"), "{}", answer.stdout);
    assert!(
        answer.stdout.contains("\nproblems: 1, "),
        "{}",
        answer.stdout
    );
    assert_eq!(answer.stderr, "", "the document has said it");
}

#[test]
fn of_two_servers_one_may_be_gone() {
    let (origin, gone) = (Origin::start(), Loopback::free());
    let yaml = file(&origin).with("servers: [", format!("servers: [{gone}, "));
    let said = doctor(&yaml);
    assert_eq!(said.code, Some(0));
    assert_eq!(said.verdicts("upstreams", &gone.to_string()), ["warning"]);
    let there = origin.address().to_string();
    assert_eq!(said.verdicts("upstreams", &there), ["ok"]);
}

#[test]
fn a_name_that_nobody_knows_is_a_problem() {
    let origin = Origin::start();
    let yaml = file(&origin).with("servers: [", "servers: ['no-such-host.invalid:80', ");
    let said = doctor(&yaml);
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.verdicts("upstreams", "no-such-host.invalid"),
        ["problem"]
    );
}

#[test]
fn certificates_are_judged_by_date_order_and_names() {
    let (origin, authority) = (Origin::start(), Authority::new("doctor"));
    let expired = authority.issue_expired("old", "old.test");
    let well = authority.issue("www", &["www.test", "*.api.test"]);
    let listener =
        |chain: &str, key: &str| format!("{{ certificates: [{{ chain: {chain}, key: {key} }}] }}");
    let tls = |chain: &str, key: &str| {
        let web = Loopback::free();
        let tls = listener(chain, key);
        Yaml::new(FILE)
            .with("address: WEB", format!("address: {web}, tls: {tls}"))
            .with("ORIGIN", origin.address())
    };
    let text = |path: &std::path::Path| path.display().to_string();
    let said = doctor(&tls(&text(&expired.chain), &text(&expired.key)));
    assert_eq!(said.code, Some(1));
    let found = said.about("certificates", "old.pem");
    assert_eq!(found[0]["verdict"], "problem", "{found:#?}");
    let words = found[0]["found"].as_str().unwrap_or_default();
    assert!(words.contains("expired on 2020-02-01"), "{words}");
    let routes = "{ name: all, match: { hosts: [www.test, '*.api.test', other.test] }";
    let yaml = tls(&text(&well.chain), &text(&well.key)).with("{ name: all", routes);
    let said = doctor(&yaml);
    assert_eq!(said.verdicts("certificates", "www.pem"), ["ok"]);
    assert_eq!(said.verdicts("certificates", "other.test"), ["warning"]);
    assert_eq!(said.verdicts("certificates", "api.test"), [""; 0]);
    // The authority of the one, behind the other, which it never signed.
    let read = |path: &std::path::Path| std::fs::read(path).expect("a file that was made");
    let both = [read(&well.chain), read(&expired.chain)].concat();
    let mixed = authority.file("mixed.pem", &both);
    let said = doctor(&tls(&text(&mixed), &text(&well.key)));
    assert_eq!(
        said.verdicts("certificates", "mixed.pem"),
        ["ok", "problem", "warning"]
    );
}

#[test]
fn a_server_with_another_certificate_is_not_reached() {
    let (authority, other) = (Authority::new("one"), Authority::new("two"));
    let issued = authority.issue("server", &["app.test"]);
    let web = Loopback::free();
    // A door of Floodwall's own is as good a server as any.
    let listener = format!("tls: {{ certificates: [{}] }}", issued.yaml());
    let server = Yaml::new(
        "listeners: { web: { address: WEB } }\nroutes: [{ name: all, respond: { status: 200 } }]\n",
    )
    .with("WEB", format!("{web}, {listener}"));
    let _server = Floodwall::start(&server);
    let verdicts = |ca: &Authority| {
        let tls = format!(
            "tls: {{ server_name: app.test, ca: {} }}",
            ca.certificate().display()
        );
        let yaml = Yaml::new(FILE)
            .with("WEB", Loopback::free())
            .with("ORIGIN", web);
        let said = doctor(&yaml.with("timeouts:", format!("{tls}, timeouts:")));
        said.verdicts("upstreams", "app").concat()
    };
    assert_eq!(verdicts(&authority), "ok");
    assert_eq!(verdicts(&other), "problem");
}

#[test]
fn an_interface_that_is_missing_is_named() {
    let origin = Origin::start();
    let yaml = file(&origin).and("prefilter: { interfaces: [nosuch0] }\n");
    let said = doctor(&yaml);
    assert_eq!(said.verdicts("interfaces", "nosuch0"), ["warning"]);
    let required = yaml.with("[nosuch0]", "[nosuch0], required: true");
    let said = doctor(&required);
    assert_eq!(
        (said.code, said.verdicts("interfaces", "nosuch0")),
        (Some(1), vec!["problem"])
    );
}

#[test]
fn too_few_descriptors_for_what_the_file_lets_in() {
    let origin = Origin::start();
    let yaml = file(&origin).with(
        "{ web: { address:",
        "{ web: { max: { connections: 10k }, address:",
    );
    let mut limited = Command::new("prlimit");
    limited.args(["--nofile=1024:1024"]);
    let said = Said::of(&Floodwall::with_file_under(
        limited,
        &yaml,
        &["doctor", "--json"],
    ));
    assert_eq!(said.code, Some(1));
    assert_eq!(said.verdicts("limits", "open files"), ["problem"]);
    let words = said.about("limits", "open files")[0]["mend"].to_string();
    assert!(words.contains("LimitNOFILE=32768"), "{words}");
}

#[test]
fn a_port_that_somebody_has_is_a_problem_and_one_of_ours_is_not() {
    let (origin, taken) = (Origin::start(), Origin::start());
    let yaml = file(&origin);
    let busy = Yaml::new(FILE)
        .with("WEB", taken.address())
        .with("ORIGIN", origin.address());
    let said = doctor(&busy);
    assert_eq!(
        (said.code, said.verdicts("listeners", "web")),
        (Some(1), vec!["problem"])
    );
    let floodwall = Floodwall::start(&yaml);
    let ours = floodwall.file();
    let beside = || Said::of(&Floodwall::command(&["doctor", "--json", "-c", &ours]));
    let said = beside();
    assert_eq!(
        (said.code, said.verdicts("listeners", "web")),
        (Some(0), vec!["ok"])
    );
    assert_eq!(said.verdicts("service", "file"), ["ok"]);
    floodwall.write(
        &yaml
            .clone()
            .with("timeouts: { connect: 1s }", "timeouts: { connect: 2s }"),
    );
    assert_eq!(
        beside().verdicts("service", "file"),
        ["warning"],
        "not reloaded yet"
    );
    floodwall.write(&yaml.clone().and("server: { threads: 3 }\n"));
    floodwall.reload();
    let said = beside();
    assert_eq!(said.verdicts("service", "last reload"), ["problem"]);
    assert_eq!(said.code, Some(1));
}

#[test]
fn a_wrong_file_ends_with_2() {
    let answer = Floodwall::with_file(&Yaml::new("listeners: 5\n"), &["doctor"]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert!(answer.stderr.contains("listeners"), "{}", answer.stderr);
}

/// Who is nobody is told what there was to see, and what was not.
#[test]
fn without_privilege_it_says_what_it_could_not_see() {
    needs_root!();
    let origin = Origin::start();
    let yaml = file(&origin).and("prefilter: { interfaces: [lo] }\n");
    let answer = Launch::default()
        .as_nobody()
        .command_with_file(&yaml, &["doctor", "--json"]);
    let said = Said::of(&answer);
    assert_eq!(said.code, Some(0), "{:#}", said.report);
    assert_eq!(said.verdicts("kernel", "frags"), ["unseen"]);
    assert_eq!(said.verdicts("capabilities", "CAP_BPF"), ["warning"]);
    assert_eq!(said.verdicts("upstreams", "app"), ["ok"]);
}
