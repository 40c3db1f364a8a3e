//! One part of what is kept, in a file of its own.

use std::{
    marker::PhantomData,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::file::{self, Unfit};
use crate::host::Host;

/// Something that was learned.
pub(super) trait Part: Send + 'static {
    /// The file's name in the folder.
    const FILE: &'static str;
    /// The version of what is written. Older ones are read.
    const VERSION: u64 = 1;

    /// What the file holds.
    type Saved: Default + Serialize + DeserializeOwned + Send;

    /// What is known now.
    fn present(host: &Host) -> Self::Saved;

    /// Puts back what was known, as far as it still holds; what this process has seen itself counts more.
    fn restore(host: &Host, saved: &Self::Saved);

    /// Whether two say the same, so that there is nothing to write.
    fn is_like(one: &Self::Saved, other: &Self::Saved) -> bool;
}

/// A part and its file.
pub(super) struct Kept<P: Part> {
    file: PathBuf,
    /// What the file says. None: nobody knows, and so it is not overwritten.
    last: Option<P::Saved>,
    part: PhantomData<P>,
}

/// A [`Kept`] of whatever part.
pub(super) trait Keep: Send {
    /// Puts back what the file holds. One that does not count is set aside where the folder `is_ours`.
    fn restore(&mut self, host: &Host, is_ours: bool);

    /// Writes the file if it would say something else.
    fn save(&mut self, host: &Host);
}

#[derive(Serialize, Deserialize)]
struct Document<T> {
    version: u64,
    #[serde(flatten)]
    saved: T,
}

/// The part of a document that every version has; the first had none.
#[derive(Deserialize)]
struct Header {
    #[serde(default = "first")]
    version: u64,
}

fn first() -> u64 {
    1
}

impl<P: Part> Kept<P> {
    pub(super) fn at(folder: &Path) -> Self {
        Self {
            file: folder.join(P::FILE),
            last: None,
            part: PhantomData,
        }
    }
}

impl<P: Part> Keep for Kept<P> {
    fn restore(&mut self, host: &Host, is_ours: bool) {
        let trouble = match read::<P>(&self.file) {
            Ok(saved) => {
                P::restore(host, &saved);
                self.last = Some(saved);
                None
            }
            Err(unfit) if unfit.is_final() && is_ours => match file::set_aside(&self.file) {
                Ok(aside) => {
                    host.state.set_aside(P::FILE, &unfit, aside);
                    self.last = Some(P::Saved::default());
                    None
                }
                Err(error) => Some(format!(
                    "{unfit}; it cannot be set aside ({error}), and is not overwritten"
                )),
            },
            Err(unfit) => Some(unfit.to_string()),
        };
        host.state.note(P::FILE, trouble);
    }

    fn save(&mut self, host: &Host) {
        if self.last.is_none() {
            self.restore(host, true);
        }
        let Some(last) = &self.last else { return };
        let saved = P::present(host);
        if P::is_like(&saved, last) {
            return host.state.note(P::FILE, None);
        }
        let document = Document {
            version: P::VERSION,
            saved,
        };
        let written = serde_json::to_vec_pretty(&document)
            .map_err(Into::into)
            .and_then(|bytes| file::replace(&self.file, &bytes));
        if written.is_ok() {
            self.last = Some(document.saved);
            host.state.saved();
        }
        let trouble = written.err();
        host.state.note(
            P::FILE,
            trouble.map(|error| format!("cannot be saved: {error}")),
        );
    }
}

/// What a file holds; nothing when there is none.
fn read<P: Part>(file: &Path) -> Result<P::Saved, Unfit> {
    let Some(bytes) = file::read(file)? else {
        return Ok(P::Saved::default());
    };
    let damaged = |error: serde_json::Error| Unfit::Damaged(error.to_string());
    let Header { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version > P::VERSION {
        return Err(Unfit::Newer {
            found: version,
            known: P::VERSION,
        });
    }
    serde_json::from_slice(&bytes).map_err(damaged)
}
