//! Cipher suites (13.28): what proves who somebody is, and keeps what is said from others.

use crate::IpmiError;
use crate::wire::{self, Datagram, HEADER_BYTES, RMCP_BYTES};
use aws_lc_rs::cipher::{AES_128, AES_128_KEY_LEN, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

/// Bytes of a block of AES, and of what it begins with.
const BLOCK: usize = 16;
/// Bytes of the constants that keys are made from (13.32).
const CONSTANT_BYTES: usize = 20;
/// What follows the payload's authentication padding (13.28.4).
const NEXT_HEADER: u8 = 7;

/// Those that are spoken, the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// 17: RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128.
    Sha256,
    /// 3: RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128.
    Sha1,
}

impl Suite {
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha1];

    /// Its number among the standard's.
    pub const fn number(self) -> u8 {
        match self {
            Self::Sha256 => 17,
            Self::Sha1 => 3,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        }
    }

    /// Numbers of its algorithms: authentication, integrity, confidentiality (13.28).
    pub(crate) const fn algorithms(self) -> [u8; 3] {
        match self {
            Self::Sha256 => [3, 4, 1],
            Self::Sha1 => [1, 1, 1],
        }
    }

    /// Bytes of an authentication code that is cut short.
    pub(crate) const fn code_bytes(self) -> usize {
        match self {
            Self::Sha256 => 16,
            Self::Sha1 => 12,
        }
    }

    pub(crate) fn mac(self, key: &[u8], parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&hmac::Key::new(self.hmac(), key));
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }

    /// As [`Self::mac`], cut short.
    pub(crate) fn code(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let tag = self.mac(key, parts);
        tag.as_ref().iter().copied().take(self.code_bytes()).collect()
    }
}

/// In a time that says nothing about where they differ.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

/// A session's keys.
pub(crate) struct Keys {
    suite: Suite,
    /// Of authentication codes.
    k1: Vec<u8>,
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
}

impl Keys {
    /// From the session's integrity key.
    pub fn derive(suite: Suite, sik: &[u8]) -> Result<Self, IpmiError> {
        let failed = |_| IpmiError::Cryptography("a session's key");
        let k1 = suite.mac(sik, &[&[1; CONSTANT_BYTES]]).as_ref().to_vec();
        let k2 = suite.mac(sik, &[&[2; CONSTANT_BYTES]]);
        let k2 = k2.as_ref().get(..AES_128_KEY_LEN).unwrap_or_default();
        let key = || UnboundCipherKey::new(&AES_128, k2).map_err(failed);
        Ok(Self {
            suite,
            k1,
            encrypting: EncryptingKey::cbc(key()?).map_err(failed)?,
            decrypting: DecryptingKey::cbc(key()?).map_err(failed)?,
        })
    }

    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// A whole datagram.
    pub fn seal(&self, kind: u8, session: u32, sequence: u32, payload: &[u8]) -> Result<Vec<u8>, IpmiError> {
        // 13.29: padded to whole blocks with 1, 2, 3, …, and with how much that was.
        let padding = (BLOCK - (payload.len() + 1) % BLOCK) % BLOCK;
        let mut blocks = Vec::with_capacity(payload.len() + BLOCK);
        blocks.extend_from_slice(payload);
        blocks.extend((1..=BLOCK as u8).take(padding));
        blocks.push(padding as u8);
        let failed = |_| IpmiError::Cryptography("encrypting");
        let context = self.encrypting.encrypt(&mut blocks).map_err(failed)?;
        let DecryptionContext::Iv128(iv) = &context else { return Err(IpmiError::Cryptography("encrypting")) };
        let mut out = wire::sealed(kind, session, sequence, BLOCK + blocks.len())?;
        out.extend_from_slice(iv.as_ref());
        out.extend_from_slice(&blocks);
        // 13.28.4: to a multiple of four bytes, without RMCP's header and the code itself.
        let padding = (4 - (out.len() - RMCP_BYTES + 2) % 4) % 4;
        out.extend(std::iter::repeat_n(0xff, padding));
        out.extend_from_slice(&[padding as u8, NEXT_HEADER]);
        let code = self.suite.code(&self.k1, &[out.get(RMCP_BYTES..).unwrap_or_default()]);
        out.extend_from_slice(&code);
        Ok(out)
    }

    /// What is in a datagram; `None` where it was not the other side that said this.
    pub fn open(&self, datagram: &Datagram<'_>) -> Option<Vec<u8>> {
        // What is not protected is nobody's word.
        if !datagram.authenticated || !datagram.encrypted {
            return None;
        }
        let covered = datagram.body.len().checked_sub(self.suite.code_bytes())?;
        let (covered, code) = datagram.body.split_at_checked(covered)?;
        let trailer = covered.get(HEADER_BYTES + datagram.payload.len()..)?;
        // Some pad more than they need, and some with other bytes: the code covers them.
        let (&[padding, _next], pad) = trailer.split_last_chunk::<2>().map(|(pad, last)| (last, pad))?;
        if pad.len() != usize::from(padding) || !same(&self.suite.code(&self.k1, &[covered]), code) {
            return None;
        }
        let (iv, blocks) = datagram.payload.split_first_chunk::<BLOCK>()?;
        if blocks.is_empty() || !blocks.len().is_multiple_of(BLOCK) {
            return None;
        }
        let mut blocks = blocks.to_vec();
        self.decrypting.decrypt(&mut blocks, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?;
        let padding = usize::from(blocks.pop()?);
        // 0 to 15 are needed; some pad a whole block more. What they pad with (13.29: 1, 2, 3, …) is theirs: the code covered it.
        if padding > BLOCK {
            return None;
        }
        blocks.truncate(blocks.len().checked_sub(padding)?);
        Some(blocks)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    #[test]
    fn codes_are_those_of_the_rfcs() {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            })
        };
        // RFC 2202 section 3, case 2; RFC 4231 section 4.3.
        let (key, text) = (b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(Suite::Sha1.mac(key, &[text]).as_ref()), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(hex(&Suite::Sha1.code(key, &[&text[..9], &text[9..]])), "effcdf6ae5eb2fa2d27416d5");
        assert_eq!(hex(&Suite::Sha256.code(key, &[text])), "5bdcc146bf60754e6a042426089575c7");
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_and_nothing_else(payload in proptest::collection::vec(any::<u8>(), 0..200), at in any::<usize>(), bit in 0_u8..8) {
            for suite in Suite::ALL {
                let keys = Keys::derive(suite, b"a session's key").unwrap();
                let mut bytes = keys.seal(1, 7, 9, &payload).unwrap();
                prop_assert_eq!((bytes.len() - RMCP_BYTES - suite.code_bytes()) % 4, 0);
                let read = wire::read(&bytes).unwrap();
                prop_assert_eq!((read.kind, read.session, read.sequence), (1, 7, 9));
                prop_assert_eq!(keys.open(&read), Some(payload.clone()));
                // Another bit anywhere.
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
                prop_assert!(wire::read(&bytes).and_then(|read| keys.open(&read)).is_none());
            }
        }

        #[test]
        fn any_bytes_are_opened(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let keys = Keys::derive(Suite::Sha1, b"key").unwrap();
            let mut whole = vec![6, 0, 0xff, 7, 6, 0xc0, 1, 0, 0, 0, 1, 0, 0, 0];
            whole.extend_from_slice(&bytes);
            if let Some(read) = wire::read(&whole) {
                prop_assert!(keys.open(&read).is_none());
            }
        }
    }
}
