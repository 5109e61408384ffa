//! A device of Video4Linux: what it can do, its inputs, what comes in at them, and its EDID.

use super::raw::{
    self, Capability, Edid, Event, Format, FormatDescription, Input, PixFormat, RequestBuffers, Subscription, Timings,
};
use super::{VideoError, edid};
use crate::sys::{self, Request, ioctl};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Most inputs and formats that are asked for: drivers have fewer.
const LISTED_MAX: u32 = 64;
/// How often, and how far apart, a device is asked again that is still busy with a stream that has ended: a quarter of a second in all.
const BUSY_TRIES: u32 = 5;
const BUSY_REST: Duration = Duration::from_millis(50);

/// What comes in at an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A picture of this size and pace.
    Timings(Timings),
    /// No cable, no picture, or none that the device understands.
    Nothing,
    /// Inputs of its kind do not say: cameras, and dongles that speak USB's video class.
    Untold,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plug {
    pub index: u32,
    pub name: String,
    /// It says what comes in.
    pub has_timings: bool,
}

pub struct Device {
    file: File,
    pub driver: String,
    pub card: String,
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Device {
    /// Opens a device that captures pictures into memory of its own.
    ///
    /// # Errors
    /// It cannot be opened, or is of another kind.
    pub fn open(path: &Path) -> Result<Self, VideoError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(|source| VideoError::Open { device: path.to_owned(), source })?;
        let mut can = Capability::default();
        let none = |why| VideoError::Kind { device: path.to_owned(), why };
        ioctl(file.as_fd(), &raw::QUERYCAP, &mut can).map_err(|_| none("it is no device of Video4Linux"))?;
        // Of this node, where the driver tells nodes apart.
        let caps = if can.capabilities & raw::HAS_DEVICE_CAPS == 0 { can.capabilities } else { can.device_caps };
        if caps & raw::CAN_CAPTURE == 0 {
            let planes = caps & raw::CAN_CAPTURE_PLANES != 0;
            return Err(none(if planes {
                "it captures into several planes only, which Oriel does not"
            } else {
                "it captures no pictures; a device often has several files, try its others"
            }));
        }
        if caps & raw::CAN_STREAM == 0 {
            return Err(none("it does not stream into buffers"));
        }
        Ok(Self { file, driver: sys::text(&can.driver), card: sys::text(&can.card) })
    }

    pub(super) fn ask<T>(&self, what: &'static str, request: &Request<T>, argument: &mut T) -> Result<(), VideoError> {
        ioctl(self.as_fd(), request, argument).map_err(|source| VideoError::Refused { what, source })
    }

