//! `schoolgate run`: the gateway until it is told to stop.

use anyhow::Context;

use super::config::Settings;
use super::notify;
use super::shutdown::Signal;
use super::shutdown::Signals;
use super::wire::Gateway;
use crate::clock::Clock;
use crate::store::Disk;
use crate::store::Keys;
use crate::store::Store;

/// Runs the gateway; returns after a stop in good order.
///
/// # Errors
/// What keeps it from starting.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("the signals can't be listened for")?;
    let clock = Clock::default();
    let store = open(&settings, &clock).await?;
    let gateway = Gateway::start(settings, store, clock).await?;
    notify::ready("taking mail");
    loop {
        match next(&mut signals).await {
            Some(Signal::Stop) => break,
            Some(Signal::Reload) => reload(&gateway).await,
            None => notify::alive(),
        }
    }
    notify::stopping();
    tracing::info!("stopping");
    gateway.stop().await;
    Ok(())
}

/// Opens the store of these settings for the gateway itself.
///
/// # Errors
/// The keys or the store can't be opened.
pub async fn open(settings: &Settings, clock: &Clock) -> anyhow::Result<Store> {
    let keys = Keys::read(&settings.keys)?;
    Ok(Store::open(&settings.store, keys, clock.clone(), Disk::Real).await?)
}

/// The next signal, or `None` when the watchdog wants to hear of us.
async fn next(signals: &mut Signals) -> Option<Signal> {
    match notify::watchdog() {
        Some(interval) => tokio::time::timeout(interval / 2, signals.next()).await.ok(),
        None => Some(signals.next().await),
    }
}

async fn reload(gateway: &Gateway) {
    notify::reloading();
    match gateway.reload().await {
        Ok(()) => tracing::info!("rules and roll are read again"),
        Err(error) => tracing::error!(%error, "the old rules and roll stay in force"),
    }
    notify::ready("taking mail");
}
