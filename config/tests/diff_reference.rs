//! A change of any key of the reference is named by its path: nothing that a reload does goes unsaid.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::{collections::HashMap, path::Path, thread};

use floodwall_config::{Change, Config};
use serde_yaml::{Mapping, Value};

const REFERENCE: &str = include_str!("../floodwall.yaml");

/// Where one value stands: keys of mappings, and places in lists.
type Place = Vec<Step>;

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Item(usize),
}

/// Values that are something else than what stands there, for some key or other.
const OTHERS: [&str; 58] = [
    "11s",
    "777ms",
    "3m",
    "13%",
    "3KiB",
    "11KiB",
    "3MiB",
    "17",
    "3",
    "4000",
    "5000",
    "77/s",
    "8k/s",
    "7KiB/s",
    "1.5",
    "0640",
    "true",
    "false",
    "v1",
    "\"1.3\"",
    "ipv6",
    "least_request",
    "500",
    "403",
    "[4xx]",
    "[404]",
    "[reset]",
    "any",
    "error_count",
    "error_ratio",
    "server",
    "strict",
    "memory",
    "full",
    "unlimited",
    "host",
    "skip",
    "low",
    "gzip",
    "[br]",
    "best",
    "308",
    "drop",
    "pass",
    "generic",
    "fixed",
    "cookie",
    "reset",
    "bytes",
    "udp",
    "[8090]",
    "[echo-reply]",
    "warn",
    "off",
    "/other",
    "other.example.org",
    "192.0.2.77",
    "127.0.0.1:7777",
];

const MORE: [&str; 18] = [
    "2030-01-01T00:00:00Z",
    "[192.0.2.0/24]",
    "[eth7]",
    "x-other",
    "other",
    "[host]",
    "path",
    "port",
    "bytes_in",
    "none",
    "[h2]",
    "./other",
    "unix:other.sock",
    "[x-other]",
    "[PUT]",
    "[spare]",
    "spare",
    "[text/css]",
];

fn reference() -> Value {
    serde_yaml::from_str(REFERENCE).unwrap()
}

fn read(value: &Value) -> Option<Config> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("floodwall.yaml");
    Config::from_text(&serde_yaml::to_string(value).unwrap(), file).ok()
}

fn scalars(value: &Value, place: &Place, into: &mut Vec<Place>) {
    let step = |step: Step| [place.as_slice(), &[step]].concat();
    match value {
        Value::Mapping(fields) => {
            for (key, inner) in fields {
                let key = key
                    .as_str()
                    .map_or_else(|| format!("{key:?}"), ToOwned::to_owned);
                scalars(inner, &step(Step::Key(key)), into);
            }
        }
        Value::Sequence(items) => {
            for (at, inner) in items.iter().enumerate() {
                scalars(inner, &step(Step::Item(at)), into);
            }
        }
        _ => into.push(place.clone()),
    }
}

fn field<'a>(fields: &'a mut Mapping, key: &str) -> &'a mut Value {
    let mut fields = fields.iter_mut();
    fields
        .find(|(name, _)| name.as_str() == Some(key))
        .unwrap()
        .1
}

/// The value at a place, to be changed.
fn at<'a>(whole: &'a mut Value, place: &[Step]) -> &'a mut Value {
    place.iter().fold(whole, |value, step| match (value, step) {
        (Value::Mapping(fields), Step::Key(key)) => field(fields, key),
        (Value::Sequence(items), Step::Item(at)) => &mut items[*at],
        (other, step) => panic!("no {step:?} in {other:?}"),
    })
}

/// The place as changes are called: a route by its name, and whatever is in another list by the list.
fn path(whole: &Value, place: &[Step]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut steps = place.iter();
    while let Some(step) = steps.next() {
        match step {
            Step::Key(key) if words.is_empty() && key == "routes" => {
                let Some(Step::Item(number)) = steps.next() else {
                    break;
                };
                let name = whole["routes"][*number]["name"].as_str().unwrap();
                words.extend(["routes".to_owned(), name.to_owned()]);
            }
            Step::Key(key) => words.push(key.clone()),
            Step::Item(_) => break,
        }
    }
    // Both make one budget, and are shown together.
    words.join(".").replace(".burst", ".rate")
}

