//! UltraVNC's Windows logon (security type 113): Diffie-Hellman with numbers of 64 bits, and user and password under DES
//! in CBC mode with the shared secret as key and as the first block. It hides a password from a glance, not from an attack.

use super::{Next, field, password, random, user, vnc};
use crate::{
    Security, VncOptions,
    error::{Failure, broken},
    reader::Reader,
};

const USER_BYTES: usize = 256;
const PASSWORD_BYTES: usize = 64;

pub(crate) struct MsLogonII;

impl MsLogonII {
    /// Generator, modulus and the server's number.
    pub(super) const BYTES: usize = 24;

    pub(super) fn answer(reader: &mut Reader, options: &VncOptions, out: &mut Vec<u8>) -> Result<Next, Failure> {
        let mut number = || reader.array().map(u64::from_be_bytes);
        let (generator, modulus, theirs) = (number()?, number()?, number()?);
        if modulus < 2 {
            return Err(broken("Microsoft logon with a modulus below two"));
        }
        let mut secret = [0; 8];
        random(&mut secret)?;
        let secret = u64::from_be_bytes(secret);
        let key = power(theirs, secret, modulus).to_be_bytes();
        let mut name = field::<USER_BYTES>(user(options)?)?;
        let mut word = field::<PASSWORD_BYTES>(password(options)?)?;
        vnc::chain(key, &mut name);
        vnc::chain(key, &mut word);
        out.extend_from_slice(&power(generator, secret, modulus).to_be_bytes());
        out.extend_from_slice(&name);
        out.extend_from_slice(&word);
        Ok(Next::Verdict(Security::MsLogonII))
    }
}

fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    let modulus = u128::from(modulus);
    let mut base = u128::from(base) % modulus;
    let mut result = 1 % modulus;
    for bit in 0..64 {
        if exponent & (1 << bit) != 0 {
            result = result * base % modulus;
        }
        base = base * base % modulus;
    }
    result as u64
}

#[cfg(test)]
mod tests {
    use super::power;

    /// Computed with Python's pow().
    #[test]
    fn known_answers() {
        assert_eq!(power(3, 5, 7), 5);
        assert_eq!(power(u64::MAX, u64::MAX, u64::MAX - 58), 0x44d4_c86a_1c08_4f2c);
        assert_eq!(power(9, 9, 1), 0);
    }
}
