//! Where the sealing keys come from: a file in the data folder, made at the first start, or the environment, another file or a
//! systemd credential, where several programs share one database.
//!
//! All of them together are the keys that open; the first of them is the newest, which seals. The order: [`SEAL_KEY`],
//! [`SEAL_KEY_FILE`], the credential [`KEY_CREDENTIAL`], the data folder's [`KEY_FILE`], [`SEAL_KEY_OLD`]. In a file each line is a key,
//! the newest first; empty lines and those that begin with `#` are nothing.

use crate::{sha256_hex, vault::VaultError};
use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use std::{
    fs::{File, OpenOptions, Permissions},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

/// The keys' file in the data folder, readable by its owner only: 32 bytes as base64 in each line.
pub const KEY_FILE: &str = "seal.key";
/// The keys' file among the credentials that systemd gives (`LoadCredential=`, `LoadCredentialEncrypted=`).
pub const KEY_CREDENTIAL: &str = "oriel.seal.key";
/// Environment: the key that seals, 32 bytes as base64. Then no file is made; one that is there still opens.
pub const SEAL_KEY: &str = "ORIEL_SEAL_KEY";
/// Environment: the path of a file of keys, as [`KEY_FILE`] is one.
pub const SEAL_KEY_FILE: &str = "ORIEL_SEAL_KEY_FILE";
/// Environment: earlier keys, separated by commas, that still open what they sealed.
pub const SEAL_KEY_OLD: &str = "ORIEL_SEAL_KEY_OLD";
/// Environment: where systemd puts a service's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Keys that one program has, from all places together.
const KEYS_MAX: usize = 32;
/// A key's text is 44 characters; a file that is much longer is something else.
const KEY_FILE_BYTES_MAX: u64 = 8 << 10;
/// Hexadecimal digits of a fingerprint.
pub(crate) const FINGERPRINT_CHARS: usize = 16;

/// Who may not read a file of keys: of the data folder anybody but its owner; of what was put there for a service, anybody but it and a
/// group, as systemd's access lists and Kubernetes' volumes show in a file's mode.
const NOT_PRIVATE: u32 = 0o077;
const FOR_EVERYBODY: u32 = 0o007;

pub(crate) type KeyBytes = Zeroizing<[u8; 32]>;

/// Standard or URL-safe alphabet, with or without padding: however the key was made.
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Where keys are beside the data folder.
#[derive(Debug, Default)]
pub struct KeySources {
    /// One key: the newest.
    pub current: Option<SecretString>,
    /// A file of keys.
    pub file: Option<PathBuf>,
    /// A file of keys that systemd put there.
    pub credential: Option<PathBuf>,
    /// Earlier keys, separated by commas.
    pub old: Option<SecretString>,
}

impl KeySources {
    pub fn from_environment() -> Self {
        let secret = |name| std::env::var(name).ok().map(SecretString::from);
        let path = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let credential = path(CREDENTIALS).map(|folder| folder.join(KEY_CREDENTIAL)).filter(|path| path.exists());
        Self { current: secret(SEAL_KEY), file: path(SEAL_KEY_FILE), credential, old: secret(SEAL_KEY_OLD) }
    }
}

/// All keys, the newest first.
pub(crate) fn keys(folder: &Path, sources: &KeySources) -> Result<Vec<KeyBytes>, VaultError> {
    let mut keys = Vec::new();
    if let Some(current) = &sources.current {
        keys.push(parse(current.expose_secret(), SEAL_KEY)?);
    }
    for path in [&sources.file, &sources.credential].into_iter().flatten() {
        keys.extend(read(path, FOR_EVERYBODY)?.ok_or_else(|| missing(path))?);
    }
    let path = folder.join(KEY_FILE);
    match read(&path, NOT_PRIVATE)? {
        Some(own) => keys.extend(own),
        None if keys.is_empty() => keys.push(make(&path)?),
        None => {}
    }
    let old = sources.old.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    for text in old.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        keys.push(parse(text, SEAL_KEY_OLD)?);
    }
    if keys.len() > KEYS_MAX { Err(VaultError::TooManyKeys { max: KEYS_MAX }) } else { Ok(keys) }
}

/// What a key is called, in envelopes and by people. The key has 256 random bits: a part of its hash gives nothing away.
pub(crate) fn fingerprint(key: &KeyBytes) -> String {
    let mut fingerprint = sha256_hex([b"oriel seal key ".as_slice(), key.as_slice()].concat());
    fingerprint.truncate(FINGERPRINT_CHARS);
    fingerprint
}

/// Puts a fresh key before those of the data folder's file, and answers its fingerprint: the next start seals with it, unless another
/// place has one. Errors: `KeyFile`, `KeyFileOpen`, `KeyFileLong`, `BadKey`, `TooManyKeys`.
pub fn add_key(folder: &Path) -> Result<String, VaultError> {
    let path = folder.join(KEY_FILE);
    let _held = hold(&path)?;
    let before = text_of(&path, NOT_PRIVATE)?.unwrap_or_default();
    // With one more the server would not start.
    if parse_all(&before, &path)?.len() >= KEYS_MAX {
        return Err(VaultError::TooManyKeys { max: KEYS_MAX });
    }
    let (key, mut text) = fresh();
    text.push_str(&before);
    replace(&path, &text)?;
    Ok(fingerprint(&key))
}

