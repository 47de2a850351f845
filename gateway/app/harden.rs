//! What the process takes from itself before it holds any key or any mail.

use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::setrlimit;
use tracing::warn;

/// Switches core dumps off: memory holds the roll and plain mail (P27). A refusal is told and
/// not fatal, since the service file sets the same limit.
pub fn harden() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        warn!(%error, "core dumps could not be switched off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_dumps_are_off_afterwards() {
        harden();
        assert_eq!(rustix::process::getrlimit(Resource::Core).current, Some(0));
    }
}
