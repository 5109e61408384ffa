//! A graphical protocol session as a machine without I/O: the gateway moves the bytes.

use crate::{Framebuffer, InputEvent, ScreenEvent};

/// One connected graphical session. Connecting (sockets, TLS, authentication) is the protocol crate's own `connect`;
/// from then on the gateway feeds bytes in both directions and never waits for a viewer.
pub trait Source: Send {
    /// Bytes from the remote side, in pieces of any size. Answers for the remote side are appended to `out`, what
    /// happened on the screen to `events`. An error ends the connection.
    fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<(), SourceError>;

    /// What a person did, as bytes for the remote side appended to `out`.
    fn input(&mut self, input: &InputEvent, out: &mut Vec<u8>) -> Result<(), SourceError>;

    /// A viewer is ready for the next picture: sources with flow control of their own ask the remote side for more.
    fn want_frame(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let _ = out;
        Ok(())
    }

    /// Paints what was handed on compressed ([`ScreenEvent::Tile`]) and is not in the framebuffer yet. Called before pixels
    /// are read, so that pictures which every viewer got are never decoded here.
    fn settle(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// The first `marks` of this source's [`ScreenEvent::FrameEnd`]s are on the viewer's canvas, or nobody watches: what
    /// the remote side learns its pace from. Called with a growing number, not for each.
    fn shown(&mut self, marks: u64, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let _ = (marks, out);
        Ok(())
    }

    /// Some of `out` has been sent, or something outside that the source shares has changed: answers that waited for either are
    /// appended now.
    fn go_on(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let _ = out;
        Ok(())
    }

    /// The viewer cannot follow the video: ask the remote side, where it lets itself be asked, for a frame that stands alone.
    fn want_key(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let _ = out;
        Ok(())
    }

    /// Where the session is one program instead of a whole desktop: its windows.
    fn windows(&self) -> Option<Windows<'_>> {
        None
    }

    /// The pixels as they are now; behind by pictures until [`Self::settle`].
    fn framebuffer(&self) -> &dyn Framebuffer;
}

/// The windows of a session that is one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows<'a> {
    /// Of the window in front, without control characters; empty where it has none.
    pub title: &'a str,
    /// The machine has run the program. Some machines take the wish and show their desktop all the same.
    pub runs: bool,
    /// There were some, and the last has been closed; another may still come.
    pub closed: bool,
}

/// How a session ends whose program has no window any more: for the person.
pub const PROGRAM_CLOSED: &str = "the program was closed: its last window is gone; connect again to start it anew";

/// How a session ends whose program was never run: for the person.
pub const PROGRAM_NOT_RUN: &str = "the machine has not run the program and does not say why: it may not know RemoteApp, or wait for somebody to sign in; have an administrator look at the account and at remote_app, or leave that out to get the whole desktop";

/// Why a source gave up. Texts are for the person in front of the viewer: lowercase, no trailing period.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The remote side broke its protocol or crossed a limit.
    #[error("the machine sent something that is not valid {protocol}: {what}")]
    Protocol { protocol: &'static str, what: String },
    /// The remote side ended the session; the text is its reason.
    #[error("the machine ended the session: {0}")]
    Ended(String),
    /// What was asked for does not go, or no longer; the text says what, why and what to do.
    #[error("{0}")]
    Refused(String),
}
