//! The file that `oriel backup` writes: a gzipped tar whose first member says what the others are.
//!
//! ```text
//! manifest.json         format, program, time, the schema's steps; name, size and SHA-256 of every member
//! database/TABLE.jsonl  rows (store::dump), in the order in which they go back
//! files/NAME            seal.key, oriel.toml, tls/certificate.pem, tls/key.pem: those that there are
//! ```
//! Everything that is read back is held against the manifest before anything is done with it.

use crate::failure::Failure;
use data_encoding::HEXLOWER;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The format that is written, and the only one that there is.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
const MEMBERS_MAX: usize = 1000;
/// Most bytes of all members together: far more than any database of desktops.
const BYTES_MAX: u64 = 64 << 30;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// The program's version.
    pub oriel: String,
    /// RFC 3339.
    pub made: String,
    /// The steps of the database's schema.
    pub schema: Vec<String>,
    pub members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
    /// Of tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// A backup's members as files in a folder that goes when this does.
pub struct Archive {
    folder: TempDir,
    pub manifest: Manifest,
}

impl Archive {
    /// An empty one, whose members are kept beside the file that it will be.
    pub fn new(beside: &Path, schema: Vec<String>) -> Result<Self, Failure> {
        let folder = folder_beside(beside)?;
        let manifest = Manifest {
            format: FORMAT,
            oriel: env!("CARGO_PKG_VERSION").to_owned(),
            made: jiff::Timestamp::now().to_string(),
            schema,
            members: Vec::new(),
        };
        Ok(Self { folder, manifest })
    }

    /// Where the member's content is, or goes.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name.replace('/', "_"))
    }

    /// Takes in what lies at [`Self::path`].
    pub fn add(&mut self, name: &str, rows: Option<u64>) -> std::io::Result<()> {
        let (bytes, sha256) = digest(&mut File::open(self.path(name))?, &mut std::io::sink())?;
        self.manifest.members.push(Member { name: name.to_owned(), bytes, sha256, rows });
        Ok(())
    }

    /// Writes the file, which only its owner may read, at once or not at all.
    pub fn write(&self, file: &Path) -> std::io::Result<u64> {
        let mut new = tempfile::Builder::new().prefix(".oriel-backup-").tempfile_in(parent(file))?;
        let mut tar = tar::Builder::new(GzEncoder::new(new.as_file_mut(), Compression::default()));
        let manifest = serde_json::to_vec_pretty(&self.manifest)?;
        tar.append_data(&mut header(manifest.len() as u64), MANIFEST, manifest.as_slice())?;
        for member in &self.manifest.members {
            tar.append_data(&mut header(member.bytes), &member.name, File::open(self.path(&member.name))?)?;
        }
        tar.into_inner()?.finish()?;
        new.as_file().sync_all()?;
        let bytes = new.as_file().metadata()?.len();
        new.persist(file).map_err(|error| error.error)?;
        Ok(bytes)
    }

    /// Reads a file and holds every member against the manifest. Errors: what is wrong with it.
    pub fn read(file: &Path, beside: &Path) -> Result<Self, Failure> {
        let failed = |why: String| {
            Failure::new(format!("{} is no backup that can be restored: {why}", file.display()))
                .next("take another one; `oriel restore --check FILE` says whether it is whole")
        };
        let reader = File::open(file).map_err(|error| {
            Failure::because(format!("cannot read {}", file.display()), &error).code(crate::failure::USAGE)
        })?;
        let folder = folder_beside(beside)?;
        let damaged = |error: std::io::Error| failed(format!("it is cut off or damaged ({error})"));
        let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(reader)));
        let entries = tar.entries().map_err(damaged)?;
        let mut archive: Option<Self> = None;
        let mut folder = Some(folder);
        let mut seen = 0;
        for entry in entries {
            let mut entry = entry.map_err(damaged)?;
            let name = String::from_utf8(entry.path_bytes().into_owned())
                .map_err(|_| failed("a name in it is not text".into()))?;
            let Some(archive) = &mut archive else {
                if name != MANIFEST || entry.size() > MANIFEST_BYTES_MAX {
                    return Err(failed("it does not begin with a manifest".into()));
                }
                let mut text = Vec::new();
                entry.read_to_end(&mut text).map_err(damaged)?;
                let manifest: Manifest = serde_json::from_slice(&text)
                    .map_err(|error| failed(format!("its manifest does not fit ({error})")))?;
                check(&manifest).map_err(failed)?;
                archive = folder.take().map(|folder| Self { folder, manifest });
                continue;
            };
            let Some(member) = archive.manifest.members.get(seen).filter(|member| member.name == name) else {
                return Err(failed(format!("{name:?} in it is not where its manifest says")));
            };
            let mut out = private(&archive.path(&name)).map_err(damaged)?;
            let (bytes, sha256) = digest(&mut (&mut entry).take(member.bytes + 1), &mut out).map_err(damaged)?;
            if (bytes, &sha256) != (member.bytes, &member.sha256) {
                return Err(failed(format!("{name} in it is not what was written (its SHA-256 differs)")));
            }
            seen += 1;
        }
        match archive {
            Some(archive) if archive.manifest.members.len() == seen => Ok(archive),
            Some(_) => Err(failed("it is cut off: members of its manifest are missing".into())),
            None => Err(failed("it is empty".into())),
        }
    }

    /// The names of members below a folder of the archive, in order.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a Member)> {
        self.manifest
            .members
            .iter()
            .filter_map(move |member| Some((member.name.strip_prefix(folder)?.strip_prefix('/')?, member)))
    }

    /// A member line by line. Errors: a line that is longer than so many bytes.
    pub fn lines(
        &self,
        name: &str,
        bytes_max: usize,
    ) -> std::io::Result<impl Iterator<Item = std::io::Result<String>>> {
        let mut reader = BufReader::new(File::open(self.path(name))?);
        let limit = bytes_max as u64 + 1;
        Ok(std::iter::from_fn(move || {
            let mut line = String::new();
            match (&mut reader).take(limit).read_line(&mut line) {
                Ok(0) => None,
                Ok(bytes) if bytes as u64 == limit => Some(Err(std::io::Error::other("a line is too long"))),
                Ok(_) => Some(Ok(line)),
                Err(error) => Some(Err(error)),
            }
        }))
    }
}

