//! `floodwall reload`: a new rule set, or nothing at all.

use crate::{
    http,
    service::Service,
    site::{RESPOND, Site, stderr},
};

#[test]
fn changes_are_named_and_counters_are_kept() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    assert_eq!(http::get(site.web, "/").unwrap().status, 200);
    site.write(&RESPOND.replace("burst: 3", "burst: 2"));
    let diff = site.prints(&["check", "--diff"]);
    let said = site.prints(&["reload"]);
    assert!(
        said.contains("generation 1 -> 2") && said.contains("limits.per-client"),
        "{said}"
    );
    assert!(
        diff.contains("limits.per-client") && !diff.contains("restart"),
        "{diff}"
    );
    // One of the two was spent under the old rule.
    let statuses = [
        http::get(site.web, "/").unwrap().status,
        http::get(site.web, "/").unwrap().status,
    ];
    assert_eq!(statuses, [200, 429]);
    let status = site.json(&["status", "--json"]);
    assert_eq!(status["generation"]["proxy"], 2);
    assert_eq!(
        (
            &status["limits"][0]["admitted"],
            &status["limits"][0]["refused"]
        ),
        (&2.into(), &1.into())
    );
    assert_eq!(status["last_reload"]["ok"], true);
}

#[test]
fn a_file_that_did_not_change_is_a_new_generation_all_the_same() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    assert!(
        site.prints(&["check", "--diff"])
            .contains("would change nothing")
    );
    let said = site.prints(&["reload"]);
    assert!(
        said.contains("1 -> 2") && said.contains("nothing has changed"),
        "{said}"
    );
}

#[test]
fn a_broken_file_changes_nothing_and_every_problem_is_told_everywhere() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    site.write(
        &RESPOND
            .replace("1/m", "fast")
            .replace("200", "2000")
            .replace("ok", "new"),
    );
    let checked = stderr(&site.floodwall(&["check"]).code(2));
    let said = stderr(&site.floodwall(&["reload"]).code(2));
    assert_eq!(checked.lines().count(), 2, "{checked}");
    assert!(said.starts_with(&checked), "{said}");
    assert!(said.contains("generation 1 goes on running"), "{said}");
    let status = site.json(&["status", "--json"]);
    let problems: Vec<&str> = status["last_reload"]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|problem| problem.as_str())
        .collect();
    assert_eq!(problems, checked.lines().collect::<Vec<_>>());
    assert_eq!(
        (&status["last_reload"]["ok"], &status["reloads"]["refused"]),
        (&false.into(), &1.into())
    );
    assert_eq!(status["generation"]["proxy"], 1);
    assert_eq!(http::get(site.web, "/").unwrap().body, "ok\n");
    let seen = site.prints(&["status"]);
    assert!(
        seen.contains("REFUSED") && seen.contains(problems[0]),
        "{seen}"
    );
}

#[test]
fn a_file_that_is_no_yaml_still_leads_to_the_service() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    site.write_whole("listeners: [\n");
    let said = stderr(&site.floodwall(&["reload"]).code(2));
    assert!(said.contains("not YAML"), "{said}");
    assert_eq!(site.json(&["status", "--json"])["last_reload"]["ok"], false);
    site.write(RESPOND);
    assert!(site.prints(&["reload"]).contains("1 -> 2"));
}

#[test]
fn what_needs_a_restart_is_named_and_nothing_else_is_applied() {
    let site = Site::with(RESPOND);
    let elsewhere = Site::new();
    let _service = Service::start(&site);
    let (web, admin) = (elsewhere.web, site.admin);
    let rules = RESPOND.replace("ok", "new");
    site.write_whole(&format!("listeners:\n  web: {{ address: {web} }}\nadmin: {{ address: {admin} }}\nlog: {{ access: off }}\n{rules}"));
    let diff = site.prints(&["check", "--diff"]);
    assert!(
        diff.contains("needs a restart: listeners.web") && diff.contains("would be refused"),
        "{diff}"
    );
    let said = stderr(&site.floodwall(&["reload"]).code(2));
    assert!(
        said.contains("listeners.web") && said.contains("needs a restart"),
        "{said}"
    );
    assert_eq!(http::get(site.web, "/").unwrap().body, "ok\n");
    assert!(http::get(web, "/").is_err());
}

#[test]
fn a_hundred_reloads_lose_no_request() {
    let site = Site::with(&RESPOND.replace("1/m, burst: 3", "1M/s, burst: 1M"));
    let _service = Service::start(&site);
    let web = site.web;
    let client = std::thread::spawn(move || {
        (0..500)
            .filter(|_| http::get(web, "/").is_ok_and(|response| response.status == 200))
            .count()
    });
    for _ in 0..100 {
        site.prints(&["reload"]);
    }
    assert_eq!(client.join().unwrap(), 500);
    let status = site.json(&["status", "--json"]);
    assert_eq!(
        (
            &status["generation"]["proxy"],
            &status["limits"][0]["admitted"]
        ),
        (&101.into(), &500.into())
    );
}
