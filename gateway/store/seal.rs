//! Sealing: `age` over bytes and files, and a message that is being sealed while it is judged.

use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::error::StoreError;
use super::id::MessageId;
use super::keys::Keys;
use super::spool::Spool;

/// `age`'s own overhead: a header per recipient and 16 octets for each 64 KiB.
const OVERHEAD: usize = 1024;

/// Seals a small blob for a column.
pub(super) fn seal(keys: &Keys, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
    seal_into(keys, plain, &mut sealed)?;
    Ok(sealed)
}

/// Seals into a writer; `age` writes its header and then blocks of 64 KiB.
pub(super) fn seal_into(
    keys: &Keys,
    plain: &[u8],
    target: &mut impl Write,
) -> Result<(), StoreError> {
    let encryptor = age::Encryptor::with_recipients(keys.recipients())
        .map_err(|_recipients| StoreError::Seal("the recipients don't fit together"))?;
    let write = |target| {
        let mut writer = encryptor.wrap_output(target)?;
        writer.write_all(plain)?;
        writer.finish()?;
        Ok(())
    };
    write(target).map_err(StoreError::disk("write a sealed file"))
}

/// Why something sealed could not be opened.
#[derive(Debug)]
pub(super) enum Unopened {
    /// The bytes are damaged, cut short, or sealed for somebody else.
    Damaged,
    /// The disk failed; the bytes may be fine.
    Disk(io::Error),
}

/// Opens what [`seal`] or [`seal_into`] made.
pub(super) fn open(keys: &Keys, sealed: impl Read) -> Result<Vec<u8>, Unopened> {
    let decryptor = age::Decryptor::new(sealed).map_err(|error| match error {
        age::DecryptError::Io(source) => unopened(source),
        _ => Unopened::Damaged,
    })?;
    let identity: &dyn age::Identity = keys.identity();
    let mut reader =
        decryptor.decrypt(std::iter::once(identity)).map_err(|_words| Unopened::Damaged)?;
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain).map_err(unopened)?;
    Ok(plain)
}

/// `age` reports damage as an I/O error of these kinds; the rest comes from the disk.
fn unopened(error: io::Error) -> Unopened {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
            Unopened::Damaged
        }
        _ => Unopened::Disk(error),
    }
}

/// A message on its way to the disk, while the caller judges it. Dropping it removes every trace.
#[derive(Debug)]
pub struct Sealing {
    id: MessageId,
    size: usize,
    task: Option<JoinHandle<Result<(), StoreError>>>,
    file: SealedFile,
}

impl Sealing {
    /// Starts sealing on the blocking pool.
    pub(super) fn start(spool: Arc<Spool>, id: MessageId, raw: Bytes) -> Self {
        let file = SealedFile { id, spool: Arc::clone(&spool), phase: Arc::default() };
        let size = raw.len();
        let phase = Arc::clone(&file.phase);
        let task = tokio::task::spawn_blocking(move || work(&spool, id, &raw, &phase));
        Self { id, size, task: Some(task), file }
    }

    /// The id under which the message will be known.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// The size of the message as received, in octets.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Waits until the file is on the disk; the file is still removed if it is dropped.
    pub(super) async fn sealed(mut self) -> Result<SealedFile, StoreError> {
        if let Some(task) = self.task.take() {
            task.await.map_err(|_join| StoreError::Seal("the sealing was cut off"))??;
        }
        Ok(self.file)
    }
}

/// A file that vanishes with this guard unless [`SealedFile::keep`] was said.
#[derive(Debug)]
pub(super) struct SealedFile {
    id: MessageId,
    spool: Arc<Spool>,
    phase: Arc<Mutex<Phase>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// The pool has it, or will have it.
    #[default]
    Running,
    /// The file is there.
    Done,
    /// Nobody wants it any more: the pool removes it.
    Abandoned,
    /// A row names it: it stays.
    Kept,
}

impl SealedFile {
    /// The file stays, since a row names it, or may.
    pub(super) fn keep(&self) {
        set(&self.phase, Phase::Kept);
    }
}

impl Drop for SealedFile {
    fn drop(&mut self) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        match *phase {
            Phase::Running => *phase = Phase::Abandoned,
            Phase::Done => self.spool.discard(self.id),
            Phase::Abandoned | Phase::Kept => {}
        }
    }
}

fn work(spool: &Spool, id: MessageId, raw: &[u8], phase: &Mutex<Phase>) -> Result<(), StoreError> {
    if *phase.lock().unwrap_or_else(PoisonError::into_inner) == Phase::Abandoned {
        return Ok(());
    }
    let result = spool.write(id, raw);
    let mut phase = phase.lock().unwrap_or_else(PoisonError::into_inner);
    if *phase == Phase::Abandoned || result.is_err() {
        spool.discard(id);
    } else {
        *phase = Phase::Done;
    }
    result
}

fn set(phase: &Mutex<Phase>, to: Phase) {
    *phase.lock().unwrap_or_else(PoisonError::into_inner) = to;
}
