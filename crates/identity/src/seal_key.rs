//! Where the sealing keys come from: a file in the data folder, made at the first start, or the environment, where
//! several programs share one database.

use crate::vault::VaultError;
use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use std::{
    fs::{File, OpenOptions, Permissions},
    io::{Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// The key's file in the data folder, readable by its owner only: 32 bytes as base64.
pub const KEY_FILE: &str = "seal.key";
/// Environment: the key that seals, 32 bytes as base64. Then no file is made; one that is there still opens.
pub const SEAL_KEY: &str = "ORIEL_SEAL_KEY";
/// Environment: earlier keys, separated by commas, that still open what they sealed.
pub const SEAL_KEY_OLD: &str = "ORIEL_SEAL_KEY_OLD";

/// Earlier keys that are looked at.
const OLD_KEYS_MAX: usize = 16;
/// A key's text is 44 characters; a file that is much longer is something else.
const KEY_FILE_BYTES_MAX: u64 = 1024;

pub(crate) type KeyBytes = Zeroizing<[u8; 32]>;

/// Standard or URL-safe alphabet, with or without padding: however the key was made.
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// All keys, the one that seals first.
pub(crate) fn keys(
    folder: &Path,
    current: Option<&SecretString>,
    old: Option<&SecretString>,
) -> Result<Vec<KeyBytes>, VaultError> {
    let mut keys = Vec::new();
    if let Some(current) = current {
        keys.push(parse(current.expose_secret(), SEAL_KEY)?);
    }
    let path = folder.join(KEY_FILE);
    match read(&path)? {
        Some(key) => keys.push(key),
        None if keys.is_empty() => keys.push(make(&path)?),
        None => {}
    }
    let old = old.map(ExposeSecret::expose_secret).unwrap_or_default();
    for text in old.split(',').map(str::trim).filter(|text| !text.is_empty()).take(OLD_KEYS_MAX) {
        keys.push(parse(text, SEAL_KEY_OLD)?);
    }
    Ok(keys)
}

fn parse(text: &str, from: &str) -> Result<KeyBytes, VaultError> {
    let text = text.trim();
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).map(Zeroizing::new);
    bytes
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
        .map(Zeroizing::new)
        .ok_or_else(|| VaultError::BadKey { from: from.to_owned() })
}

/// The file's key, if the file is there.
fn read(path: &Path) -> Result<Option<KeyBytes>, VaultError> {
    let failed = |source| VaultError::KeyFile { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(VaultError::KeyFileOpen { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    parse(&text, &path.display().to_string()).map(Some)
}

/// Makes the file. It appears whole or not at all, and of two programs that make it together both end up with one key.
fn make(path: &Path) -> Result<KeyBytes, VaultError> {
    let failed = |source| VaultError::KeyFile { path: path.to_owned(), source };
    let key = Zeroizing::new(rand::random::<[u8; 32]>());
    let text = Zeroizing::new(format!("{}\n", general_purpose::STANDARD.encode(*key)));
    let new = path.with_extension(format!("key.{:016x}", rand::random::<u64>()));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    // A link, unlike a rename, does not replace the key that another program has put there meanwhile.
    let linked = written.and_then(|()| std::fs::hard_link(&new, path));
    let removed = std::fs::remove_file(&new);
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
        Ok(()) => {
            removed.map_err(failed)?;
            // The folder's entry too: a key that is lost in a power cut takes all that it sealed with it.
            if let Some(folder) = path.parent() {
                File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
            }
        }
    }
    read(path)?.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))
}
