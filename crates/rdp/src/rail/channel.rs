//! The static channel `rail`: how client and server meet (MS-RDPERP 1.3.2.1), and how a program is run.

use super::wire::{self, Reader, done, utf16};
use super::{ARGUMENTS_BYTES_MAX, PROGRAM_BYTES_MAX, TRIES_MAX};
use crate::static_channel;
use ironrdp_core::impl_as_any;
use ironrdp_pdu::PduResult;
use ironrdp_pdu::gcc::{ChannelName, ChannelOptions};
use ironrdp_svc::{ChannelFlags, SvcClientProcessor, SvcMessage, SvcProcessor};

/// What we say we are (2.2.2.2.1): the build of the specification's examples. Servers hold it against nothing.
const BUILD: u32 = 0x1771;
/// Of the client's status (2.2.2.2.2): icons are not shown here. That windows can be moved here is not said, so the machine moves them.
const SUPPRESS_ICON_ORDERS: u32 = 0x0400;
/// And: a connection that broke is taken up again.
const AUTO_RECONNECT: u32 = 0x0002;

// Of the flags of what is to be run (2.2.2.3.1).
const EXPAND_FOLDER: u16 = 0x0001;
const EXPAND_ARGUMENTS: u16 = 0x0008;

// System parameters (2.2.2.4.1).
const MOUSE_BUTTON_SWAP: u32 = 0x0021;
const DRAG_FULL_WINDOWS: u32 = 0x0025;
const WORK_AREA: u32 = 0x002f;
const HIGH_CONTRAST: u32 = 0x0043;
const KEYBOARD_PREFERENCE: u32 = 0x0045;
const KEYBOARD_CUES: u32 = 0x100b;
/// Available, with its hot key and its sounds, and off.
const HIGH_CONTRAST_OFF: u32 = 0x7e;

// What came of it (2.2.2.3.2).
const OK: u16 = 0x0000;
const HOOK_NOT_LOADED: u16 = 0x0001;
const DECODE_FAILED: u16 = 0x0002;
const NOT_IN_ALLOWLIST: u16 = 0x0003;
const FILE_NOT_FOUND: u16 = 0x0005;
const SESSION_LOCKED: u16 = 0x0007;

/// Our side of the channel.
#[derive(Debug)]
pub(crate) struct Rail {
    program: String,
    folder: String,
    arguments: String,
    /// Width and height of the machine's screen in pixels.
    screen: (u16, u16),
    /// The machine has said who it is, and we have.
    met: bool,
    /// Times that it was asked to run the program.
    tries: u32,
    /// The program should run already, in a session that is taken up again.
    resumes: bool,
    /// It does not do so before somebody has logged on.
    waits: bool,
    ran: bool,
    refused: Option<String>,
}

impl_as_any!(Rail);

