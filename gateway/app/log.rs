//! The log: text, JSON or systemd's journal, of ids, categories and counts only (P27).

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::LogFormat;
use super::config::meaning::Log;

/// Starts the log and takes over panic messages. Only once in a process; a second call changes
/// nothing.
///
/// # Errors
/// The journal is not there, or the level is none.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let levels: Targets = log.level.parse()?;
    let subscriber = tracing_subscriber::registry().with(layer(log.format)?.with_filter(levels));
    if subscriber.try_init().is_ok() {
        std::panic::set_hook(Box::new(report_panic));
    }
    Ok(())
}

fn layer(format: LogFormat) -> anyhow::Result<Box<dyn Layer<Registry> + Send + Sync>> {
    let to_stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    Ok(match format {
        LogFormat::Text => to_stderr.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => to_stderr.json().flatten_event(true).boxed(),
        LogFormat::Journal => tracing_journald::layer()?.boxed(),
    })
}

/// A panic's message may quote mail, so only its place is told.
fn report_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "a part of the gateway has panicked");
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_tells_its_place_and_not_its_words() {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().with_writer(move || writer.clone()));
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(report_panic));
        tracing::subscriber::with_default(subscriber, || {
            assert!(std::panic::catch_unwind(|| panic!("Tom Brown has asthma")).is_err());
        });
        std::panic::set_hook(before);
        let told = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(told.contains("log.rs:"), "{told}");
        assert!(!told.contains("Tom"), "{told}");
    }
}
