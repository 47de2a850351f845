//! When to stop and when to read the rules again: the signals of the operating system.

use std::io;
use std::time::Duration;

use tokio::signal::unix::Signal as Stream;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::task::TaskTracker;

/// What the outside wants of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: stop in good order.
    Stop,
    /// SIGHUP: read the rules again.
    Reload,
}

/// The signals, from the moment on that this is made.
#[derive(Debug)]
pub struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hangup: Stream,
}

impl Signals {
    /// Begins to listen. Must be called within a runtime.
    ///
    /// # Errors
    /// The operating system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal; cancel-safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

/// Waits until every tracked task has ended, at most `grace`; says whether they have. What is
/// cut short then has not been acknowledged, and its client sends it again.
pub async fn drain(tasks: &TaskTracker, grace: Duration) -> bool {
    tasks.close();
    tokio::time::timeout(grace, tasks.wait()).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hangup_reloads_and_terminate_stops() {
        let mut signals = Signals::listen().unwrap();
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::HUP).unwrap();
        assert_eq!(signals.next().await, Signal::Reload);
        rustix::process::kill_process(own, rustix::process::Signal::TERM).unwrap();
        assert_eq!(signals.next().await, Signal::Stop);
    }

    #[tokio::test]
    async fn draining_waits_for_tasks_but_not_for_ever() {
        let tasks = TaskTracker::new();
        tasks.spawn(async {});
        assert!(drain(&tasks, Duration::from_secs(5)).await);
        let stuck = TaskTracker::new();
        stuck.spawn(std::future::pending::<()>());
        assert!(!drain(&stuck, Duration::from_millis(1)).await);
    }
}
