//! Every way to sign in with a hand-made server: both sides' bytes, and servers that lie.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

mod common;

use aes::{
    Aes128, Aes256,
    cipher::{BlockCipherDecrypt, KeyInit},
};
use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    encoding::AsDer,
    rsa::{
        KeyPair, KeySize, Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey,
        PublicKeyComponents,
    },
    signature::KeyPair as _,
};
use eax::{
    Eax,
    aead::{AeadInOut, Nonce, Tag},
};
use oriel_pin::{Fingerprint, HostPin};
use oriel_vnc::{ConnectError, Handshake, Progress, Security, SecurityPolicy, VncOptions, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const V38: &[u8] = b"RFB 003.008\n";
/// 4x3 pixels, named "me".
const SERVER: &[u8] = &[0, 4, 0, 3, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 2, b'm', b'e'];

fn both() -> VncOptions {
    VncOptions { user: Some("ann".into()), password: Some("pässword".into()), ..VncOptions::default() }
}

fn only(security: Security) -> VncOptions {
    VncOptions { security: SecurityPolicy::Only(vec![security]), ..both() }
}

#[allow(clippy::panic, reason = "helpers of tests may panic")]
/// A handshake with everything that the server says known before; TLS is taken as begun with a server of ones.
fn shake(options: VncOptions, server: &[&[u8]]) -> Result<(Handshake, Vec<u8>), ConnectError> {
    let mut handshake = Handshake::new(options);
    let (all, mut out) = (server.concat(), Vec::new());
    let mut rest = all.as_slice();
    loop {
        let (now, later) = rest.split_at_checked(handshake.need()).expect("the server says too little");
        rest = later;
        match handshake.feed(now, &mut out)? {
            Progress::More => {}
            Progress::StartTls => handshake.secured(Fingerprint([1; 32]), &mut out)?,
            Progress::Seal(_) => panic!("sealing needs a real server"),
            Progress::Established(established) => {
                assert_eq!((established.width, established.height, &*established.name), (4, 3, "me"));
                assert!(rest.is_empty(), "bytes after the handshake were taken");
                return Ok((handshake, out));
            }
        }
    }
}

#[allow(clippy::panic, reason = "helpers of tests may panic")]
fn refused(options: VncOptions, server: &[&[u8]], word: &str) -> ConnectError {
    match shake(options, server) {
        Err(error) => {
            assert!(error.to_string().contains(word), "{error:?} does not say {word:?}");
            error
        }
        Ok(_) => panic!("{word}: taken"),
    }
}

#[test]
fn vencrypt() {
    let types: &[u8] = &[0, 3, 0, 0, 1, 4, 0, 0, 1, 5, 0, 0, 1, 6];
    let start: &[&[u8]] = &[V38, &[1], &[19], &[0, 2], types, &[1]];
    let with = |end: &[&'static [u8]]| [start, end, &[&[0; 4], SERVER]].concat();
    let (shaken, out) = shake(both(), &with(&[])).unwrap();
    assert_eq!((shaken.security(), shaken.identity()), (Security::X509Plain, Some(Fingerprint([1; 32]))));
    let said = ["RFB 003.008\n\x13\0\x02\0\0\x01\x06\0\0\0\x03\0\0\0\x09annpässword\x01"].concat();
    assert_eq!(String::from_utf8(out).unwrap(), said);
    let (shaken, out) = shake(VncOptions { user: None, ..both() }, &with(&[&[7; 16]])).unwrap();
    assert_eq!(shaken.security(), Security::X509Vnc);
    assert_eq!(out.len(), 12 + 1 + 2 + 4 + 16 + 1);
    let (shaken, _) = shake(VncOptions::default(), &with(&[])).unwrap();
    assert_eq!(shaken.security(), Security::X509None);
    // Only the pinned server.
    let pinned = VncOptions { pin: HostPin::Sha256([2; 32]), ..both() };
    assert!(matches!(refused(pinned, &with(&[]), "identity changed"), ConnectError::IdentityChanged { .. }));
    // A password that everybody can read goes out when it was asked for.
    let plain: &[&[u8]] = &[V38, &[1], &[19], &[0, 2], &[0, 1, 0, 0, 1, 0], &[0; 4], SERVER];
    refused(both(), plain, "nothing is both known");
    assert_eq!(shake(only(Security::Plain), plain).unwrap().0.security(), Security::Plain);
}

#[test]
fn vencrypt_that_lies() {
    let start = |rest: &[&'static [u8]]| [&[V38, &[1], &[19]], rest].concat();
    refused(both(), &start(&[&[0, 1]]), "too old");
    refused(both(), &start(&[&[0, 2], &[1, 0]]), "refused");
    refused(both(), &start(&[&[0, 2], &[0, 0]]), "offers nothing");
    refused(both(), &start(&[&[0, 2], &[0, 1, 0, 0, 1, 6], &[0]]), "begin TLS");
    refused(both(), &start(&[&[0, 2], &[0, 2, 0, 0, 1, 1, 0, 0, 1, 2]]), "anonymous");
    refused(both(), &start(&[&[0, 2], &[0, 1, 0, 0, 1, 8]]), "X509SASL");
}

#[test]
fn tight() {
    let capability = |code: u32| [&code.to_be_bytes()[..], b"STDVsomename"].concat();
    let lists = [&[0, 1, 0, 1, 0, 2, 0, 0][..], &[9; 64]].concat();
    let tunnels = [&[0, 0, 0, 1][..], &capability(0)].concat();
    let logins = [&[0, 0, 0, 2][..], &capability(129), &capability(2)].concat();
    let (shaken, out) =
        shake(both(), &[V38, &[1], &[16], &tunnels, &logins, &[7; 16], &[0; 4], SERVER, &lists]).unwrap();
    assert_eq!(shaken.security(), Security::VncAuth);
    assert_eq!(out[12..21], [16, 0, 0, 0, 0, 0, 0, 0, 2]);
    // No tunnels, no logins, no lists.
    let (shaken, _) = shake(both(), &[V38, &[1], &[16], &[0; 4], &[0; 4], &[0; 4], SERVER, &[0; 8]]).unwrap();
    assert_eq!(shaken.security(), Security::None);
    let (shaken, _) =
        shake(only(Security::UnixLogin), &[V38, &[1], &[16], &[0; 4], &logins, &[0; 4], SERVER, &[0; 8]]).unwrap();
    assert_eq!(shaken.security(), Security::UnixLogin);
    refused(both(), &[V38, &[1], &[16], &[0, 0, 1, 0]], "256 Tight capabilities");
    refused(both(), &[V38, &[1], &[16], &[0; 4], &[0xff; 4]], "Tight capabilities");
    refused(both(), &[V38, &[1], &[16], &[0, 0, 0, 1], &capability(5)], "tunnels");
    let many: &[u8] = &[0xff; 8];
    refused(both(), &[V38, &[1], &[16], &[0; 4], &[0; 4], &[0; 4], SERVER, many], "capabilities");
}

/// The server of Apple's login: a prime of 512 bits (2^512 - 569) and a secret of its own.
#[test]
fn ard() {
    use crypto_bigint::{
        BoxedUint, Odd,
        modular::{BoxedMontyForm, BoxedMontyParams},
    };
    let mut prime = [0xff; 64];
    prime[62..].copy_from_slice(&[0xfd, 0xc7]);
    let power = |base: &[u8], exponent: &[u8]| {
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 512).unwrap();
        let parameters = BoxedMontyParams::new(Odd::new(number(&prime)).unwrap());
        BoxedMontyForm::new(number(base), &parameters).pow(&number(exponent)).retrieve().to_be_bytes().to_vec()
    };
    let secret = [0x5a; 64];
    let public = power(&[2], &secret);
    let numbers = [&prime[..], &public].concat();
    let (shaken, out) = shake(both(), &[V38, &[1], &[30], &[0, 2, 0, 64], &numbers, &[0; 4], SERVER]).unwrap();
    assert_eq!(shaken.security(), Security::Ard);
    let mut credentials: [u8; 128] = out[13..141].try_into().unwrap();
    let shared = power(&out[141..205], &secret);
    let key: [u8; 16] = <md5::Md5 as md5::Digest>::digest(&shared).into();
    for block in credentials.as_chunks_mut::<16>().0 {
        Aes128::new(&key.into()).decrypt_block(block.into());
    }
    assert_eq!(credentials[..4], *b"ann\0");
    assert_eq!(credentials[64..74], *"pässword\0".as_bytes());
    assert_eq!(out[205..], [1], "and then the client's hello");
    // Numbers that make no sense.
    refused(both(), &[V38, &[1], &[30], &[0, 2, 0xff, 0xff]], "65535");
    refused(both(), &[V38, &[1], &[30], &[0, 2, 0, 64], &[0; 128]], "fit together");
    refused(both(), &[V38, &[1], &[30], &[0, 2, 0, 64], &[0xff; 128]], "fit together");
    let long = VncOptions { user: Some("x".repeat(64)), ..both() };
    refused(long, &[V38, &[1], &[30], &[0, 2, 0, 64], &numbers], "63 bytes");
}

#[test]
fn ms_logon() {
    let prime = u64::MAX - 58;
    let power = |base: u64, mut exponent: u64| {
        let (mut result, mut base) = (1_u128, u128::from(base));
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result * base % u128::from(prime);
            }
            base = base * base % u128::from(prime);
            exponent >>= 1;
        }
        result as u64
    };
    let numbers: Vec<u8> = [3, prime, power(3, 0x1234_5678_9abc)].iter().flat_map(|n: &u64| n.to_be_bytes()).collect();
    let (shaken, out) = shake(both(), &[V38, &[1], &[113], &numbers, &[0; 4], SERVER]).unwrap();
    assert_eq!(shaken.security(), Security::MsLogonII);
    let theirs = u64::from_be_bytes(out[13..21].try_into().unwrap());
    let key = power(theirs, 0x1234_5678_9abc).to_be_bytes();
    let plain = |sealed: &[u8]| {
        use des::cipher::{BlockDecrypt, KeyInit, generic_array::GenericArray};
        let des = des::Des::new(GenericArray::from_slice(&key.map(u8::reverse_bits)));
        let mut before = key;
        let mut plain = Vec::new();
        for block in sealed.as_chunks::<8>().0 {
            let mut opened = *block;
            des.decrypt_block(GenericArray::from_mut_slice(&mut opened));
            plain.extend(opened.iter().zip(before).map(|(byte, before)| byte ^ before));
            before = *block;
        }
        plain
    };
    assert_eq!(plain(&out[21..277])[..4], *b"ann\0");
    assert_eq!(plain(&out[277..341])[..10], *"pässword\0".as_bytes());
    refused(both(), &[V38, &[1], &[113], &[0; 24]], "modulus");
}

