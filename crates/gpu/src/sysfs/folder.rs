//! A host's files below a folder: `/` is the running host, any other folder an unpacked capture.

use super::{COMMANDS, FILE_MAX, NAMES_MAX, PROGRAMS, SAVED, Sysfs, command_file, tree::resolve};
use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a command may print, in bytes.
const OUTPUT_MAX: u64 = 8 << 20;

#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    live: bool,
}

impl Folder {
    /// The running host.
    pub fn host() -> Self {
        Self { root: PathBuf::from("/"), live: true }
    }

    /// A folder with a host's files in it. It is only read.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { live: root == Path::new("/"), root }
    }

    /// Where a path of the host lies, its links followed without leaving the root.
    fn place(&self, path: &str, follow_last: bool) -> io::Result<PathBuf> {
        if self.live && follow_last {
            return Ok(PathBuf::from(path));
        }
        let real = resolve(path, follow_last, |one| {
            let file = self.root.join(one.trim_start_matches('/'));
            if fs::symlink_metadata(&file)?.file_type().is_symlink() {
                return Ok(Some(fs::read_link(&file)?.to_string_lossy().into_owned()));
            }
            Ok(None)
        })?;
        Ok(self.root.join(real.trim_start_matches('/')))
    }
}

impl Sysfs for Folder {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        fs::File::open(self.place(path, true)?)?.take(FILE_MAX as u64).read_to_end(&mut content)?;
        Ok(content)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.place(path, true)?)?.take(NAMES_MAX) {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn link(&self, path: &str) -> io::Result<String> {
        let file = if self.live { PathBuf::from(path) } else { self.place(path, false)? };
        Ok(fs::read_link(file)?.to_string_lossy().into_owned())
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
