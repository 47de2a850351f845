//! The one task that changes the database: many changes, one commit, one sync.
//!
//! Changes that wait while a commit is under way form the next batch. If a batch fails, each of
//! its changes is tried again alone, so that a poisoned one harms nobody else.

use std::future::Future;
use std::pin::Pin;

use sqlx::Connection;
use sqlx::SqliteConnection;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use super::disk::Disk;
use super::error::StoreError;

/// The most changes in one transaction.
const BATCH: usize = 256;
/// Changes that may wait; more wait in their callers.
const QUEUE: usize = 1024;

/// One change. It may run more than once (after the rollback of a batch), so it changes nothing
/// but the database.
pub(super) trait Act: Send + Sync + 'static {
    /// What the caller learns.
    type Output: Send + 'static;
    /// Whether the relay or another waiting task may find new work after it.
    const WAKES: bool = false;

    /// Makes the change inside the writer's transaction.
    fn run(
        &self,
        db: &mut SqliteConnection,
    ) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;

    /// The change is, or may be, on the disk: what belongs to it must stay.
    fn settled(&self) {}
}

/// The way to the writer task.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
    wakes: watch::Receiver<u64>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// An act with its caller, the type of its output forgotten.
trait Job: Send {
    fn run<'a>(&'a mut self, db: &'a mut SqliteConnection) -> Running<'a>;
    fn wakes(&self) -> bool;
    fn finish(self: Box<Self>, result: Result<(), StoreError>);
}

struct Pending<A: Act> {
    act: A,
    output: Option<A::Output>,
    caller: oneshot::Sender<Result<A::Output, StoreError>>,
}

impl<A: Act> Job for Pending<A> {
    fn run<'a>(&'a mut self, db: &'a mut SqliteConnection) -> Running<'a> {
        Box::pin(async move {
            self.output = Some(self.act.run(db).await?);
            Ok(())
        })
    }

    fn wakes(&self) -> bool {
        A::WAKES
    }

    fn finish(self: Box<Self>, result: Result<(), StoreError>) {
        let Self { act, output, caller } = *self;
        let result = match (result, output) {
            (Ok(()), Some(output)) => Ok(output),
            (Ok(()), None) => Err(StoreError::Closed),
            (Err(error), _) => Err(error),
        };
        if !matches!(&result, Err(error) if !error.is_unsure()) {
            act.settled();
        }
        // A caller that has gone away loses the answer, not the change.
        drop(caller.send(result));
    }
}

impl Writer {
    /// Starts the task on its connection. It ends when the last [`Writer`] is gone.
    pub(super) fn start(db: SqliteConnection, disk: Disk) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (wake, wakes) = watch::channel(0);
        tokio::spawn(Task { db, disk, wake }.work(queue));
        Self { jobs, wakes }
    }

    /// Has a change made; returns when it is on the disk.
    pub(super) async fn run<A: Act>(&self, act: A) -> Result<A::Output, StoreError> {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Pending { act, output: None, caller });
        self.jobs.send(job).await.map_err(|_closed| StoreError::Closed)?;
        answer.await.map_err(|_gone| StoreError::Closed)?
    }

    /// Changes whenever there may be new work.
    pub(super) fn wakes(&self) -> watch::Receiver<u64> {
        self.wakes.clone()
    }
}

struct Task {
    db: SqliteConnection,
    disk: Disk,
    wake: watch::Sender<u64>,
}

impl Task {
    async fn work(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            self.settle(std::mem::take(&mut batch)).await;
        }
        if let Err(error) = self.db.close().await {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }

    async fn settle(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let wakes = batch.iter().any(|job| job.wakes());
        match self.transact(&mut batch).await {
            Ok(()) => batch.into_iter().for_each(|job| job.finish(Ok(()))),
            Err(_) if batch.len() > 1 => {
                for job in batch {
                    self.settle_alone(job).await;
                }
            }
            Err(error) => {
                if let Some(job) = batch.pop() {
                    job.finish(Err(error));
                }
            }
        }
        if wakes {
            self.wake.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    async fn settle_alone(&mut self, job: Box<dyn Job>) {
        let mut alone = vec![job];
        let result = self.transact(&mut alone).await;
        if let Some(job) = alone.pop() {
            job.finish(result);
        }
    }

    async fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        self.disk.step().map_err(StoreError::disk("begin a transaction"))?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.db).await?;
        if let Err(error) = self.fill(batch).await {
            self.roll_back().await;
            return Err(error);
        }
        if let Err(error) = sqlx::query("COMMIT").execute(&mut self.db).await {
            self.roll_back().await;
            return Err(match StoreError::from(error) {
                StoreError::Database(source) => StoreError::CommitUnsure(source),
                other => other,
            });
        }
        self.disk.step().map_err(|error| StoreError::CommitUnsure(sqlx::Error::Io(error)))
    }

    async fn fill(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        for job in batch {
            job.run(&mut self.db).await?;
        }
        self.disk.step().map_err(StoreError::disk("commit"))
    }

    /// SQLite may have rolled back already, so an error here says nothing.
    async fn roll_back(&mut self) {
        drop(sqlx::query("ROLLBACK").execute(&mut self.db).await);
    }
}
