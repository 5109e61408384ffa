//! An open session: messages of all channels become pixels and events.

use crate::{
    agent::Agent,
    channel::{self, Heard, Incoming},
    cursor::Cursor,
    display::Display,
    input::Input,
    mux::{Channel, Demux, Piece},
    reader::{Broken, Reader, bad, printable},
    sound::Sound,
};
use oriel_screen::{
    Framebuffer, InputEvent, Monitor, Rect, SURFACE_PIXELS_MAX, SURFACE_SIDE_MAX, ScreenEvent, Source, SourceError,
};

/// Channels that a server may list.
const CHANNELS_MAX: u32 = 256;
/// Longest screen name that is told, in bytes.
const NAME_BYTES_MAX: usize = 4096;
/// Longest reason for an end that is kept, in bytes.
const REASON_BYTES_MAX: usize = 1024;

const ATTACH_CHANNELS: u16 = 104;
const MOUSE_MODE_REQUEST: u16 = 105;

const MOUSE_MODE_CLIENT: u32 = 2;

/// A session with a SPICE server. It speaks the frames of [`crate::Channel`]s.
#[derive(Default)]
pub struct SpiceSource {
    demux: Demux,
    incoming: [Incoming; Channel::ALL.len()],
    display: Display,
    cursor: Cursor,
    input: Input,
    agent: Agent,
    sound: Sound,
    session: Option<u32>,
    channels: Option<Vec<Channel>>,
    /// Why a channel ended, as far as it has come.
    reason: String,
    /// Why it ended or what broke; said again to later calls.
    over: Option<Over>,
    /// Said before the first call of [`Source::receive`].
    early: Vec<ScreenEvent>,
}

#[derive(Clone, Debug)]
enum Over {
    Ended(String),
    Broken(String),
}

impl From<Broken> for Over {
    fn from(Broken(what): Broken) -> Self {
        Self::Broken(what)
    }
}

impl From<Over> for SourceError {
    fn from(over: Over) -> Self {
        match over {
            Over::Ended(why) => Self::Ended(why),
            Over::Broken(what) => Self::Protocol { protocol: "SPICE", what },
        }
    }
}

impl SpiceSource {
    /// For a person with a window of this size: the guest's agent is told once it is there.
    pub(crate) fn for_window((width, height): (u16, u16)) -> Self {
        let mut source = Self::default();
        let rect = within(width, height);
        if !rect.is_empty() {
            source.agent.wish(vec![Monitor { rect, scale: 100, primary: true }], &mut Vec::new());
        }
        source
    }

    /// What the server calls the session: its other channels are opened with it.
    pub(crate) const fn session(&self) -> Option<u32> {
        self.session
    }

    /// The first of each kind of channel that the server offers and we know.
    pub(crate) fn channels(&self) -> Option<&[Channel]> {
        self.channels.as_deref()
    }

    /// What the main channel says while the others are not open yet.
    pub(crate) fn begin(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), SourceError> {
        let mut events = std::mem::take(&mut self.early);
        self.agent.go_on(out);
        let heard = self.hear(Channel::Main, bytes, out, &mut events);
        self.early = events;
        heard.map_err(SourceError::from)
    }

    fn size(&self) -> (u16, u16) {
        (self.display.screen().width(), self.display.screen().height())
    }

    fn hear(
        &mut self,
        channel: Channel,
        bytes: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), Over> {
        let incoming = |source: &mut Self| source.incoming.get_mut(channel.index()).map(std::mem::take);
        let Some(mut from) = incoming(self) else { return Ok(()) };
        from.feed(bytes);
        let heard = self.hear_all(channel, &mut from, out, events);
        if let Some(place) = self.incoming.get_mut(channel.index()) {
            *place = from;
        }
        heard
    }

    fn hear_all(
        &mut self,
        channel: Channel,
        from: &mut Incoming,
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), Over> {
        while let Some(heard) = from.next(channel, out)? {
            match heard {
                Heard::Ended(why) => return Err(Over::Ended(why)),
                Heard::Message(kind, body) => match channel {
                    Channel::Main => self.main(kind, &body, out, events)?,
                    Channel::Display => self.display.message(kind, &body, events)?,
                    Channel::Inputs => self.input.message(kind, &body, out, events)?,
                    Channel::Cursor => self.cursor.message(kind, &body, events)?,
                    Channel::Playback => self.sound.message(kind, &body, events)?,
                },
            }
        }
        Ok(())
    }

