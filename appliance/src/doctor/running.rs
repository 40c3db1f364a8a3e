//! What the running service says of itself, beside the file.

use std::path::Path;

use floodwall_config::{Config, XdpMode};

use super::{Finding, Verdict};
use crate::{
    control::{
        client::{AskError, ask},
        protocol::{Reply, Request},
    },
    status::{BreakerState, Status, UpstreamStatus},
};

const AREA: &str = "service";

pub(super) fn check(file: &Path, config: &Config, status: &Status) -> Vec<Finding> {
    let mut findings = vec![up(status), layers(status), file_is_loaded(file, config)];
    findings.push(reload(status));
    let wanted = config.prefilter.as_ref();
    let wanted = wanted.is_some_and(|prefilter| prefilter.mode != XdpMode::Off);
    findings.extend(prefilter(status, wanted));
    findings.extend(status.upstreams.iter().map(upstream));
    findings.extend(log_lines(status));
    findings
}

pub(super) fn absent(socket: &Path) -> Finding {
    Finding::ok(
        AREA,
        "running",
        format!("nothing answers on {}", socket.display()),
    )
    .but(
        Verdict::Unseen,
        "what a running service sees was not asked",
        "systemctl start floodwall",
    )
}

pub(super) fn unseen(error: &AskError) -> Finding {
    Finding::ok(AREA, "running", error.to_string()).but(
        Verdict::Unseen,
        "what the running service sees was not asked",
        "sudo floodwall doctor",
    )
}

pub(super) fn silent(found: &str) -> Finding {
    Finding::ok(AREA, "running", found).but(
        Verdict::Problem,
        "it can be neither asked nor reloaded",
        "journalctl -u floodwall",
    )
}

fn up(status: &Status) -> Finding {
    let Status { version, pid, .. } = status;
    let found = format!("version {version}, pid {pid}, since {}", status.since);
    let finding = Finding::ok(AREA, "running", found);
    if version == env!("CARGO_PKG_VERSION") {
        return finding;
    }
    finding.but(
        Verdict::Warning,
        format!("this command is version {}", env!("CARGO_PKG_VERSION")),
        "systemctl kill --signal=QUIT floodwall: hands over to the program that is installed now",
    )
}

fn layers(status: &Status) -> Finding {
    let generation = &status.generation;
    let proxy = generation.proxy;
    match generation.kernel {
        None => Finding::ok(
            AREA,
            "generation",
            format!("{proxy} in the proxy, the pre-filter is off"),
        ),
        Some(kernel) if kernel == proxy => {
            Finding::ok(AREA, "generation", format!("{proxy} in both layers"))
        }
        Some(kernel) => {
            let found = format!("{proxy} in the proxy, {kernel} in the pre-filter");
            Finding::ok(AREA, "generation", found).but(
                Verdict::Problem,
                "packets and requests are judged by different files",
                "floodwall reload",
            )
        }
    }
}

/// Whether what runs is what the file says now.
fn file_is_loaded(file: &Path, config: &Config) -> Finding {
    let compared = Config::text_at(file)
        .map_err(|problems| problems.to_string())
        .and_then(|text| {
            let file = std::path::absolute(file).map_err(|error| error.to_string())?;
            ask(&config.admin.socket, &Request::Compare { file, text })
                .map_err(|error| error.to_string())
        });
    let comparison = match compared {
        Ok(Reply::Compared(comparison)) => comparison,
        Ok(other) => return silent(&format!("another answer: {other:?}")),
        Err(error) => return silent(&error),
    };
    let (subject, changes) = ("file", comparison.changes.len());
    if !comparison.problems.is_empty() {
        let found = format!(
            "the service cannot read it as this command does: {}",
            comparison.problems.join("; ")
        );
        return Finding::ok(AREA, subject, found).but(
            Verdict::Problem,
            "a reload would be refused",
            "give the files that it names to the user floodwall, then: floodwall reload",
        );
    }
    if changes == 0 {
        return Finding::ok(AREA, subject, "what it says is what runs");
    }
    let found = format!("says {changes} things that do not run yet");
    let mend = if comparison.restart_only.is_empty() {
        "floodwall check --diff, then: floodwall reload"
    } else {
        "floodwall check --diff, then: systemctl restart floodwall"
    };
    Finding::ok(AREA, subject, found).but(
        Verdict::Warning,
        "the service goes by what it read last",
        mend,
    )
}

fn reload(status: &Status) -> Finding {
    match &status.last_reload {
        None => Finding::ok(AREA, "last reload", "none since the start"),
        Some(last) if last.ok => Finding::ok(AREA, "last reload", format!("taken at {}", last.at)),
        Some(last) => {
            let first = last.problems.first().map_or("", String::as_str);
            Finding::ok(
                AREA,
                "last reload",
                format!("refused at {}: {first}", last.at),
            )
            .but(
                Verdict::Problem,
                "the service runs an older file than the one that was written",
                "floodwall check, then: floodwall reload",
            )
        }
    }
}

fn prefilter(status: &Status, wanted: bool) -> Vec<Finding> {
    let kernel = &status.prefilter;
    let mut findings = vec![match (&kernel.why, kernel.on) {
        (None, _) => Finding::ok(AREA, "pre-filter", "on"),
        (Some(why), true) => Finding::ok(AREA, "pre-filter", format!("on; {why}")),
        (Some(why), false) => {
            let off = Finding::ok(AREA, "pre-filter", format!("off: {why}"));
            if wanted {
                off.but(
                    Verdict::Warning,
                    "what is blocked costs a connection each time, instead of nothing",
                    "do what the error says, then: systemctl restart floodwall",
                )
            } else {
                off
            }
        }
    }];
    findings.extend(kernel.no_cookies.as_ref().map(|why| {
        Finding::ok(AREA, "SYN cookies", why).but(
            Verdict::Warning,
            "limits with `over: cookie` drop the SYNs that they were to answer",
            "sysctl -w net.ipv4.tcp_syncookies=2, then: floodwall reload",
        )
    }));
    findings
}

fn upstream(upstream: &UpstreamStatus) -> Finding {
    let sick = |server: &&crate::status::ServerStatus| {
        server.health.as_ref().is_some_and(|health| !health.healthy)
    };
    let (all, sick) = (
        upstream.servers.len(),
        upstream.servers.iter().filter(sick).count(),
    );
    let subject = format!("upstream {}", upstream.name);
    let is_open = |breaker: &crate::status::BreakerStatus| breaker.state == BreakerState::Open;
    let finding = Finding::ok(
        AREA,
        subject,
        format!("{} of {all} servers are well", all - sick),
    );
    let mend = "floodwall status: what went wrong with each server last";
    if upstream.breaker.as_ref().is_some_and(is_open) {
        return finding.but(
            Verdict::Problem,
            "its breaker is open: nobody is sent to it",
            mend,
        );
    }
    match sick {
        0 => finding,
        _ if sick == all => finding.but(
            Verdict::Problem,
            "all are asked all the same, and fail",
            mend,
        ),
        _ => finding.but(
            Verdict::Warning,
            "the others do the work of those that are not",
            mend,
        ),
    }
}

fn log_lines(status: &Status) -> Option<Finding> {
    let dropped = status.requests.access_log_dropped;
    (dropped > 0).then(|| {
        Finding::ok(AREA, "access log", format!("{dropped} lines were dropped")).but(
            Verdict::Warning,
            "whoever reads it is too slow, or the disk is full",
            "df -h, and whoever reads the log; or log.access: off",
        )
    })
}
