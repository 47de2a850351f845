//! The running gateway: store, relay, intake, doors and the duties, started and stopped in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::doors;
use super::hops;
use super::judge::judge;
use super::judge::post_settings;
use crate::app::config::Settings;
use crate::clock::Clock;
use crate::intake;
use crate::intake::Intake;
use crate::intake::Outlet;
use crate::notice;
use crate::notice::Post;
use crate::smtp::limits::Memory;
use crate::smtp::relay;
use crate::smtp::relay::Due;
use crate::smtp::relay::Letter;
use crate::smtp::relay::Recipient;
use crate::smtp::relay::RelayHandle;
use crate::smtp::server::Server;
use crate::store::Store;

/// How long deliveries under way may take once the gateway stops.
const GRACE: Duration = Duration::from_secs(30);

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    settings: Settings,
    store: Store,
    clock: Clock,
    intake: Intake,
    relay: RelayHandle,
    post: notice::Settings,
    addresses: Vec<(String, SocketAddr)>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Gateway {
    /// Starts everything; when it returns, every listener is open.
    ///
    /// # Errors
    /// A certificate, a rule, the roll or a port is at fault; nothing has been started then that
    /// takes mail.
    pub async fn start(settings: Settings, store: Store, clock: Clock) -> anyhow::Result<Self> {
        let first = judge(&settings, &store, &clock).await?;
        let routing = hops::routing(&settings)?;
        let relay = relay::start(
            Arc::new(store.clone()),
            clock.clone(),
            routing,
            hops::schedule(&settings),
        );
        let outlet = Box::new(ToRelay(relay.clone()));
        let deadline = settings.inspection.deadline;
        let intake = Intake::new(store.clone(), first, outlet, clock.clone(), deadline);
        let post = post_settings(&settings)?;
        let mut gateway = Self {
            settings,
            store,
            clock,
            intake,
            relay,
            post,
            addresses: Vec::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        gateway.open_doors().await?;
        gateway.start_background();
        Ok(gateway)
    }

    /// The listeners' names and addresses.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads rules and roll again. What was in force stays so where they are at fault.
    ///
    /// # Errors
    /// The fault.
    pub async fn reload(&self) -> anyhow::Result<()> {
        self.intake.set_judge(judge(&self.settings, &self.store, &self.clock).await?);
        Ok(())
    }

    /// Takes no new mail, lets sessions and deliveries end, and stops.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.relay.stop(GRACE).await;
    }

    async fn open_doors(&mut self) -> anyhow::Result<()> {
        let memory = Memory::new(self.settings.limits.memory);
        let door = Arc::new(self.intake.clone());
        let mut servers = Vec::new();
        for listener in &self.settings.listeners {
            let settings = doors::door(&self.settings, listener, &memory)?;
            servers.push((listener.name.clone(), Server::bind(settings, Arc::clone(&door)).await?));
        }
        for (name, server) in servers {
            tracing::info!(listener = %name, address = %server.local_addr(), "listening");
            self.addresses.push((name, server.local_addr()));
            self.tasks.spawn(server.run(self.stop.clone()));
        }
        Ok(())
    }

    fn start_background(&self) {
        let (intake, stop) = (self.intake.clone(), self.stop.clone());
        self.tasks.spawn(async move { intake.run_late(stop).await });
        let post = Post::new(self.store.clone(), self.clock.clone(), self.post.clone());
        let stop = self.stop.clone();
        self.tasks.spawn(async move { post.run(stop).await });
    }
}

/// The relay as the intake sees it.
struct ToRelay(RelayHandle);

impl Outlet for ToRelay {
    fn offer(&self, fresh: intake::Fresh) {
        let recipient = |(address, audience)| Recipient { address, audience, attempts: 0 };
        let recipients = fresh.recipients.into_iter().map(recipient).collect();
        self.0.offer(relay::Fresh {
            due: Due { id: fresh.id, accepted: fresh.accepted_at, recipients },
            letter: Letter {
                reverse_path: fresh.reverse_path,
                smtp_utf8: fresh.smtp_utf8,
                raw: fresh.raw,
                outside: fresh.outside,
                own: fresh.own,
            },
        });
    }
}