#[test]
fn a_repeater_is_told_whom_to_reach() {
    let asked = VncOptions { repeater: Some("ID:4711".into()), ..VncOptions::default() };
    let server: &[&[u8]] = &[b"RFB 000.000\n", V38, &[1], &[1], &[0; 4], SERVER];
    let (_, out) = shake(asked, server).unwrap();
    assert_eq!(out[..8], *b"ID:4711\0");
    assert_eq!(out[8..250], [0; 242]);
    assert_eq!(out[250..262], *V38);
    refused(VncOptions::default(), server, "repeater");
    refused(VncOptions { repeater: Some("x".repeat(250)), ..both() }, server, "249");
    // It answers once.
    let twice = VncOptions { repeater: Some("ID:1".into()), ..both() };
    assert!(matches!(refused(twice, &[server[0], server[0]], "older"), ConnectError::TooOld { .. }));
}

#[test]
fn rsa_keys_that_make_no_sense() {
    let start: &[&[u8]] = &[V38, &[1], &[129]];
    refused(both(), &[start, &[&[0, 0, 4, 0]]].concat(), "1024 bits");
    refused(both(), &[start, &[&[0xff; 4]]].concat(), "4294967295 bits");
    refused(both(), &[start, &[&[0, 0, 8, 0], &[0; 512]]].concat(), "cannot be used");
    refused(both(), &[start, &[&[0, 0, 8, 0], &[0xfe; 512]]].concat(), "cannot be used");
    let pinned = VncOptions { pin: HostPin::Sha256([2; 32]), ..both() };
    refused(pinned, &[start, &[&[0, 0, 8, 0], &[0xfe; 512]]].concat(), "identity changed");
}

