//! Powers of large numbers, for Diffie-Hellman with groups that the server chooses.

use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};

/// `base` to the `exponent` modulo `modulus`, all big endian; as long as the modulus. None unless the modulus is odd and
/// larger than the base.
pub(super) fn power(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Option<Vec<u8>> {
    let bits = u32::try_from(modulus.len()).ok()?.checked_mul(8)?;
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).ok();
    let (base, exponent, modulus_number) = (number(base)?, number(exponent)?, number(modulus)?);
    if base >= modulus_number {
        return None;
    }
    let modulus_number: Odd<BoxedUint> = Odd::new(modulus_number).into_option()?;
    let form = BoxedMontyForm::new(base, &BoxedMontyParams::new(modulus_number));
    let result = form.pow(&exponent).retrieve().to_be_bytes();
    // Whole machine words: zeros before the number itself.
    result.get(result.len().checked_sub(modulus.len())?..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::power;

    /// Computed with Python's pow().
    #[test]
    fn known_answers() {
        assert_eq!(power(&[0, 3], &[0, 5], &[0, 7]), Some(vec![0, 5]));
        assert_eq!(power(&[2], &[0x10], &[0x01, 0x00, 0x01]), Some(vec![1, 0, 0]));
        let large = power(&[7; 63], &[9; 64], &[0xfb; 64]).unwrap();
        assert_eq!(large[..4], [0x26, 0xa6, 0x92, 0xf2]);
        assert_eq!(power(&[5], &[1], &[4]), None, "even");
        assert_eq!(power(&[9], &[1], &[7]), None, "too large");
        assert_eq!(power(&[0], &[1], &[0]), None);
        assert_eq!(power(&[], &[], &[]), None);
    }
}
