//! xdp-filter with all its features, on an interface.

use super::tools::run;

pub(crate) struct XdpFilter {
    interface: &'static str,
}

impl XdpFilter {
    /// Loads it, to drop what comes from one address.
    pub(crate) fn load(interface: &'static str, bad: &str) -> Result<Self, crate::Failure> {
        run(&format!("xdp-filter load --mode native {interface}"))?;
        let loaded = Self { interface };
        run(&format!("xdp-filter ip --mode src {bad}"))?;
        Ok(loaded)
    }
}

impl Drop for XdpFilter {
    fn drop(&mut self) {
        let _ = run(&format!("xdp-filter unload {}", self.interface));
    }
}