/// The value that was found for a key of this name: it is likely to do for the next one.
type Known = HashMap<String, &'static str>;

/// The configuration with another value at a place, if there is one that is allowed there and means something else.
fn changed(whole: &Value, old: &Config, place: &[Step], known: &mut Known) -> Option<Config> {
    let present = text(at(&mut whole.clone(), place));
    // What ends alike is most likely allowed as well, such as another duration.
    let alike = |other: &&&str| other.chars().last() == present.chars().last();
    let all = || OTHERS.iter().chain(&MORE);
    let name = path(whole, place)
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_owned();
    let before = known.get(&name).copied();
    let mut candidates = before
        .iter()
        .chain(all().filter(alike))
        .chain(all().filter(|other| !alike(other)));
    let by_value = candidates.find_map(|other| {
        let mut whole = whole.clone();
        *at(&mut whole, place) = serde_yaml::from_str(other).unwrap();
        let new = read(&whole).filter(|new| new != old)?;
        known.insert(name.clone(), *other);
        Some(new)
    });
    by_value.or_else(|| without(whole, old, place))
}

fn text(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap().trim().to_owned()
}

/// The configuration without this value.
fn without(whole: &Value, old: &Config, place: &[Step]) -> Option<Config> {
    let mut whole = whole.clone();
    let (last, above) = place.split_last()?;
    match (at(&mut whole, above), last) {
        (Value::Mapping(fields), Step::Key(key)) => drop(fields.remove(key.as_str())),
        (Value::Sequence(items), Step::Item(at)) => drop(items.remove(*at)),
        _ => return None,
    }
    read(&whole).filter(|new| new != old)
}

fn is_about(change: &Change, path: &str) -> bool {
    let under = |long: &str, short: &str| {
        let rest = long.strip_prefix(short);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    under(path, &change.path) || under(&change.path, path)
}

/// What became of one place.
enum Said {
    /// Some value was found that means something else, and the change was named.
    Named,
    /// No other value was found.
    Untried(String),
    /// It was not named: what was said instead.
    Missed(String),
}

fn said(whole: &Value, old: &Config, place: &[Step], known: &mut Known) -> Said {
    let path = path(whole, place);
    let Some(new) = changed(whole, old, place, known) else {
        return Said::Untried(path);
    };
    let changes = old.changes(&new);
    if changes.iter().any(|change| is_about(change, &path)) {
        return Said::Named;
    }
    let named: Vec<_> = changes.iter().map(ToString::to_string).collect();
    Said::Missed(format!("{path}: {named:?}"))
}

#[test]
fn every_key_of_the_reference_that_changes_is_named() {
    let whole = reference();
    let old = read(&whole).unwrap();
    let mut places = Vec::new();
    scalars(&whole, &Vec::new(), &mut places);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = |some: &[Place]| -> Vec<Said> {
        let places = some.iter();
        let mut known = Known::new();
        places
            .map(|place| said(&whole, &old, place, &mut known))
            .collect()
    };
    let all: Vec<Said> = thread::scope(|scope| {
        let shares = places.chunks(places.len().div_ceil(cores));
        let threads: Vec<_> = shares.map(|some| scope.spawn(|| share(some))).collect();
        let ends = threads.into_iter().map(|thread| thread.join().unwrap());
        ends.flatten().collect()
    });
    let (mut untried, mut missed) = (Vec::new(), Vec::new());
    for one in all {
        match one {
            Said::Named => {}
            Said::Untried(path) => untried.push(path),
            Said::Missed(words) => missed.push(words),
        }
    }
    assert!(
        missed.is_empty(),
        "changes that nobody is told of: {missed:#?}"
    );
    let tried = places.len() - untried.len();
    assert!(
        tried > 300,
        "{tried} of {} places; not {untried:#?}",
        places.len()
    );
}
