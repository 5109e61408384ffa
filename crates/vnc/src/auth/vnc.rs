//! VNC authentication (RFC 6143 §7.2.2): the challenge is encrypted with DES under the password.

use des::{
    Des,
    cipher::{BlockEncrypt, KeyInit, generic_array::GenericArray},
};
use secrecy::{ExposeSecret, SecretString};

pub(crate) const CHALLENGE_BYTES: usize = 16;

/// The answer to a challenge. The protocol uses the password's first eight bytes, each with its bits in reverse order.
pub(crate) fn answer(challenge: [u8; CHALLENGE_BYTES], password: &SecretString) -> [u8; CHALLENGE_BYTES] {
    let mut key = [0_u8; 8];
    for (slot, byte) in key.iter_mut().zip(password.expose_secret().bytes()) {
        *slot = byte;
    }
    let des = des(key);
    let mut answer = challenge;
    for block in answer.chunks_exact_mut(8) {
        des.encrypt_block(GenericArray::from_mut_slice(block));
    }
    answer
}

/// VNC's DES takes the bits of each key byte in reverse order.
fn des(key: [u8; 8]) -> Des {
    Des::new(GenericArray::from_slice(&key.map(u8::reverse_bits)))
}

/// Encrypts whole blocks in CBC mode with the key as the block before the first, as UltraVNC does.
pub(super) fn chain(key: [u8; 8], bytes: &mut [u8]) {
    let des = des(key);
    let mut before = key;
    for block in bytes.as_chunks_mut::<8>().0 {
        for (byte, before) in block.iter_mut().zip(before) {
            *byte ^= before;
        }
        des.encrypt_block(GenericArray::from_mut_slice(block));
        before = *block;
    }
}

#[cfg(test)]
mod tests {
    use super::{answer, chain};

    /// Computed with OpenSSL: `enc -des-ecb -nopad -K 0e86cece00000000 -provider legacy`.
    #[test]
    fn known_answer() {
        let challenge: [u8; 16] = core::array::from_fn(|i| i as u8);
        let short = answer(challenge, &"pass".into());
        let want = [0x5f, 0xb0, 0x2f, 0x4e, 0x6e, 0xc9, 0xfd, 0xa0, 0x6c, 0x41, 0xdf, 0x1f, 0x35, 0x01, 0x51, 0x38];
        assert_eq!(short, want);
        assert_eq!(short, answer(challenge, &"pass\0\0\0\0ignored".into()), "only eight bytes count");
    }
    /// Computed with OpenSSL: `enc -des-cbc -nopad -K 80c020a060e010ff -iv 01030405060708ff -provider legacy`.
    #[test]
    fn known_chain() {
        let mut bytes: [u8; 16] = core::array::from_fn(|i| i as u8);
        chain([1, 3, 4, 5, 6, 7, 8, 0xff], &mut bytes);
        let want = [0x1a, 0xe9, 0xc5, 0x94, 0xf5, 0x96, 0x76, 0x9a, 0x03, 0xa3, 0xbf, 0xc2, 0x65, 0x78, 0x63, 0x24];
        assert_eq!(bytes, want);
    }
}
