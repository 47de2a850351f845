//! The seam to the file system: the real one, and one that fails where a test wants it to.
//!
//! Every operation counts. A crash test runs the same story with a fault at operation 1, 2, 3, …
//! until a run gets through. SQLite's own writes do not pass here; the writer asks
//! [`Disk::step`] around each commit instead.

use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// The file system as the store sees it.
#[derive(Debug, Clone, Default)]
pub enum Disk {
    /// The machine's.
    #[default]
    Real,
    /// The machine's, with one planned fault. Made by [`Disk::faulty`].
    Faulty(Arc<Fault>),
}

/// What happens at the planned operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// That operation alone fails with an I/O error.
    Error,
    /// That operation alone finds the disk full.
    NoRoom,
    /// Half of what is to be written is written, then the power is gone.
    Torn,
    /// The power is gone: this operation and every later one fails.
    PowerCut,
}

/// A planned fault and the count of operations towards it.
#[derive(Debug)]
pub struct Fault {
    fail_at: usize,
    how: How,
    count: AtomicUsize,
    dark: AtomicBool,
}

impl Disk {
    /// A disk whose operation number `fail_at`, counted from 1, fails in the given way.
    pub fn faulty(fail_at: usize, how: How) -> Self {
        let (count, dark) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self::Faulty(Arc::new(Fault { fail_at, how, count, dark }))
    }

    /// Whether the planned fault has happened.
    pub fn tripped(&self) -> bool {
        match self {
            Self::Real => false,
            Self::Faulty(fault) => fault.count.load(Ordering::SeqCst) >= fault.fail_at,
        }
    }

    /// Counts one operation.
    ///
    /// # Errors
    /// The planned fault, when its turn has come, and darkness after a power cut.
    pub(super) fn step(&self) -> io::Result<()> {
        match self {
            Self::Real => Ok(()),
            Self::Faulty(fault) => fault.step(),
        }
    }

    /// Makes a folder that only its owner may enter; it may be there already.
    pub(super) fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        DirBuilder::new().mode(0o700).recursive(true).create(path)
    }

    /// Makes a new file that only its owner may read; an older one of that name is an error.
    pub(super) fn create_new(&self, path: &Path) -> io::Result<DiskFile> {
        self.step()?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(DiskFile { file, disk: self.clone() })
    }

    /// Opens a file for locking or for SQLite, making an empty one if there is none.
    pub(super) fn open_or_create(&self, path: &Path) -> io::Result<File> {
        self.step()?;
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    }

    /// Gives a finished file its name.
    #[expect(clippy::disallowed_methods, reason = "this is the place where the store renames")]
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        std::fs::rename(from, to)
    }

    /// Makes the names in a folder survive a power cut.
    pub(super) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        File::open(path)?.sync_all()
    }

    /// Removes a file; that it is gone already is no error.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

impl Fault {
    fn step(&self) -> io::Result<()> {
        let mine = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if self.dark.load(Ordering::SeqCst) {
            return Err(io::Error::other("the power is gone"));
        }
        if mine != self.fail_at {
            return Ok(());
        }
        match self.how {
            How::Error => Err(io::Error::other("planned fault")),
            How::NoRoom => Err(io::Error::from(io::ErrorKind::StorageFull)),
            How::Torn | How::PowerCut => {
                self.dark.store(true, Ordering::SeqCst);
                Err(io::Error::other("the power is gone"))
            }
        }
    }
}

/// A file under way. It counts only after [`DiskFile::finish`].
#[derive(Debug)]
pub(super) struct DiskFile {
    file: File,
    disk: Disk,
}

impl DiskFile {
    /// Makes the content survive a power cut.
    pub(super) fn finish(self) -> io::Result<()> {
        self.disk.step()?;
        self.file.sync_all()
    }

    fn tear(&mut self, bytes: &[u8]) {
        if let Disk::Faulty(fault) = &self.disk
            && fault.how == How::Torn
            && fault.count.load(Ordering::SeqCst) == fault.fail_at
        {
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
            // The write is a lost one anyway; whether the half gets there is part of the test.
            drop(self.file.write_all(half));
        }
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.disk.step() {
            self.tear(bytes);
            return Err(error);
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
