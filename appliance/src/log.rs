//! The service's own log: one line an event on standard error.

use std::{fmt, io::IsTerminal};

use floodwall_config::Level;
use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use crate::systemd;

/// The running log; it can be told another level.
#[derive(Clone)]
pub struct Log(reload::Handle<Targets, tracing_subscriber::Registry>);

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    /// Starts the log of this process. A process has one: a second start changes nothing, and its level has
    /// no effect.
    pub fn start(level: Level) -> Self {
        let (filter, handle) = reload::Layer::new(filter(level));
        let started = if systemd::stderr_is_journal() {
            let lines = tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(false)
                .event_format(Prioritized(
                    Format::default().without_time().with_target(false),
                ));
            tracing_subscriber::registry()
                .with(filter)
                .with(lines)
                .try_init()
        } else {
            let lines = tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false);
            tracing_subscriber::registry()
                .with(filter)
                .with(lines)
                .try_init()
        };
        if started.is_err() {
            tracing::debug!("the log of this process was started before");
        }
        Self(handle)
    }

    /// Changes the level at once, for all threads.
    pub fn set_level(&self, level: Level) {
        if let Err(error) = self.0.reload(filter(level)) {
            // Only a log that is not this process's own refuses.
            tracing::debug!(%error, "the log level stays");
        }
    }
}

/// Libraries speak from `warn` on, unless everything is asked for. What they trace are the messages themselves, with the
/// tokens and cookies in them, and the engine's `debug` has whole heads: that goes into no log.
fn filter(level: Level) -> Targets {
    let own = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let others = if own == LevelFilter::TRACE {
        LevelFilter::DEBUG
    } else {
        own.min(LevelFilter::WARN)
    };
    // The proxy engine reports what clients and upstreams do wrong, which the access log has already: at a
    // client's pace this would fill the journal.
    let engine = if own >= LevelFilter::DEBUG {
        others.min(LevelFilter::INFO)
    } else {
        LevelFilter::OFF
    };
    Targets::new()
        .with_default(others)
        .with_target("pingora", engine)
        .with_target("floodwall", own)
}

/// Lines for the journal: it keeps the time itself and takes the priority from `<N>`, as `sd-daemon(3)` says.
struct Prioritized<T>(Format<tracing_subscriber::fmt::format::Full, T>);

impl<S, N, T> FormatEvent<S, N> for Prioritized<T>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    T: tracing_subscriber::fmt::time::FormatTime,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

fn priority(level: tracing::Level) -> u8 {
    match level {
        tracing::Level::ERROR => 3,
        tracing::Level::WARN => 4,
        tracing::Level::INFO => 6,
        tracing::Level::DEBUG | tracing::Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quiet_unless_everything_is_asked_for() {
        let info = filter(Level::Info);
        assert!(info.would_enable("floodwall::reload", &tracing::Level::INFO));
        assert!(!info.would_enable("pingora_core::server", &tracing::Level::INFO));
        assert!(info.would_enable("h2", &tracing::Level::WARN));
        assert!(
            !info.would_enable("pingora_proxy", &tracing::Level::ERROR),
            "clients cause these"
        );
        assert!(filter(Level::Debug).would_enable("pingora_proxy", &tracing::Level::ERROR));
        let all = filter(Level::Trace);
        assert!(all.would_enable("floodwall::proxy", &tracing::Level::TRACE));
        assert!(all.would_enable("h2", &tracing::Level::DEBUG));
        assert!(all.would_enable("pingora_proxy", &tracing::Level::INFO));
        for library in ["pingora_core", "pingora_proxy", "h2", "hyper", "rustls"] {
            assert!(
                !all.would_enable(library, &tracing::Level::TRACE),
                "it writes messages out"
            );
        }
        assert!(
            !all.would_enable("pingora_core", &tracing::Level::DEBUG),
            "and it heads"
        );
        assert!(!filter(Level::Error).would_enable("h2", &tracing::Level::WARN));
    }
}