/// One direction of the sealed connection, as the server sees it.
struct Seal {
    key: Vec<u8>,
    messages: u128,
}

impl Seal {
    fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let length = (plain.len() as u16).to_be_bytes();
        let mut body = plain.to_vec();
        let nonce = Nonce::<Eax<Aes128>>::from(self.messages.to_le_bytes());
        self.messages += 1;
        let tag = match self.key.len() {
            16 => Eax::<Aes128>::new_from_slice(&self.key).unwrap().encrypt_inout_detached(
                &nonce,
                &length,
                (&mut *body).into(),
            ),
            _ => Eax::<Aes256>::new_from_slice(&self.key).unwrap().encrypt_inout_detached(
                &nonce,
                &length,
                (&mut *body).into(),
            ),
        };
        [&length[..], &body, &tag.unwrap()].concat()
    }

    async fn open(&mut self, stream: &mut DuplexStream) -> Vec<u8> {
        let mut length = [0; 2];
        stream.read_exact(&mut length).await.unwrap();
        let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut body).await.unwrap();
        let mut tag = [0; 16];
        stream.read_exact(&mut tag).await.unwrap();
        let nonce = Nonce::<Eax<Aes128>>::from(self.messages.to_le_bytes());
        self.messages += 1;
        let tag = Tag::<Eax<Aes128>>::from(tag);
        match self.key.len() {
            16 => Eax::<Aes128>::new_from_slice(&self.key).unwrap().decrypt_inout_detached(
                &nonce,
                &length,
                (&mut *body).into(),
                &tag,
            ),
            _ => Eax::<Aes256>::new_from_slice(&self.key).unwrap().decrypt_inout_detached(
                &nonce,
                &length,
                (&mut *body).into(),
                &tag,
            ),
        }
        .unwrap();
        body
    }
}

