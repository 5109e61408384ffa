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
        *slot = byte.reverse_bits();
    }
    let des = Des::new(GenericArray::from_slice(&key));
    let mut answer = challenge;
    for block in answer.chunks_exact_mut(8) {
        des.encrypt_block(GenericArray::from_mut_slice(block));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::answer;

    /// Computed with OpenSSL: `enc -des-ecb -nopad -K 0e86cece00000000 -provider legacy`.
    #[test]
    fn known_answer() {
        let challenge: [u8; 16] = core::array::from_fn(|i| i as u8);
        let short = answer(challenge, &"pass".into());
        let want = [0x5f, 0xb0, 0x2f, 0x4e, 0x6e, 0xc9, 0xfd, 0xa0, 0x6c, 0x41, 0xdf, 0x1f, 0x35, 0x01, 0x51, 0x38];
        assert_eq!(short, want);
        assert_eq!(short, answer(challenge, &"pass\0\0\0\0ignored".into()), "only eight bytes count");
    }
}
