//! A screen as it should be, and the few bytes that make it so.

use std::fmt::Write as _;

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub width: usize,
    pub height: usize,
}

/// How a letter looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub bold: bool,
    pub reverse: bool,
    pub colour: Option<Colour>,
}

/// The colours that every terminal has and that can be told apart on dark and on light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
}

/// A grid of letters, each of one column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Canvas {
    size: Size,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    letter: char,
    style: Style,
}

const BLANK: Cell = Cell {
    letter: ' ',
    style: Style::PLAIN,
};

/// So many unchanged letters between two changed ones cost less than moving the cursor over them.
const WORTH_A_MOVE: usize = 6;

impl Style {
    pub(super) const PLAIN: Self = Self {
        bold: false,
        reverse: false,
        colour: None,
    };
    pub(super) const BOLD: Self = Self {
        bold: true,
        ..Self::PLAIN
    };
    pub(super) const REVERSE: Self = Self {
        reverse: true,
        ..Self::PLAIN
    };

    pub(super) const fn coloured(self, colour: Colour) -> Self {
        Self {
            colour: Some(colour),
            ..self
        }
    }

    /// Switches the terminal to this style from whichever it has.
    fn select(self, colours: bool, out: &mut String) {
        out.push_str("\x1b[0");
        if self.bold {
            out.push_str(";1");
        }
        if self.reverse {
            out.push_str(";7");
        }
        if let Some(colour) = self.colour.filter(|_| colours) {
            // A string takes everything.
            let _ = write!(out, ";{}", colour as u8);
        }
        out.push('m');
    }
}

impl Canvas {
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            cells: vec![BLANK; size.width * size.height],
        }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Writes a text, and returns the column behind it. What does not fit is left out; a text must hold letters of one
    /// column only.
    pub(super) fn put(&mut self, row: usize, column: usize, text: &str, style: Style) -> usize {
        let mut at = column;
        for letter in text.chars() {
            if row < self.size.height && at < self.size.width {
                self.cells[row * self.size.width + at] = Cell { letter, style };
            }
            at += 1;
        }
        at
    }

    /// Gives a whole row a style.
    pub(super) fn paint(&mut self, row: usize, style: Style) {
        if row < self.size.height {
            for cell in &mut self.cells[row * self.size.width..][..self.size.width] {
                cell.style = style;
            }
        }
    }

    /// A row's text, without the blanks at its end.
    #[cfg(test)]
    pub(super) fn text(&self, row: usize) -> String {
        let text: String = self.row(row).iter().map(|cell| cell.letter).collect();
        text.trim_end().to_owned()
    }

    fn row(&self, row: usize) -> &[Cell] {
        &self.cells[row * self.size.width..][..self.size.width]
    }

    /// What has to be written to a terminal that shows `before`, so that it shows this one: control sequences of ECMA-48
    /// that every terminal since the VT100 obeys. Without `before` the terminal is cleared first.
    pub(super) fn changes(&self, before: Option<&Self>, colours: bool) -> String {
        let before = before.filter(|before| before.size == self.size);
        let mut out = String::new();
        let empty = vec![BLANK; self.size.width];
        if before.is_none() {
            out.push_str("\x1b[0m\x1b[2J");
        }
        for row in 0..self.size.height {
            let old = before.map_or(empty.as_slice(), |before| before.row(row));
            change_row(row, old, self.row(row), colours, &mut out);
        }
        out
    }
}

/// Writes what differs in one row, and leaves the terminal in its plain style.
fn change_row(row: usize, old: &[Cell], new: &[Cell], colours: bool, out: &mut String) {
    let length = |cells: &[Cell]| {
        let last = cells.iter().rposition(|cell| *cell != BLANK);
        last.map_or(0, |last| last + 1)
    };
    let end = length(new);
    let mut at = 0;
    while let Some(from) = (at..end).find(|column| old[*column] != new[*column]) {
        let mut to = from + 1;
        while let Some(next) = (to..end.min(to + WORTH_A_MOVE)).find(|at| old[*at] != new[*at]) {
            to = next + 1;
        }
        move_to(row, from, out);
        write_cells(&new[from..to], colours, out);
        at = to;
    }
    if length(old) > end {
        move_to(row, end, out);
        out.push_str("\x1b[K");
    }
}

fn move_to(row: usize, column: usize, out: &mut String) {
    // A string takes everything.
    let _ = write!(out, "\x1b[{};{}H", row + 1, column + 1);
}

fn write_cells(cells: &[Cell], colours: bool, out: &mut String) {
    let mut style = Style::PLAIN;
    for cell in cells {
        if cell.style != style {
            style = cell.style;
            style.select(colours, out);
        }
        out.push(cell.letter);
    }
    if style != Style::PLAIN {
        out.push_str("\x1b[0m");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 20,
        height: 3,
    };

    fn canvas(lines: &[&str]) -> Canvas {
        let mut canvas = Canvas::new(SIZE);
        for (row, line) in lines.iter().enumerate() {
            canvas.put(row, 0, line, Style::PLAIN);
        }
        canvas
    }

    #[test]
    fn nothing_new_is_nothing_to_write() {
        let canvas = canvas(&["one", "two"]);
        assert_eq!(canvas.changes(Some(&canvas), true), "");
    }

    #[test]
    fn only_what_changed_is_written() {
        let (old, new) = (canvas(&["rate 10", "same"]), canvas(&["rate 17", "same"]));
        assert_eq!(new.changes(Some(&old), true), "\x1b[1;7H7");
        let far = canvas(&["Rate 10          end", "same"]);
        assert_eq!(far.changes(Some(&old), true), "\x1b[1;1HR\x1b[1;18Hend");
        let near = canvas(&["Rate 11", "same"]);
        assert_eq!(near.changes(Some(&old), true), "\x1b[1;1HRate 11");
    }

    #[test]
    fn a_shorter_line_is_cut_off() {
        let (old, new) = (canvas(&["a long line"]), canvas(&["a"]));
        assert_eq!(new.changes(Some(&old), true), "\x1b[1;2H\x1b[K");
    }

    #[test]
    fn another_size_begins_anew() {
        let small = Canvas::new(Size {
            width: 5,
            height: 1,
        });
        let new = canvas(&["a"]);
        assert_eq!(new.changes(Some(&small), true), "\x1b[0m\x1b[2J\x1b[1;1Ha");
        assert_eq!(new.changes(None, true), new.changes(Some(&small), true));
    }

    #[test]
    fn styles_are_switched_on_and_off_and_colours_are_optional() {
        let mut canvas = Canvas::new(SIZE);
        let style = Style::BOLD.coloured(Colour::Red);
        assert_eq!(canvas.put(0, 2, "no", style), 4);
        let with = canvas.changes(Some(&Canvas::new(SIZE)), true);
        assert_eq!(with, "\x1b[1;3H\x1b[0;1;31mno\x1b[0m");
        let without = canvas.changes(Some(&Canvas::new(SIZE)), false);
        assert_eq!(without, "\x1b[1;3H\x1b[0;1mno\x1b[0m");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut canvas = Canvas::new(SIZE);
        assert_eq!(canvas.put(0, 18, "long", Style::PLAIN), 22);
        canvas.put(7, 0, "below", Style::PLAIN);
        canvas.paint(7, Style::BOLD);
        assert_eq!(canvas.text(0), "                  lo");
    }
}
