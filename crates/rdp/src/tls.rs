//! TLS to a machine, and the public key that CredSSP binds the password to.

use crate::error::ConnectError;
use oriel_pin::{Fingerprint, HostPin, tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;
use x509_cert::der::Decode as _;

/// Opens TLS; returns what the machine proved itself with, and its public key.
pub(crate) async fn upgrade<S>(stream: S, pin: HostPin) -> Result<(TlsStream<S>, Fingerprint, Vec<u8>), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let broken = |what: String| ConnectError::Protocol { stage: "TLS", what };
    let (stream, seen) = tls::begin(stream, pin).await.map_err(|error| match error {
        tls::TlsError::Changed { expected, seen } => ConnectError::CertificateChanged { expected, seen },
        tls::TlsError::Failed(what) => broken(what),
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
    Ok((stream, seen, key))
}