/// A server of RSA-AES after its specification; answers the credentials it got and the SHA-256 of its key.
async fn ra2_server(mut stream: DuplexStream, kind: u8, subtype: u8, lie: bool) -> (Vec<u8>, [u8; 32]) {
    let (strong, sealed_session) = (kind >= 129, matches!(kind, 5 | 129));
    let size = if strong { 32 } else { 16 };
    let hash = |parts: &[&[u8]]| {
        digest(if strong { &SHA256 } else { &SHA1_FOR_LEGACY_USE_ONLY }, &parts.concat()).as_ref().to_vec()
    };
    stream.write_all(V38).await.unwrap();
    let mut version = [0; 12];
    stream.read_exact(&mut version).await.unwrap();
    stream.write_all(&[1, kind]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), kind);

    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let mut public = 2048_u32.to_be_bytes().to_vec();
    public.extend(pair.public_key().modulus().big_endian_without_leading_zero());
    public.extend([0; 253]);
    public.extend(pair.public_key().exponent().big_endian_without_leading_zero());
    let der: aws_lc_rs::encoding::Pkcs8V1Der = pair.as_der().unwrap();
    let private = Pkcs1PrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(der.as_ref()).unwrap()).unwrap();
    stream.write_all(&public).await.unwrap();

    let mut theirs = vec![0; 4 + 256 + 256];
    stream.read_exact(&mut theirs).await.unwrap();
    assert_eq!(theirs[..4], [0, 0, 8, 0]);
    let exponent = theirs[260..].iter().position(|byte| *byte != 0).unwrap();
    let components = PublicKeyComponents { n: &theirs[4..260], e: &theirs[260 + exponent..] };
    let key = Pkcs1PublicEncryptingKey::new(components.try_into().unwrap()).unwrap();
    assert_eq!(stream.read_u16().await.unwrap(), 256);
    let mut wrapped = [0; 256];
    stream.read_exact(&mut wrapped).await.unwrap();
    let mut room = [0; 256];
    let client_random = private.decrypt(&wrapped, &mut room).unwrap().to_vec();
    assert_eq!(client_random.len(), size);
    let server_random = vec![0x77; size];
    let mut room = [0; 256];
    let wrapped = key.encrypt(&server_random, &mut room).unwrap().to_vec();
    stream.write_u16(256).await.unwrap();
    stream.write_all(&wrapped).await.unwrap();

    let mut from = Seal { key: hash(&[&server_random, &client_random])[..size].to_vec(), messages: 0 };
    let mut to = Seal { key: hash(&[&client_random, &server_random])[..size].to_vec(), messages: 0 };
    assert_eq!(from.open(&mut stream).await, hash(&[&theirs, &public]), "the client's proof");
    let mut proof = hash(&[&public, &theirs]);
    proof[0] ^= u8::from(lie);
    stream.write_all(&to.seal(&proof)).await.unwrap();
    stream.write_all(&to.seal(&[subtype])).await.unwrap();
    let identity = digest(&SHA256, &public).as_ref().try_into().unwrap();
    if lie {
        return (Vec::new(), identity);
    }
    let credentials = from.open(&mut stream).await;
    let mut send = async |bytes: &[u8]| {
        let bytes = if sealed_session { to.seal(bytes) } else { bytes.to_vec() };
        stream.write_all(&bytes).await.unwrap();
    };
    send(&[0, 0]).await;
    send(&[0, 0]).await;
    send(SERVER).await;
    // A bell, to be read after the handshake.
    send(&[2]).await;
    // What the client says first: its hello and its first requests.
    if sealed_session {
        assert_eq!(from.open(&mut stream).await, [1]);
        assert_eq!(from.open(&mut stream).await[..2], [0, 0]);
    } else {
        assert_eq!(stream.read_u8().await.unwrap(), 1);
    }
    (credentials, identity)
}

