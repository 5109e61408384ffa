//! RSA-AES (security types 5, 6, 129, 130; community's RFB specification, "RSA-AES Security Type"): both sides show an
//! RSA key, send each other a random number under it, and make AES keys of the two. What follows is sealed, with the types
//! 6 and 130 only the credentials.
//!
//! ```text
//! Length ─▶ Key ─▶ RandomLength ─▶ Random ─▶ Hash ─▶ Subtype ─▶ verdict
//! ```

use super::{Next, at_most, password, random, user};
use crate::{
    ConnectError, Security, VncOptions,
    error::{Failure, broken},
    reader::Reader,
    seal::{Forged, LENGTH_BYTES, Seal, Seals, TAG_BYTES},
};
use aws_lc_rs::{
    digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256},
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{
        KeyPair, KeySize, Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey,
        PublicEncryptingKey, PublicKeyComponents,
    },
    signature::KeyPair as _,
};
use oriel_pin::{Fingerprint, HostPin};
use std::sync::OnceLock;

/// Server keys that are accepted, in bits: smaller ones can be broken, larger ones only cost time.
const KEY_BITS_MIN: u32 = 2048;
const KEY_BITS_MAX: u32 = 8192;
/// Our own key.
const OUR_KEY_BITS: u32 = 2048;
const OUR_KEY_BYTES: usize = OUR_KEY_BITS as usize / 8;
/// User and password have one byte for their length.
const CREDENTIAL_BYTES_MAX: usize = 255;

/// Our RSA key: made once a process, since making one takes a tenth of a second, and gone with it.
pub(crate) struct RsaKey {
    decrypting: Pkcs1PrivateDecryptingKey,
    /// As the protocol sends it.
    public: Vec<u8>,
}

impl RsaKey {
    pub(crate) fn ours() -> Result<&'static Self, ConnectError> {
        static KEY: OnceLock<Option<RsaKey>> = OnceLock::new();
        KEY.get_or_init(Self::make).as_ref().ok_or(ConnectError::Key { what: "RSA key generation failed" })
    }

    fn make() -> Option<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let public = pair.public_key();
        let public = encode(
            OUR_KEY_BITS,
            public.modulus().big_endian_without_leading_zero(),
            public.exponent().big_endian_without_leading_zero(),
        );
        let private: Pkcs8V1Der = pair.as_der().ok()?;
        let private = PrivateDecryptingKey::from_pkcs8(private.as_ref()).ok()?;
        Some(Self { decrypting: Pkcs1PrivateDecryptingKey::new(private).ok()?, public })
    }
}

/// Length in bits, then modulus and exponent, each filled up to that length.
fn encode(bits: u32, modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let bytes = bits.div_ceil(8) as usize;
    let mut encoded = bits.to_be_bytes().to_vec();
    for number in [modulus, exponent] {
        encoded.resize(encoded.len() + bytes.saturating_sub(number.len()), 0);
        encoded.extend_from_slice(number);
    }
    encoded
}

fn trimmed(number: &[u8]) -> &[u8] {
    number.get(number.iter().position(|byte| *byte != 0).unwrap_or(number.len())..).unwrap_or_default()
}

pub(crate) struct Ra2 {
    state: State,
    security: Security,
    /// SHA-256 and AES-256 rather than SHA-1 and AES-128.
    strong: bool,
    /// Only the credentials are sealed.
    credentials_only: bool,
    /// The server's key, as sent.
    theirs: Vec<u8>,
    our_random: [u8; 32],
    seals: Option<Box<Seals>>,
}

#[derive(Clone, Copy)]
enum State {
    Length,
    Key { bits: u32 },
    RandomLength,
    Random,
    Hash,
    Subtype,
}

impl Ra2 {
    pub(super) const fn new(security: Security) -> Self {
        Self {
            state: State::Length,
            security,
            strong: matches!(security, Security::Ra2With256 | Security::Ra2neWith256),
            credentials_only: matches!(security, Security::Ra2ne | Security::Ra2neWith256),
            theirs: Vec::new(),
            our_random: [0; 32],
            seals: None,
        }
    }

    const fn random_bytes(&self) -> usize {
        if self.strong { 32 } else { 16 }
    }

    const fn hash_bytes(&self) -> usize {
        if self.strong { 32 } else { 20 }
    }

    pub(super) const fn need(&self) -> usize {
        match self.state {
            State::Length => 4,
            State::Key { bits } => bits.div_ceil(8) as usize * 2,
            State::RandomLength => 2,
            State::Random => OUR_KEY_BYTES,
            State::Hash => LENGTH_BYTES + self.hash_bytes() + TAG_BYTES,
            State::Subtype => LENGTH_BYTES + 1 + TAG_BYTES,
        }
    }

    /// Known once the server has proven that it has the private key: its hash could be opened with what only that key gives.
    pub(super) fn identity(&self) -> Option<Fingerprint> {
        matches!(self.state, State::Subtype).then(|| Fingerprint::of(&self.theirs))
    }

