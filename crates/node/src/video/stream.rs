//! A device that streams: buffers of its own, mapped here, each of which is either the driver's or ours.

use super::VideoError;
use super::device::Device;
use super::raw::{self, Buffer, RequestBuffers};
use crate::sys::{Mapping, ioctl};
use std::io;
use std::os::fd::AsFd as _;

/// Buffers that are asked for: one is filled, one waits, one is looked at, and one for those that come late.
const BUFFERS: u32 = 4;
/// Most that a driver may give, and the largest of them in bytes: a picture of 8192 x 8192 in two bytes a pixel.
const BUFFERS_MAX: u32 = 32;
const BUFFER_BYTES_MAX: u32 = 128 << 20;

/// A picture that the driver has given back.
pub(super) struct Taken {
    pub index: u32,
    pub used: usize,
    /// The driver says that something is wrong with it.
    pub broken: bool,
}

/// Streams until it is dropped.
pub(super) struct Stream<'a> {
    device: &'a Device,
    mappings: Vec<Mapping>,
}

impl<'a> Stream<'a> {
    pub fn begin(device: &'a Device) -> Result<Self, VideoError> {
        let mut asked =
            RequestBuffers { count: BUFFERS, kind: raw::CAPTURE, memory: raw::MMAP, ..RequestBuffers::default() };
        device.ask("asking for buffers", &raw::REQBUFS, &mut asked)?;
        // From here on what was made is put away when this is dropped.
        let mut stream = Self { device, mappings: Vec::new() };
        if !(2..=BUFFERS_MAX).contains(&asked.count) {
            let source = io::Error::other(format!("it gave {} buffers", asked.count));
            return Err(VideoError::Refused { what: "asking for buffers", source });
        }
        for index in 0..asked.count {
            let mut buffer = Buffer::new(index);
            device.ask("asking for a buffer", &raw::QUERYBUF, &mut buffer)?;
            if !(1..=BUFFER_BYTES_MAX).contains(&buffer.length) {
                let source = io::Error::other(format!("it is of {} bytes", buffer.length));
                return Err(VideoError::Refused { what: "asking for a buffer", source });
            }
            let mapping = Mapping::new(device.as_fd(), buffer.offset(), buffer.length as usize)
                .map_err(|source| VideoError::Refused { what: "mapping a buffer", source })?;
            stream.mappings.push(mapping);
            stream.give(index)?;
        }
        device.ask("beginning to stream", &raw::STREAMON, &mut { raw::CAPTURE })?;
        Ok(stream)
    }

    /// Lets the driver fill it.
    pub fn give(&self, index: u32) -> Result<(), VideoError> {
        self.device.ask("giving a buffer", &raw::QBUF, &mut Buffer::new(index))
    }

    /// The next picture, where there is one.
    fn next(&self) -> Result<Option<Taken>, VideoError> {
        let mut buffer = Buffer::new(0);
        match ioctl(self.device.as_fd(), &raw::DQBUF, &mut buffer) {
            Ok(()) => Ok(Some(Taken {
                index: buffer.index,
                used: buffer.used as usize,
                broken: buffer.flags & raw::BROKEN != 0,
            })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // Some bridges lose a picture this way and go on (videodev2's EIO: "may be transient").
            Err(source) => Err(VideoError::Refused { what: "taking a picture", source }),
        }
    }

    /// The newest picture that there is; older ones go back unseen. The driver gets it back by [`Self::give`].
    pub fn newest(&self) -> Result<Option<Taken>, VideoError> {
        let mut newest = None;
        // As many as there are, and not for ever.
        for _ in 0..BUFFERS_MAX {
            let Some(taken) = self.next()? else { break };
            if let Some(Taken { index, .. }) = newest.replace(taken) {
                self.give(index)?;
            }
        }
        Ok(newest)
    }

    pub fn bytes(&self, taken: &Taken) -> &[u8] {
        let all = self.mappings.get(taken.index as usize).map_or(&[][..], Mapping::bytes);
        all.get(..taken.used).unwrap_or(all)
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        ioctl(self.device.as_fd(), &raw::STREAMOFF, &mut { raw::CAPTURE }).ok();
        // The driver lets go only of what is mapped nowhere.
        self.mappings.clear();
        self.device.free_buffers();
    }
}
