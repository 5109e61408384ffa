//! Sealing: AES-256-GCM with a random nonce, in an envelope that names its key.
//!
//! ```text
//! oriel:v1:<key's fingerprint>:<base64 of nonce (12) + data + tag (16)>
//! ```
//! The associated data is the row that the text belongs to: a sealed text that is copied to another row does not open.
//! A vault opens with every key that it has and seals with one of them: the newest, unless it was told another ([`Vault::seal_with`]),
//! as when not every program on the same database has that one yet. [`Vault::reseal`] brings a text to it.

use crate::seal_key::{self, FINGERPRINT_CHARS, KeyBytes, KeySources};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use secrecy::{SecretString, zeroize::Zeroizing};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Longest text that is sealed, in bytes.
pub const SEALED_BYTES_MAX: usize = 64 << 10;

const PREFIX: &str = "oriel:v1:";
/// Characters at the beginning of an envelope that say which key opens it: `oriel:v1:` and the fingerprint.
pub const SEALED_HEAD_CHARS: usize = PREFIX.len() + FINGERPRINT_CHARS;

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error(
        "this was sealed with the key {fingerprint}, which is not here: put it back among the keys, in seal.key or ORIEL_SEAL_KEY_OLD for example (here are: {here})"
    )]
    MissingKey { fingerprint: String, here: String },
    #[error(
        "this sealed text was damaged, or belongs to something else than {context}: restore a backup, or make the secret anew"
    )]
    Damaged { context: String },
    #[error("this is not a sealed text: it was edited by hand or damaged")]
    NotSealed,
    #[error("this is longer than the {SEALED_BYTES_MAX} bytes that can be sealed")]
    TooLong,
    #[error("{from} is not a key: it must be 32 random bytes as base64, for example from `openssl rand -base64 32`")]
    BadKey { from: String },
    #[error("cannot use the key file {path:?}: check that its folder exists and belongs to you")]
    KeyFile { path: PathBuf, source: std::io::Error },
    #[error(
        "others can read the key file {path:?} (its mode is {mode:03o}): run `chmod 600` on it, and think of who may have read it"
    )]
    KeyFileOpen { path: PathBuf, mode: u32 },
    #[error("the key file {path:?} is longer than {max} bytes: take remarks out of it, and keys that nothing needs")]
    KeyFileLong { path: PathBuf, max: u64 },
    #[error("there are more than {max} sealing keys: take those away under which nothing is sealed any more")]
    TooManyKeys { max: usize },
    #[error(
        "that is the last key in {path:?}: add another first, seal everything with it, and then take this one away"
    )]
    LastKey { path: PathBuf },
    #[error("cannot seal: the cryptographic library refused")]
    Refused,
}

/// Seals with one key and opens with several. Clones share the keys.
#[derive(Clone)]
pub struct Vault {
    /// The newest comes first; there is always one.
    keys: Arc<[Key]>,
    /// Which of them seals.
    seals: Arc<AtomicUsize>,
}

struct Key {
    fingerprint: String,
    key: RandomizedNonceKey,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.fingerprints()).finish()
    }
}

impl Vault {
    /// The keys of the environment, of systemd's credentials and of the data folder ([`KeySources`]); without any, makes the folder's.
    /// Errors: `BadKey`, `KeyFile`, `KeyFileOpen`, `KeyFileLong`, `TooManyKeys`.
    pub fn load(data: &Path) -> Result<Self, VaultError> {
        Self::with_keys(data, &KeySources::from_environment())
    }

    /// As [`Vault::load`], with what the environment says given.
    pub fn with_keys(data: &Path, sources: &KeySources) -> Result<Self, VaultError> {
        let mut keys: Vec<Key> = Vec::new();
        for bytes in seal_key::keys(data, sources)? {
            let key = Key::new(&bytes)?;
            // One that is in two places is one key.
            if keys.iter().all(|known| known.fingerprint != key.fingerprint) {
                keys.push(key);
            }
        }
        Ok(Self { keys: keys.into(), seals: Arc::default() })
    }

    /// Seals a text for the row that `context` names, for example `desktop:…`. Errors: `TooLong`.
    pub fn seal(&self, text: &str, context: &str) -> Result<String, VaultError> {
        if text.len() > SEALED_BYTES_MAX {
            return Err(VaultError::TooLong);
        }
        let key = self.sealing().ok_or(VaultError::Refused)?;
        // What is copied here is overwritten by its ciphertext.
        let mut data = text.as_bytes().to_vec();
        let nonce = key
            .key
            .seal_in_place_append_tag(Aad::from(associated(context)), &mut data)
            .map_err(|_| VaultError::Refused)?;
        let sealed = [nonce.as_ref().as_slice(), &data].concat();
        Ok(format!("{PREFIX}{}:{}", key.fingerprint, STANDARD_NO_PAD.encode(sealed)))
    }

