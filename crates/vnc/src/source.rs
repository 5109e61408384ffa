//! An open session: messages from the server become pixels and events (RFC 6143 §7.6 and extensions).
//!
//! ```text
//! Message ─▶ Update ─▶ Pixels(decoder) ─▶ Update … ─▶ Message      (a framebuffer update, rectangle by rectangle)
//!    ├─────▶ Collect{small message} ─────▶ Message or Update       (pointers, names, clipboards, layouts, fences)
//!    └─────▶ Skip{too large or unused} ──▶ Message or Update
//! ```
//! Pixels are asked for one update at a time ([`Source::want_frame`]) unless the server offers continuous updates.

use crate::{
    Established, NAME_BYTES_MAX, clipboard,
    clipboard::Clipboard,
    cursor, encodings,
    handshake::printable,
    input::Input,
    pending::Pending,
    picture::Whole,
    reader::{Reader, Stop, bad},
    screens::{Layout, Wish},
    sound::{self, Sound},
    tight,
    update::{Decoder, Streams},
    write,
};
use oriel_screen::{
    Framebuffer, InputEvent, Rect, SURFACE_PIXELS_MAX, SURFACE_SIDE_MAX, ScreenEvent, Source, SourceError, Surface,
    SurfaceError, VideoCodec,
};
use std::mem;

/// How often one update may paint over the whole screen: beyond it, it costs work and shows nothing.
const PAINT_FACTOR_MAX: u64 = 16;
/// Bytes that are added to an unfinished unit at a time.
const CARRY_BYTES: usize = 4096;
/// Longest payload of a fence, in bytes (community specification).
const FENCE_BYTES_MAX: u8 = 64;

const FENCE_REQUEST: u32 = 1 << 31;
/// Block-before, block-after and sync-next: true of us anyway, since we do one thing after the other.
const FENCE_KNOWN: u32 = 0b111;

enum State {
    Message,
    Update,
    Pixels { rect: Rect, decoder: Decoder },
    Collect { what: What, want: usize, got: Vec<u8> },
    Skip { left: u64 },
}

/// A small message that is needed as a whole; its length was checked.
#[derive(Clone, Copy)]
enum What {
    Cursor(Rect),
    AlphaCursor(Rect),
    VmwareMasks(Rect),
    VmwareAlpha(Rect),
    Name,
    Layout { size: Rect },
    PlainText,
    ExtendedText,
    Fence { flags: u32 },
    Samples,
}

/// Where messages leave what they mean.
struct Sinks<'a> {
    out: &'a mut Vec<u8>,
    events: &'a mut Vec<ScreenEvent>,
}

/// An open VNC session.
pub struct VncSource {
    surface: Surface,
    name: String,
    state: State,
    /// Bytes of an unfinished unit, a few hundred at most between calls.
    carry: Vec<u8>,
    streams: Streams,
    /// Pictures that were handed on and are not painted yet.
    pending: Pending,
    input: Input,
    clipboard: Clipboard,
    sound: Sound,
    /// Some of the screen is video, of which the surface has nothing.
    video: bool,
    /// Rectangles left in the current update; none outside updates.
    left: Option<u16>,
    /// The current update changed something that is seen.
    seen: bool,
    /// Pixels painted in the current update.
    painted: u64,
    begun: bool,
    requested: bool,
    continuous: bool,
    /// The next request is for everything rather than for changes.
    whole: bool,
    layout: Option<Layout>,
    /// The viewer's window or monitors, asked for when the server can and not asked for twice.
    wish: Option<Wish>,
    /// What broke; said again to later calls.
    broken: Option<String>,
}

impl VncSource {
    /// Starts a session after its handshake; the first requests are appended to `out`.
    ///
    /// # Errors
    /// The server's screen is larger than we accept.
    pub fn new(established: Established, wanted: &[i32], out: &mut Vec<u8>) -> Result<Self, SurfaceError> {
        let Established { width, height, name } = established;
        let mut source = Self {
            surface: Surface::new(width, height)?,
            name,
            state: State::Message,
            carry: Vec::new(),
            streams: Streams::default(),
            pending: Pending::default(),
            input: Input::default(),
            clipboard: Clipboard::default(),
            sound: Sound::default(),
            video: false,
            left: None,
            seen: false,
            painted: 0,
            begun: false,
            requested: false,
            continuous: false,
            whole: true,
            layout: None,
            wish: None,
            broken: None,
        };
        write::set_pixel_format(out);
        write::set_encodings(out, [wanted, &encodings::PSEUDO]);
        source.request(out);
        Ok(source)
    }

