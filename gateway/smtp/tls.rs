//! TLS for the SMTP door: certificate and key from PEM files, and the roots that clients'
//! certificates are checked against.
//!
//! The handshake takes any client certificate whose key the client proves to hold. Whether it
//! opens the door is decided afterwards, by [`super::clients`], for each kind of client with its
//! own roots: a copier with a self-signed certificate must not fail where its address suffices.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor, UnixTime};
use thiserror::Error as ThisError;
use webpki::{EndEntityCert, KeyUsage};

/// Why TLS can't be set up. Each names the file and what helps.
#[derive(Debug, ThisError)]
pub enum TlsError {
    /// The file can't be read, or has no certificate in PEM form.
    #[error("{}: no certificate can be read from it; it must be a PEM file that the gateway's user may read", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The file can't be read, or has no private key in PEM form.
    #[error("{}: no private key can be read from it; it must be a PEM file (PKCS#8, SEC1 or PKCS#1, without a passphrase) that the gateway's user may read", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key are readable but don't serve.
    #[error("{} and {}: they don't fit each other, or are of a kind that TLS can't use; make both anew together", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate chain.
        certificate: PathBuf,
        /// The file of the private key.
        key: PathBuf,
        /// What rustls said.
        #[source]
        source: Error,
    },
    /// A root certificate is no certificate.
    #[error("{}: certificate number {number} in it can't be used as a root; remove or replace it", path.display())]
    Root {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        number: usize,
        /// What webpki said.
        #[source]
        source: webpki::Error,
    },
    /// A roots file holds none.
    #[error("{}: there is no certificate in it; it needs at least one root certificate in PEM form", path.display())]
    NoRoot {
        /// The file.
        path: PathBuf,
    },
}

/// What a listener needs to offer STARTTLS.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the certificate chain, leaf first, and its key. `asks_for` says whether clients are
    /// asked to show a certificate of their own.
    ///
    /// # Errors
    /// [`TlsError`] names the file at fault.
    pub fn load(
        certificate: &Path,
        key: &Path,
        asks_for: ClientCertificate,
    ) -> Result<Self, TlsError> {
        let chain = read_certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| TlsError::Key { path: key.to_owned(), source })?;
        Self::new(chain, private, asks_for).map_err(|source| TlsError::Pair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        })
    }

    /// The same from what has been read already.
    ///
    /// # Errors
    /// What rustls has to say against the pair.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        asks_for: ClientCertificate,
    ) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match asks_for {
            ClientCertificate::None => builder.with_no_client_auth(),
            ClientCertificate::Requested => {
                builder.with_client_cert_verifier(Arc::new(KeyHolder { provider }))
            }
        };
        Ok(Self { config: Arc::new(builder.with_single_cert(chain, key)?) })
    }

    /// What the acceptor of a handshake needs.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Whether a handshake asks the client for its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No kind of client needs one.
    None,
    /// One is asked for; a client without one gets through the handshake all the same.
    Requested,
}

/// The certificates that vouch for a kind of client.
#[derive(Clone)]
pub struct Roots {
    anchors: Arc<[TrustAnchor<'static>]>,
}

impl Roots {
    /// Reads every certificate of a PEM file.
    ///
    /// # Errors
    /// [`TlsError`] names the file and the certificate at fault.
    pub fn load(path: &Path) -> Result<Self, TlsError> {
        let certificates = read_certificates(path)?;
        let anchor = |(index, certificate): (usize, &CertificateDer<'_>)| {
            anchor_of(certificate).map_err(|source| TlsError::Root {
                path: path.to_owned(),
                number: index + 1,
                source,
            })
        };
        let anchors = certificates.iter().enumerate().map(anchor).collect::<Result<Vec<_>, _>>()?;
        match anchors.is_empty() {
            true => Err(TlsError::NoRoot { path: path.to_owned() }),
            false => Ok(Self { anchors: anchors.into() }),
        }
    }

    /// The same from certificates at hand.
    ///
    /// # Errors
    /// What webpki has to say against one of them.
    pub fn new(certificates: &[CertificateDer<'_>]) -> Result<Self, webpki::Error> {
        let anchors = certificates.iter().map(anchor_of).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { anchors: anchors.into() })
    }

    /// The DNS names of the chain's leaf, if these roots vouch for it at that time; else none.
    pub fn names_of(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Vec<String> {
        let Some((leaf, intermediates)) = chain.split_first() else { return Vec::new() };
        let Ok(leaf) = EndEntityCert::try_from(leaf) else { return Vec::new() };
        match self.vouch_for(&leaf, intermediates, now) {
            true => leaf.valid_dns_names().map(str::to_ascii_lowercase).collect(),
            false => Vec::new(),
        }
    }

    /// Public authorities are giving up certificates for clients, so that Microsoft's may one day
    /// be one for servers only; the name on it is what counts here, and both say whose it is.
    fn vouch_for(
        &self,
        leaf: &EndEntityCert<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> bool {
        let fits = |usage| {
            let algorithms = webpki::ALL_VERIFICATION_ALGS;
            leaf.verify_for_usage(algorithms, &self.anchors, between, now, usage, None, None)
                .is_ok()
        };
        fits(KeyUsage::client_auth()) || fits(KeyUsage::server_auth())
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.anchors.len())
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |source| TlsError::Certificate { path: path.to_owned(), source };
    CertificateDer::pem_file_iter(path).map_err(wrong)?.collect::<Result<_, _>>().map_err(wrong)
}

fn anchor_of(certificate: &CertificateDer<'_>) -> Result<TrustAnchor<'static>, webpki::Error> {
    Ok(webpki::anchor_from_trusted_cert(certificate)?.to_owned())
}

/// Takes any certificate whose private key the client proves to hold.
#[derive(Debug)]
struct KeyHolder {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for KeyHolder {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match EndEntityCert::try_from(leaf) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(_) => Err(Error::InvalidCertificate(CertificateError::BadEncoding)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, leaf, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
