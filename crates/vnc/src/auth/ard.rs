//! Apple Remote Desktop's login (security type 30): Diffie-Hellman, the MD5 of the shared secret as an AES key, and user
//! and password under it.

use super::{Next, field, password, power::power, random, user};
use crate::{
    Security, VncOptions,
    error::{Failure, broken},
    reader::Reader,
};
use aes::{
    Aes128,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use md5::{Digest, Md5};

/// Sizes of the server's numbers that are accepted, in bytes: Apple's are 128.
const KEY_BYTES_MIN: u16 = 64;
const KEY_BYTES_MAX: u16 = 512;
/// User and password, each with its closing zero.
const FIELD_BYTES: usize = 64;

pub(crate) enum Ard {
    /// Generator and size.
    Header,
    /// Modulus and the server's number.
    Numbers { generator: [u8; 2], bytes: u16 },
}

impl Ard {
    pub(super) const fn new() -> Self {
        Self::Header
    }

    pub(super) const fn need(&self) -> usize {
        match self {
            Self::Header => 4,
            Self::Numbers { bytes, .. } => *bytes as usize * 2,
        }
    }

    pub(super) fn feed(
        &mut self,
        reader: &mut Reader,
        options: &VncOptions,
        out: &mut Vec<u8>,
    ) -> Result<Next, Failure> {
        match *self {
            Self::Header => {
                let generator = reader.array()?;
                let bytes = reader.u16()?;
                if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&bytes) {
                    return Err(broken(format!("Apple's login with numbers of {bytes} bytes")));
                }
                *self = Self::Numbers { generator, bytes };
                Ok(Next::More)
            }
            Self::Numbers { generator, bytes } => {
                let modulus = reader.take(usize::from(bytes))?;
                let theirs = reader.take(usize::from(bytes))?;
                let mut secret = vec![0; usize::from(bytes)];
                random(&mut secret)?;
                let odd = || broken("Apple's login with numbers that do not fit together");
                let ours = power(&generator, &secret, modulus).ok_or_else(odd)?;
                let shared = power(theirs, &secret, modulus).ok_or_else(odd)?;
                let mut credentials = [0; 2 * FIELD_BYTES];
                for (half, text) in credentials.chunks_exact_mut(FIELD_BYTES).zip([user(options)?, password(options)?])
                {
                    half.copy_from_slice(&field::<FIELD_BYTES>(text)?);
                }
                let key: [u8; 16] = Md5::digest(&shared).into();
                let aes = Aes128::new(&key.into());
                for block in credentials.as_chunks_mut::<16>().0 {
                    aes.encrypt_block(block.into());
                }
                out.extend_from_slice(&credentials);
                out.extend_from_slice(&ours);
                Ok(Next::Verdict(Security::Ard))
            }
        }
    }
}
