//! The keys of the gateway: who can open what is sealed, and what stamps its own marks.
//!
//! Two files, made once: the `age` identity that opens the sealed files and rows, and the key of
//! the keyed hashes. A third one, `offline-recipient`, may name a second `age` recipient whose
//! identity lies in the school's safe.

use std::fmt;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use age::secrecy::ExposeSecret;
use age::x25519;
use ring::hmac;
use ring::rand::SecureRandom;
use ring::rand::SystemRandom;
use thiserror::Error;

use super::disk::Disk;

const IDENTITY: &str = "age-identity";
const MAC_KEY: &str = "mac-key";
const OFFLINE: &str = "offline-recipient";

/// The keys, cheap to clone. `Debug` shows nothing of them.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    identity: x25519::Identity,
    recipients: Vec<x25519::Recipient>,
    mac: hmac::Key,
}

/// Why the keys could not be made or read.
#[derive(Debug, Error)]
pub enum KeyError {
    /// There are keys already; they are never overwritten, since what they sealed would be lost.
    #[error("there are keys already at {0}")]
    Exists(PathBuf),
    /// A key file could not be read or written.
    #[error("the key file {path} could not be read or written")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key file holds something else.
    #[error("the key file {0} holds no key of its kind")]
    Malformed(PathBuf),
    /// The machine gave no random numbers.
    #[error("the machine gives no random numbers")]
    NoRandomness,
}

impl Keys {
    /// Makes new keys in a folder, readable by their owner only.
    ///
    /// # Errors
    /// [`KeyError::Exists`] where there are keys, else what the disk says.
    pub fn create(folder: &Path) -> Result<Self, KeyError> {
        let disk = Disk::Real;
        for name in [IDENTITY, MAC_KEY] {
            if folder.join(name).exists() {
                return Err(KeyError::Exists(folder.join(name)));
            }
        }
        disk.make_folder(folder).map_err(file_error(folder))?;
        let mut mac = [0_u8; 32];
        SystemRandom::new().fill(&mut mac).map_err(|_unspecified| KeyError::NoRandomness)?;
        let identity = x25519::Identity::generate();
        write_new(&disk, &folder.join(MAC_KEY), &hex::encode(mac))?;
        write_new(&disk, &folder.join(IDENTITY), identity.to_string().expose_secret())?;
        disk.sync_folder(folder).map_err(file_error(folder))?;
        Self::read(folder)
    }

    /// Reads the keys of a folder, for instance `$CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// Names the file that is missing or holds no key.
    pub fn read(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(IDENTITY);
        let identity: x25519::Identity =
            read_text(&path)?.trim().parse().map_err(|_words| KeyError::Malformed(path))?;
        let path = folder.join(MAC_KEY);
        let mac = hex::decode(read_text(&path)?.trim())
            .ok()
            .filter(|key| key.len() == 32)
            .ok_or(KeyError::Malformed(path))?;
        let mut recipients = vec![identity.to_public()];
        let path = folder.join(OFFLINE);
        if path.exists() {
            let text = read_text(&path)?;
            recipients.push(text.trim().parse().map_err(|_words| KeyError::Malformed(path))?);
        }
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &mac);
        Ok(Self(Arc::new(Inner { identity, recipients, mac })))
    }

    /// HMAC-SHA-256 over a context and the parts, each led by its length, so that no two lists of
    /// parts have the same hash and no hash serves two purposes.
    pub fn mac(&self, context: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut signing = hmac::Context::with_key(&self.0.mac);
        for part in std::iter::once(context.as_bytes()).chain(parts.iter().copied()) {
            signing.update(&(part.len() as u64).to_be_bytes());
            signing.update(part);
        }
        let mut result = [0; 32];
        result.copy_from_slice(signing.sign().as_ref());
        result
    }

    pub(super) fn recipients(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.recipients.iter().map(|recipient| recipient as &dyn age::Recipient)
    }

    pub(super) fn identity(&self) -> &x25519::Identity {
        &self.0.identity
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

fn write_new(disk: &Disk, path: &Path, text: &str) -> Result<(), KeyError> {
    let written = disk.create_new(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.finish()
    });
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyError::Exists(path.to_owned()))
        }
        other => other.map_err(file_error(path)),
    }
}

fn read_text(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(file_error(path))
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::File { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(folder.path()).unwrap();
        for name in [IDENTITY, MAC_KEY] {
            let mode = folder.path().join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert!(matches!(Keys::create(folder.path()), Err(KeyError::Exists(_))));
        let again = Keys::read(folder.path()).unwrap();
        assert_eq!(keys.mac("a", &[b"b"]), again.mac("a", &[b"b"]));
        assert_eq!(format!("{keys:?}"), "Keys(…)");
    }

    #[test]
    fn a_mac_tells_contexts_and_borders_apart() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(folder.path()).unwrap();
        assert_ne!(keys.mac("a", &[b"bc"]), keys.mac("ab", &[b"c"]));
        assert_ne!(keys.mac("a", &[b"bc", b"d"]), keys.mac("a", &[b"b", b"cd"]));
    }
}
