//! What is shown: sections of rows, made of one look and the rates up to it.

mod blocks;
mod drops;
mod gates;
mod keys;
mod limits;
mod packets;
mod upstreams;

use std::{cmp::Ordering, time::Duration};

use super::{Sample, rates::Rates};
use crate::cli::printable::printable;

/// The sections, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Limits,
    Keys,
    Blocks,
    Upstreams,
    Gates,
    Packets,
    Drops,
}

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Limits,
        Self::Keys,
        Self::Blocks,
        Self::Upstreams,
        Self::Gates,
        Self::Packets,
        Self::Drops,
    ];

    /// Its name on the screen.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Keys => "keys",
            Self::Blocks => "blocks",
            Self::Upstreams => "upstreams",
            Self::Gates => "gates",
            Self::Packets => "packets",
            Self::Drops => "drops",
        }
    }

    /// The column that it is sorted by unless told otherwise; none for the order of the service.
    pub(super) fn sorted_by(self) -> Option<&'static str> {
        match self {
            Self::Limits => Some("REFUSED/S"),
            Self::Keys => Some("REQUESTS"),
            Self::Blocks => Some("DROPS/S"),
            Self::Packets => Some("PACKETS/S"),
            Self::Upstreams | Self::Gates | Self::Drops => None,
        }
    }

    /// Why it has no rows.
    fn emptiness(self, sample: &Sample) -> String {
        let prefilter = &sample.status.prefilter;
        match self {
            Self::Limits => "the file has no limits".to_owned(),
            Self::Keys => "no limit was asked yet".to_owned(),
            Self::Blocks => "nobody is blocked".to_owned(),
            Self::Upstreams => "the file has no upstreams".to_owned(),
            Self::Gates => "the file has no gates".to_owned(),
            Self::Packets | Self::Drops if !prefilter.on => match &prefilter.why {
                Some(why) => format!("the pre-filter is off: {}", printable(why)),
                None => "the pre-filter is off".to_owned(),
            },
            Self::Packets => "no packet came yet".to_owned(),
            Self::Drops => "no dropped packet was sampled yet".to_owned(),
        }
    }
}

/// One section.
#[derive(Debug)]
pub(super) struct Section {
    pub kind: Kind,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// What is said when there are no rows.
    pub emptiness: String,
}

/// A heading. Numbers stand at the right, everything else at the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub name: &'static str,
    pub right: bool,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// What it is about, the same in every look.
    pub id: String,
    pub cells: Vec<Cell>,
    /// Whom blocking or unblocking would concern.
    pub source: Option<String>,
    pub tone: Tone,
}

/// What a row means to whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// Something is kept out, as it should be.
    Notable,
    /// Something does not work.
    Bad,
}

/// What stands in one column, and what it is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub text: String,
    number: Option<f64>,
}

