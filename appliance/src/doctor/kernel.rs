//! The kernel: its version, and what of it the pre-filter and overload protection need.

use floodwall_config::Measure;
use floodwall_xdp::Feature;

use super::{Finding, Patient, Verdict};
use crate::prefilter::cookies;

const AREA: &str = "kernel";

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let version = patient.machine.text("proc/sys/kernel/osrelease");
    let version = version.unwrap_or_else(|| "unknown".to_owned());
    let mut findings = vec![Finding::ok(AREA, "version", format!("Linux {version}"))];
    match patient.prefilter() {
        None => findings.push(Finding::ok(
            AREA,
            "pre-filter",
            "not asked for: blocks are enforced at accept",
        )),
        Some(prefilter) => {
            let features = floodwall_xdp::features().into_iter();
            findings.extend(features.map(|each| feature(&each, prefilter.required)));
            findings.extend(cookies::lacking(prefilter).map(|why| without_cookies(&why)));
        }
    }
    findings.extend(stall_information(patient));
    findings
}

fn feature(feature: &Feature, required: bool) -> Finding {
    let Feature { name, since, .. } = feature;
    match feature.present {
        Some(true) => Finding::ok(AREA, *name, "there"),
        None => Finding::ok(AREA, *name, "the kernel does not tell this process").but(
            Verdict::Unseen,
            "only who may load BPF programs may ask for it",
            "sudo floodwall doctor",
        ),
        Some(false) => {
            let verdict = if feature.optional {
                Verdict::Warning
            } else {
                Verdict::unless_required(required)
            };
            let matters = if feature.optional {
                "limits with `over: cookie` drop SYNs instead of answering them"
            } else {
                "the pre-filter cannot be loaded, and blocks are enforced at accept"
            };
            let mend = format!("boot a kernel of Linux {since} or newer");
            Finding::ok(AREA, *name, format!("missing, it came with Linux {since}"))
                .but(verdict, matters, mend)
        }
    }
}

fn without_cookies(why: &str) -> Finding {
    Finding::ok(AREA, "tcp_syncookies", why).but(
        Verdict::Warning,
        "limits with `over: cookie` drop the SYNs that they were to answer",
        "sysctl -w net.ipv4.tcp_syncookies=2",
    )
}

/// Overload protection by `pressure` reads the kernel's stall information.
fn stall_information(patient: &Patient<'_>) -> Option<Finding> {
    let protection = patient.config.protection.as_ref()?;
    let mut triggers = protection.triggers.iter();
    triggers.find(|trigger| matches!(trigger.measure, Measure::Pressure(..)))?;
    let there = Finding::ok(AREA, "pressure", "the kernel says how long tasks wait");
    if patient.machine.text("proc/pressure/cpu").is_some() {
        return Some(there);
    }
    let missing = Finding {
        found: "there is no /proc/pressure".to_owned(),
        ..there
    };
    Some(missing.but(
        Verdict::Warning,
        "`protection.pressure` sheds nothing",
        "boot with psi=1, on a kernel with CONFIG_PSI",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEATURE: Feature = Feature {
        name: "frags",
        since: "5.18",
        optional: false,
        present: Some(true),
    };

    #[test]
    fn what_is_missing_is_as_bad_as_the_file_says() {
        let verdict = |optional, present, required| {
            let asked = Feature {
                optional,
                present,
                ..FEATURE
            };
            feature(&asked, required).verdict
        };
        assert_eq!(verdict(false, Some(true), true), Verdict::Ok);
        assert_eq!(verdict(false, None, true), Verdict::Unseen);
        assert_eq!(verdict(false, Some(false), true), Verdict::Problem);
        assert_eq!(verdict(false, Some(false), false), Verdict::Warning);
        assert_eq!(verdict(true, Some(false), true), Verdict::Warning);
    }

    #[test]
    fn whatever_is_not_well_says_how_to_mend_it() {
        for present in [None, Some(false)] {
            let found = feature(&Feature { present, ..FEATURE }, false);
            assert!(found.mend.is_some() && found.matters.is_some(), "{found:?}");
        }
    }
}
