//! Servers that mean harm before there is a session: garbage, messages cut short, bent or of absurd length, and none at all.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use oriel_rdp::{ConnectError, RdpOptions};
use rand::{Rng as _, RngCore as _, SeedableRng as _, rngs::StdRng};
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsAcceptor;

/// X.224 Connection Confirm that chooses TLS (MS-RDPBCGR 2.2.1.2).
const CONFIRM: [u8; 19] = [3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 1, 0, 0, 0];
const SEEDS: u64 = 60;

fn options(pin: [u8; 32]) -> RdpOptions {
    RdpOptions {
        user: "a".to_owned(),
        password: "b".to_owned().into(),
        domain: None,
        width: 800,
        height: 600,
        scale: 100,
        monitors: None,
        keyboard: String::new(),
        certificate: oriel_pin::HostPin::Sha256(pin),
        keeper: None,
        security: oriel_rdp::Security::Any,
        kerberos: None,
        client_name: String::new(),
        pipeline: oriel_rdp::Pipeline::Video,
        devices: oriel_rdp::Devices::default(),
        drive: None,
        session: oriel_rdp::SessionOptions::default(),
        gateway: None,
        continuation: oriel_rdp::Continuation::default(),
    }
}

/// Connects to a server that first does `serve` and then hangs up.
async fn refusal<F: Future<Output = ()> + Send + 'static>(
    pin: [u8; 32],
    serve: impl FnOnce(DuplexStream) -> F,
) -> ConnectError {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = tokio::spawn(serve(theirs));
    let Err(error) = oriel_rdp::connect(ours, options(pin)).await else { panic!("connected to garbage") };
    server.await.unwrap();
    error
}

/// Sends bytes and then nothing; takes what comes until the other side has gone.
async fn say(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, bytes: Vec<u8>) {
    stream.write_all(&bytes).await.ok();
    stream.shutdown().await.ok();
    let mut sink = vec![0; 4096];
    while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {}
}

fn random_bytes(seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut bytes = vec![0; random.random_range(1..600)];
    random.fill_bytes(&mut bytes);
    bytes
}

/// As a message of the session set-up: TPKT (RFC 1006) and X.224 data around it.
fn framed(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() + 7) as u16;
    let mut message = vec![3, 0, (length >> 8) as u8, length as u8, 2, 0xf0, 0x80];
    message.extend_from_slice(payload);
    message
}

#[tokio::test]
async fn garbage_instead_of_a_negotiation() {
    for seed in 0..SEEDS {
        let error = refusal([0; 32], move |stream| say(stream, random_bytes(seed))).await;
        assert!(!matches!(error, ConnectError::TimedOut { .. }), "{seed}: {error}");
    }
    for cut in 0..CONFIRM.len() {
        let error = refusal([0; 32], move |stream| say(stream, CONFIRM[..cut].to_vec())).await;
        assert!(matches!(error, ConnectError::Unreachable(_)), "{cut}: {error}");
    }
    for (at, bit) in (0..CONFIRM.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut bent = CONFIRM.to_vec();
        bent[at] ^= 1 << bit;
        let error = refusal([0; 32], move |stream| say(stream, bent)).await;
        assert!(!matches!(error, ConnectError::TimedOut { .. }), "byte {at} bit {bit}: {error}");
    }
}

/// A server whose negotiation and TLS are right, and everything after them is `bytes`.
async fn after_tls(bytes: Vec<u8>) -> ConnectError {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["machine".to_owned()]).unwrap();
    let pin: [u8; 32] = Sha256::digest(cert.der()).into();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    refusal(pin, move |mut stream| async move {
        let mut request = [0; 4];
        stream.read_exact(&mut request).await.unwrap();
        let mut rest = vec![0; usize::from(u16::from_be_bytes([request[2], request[3]])) - 4];
        stream.read_exact(&mut rest).await.unwrap();
        stream.write_all(&CONFIRM).await.unwrap();
        if let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            say(stream, bytes).await;
        }
    })
    .await
}

#[tokio::test]
async fn garbage_instead_of_a_session() {
    for seed in 0..SEEDS {
        let bytes = if seed % 2 == 0 { random_bytes(seed) } else { framed(&random_bytes(seed)) };
        let error = after_tls(bytes).await;
        assert!(matches!(error, ConnectError::Protocol { .. }), "{seed}: {error}");
    }
}

#[tokio::test]
async fn lengths_that_no_message_has() {
    // A TPKT of 65,535 bytes of which none comes; one shorter than its own header; a connect response (BER) that claims 2 GiB.
    for bytes in [
        vec![3, 0, 0xff, 0xff, 2, 0xf0, 0x80],
        vec![3, 0, 0, 1],
        framed(&[0x7f, 0x66, 0x84, 0x7f, 0xff, 0xff, 0xff, 10, 1, 0]),
    ] {
        let error = after_tls(bytes.clone()).await;
        assert!(matches!(error, ConnectError::Protocol { .. }), "{bytes:x?}: {error}");
    }
    // Fast-path messages, which do not belong here, without end.
    let error = after_tls([0, 4, 0, 0].repeat(10_000)).await;
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error}");
}
