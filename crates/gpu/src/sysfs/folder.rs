//! A host's files below a folder: `/` is the running host, any other folder an unpacked capture.

use super::{COMMANDS, FILE_MAX, NAMES_MAX, PROGRAMS, SAVED, Sysfs, command_file, tree::resolve};
use rustix::{
    fs::{Dir, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    collections::HashMap,
    fs,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, PoisonError, RwLock},
};

/// What a command may print, in bytes.
const OUTPUT_MAX: u64 = 8 << 20;

/// Most bytes of a link's target that [`Sysfs::links_to`] looks at (`PATH_MAX` of Linux).
const TARGET_MAX: usize = 4096;

/// Most folders of which it is remembered where they really are, and most paths above them of which it is remembered what they are.
const KNOWN_MAX: usize = 65_536;

/// What was found out about a capture's folders: the same few stand above everything that is asked for.
#[derive(Debug, Default)]
struct Known {
    /// Where a folder really is.
    folders: RwLock<HashMap<String, String>>,
    /// Where a path points to, if it is a link.
    links: RwLock<HashMap<String, Option<String>>>,
}

fn recall<T: Clone>(known: &RwLock<HashMap<String, T>>, path: &str) -> Option<T> {
    known.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
}

fn remember<T>(known: &RwLock<HashMap<String, T>>, path: &str, value: T) {
    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
    if known.len() < KNOWN_MAX {
        known.insert(path.to_owned(), value);
    }
}

#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    live: bool,
    /// Of a captured host, whose links are followed here rather than by the kernel.
    known: Arc<Known>,
}

impl Folder {
    /// The running host.
    pub fn host() -> Self {
        Self { root: PathBuf::from("/"), live: true, known: Arc::default() }
    }