    fn main(&mut self, kind: u16, body: &[u8], out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<(), Over> {
        let mut reader = Reader::new(body);
        match kind {
            // MIGRATE_BEGIN, MIGRATE_SWITCH_HOST: the new host is not dialled on the old one's word.
            101 | 111 => return Err(Over::Ended("the machine moves to another host; connect again".to_owned())),
            // INIT
            103 => {
                let (session, _displays) = (reader.u32()?, reader.u32()?);
                let (able, now) = (reader.u32()?, reader.u32()?);
                let (agent, tokens) = (reader.u32()? != 0, reader.u32()?);
                if self.session.replace(session).is_none() {
                    channel::send(out, Channel::Main, ATTACH_CHANNELS, &[]);
                }
                self.mouse(able, now, out);
                if agent {
                    self.agent.connected(tokens, out);
                } else {
                    self.agent.more_tokens(tokens, out);
                }
            }
            // CHANNELS_LIST
            104 => {
                let count = reader.u32()?;
                if count > CHANNELS_MAX {
                    return Ok(bad(format!("it lists {count} channels"))?);
                }
                let mut channels = Vec::new();
                for _ in 0..count {
                    let [kind, number] = reader.array()?;
                    // Further displays have screens of their own.
                    channels.extend(Channel::of(kind).filter(|_| number == 0));
                }
                channels.sort_unstable();
                channels.dedup();
                self.channels = Some(channels);
            }
            // MOUSE_MODE
            105 => {
                let (able, now) = (reader.u16()?, reader.u16()?);
                self.mouse(able.into(), now.into(), out);
            }
            // AGENT_CONNECTED, …_TOKENS
            107 => self.agent.connected(TOKENS_OF_OLD_SERVERS, out),
            115 => self.agent.connected(reader.u32()?, out),
            108 => self.agent.gone(),
            109 => self.agent.data(body, out, events)?,
            110 => self.agent.more_tokens(reader.u32()?, out),
            // NAME
            113 => {
                let length = reader.u32()? as usize;
                let name = printable(reader.take(length.min(reader.rest().len()).min(NAME_BYTES_MAX))?);
                if !name.is_empty() {
                    events.push(ScreenEvent::Title(name));
                }
            }
            other => tracing::debug!(kind = other, "A SPICE server's main message was left out"),
        }
        Ok(())
    }

    fn mouse(&mut self, able: u32, now: u32, out: &mut Vec<u8>) {
        self.input.absolute = now & MOUSE_MODE_CLIENT != 0;
        if able & MOUSE_MODE_CLIENT != 0 && !self.input.absolute {
            channel::send(out, Channel::Main, MOUSE_MODE_REQUEST, &(MOUSE_MODE_CLIENT as u16).to_le_bytes());
        }
    }

    fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<(), Over> {
        self.display.refill();
        self.agent.go_on(out);
        loop {
            let piece = self.demux.next(&mut bytes);
            match piece.map_err(|_| Over::Broken("a frame of no channel".to_owned()))? {
                None => return Ok(()),
                Some(Piece::Bytes(channel, bytes)) => self.hear(channel, bytes, out, events)?,
                Some(Piece::Ended(piece)) => {
                    if self.reason.len() < REASON_BYTES_MAX {
                        self.reason.push_str(&printable(piece));
                    }
                    if self.demux.is_at_start() {
                        return Err(Over::Ended(std::mem::take(&mut self.reason)));
                    }
                }
            }
        }
    }
}

const fn is_pointer(event: &ScreenEvent) -> bool {
    matches!(event, ScreenEvent::Cursor { .. } | ScreenEvent::CursorHidden | ScreenEvent::CursorDefault)
}

/// A screen of this size, or of as much of it as Oriel takes.
fn within(width: u16, height: u16) -> Rect {
    let width = width.min(SURFACE_SIDE_MAX);
    let most = SURFACE_PIXELS_MAX.checked_div(width.into()).and_then(|most| u16::try_from(most).ok());
    Rect::new(0, 0, width, height.min(SURFACE_SIDE_MAX).min(most.unwrap_or(u16::MAX)))
}

/// Those before 2012 say nothing about it, and take ten.
const TOKENS_OF_OLD_SERVERS: u32 = 10;

impl Source for SpiceSource {
    fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
        if let Some(over) = &self.over {
            return Err(over.clone().into());
        }
        events.append(&mut self.early);
        let before = events.len();
        let taken = self.take(bytes, out, events);
        let drawn = events.iter().skip(before).any(|event| {
            matches!(event, ScreenEvent::Damage(_) | ScreenEvent::Copy { .. } | ScreenEvent::Resize { .. })
        });
        // Of pointers that came together the last one is seen. Each may be half a megabyte for each viewer, and a few bytes name one that
        // is kept.
        if let Some(last) = events.iter().rposition(is_pointer) {
            let mut at = 0_usize..;
            events.retain(|event| at.next() == Some(last) || !is_pointer(event));
        }
        // The protocol has no pictures that are whole: what came together belongs together.
        if drawn {
            events.push(ScreenEvent::FrameEnd);
        }
        taken.map_err(|over| {
            self.over = Some(over.clone());
            over.into()
        })
    }

    fn input(&mut self, input: &InputEvent, out: &mut Vec<u8>) -> Result<(), SourceError> {
        match input {
            // A copy without text: nothing that the agent is told of.
            InputEvent::Clipboard(text) if text.is_empty() => {}
            InputEvent::Clipboard(text) => self.agent.copy(text, out),
            InputEvent::Resize { width, height, scale } => {
                let rect = within(*width, *height);
                if !rect.is_empty() {
                    self.agent.wish(vec![Monitor { rect, scale: *scale, primary: true }], out);
                }
            }
            // One channel is one screen: the whole of them.
            InputEvent::Monitors(monitors) => {
                let (width, height) = monitors.size();
                let rect = within(width, height);
                self.agent.wish(vec![Monitor { rect, scale: 100, primary: true }], out);
            }
            other => self.input.event(other, self.size(), out),
        }
        Ok(())
    }

    fn framebuffer(&self) -> &dyn Framebuffer {
        self.display.screen()
    }
}
