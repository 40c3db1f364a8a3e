//! What a reload would change, said before it is done.

use std::path::Path;

use floodwall_config::Config;
use serde::{Deserialize, Serialize};

use super::Reloader;
use crate::generation::Generation;

/// A file beside what the service runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What is wrong with the file as the service reads it, with the files that it names.
    pub problems: Vec<String>,
    /// What only a restart can change, so that a reload would be refused.
    pub restart_only: Vec<String>,
    /// What would change, the former included.
    pub changes: Vec<String>,
}

impl Reloader {
    /// Compares a text, as if it were that of a file at this full path, with the running generation: with what was
    /// read for it, for a file that it names may hold something else by now.
    pub fn compare(&self, file: &Path, text: &str) -> Comparison {
        let next = Config::from_text(text, file)
            .and_then(|next| Generation::check(&next).map(|compiled| (next, compiled)));
        let (next, compiled) = match next {
            Ok(next) => next,
            Err(problems) => {
                let problems = problems.as_slice().iter();
                return Comparison {
                    problems: problems.map(ToString::to_string).collect(),
                    ..Comparison::default()
                };
            }
        };
        let running = self.host.pin();
        let changes = running.config.changes(&next);
        let changes = changes.iter().map(ToString::to_string);
        Comparison {
            restart_only: self.restart_only(&running.config, &next),
            changes: changes
                .chain(compiled.files_changed_since(&running))
                .collect(),
            problems: Vec::new(),
        }
    }

    /// What of a file cannot be applied to the running service.
    pub(super) fn restart_only(&self, running: &Config, next: &Config) -> Vec<String> {
        let fixed = running.restart_only(next);
        let fixed = fixed.iter().map(ToString::to_string);
        fixed.chain(self.host.kernel.restart_only(next)).collect()
    }
}