impl Section {
    /// All sections of one look. `age` is how long ago that was, for what counts down; without rates, which take two
    /// looks, their columns are empty.
    pub(super) fn all(sample: &Sample, rates: Option<&Rates>, age: Duration) -> Vec<Self> {
        let of = |kind, (columns, rows): (&[&'static str], Vec<Row>)| Self {
            kind,
            columns: columns.iter().copied().map(Column::of).collect(),
            rows,
            emptiness: kind.emptiness(sample),
        };
        Kind::ALL
            .map(|kind| match kind {
                Kind::Limits => of(kind, limits::rows(&sample.status, rates)),
                Kind::Keys => of(kind, keys::rows(&sample.status)),
                Kind::Blocks => of(kind, blocks::rows(&sample.blocks, rates, age)),
                Kind::Upstreams => of(kind, upstreams::rows(&sample.status, rates)),
                Kind::Gates => of(kind, gates::rows(&sample.status, rates)),
                Kind::Packets => of(kind, packets::rows(&sample.status, rates)),
                Kind::Drops => of(kind, drops::rows(&sample.status)),
            })
            .into()
    }

    /// Leaves only the rows that have these words in one of their cells, whatever their case.
    pub(super) fn filter(&mut self, words: &str) {
        let words = words.to_lowercase();
        self.rows.retain(|row| {
            let mut cells = row.cells.iter();
            cells.any(|cell| cell.text.to_lowercase().contains(&words))
        });
    }

    /// Sorts the rows by a column: the largest number first, or words from a to z. Equal rows stay in their order.
    pub(super) fn sort(&mut self, column: usize, reversed: bool) {
        self.rows.sort_by(|a, b| {
            let order = match (a.cells.get(column), b.cells.get(column)) {
                (Some(a), Some(b)) => a.compare(b),
                _ => Ordering::Equal,
            };
            if reversed { order.reverse() } else { order }
        });
    }

    /// Puts the rows first that say what does not work. The others stay in their order.
    pub(super) fn put_bad_first(&mut self) {
        self.rows.sort_by_key(|row| row.tone != Tone::Bad);
    }

    /// The place of the column with this name.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

impl Column {
    /// A heading that ends in `>` has its column set to the right.
    fn of(name: &'static str) -> Self {
        match name.strip_suffix('>') {
            Some(name) => Self { name, right: true },
            None => Self { name, right: false },
        }
    }
}

impl Row {
    fn new(id: impl Into<String>, cells: Vec<Cell>) -> Self {
        Self {
            id: id.into(),
            cells,
            source: None,
            tone: Tone::Plain,
        }
    }

    fn of_source(self, source: Option<String>) -> Self {
        Self { source, ..self }
    }

    /// The row in this tone when the condition holds.
    fn tinted(self, tone: Tone, when: bool) -> Self {
        let tone = if when { tone } else { self.tone };
        Self { tone, ..self }
    }
}

impl Cell {
    fn words(text: impl AsRef<str>) -> Self {
        Self {
            text: printable(text.as_ref()).into_owned(),
            number: None,
        }
    }

    fn number(text: String, number: f64) -> Self {
        Self {
            text,
            number: Some(number),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers beyond 2^52 may be sorted as equal"
    )]
    fn count(count: u64) -> Self {
        Self::number(amount(count as f64), count as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "as above")]
    fn bytes(count: u64) -> Self {
        Self::number(crate::cli::table::bytes(count), count as f64)
    }

    /// A rate; a dash as long as there is none.
    fn rate(rate: Option<f64>) -> Self {
        match rate {
            Some(rate) => Self::number(amount(rate), rate),
            None => Self::number("-".to_owned(), -1.0),
        }
    }

    /// A time that is left.
    fn left(seconds: f64) -> Self {
        Self::number(crate::cli::table::span(seconds), seconds)
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.number, other.number) {
            (Some(this), Some(other)) => other.total_cmp(&this),
            _ => self.text.cmp(&other.text),
        }
    }
}

/// A number in at most five places: `0.4`, `17`, `1.7k`, `12.3k`, `1.2M`.
pub(super) fn amount(number: f64) -> String {
    const UNITS: [(&str, f64); 4] = [("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)];
    // From here on a number is rounded up to the unit.
    const ALMOST: f64 = 0.9995;
    match UNITS.iter().find(|(_, unit)| number >= unit * ALMOST) {
        Some((name, unit)) if number < unit * 100.0 => format!("{:.1}{name}", number / unit),
        Some((name, unit)) => format!("{:.0}{name}", number / unit),
        None if number > 0.0 && number < 9.95 && number.fract() > 0.0 => format!("{number:.1}"),
        None => format!("{number:.0}"),
    }
}

/// A section of rows that have nothing but their names.
#[cfg(test)]
pub(super) fn rows_named(kind: Kind, names: &[String]) -> Section {
    let rows = names
        .iter()
        .map(|name| Row::new(name, vec![Cell::words(name)]));
    Section {
        kind,
        columns: vec![Column::of("NAME")],
        rows: rows.collect(),
        emptiness: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(rows: &[(&str, f64)]) -> Section {
        Section {
            kind: Kind::Limits,
            columns: ["NAME", "COUNT>"].map(Column::of).into(),
            rows: rows
                .iter()
                .map(|(name, count)| {
                    let count = Cell::number(amount(*count), *count);
                    Row::new(*name, vec![Cell::words(name), count])
                })
                .collect(),
            emptiness: String::new(),
        }
    }

    fn names(section: &Section) -> Vec<&str> {
        section.rows.iter().map(|row| row.id.as_str()).collect()
    }

    #[test]
    fn numbers_are_sorted_from_the_largest_and_words_from_a() {
        let mut section = section(&[("b", 9.0), ("c", 1_000.0), ("a", 10.0)]);
        section.sort(1, false);
        assert_eq!(names(&section), ["c", "a", "b"]);
        section.sort(1, true);
        assert_eq!(names(&section), ["b", "a", "c"]);
        section.sort(0, false);
        assert_eq!(names(&section), ["a", "b", "c"]);
        section.sort(7, false);
        assert_eq!(names(&section), ["a", "b", "c"]);
    }

    #[test]
    fn a_filter_looks_into_every_cell_whatever_the_case() {
        let mut section = section(&[("Checkout", 1_500.0), ("search", 3.0)]);
        section.filter("CHECK");
        assert_eq!(names(&section), ["Checkout"]);
        section.filter("1.5K");
        assert_eq!(names(&section), ["Checkout"]);
        section.filter("nobody");
        assert!(names(&section).is_empty());
    }

    #[test]
    fn amounts_fit_five_places() {
        for (number, text) in [
            (0.0, "0"),
            (0.04, "0.0"),
            (0.44, "0.4"),
            (9.94, "9.9"),
            (9.96, "10"),
            (999.4, "999"),
            (999.6, "1.0k"),
            (1_234.0, "1.2k"),
            (99_949.0, "99.9k"),
            (123_456.0, "123k"),
            (999_600.0, "1.0M"),
            (5_100_000.0, "5.1M"),
            (2e12, "2.0T"),
        ] {
            assert_eq!(amount(number), text, "{number}");
        }
    }
}
