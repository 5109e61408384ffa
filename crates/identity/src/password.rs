//! Password hashes: argon2id with the parameters that OWASP's password storage cheat sheet names first for it
//! (19 MiB, 2 passes, 1 lane), in PHC strings, so that parameters can rise later without a migration.

use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};

/// Longest password that is hashed, in bytes: [`crate::PASSWORD_CHARS_MAX`] characters of UTF-8.
pub const PASSWORD_BYTES_MAX: usize = 4 * crate::PASSWORD_CHARS_MAX;

/// Each hash takes 19 MiB and some tens of milliseconds of one core: more at once would let strangers who sign in
/// take the machine's memory.
const HASHES_AT_ONCE_MAX: usize = 2;

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("this password is longer than {PASSWORD_BYTES_MAX} bytes: use a shorter one")]
    TooLong,
    #[error("cannot hash the password ({reason}): the machine may be out of memory")]
    Hash { reason: String },
}

/// Hashes a password with a new salt into a PHC string. Takes tens of milliseconds of one core: not on an async thread.
pub fn hash_password(password: &SecretString) -> Result<String, PasswordError> {
    let password = password.expose_secret().as_bytes();
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    let _turn = Turn::wait();
    hasher()
        .hash_password(password)
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError::Hash { reason: error.to_string() })
}

/// Whether the password belongs to the hash. For a user that does not exist (`None`), and for a hash that cannot be read,
/// as much work is done before the answer "no". Takes as long as [`hash_password`].
pub fn verify_password(hash: Option<&str>, password: &SecretString) -> bool {
    let password = password.expose_secret().as_bytes();
    let fits = password.len() <= PASSWORD_BYTES_MAX;
    let password = if fits { password } else { b"too long" };
    let _turn = Turn::wait();
    let readable = hash.filter(|hash| argon2::PasswordHash::new(hash).is_ok());
    let right = hasher().verify_password(password, readable.unwrap_or(&NOBODYS)).is_ok();
    right && fits && readable.is_some()
}

/// A hash that no password is known for.
static NOBODYS: LazyLock<String> = LazyLock::new(|| {
    let random: [u8; 32] = rand::random();
    hasher().hash_password(&random).map_or_else(|_| String::new(), |hash| hash.to_string())
});

fn hasher() -> Argon2<'static> {
    if cfg!(test) {
        // Tests of this room hash often.
        return Params::new(64, 1, 1, None).unwrap_or_default().into();
    }
    Params::DEFAULT.into()
}

/// One of the [`HASHES_AT_ONCE_MAX`] places to hash at.
struct Turn;

static HASHING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Turn {
    fn wait() -> Self {
        let (hashing, freed) = &HASHING;
        let hashing = hashing.lock().unwrap_or_else(PoisonError::into_inner);
        let free = freed.wait_while(hashing, |hashing| *hashing >= HASHES_AT_ONCE_MAX);
        *free.unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (hashing, freed) = &HASHING;
        *hashing.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[test]
    fn a_hash_knows_its_password() {
        let hash = hash_password(&secret("correct horse ä")).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        assert!(verify_password(Some(&hash), &secret("correct horse ä")));
        for wrong in ["correct horse a", "correct horse ä ", "", "Correct horse ä"] {
            assert!(!verify_password(Some(&hash), &secret(wrong)), "{wrong}");
        }
        assert_ne!(hash, hash_password(&secret("correct horse ä")).unwrap());
    }

    #[test]
    fn the_parameters_outside_tests_are_owasps() {
        let params = Params::DEFAULT;
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (19 * 1024, 2, 1));
    }

    #[test]
    fn nobody_and_nonsense_have_no_password() {
        for hash in
            [None, Some(""), Some("plain"), Some("$argon2id$"), Some("$2y$10$abcdefghijklmnopqrstuv"), Some("\0")]
        {
            for password in ["", "plain", "too long"] {
                assert!(!verify_password(hash, &secret(password)), "{hash:?}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused_both_ways() {
        let long = secret(&"x".repeat(PASSWORD_BYTES_MAX + 1));
        assert!(matches!(hash_password(&long), Err(PasswordError::TooLong)));
        // Also where the stand-in for it is the password.
        let hash = hash_password(&secret("too long")).unwrap();
        assert!(!verify_password(Some(&hash), &long));
        assert!(verify_password(Some(&hash), &secret("too long")));
        let longest = secret(&"x".repeat(PASSWORD_BYTES_MAX));
        assert!(verify_password(Some(&hash_password(&longest).unwrap()), &longest));
    }

    #[test]
    fn many_at_once_all_get_their_turn() {
        let hash = hash_password(&secret("correct horse")).unwrap();
        std::thread::scope(|scope| {
            let all: Vec<_> =
                (0..32).map(|_| scope.spawn(|| verify_password(Some(&hash), &secret("correct horse")))).collect();
            assert!(all.into_iter().all(|one| one.join().unwrap()));
        });
        assert_eq!(*HASHING.0.lock().unwrap_or_else(PoisonError::into_inner), 0);
    }
}