impl Rail {
    /// `program`: a path on the machine, or `||` and the name of a published program. `folder` and `arguments` may be empty. `screen`: width
    /// and height in pixels. `resumes`: a session is to be taken up again, in which the program runs. What is longer than the protocol takes is
    /// cut; whoever enters it is told before.
    pub(crate) fn new(program: &str, folder: &str, arguments: &str, screen: (u16, u16), resumes: bool) -> Self {
        Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            arguments: arguments.to_owned(),
            screen,
            met: false,
            tries: 0,
            resumes,
            waits: false,
            ran: false,
            refused: None,
        }
    }

    /// Answers to one message. What makes no sense is passed over.
    pub(crate) fn take(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if self.read(message, &mut out).is_none() {
            tracing::debug!(bytes = message.len(), "Message about a program makes no sense, passed over");
        }
        out
    }

    /// Why the machine does not run the program, once, as a sentence for the person.
    pub(crate) fn take_refusal(&mut self) -> Option<String> {
        self.refused.take()
    }

    /// Whether the machine said that it has run the program.
    pub(crate) fn ran(&self) -> bool {
        self.ran
    }

    /// The machine has the desktop of somebody who has logged on in its sight: what it could not run before, it can now.
    pub(crate) fn hooked(&mut self) -> Vec<Vec<u8>> {
        if std::mem::take(&mut self.waits) { vec![self.run()] } else { Vec::new() }
    }

    /// The machine did not take the session up again: in the new one the program does not run yet.
    pub(crate) fn begin(&mut self) -> Vec<Vec<u8>> {
        let resumed = std::mem::take(&mut self.resumes);
        if resumed && self.met && self.tries == 0 { vec![self.run()] } else { Vec::new() }
    }

    /// The machine's screen has a size, in pixels; what it must be told when that is another one: where windows may be.
    pub(crate) fn resized(&mut self, width: u16, height: u16) -> Vec<Vec<u8>> {
        if std::mem::replace(&mut self.screen, (width, height)) == (width, height) || !self.met {
            return Vec::new();
        }
        vec![self.work_area()]
    }

    fn read(&mut self, message: &[u8], out: &mut Vec<Vec<u8>>) -> Option<()> {
        let mut message = Reader(message);
        let (kind, length) = (message.u16()?, message.u16()?);
        let mut body = Reader(message.bytes(usize::from(length).checked_sub(4)?)?);
        match kind {
            wire::HANDSHAKE | wire::HANDSHAKE_EX => {
                let build = body.u32()?;
                let flags = if kind == wire::HANDSHAKE_EX { body.u32()? } else { 0 };
                tracing::debug!(build, flags, "Machine runs single programs");
                self.met = true;
                out.push(done(wire::message(wire::HANDSHAKE).u32(BUILD)));
                let resumes = if self.resumes { AUTO_RECONNECT } else { 0 };
                out.push(done(wire::message(wire::CLIENT_STATUS).u32(SUPPRESS_ICON_ORDERS | resumes)));
                let high_contrast = wire::message(wire::SYSTEM_PARAMETER).u32(HIGH_CONTRAST);
                out.push(done(high_contrast.u32(HIGH_CONTRAST_OFF).u32(2).u16(0)));
                for parameter in [MOUSE_BUTTON_SWAP, KEYBOARD_PREFERENCE, DRAG_FULL_WINDOWS, KEYBOARD_CUES] {
                    out.push(done(wire::message(wire::SYSTEM_PARAMETER).u32(parameter).bytes(&[0])));
                }
                out.push(self.work_area());
                // A machine that introduces itself anew runs it still.
                if self.tries == 0 && !self.resumes {
                    out.push(self.run());
                }
            }
            wire::EXEC_RESULT if self.met => {
                body.skip(2)?;
                let (result, code) = (body.u16()?, body.u32()?);
                tracing::info!(result, code, tries = self.tries, "Machine says what came of the program");
                match result {
                    OK => self.ran = true,
                    HOOK_NOT_LOADED if self.tries < TRIES_MAX => self.waits = true,
                    _ => self.refused = Some(self.sentence(result, code)),
                }
            }
            // The language bar, system parameters of the machine, windows that could be moved here, and what else has no place here.
            _ => {}
        }
        Some(())
    }

    fn run(&mut self) -> Vec<u8> {
        self.tries += 1;
        let program = utf16(&self.program, PROGRAM_BYTES_MAX);
        let folder = utf16(&self.folder, PROGRAM_BYTES_MAX);
        let arguments = utf16(&self.arguments, ARGUMENTS_BYTES_MAX);
        let expands_folder = if self.folder.contains('%') { EXPAND_FOLDER } else { 0 };
        let mut message = wire::message(wire::EXEC).u16(EXPAND_ARGUMENTS | expands_folder);
        for field in [&program, &folder, &arguments] {
            message = message.u16(u16::try_from(field.len()).unwrap_or(0));
        }
        done(message.bytes(&program).bytes(&folder).bytes(&arguments))
    }

    fn work_area(&self) -> Vec<u8> {
        let (width, height) = self.screen;
        let message = wire::message(wire::SYSTEM_PARAMETER).u32(WORK_AREA);
        done(message.u16(0).u16(0).u16(width).u16(height))
    }

    fn sentence(&self, result: u16, code: u32) -> String {
        let why = match result {
            HOOK_NOT_LOADED => {
                "nobody has logged on there yet; see that the account that is kept for the machine is right".to_owned()
            }
            DECODE_FAILED => {
                "it did not understand the request; shorten the program's name, its folder or its arguments".to_owned()
            }
            NOT_IN_ALLOWLIST => {
                "it is not among the programs that the machine allows; have an administrator publish it there as a RemoteApp, or enter its published name as ||NAME".to_owned()
            }
            FILE_NOT_FOUND => {
                "it was not found there; check its path, and the folder that it starts in".to_owned()
            }
            SESSION_LOCKED => "the session is locked; unlock it on the machine, or end it there".to_owned(),
            _ => format!("it could not be started there (Windows error {code}); an administrator can find out in the machine's event log"),
        };
        format!("the machine does not run the program {:?}: {why}", self.program)
    }
}

pub(crate) fn messages(answers: Vec<Vec<u8>>) -> Vec<SvcMessage> {
    static_channel::messages(answers, ChannelFlags::SHOW_PROTOCOL)
}

impl SvcProcessor for Rail {
    fn channel_name(&self) -> ChannelName {
        ChannelName::from_static(b"rail\0\0\0\0")
    }

    fn channel_options(&self) -> ChannelOptions {
        ChannelOptions::INITIALIZED
            | ChannelOptions::ENCRYPT_RDP
            | ChannelOptions::COMPRESS_RDP
            | ChannelOptions::SHOW_PROTOCOL
    }

    fn process(&mut self, payload: &[u8]) -> PduResult<Vec<SvcMessage>> {
        Ok(messages(self.take(payload)))
    }
}

impl SvcClientProcessor for Rail {}
