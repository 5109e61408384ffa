//! A device's screen as a [`Source`]: frames from the tasks that hold its connections become pictures and lights, what a person does
//! becomes frames for them.

use crate::frame::{Frames, FromDevice, ToDevice};
use crate::input::Input;
use crate::state::State;
use crate::{PICTURE_BYTES_MAX, jpeg};
use bytes::Bytes;
use oriel_screen::h264::{Colour, Rewriter};
use oriel_screen::{Framebuffer, InputEvent, Rect, ScreenEvent, Source, SourceError, Surface, TileCodec, VideoCodec};

/// What there is to see before the first picture.
const FIRST_SIZE: (u16, u16) = (640, 480);
/// Pictures in a row that may be broken: one is shown wrong by every capture device now and then.
const BROKEN_MAX: u32 = 30;

/// A session with a device.
pub struct PhysicalSource {
    surface: Surface,
    frames: Frames,
    input: Input,
    state: State,
    leds: Option<u8>,
    video: Rewriter,
    /// The last JPEG, until somebody reads the pixels.
    pending: Option<Bytes>,
    broken: u32,
    /// Why it ended; said again to later calls.
    over: Option<String>,
}

impl Default for PhysicalSource {
    fn default() -> Self {
        Self {
            surface: Surface::new(FIRST_SIZE.0, FIRST_SIZE.1).unwrap_or_default(),
            frames: Frames::default(),
            input: Input::default(),
            state: State::default(),
            leds: None,
            video: Rewriter::new(Colour::Kept),
            pending: None,
            broken: 0,
            over: None,
        }
    }
}

fn broke(what: impl Into<String>) -> SourceError {
    SourceError::Protocol { protocol: "PiKVM", what: what.into() }
}

impl PhysicalSource {
    fn size(&self) -> (u16, u16) {
        (self.surface.width(), self.surface.height())
    }

    fn resize(&mut self, (width, height): (u16, u16), events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
        if self.size() != (width, height) {
            self.surface = Surface::new(width, height).map_err(|error| broke(error.to_string()))?;
            self.pending = None;
            events.push(ScreenEvent::Resize { width, height });
        }
        Ok(())
    }

    /// A picture that cannot be shown is left out; too many in a row are an end.
    fn bad_picture(&mut self, what: String) -> Result<(), SourceError> {
        self.broken += 1;
        tracing::debug!(what, "A picture of the device was left out");
        if self.broken > BROKEN_MAX { Err(broke(what)) } else { Ok(()) }
    }

    fn take(&mut self, frame: FromDevice, out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
        match frame {
            FromDevice::Event(message) => {
                // What is no event is left out, as the device does with what it does not know.
                if matches!(self.state.apply(&message), Ok(Some("hid"))) {
                    self.input.relative = self.state.is_absolute() == Some(false);
                    let leds = self.state.leds();
                    if leds != self.leds {
                        self.leds = leds;
                        events.extend(leds.map(ScreenEvent::Leds));
                    }
                }
            }
            FromDevice::Jpeg(bytes) => {
                let Some(size) = jpeg::size(&bytes).filter(|_| bytes.len() <= PICTURE_BYTES_MAX) else {
                    return self.bad_picture("a picture is no JPEG of a size that can be shown".to_owned());
                };
                self.broken = 0;
                self.resize(size, events)?;
                self.pending = Some(bytes.clone());
                let rect = Rect::new(0, 0, size.0, size.1);
                events.push(ScreenEvent::Tile { rect, codec: TileCodec::Jpeg, bytes });
                events.push(ScreenEvent::FrameEnd);
            }
            FromDevice::Video(bytes) => {
                let unit = match self.video.unit(bytes) {
                    Ok(Some(unit)) => unit,
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        ToDevice::WantKey.encode(out);
                        return self.bad_picture(error.to_string());
                    }
                };
                // Without its parameter sets nobody can decode it.
                let Some((width, height)) = self.video.size() else {
                    ToDevice::WantKey.encode(out);
                    return self.bad_picture("a video frame came before the first key frame".to_owned());
                };
                self.broken = 0;
                let (Ok(width), Ok(height)) = (u16::try_from(width), u16::try_from(height)) else {
                    return Err(broke(format!("a video of {width}x{height} pixels")));
                };
                self.resize((width, height), events)?;
                let rect = Rect::new(0, 0, width, height);
                events.push(ScreenEvent::Video {
                    rect,
                    regions: None,
                    codec: VideoCodec::H264,
                    key: unit.key,
                    bytes: unit.bytes,
                });
                events.push(ScreenEvent::FrameEnd);
            }
            FromDevice::Lost => self.input.forget(),
            FromDevice::Gone(why) => return Err(SourceError::Ended(why)),
        }
        Ok(())
    }

    fn run(&mut self, out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
        while let Some(frame) = self.frames.next_from_device().map_err(|_| broke("a frame that is none"))? {
            self.take(frame, out, events)?;
        }
        Ok(())
    }
}

impl Source for PhysicalSource {
    fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
        if let Some(why) = &self.over {
            return Err(SourceError::Ended(why.clone()));
        }
        self.frames.feed(bytes);
        let done = self.run(out, events);
        if let Err(error) = &done {
            self.over = Some(error.to_string());
        }
        done
    }

    fn input(&mut self, input: &InputEvent, out: &mut Vec<u8>) -> Result<(), SourceError> {
        self.input.event(input, self.size(), out);
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SourceError> {
        if let Some(bytes) = self.pending.take() {
            let rect = Rect::new(0, 0, self.surface.width(), self.surface.height());
            // The next picture covers it.
            if let Err(what) = jpeg::paint(&mut self.surface, rect, &bytes) {
                self.bad_picture(what)?;
            }
        }
        Ok(())
    }

    fn want_key(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        ToDevice::WantKey.encode(out);
        Ok(())
    }

    fn framebuffer(&self) -> &dyn Framebuffer {
        &self.surface
    }
}