fn check(manifest: &Manifest) -> Result<(), String> {
    if manifest.format != FORMAT {
        return Err(format!("its format is {}, and this program reads {FORMAT}", manifest.format));
    }
    if manifest.members.len() > MEMBERS_MAX {
        return Err(format!("it has more than {MEMBERS_MAX} members"));
    }
    let bytes = manifest.members.iter().try_fold(0_u64, |sum, member| sum.checked_add(member.bytes));
    if bytes.is_none_or(|bytes| bytes > BYTES_MAX) {
        return Err("it is larger than any database of desktops".to_owned());
    }
    Ok(())
}

fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header
}

fn digest(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<(u64, String)> {
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    let mut block = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut block)?;
        let Some(part) = block.get(..count).filter(|part| !part.is_empty()) else { break };
        sha256.update(part);
        to.write_all(part)?;
        bytes += count as u64;
    }
    let hex = HEXLOWER.encode(&sha256.finalize());
    Ok((bytes, hex))
}

fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn folder_beside(file: &Path) -> Result<TempDir, Failure> {
    tempfile::Builder::new().prefix(".oriel-backup-").tempdir_in(parent(file)).map_err(|error| {
        Failure::because(format!("cannot write beside {}", file.display()), &error)
            .next("name a file in a folder that may be written")
    })
}

/// A new file that only its owner may read.
pub fn private(path: &Path) -> std::io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(folder: &Path) -> PathBuf {
        let file = folder.join("a.tar.gz");
        let mut archive = Archive::new(&file, vec!["m0001_ground".into()]).unwrap();
        for (name, text) in [("database/users.jsonl", "{}\n{}\n"), ("files/seal.key", "key\n")] {
            private(&archive.path(name)).unwrap().write_all(text.as_bytes()).unwrap();
            archive.add(name, None).unwrap();
        }
        archive.write(&file).unwrap();
        file
    }

    #[test]
    fn comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = made(folder.path());
        let archive = Archive::read(&file, &file).unwrap();
        assert_eq!(archive.below("database").map(|(name, _)| name).collect::<Vec<_>>(), ["users.jsonl"]);
        let lines: Vec<_> = archive.lines("database/users.jsonl", 10).unwrap().map(Result::unwrap).collect();
        assert_eq!(lines, ["{}\n", "{}\n"]);
        assert!(archive.lines("database/users.jsonl", 2).unwrap().any(|line| line.is_err()));
        drop(archive);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["a.tar.gz"]);
    }

    #[test]
    fn what_was_cut_off_or_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = made(folder.path());
        let whole = fs::read(&file).unwrap();
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            // The end of a tar is two empty blocks: what lacks nothing else may pass.
            if let Ok(archive) = Archive::read(&file, &file) {
                assert_eq!(archive.manifest.members.len(), 2);
            }
        }
        let mut passed = 0;
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x20;
            fs::write(&file, &changed).unwrap();
            passed += usize::from(Archive::read(&file, &file).is_ok());
        }
        // The header's time, flags and name are nobody's business; the content is.
        assert!(passed < 40, "{passed}");
        fs::write(&file, b"no").unwrap();
        assert!(Archive::read(&file, &file).is_err());
    }
}