    /// Opens what was sealed for that row. Errors: `MissingKey`, `Damaged`, `NotSealed`.
    pub fn open(&self, sealed: &str, context: &str) -> Result<SecretString, VaultError> {
        let (fingerprint, data) = split(sealed)?;
        let key = self.keys.iter().find(|key| key.fingerprint == fingerprint).ok_or_else(|| {
            VaultError::MissingKey { fingerprint: fingerprint.to_owned(), here: self.fingerprints().join(", ") }
        })?;
        let damaged = || VaultError::Damaged { context: context.to_owned() };
        let mut data = Zeroizing::new(STANDARD_NO_PAD.decode(data).map_err(|_| damaged())?);
        let (nonce, data) = data.split_at_mut_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let text = key.key.open_in_place(nonce, Aad::from(associated(context)), data).map_err(|_| damaged())?;
        std::str::from_utf8(text).map(SecretString::from).map_err(|_| damaged())
    }

    /// The text sealed anew, when it was sealed with another key than the one that seals; `None` when it needs nothing.
    pub fn reseal(&self, sealed: &str, context: &str) -> Result<Option<String>, VaultError> {
        use secrecy::ExposeSecret;
        let (fingerprint, _) = split(sealed)?;
        if self.sealing().is_some_and(|key| key.fingerprint == fingerprint) {
            return Ok(None);
        }
        let text = self.open(sealed, context)?;
        self.seal(text.expose_secret(), context).map(Some)
    }

    /// Of every key here, the newest first.
    pub fn fingerprints(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.fingerprint.as_str()).collect()
    }

    /// Of the key that seals.
    pub fn seals_with(&self) -> &str {
        self.sealing().map_or("", |key| key.fingerprint.as_str())
    }

    /// Seals with this one of its keys from now on, in every clone. Answers whether it is here.
    pub fn seal_with(&self, fingerprint: &str) -> bool {
        let found = self.keys.iter().position(|key| key.fingerprint == fingerprint);
        if let Some(at) = found {
            self.seals.store(at, Ordering::Relaxed);
        }
        found.is_some()
    }

    /// How every envelope begins that is sealed with the key that seals now: [`SEALED_HEAD_CHARS`] characters.
    pub fn head(&self) -> String {
        format!("{PREFIX}{}", self.seals_with())
    }

    fn sealing(&self) -> Option<&Key> {
        self.keys.get(self.seals.load(Ordering::Relaxed))
    }
}

impl Key {
    fn new(bytes: &KeyBytes) -> Result<Self, VaultError> {
        let fingerprint = seal_key::fingerprint(bytes);
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes.as_slice()).map_err(|_| VaultError::Refused)?;
        Ok(Self { fingerprint, key })
    }
}

/// The fingerprint of the key that an envelope was sealed with, from its first [`SEALED_HEAD_CHARS`] characters; `None` for what is no
/// envelope.
pub fn sealed_with(head: &str) -> Option<&str> {
    let fingerprint = head.strip_prefix(PREFIX)?.get(..FINGERPRINT_CHARS)?;
    fingerprint.chars().all(|c| c.is_ascii_hexdigit()).then_some(fingerprint)
}

fn associated(context: &str) -> String {
    format!("{PREFIX}{context}")
}

