//! What realms are called.

/// Longest name of a realm, in bytes: those of domains (RFC 4120 §6.1, RFC 1035 §2.3.4).
pub const REALM_BYTES_MAX: usize = 253;

/// Whether it can be a realm's name: a domain in capitals.
///
/// # Errors
/// What is wrong with it, and what fits.
pub fn check_realm(realm: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    if (1..=REALM_BYTES_MAX).contains(&realm.len()) && realm.bytes().all(fits) {
        return Ok(());
    }
    let shown: String = realm.chars().take(80).collect();
    Err(format!("{shown:?} is no name of a realm: write the domain in capitals, like CORP.EXAMPLE"))
}