    fn everything(&self) -> Rect {
        Rect::new(0, 0, self.surface.width(), self.surface.height())
    }

    fn request(&mut self, out: &mut Vec<u8>) {
        write::update_request(out, !self.whole, self.everything());
        self.whole = false;
        self.requested = true;
    }

    /// Parses all of `bytes` that is complete; answers how much that was.
    fn parse(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<usize, Stop> {
        let mut reader = Reader::new(bytes);
        loop {
            match self.step(&mut reader, sinks) {
                Ok(()) => {}
                Err(Stop::Short) => return Ok(reader.at()),
                Err(stop) => return Err(stop),
            }
        }
    }

    fn step(&mut self, reader: &mut Reader, sinks: &mut Sinks) -> Result<(), Stop> {
        match mem::replace(&mut self.state, State::Message) {
            State::Message => self.state = reader.unit(|reader| self.message(reader, sinks))?,
            State::Update => match self.rectangle(reader, sinks) {
                Ok(state) => self.state = state,
                Err(stop) => {
                    self.state = State::Update;
                    return Err(stop);
                }
            },
            State::Pixels { rect, mut decoder } => match decoder.run(reader, &mut self.surface, &mut self.streams) {
                Ok(whole) => {
                    self.state = self.after();
                    self.finished(rect, whole, sinks)?;
                }
                Err(stop) => {
                    self.state = State::Pixels { rect, decoder };
                    return Err(stop);
                }
            },
            State::Collect { what, want, mut got } => {
                let now = reader.rest().len().min(want - got.len());
                got.extend_from_slice(reader.take(now)?);
                if got.len() < want {
                    self.state = State::Collect { what, want, got };
                    return Err(Stop::Short);
                }
                self.state = self.after();
                self.collected(what, &got, sinks)?;
            }
            State::Skip { left } => {
                let now = (reader.rest().len() as u64).min(left);
                reader.skip(now as usize);
                if now < left {
                    self.state = State::Skip { left: left - now };
                    return Err(Stop::Short);
                }
                self.state = self.after();
            }
        }
        Ok(())
    }

    /// What follows a finished rectangle or message.
    const fn after(&self) -> State {
        if self.left.is_some() { State::Update } else { State::Message }
    }

    /// A rectangle is complete.
    fn finished(&mut self, rect: Rect, whole: Whole, sinks: &mut Sinks) -> Result<(), Stop> {
        if rect.is_empty() {
            return Ok(());
        }
        let event = match whole {
            Whole::Nothing => return Ok(()),
            Whole::Painted => ScreenEvent::Damage(rect),
            Whole::Tile { codec, bytes } => {
                self.pending.add(rect, codec, bytes.clone(), &mut self.surface)?;
                ScreenEvent::Tile { rect, codec, bytes }
            }
            Whole::Video { key, bytes } => {
                self.video = true;
                ScreenEvent::Video { rect, codec: VideoCodec::H264, key, regions: None, bytes }
            }
        };
        sinks.events.push(event);
        self.seen = true;
        Ok(())
    }

    /// The header of a message.
    fn message(&mut self, reader: &mut Reader, sinks: &mut Sinks) -> Result<State, Stop> {
        Ok(match reader.u8()? {
            0 => {
                reader.take(1)?;
                self.left = Some(reader.u16()?);
                self.seen = false;
                self.painted = 0;
                State::Update
            }
            1 => {
                // Colour maps are for pixel formats that we did not ask for.
                reader.take(3)?;
                State::Skip { left: u64::from(reader.u16()?) * 6 }
            }
            2 => {
                // One bell is as good as a thousand within one piece of data.
                if sinks.events.last() != Some(&ScreenEvent::Bell) {
                    sinks.events.push(ScreenEvent::Bell);
                }
                State::Message
            }
            3 => {
                reader.take(3)?;
                let length = reader.i32()?;
                let what = if length < 0 { What::ExtendedText } else { What::PlainText };
                if length.unsigned_abs() > clipboard::MESSAGE_BYTES_MAX {
                    tracing::warn!(bytes = length.unsigned_abs(), "the VNC server's clipboard is too large, left out");
                    State::Skip { left: u64::from(length.unsigned_abs()) }
                } else {
                    collect(what, length.unsigned_abs())
                }
            }
            150 => {
                // Sent once to say that continuous updates can be had.
                if !self.continuous {
                    self.continuous = true;
                    write::continuous_updates(sinks.out, self.everything());
                }
                State::Message
            }
            248 => {
                reader.take(3)?;
                let flags = reader.u32()?;
                let length = reader.u8()?;
                if length > FENCE_BYTES_MAX {
                    return bad(format!("a fence holds {length} bytes"));
                }
                collect(What::Fence { flags }, u32::from(length))
            }
            255 => match reader.u8()? {
                1 => match reader.u16()? {
                    // Sound ends and begins: what is between says enough.
                    0 | 1 => State::Message,
                    2 => {
                        let length = reader.u32()?;
                        if length > sound::MESSAGE_BYTES_MAX {
                            tracing::warn!(bytes = length, "The VNC server sent too much sound at once, left out");
                            State::Skip { left: u64::from(length) }
                        } else {
                            collect(What::Samples, length)
                        }
                    }
                    other => return bad(format!("an audio message has the unknown operation {other}")),
                },
                other => return bad(format!("a QEMU message has the unknown type {other}")),
            },
            other => return bad(format!("message type {other} is unknown")),
        })
    }

    /// The header of a rectangle, or the end of the update.
    fn rectangle(&mut self, reader: &mut Reader, sinks: &mut Sinks) -> Result<State, Stop> {
        let left = match self.left {
            None | Some(0) => {
                self.end_update(sinks);
                return Ok(State::Message);
            }
            Some(left) => left - 1,
        };
        let state = reader.unit(|reader| {
            let rect = Rect::new(reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
            let encoding = reader.i32()?;
            self.rectangle_of(encoding, rect, reader, sinks)
        })?;
        if let Some(slot) = &mut self.left {
            *slot = left;
        }
        Ok(state)
    }

    fn rectangle_of(
        &mut self,
        encoding: i32,
        rect: Rect,
        reader: &mut Reader,
        sinks: &mut Sinks,
    ) -> Result<State, Stop> {
        match encoding {
            encodings::COPY_RECT => {
                let (from_x, from_y) = (reader.u16()?, reader.u16()?);
                self.may_paint(rect)?;
                self.pending.paint_in(Rect::new(from_x, from_y, rect.w, rect.h), &mut self.surface)?;
                self.pending.make_way(rect, &mut self.surface)?;
                self.surface.copy(from_x, from_y, rect)?;
                if !rect.is_empty() {
                    sinks.events.push(ScreenEvent::Copy { from_x, from_y, to: rect });
                    self.seen = true;
                }
            }
            encodings::CURSOR => return Ok(collect(What::Cursor(rect), cursor::masked_bytes(rect)?)),
            encodings::CURSOR_WITH_ALPHA => {
                let inner = reader.i32()?;
                if inner != encodings::RAW {
                    return bad(format!("a pointer picture has the encoding {inner} instead of raw"));
                }
                return Ok(collect(What::AlphaCursor(rect), cursor::check(rect)? * 4));
            }
            encodings::VMWARE_CURSOR => {
                let [kind, _] = reader.array::<2>()?;
                let bytes = cursor::check(rect)? * 4;
                return match kind {
                    0 => Ok(collect(What::VmwareMasks(rect), bytes * 2)),
                    1 => Ok(collect(What::VmwareAlpha(rect), bytes)),
                    other => bad(format!("a pointer picture has VMware's unknown kind {other}")),
                };
            }
            encodings::DESKTOP_SIZE => self.resized(rect.w, rect.h, sinks)?,
            encodings::EXTENDED_DESKTOP_SIZE => {
                let screens = reader.u8()?;
                reader.take(3)?;
                return Ok(collect(What::Layout { size: rect }, u32::from(screens) * 16));
            }
            encodings::LAST_RECT => {
                // The caller stores the rectangles left after this call: none.
                self.end_update(sinks);
                return Ok(State::Message);
            }
            encodings::DESKTOP_NAME => {
                let length = reader.u32()?;
                if length > NAME_BYTES_MAX {
                    return bad(format!("a screen name is {length} bytes long, at most {NAME_BYTES_MAX} are accepted"));
                }
                return Ok(collect(What::Name, length));
            }
            encodings::QEMU_KEY => self.input.scan_codes = true,
            encodings::EXTENDED_MOUSE_BUTTONS => self.input.many_buttons = true,
            encodings::QEMU_AUDIO => {
                if !mem::replace(&mut self.sound.asked, true) {
                    write::qemu_audio(sinks.out, sound::CHANNELS, sound::RATE);
                }
            }
            encodings::VMWARE_LED => {
                let bits = (reader.u32()? & 0b111) as u8;
                sinks.events.push(ScreenEvent::Leds(bits));
            }
            encodings::QEMU_LED => {
                let bits = reader.u8()? & 0b111;
                sinks.events.push(ScreenEvent::Leds(bits));
            }
            _ => {
                let Some(decoder) = Decoder::new(encoding, rect) else {
                    return bad(format!("a rectangle has the encoding {encoding}, which was not asked for"));
                };
                // A Tight rectangle says with its first byte whether it is a picture.
                let picture = match decoder {
                    Decoder::Tight(_) => {
                        let control = reader.rest().first().copied().ok_or(Stop::Short)?;
                        tight::picture_of(control).is_some()
                    }
                    _ => !decoder.paints(),
                };
                self.may_paint(rect)?;
                if !picture {
                    self.pending.make_way(rect, &mut self.surface)?;
                }
                return Ok(State::Pixels { rect, decoder });
            }
        }
        Ok(State::Update)
    }

    fn may_paint(&mut self, rect: Rect) -> Result<(), Stop> {
        let (width, height) = (self.surface.width(), self.surface.height());
        if !rect.fits(width, height) {
            return Err(SurfaceError::Outside { rect, width, height }.into());
        }
        self.painted += u64::from(rect.area());
        if self.painted > PAINT_FACTOR_MAX * u64::from(self.everything().area()) {
            return bad("an update paints the screen over and over");
        }
        Ok(())
    }

    fn end_update(&mut self, sinks: &mut Sinks) {
        self.left = None;
        self.requested = false;
        if mem::take(&mut self.seen) {
            sinks.events.push(ScreenEvent::FrameEnd);
        }
    }

    fn collected(&mut self, what: What, bytes: &[u8], sinks: &mut Sinks) -> Result<(), Stop> {
        match what {
            What::Cursor(rect) => sinks.events.push(cursor::masked(rect, bytes)),
            What::AlphaCursor(rect) => sinks.events.push(cursor::with_alpha(rect, bytes)),
            What::VmwareMasks(rect) => sinks.events.push(cursor::vmware_masks(rect, bytes)),
            What::VmwareAlpha(rect) => sinks.events.push(cursor::vmware_alpha(rect, bytes)),
            What::Samples => sinks.events.extend(self.sound.samples(bytes)),
            What::Name => {
                self.name = printable(bytes);
                sinks.events.push(ScreenEvent::Title(self.name.clone()));
            }
            What::Layout { size } => self.laid_out(size, bytes, sinks)?,
            What::PlainText => sinks.events.push(Clipboard::plain(bytes)),
            What::ExtendedText => sinks.events.extend(self.clipboard.message(bytes, sinks.out)?),
            What::Fence { flags } => {
                if flags & FENCE_REQUEST != 0 {
                    write::fence(sinks.out, flags & FENCE_KNOWN, bytes);
                }
            }
        }
        Ok(())
    }

    /// An ExtendedDesktopSize rectangle: `x` says who asked (1: we), `y` what came of it (0: done).
    fn laid_out(&mut self, size: Rect, screens: &[u8], sinks: &mut Sinks) -> Result<(), Stop> {
        let news = self.layout.is_none();
        self.layout.get_or_insert_default().told(screens);
        if size.x == 1 && size.y != 0 {
            tracing::info!(status = size.y, "the VNC server refused the new size");
        } else {
            self.resized(size.w, size.h, sinks)?;
        }
        if news && let Some(wish) = &self.wish {
            self.ask_size(wish, sinks.out);
        }
        Ok(())
    }

    fn resized(&mut self, width: u16, height: u16, sinks: &mut Sinks) -> Result<(), Stop> {
        if (width, height) == (self.surface.width(), self.surface.height()) {
            return Ok(());
        }
        self.surface = Surface::new(width, height)?;
        self.pending.forget_all();
        self.video = false;
        self.painted = 0;
        self.seen = true;
        self.whole = true;
        sinks.events.push(ScreenEvent::Resize { width, height });
        if self.continuous {
            write::continuous_updates(sinks.out, self.everything());
            self.request(sinks.out);
        }
        Ok(())
    }

    fn ask_size(&self, wish: &Wish, out: &mut Vec<u8>) {
        let Some(layout) = &self.layout else { return };
        let (width, height) = wish.size();
        let too_large = u32::from(width) * u32::from(height) > SURFACE_PIXELS_MAX;
        let screens = layout.wished(wish);
        let same = (width, height) == (self.surface.width(), self.surface.height())
            && (layout.is(&screens) || matches!(wish, Wish::Window(..)) && layout.has_one());
        if !too_large && !same {
            write::set_desktop_size(out, (width, height), &screens);
        }
    }

    fn wish(&mut self, wish: Wish, out: &mut Vec<u8>) -> Result<(), SourceError> {
        // A viewer that comes says its size, and frames of a video that it has not seen make no picture.
        self.want_key(out)?;
        let (width, height) = wish.size();
        if width != 0 && height != 0 && self.wish.as_ref() != Some(&wish) {
            self.ask_size(&wish, out);
            self.wish = Some(wish);
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), Stop> {
        let mut rest = bytes;
        while !self.carry.is_empty() && !rest.is_empty() {
            let mut carry = mem::take(&mut self.carry);
            let (now, later) = rest.split_at(rest.len().min(CARRY_BYTES));
            carry.extend_from_slice(now);
            rest = later;
            let used = self.parse(&carry, sinks)?;
            carry.drain(..used);
            self.carry = carry;
        }
        if !rest.is_empty() {
            let used = self.parse(rest, sinks)?;
            self.carry.extend_from_slice(rest.get(used..).unwrap_or(&[]));
        }
        Ok(())
    }
}

fn collect(what: What, want: u32) -> State {
    // Grows as bytes come: a length alone reserves nothing.
    State::Collect { what, want: want as usize, got: Vec::new() }
}

fn protocol(what: String) -> SourceError {
    SourceError::Protocol { protocol: "RFB", what }
}

impl VncSource {
    fn broken(&mut self, stop: Result<(), Stop>) -> Result<(), SourceError> {
        match stop {
            Ok(()) | Err(Stop::Short) => Ok(()),
            Err(Stop::Bad(what)) => {
                self.broken = Some(what.clone());
                Err(protocol(what))
            }
        }
    }
}

impl Source for VncSource {
    fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
        if let Some(what) = &self.broken {
            return Err(protocol(what.clone()));
        }
        if !mem::replace(&mut self.begun, true) {
            events.push(ScreenEvent::Resize { width: self.surface.width(), height: self.surface.height() });
            events.push(ScreenEvent::Title(self.name.clone()));
        }
        let taken = self.take(bytes, &mut Sinks { out, events });
        self.broken(taken)
    }

    fn input(&mut self, input: &InputEvent, out: &mut Vec<u8>) -> Result<(), SourceError> {
        match input {
            // A copy without text: nothing that these servers take.
            InputEvent::Clipboard(text) if text.is_empty() => {}
            InputEvent::Clipboard(text) => self.clipboard.set(text, out),
            InputEvent::Resize { width, height, .. } => {
                self.wish(Wish::Window(*width.min(&SURFACE_SIDE_MAX), *height.min(&SURFACE_SIDE_MAX)), out)?;
            }
            InputEvent::Monitors(monitors) => self.wish(Wish::Monitors(monitors.clone()), out)?,
            other => self.input.event(other, (self.surface.width(), self.surface.height()), out),
        }
        Ok(())
    }

    fn want_frame(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        if !self.requested && (!self.continuous || self.whole) {
            self.request(out);
        }
        Ok(())
    }

    /// Asks for the whole screen, which servers answer with a frame that stands alone. Does nothing while no video has come.
    fn want_key(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        if self.video {
            self.whole = true;
            if !self.requested {
                self.request(out);
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SourceError> {
        let painted = self.pending.paint_all(&mut self.surface);
        self.broken(painted)
    }

    fn framebuffer(&self) -> &dyn Framebuffer {
        &self.surface
    }
}
