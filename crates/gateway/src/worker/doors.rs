//! Open streams, handed from one process to another (`unix(7)`, SCM_RIGHTS). Each comes with the number of the question that it
//! answers, and before the answer.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The sending end, which many may use.
pub(super) struct Doors(pub UnixStream);

impl Doors {
    pub fn hand_over(&self, question: u64, stream: BorrowedFd<'_>) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        let fds = [stream];
        if !rights.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        sendmsg(self.0.as_fd(), &[IoSlice::new(&question.to_le_bytes())], &mut rights, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// The next stream and its question. It lies there already when the answer to the question has come.
pub(super) fn receive(doors: &UnixStream) -> io::Result<(u64, OwnedFd)> {
    let mut number = [0; 8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(doors.as_fd(), &mut [IoSliceMut::new(&mut number)], &mut rights, RecvFlags::CMSG_CLOEXEC)?;
    let stream = rights.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut streams) => streams.next(),
        _ => None,
    });
    match stream {
        Some(stream) if message.bytes == number.len() => Ok((u64::from_le_bytes(number), stream)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
