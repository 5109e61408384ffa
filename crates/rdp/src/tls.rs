//! TLS to a machine whose certificate is pinned: who signed it and which names it carries play no part, that it is
//! the known one and that the machine has its private key does.

use crate::error::{ConnectError, Fingerprint};
use crate::options::CertificatePin;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, IpAddr, Ipv4Addr, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_cert::der::Decode as _;

#[derive(Debug)]
struct PinVerifier {
    pin: [u8; 32],
    seen: OnceLock<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen: [u8; 32] = Sha256::digest(end_entity).into();
        let _ = self.seen.set(seen);
        if seen == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
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

/// Opens TLS and returns the machine's public key too, which CredSSP binds the password to.
pub(crate) async fn upgrade<S>(stream: S, pin: CertificatePin) -> Result<(TlsStream<S>, Vec<u8>), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const STAGE: &str = "TLS";
    let broken = |what: String| ConnectError::Protocol { stage: STAGE, what };
    let CertificatePin::Sha256(pin) = pin;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(PinVerifier { pin, seen: OnceLock::new(), provider: Arc::clone(&provider) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    // A resumed session would skip the certificate, and with it the pin.
    config.resumption = rustls::client::Resumption::disabled();
    // An address instead of a name: nothing is sent as SNI, which some RDP servers trip over.
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])));
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| {
        match verifier.seen.get() {
            Some(seen) if *seen != pin => {
                ConnectError::CertificateChanged { expected: Fingerprint(pin), seen: Fingerprint(*seen) }
            }
            _ => broken(error.to_string()),
        }
    })?;
    let key = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first)
        .and_then(|der| x509_cert::Certificate::from_der(der).ok())
        .and_then(|cert| {
            cert.tbs_certificate().subject_public_key_info().subject_public_key.as_bytes().map(<[u8]>::to_vec)
        })
        .ok_or_else(|| broken("the certificate has no readable public key".to_owned()))?;
    Ok((stream, key))
}
