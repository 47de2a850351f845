//! Opening the store: the lock of the single instance, the database, the spool.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sqlx::Connection;
use sqlx::SqliteConnection;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::sqlite::SqliteJournalMode;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::sqlite::SqliteSynchronous;
use tokio::sync::watch;

use super::disk::Disk;
use super::error::StoreError;
use super::id::MessageId;
use super::keys::Keys;
use super::seal::Sealing;
use super::spool::Spool;
use super::writer::Writer;
use crate::clock::Clock;

/// The layouts of the database, each step from the one before; `PRAGMA user_version` counts them.
const LAYOUTS: &[&str] = &[include_str!("schema.sql")];
/// How long one process waits for the other's transaction.
const BUSY: Duration = Duration::from_secs(10);
/// Connections for reading.
const READERS: u32 = 4;

/// The store of one gateway; a clone is another handle on the same.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

/// What the handles share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) folder: PathBuf,
    pub(super) keys: Keys,
    pub(super) clock: Clock,
    pub(super) disk: Disk,
    pub(super) spool: Arc<Spool>,
    pub(super) writer: Writer,
    pub(super) readers: SqlitePool,
    /// Held open, since the lock ends with it.
    _lock: Option<File>,
}

impl Store {
    /// Opens the store for the gateway itself: alone, and swept of what a crash has left.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another gateway has it, else what disk or database say.
    pub async fn open(
        folder: &Path,
        keys: Keys,
        clock: Clock,
        disk: Disk,
    ) -> Result<Self, StoreError> {
        disk.make_folder(folder).map_err(StoreError::disk("make the data folder"))?;
        let lock = lock(folder, &disk)?;
        let store = Self::connect(folder, keys, clock, disk, Some(lock)).await?;
        let swept = store.sweep().await?;
        if swept.orphans + swept.finished > 0 {
            tracing::info!(orphans = swept.orphans, finished = swept.finished, "swept the spool");
        }
        Ok(store)
    }

    /// Opens the store beside a running gateway, for the break-glass command line: without the
    /// lock and without the sweep, which would take the running gateway's files for orphans.
    ///
    /// # Errors
    /// What disk or database say.
    pub async fn open_beside(
        folder: &Path,
        keys: Keys,
        clock: Clock,
        disk: Disk,
    ) -> Result<Self, StoreError> {
        // A roll may be imported before the gateway has ever run.
        disk.make_folder(folder).map_err(StoreError::disk("make the data folder"))?;
        Self::connect(folder, keys, clock, disk, None).await
    }

    /// Starts sealing a message while the caller judges it. Needs the runtime of tokio.
    pub fn receive(&self, raw: Bytes) -> Sealing {
        let id = MessageId::new(self.inner.clock.now());
        Sealing::start(Arc::clone(&self.inner.spool), id, raw)
    }

    /// Changes whenever there may be new work: deliveries, duties, messages to judge. Changes made
    /// by another process are not seen here, so a waiter must poll as well.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.writer.wakes()
    }

    /// The keys of the gateway.
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    async fn connect(
        folder: &Path,
        keys: Keys,
        clock: Clock,
        disk: Disk,
        lock: Option<File>,
    ) -> Result<Self, StoreError> {
        let path = folder.join("gateway.db");
        // SQLite gives its -wal and -shm the mode of the database.
        drop(disk.open_or_create(&path).map_err(StoreError::disk("make the database"))?);
        let options = options(&path);
        let mut db = SqliteConnection::connect_with(&options).await?;
        migrate(&mut db).await?;
        let spool = Spool::open(folder.join("spool"), disk.clone(), keys.clone())?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        let writer = Writer::start(db, disk.clone());
        let (folder, spool) = (folder.to_owned(), Arc::new(spool));
        let inner = Inner { folder, keys, clock, disk, spool, writer, readers, _lock: lock };
        Ok(Self { inner: Arc::new(inner) })
    }
}

fn lock(folder: &Path, disk: &Disk) -> Result<File, StoreError> {
    let file =
        disk.open_or_create(&folder.join("lock")).map_err(StoreError::disk("open the lock"))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_held| StoreError::Locked)?;
    Ok(file)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL would not sync at commit in WAL mode and lose accepted mail at a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        .pragma("wal_autocheckpoint", "4000")
        .pragma("secure_delete", "FAST")
        .statement_cache_capacity(200)
}

async fn migrate(db: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *db).await?;
    let (found,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(&mut *db).await?;
    let known = i64::try_from(LAYOUTS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for (step, layout) in (1_i64..).zip(LAYOUTS) {
        if step > found {
            sqlx::raw_sql(*layout).execute(&mut *db).await?;
            let counted = format!("PRAGMA user_version = {step}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(counted)).execute(&mut *db).await?;
        }
    }
    sqlx::query("COMMIT").execute(&mut *db).await?;
    Ok(())
}
