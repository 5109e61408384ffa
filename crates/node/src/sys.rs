//! What only the kernel does: ioctl(2), mmap(2) and poll(2), and nothing of what for. All of the crate's unsafe code is here.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::time::Duration;

/// asm/ioctl.h: these architectures have a bit less for the size, and directions of their own.
#[cfg(any(
    target_arch = "mips",
    target_arch = "mips64",
    target_arch = "powerpc",
    target_arch = "powerpc64",
    target_arch = "sparc64"
))]
mod layout {
    pub const SIZE_BITS: u32 = 13;
    pub const READ: u32 = 2;
    pub const WRITE: u32 = 4;
}
#[cfg(not(any(
    target_arch = "mips",
    target_arch = "mips64",
    target_arch = "powerpc",
    target_arch = "powerpc64",
    target_arch = "sparc64"
)))]
mod layout {
    pub const SIZE_BITS: u32 = 14;
    pub const READ: u32 = 2;
    pub const WRITE: u32 = 1;
}

/// A number of ioctl(2) with the structure that belongs to it. The number bears the structure's size, so that the kernel reads and writes as many
/// bytes as there are.
pub(crate) struct Request<T> {
    number: u32,
    argument: PhantomData<fn(T) -> T>,
}

impl<T> Request<T> {
    const fn new(direction: u32, kind: u8, number: u8) -> Self {
        let size = size_of::<T>() as u32;
        assert!(size < 1 << layout::SIZE_BITS, "the structure is too large for an ioctl's number");
        let number = (direction << (16 + layout::SIZE_BITS)) | (size << 16) | ((kind as u32) << 8) | number as u32;
        Self { number, argument: PhantomData }
    }

    /// `_IOR`: the kernel fills the structure.
    pub const fn read(kind: u8, number: u8) -> Self {
        Self::new(layout::READ, kind, number)
    }

    /// `_IOW`: the kernel reads it.
    pub const fn write(kind: u8, number: u8) -> Self {
        Self::new(layout::WRITE, kind, number)
    }

    /// `_IOWR`: both.
    pub const fn both(kind: u8, number: u8) -> Self {
        Self::new(layout::READ | layout::WRITE, kind, number)
    }

    #[cfg(test)]
    pub const fn number(&self) -> u32 {
        self.number
    }
}

/// Asks a driver. A call that a signal interrupts is made again.
///
/// # Errors
/// What the driver says.
pub(crate) fn ioctl<T>(fd: BorrowedFd<'_>, request: &Request<T>, argument: &mut T) -> io::Result<()> {
    loop {
        #[allow(
            unsafe_code,
            reason = "ioctl(2) has no safe form; requests are made in this crate only, for plain structures of the kernel's own layout, and their numbers say how many bytes there are"
        )]
        let answer =
            unsafe { libc::ioctl(fd.as_raw_fd(), request.number as libc::Ioctl, std::ptr::from_mut(argument)) };
        if answer >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// A file descriptor that the kernel has just made for us.
pub(crate) fn own(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::other("the kernel gave no file descriptor"));
    }
    #[allow(
        unsafe_code,
        reason = "the number is the kernel's answer to a request for a new file, and nobody else knows it"
    )]
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(owned)
}

/// Text of a fixed field, up to its zero.
pub(crate) fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

/// Memory of a driver that is also ours, until it is dropped.
pub(crate) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

impl Mapping {
    pub fn new(fd: BorrowedFd<'_>, offset: u32, bytes: usize) -> io::Result<Self> {
        #[allow(unsafe_code, reason = "a new mapping at a place that the kernel chooses touches nothing that there is")]
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("memory at address 0"))?;
        Ok(Self { start, bytes })
    }

    /// What is in it. Only of buffers that the driver has given back: it does not write to those.
    pub fn bytes(&self) -> &[u8] {
        #[allow(unsafe_code, reason = "the mapping is that long, readable, and lives as long as this does")]
        let bytes = unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) };
        bytes
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        #[allow(unsafe_code, reason = "it was mapped in `new` with this length, and no slice of it outlives it")]
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.bytes);
        }
    }
}

/// What a file is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub readable: bool,
    /// Something out of order: an event of V4L2.
    pub urgent: bool,
    /// An error, or nobody is at the other end.
    pub broken: bool,
}

/// Waits until there is something, at most so long.
pub(crate) fn poll(fd: BorrowedFd<'_>, wait: Duration) -> io::Result<Ready> {
    let mut asked = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN | libc::POLLPRI, revents: 0 };
    let wait = libc::c_int::try_from(wait.as_millis()).unwrap_or(libc::c_int::MAX);
    #[allow(unsafe_code, reason = "one structure, which is ours for as long as the call takes")]
    let answer = unsafe { libc::poll(&raw mut asked, 1, wait) };
    if answer < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(Ready::default()) } else { Err(error) };
    }
    let is = |bits: libc::c_short| asked.revents & bits != 0;
    Ok(Ready {
        readable: is(libc::POLLIN),
        urgent: is(libc::POLLPRI),
        broken: is(libc::POLLERR | libc::POLLHUP | libc::POLLNVAL),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::fd::AsFd as _;

    #[test]
    fn files_are_mapped_and_waited_for() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 4096]).unwrap();
        let mapping = Mapping::new(file.as_fd(), 0, 4096).unwrap();
        assert!(mapping.bytes().iter().all(|byte| *byte == 7));
        assert!(poll(file.as_fd(), Duration::ZERO).unwrap().readable);
        let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(poll(far.as_fd(), Duration::ZERO).unwrap(), Ready::default());
        near.write_all(b"x").unwrap();
        assert!(poll(far.as_fd(), Duration::from_secs(5)).unwrap().readable);
        drop(near);
        assert!(poll(far.as_fd(), Duration::ZERO).unwrap().broken);
    }

    #[test]
    fn fields_end_at_their_zero() {
        assert_eq!((text(b"vivid\0\0x").as_str(), text(b"whole").as_str()), ("vivid", "whole"));
    }

    #[test]
    fn what_is_no_device_refuses() {
        let file = tempfile::tempfile().unwrap();
        let mut number = 0u32;
        let refused = ioctl(file.as_fd(), &Request::read(b'V', 38), &mut number).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENOTTY));
        assert!(own(-1).is_err());
    }
}
