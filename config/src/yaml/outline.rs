//! The first walk over the text: where each value stands.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, Span, StrInput};

use crate::problem::{Fault, Place};

/// One value of the text, in the order in which they begin.
#[derive(Debug)]
pub(super) struct Mark<'t> {
    pub(super) place: Place,
    pub(super) shape: Shape,
    /// A scalar's text without quotes; empty for collections.
    pub(super) text: Cow<'t, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar,
    List,
    Map,
}

const MAX_DEPTH: usize = 64;
/// More values than 30,000 rules and a million networks have; bounds what a file of `[,,,,` costs.
const MAX_VALUES: usize = 1_500_000;

/// Lists the values of `text`.
///
/// # Errors
/// The first place where `text` is not YAML, or uses what a configuration may not.
pub(super) fn read(text: &str) -> Result<Vec<Mark<'_>>, (Place, Fault)> {
    let mut outline = Outline::default();
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| not_yaml(text, *error.marker(), error.info()))?;
        outline.take(event, span)?;
    }
    if outline.marks.is_empty() {
        return Err((
            Place { line: 1, column: 1 },
            refused("an empty file", "a mapping"),
        ));
    }
    Ok(outline.marks)
}

#[derive(Default)]
struct Outline<'t> {
    marks: Vec<Mark<'t>>,
    depth: usize,
    documents: usize,
}

impl<'t> Outline<'t> {
    fn take(&mut self, event: Event<'t>, span: Span) -> Result<(), (Place, Fault)> {
        let place = place_of(span.start);
        let refuse = |found, allowed| Err((place, refused(found, allowed)));
        match event {
            Event::Alias(_) => return refuse("an alias", "values written out"),
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if anchor != 0 =>
            {
                return refuse("an anchor", "values written out");
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => {
                return refuse("a tag", "values without tags");
            }
            Event::Scalar(text, ..) => self.push(place, Shape::Scalar, text)?,
            Event::SequenceStart(..) => self.open(place, Shape::List)?,
            Event::MappingStart(..) => self.open(place, Shape::Map)?,
            Event::SequenceEnd | Event::MappingEnd => self.depth -= 1,
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return refuse("a second document", "one document");
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn open(&mut self, place: Place, shape: Shape) -> Result<(), (Place, Fault)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err((
                place,
                refused("nesting deeper than 64", "at most 64 levels"),
            ));
        }
        self.push(place, shape, Cow::Borrowed(""))
    }

    fn push(
        &mut self,
        place: Place,
        shape: Shape,
        text: Cow<'t, str>,
    ) -> Result<(), (Place, Fault)> {
        if self.marks.len() == MAX_VALUES {
            return Err((
                place,
                refused("more than 1,500,000 values", "at most 1,500,000"),
            ));
        }
        self.marks.push(Mark { place, shape, text });
        Ok(())
    }
}

fn place_of(marker: Marker) -> Place {
    Place {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

fn refused(found: &str, allowed: &str) -> Fault {
    Fault::Value {
        found: found.into(),
        allowed: allowed.into(),
    }
}

fn not_yaml(text: &str, marker: Marker, info: &str) -> (Place, Fault) {
    let place = place_of(marker);
    // The scanner has an end of its own to flow collections, and may meet it before it emits the first of them.
    if info.contains("recursion limit") {
        return (place, too_deep());
    }
    let line = text.lines().nth(place.line - 1).unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    let message = if indent.contains('\t') {
        "a tab in the indentation; allowed: spaces"
    } else {
        info
    };
    (
        place,
        Fault::Syntax {
            message: message.into(),
        },
    )
}

fn too_deep() -> Fault {
    refused("nesting deeper than 64", "at most 64 levels")
}
