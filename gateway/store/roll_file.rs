//! The school roll at rest: one sealed file, replaced whole.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::disk::Disk;
use super::error::StoreError;
use super::keys::Keys;
use super::open::Store;
use super::seal;
use super::seal::Unopened;

const NAME: &str = "roll.age";

/// The roll as it was stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRoll {
    /// When it was imported; it stands inside the seal, so that nobody can make it look younger.
    pub imported_at: Timestamp,
    /// What was imported.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for StoredRoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredRoll({}, {} octets)", self.imported_at, self.bytes.len())
    }
}

impl Store {
    /// Seals the roll and puts it in the place of the old one; after a crash there is the old one
    /// or the new one.
    ///
    /// # Errors
    /// What the disk says; then the old one stands.
    pub async fn store_roll(&self, bytes: Vec<u8>) -> Result<(), StoreError> {
        let mut plain = self.inner.clock.now().as_millisecond().to_be_bytes().to_vec();
        plain.extend_from_slice(&bytes);
        let inner = std::sync::Arc::clone(&self.inner);
        let write = move || replace(&inner.disk, &inner.keys, &inner.folder, &plain);
        tokio::task::spawn_blocking(write)
            .await
            .map_err(|_join| StoreError::Seal("the sealing was cut off"))?
    }

    /// Opens the roll; `None` where none was imported.
    ///
    /// # Errors
    /// [`StoreError::Row`] where the file is damaged, else what the disk says.
    pub async fn load_roll(&self) -> Result<Option<StoredRoll>, StoreError> {
        let inner = std::sync::Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || read(&inner.keys, &inner.folder.join(NAME)))
            .await
            .map_err(|_join| StoreError::Seal("the opening was cut off"))?
    }
}

fn replace(disk: &Disk, keys: &Keys, folder: &Path, plain: &[u8]) -> Result<(), StoreError> {
    let under_way = folder.join("roll.tmp");
    disk.remove(&under_way).map_err(StoreError::disk("clear the way for the roll"))?;
    let mut file = disk.create_new(&under_way).map_err(StoreError::disk("make the roll's file"))?;
    seal::seal_into(keys, plain, &mut file)?;
    file.finish().map_err(StoreError::disk("sync the roll"))?;
    disk.rename(&under_way, &folder.join(NAME)).map_err(StoreError::disk("name the roll"))?;
    disk.sync_folder(folder).map_err(StoreError::disk("sync the data folder"))
}

fn read(keys: &Keys, path: &Path) -> Result<Option<StoredRoll>, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(StoreError::disk("open the roll"))?,
    };
    let plain = seal::open(keys, file).map_err(|error| match error {
        Unopened::Damaged => StoreError::Row("the roll"),
        Unopened::Disk(source) => StoreError::disk("read the roll")(source),
    })?;
    let (at, bytes) = plain.split_first_chunk::<8>().ok_or(StoreError::Row("the roll"))?;
    let imported_at = super::rows::timestamp(i64::from_be_bytes(*at))?;
    Ok(Some(StoredRoll { imported_at, bytes: bytes.to_vec() }))
}