    /// A folder with a host's files in it. It is only read.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { live: root == Path::new("/"), root, known: Arc::default() }
    }

    /// Where a path of the host lies, its links followed without leaving the root.
    fn place(&self, path: &str, follow_last: bool) -> io::Result<PathBuf> {
        if self.live && follow_last {
            return Ok(PathBuf::from(path));
        }
        let real = match self.above(path)? {
            Some(real) if !follow_last || self.target(&real)?.is_none() => real,
            _ => resolve(path, follow_last, |one| self.look(one))?,
        };
        Ok(self.root.join(real.trim_start_matches('/')))
    }

    /// Opens what a path of the host leads to, its links followed without leaving the root. Hardly anything is a link itself: only
    /// where the kernel says so is it looked at.
    fn open(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
        if self.live {
            return Ok(rustix::fs::open(path, flags, Mode::empty())?);
        }
        if let Some(real) = self.above(path)? {
            match rustix::fs::open(
                self.root.join(real.trim_start_matches('/')),
                flags | OFlags::NOFOLLOW,
                Mode::empty(),
            ) {
                Ok(file) => return Ok(file),
                // A link; with `DIRECTORY` the kernel calls it no folder.
                Err(Errno::LOOP | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(rustix::fs::open(self.place(path, true)?, flags, Mode::empty())?)
    }

    /// A path of the capture with all links above its last part followed; `None` where that is no name.
    fn above(&self, path: &str) -> io::Result<Option<String>> {
        let Some((above, name)) = path.rsplit_once('/').filter(|(_, name)| !matches!(*name, "" | "." | "..")) else {
            return Ok(None);
        };
        let real = match recall(&self.known.folders, above) {
            Some(real) => real,
            None => {
                let real = resolve(above, true, |one| self.look(one))?;
                remember(&self.known.folders, above, real.clone());
                real
            }
        };
        Ok(Some(format!("{}/{name}", real.trim_end_matches('/'))))
    }

    /// Where a path of the capture, all above it being real, points to; `None` for what is no link.
    fn target(&self, one: &str) -> io::Result<Option<String>> {
        match fs::read_link(self.root.join(one.trim_start_matches('/'))) {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
            // What it says of everything that is there and no link.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn look(&self, one: &str) -> io::Result<Option<String>> {
        if let Some(known) = recall(&self.known.links, one) {
            return Ok(known);
        }
        let target = self.target(one)?;
        remember(&self.known.links, one, target.clone());
        Ok(target)
    }
}

impl Sysfs for Folder {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        fs::File::from(self.open(path, OFlags::empty())?).take(FILE_MAX as u64).read_to_end(&mut content)?;
        Ok(content)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::new(self.open(path, OFlags::DIRECTORY)?)?.take(NAMES_MAX) {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn link(&self, path: &str) -> io::Result<String> {
        if self.live {
            return Ok(fs::read_link(path)?.to_string_lossy().into_owned());
        }
        let real = match self.above(path)? {
            Some(real) => real,
            None => resolve(path, false, |one| self.look(one))?,
        };
        self.target(&real)?.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// Relative to the folder, which is opened once: a host has tens of thousands of open files.
    fn links_to(&self, folder: &str, starts: &[&str]) -> io::Result<(Vec<String>, usize)> {
        let mut dir = Dir::new(self.open(folder, OFlags::DIRECTORY)?)?;
        let (mut wanted, mut looked) = (Vec::new(), 0);
        let mut buffer = [0_u8; TARGET_MAX];
        while let Some(entry) = dir.read().filter(|_| looked < NAMES_MAX) {
            let entry = entry?;
            if !matches!(entry.file_type(), FileType::Symlink | FileType::Unknown) {
                continue;
            }
            looked += 1;
            let Ok(length) = rustix::fs::readlinkat_raw(dir.fd()?, entry.file_name(), buffer.as_mut_slice()) else {
                continue;
            };
            let target = buffer.get(..length).unwrap_or_default();
            if starts.iter().any(|start| target.starts_with(start.as_bytes())) {
                wanted.push(String::from_utf8_lossy(target).into_owned());
            }
        }
        wanted.sort_unstable();
        Ok((wanted, looked))
    }

    fn exists(&self, path: &str) -> bool {
        if self.live { Path::new(path).exists() } else { self.real_path(path).is_ok() }
    }

    fn real_path(&self, path: &str) -> io::Result<String> {
        if self.live {
            return Ok(fs::canonicalize(path)?.to_string_lossy().into_owned());
        }
        let place = self.place(path, true)?;
        fs::symlink_metadata(&place)?;
        Ok(format!("/{}", place.strip_prefix(&self.root).unwrap_or(&place).to_string_lossy()))
    }

    fn write(&self, path: &str, content: &[u8]) -> io::Result<()> {
        if !self.live {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        // Sysfs takes a value in one write, and never makes a file.
        fs::OpenOptions::new().write(true).open(path)?.write_all(content)
    }

    fn command(&self, argv: &[&str]) -> io::Result<String> {
        if !self.live {
            return self.read(&command_file(argv)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        }
        let [program, arguments @ ..] = argv else { return Err(io::ErrorKind::InvalidInput.into()) };
        if !COMMANDS.contains(&argv) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("`{}` is not among the commands that are read", argv.join(" ")),
            ));
        }
        let mut child = Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(OUTPUT_MAX).read_to_end(&mut output)?;
        }
        let status = child.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!("`{}` failed: {status}", argv.join(" "))));
        }
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    fn live(&self) -> bool {
        self.live
    }

    fn run(&self, argv: &[&str]) -> io::Result<()> {
        if !self.live {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let [program, arguments @ ..] = argv else { return Err(io::ErrorKind::InvalidInput.into()) };
        if !PROGRAMS.contains(&program.rsplit('/').next().unwrap_or_default()) {
            let text = format!("`{program}` is not among the programs that are run");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let output = Command::new(program).args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(());
        }
        // What went wrong stands in the last line of either stream.
        let text = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        let line = text.iter().filter_map(|text| text.lines().last()).find(|line| !line.is_empty());
        let line: String = line.unwrap_or("it says nothing").chars().take(400).collect();
        Err(io::Error::other(format!("`{}` ended with {}: {line}", argv.join(" "), output.status)))
    }

    fn save(&self, path: &str, content: Option<&[u8]>) -> io::Result<()> {
        if !self.live {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        if !SAVED.iter().any(|prefix| path.starts_with(prefix)) || path.contains("..") {
            let text = format!("{path} is not among the files that are replaced");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let Some(content) = content else {
            return fs::remove_file(path).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            });
        };
        let new = format!("{path}.oriel-new");
        let mut file = fs::File::create(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    }
}