    pub(super) fn feed(
        &mut self,
        reader: &mut Reader,
        options: &VncOptions,
        out: &mut Vec<u8>,
    ) -> Result<Next, Failure> {
        self.state = match self.state {
            State::Length => {
                let bits = reader.u32()?;
                if !(KEY_BITS_MIN..=KEY_BITS_MAX).contains(&bits) {
                    return Err(broken(format!(
                        "its RSA key has {bits} bits, {KEY_BITS_MIN} to {KEY_BITS_MAX} are accepted"
                    )));
                }
                State::Key { bits }
            }
            State::Key { bits } => {
                let bytes = bits.div_ceil(8) as usize;
                self.key(bits, reader.take(bytes)?, reader.take(bytes)?, options, out)?;
                State::RandomLength
            }
            State::RandomLength => match reader.u16()? {
                length if usize::from(length) == OUR_KEY_BYTES => State::Random,
                length => return Err(broken(format!("its random number is {length} bytes long under our key"))),
            },
            State::Random => {
                self.random(reader.take(OUR_KEY_BYTES)?, out)?;
                State::Hash
            }
            State::Hash => {
                let want = self.hash(&self.theirs, &RsaKey::ours()?.public);
                if self.opened(reader, self.hash_bytes())? != want {
                    return Err(broken("its keys are not those that arrived: somebody is in between"));
                }
                State::Subtype
            }
            State::Subtype => {
                let subtype = self.opened(reader, 1)?;
                self.credentials(subtype.first().copied().unwrap_or_default(), options, out)?;
                return Ok(match self.seals.take() {
                    Some(seals) if !self.credentials_only => Next::SealedVerdict(self.security, seals),
                    _ => Next::Verdict(self.security),
                });
            }
        };
        Ok(Next::More)
    }

    /// The server's key: is it the pinned one? Then ours goes out, and our random number under theirs.
    fn key(
        &mut self,
        bits: u32,
        modulus: &[u8],
        exponent: &[u8],
        options: &VncOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        self.theirs = encode(bits, modulus, exponent);
        let seen = Fingerprint::of(&self.theirs);
        if let HostPin::Sha256(expected) = options.pin
            && expected != seen.0
        {
            return Err(ConnectError::IdentityChanged { expected: Fingerprint(expected), seen }.into());
        }
        let unusable = || broken("its RSA key cannot be used");
        let components = PublicKeyComponents { n: trimmed(modulus), e: trimmed(exponent) };
        let key: PublicEncryptingKey = components.try_into().map_err(|_| unusable())?;
        let key = Pkcs1PublicEncryptingKey::new(key).map_err(|_| unusable())?;
        let length = self.random_bytes();
        let ours = self.our_random.get_mut(..length).unwrap_or_default();
        random(ours)?;
        let mut sealed = vec![0; key.ciphertext_size()];
        let sealed = key.encrypt(ours, &mut sealed).map_err(|_| unusable())?;
        out.extend_from_slice(&RsaKey::ours()?.public);
        out.extend_from_slice(&(sealed.len() as u16).to_be_bytes());
        out.extend_from_slice(sealed);
        Ok(())
    }

    /// The server's random number: the AES keys are known, and our proof of both RSA keys goes out under ours.
    fn random(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let key = RsaKey::ours()?;
        let mut room = [0; OUR_KEY_BYTES];
        let unreadable = || broken("its random number cannot be read with our key");
        let theirs = key.decrypting.decrypt(sealed, &mut room).map_err(|_| unreadable())?;
        if theirs.len() != self.random_bytes() {
            return Err(unreadable());
        }
        let ours = self.our_random.get(..self.random_bytes()).unwrap_or_default();
        let seal = |first: &[u8], second: &[u8]| {
            let hash = self.hash(first, second);
            if self.strong {
                Some(Seal::aes256(*hash.first_chunk()?))
            } else {
                Some(Seal::aes128(*hash.first_chunk()?))
            }
        };
        let (Some(to), Some(from)) = (seal(theirs, ours), seal(ours, theirs)) else { return Err(unreadable()) };
        let mut seals = Seals { ours: to, theirs: from };
        let proof = self.hash(&key.public, &self.theirs);
        seals.ours.seal(&proof, out).map_err(|Forged| unreadable())?;
        self.seals = Some(Box::new(seals));
        Ok(())
    }

    fn hash(&self, first: &[u8], second: &[u8]) -> Vec<u8> {
        let algorithm = if self.strong { &SHA256 } else { &SHA1_FOR_LEGACY_USE_ONLY };
        let mut context = digest::Context::new(algorithm);
        context.update(first);
        context.update(second);
        context.finish().as_ref().to_vec()
    }

    /// A sealed message of a length that is known.
    fn opened(&mut self, reader: &mut Reader, length: usize) -> Result<Vec<u8>, Failure> {
        let said: [u8; LENGTH_BYTES] = reader.array()?;
        if usize::from(u16::from_be_bytes(said)) != length {
            return Err(broken("a sealed message has another length than RSA-AES says"));
        }
        let mut sealed = reader.take(length + TAG_BYTES)?.to_vec();
        let seals = self.seals.as_mut().ok_or_else(|| broken("a sealed message came before its key"))?;
        let plain = seals.theirs.open(said, &mut sealed);
        Ok(plain.map_err(|Forged| broken("a sealed message was changed on its way"))?.to_vec())
    }

    /// 1 asks for user and password, 2 for the password alone.
    fn credentials(&mut self, subtype: u8, options: &VncOptions, out: &mut Vec<u8>) -> Result<(), Failure> {
        let user = match subtype {
            1 => user(options)?,
            2 => "",
            other => return Err(broken(format!("RSA-AES asks for credentials of the unknown kind {other}"))),
        };
        let password = password(options)?;
        let mut plain = Vec::with_capacity(2 + 2 * CREDENTIAL_BYTES_MAX);
        for text in [user, password] {
            at_most(text, CREDENTIAL_BYTES_MAX)?;
            plain.push(text.len() as u8);
            plain.extend_from_slice(text.as_bytes());
        }
        let seals = self.seals.as_mut().ok_or_else(|| broken("credentials were asked for before there was a key"))?;
        seals.ours.seal(&plain, out).map_err(|Forged| broken("credentials could not be sealed"))
    }
}
