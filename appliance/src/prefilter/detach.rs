//! Taking the pre-filter off without a service.

use floodwall_config::Config;
use floodwall_xdp::{self as xdp, PreFilter};

use super::rules::settings;

/// The pre-filter was not detached.
#[derive(Debug, thiserror::Error)]
pub enum DetachError {
    #[error(
        "the configuration has no prefilter; name the file that the service was started with (-c)"
    )]
    None,
    #[error(
        "floodwall is running; stop it first (systemctl stop floodwall), or what it drops would come through at once"
    )]
    Running,
    #[error(transparent)]
    Kernel(xdp::Error),
}

/// Takes off whatever the configuration's instance has attached, without a service. Tells the instance's name.
///
/// # Errors
/// [`DetachError`]; everything stays then.
pub fn detach(config: &Config) -> Result<&str, DetachError> {
    let prefilter = config.prefilter.as_ref().ok_or(DetachError::None)?;
    match PreFilter::detach(&settings(prefilter)) {
        Ok(()) => Ok(&prefilter.instance),
        Err(xdp::Error::InstanceInUse { .. }) => Err(DetachError::Running),
        Err(error) => Err(DetachError::Kernel(error)),
    }
}
