//! The ticket: the password under the server's RSA key (RSAES-OAEP with SHA-1, RFC 8017 §7.1; SPICE protocol, "Link").
//!
//! The key has 1024 bits, by the protocol's design, and comes from whoever answers: without TLS it hides the password from who
//! listens today, and not from who stands in between. Libraries of today refuse keys of that size, hence this file.

use aws_lc_rs::{digest, rand};
use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};

/// The server's key as it is sent (a SubjectPublicKeyInfo), in bytes.
pub(crate) const KEY_BYTES: usize = 162;
/// A ticket under it.
const TICKET_BYTES: usize = 128;
/// Longest password that servers take, in bytes.
pub(crate) const PASSWORD_BYTES_MAX: usize = 60;
const HASH_BYTES: usize = 20;

/// Modulus and exponent of a key: an RSA key of 1024 bits and nothing else has this length and these bytes around its numbers
/// (RFC 3279 §2.3.1).
fn parse(key: &[u8; KEY_BYTES]) -> Option<(&[u8], &[u8])> {
    const HEAD: [u8; 29] = [
        0x30, 0x81, 0x9f, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
        0x03, 0x81, 0x8d, 0x00, 0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00,
    ];
    let rest = key.strip_prefix(&HEAD)?;
    let (modulus, rest) = rest.split_at_checked(TICKET_BYTES)?;
    Some((modulus, rest.strip_prefix(&[0x02, 0x03])?))
}

fn sha1(parts: &[&[u8]]) -> [u8; HASH_BYTES] {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(context.finish().as_ref().get(..HASH_BYTES).unwrap_or(&[0; HASH_BYTES]));
    hash
}

/// MGF1 over a mask's target (RFC 8017 §B.2.1).
fn mask(seed: &[u8], target: &mut [u8]) {
    for (counter, chunk) in (0u32..).zip(target.chunks_mut(HASH_BYTES)) {
        for (byte, mask) in chunk.iter_mut().zip(sha1(&[seed, &counter.to_be_bytes()])) {
            *byte ^= mask;
        }
    }
}

/// EME-OAEP with an empty label: what is under the key.
fn encode(message: &[u8], seed: [u8; HASH_BYTES]) -> Option<[u8; TICKET_BYTES]> {
    let mut encoded = [0; TICKET_BYTES];
    let (_, rest) = encoded.split_first_mut()?;
    let (head, block) = rest.split_first_chunk_mut::<HASH_BYTES>()?;
    let start = block.len().checked_sub(message.len())?;
    // The label's hash, zeros, a one and the message.
    let one = start.checked_sub(1).filter(|one| *one >= HASH_BYTES)?;
    block.get_mut(..HASH_BYTES)?.copy_from_slice(&sha1(&[]));
    *block.get_mut(one)? = 1;
    block.get_mut(start..)?.copy_from_slice(message);
    mask(&seed, block);
    *head = seed;
    mask(block, head);
    Some(encoded)
}

/// The ticket for a password; none when the key is no RSA key of 1024 bits, the password too long, or no random number to be had.
pub(crate) fn make(key: &[u8; KEY_BYTES], password: &[u8]) -> Option<[u8; TICKET_BYTES]> {
    let (modulus, exponent) = parse(key)?;
    if password.len() > PASSWORD_BYTES_MAX {
        return None;
    }
    let mut message = password.to_vec();
    message.push(0);
    let mut seed = [0; HASH_BYTES];
    rand::fill(&mut seed).ok()?;
    power(&encode(&message, seed)?, exponent, modulus)
}

fn power(base: &[u8; TICKET_BYTES], exponent: &[u8], modulus: &[u8]) -> Option<[u8; TICKET_BYTES]> {
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 1024).ok();
    let exponent = [&[0; TICKET_BYTES - 3][..], exponent].concat();
    let (base, exponent, modulus) = (number(base)?, number(&exponent)?, number(modulus)?);
    if base >= modulus {
        return None;
    }
    let modulus: Odd<BoxedUint> = Odd::new(modulus).into_option()?;
    let form = BoxedMontyForm::new(base, &BoxedMontyParams::new(modulus));
    <[u8; TICKET_BYTES]>::try_from(&*form.pow(&exponent).retrieve().to_be_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::{KEY_BYTES, encode, make, mask, parse, sha1};

    #[test]
    fn what_is_under_the_key_is_what_oaep_says() {
        let encoded = encode(b"geheim\0", [9; 20]).unwrap();
        let (mut seed, mut block) = (encoded[1..21].to_vec(), encoded[21..].to_vec());
        mask(&block, &mut seed);
        assert_eq!(seed, [9; 20]);
        mask(&seed, &mut block);
        assert_eq!(block[..20], sha1(&[]));
        assert!(block[20..99].iter().all(|byte| *byte == 0));
        assert_eq!(block[99..], *b"\x01geheim\0");
        assert!(encode(&[0; 87], [0; 20]).is_none());
    }

    #[test]
    fn numbers_that_make_no_key_make_no_ticket() {
        let head = b"\x30\x81\x9f\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x81\x8d\x00\x30\x81\x89\x02\x81\x81\x00";
        let key = |fill: u8, last: u8| -> [u8; KEY_BYTES] {
            [&head[..], &[fill; 127], &[last], &[2, 3, 1, 0, 1]].concat().try_into().unwrap()
        };
        let ticket = make(&key(0xff, 0xff), b"x");
        assert!(ticket.is_some() && ticket != make(&key(0xff, 0xff), b"x"), "none is like another");
        assert!(make(&key(0xff, 0xfe), b"x").is_none(), "an even modulus");
        assert!(make(&key(0, 1), b"x").is_none() && make(&key(0, 0), b"x").is_none());
        assert!(make(&key(0xff, 0xff), &[b'x'; 61]).is_none());
    }

    #[test]
    fn keys_of_other_shapes_are_refused() {
        assert!(parse(&[0x30; KEY_BYTES]).is_none());
        assert!(make(&[0; KEY_BYTES], b"x").is_none());
    }
}