/// Takes a key out of the data folder's file; answers whether it was there.
/// Errors: `LastKey`, `KeyFile`, `KeyFileOpen`, `KeyFileLong`, `BadKey`.
pub fn remove_key(folder: &Path, doomed: &str) -> Result<bool, VaultError> {
    let path = folder.join(KEY_FILE);
    let _held = hold(&path)?;
    let Some(before) = text_of(&path, NOT_PRIVATE)? else { return Ok(false) };
    let keys = parse_all(&before, &path)?;
    if keys.iter().all(|key| fingerprint(key) != doomed) {
        return Ok(false);
    }
    if keys.iter().all(|key| fingerprint(key) == doomed) {
        return Err(VaultError::LastKey { path });
    }
    let mut text = Zeroizing::new(String::with_capacity(before.len()));
    for line in before.lines() {
        let is_doomed = is_key(line) && fingerprint(&parse(line, KEY_FILE)?) == doomed;
        if !is_doomed {
            text.push_str(line);
            text.push('\n');
        }
    }
    replace(&path, &text)?;
    Ok(true)
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

fn is_key(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

/// A file's keys.
fn parse_all(text: &str, path: &Path) -> Result<Vec<KeyBytes>, VaultError> {
    let lines = text.lines().enumerate().filter(|(_, line)| is_key(line));
    lines.map(|(at, line)| parse(line, &format!("line {} of {}", at + 1, path.display()))).collect()
}

/// The file's keys, if the file is there: one at least.
fn read(path: &Path, forbidden: u32) -> Result<Option<Vec<KeyBytes>>, VaultError> {
    let Some(text) = text_of(path, forbidden)? else { return Ok(None) };
    let keys = parse_all(&text, path)?;
    if keys.is_empty() { Err(VaultError::BadKey { from: path.display().to_string() }) } else { Ok(Some(keys)) }
}

/// What is in the file, if it is there and closed to those whom `forbidden` (bits of its mode) names.
fn text_of(path: &Path, forbidden: u32) -> Result<Option<Zeroizing<String>>, VaultError> {
    let failed = |source| VaultError::KeyFile { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & forbidden != 0 {
        return Err(VaultError::KeyFileOpen { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    let length = file.take(KEY_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    // A part of it would be fewer keys, and whoever writes it anew would lose the others.
    if length as u64 > KEY_FILE_BYTES_MAX {
        return Err(VaultError::KeyFileLong { path: path.to_owned(), max: KEY_FILE_BYTES_MAX });
    }
    Ok(Some(text))
}

/// While it is held nobody else changes the folder's keys: of two who add one at the same time, one would lose theirs.
fn hold(path: &Path) -> Result<File, VaultError> {
    let folder = path.parent().unwrap_or(path);
    let folder = File::open(folder).map_err(|source| VaultError::KeyFile { path: path.to_owned(), source })?;
    // Where a file system has no locks for folders it goes without: that is a matter of milliseconds.
    folder.lock().ok();
    Ok(folder)
}

/// A key, and its line.
fn fresh() -> (KeyBytes, Zeroizing<String>) {
    let key = Zeroizing::new(rand::random::<[u8; 32]>());
    let text = Zeroizing::new(format!("{}\n", general_purpose::STANDARD.encode(*key)));
    (key, text)
}

/// Makes the file. It appears whole or not at all, and of two programs that make it together both end up with one key.
fn make(path: &Path) -> Result<KeyBytes, VaultError> {
    let failed = |source| VaultError::KeyFile { path: path.to_owned(), source };
    let _held = hold(path)?;
    let (_, text) = fresh();
    let new = beside(path);
    // A link, unlike a rename, does not replace the key that another program has put there meanwhile.
    let linked = write(&new, &text).and_then(|()| std::fs::hard_link(&new, path));
    let removed = std::fs::remove_file(&new);
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
        Ok(()) => {
            removed.map_err(failed)?;
            keep_folder(path).map_err(failed)?;
        }
    }
    let keys = read(path, NOT_PRIVATE)?.unwrap_or_default();
    keys.into_iter().next().ok_or_else(|| missing(path))
}

/// Puts another text in the file's place: what is there is always whole.
fn replace(path: &Path, text: &str) -> Result<(), VaultError> {
    let new = beside(path);
    let done = write(&new, text)
        .and_then(|()| give_to_owner(&new, path))
        .and_then(|()| std::fs::rename(&new, path))
        .and_then(|()| keep_folder(path));
    if done.is_err() {
        std::fs::remove_file(&new).ok();
    }
    done.map_err(|source| VaultError::KeyFile { path: path.to_owned(), source })
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension(format!("key.{:016x}", rand::random::<u64>()))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// An administrator may do this for the account that the server runs as, which must be able to read it.
fn give_to_owner(new: &Path, path: &Path) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let was = std::fs::metadata(path).or_else(|_| std::fs::metadata(folder))?;
    let is = std::fs::metadata(new)?;
    if (was.uid(), was.gid()) == (is.uid(), is.gid()) { Ok(()) } else { chown(new, Some(was.uid()), Some(was.gid())) }
}

/// The folder's entry too: a key that is lost in a power cut takes all that it sealed with it.
fn keep_folder(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn missing(path: &Path) -> VaultError {
    VaultError::KeyFile { path: path.to_owned(), source: std::io::ErrorKind::NotFound.into() }
}
