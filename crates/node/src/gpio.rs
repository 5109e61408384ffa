//! The wires to the machine's case: lines of a GPIO chip, by its character device (linux/gpio.h, version 2).

mod atx;
mod raw;

pub use atx::{Atx, AtxOptions, Lights};

use crate::sys::{ioctl, own, text};
use serde::Deserialize;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

/// Chips that are looked through for a name.
const CHIPS_MAX: usize = 256;

/// A line of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its number on the chip.
    #[serde(rename = "line")]
    pub number: u32,
    /// Low means on.
    #[serde(default)]
    pub active_low: bool,
    /// What an input is tied to while nobody drives it; the chip's own way when left out.
    #[serde(default)]
    pub bias: Option<Bias>,
    /// An output that pulls low or lets go, and never drives high.
    #[serde(default)]
    pub open_drain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    PullUp,
    PullDown,
    None,
}

impl Line {
    const fn flags(&self, output: bool) -> u64 {
        let mut flags = if output { raw::OUTPUT } else { raw::INPUT };
        if self.active_low {
            flags |= raw::ACTIVE_LOW;
        }
        if output && self.open_drain {
            flags |= raw::OPEN_DRAIN;
        }
        flags
            | match self.bias {
                None => 0,
                Some(Bias::PullUp) => raw::PULL_UP,
                Some(Bias::PullDown) => raw::PULL_DOWN,
                Some(Bias::None) => raw::NO_BIAS,
            }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum GpioError {
    #[error("the GPIO chip {name} cannot be opened: {source}; those that there are: {there}")]
    Open { name: String, there: String, source: io::Error },
    #[error("{} is no GPIO chip: {source}", .path.display())]
    Kind { path: PathBuf, source: io::Error },
    #[error("line {line} of {chip} cannot be had: {source}")]
    Line { chip: String, line: u32, source: io::Error },
    #[error("{chip} has {lines} lines, and none of number {line}")]
    NoLine { chip: String, line: u32, lines: u32 },
    #[error("no thread could be made for the GPIO lines: {0}")]
    Thread(#[source] io::Error),
}

pub struct Chip {
    file: File,
    pub name: String,
    pub label: String,
    pub lines: u32,
}

/// The chips of this machine, with their labels.
pub fn chips() -> Vec<(PathBuf, String)> {
    let names = std::fs::read_dir("/dev").into_iter().flatten().flatten().take(CHIPS_MAX * 16);
    let paths = names.map(|entry| entry.path());
    let paths = paths.filter(|path| path.to_string_lossy().starts_with("/dev/gpiochip"));
    let mut found: Vec<_> =
        paths.take(CHIPS_MAX).map(|path| (Chip::of(&path).map(|chip| chip.label).unwrap_or_default(), path)).collect();
    found.sort_by(|a, b| a.1.cmp(&b.1));
    found.into_iter().map(|(label, path)| (path, label)).collect()
}

impl Chip {
    /// By its path, by the name that it has there (`gpiochip0`), or by its label, which does not depend on the order in which drivers came.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn open(name: &str) -> Result<Self, GpioError> {
        if name.starts_with('/') {
            return Self::of(Path::new(name));
        }
        let chips = chips();
        if let Some((path, _)) = chips.iter().find(|(path, label)| label == name || path.ends_with(name)) {
            return Self::of(path);
        }
        let there: Vec<String> = chips.iter().map(|(path, label)| format!("{} ({label})", path.display())).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        Err(GpioError::Open { name: name.to_owned(), there, source: io::ErrorKind::NotFound.into() })
    }

    fn of(path: &Path) -> Result<Self, GpioError> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|source| GpioError::Open {
            name: path.display().to_string(),
            there: "see /dev/gpiochip*".to_owned(),
            source,
        })?;
        let mut info = raw::ChipInfo::default();
        ioctl(file.as_fd(), &raw::CHIP_INFO, &mut info)
            .map_err(|source| GpioError::Kind { path: path.to_owned(), source })?;
        Ok(Self { file, name: text(&info.name), label: text(&info.label), lines: info.lines })
    }

    fn request(&self, line: &Line, output: bool) -> Result<OwnedFd, GpioError> {
        if line.number >= self.lines {
            return Err(GpioError::NoLine { chip: self.name.clone(), line: line.number, lines: self.lines });
        }
        let failed = |source| GpioError::Line { chip: self.name.clone(), line: line.number, source };
        let mut request = raw::LineRequest::new(line.number, line.flags(output));
        ioctl(self.file.as_fd(), &raw::GET_LINE, &mut request).map_err(failed)?;
        own(request.fd).map_err(failed)
    }

    /// Takes a line to read.
    ///
    /// # Errors
    /// Somebody else has it, or the chip cannot.
    pub fn input(&self, line: &Line) -> Result<Input, GpioError> {
        self.request(line, false).map(Input)
    }

    /// Takes a line to drive; it is off at first.
    ///
    /// # Errors
    /// Somebody else has it, or the chip cannot.
    pub fn output(&self, line: &Line) -> Result<Output, GpioError> {
        self.request(line, true).map(Output)
    }
}

/// A line that is read.
pub struct Input(OwnedFd);

impl Input {
    /// # Errors
    /// The chip is gone.
    pub fn is_on(&self) -> io::Result<bool> {
        let mut values = raw::LineValues { bits: 0, mask: 1 };
        ioctl(self.0.as_fd(), &raw::GET_VALUES, &mut values)?;
        Ok(values.bits & 1 == 1)
    }
}

/// A line that is driven. It is off when this is dropped: the kernel leaves lines as they are.
pub struct Output(OwnedFd);

impl Output {
    /// # Errors
    /// The chip is gone.
    pub fn set(&self, on: bool) -> io::Result<()> {
        let mut values = raw::LineValues { bits: u64::from(on), mask: 1 };
        ioctl(self.0.as_fd(), &raw::SET_VALUES, &mut values)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.set(false).ok();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn lines_are_asked_for_as_they_are_wired() {
        let line: Line = toml::from_str("line = 23\nactive_low = true\nbias = \"pull-up\"\nopen_drain = true").unwrap();
        assert_eq!(line.flags(false), raw::INPUT | raw::ACTIVE_LOW | raw::PULL_UP);
        assert_eq!(line.flags(true), raw::OUTPUT | raw::ACTIVE_LOW | raw::PULL_UP | raw::OPEN_DRAIN);
        let plain: Line = toml::from_str("line = 4").unwrap();
        assert_eq!((plain.number, plain.flags(true)), (4, raw::OUTPUT));
        assert!(toml::from_str::<Line>("line = 4\npull = \"up\"").is_err());
    }

    #[test]
    fn a_chip_that_is_not_there_is_named_with_those_that_are() {
        let error = Chip::open("no-such-chip").err().unwrap();
        assert!(error.to_string().contains("no-such-chip") && error.to_string().contains("there are"), "{error}");
        let error = Chip::open("/dev/null").err().unwrap();
        assert!(error.to_string().contains("no GPIO chip"), "{error}");
    }
}
