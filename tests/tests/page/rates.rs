//! What the page makes of counters that only grow, in the browser that it does so in.

use floodwall_tests::{Floodwall, Loopback, Origin, needs_browser};
use serde_json::json;

use crate::{front, open};

/// Looks of an imagined service, and the points that become of them.
const POINTS: &str = "
const { History } = await import('/page/rates.js');
const history = new History();
const look = (pid, uptime, admitted, refused, packets, [fast, slow]) => history.take({
  pid, since: '2026-01-02T03:04:05Z', uptime_seconds: uptime,
  requests: { verdicts: [{ verdict: 'admitted', count: admitted }, { verdict: 'refused', count: refused }] },
  prefilter: { on: packets !== null, packets: [
    { reason: 'passed', dropped: false, answered: false, packets: packets ?? 0 },
    { reason: 'denied', dropped: true, answered: false, packets: 7 },
    { reason: 'land', dropped: true, answered: false, packets: (packets ?? 0) / 2 },
  ] },
  routes: [{ name: 'all', duration: { buckets: [
    { most_seconds: 0.001, count: fast }, { most_seconds: 0.1, count: slow }, { most_seconds: null, count: 0 },
  ] } }],
});
return [
  look(1, 10, 1000, 10, null, [90, 10]),
  look(1, 12, 1100, 10, 50, [179, 11]),
  look(1, 13, 1100, 40, 90, [179, 31]),
  look(2, 1, 5, 0, 10, [5, 0]),
  look(2, 2, 6, 0, 10, [5, 1]),
];";

/// A route that is seen for the first time, in the first look and in a later one.
const LATE: &str = "
const { Deltas, Recent, quantile } = await import('/page/rates.js');
const [deltas, recent] = [new Deltas(), new Recent()];
const buckets = [{ most_seconds: 0.5, count: 4 }];
recent.begin(true);
const first = quantile(recent.of('early', buckets), 0.5);
recent.begin(false);
deltas.begin(0);
deltas.begin(2);
return [first, quantile(recent.of('late', buckets), 0.5), deltas.of('late', 4, 0)];";

#[test]
fn rates_are_what_counters_grew_by() {
    needs_browser!();
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let _floodwall = Floodwall::start(&front(web, admin, &origin));
    let browser = open(admin);
    let points = browser.run(POINTS);
    let requests = |at: usize| {
        let rates = &points[at]["requests"];
        (rates["served"].clone(), rates["refused"].clone())
    };
    let packets = |at: usize| {
        let rates = &points[at]["packets"];
        (
            rates["served"].clone(),
            rates["blocked"].clone(),
            rates["other"].clone(),
        )
    };
    let times = |at: usize| ["p50", "p90", "p99"].map(|name| points[at]["times"][name].clone());
    let null = || json!(null);

    // Nothing is known of the first look, of the first one with packets, nor of another process's first.
    assert_eq!(
        (requests(0), packets(0)),
        ((null(), null()), (null(), null(), null()))
    );
    assert_eq!(packets(1), (null(), null(), null()));
    assert_eq!(
        (requests(3), times(3)),
        ((null(), null()), [null(), null(), null()])
    );
    // A histogram that came later was empty before, and so was a route's counter.
    let late = browser.run(LATE);
    assert_eq!(late, json!([null, 0.5, 2]));
    // A second look after two seconds, and a third after one.
    assert_eq!(requests(1), (json!(50), json!(0)));
    assert_eq!(
        (requests(2), packets(2)),
        ((json!(0), json!(30)), (json!(40), json!(0), json!(20)))
    );
    // Of 90 answers one was slow, of 110 there were 21.
    assert_eq!(times(1), [json!(0.001), json!(0.001), json!(0.1)]);
    assert_eq!(times(2), [json!(0.001), json!(0.1), json!(0.1)]);
    assert_eq!(
        (requests(4), times(4)),
        ((json!(1), json!(0)), [json!(0.1), json!(0.1), json!(0.1)])
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
