//! `schoolgate demo`: a gateway in a temporary folder, demonstration mail through its front door
//! by real SMTP, and a table of what became of it.

use std::time::Duration;

use anyhow::Context;

use super::cli::Exit;
use super::config::Settings;
use super::demo_mail;
use super::demo_mail::Specimen;
use super::out;
use super::run;
use super::shutdown::Signal;
use super::shutdown::Signals;
use super::wire::Gateway;
use crate::clock::Clock;
use crate::detect::import_csv;
use crate::smtp::sink::Manners;
use crate::smtp::sink::Sink;
use crate::store::Keys;

/// How long the demonstration waits for its own mail.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the demonstration; with `once` it ends after the table.
///
/// # Errors
/// The temporary folder, a port or the store is at fault.
pub async fn run(once: bool) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let sink = Sink::start(([127, 0, 0, 1], 0).into(), Manners::default()).await?;
    let config = demo_mail::config(sink.address());
    let settings = Settings::read(&folder.path().join("demo.yaml"), &config)?;
    let _made = Keys::create(&settings.keys)?;
    let clock = Clock::default();
    let store = run::open(&settings, &clock).await?;
    let today = clock.now().to_zoned(settings.school.time_zone.clone()).date();
    let roll = import_csv(demo_mail::ROLL, today)?.roll;
    store.store_roll(roll.to_bytes()?).await?;
    let gateway = Gateway::start(settings, store, clock).await?;
    let address = gateway.addresses().first().context("the demonstration has no listener")?.1;

    let met = show(&gateway, &sink, address).await?;
    if once {
        gateway.stop().await;
        return Ok(if met { Exit::Done } else { Exit::Refused });
    }
    out::line(&format!(
        "\nThe gateway listens on {address}; what it lets out arrives at {}.\n\
         Send your own message:\n  swaks --server {address} --from office@oakfield.example \
         --to parent@family.example --body 'Hello'\nCtrl-C ends the demonstration.",
        sink.address()
    ));
    watch(&sink, &mut signals).await;
    gateway.stop().await;
    Ok(Exit::Done)
}

/// Sends every specimen and prints its line; whether each met its expected end.
async fn show(
    gateway: &Gateway,
    sink: &Sink,
    address: std::net::SocketAddr,
) -> anyhow::Result<bool> {
    out::line(&Specimen::heading());
    let mut all = true;
    for specimen in demo_mail::SPECIMENS {
        let seen = specimen.send(gateway, sink, address, PATIENCE).await?;
        all &= seen.met;
        out::line(&seen.line);
    }
    let word = if all { "Every message met its expected end." } else { "Not as expected!" };
    out::line(&format!("\n{word}"));
    Ok(all)
}

/// Tells of each further message that arrives, until Ctrl-C.
async fn watch(sink: &Sink, signals: &mut Signals) {
    let mut seen = sink.received().len();
    loop {
        tokio::select! {
            signal = signals.next() => if signal == Signal::Stop { return },
            all = sink.wait_for(seen + 1, Duration::from_secs(3600)) => {
                for one in all.iter().skip(seen) {
                    let octets = one.octets.len();
                    let to = one.recipients.len();
                    out::line(&format!("arrived: {octets} octets for {to} recipient(s)"));
                }
                seen = all.len();
            }
        }
    }
}
