//! `floodwall doctor`: looks at all that the service depends on, and says how to mend what is wrong.
//!
//! Every check is a function from what it looks at to [`Finding`]s, and changes nothing. What the process may not see
//! is a finding too: nothing is called well that nobody looked at.

mod capabilities;
mod certificates;
mod clock;
mod files;
mod interfaces;
mod kernel;
mod limits;
mod listeners;
mod machine;
mod memory;
mod running;
mod upstreams;

use std::path::Path;

use floodwall_config::{Config, XdpMode};
use serde::Serialize;

use crate::{
    control::{
        client::{AskError, ask},
        protocol::{Reply, Request},
    },
    generation::Generation,
    status::Status,
};
use machine::Machine;

/// What one check found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, such as `kernel` or `certificates`.
    pub area: &'static str,
    /// Which of them.
    pub subject: String,
    pub verdict: Verdict,
    pub found: String,
    /// Why it matters; absent when all is well.
    pub matters: Option<String>,
    /// A command to type, or what to write into the file; absent when all is well.
    pub mend: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// This process may not look, or there was nothing to ask.
    Unseen,
    /// The service does, with less than it could.
    Warning,
    /// Something the file asks for does not work.
    Problem,
}

impl Verdict {
    /// All, the best first.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Unseen, Self::Warning, Self::Problem];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unseen => "unseen",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    /// A problem where the file insists on something, and a warning where the service does without it.
    fn unless_required(required: bool) -> Self {
        if required {
            Self::Problem
        } else {
            Self::Warning
        }
    }
}

impl Finding {
    fn ok(area: &'static str, subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            area,
            subject: subject.into(),
            verdict: Verdict::Ok,
            found: found.into(),
            matters: None,
            mend: None,
        }
    }

    /// The same, and worse than well: why that matters, and what mends it.
    fn but(self, verdict: Verdict, matters: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            verdict,
            matters: Some(matters.into()),
            mend: Some(mend.into()),
            ..self
        }
    }
}

/// What a check may ask about.
struct Patient<'a> {
    machine: &'a Machine,
    config: &'a Config,
    /// The same with the files that it names.
    compiled: &'a Generation,
    /// The service that the file names; none when it does not run, or does not answer.
    running: Option<&'a Status>,
}

impl Patient<'_> {
    /// The process whose limits and privileges matter: the service, or else this one, which would become it.
    fn process(&self) -> String {
        self.running
            .map_or_else(|| "self".to_owned(), |status| status.pid.to_string())
    }

    /// Who that is, in words.
    fn whose(&self) -> &'static str {
        if self.running.is_some() {
            "the service"
        } else {
            "this process, as the service does not run,"
        }
    }

    /// The pre-filter that the file asks for, unless it is off.
    fn prefilter(&self) -> Option<&floodwall_config::Prefilter> {
        let prefilter = self.config.prefilter.as_ref()?;
        (prefilter.mode != XdpMode::Off).then_some(prefilter)
    }
}

/// Looks at everything that the file at this path depends on. The file was read, and its files were.
pub fn examine(file: &Path, config: &Config, compiled: &Generation) -> Vec<Finding> {
    let machine = Machine::this();
    let answer = ask(&config.admin.socket, &Request::Status);
    let running = match &answer {
        Ok(Reply::Status(status)) => Some(&**status),
        _ => None,
    };
    let patient = Patient {
        machine: &machine,
        config,
        compiled,
        running,
    };
    let mut findings = Vec::new();
    findings.extend(kernel::check(&patient));
    findings.extend(capabilities::check(&patient));
    findings.extend(memory::check(&patient));
    findings.extend(interfaces::check(&patient));
    findings.extend(limits::check(&patient));
    findings.extend(clock::check(&patient));
    findings.extend(certificates::check(&patient));
    findings.extend(listeners::check(&patient));
    findings.extend(upstreams::check(compiled));
    findings.extend(files::check(&patient));
    findings.extend(match &answer {
        Ok(Reply::Status(status)) => running::check(file, config, status),
        Ok(other) => vec![running::silent(&format!("another answer: {other:?}"))],
        Err(AskError::NotRunning(socket)) => vec![running::absent(socket)],
        Err(error @ AskError::Forbidden { .. }) => vec![running::unseen(error)],
        Err(error) => vec![running::silent(&error.to_string())],
    });
    findings
}
