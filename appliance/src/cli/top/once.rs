//! The view without a terminal: one page, or one JSON document.

use std::io::Write;

use serde::Serialize;

use super::{
    Sample,
    page::{line, row_text, widths},
    rates::Rates,
    screen::Screen,
    sections::Section,
    summary,
};
use crate::{
    blocks::Listed,
    cli::{Failure, print_json},
    status::Status,
};

/// The JSON document.
#[derive(Serialize)]
struct Document<'a> {
    rates: &'a Rates,
    status: &'a Status,
    blocks: &'a [Listed],
}

pub(super) fn print_document(
    out: &mut impl Write,
    sample: &Sample,
    rates: &Rates,
) -> Result<(), Failure> {
    print_json(
        out,
        &Document {
            rates,
            status: &sample.status,
            blocks: &sample.blocks,
        },
    )
}

pub(super) fn print_page(
    out: &mut impl Write,
    sample: &Sample,
    rates: &Rates,
) -> Result<(), Failure> {
    for line in summary::lines(sample, Some(rates)) {
        writeln!(out, "{}", line.text())?;
    }
    let mut sections = Section::all(sample, Some(rates), sample.at.elapsed());
    Screen::default().apply(&mut sections);
    for section in sections.iter().filter(|section| !section.rows.is_empty()) {
        let widths = widths(section);
        let headings = section.columns.iter().map(|column| column.name);
        writeln!(out, "\n{}", line(section, headings, &widths))?;
        for row in &section.rows {
            writeln!(out, "{}", row_text(section, row, &widths))?;
        }
    }
    Ok(())
}
