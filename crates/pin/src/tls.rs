//! TLS to a pinned machine: that its certificate is the known one, and that it has the private key to it. And, for servers that people
//! are taken from, TLS as usual: a certificate for its name by somebody who is trusted to sign it.

use crate::{Fingerprint, HostPin};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, IpAddr, Ipv4Addr, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate is not the pinned one.
    #[error("the certificate's SHA-256 is {seen}, expected {expected}")]
    Changed { expected: Fingerprint, seen: Fingerprint },
    #[error("{0}")]
    Failed(String),
}

/// What we prove ourselves with, where a machine asks for a certificate: a chain, ours first, and the key to it.
#[derive(Debug)]
pub struct Proof {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Proof {
    /// Certificates and key as PEM.
    ///
    /// # Errors
    /// What of it cannot be read, and why.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, (&'static str, String)> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let chain = chain.map_err(|error| ("certificate", error.to_string()))?;
        if chain.is_empty() {
            return Err(("certificate", "there is none in it".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| ("private key", error.to_string()))?;
        Ok(Self { chain, key })
    }
}

#[derive(Debug)]
struct Verifier {
    pin: HostPin,
    seen: OnceLock<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = Fingerprint::of(end_entity);
        let _ = self.seen.set(seen);
        match self.pin {
            HostPin::Sha256(expected) if expected != seen.0 => {
                Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            HostPin::Sha256(_) | HostPin::FirstUse => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Begins TLS; answers what the machine proved itself with, too. The caller bounds the time.
///
/// # Errors
/// It is not the pinned machine, or TLS fails.
pub async fn begin<S>(stream: S, pin: HostPin) -> Result<(TlsStream<S>, Fingerprint), TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    begin_as(stream, pin, None).await
}

/// As [`begin`], and shows who we are where the machine asks for it. In TLS 1.3 it says what it thinks of that with what it says next.
///
/// # Errors
/// It is not the pinned machine, the key does not fit the certificate, or TLS fails.
pub async fn begin_as<S>(stream: S, pin: HostPin, proof: Option<Proof>) -> Result<(TlsStream<S>, Fingerprint), TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Verifier { pin, seen: OnceLock::new(), provider: Arc::clone(&provider) });
    let failed = |error: rustls::Error| TlsError::Failed(error.to_string());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>);
    let mut config = match proof {
        Some(Proof { chain, key }) => config.with_client_auth_cert(chain, key).map_err(failed)?,
        None => config.with_no_client_auth(),
    };
    // A resumed session would skip the certificate, and with it the pin.
    config.resumption = rustls::client::Resumption::disabled();
    // An address instead of a name: the machine's name is the dialler's affair, and none is sent; some RDP servers trip over it.
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])));
    let begun = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    match (begun, verifier.seen.get(), pin) {
        (Err(_), Some(seen), HostPin::Sha256(expected)) if expected != seen.0 => {
            Err(TlsError::Changed { expected: Fingerprint(expected), seen: *seen })
        }
        (Err(error), _, _) => Err(TlsError::Failed(error.to_string())),
        (Ok(stream), Some(seen), _) => Ok((stream, *seen)),
        (Ok(_), None, _) => Err(TlsError::Failed("the machine showed no certificate".to_owned())),
    }
}

/// Begins TLS with the server of that name (or address), whose certificate is signed by `ca` (PEM) or, without it, by somebody whom this
/// machine trusts. The caller bounds the time.
///
/// # Errors
/// Its certificate does not say so, there is nobody to trust, or TLS fails.
pub async fn begin_signed<S>(stream: S, host: &str, ca: Option<&str>) -> Result<TlsStream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |error: &dyn std::fmt::Display| TlsError::Failed(error.to_string());
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots(ca).map_err(TlsError::Failed)?)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| failed(&error))
}

fn roots(ca: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| format!("the CA cannot be read: {error}"))?;
                roots.add(certificate).map_err(|error| format!("the CA cannot be used: {error}"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err("there is no certificate to trust".to_owned());
    }
    Ok(roots)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::TlsAcceptor;

    async fn meets(pin: HostPin) -> (Fingerprint, Result<Fingerprint, TlsError>) {
        let made = rcgen::generate_simple_self_signed(["other.example".to_owned()]).unwrap();
        let der = made.cert.der().clone();
        let its = Fingerprint::of(&der);
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der], key)
            .unwrap();
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move { TlsAcceptor::from(Arc::new(config)).accept(far).await });
        let pin = if pin == HostPin::Sha256([0; 32]) { HostPin::Sha256(its.0) } else { pin };
        (its, begin(near, pin).await.map(|(_, seen)| seen))
    }

    #[test]
    fn a_ca_is_one() {
        assert!(roots(Some("")).unwrap_err().contains("no certificate"));
        assert!(roots(Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")).is_err());
    }

    #[tokio::test]
    async fn the_pinned_one_and_whoever_is_first() {
        for pin in [HostPin::FirstUse, HostPin::Sha256([0; 32])] {
            let (its, seen) = meets(pin).await;
            assert_eq!(seen.unwrap(), its);
        }
    }

    #[tokio::test]
    async fn another_one_is_refused_and_both_are_named() {
        let (its, refused) = meets(HostPin::Sha256([7; 32])).await;
        let text = refused.unwrap_err().to_string();
        assert!(text.contains(&its.to_string()) && text.contains(&"07".repeat(32)), "{text}");
    }
}