/// Fingerprint and data.
fn split(sealed: &str) -> Result<(&str, &str), VaultError> {
    // Four characters for three bytes, and the envelope.
    let longest = (SEALED_BYTES_MAX + 64) / 3 * 4 + 64;
    if sealed.len() > longest {
        return Err(VaultError::NotSealed);
    }
    let (fingerprint, data) =
        sealed.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).ok_or(VaultError::NotSealed)?;
    let well_formed = fingerprint.len() == FINGERPRINT_CHARS && fingerprint.chars().all(|c| c.is_ascii_hexdigit());
    if well_formed { Ok((fingerprint, data)) } else { Err(VaultError::NotSealed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KEY_FILE;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use secrecy::ExposeSecret;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn vault() -> Vault {
        Vault::with_keys(Path::new("/nonexistent"), &current(key(7))).unwrap()
    }

    fn current(key: SecretString) -> KeySources {
        KeySources { current: Some(key), ..KeySources::default() }
    }

    fn key(byte: u8) -> SecretString {
        STANDARD.encode([byte; 32]).into()
    }

    fn opened(vault: &Vault, sealed: &str) -> String {
        vault.open(sealed, "desktop:1").unwrap().expose_secret().to_owned()
    }

    #[test]
    fn the_envelope_names_its_key() {
        let vault = vault();
        let sealed = vault.seal("secret", "desktop:1").unwrap();
        let parts: Vec<_> = sealed.split(':').collect();
        assert_eq!(parts[..2], ["oriel", "v1"]);
        assert_eq!(parts[2], vault.fingerprints()[0]);
        assert_eq!(STANDARD_NO_PAD.decode(parts[3]).unwrap().len(), 12 + 6 + 16);
        assert_ne!(sealed, vault.seal("secret", "desktop:1").unwrap());
        assert!(!format!("{vault:?}").contains(key(7).expose_secret()));
    }

    #[test]
    fn a_row_cannot_read_anothers() {
        let sealed = vault().seal("secret", "desktop:1").unwrap();
        let swapped = vault().open(&sealed, "desktop:2").unwrap_err();
        assert!(matches!(&swapped, VaultError::Damaged { context } if context == "desktop:2"), "{swapped}");
    }

    #[test]
    fn keys_rotate() {
        let folder = tempfile::tempdir().unwrap();
        let load = |current: Option<u8>, old: &str| {
            let sources =
                KeySources { current: current.map(key), old: Some(old.to_owned().into()), ..KeySources::default() };
            Vault::with_keys(folder.path(), &sources).unwrap()
        };
        let first = load(None, "");
        let sealed = first.seal("secret", "desktop:1").unwrap();
        // From the file to the environment: the file still opens.
        let second = load(Some(1), "");
        assert_eq!(opened(&second, &sealed), "secret");
        let resealed = second.reseal(&sealed, "desktop:1").unwrap().unwrap();
        assert_eq!(second.reseal(&resealed, "desktop:1").unwrap(), None);
        fs::remove_file(folder.path().join(KEY_FILE)).unwrap();
        let old = format!(" {} , {} ,", key(9).expose_secret(), key(1).expose_secret());
        let third = load(Some(2), &old);
        assert_eq!(third.fingerprints().len(), 3);
        assert_eq!(opened(&third, &resealed), "secret");
        // And with the key gone, the error names it.
        let missing = third.open(&sealed, "desktop:1").unwrap_err();
        assert!(missing.to_string().contains(first.fingerprints()[0]), "{missing}");
        assert!(missing.to_string().contains(third.fingerprints()[2]), "{missing}");
        assert!(!folder.path().join(KEY_FILE).exists());
    }

    #[test]
    fn keys_come_from_files_and_credentials_too() {
        let (folder, credentials) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = Vault::with_keys(folder.path(), &KeySources::default()).unwrap();
        let sealed = first.seal("secret", "desktop:1").unwrap();
        // A key is put before the others of the file.
        let made = crate::add_key(folder.path()).unwrap();
        let second = Vault::with_keys(folder.path(), &KeySources::default()).unwrap();
        assert_eq!(second.fingerprints(), [made.as_str(), first.fingerprints()[0]]);
        assert_eq!((second.seals_with(), opened(&second, &sealed).as_str()), (made.as_str(), "secret"));
        // It seals with an earlier one while it is told so, in every clone.
        assert!(second.clone().seal_with(first.fingerprints()[0]) && !second.seal_with("0000000000000000"));
        assert_eq!(second.reseal(&sealed, "desktop:1").unwrap(), None);
        assert!(sealed.starts_with(&second.head()) && second.head().len() == SEALED_HEAD_CHARS);
        assert_eq!(sealed_with(&second.head()), Some(first.fingerprints()[0]));
        assert_eq!((sealed_with("sealed"), sealed_with("oriel:v1:é234567890abcdef")), (None, None));
        // The systemd credential, which its owner's group may read, comes before the folder.
        let file = credentials.path().join(crate::KEY_CREDENTIAL);
        fs::write(&file, format!("# ours\n{}\n\n{}\n", key(3).expose_secret(), key(4).expose_secret())).unwrap();
        let from = KeySources { credential: Some(file.clone()), ..KeySources::default() };
        for (mode, good) in [(0o440, true), (0o444, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Vault::with_keys(folder.path(), &from).is_ok(), good, "{mode:o}");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        let third = Vault::with_keys(folder.path(), &from).unwrap();
        assert_eq!((third.fingerprints().len(), opened(&third, &sealed).as_str()), (4, "secret"));
        assert_eq!(third.seals_with(), Vault::with_keys(folder.path(), &current(key(3))).unwrap().seals_with());
        // Under which nothing is sealed any more goes; the last one never does.
        assert!(crate::remove_key(folder.path(), first.fingerprints()[0]).unwrap());
        assert!(!crate::remove_key(folder.path(), first.fingerprints()[0]).unwrap());
        assert!(crate::remove_key(folder.path(), &made).is_err());
        let text = fs::read_to_string(folder.path().join(KEY_FILE)).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let many = vec![key(1).expose_secret().to_owned(); 40].join(",");
        let many = KeySources { old: Some(many.into()), ..KeySources::default() };
        assert!(matches!(Vault::with_keys(folder.path(), &many), Err(VaultError::TooManyKeys { .. })));
    }

    #[test]
    fn a_file_of_keys_loses_none() {
        let folder = tempfile::tempdir().unwrap();
        Vault::with_keys(folder.path(), &KeySources::default()).unwrap();
        // Of several who add one at the same time nobody loses theirs.
        let added: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| crate::add_key(folder.path()).unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let all = Vault::with_keys(folder.path(), &KeySources::default()).unwrap();
        assert!(added.iter().all(|one| all.fingerprints().contains(&one.as_str())) && all.fingerprints().len() == 9);
        // With one more than the server takes it would not start; of a file that is too long no part is taken.
        while Vault::with_keys(folder.path(), &KeySources::default()).unwrap().fingerprints().len() < 32 {
            crate::add_key(folder.path()).unwrap();
        }
        assert!(matches!(crate::add_key(folder.path()), Err(VaultError::TooManyKeys { .. })));
        let long = format!("{}\n{}\n", key(5).expose_secret(), "# remark\n".repeat(1000));
        fs::write(folder.path().join(KEY_FILE), &long).unwrap();
        let refused = crate::add_key(folder.path()).unwrap_err();
        assert!(matches!(refused, VaultError::KeyFileLong { .. }), "{refused}");
        assert_eq!(fs::read_to_string(folder.path().join(KEY_FILE)).unwrap(), long);
    }

    #[test]
    fn the_file_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        let prints: Vec<String> = std::thread::scope(|scope| {
            let load = || Vault::with_keys(folder.path(), &KeySources::default()).unwrap().fingerprints()[0].to_owned();
            let all: Vec<_> = (0..16).map(|_| scope.spawn(load)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(prints.iter().all(|print| print == &prints[0]), "{prints:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, [KEY_FILE]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Vault::with_keys(folder.path(), &KeySources::default()).unwrap_err();
        assert!(refused.to_string().contains("mode is 640"), "{refused}");
    }

    #[test]
    fn bad_keys_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["", "short", "not base64!", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            let refused = Vault::with_keys(folder.path(), &current(bad.to_owned().into())).unwrap_err();
            assert!(refused.to_string().starts_with("ORIEL_SEAL_KEY is not a key"), "{refused}");
        }
        let other = URL_SAFE_NO_PAD.encode([0xfb; 32]);
        Vault::with_keys(folder.path(), &current(other.into())).unwrap();
        fs::write(folder.path().join(KEY_FILE), "x\n").unwrap();
        fs::set_permissions(folder.path().join(KEY_FILE), fs::Permissions::from_mode(0o600)).unwrap();
        let refused = Vault::with_keys(folder.path(), &KeySources::default()).unwrap_err();
        assert!(refused.to_string().contains(KEY_FILE), "{refused}");
        let nowhere = Vault::with_keys(&folder.path().join("missing"), &KeySources::default()).unwrap_err();
        assert!(matches!(nowhere, VaultError::KeyFile { .. }), "{nowhere}");
    }

    #[test]
    fn too_long_is_refused() {
        let longest = "x".repeat(SEALED_BYTES_MAX);
        let sealed = vault().seal(&longest, "desktop:1").unwrap();
        assert_eq!(opened(&vault(), &sealed), longest);
        assert!(matches!(vault().seal(&format!("{longest}x"), "desktop:1"), Err(VaultError::TooLong)));
        assert!(matches!(vault().open(&"x".repeat(1 << 20), "desktop:1"), Err(VaultError::NotSealed)));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(text in "\\PC{0,200}", context in "\\PC{0,40}") {
            let sealed = vault().seal(&text, &context).unwrap();
            let opened = vault().open(&sealed, &context).unwrap();
            prop_assert_eq!(opened.expose_secret(), text.as_str());
        }

        /// Any change to any character is noticed.
        #[test]
        fn damage_is_noticed(at in 0_usize..100, to in proptest::char::range('!', '~')) {
            let sealed = vault().seal("a secret of some length", "desktop:1").unwrap();
            let mut chars: Vec<char> = sealed.chars().collect();
            let at = at % chars.len();
            prop_assume!(chars[at] != to);
            // Hexadecimal digits of the fingerprint are compared as they are; no other place is without meaning.
            chars[at] = to;
            let damaged: String = chars.into_iter().collect();
            prop_assert!(vault().open(&damaged, "desktop:1").is_err());
        }

        #[test]
        fn any_text_is_total(text in "(oriel:v1:)?[0-9a-f]{0,17}:?\\PC{0,80}") {
            prop_assert!(vault().open(&text, "desktop:1").is_err());
        }
    }
}
