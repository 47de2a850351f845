//! What the service manager is told (systemd's `Type=notify`); outside systemd all of it is void.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::debug;

/// The stores are open and the listeners bound.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The rules are being read again; [`ready`] must follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => debug!(%error, "no monotonic clock for the service manager"),
    }
}

/// The gateway takes no more mail.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The accept path has made progress since the last call.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] is due: half of what the service manager allows; `None` if it does not
/// watch.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|allowed| allowed / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "the service manager could not be told");
    }
}
