//! The screen: summary, tabs, sections, and the line at the foot.

use std::time::Duration;

use super::{
    Sample,
    canvas::{Canvas, Colour, Size, Style},
    layout::{self, Part},
    rates::Rates,
    screen::{Mode, Screen},
    sections::{Column, Kind, Row, Section, Tone},
    summary,
};
use crate::cli::table::padded;

/// What there is to show.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub sample: &'a Sample,
    /// None before the second look.
    pub rates: Option<&'a Rates>,
    /// How old the sample is, for what counts down.
    pub age: Duration,
    /// Why there was no later one, and for how long.
    pub trouble: Option<(&'a str, Duration)>,
}

const HELP: &str = "\
1 to 7, 0        show one section, or all of them; also Tab, left and right
up, down, PgUp   select a row; also j, k, g, G; Escape lets it go
/                show only rows with these words; Enter keeps, Escape clears
s  r             sort by the next column; reverse
b  u             block, or unblock, the selected source (or one that you type)
p                pause, and go on
Ctrl-L  Ctrl-Z   draw anew; suspend
q                quit

Rates are what was gained since the last look. Yellow: something is kept out.
Red: something does not work. Keys are counted as `floodwall status` does:
halved every minute, and estimated under load.

Any key goes back.";

const FOOT: &str = "q quit  ? help  / filter  s sort  b block  u unblock  p pause  1-7 section";

/// The lines that are not for sections: the summary, the tabs and the foot.
const AROUND: usize = summary::LINES + 2;

impl View<'_> {
    /// The rows that are on a screen of this size.
    pub(super) fn lay_out(&self, screen: &Screen, size: Size) -> Vec<Part> {
        let mut sections = Section::all(self.sample, self.rates, self.age);
        screen.apply(&mut sections);
        let height = size.height.saturating_sub(AROUND);
        match screen.tab {
            None => layout::all(sections, height),
            Some(kind) => {
                let chosen = sections.into_iter().filter(|section| section.kind == kind);
                chosen
                    .map(|section| layout::one(section, screen.selected.as_ref(), height))
                    .collect()
            }
        }
    }

    pub(super) fn draw(&self, screen: &Screen, parts: &[Part], size: Size) -> Canvas {
        let mut canvas = Canvas::new(size);
        if screen.mode == Mode::Help {
            for (row, line) in HELP.lines().enumerate() {
                canvas.put(row, 0, line, Style::PLAIN);
            }
            return canvas;
        }
        let lines = summary::lines(self.sample, self.rates);
        for (row, line) in lines.iter().enumerate() {
            let mut column = 0;
            for (text, style) in &line.0 {
                column = canvas.put(row, column, text, *style);
            }
        }
        self.draw_state(&mut canvas, screen);
        draw_tabs(&mut canvas, screen);
        let mut row = summary::LINES + 1;
        for part in parts {
            row = draw_part(&mut canvas, row, part, screen);
        }
        if parts.is_empty() && !screen.filter.is_empty() {
            canvas.put(row, 0, "no row has these words", Style::PLAIN);
        }
        draw_foot(&mut canvas, screen);
        canvas
    }

    /// Whether what is shown is what is: at the right end of the first line.
    fn draw_state(&self, canvas: &mut Canvas, screen: &Screen) {
        let words = match self.trouble {
            Some((_, since)) => format!(" NO ANSWER for {}s ", since.as_secs()),
            None if screen.is_paused => " PAUSED ".to_owned(),
            None => return,
        };
        let style = Style {
            reverse: true,
            ..Style::BOLD.coloured(Colour::Red)
        };
        let column = canvas.size().width.saturating_sub(words.chars().count());
        canvas.put(0, column, &words, style);
        if let Some((why, _)) = self.trouble {
            let row = summary::LINES - 1;
            let blank = " ".repeat(canvas.size().width);
            canvas.put(row, 0, &blank, Style::PLAIN);
            let why = crate::cli::printable::printable(why);
            canvas.put(row, 0, &why, Style::PLAIN.coloured(Colour::Red));
        }
    }
}

fn draw_tabs(canvas: &mut Canvas, screen: &Screen) {
    let tabs = Kind::ALL.map(Some);
    let mut column = 0;
    for (number, tab) in [None].into_iter().chain(tabs).enumerate() {
        let name = tab.map_or("all", Kind::name);
        let style = if tab == screen.tab {
            Style::REVERSE
        } else {
            Style::PLAIN
        };
        column = canvas.put(summary::LINES, column, &format!(" {number} {name} "), style);
    }
}

