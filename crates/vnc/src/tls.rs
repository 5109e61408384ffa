//! TLS inside VeNCrypt: who signed the certificate and which names it carries play no part; that it is the pinned one, or
//! is handed back to be pinned, and that the server has its private key does.

use crate::{ConnectError, Fingerprint, HostPin};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, IpAddr, Ipv4Addr, ServerName, UnixTime},
};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

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
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, end_entity);
        let broken = || rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        let seen = Fingerprint(hash.as_ref().try_into().map_err(|_| broken())?);
        let _ = self.seen.set(seen);
        match self.pin {
            HostPin::Sha256(expected) if expected != seen.0 => Err(broken()),
            _ => Ok(ServerCertVerified::assertion()),
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

/// Begins TLS; answers what the server proved itself with too.
pub(crate) async fn begin<S>(stream: S, pin: HostPin) -> Result<(TlsStream<S>, Fingerprint), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |what: String| ConnectError::Tls { what };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Verifier { pin, seen: OnceLock::new(), provider: Arc::clone(&provider) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    // A resumed session would skip the certificate, and with it the pin.
    config.resumption = rustls::client::Resumption::disabled();
    // An address instead of a name: the server's name is the dialler's affair, and none is sent.
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])));
    let begun = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    match (begun, verifier.seen.get(), pin) {
        (Err(_), Some(seen), HostPin::Sha256(expected)) if expected != seen.0 => {
            Err(ConnectError::IdentityChanged { expected: Fingerprint(expected), seen: *seen })
        }
        (Err(error), _, _) => Err(failed(error.to_string())),
        (Ok(stream), Some(seen), _) => Ok((stream, *seen)),
        (Ok(_), None, _) => Err(failed(String::from("the server showed no certificate"))),
    }
}
