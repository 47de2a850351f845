//! Waiting for a state with a deadline, never for a time.

use std::time::Duration;
use std::time::Instant;

/// Generous, since two cores may be busy with other tests; nothing waits this long if it works.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Returns as soon as `reached` is true.
///
/// # Panics
/// At the deadline, saying `what` was awaited.
pub(crate) async fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let began = Instant::now();
    while !reached() {
        assert!(began.elapsed() < DEADLINE, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
