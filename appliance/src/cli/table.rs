//! Plain text in columns, and numbers as people read them.

use std::io::{self, Write};

use super::printable::printable;

/// Rows of cells under a heading; a column is as wide as its widest cell.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    right: [bool; N],
    /// What columns were as wide as so far.
    widths: [usize; N],
}

impl<const N: usize> Table<N> {
    /// Begins a table. A heading that ends in `>` has its column set to the right, as numbers are.
    pub(super) fn new(headings: [&str; N]) -> Self {
        Self {
            right: headings.map(|heading| heading.ends_with('>')),
            rows: vec![headings.map(|heading| heading.trim_end_matches('>').to_owned())],
            widths: [0; N],
        }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows
            .push(cells.map(|cell| printable(&cell).into_owned()));
    }

    /// Whether there is nothing under the heading.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// Writes the table; one without rows is not there at all.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        self.write_rows(self.widths(), out)
    }

    /// Writes what there is of a table that goes on, and forgets it. Columns do not become narrower after that.
    pub(super) fn write_so_far(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.widths = self.widths();
        self.write_rows(self.widths, out)?;
        self.rows.clear();
        Ok(())
    }

    fn widths(&self) -> [usize; N] {
        std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(self.widths[column])
        })
    }

    fn write_rows(&self, widths: [usize; N], out: &mut impl Write) -> io::Result<()> {
        for row in &self.rows {
            let cells: Vec<String> = (0..N)
                .map(|column| padded(&row[column], widths[column], self.right[column]))
                .collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Fills a cell up to the width of its column.
pub(super) fn padded(cell: &str, width: usize, right: bool) -> String {
    if right {
        format!("{cell:>width$}")
    } else {
        format!("{cell:<width$}")
    }
}

/// A span in its two largest units: `3d 4h`, `12m 5s`, and seconds with one digit below a minute.
pub(super) fn span(seconds: f64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    if seconds < 60.0 {
        return format!("{seconds:.1}s");
    }
    let whole =
        std::time::Duration::try_from_secs_f64(seconds).map_or(u64::MAX, |span| span.as_secs());
    let first = UNITS
        .iter()
        .position(|(_, length)| whole >= *length)
        .unwrap_or(UNITS.len() - 2);
    let ((large, length), (small, rest)) = (UNITS[first], UNITS[first + 1]);
    match whole % length / rest {
        0 => format!("{}{large}", whole / length),
        part => format!("{}{large} {part}{small}", whole / length),
    }
}

/// Bytes in binary units: `16.0 MiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match UNITS.iter().find(|(_, shift)| count >> shift > 0) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "one digit after the point is shown"
        )]
        Some((unit, shift)) => format!("{:.1} {unit}", count as f64 / f64::from(1u32 << shift)),
        None => format!("{count} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_with_their_last_letter() {
        let mut table = Table::new(["NAME", "COUNT>", "WHY"]);
        table.row(["a".into(), "1".into(), "because".into()]);
        table.row(["longer".into(), "1000".into(), String::new()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "NAME    COUNT  WHY\na           1  because\nlonger   1000\n"
        );
    }

    #[test]
    fn a_table_that_is_written_in_parts_keeps_its_columns() {
        let mut table = Table::new(["NAME", "COUNT>"]);
        let mut out = Vec::new();
        for name in ["longer", "a", "the longest"] {
            table.row([name.into(), "1".into()]);
            table.write_so_far(&mut out).unwrap();
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "NAME    COUNT\nlonger      1\na           1\nthe longest      1\n"
        );
    }

    #[test]
    fn a_table_without_rows_is_not_there() {
        let mut out = Vec::new();
        Table::new(["NAME"]).write(&mut out).unwrap();
        assert!(out.is_empty());
    }

    #[test]
    fn spans_and_sizes_are_short() {
        for (seconds, text) in [
            (0.04, "0.0s"),
            (59.94, "59.9s"),
            (60.0, "1m"),
            (725.0, "12m 5s"),
            (3600.0, "1h"),
            (273_600.0, "3d 4h"),
            (f64::INFINITY, "213503982334601d 7h"),
        ] {
            assert_eq!(span(seconds), text);
        }
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (16 << 20, "16.0 MiB"),
            (3 << 30, "3.0 GiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
