//! Who somebody is, and what only we may read: passwords, second factors, tokens, sealed secrets, and patience with those who guess.
//! No network and no HTTP; the only files are the sealing key's. Whoever needs a clock passes the time in.
//!
//! What is guarded against what:
//! - [`hash_password`], [`verify_password`]: a copied database does not give passwords away; asking for a user that does
//!   not exist takes as long as for one that does.
//! - [`random_token`]: cookies, API tokens and tickets are 256 random bits, of which only SHA-256 is stored.
//! - [`Vault`]: guests' credentials in a copied database are unreadable without the key file, and cannot be moved from one
//!   row to another.
//! - [`check_totp`]: a password that somebody else knows does not let them in; a code that was seen lets nobody in again.
//! - [`passkey`]: what a browser signed for another page, another question or another person lets nobody in.
//! - [`Throttle`]: guessing slows down to nothing, while nobody can lock somebody else out from everywhere.

pub mod passkey;
mod password;
mod seal_key;
mod strength;
mod throttle;
mod token;
mod totp;
mod vault;

pub use password::{PASSWORD_BYTES_MAX, PasswordError, hash_password, verify_password};
pub use seal_key::{KEY_CREDENTIAL, KEY_FILE, KeySources, SEAL_KEY, SEAL_KEY_FILE, SEAL_KEY_OLD, add_key, remove_key};
pub use strength::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Weakness, check_strength};
pub use throttle::Throttle;
pub use token::{equal, hmac_sha256_hex, one_time_password, random_token, sha256_hex};
pub use totp::{
    RECOVERY_CODES, TOTP_DIGITS, TOTP_STEP_SECONDS, check_totp, new_recovery_codes, new_totp_secret,
    recovery_code_sha256, totp_code, totp_uri,
};
pub use vault::{SEALED_BYTES_MAX, SEALED_HEAD_CHARS, Vault, VaultError, sealed_with};
