//! TLS towards a next hop: how much of it, whom to trust, and the certificate we show.
//!
//! The handshake is ours and not lettre's: its `Identity` takes PEM text for DER and sends no
//! chain, and Exchange finds the connector of a school by the certificate it is shown.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::Error;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::UnixTime;
use rustls_pki_types::pem;
use rustls_pki_types::pem::PemObject;
use thiserror::Error;

/// How much TLS a next hop must speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// None: for a host on the same machine.
    Off,
    /// Where the host offers STARTTLS, with any certificate, since an encrypted line to a host
    /// whose name is unproven is still better than a clear one; else in the clear (RFC 7435).
    Opportunistic,
    /// Only with a certificate that is valid for the host's name, else nothing is sent.
    #[default]
    Required,
}

/// Why a TLS policy can't be made.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file of trusted roots has no certificate that can be used.
    #[error("the file of trusted certificates has none that can be used")]
    Roots(#[source] Option<pem::Error>),
    /// The client certificate's file can't be read as PEM certificates.
    #[error("the client certificate is no PEM file of certificates")]
    Certificate(#[source] pem::Error),
    /// The key's file has no private key.
    #[error("the client certificate's key is no PEM file with a private key")]
    Key(#[source] pem::Error),
    /// rustls refuses the combination, for instance a key that does not fit its certificate.
    #[error("the TLS settings for the next hop don't fit together")]
    Config(#[source] Error),
    /// The host's name is no DNS name and no address.
    #[error("the next hop's name can't stand in a certificate")]
    Name,
}

/// The certificate we show where a host asks for one, leaf first, with its key.
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientCertificate {
    /// Reads the chain (leaf first) and the key from PEM.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] or [`TlsError::Key`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(TlsError::Certificate)?;
        if chain.is_empty() {
            return Err(TlsError::Certificate(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        Ok(Self { chain, key })
    }
}

/// Shows that there is one, never the key.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({} in chain)", self.chain.len())
    }
}

/// The TLS side of a next hop, ready for use.
#[derive(Debug, Clone)]
pub struct TlsPolicy {
    pub(super) mode: TlsMode,
    pub(super) name: ServerName<'static>,
    pub(super) config: Arc<ClientConfig>,
}

impl TlsPolicy {
    /// `name` is what the certificate must be valid for. `roots` are PEM certificates to trust
    /// instead of Mozilla's; `identity` is shown where the host asks for a certificate.
    ///
    /// # Errors
    /// [`TlsError`] says which of them can't be used.
    pub fn new(
        mode: TlsMode,
        name: &str,
        roots: Option<&[u8]>,
        identity: Option<ClientCertificate>,
    ) -> Result<Self, TlsError> {
        let server = ServerName::try_from(name.to_owned()).map_err(|_invalid| TlsError::Name)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Config)?;
        let builder = match mode {
            TlsMode::Required => builder.with_root_certificates(root_store(roots)?),
            TlsMode::Off | TlsMode::Opportunistic => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        };
        let config = match identity {
            Some(ClientCertificate { chain, key }) => {
                builder.with_client_auth_cert(chain, key).map_err(TlsError::Config)?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Self { mode, name: server, config: Arc::new(config) })
    }
}

fn root_store(roots: Option<&[u8]>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let Some(pem) = roots else {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(store);
    };
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| TlsError::Roots(Some(error)))?;
        store.add(certificate).map_err(TlsError::Config)?;
    }
    if store.is_empty() { Err(TlsError::Roots(None)) } else { Ok(store) }
}

/// Accepts any certificate, as opportunistic TLS must; the handshake's signature is still checked,
/// so a passive eavesdropper is kept out.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
