//! The `state` folder, among the first lines.

use std::io::{self, Write};

use crate::state::StateStatus;

pub(super) fn summary(out: &mut impl Write, state: Option<&StateStatus>) -> io::Result<()> {
    let Some(state) = state else {
        return writeln!(
            out,
            "state        off: nothing is kept, for the file names no `state` folder"
        );
    };
    let saved = state.last_saved.as_deref();
    writeln!(
        out,
        "state        in {}, {}",
        state.folder.display(),
        saved.map_or_else(
            || "nothing saved by this process yet".to_owned(),
            |saved| format!("saved at {saved}")
        )
    )?;
    for problem in &state.problems {
        writeln!(out, "             NOT KEPT: {problem}")?;
    }
    for aside in &state.set_aside {
        writeln!(out, "             set aside: {}", aside.display())?;
    }
    Ok(())
}
