//! The only place that asks what time it is, so that tests can set it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// The time, real or set by a test.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Milliseconds of the Unix epoch; `None` asks the machine.
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// A clock that stands still until it is moved.
    pub fn at(now: Timestamp) -> Self {
        Self { set: Some(Arc::new(AtomicI64::new(now.as_millisecond()))) }
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask the machine")]
    pub fn now(&self) -> Timestamp {
        match &self.set {
            Some(set) => Timestamp::from_millisecond(set.load(Ordering::SeqCst))
                .unwrap_or(Timestamp::UNIX_EPOCH),
            None => Timestamp::now(),
        }
    }

    /// Moves a set clock on; the machine's clock stays as it is.
    pub fn advance(&self, by: jiff::SignedDuration) {
        if let Some(set) = &self.set {
            set.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}