/// Draws a heading and the rows below it, and returns the next free row.
fn draw_part(canvas: &mut Canvas, row: usize, part: &Part, screen: &Screen) -> usize {
    let section = &part.section;
    let widths = widths(section);
    let headings = section.columns.iter().map(|column| column.name);
    let heading = line(section, headings, &widths);
    canvas.put(row, 0, &heading, Style::BOLD.coloured(Colour::Cyan));
    mark_sorted(canvas, row, section, &widths, screen);
    draw_hidden(canvas, row, part);
    if section.rows.is_empty() {
        let words = if screen.filter.is_empty() {
            section.emptiness.as_str()
        } else {
            "no row has these words"
        };
        canvas.put(row + 1, 0, words, Style::PLAIN);
        return row + 2;
    }
    for (at, shown) in part.visible().iter().enumerate() {
        let selected = screen.selected.as_ref();
        let selected = selected.is_some_and(|(kind, id)| *kind == section.kind && *id == shown.id);
        draw_row(
            canvas,
            row + 1 + at,
            &row_text(section, shown, &widths),
            shown.tone,
            selected,
        );
    }
    row + 1 + part.rows_shown()
}

fn draw_row(canvas: &mut Canvas, row: usize, text: &str, tone: Tone, selected: bool) {
    let style = match tone {
        Tone::Plain => Style::PLAIN,
        Tone::Notable => Style::PLAIN.coloured(Colour::Yellow),
        Tone::Bad => Style::BOLD.coloured(Colour::Red),
    };
    canvas.put(row, 0, text, style);
    if selected {
        canvas.paint(row, Style::REVERSE);
    }
}

/// The column that rows are sorted by has its heading reversed.
fn mark_sorted(
    canvas: &mut Canvas,
    row: usize,
    section: &Section,
    widths: &[usize],
    screen: &Screen,
) {
    let Some(sorted) = screen.sorted_by(section) else {
        return;
    };
    let (Some(column), Some(width)) = (section.columns.get(sorted), widths.get(sorted)) else {
        return;
    };
    let begin: usize = widths[..sorted].iter().map(|width| width + GAP.len()).sum();
    let indent = if column.right {
        width - column.name.len()
    } else {
        0
    };
    canvas.put(row, begin + indent, column.name, Style::REVERSE);
}

/// How many rows are above and below what is shown, at the right end of the heading.
fn draw_hidden(canvas: &mut Canvas, row: usize, part: &Part) {
    let words = match part.hidden() {
        (0, 0) => return,
        (0, below) => format!(" {below} more"),
        (above, below) => format!(" {above} above, {below} below"),
    };
    let column = canvas.size().width.saturating_sub(words.len());
    canvas.put(row, column, &words, Style::BOLD);
}

fn draw_foot(canvas: &mut Canvas, screen: &Screen) {
    let Some(row) = canvas.size().height.checked_sub(1) else {
        return;
    };
    let red = Style::BOLD.coloured(Colour::Red);
    match (&screen.mode, &screen.message) {
        (Mode::Ask(entry), _) => {
            let end = canvas.put(row, 0, &entry.prompt(), Style::BOLD);
            let end = canvas.put(row, end, " ", Style::REVERSE);
            if let Some(complaint) = &entry.complaint {
                canvas.put(row, end + 1, complaint, red);
            }
        }
        (Mode::Filter, _) => {
            let end = canvas.put(row, 0, &format!("/{}", screen.filter), Style::BOLD);
            canvas.put(row, end, " ", Style::REVERSE);
        }
        (_, Some(Ok(words))) => {
            canvas.put(row, 0, words, Style::BOLD.coloured(Colour::Green));
        }
        (_, Some(Err(words))) => {
            canvas.put(row, 0, words, red);
        }
        (_, None) if !screen.filter.is_empty() => {
            let words = format!("only rows with `{}`; Escape shows all", screen.filter);
            canvas.put(row, 0, &words, Style::BOLD);
        }
        (_, None) => {
            canvas.put(row, 0, FOOT, Style::PLAIN);
        }
    }
}

/// What stands between two columns.
const GAP: &str = "  ";

/// No column but the last is wider; what is longer is cut.
const WIDEST: usize = 28;

/// How wide each column has to be, over all rows, so that scrolling moves none.
pub(super) fn widths(section: &Section) -> Vec<usize> {
    let columns = section.columns.iter().enumerate();
    columns
        .map(|(at, column)| {
            let cells = section.rows.iter().filter_map(|row| row.cells.get(at));
            let widest = cells.map(|cell| cell.text.chars().count()).max();
            widest.unwrap_or(0).min(WIDEST).max(column.name.len())
        })
        .collect()
}

/// A row as text.
pub(super) fn row_text(section: &Section, row: &Row, widths: &[usize]) -> String {
    line(
        section,
        row.cells.iter().map(|cell| cell.text.as_str()),
        widths,
    )
}

/// Cells or headings in their columns.
pub(super) fn line<'a>(
    section: &Section,
    cells: impl Iterator<Item = &'a str>,
    widths: &[usize],
) -> String {
    let last = section.columns.len().saturating_sub(1);
    let columns = section.columns.iter().zip(widths).enumerate();
    let cells = cells
        .zip(columns)
        .map(|(cell, (at, (Column { right, .. }, width)))| {
            let fits = at == last || cell.chars().count() <= *width;
            if fits {
                padded(cell, *width, *right)
            } else {
                let cut: String = cell.chars().take(width - 1).collect();
                format!("{cut}~")
            }
        });
    let line = cells.collect::<Vec<_>>().join(GAP);
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
