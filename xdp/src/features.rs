//! What this kernel can do for the pre-filter: asked, never concluded from its version.

mod attempt;

use aya::{
    maps::MapType,
    programs::ProgramType,
    sys::{is_helper_supported, is_map_supported},
};
use aya_obj::generated::bpf_func_id::{BPF_FUNC_ktime_get_coarse_ns, BPF_FUNC_tcp_gen_syncookie};

/// A part of the kernel that the pre-filter uses or could use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    pub name: &'static str,
    /// The first kernel that has it, as upstream numbers them.
    pub since: &'static str,
    /// Whether the pre-filter can do without it.
    pub optional: bool,
    /// `None` when the kernel does not say, as it does not without privilege.
    pub present: Option<bool>,
}

/// Asks the kernel, by loading small programs and making small maps. It takes some milliseconds.
///
/// # Minimum kernel version
/// Every feature that is not optional must be there: the latest of them came with 5.18.
pub fn features() -> Vec<Feature> {
    let helper = |helper| is_helper_supported(ProgramType::Xdp, helper).ok();
    let feature = |name, since, optional, present| Feature {
        name,
        since,
        optional,
        present,
    };
    // First: where programs count against the limit of locked memory (before 5.11), this raises it for those below.
    let coarse_clock = helper(BPF_FUNC_ktime_get_coarse_ns);
    vec![
        feature("frags", "5.18", false, attempt::takes_frags()),
        feature(
            "compare-exchange",
            "5.12",
            false,
            attempt::takes_compare_exchange(),
        ),
        feature("coarse-clock", "5.11", false, coarse_clock),
        feature("xdp-links", "5.9", false, attempt::knows_xdp_links()),
        feature(
            "ring-buffer",
            "5.8",
            false,
            is_map_supported(MapType::RingBuf).ok(),
        ),
        feature(
            "syncookies",
            "5.3",
            true,
            helper(BPF_FUNC_tcp_gen_syncookie),
        ),
    ]
}

/// What the pre-filter needs and this kernel says it lacks, for a sentence: `frags (Linux 5.18), ...`. None when that
/// is nothing.
pub(crate) fn lacking() -> Option<String> {
    let features = features().into_iter();
    let missing = features.filter(|each| !each.optional && each.present == Some(false));
    let words = missing.map(|Feature { name, since, .. }| format!("{name} (Linux {since})"));
    let words = words.collect::<Vec<_>>();
    (!words.is_empty()).then(|| words.join(", "))
}
