//! `floodwall blocks`

use crate::{
    http,
    service::Service,
    site::{RESPOND, Site, stderr},
};

#[test]
fn a_blocked_source_is_out_at_once_and_in_again_at_once() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    assert_eq!(http::get(site.web, "/").unwrap().status, 200);
    let said = site.prints(&[
        "blocks",
        "add",
        "127.0.0.1",
        "--for",
        "1h",
        "--reason",
        "a story",
    ]);
    assert!(said.starts_with("127.0.0.1 is blocked for "), "{said}");
    assert!(http::get(site.web, "/").is_err());
    let blocks = site.json(&["blocks", "list", "--json"]);
    let block = &blocks[0];
    assert_eq!(
        (&block["source"], &block["reason"], &block["by"]),
        (&"127.0.0.1".into(), &"a story".into(), &"operator".into())
    );
    let uid = nix::unistd::geteuid().as_raw();
    assert_eq!(block["uid"], uid);
    let table = site.prints(&["blocks", "list"]);
    assert!(table.contains(&format!(" operator uid {uid} ")), "{table}");
    assert!(
        (3590.0..=3600.0).contains(&block["ends_in_seconds"].as_f64().unwrap()),
        "{block}"
    );
    assert!(block["dropped_packets"].as_u64().unwrap() >= 1, "{block}");
    assert!(
        site.prints(&["blocks", "remove", "127.0.0.1"])
            .contains("let in again")
    );
    assert_eq!(http::get(site.web, "/").unwrap().status, 200);
    assert_eq!(site.prints(&["blocks", "list"]), "nobody is blocked\n");
}

#[test]
fn the_list_is_a_table_for_people() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    site.prints(&[
        "blocks",
        "add",
        "2001:db8::1",
        "--for",
        "10m",
        "--scope",
        "host",
    ]);
    let list = site.prints(&["blocks", "list"]);
    assert!(
        list.contains("2001:db8::/64") && list.contains("host") && list.contains("by hand"),
        "{list}"
    );
    assert!(
        site.prints(&["blocks", "remove", "2001:db8::/64"])
            .contains("let in again")
    );
    site.prints(&["blocks", "add", "192.0.2.1", "--for", "10m"]);
    site.prints(&["blocks", "add", "192.0.2.2", "--for", "10m"]);
    assert_eq!(site.prints(&["blocks", "clear"]), "blocks ended: 2\n");
}

#[test]
fn who_must_not_be_blocked_is_not() {
    let site = Site::with(&format!(
        "clients: {{ trusted_proxies: [10.0.0.0/8] }}\n{RESPOND}"
    ));
    let _service = Service::start(&site);
    for (source, words) in [
        ("10.1.2.3", "trusted_proxies"),
        ("192.0.2.0/24", "/32"),
        ("example.org", "address"),
    ] {
        let said = stderr(
            &site
                .floodwall(&["blocks", "add", source, "--for", "1h"])
                .code(1),
        );
        assert!(said.contains(words), "{said}");
    }
    assert!(
        stderr(&site.floodwall(&["blocks", "remove", "192.0.2.1"]).code(1))
            .contains("was not blocked")
    );
}
