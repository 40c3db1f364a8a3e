//! A strict reader of OpenMetrics text, written from the specification and not from what Floodwall writes.
//!
//! Source: OpenMetrics 1.0, sections "ABNF" and "Overall structure",
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>. What promtool's linter asks of names is asked here too.

use std::collections::{BTreeMap, BTreeSet};

/// One number of the page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// With its suffix.
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A page that holds together.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: String,
    has_help: bool,
    unit: Option<String>,
    samples: Vec<Sample>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Panics
    /// At the first line that is not as it must be.
    pub(crate) fn read(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("a page has an end");
        let (mut page, mut seen) = (Self::default(), BTreeSet::new());
        let mut family = Family::default();
        for line in body.lines() {
            let Some(descriptor) = line.strip_prefix("# ") else {
                family.samples.push(sample(line));
                continue;
            };
            let (kind, rest) = descriptor.split_once(' ').expect(line);
            let (name, what) = rest.split_once(' ').expect(line);
            if name != family.name {
                page.close(std::mem::take(&mut family));
                assert!(seen.insert(name.to_owned()), "{name} comes twice");
                name.clone_into(&mut family.name);
            }
            assert!(family.samples.is_empty(), "{line} after samples");
            match kind {
                "HELP" => family.has_help = !what.is_empty(),
                "TYPE" => what.clone_into(&mut family.kind),
                "UNIT" => family.unit = Some(what.to_owned()),
                other => panic!("{other} is no descriptor: {line}"),
            }
        }
        page.close(family);
        page
    }

    /// The one sample of this name with these labels among others.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            let mut labels = labels.iter();
            sample.name == name
                && labels.all(|(key, value)| sample.labels.get(*key).is_some_and(|is| is == value))
        };
        let mut found = self.samples.iter().filter(has);
        let first = found.next();
        let first = first.unwrap_or_else(|| panic!("no {name} with {labels:?}"));
        assert_eq!(found.next(), None, "one {name} with {labels:?}");
        first.value
    }

    /// All values of a label.
    pub(crate) fn labelled(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let samples = self.samples.iter().filter(|sample| sample.name == name);
        samples
            .filter_map(|sample| sample.labels.get(label))
            .map(String::as_str)
            .collect()
    }

    fn close(&mut self, family: Family) {
        if family.name.is_empty() {
            assert_eq!(family.samples, [], "samples without a family");
            return;
        }
        family.check();
        self.samples.extend(family.samples);
    }
}

impl Family {
    fn check(&self) {
        let name = &self.name;
        assert!(self.has_help, "{name} has no help");
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(
            name.chars().all(plain),
            "{name}: lower case, as the linter asks"
        );
        if let Some(unit) = &self.unit {
            assert!(name.ends_with(&format!("_{unit}")), "{name} in {unit}");
        }
        for wrong in [
            "_total",
            "_count",
            "_sum",
            "_bucket",
            "_ms",
            "_milliseconds",
        ] {
            assert!(!name.ends_with(wrong), "{name} ends with {wrong}");
        }
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            let key = (&sample.name, &sample.labels);
            assert!(seen.insert(key), "{sample:?} comes twice");
            let suffix = sample.name.strip_prefix(name.as_str());
            let suffix = suffix.unwrap_or_else(|| panic!("{} is not of {name}", sample.name));
            let allowed: &[&str] = match self.kind.as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_count", "_sum"],
                other => panic!("{name} is of the kind {other}"),
            };
            assert!(
                allowed.contains(&suffix),
                "{} in a {}",
                sample.name,
                self.kind
            );
            assert!(self.kind == "gauge" || sample.value >= 0.0, "{sample:?}");
        }
        if self.kind == "histogram" {
            self.check_histograms();
        }
    }

    /// Buckets grow, end with `+Inf`, and that one has everything.
    fn check_histograms(&self) {
        let mut buckets: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
        let (mut counts, mut sums) = (BTreeMap::new(), BTreeSet::new());
        for sample in &self.samples {
            let mut labels = sample.labels.clone();
            match sample.name.strip_prefix(self.name.as_str()) {
                Some("_bucket") => {
                    let end = labels.remove("le").expect("a bucket has an end");
                    let end = if end == "+Inf" {
                        f64::INFINITY
                    } else {
                        number(&end)
                    };
                    buckets.entry(labels).or_default().push((end, sample.value));
                }
                Some("_count") => drop(counts.insert(labels, sample.value)),
                _ => drop(sums.insert(labels)),
            }
        }
        assert_eq!(counts.len(), buckets.len(), "{}", self.name);
        for (labels, buckets) in buckets {
            let grows = buckets
                .windows(2)
                .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
            assert!(grows, "{} {labels:?}: {buckets:?}", self.name);
            let last = buckets.last().map(|(end, count)| (*end, Some(count)));
            assert_eq!(last, Some((f64::INFINITY, counts.get(&labels))));
            assert!(
                sums.contains(&labels),
                "{} {labels:?} has no sum",
                self.name
            );
        }
    }
}

/// `name{label="value",..} value`
fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").expect(line);
            let (value, after) = quoted(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').expect(line);
    Sample {
        name: name.to_owned(),
        labels,
        value: number(value),
    }
}

/// A value up to its quotation mark, and what comes after that.
fn quoted(text: &str) -> (String, &str) {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().expect(text).1 {
                'n' => value.push('\n'),
                escaped @ ('"' | '\\') => value.push(escaped),
                other => panic!("\\{other} is no escape"),
            },
            c => value.push(c),
        }
    }
    panic!("{text} has no end")
}

fn number(text: &str) -> f64 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no number"))
}