#[tokio::test]
async fn rsa_aes_of_every_kind() {
    for (kind, want) in
        [(5, Security::Ra2), (6, Security::Ra2ne), (129, Security::Ra2With256), (130, Security::Ra2neWith256)]
    {
        for subtype in [1, 2] {
            let (ours, theirs) = duplex(1 << 16);
            let server = tokio::spawn(ra2_server(theirs, kind, subtype, false));
            let mut session = connect(ours, &both()).await.unwrap();
            let mut bell = [0];
            session.stream.read_exact(&mut bell).await.unwrap();
            assert_eq!(bell, [2]);
            let (credentials, identity) = server.await.unwrap();
            assert_eq!((session.security, session.identity), (want, Some(Fingerprint(identity))));
            let user = if subtype == 1 { "\x03ann" } else { "\0" };
            assert_eq!(credentials, format!("{user}\x09pässword").as_bytes());
        }
    }
}

#[tokio::test]
async fn rsa_aes_with_somebody_in_between() {
    let (ours, theirs) = duplex(1 << 16);
    let server = tokio::spawn(ra2_server(theirs, 129, 1, true));
    let Err(error) = connect(ours, &both()).await else { unreachable!("a wrong proof was taken") };
    assert!(error.to_string().contains("in between"), "{error}");
    server.await.unwrap();
}

#[tokio::test]
async fn rsa_aes_wants_a_user() {
    let (ours, theirs) = duplex(1 << 16);
    let server = tokio::spawn(ra2_server(theirs, 129, 1, false));
    let Err(error) = connect(ours, &VncOptions { user: None, ..both() }).await else {
        unreachable!("no user was taken")
    };
    assert!(matches!(error, ConnectError::UserRequired), "{error}");
    server.abort();
}
