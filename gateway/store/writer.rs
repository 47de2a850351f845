//! The one task that changes the database: many changes, one commit, one sync.
//!
//! Changes that wait while a commit is under way form the next batch. If a batch fails, each of
//! its changes is tried again alone, so that a poisoned one harms nobody else.

use std::future::Future;
use std::io;
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
            Err(error) if error.is_unsure() => fail_all(batch, error),
            Err(_) if batch.len() > 1 => {
                for job in batch {
                    self.settle_alone(job).await;
                }
            }
            Err(error) => fail_all(batch, error),
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

/// After a commit whose outcome is unsure nothing is tried again: what is there after all would be
/// there twice.
fn fail_all(mut batch: Vec<Box<dyn Job>>, error: StoreError) {
    let last = batch.pop();
    for job in batch {
        let same = io::Error::other("the commit failed with its batch");
        job.finish(Err(StoreError::CommitUnsure(sqlx::Error::Io(same))));
    }
    if let Some(job) = last {
        job.finish(Err(error));
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    struct Put(i64);

    impl Act for Put {
        type Output = i64;
        const WAKES: bool = true;

        async fn run(&self, db: &mut SqliteConnection) -> Result<i64, StoreError> {
            sqlx::query("INSERT INTO numbers VALUES (?)").bind(self.0).execute(&mut *db).await?;
            let (count,): (i64,) =
                sqlx::query_as("SELECT COUNT(*) FROM numbers").fetch_one(db).await?;
            Ok(count)
        }
    }

    async fn writer(folder: &std::path::Path, disk: Disk) -> Writer {
        let path = folder.join("test.db");
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut db = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("CREATE TABLE numbers (n INTEGER PRIMARY KEY CHECK (n != 13))")
            .execute(&mut db)
            .await
            .unwrap();
        Writer::start(db, disk)
    }

    #[tokio::test]
    async fn a_poisoned_change_harms_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path(), Disk::Real).await;
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                let writer = writer.clone();
                tokio::spawn(async move { (n, writer.run(Put(n)).await) })
            })
            .collect();
        for task in tasks {
            let (n, result) = task.await.unwrap();
            assert_eq!(result.is_err(), n == 13, "{n}: {result:?}");
        }
        assert_eq!(writer.run(Put(1000)).await.unwrap(), 100);
        assert!(*writer.wakes().borrow() > 0);
    }

    #[tokio::test]
    async fn an_unsure_commit_is_told_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        // One change is three steps: begin, before the commit, after the commit.
        for (step, there) in [(1, false), (2, false), (3, true)] {
            let folder = tempfile::tempdir_in(folder.path()).unwrap();
            let disk = Disk::faulty(step, super::super::disk::How::Error);
            let writer = writer(folder.path(), disk).await;
            let error = writer.run(Put(1)).await.unwrap_err();
            assert_eq!(error.is_unsure(), there, "step {step}");
            let count = writer.run(Put(2)).await.unwrap();
            assert_eq!(count, if there { 2 } else { 1 }, "step {step}");
        }
    }
}
