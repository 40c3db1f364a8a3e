//! What this kernel can do for the pre-filter: asked, never concluded from its version.

mod frags;

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
/// Every feature that is not optional must be there: that is 5.18, for packets in several buffers.
pub fn features() -> Vec<Feature> {
    let helper = |helper| is_helper_supported(ProgramType::Xdp, helper).ok();
    let feature = |name, since, optional, present| Feature {
        name,
        since,
        optional,
        present,
    };
    vec![
        feature("frags", "5.18", false, frags::are_taken()),
        feature(
            "coarse-clock",
            "5.11",
            false,
            helper(BPF_FUNC_ktime_get_coarse_ns),
        ),
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