    /// As [`Self::ask`], of what a device refuses while a stream has buffers. Those of one that has just ended may be in the way for a
    /// moment: a program that had the device before lets go of it, a process that is being started has not let go of what was ours.
    fn ask_in_peace<T>(&self, what: &'static str, request: &Request<T>, argument: &mut T) -> Result<(), VideoError> {
        for _ in 0..BUSY_TRIES {
            match ioctl(self.as_fd(), request, argument) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                    self.free_buffers();
                    thread::sleep(BUSY_REST);
                }
                done => return done.map_err(|source| VideoError::Refused { what, source }),
            }
        }
        self.ask(what, request, argument)
    }

    /// Has the driver put away the buffers that were made for this opened file, if there are any. Not while it streams.
    pub(super) fn free_buffers(&self) {
        let mut none = RequestBuffers { count: 0, kind: raw::CAPTURE, memory: raw::MMAP, ..RequestBuffers::default() };
        ioctl(self.as_fd(), &raw::REQBUFS, &mut none).ok();
    }

    pub fn plugs(&self) -> Vec<Plug> {
        let mut plugs = Vec::new();
        for index in 0..LISTED_MAX {
            let mut input = Input { index, ..Input::default() };
            if ioctl(self.as_fd(), &raw::ENUMINPUT, &mut input).is_err() {
                break;
            }
            let has_timings = input.capabilities & raw::INPUT_HAS_TIMINGS != 0;
            plugs.push(Plug { index, name: sys::text(&input.name), has_timings });
        }
        plugs
    }

    /// The chosen input's number.
    pub fn plug(&self) -> u32 {
        let mut index = 0;
        ioctl(self.as_fd(), &raw::G_INPUT, &mut index).map_or(0, |()| index)
    }

    /// # Errors
    /// It has no such input, or is streaming.
    pub fn choose(&self, index: u32) -> Result<(), VideoError> {
        if self.plug() == index {
            return Ok(());
        }
        let mut index = index;
        self.ask("choosing the input", &raw::S_INPUT, &mut index)
    }

    /// Formats' names, as the driver lists them.
    pub fn formats(&self) -> Vec<u32> {
        let mut formats = Vec::new();
        for index in 0..LISTED_MAX {
            let mut format = FormatDescription { index, kind: raw::CAPTURE, ..FormatDescription::default() };
            if ioctl(self.as_fd(), &raw::ENUM_FMT, &mut format).is_err() {
                break;
            }
            formats.push(format.pixelformat);
        }
        formats
    }

    pub fn format(&self) -> Result<PixFormat, VideoError> {
        let mut format = Format { kind: raw::CAPTURE, ..Format::default() };
        self.ask("asking for the format", &raw::G_FMT, &mut format)?;
        Ok(format.pix)
    }

    /// Sets a format; the driver answers with the nearest that it has.
    pub fn set_format(&self, pix: PixFormat) -> Result<PixFormat, VideoError> {
        let mut format = Format { kind: raw::CAPTURE, pix, ..Format::default() };
        self.ask_in_peace("setting the format", &raw::S_FMT, &mut format)?;
        Ok(format.pix)
    }

    /// What comes in at the chosen input.
    ///
    /// # Errors
    /// The device is gone.
    pub fn signal(&self) -> Result<Signal, VideoError> {
        let mut timings = Timings::default();
        let Err(source) = ioctl(self.as_fd(), &raw::QUERY_DV_TIMINGS, &mut timings) else {
            // Some bridges say so instead of an error.
            let there = timings.width > 0 && timings.height > 0;
            return Ok(if there { Signal::Timings(timings) } else { Signal::Nothing });
        };
        match source.raw_os_error() {
            Some(libc::ENOLINK | libc::ENOLCK | libc::ERANGE) => Ok(Signal::Nothing),
            Some(libc::ENOTTY | libc::ENODATA | libc::EINVAL) => Ok(Signal::Untold),
            _ => Err(VideoError::Refused { what: "asking what comes in", source }),
        }
    }

    /// Makes the device expect what comes in.
    pub fn set_timings(&self, timings: &Timings) -> Result<(), VideoError> {
        let mut now = Timings::default();
        if ioctl(self.as_fd(), &raw::G_DV_TIMINGS, &mut now).is_ok() && now.is_like(timings) {
            return Ok(());
        }
        self.ask_in_peace("setting the timings", &raw::S_DV_TIMINGS, &mut { *timings })
    }

    /// Asks to be told when what comes in changes. Not every driver can tell.
    pub fn watch_source(&self) -> bool {
        let mut wanted = Subscription { kind: raw::SOURCE_CHANGE, id: self.plug(), ..Subscription::default() };
        ioctl(self.as_fd(), &raw::SUBSCRIBE_EVENT, &mut wanted).is_ok()
    }

    /// Takes the events that wait; whether what comes in has changed.
    pub fn source_changed(&self) -> bool {
        let mut changed = false;
        for _ in 0..LISTED_MAX {
            let mut event = Event::default();
            if ioctl(self.as_fd(), &raw::DQEVENT, &mut event).is_err() {
                break;
            }
            changed |= event.kind == raw::SOURCE_CHANGE;
        }
        changed
    }

    /// What the input tells machines of itself; `None`: it tells nothing, or has no such thing.
    pub fn edid(&self) -> Option<Vec<u8>> {
        let mut blocks = [0; edid::BLOCK * edid::BLOCKS_MAX];
        let mut asked = Edid {
            pad: self.plug(),
            start_block: 0,
            blocks: edid::BLOCKS_MAX as u32,
            reserved: [0; 5],
            bytes: blocks.as_mut_ptr(),
        };
        ioctl(self.as_fd(), &raw::G_EDID, &mut asked).ok()?;
        let length = edid::BLOCK.saturating_mul(asked.blocks as usize);
        blocks.get(..length).filter(|blocks| blocks.iter().any(|byte| *byte != 0)).map(<[u8]>::to_vec)
    }

    /// Tells machines what screen is there. They read it when a cable is plugged in, or when this changes it.
    ///
    /// # Errors
    /// It is no EDID, or the input does not take one.
    pub fn set_edid(&self, wanted: &[u8]) -> Result<(), VideoError> {
        edid::check(wanted).map_err(VideoError::Edid)?;
        if self.edid().as_deref() == Some(wanted) {
            return Ok(());
        }
        let mut blocks = wanted.to_vec();
        let mut asked = Edid {
            pad: self.plug(),
            start_block: 0,
            blocks: (blocks.len() / edid::BLOCK) as u32,
            reserved: [0; 5],
            bytes: blocks.as_mut_ptr(),
        };
        self.ask("setting the EDID", &raw::S_EDID, &mut asked)
    }

    pub(super) fn wait(&self, wait: Duration) -> io::Result<sys::Ready> {
        sys::poll(self.as_fd(), wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_video_device_is_refused_in_words() {
        let missing =
            Device::open(Path::new("/nonexistent/video0")).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(missing.contains("/nonexistent/video0"), "{missing}");
        let other = Device::open(Path::new("/dev/null")).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(other.contains("no device of Video4Linux"), "{other}");
    }
}
