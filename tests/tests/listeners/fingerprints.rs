//! Limits by what a client's handshake looks like, with real ones.

use floodwall_tests::{Authority, Curl, Floodwall, Loopback};

use crate::secure;

#[test]
fn a_limit_tells_clients_apart_by_their_handshakes() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let yaml = secure(web, &[&www], "")
        .with("name: all,", "name: all, limits: [alike],")
        .and("limits: { alike: { key: tls.ja4, rate: 1/h, burst: 2 } }\n");
    let floodwall = Floodwall::start(&yaml);
    let curl = || Curl::new().trusting(&authority.certificate());
    let status = |curl: Curl| curl.https("www.test", web, "/").status;
    let statuses = [(); 3].map(|()| status(curl()));
    assert_eq!(statuses, [200, 200, 429]);
    // The same address and the same program, in another's clothes.
    let old = || curl().with("--tls-max", "1.2");
    assert_eq!([(); 3].map(|()| status(old())), [200, 200, 429]);
    let few = || curl().with("--tls13-ciphers", "TLS_AES_256_GCM_SHA384");
    assert_eq!([(); 3].map(|()| status(few())), [200, 200, 429]);
    // Another name or another protocol is another handshake; here what is offered beside HTTP/1.1.
    assert_eq!(status(curl().flag("--http1.1")), 200);
    assert_eq!(
        floodwall.logged(|line| line["status"] == 429)["limit"],
        "alike"
    );
}
