//! The connected session: bytes in, picture and events out.

use crate::clipboard::{Clipboard, Copied, Task, fail_lost, make_room};
use crate::confirm;
use crate::continuation::Continuation;
use crate::cursor::cursor_event;
use crate::drive::{DRIVE_OUT_BYTES_MAX, Rdpdr, messages};
use crate::dynamic::pdus;
use crate::frame::Frames;
use crate::graphics::{Graphics, Output};
use crate::guard::{Channels, Crossing, Guard, Verdict, crossing};
use crate::handshake::chain;
use crate::held::Held;
use crate::input::{Input, slow_path};
use crate::microphone::Microphone;
use crate::monitors;
use crate::picture::Picture;
use crate::rail::{self, Orders, Rail};
use crate::sound::Sound;
use crate::touch::Touch;
use crate::{CLIPBOARD_WAITING_BYTES_MAX, FRAMES_PENDING_MAX, MICROPHONE_WAITING_BYTES_MAX};
use ironrdp_cliprdr::CliprdrClient;
use ironrdp_cliprdr::pdu::OwnedFormatDataResponse;
use ironrdp_connector::connection_activation::{
    ConnectionActivationFactory, ConnectionActivationSequence, ConnectionActivationState,
};
use ironrdp_connector::{Config, ConnectionResult, DesktopSize, Sequence as _};
use ironrdp_core::{WriteBuf, encode_vec};
use ironrdp_displaycontrol::pdu::MonitorLayoutEntry;
use ironrdp_dvc::{DrdynvcClient, DvcMessage};
use ironrdp_pdu::Action;
use ironrdp_pdu::input::InputEventPdu;
use ironrdp_pdu::input::fast_path::{FastPathInput, FastPathInputEvent};
use ironrdp_pdu::rdp::capability_sets::InputFlags;
use ironrdp_pdu::rdp::headers::ShareDataPdu;
use ironrdp_pdu::rdp::multitransport::MultitransportResponsePdu;
use ironrdp_pdu::rdp::server_redirection::ServerRedirectionPdu;
use ironrdp_pdu::rdp::session_info::{
    LogonErrorNotificationData, LogonErrorNotificationDataErrorCode, LogonErrorNotificationType,
};
use ironrdp_session::{ActiveStage, ActiveStageBuilder, ActiveStageOutput, GracefulDisconnectReason};
use ironrdp_svc::{ChannelFlags, SvcProcessorMessages};
use oriel_screen::{
    Contacts, Framebuffer, InputEvent, MicrophoneFormat, Monitors, PROGRAM_CLOSED, Rect, Rich, ScreenEvent, Source,
    SourceError, TouchAbility, Windows,
};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Steps of an activation that need no message of the server: four (MS-RDPBCGR 1.3.1.1, finalization).
const ACTIVATION_STEPS_MAX: usize = 8;

/// An RDP session as a machine without I/O.
pub struct RdpSource {
    stage: ActiveStage,
    picture: Picture,
    frames: Frames,
    sound: Sound,
    guard: Guard,
    channels: Channels,
    activation: Box<ConnectionActivationFactory>,
    /// Running while the server takes the session through deactivation and reactivation.
    reactivating: Option<Box<ConnectionActivationSequence>>,
    input: Input,
    fast_path_input: bool,
    refresh_rect: bool,
    suppress_output: bool,
    /// A window or monitors that the viewer has and that could not be told yet.
    wanted: Option<InputEvent>,
    /// Sent with the first bytes: the keyboard's locks.
    greeted: bool,
    /// The session is over; nothing may touch it any more.
    dead: bool,
    /// Frame ends told so far.
    marks: u64,
    /// Those of the graphics pipeline whose server waits to hear that they are shown.
    waiting: VecDeque<Waiting>,
    /// Bytes of channels since the last of them.
    received: usize,
    /// What of the clipboard waits to be sent.
    held: Held,
    /// How the machine wants to hear the person, as last told.
    recording: Option<MicrophoneFormat>,
    /// What it takes of fingers and pens, as last told.
    touchable: TouchAbility,
    continuation: Continuation,
    /// The machine may send us on to another one.
    follows: bool,
    /// Where the session is one program: what is told of its windows.
    orders: Option<Orders>,
    /// The machine has run that program.
    runs: bool,
}

/// A frame of the graphics pipeline that the viewer has not shown.
struct Waiting {
    mark: u64,
    channel: u32,
    frame: u32,
    bytes: usize,
}

/// Everything that makes the machine give up, with words for the person.
fn protocol(what: impl Into<String>) -> SourceError {
    SourceError::Protocol { protocol: "RDP", what: what.into() }
}

impl RdpSource {
    /// A session on what the handshake agreed. `config` is what reactivations repeat, without credentials.
    pub(crate) fn new(
        result: ConnectionResult,
        config: Config,
        sound: Sound,
        (continuation, follows): (Continuation, bool),
    ) -> Result<Self, String> {
        let DesktopSize { width, height } = result.desktop_size;
        let picture = Picture::new(width, height)?;
        let channels = Channels {
            io: result.io_channel_id,
            message: result.message_channel_id,
            clipboard: result.static_channels.get_channel_id_by_type::<CliprdrClient>(),
            dynamic: result.static_channels.get_channel_id_by_type::<DrdynvcClient>(),
            drive: result.static_channels.get_channel_id_by_type::<Rdpdr>(),
            graphics: None,
        };
        let orders = config.remote_application_mode.then(Orders::default);
        let activation = ConnectionActivationFactory::new(config, result.io_channel_id, result.user_channel_id);
        let stage = ActiveStageBuilder {
            static_channels: result.static_channels,
            user_channel_id: result.user_channel_id,
            io_channel_id: result.io_channel_id,
            message_channel_id: result.message_channel_id,
            share_id: result.share_id,
            compression_type: result.compression_type,
            enable_server_pointer: result.enable_server_pointer,
            pointer_software_rendering: result.pointer_software_rendering,
        }
        .build();
        let mut source = Self {
            stage,
            picture,
            frames: Frames::default(),
            sound,
            guard: Guard::new(),
            channels,
            activation: Box::new(activation),
            reactivating: None,
            input: Input::default(),
            fast_path_input: takes_fast_path(result.input_flags),
            refresh_rect: result.refresh_rect_support,
            suppress_output: result.suppress_output_support,
            wanted: None,
            greeted: false,
            dead: false,
            marks: 0,
            waiting: VecDeque::new(),
            received: 0,
            held: Held::default(),
            recording: None,
            touchable: TouchAbility::default(),
            continuation,
            follows,
            orders,
            runs: false,
        };
        tracing::debug!(flags = ?result.input_flags, width, height, "Session is active");
        // Windows announces the newer kind of fast-path input alone (MS-RDPBCGR 2.2.7.1.6), xrdp and FreeRDP both kinds.
        let lf = result.input_flags.contains(InputFlags::FASTPATH_INPUT | InputFlags::FASTPATH_INPUT_2);
        if let Some(clipboard) = source.clipboard() {
            clipboard.use_lf(lf);
        }
        Ok(source)
    }

    fn clipboard(&mut self) -> Option<&mut Clipboard> {
        self.stage.get_svc_processor_mut::<CliprdrClient>()?.downcast_backend_mut()
    }

    /// Whether `InputEvent::Resize` changes the machine's screen. It needs the display control channel, which comes up
    /// a moment after connecting; where it never does (xrdp 0.9), a new size takes a new connection.
    pub fn can_resize(&self) -> bool {
        self.stage.display_control_capabilities().is_some()
    }

    /// Asks the machine to paint its whole screen again, where it lets clients ask (MS-RDPBCGR 2.2.11.2).
    pub fn redraw(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        self.contained(|source| source.request_redraw(out))
    }

    fn request_redraw(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        if self.reactivating.is_some() {
            return Ok(());
        }
        let (width, height) = (self.picture.width(), self.picture.height());
        let frames = self
            .stage
            .request_full_redraw(width, height, self.refresh_rect, self.suppress_output)
            .map_err(|error| protocol(chain(&error)))?;
        frames.iter().for_each(|frame| out.extend_from_slice(frame));
        Ok(())
    }

    fn receive_bytes(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), SourceError> {
        self.greet(out)?;
        let before = events.len();
        let mut frame = Vec::new();
        while let Some(action) = self.frames.next(&mut bytes, &mut frame).map_err(protocol)? {
            self.frame(action, &frame, out, events)?;
        }
        if self.wanted.is_some()
            && self.reactivating.is_none()
            && self.can_resize()
            && let Some(wanted) = self.wanted.take()
        {
            self.resize(&wanted, out)?;
        }
        self.drive_reads(out)?;
        self.clipboard_files(out)?;
        self.remote_app(out)?;
        let new = events.get(before..).unwrap_or_default();
        let unmarked = new.iter().rev().take_while(|event| **event != ScreenEvent::FrameEnd);
        let painted =
            unmarked.into_iter().any(|event| matches!(event, ScreenEvent::Damage(_) | ScreenEvent::Copy { .. }));
        // A picture of the pipeline that is half here ends by itself.
        if painted && !self.stage.get_dvc::<Graphics>().is_some_and(|channel| channel.processor().in_frame()) {
            self.mark(events);
        }
        Ok(())
    }

    fn mark(&mut self, events: &mut Vec<ScreenEvent>) {
        self.marks += 1;
        events.push(ScreenEvent::FrameEnd);
    }

    fn frame(
        &mut self,
        action: Action,
        frame: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), SourceError> {
        if action == Action::FastPath {
            // Pictures of the old screen that cross a deactivation are void.
            if self.reactivating.is_some() {
                return Ok(());
            }
            self.guard.fast_path(frame, self.picture.width()).map_err(protocol)?;
            if let Some(orders) = &mut self.orders {
                orders.fast_path(frame);
            }
            return self.session(action, frame, out, events);
        }
        self.channels.graphics = self.stage.get_dvc::<Graphics>().map(|channel| channel.channel_id());
        match self.guard.x224(frame, self.channels).map_err(protocol)? {
            Verdict::Drop => Ok(()),
            Verdict::Bell => {
                events.push(ScreenEvent::Bell);
                Ok(())
            }
            Verdict::Leds(bits) => {
                self.input.keyboard.leds(bits);
                events.push(ScreenEvent::Leds(bits));
                Ok(())
            }
            Verdict::Pass if self.reactivating.is_some() => match crossing(frame, self.channels) {
                Crossing::Step => self.reactivate(frame, out, events),
                Crossing::Void => Ok(()),
                Crossing::Again => {
                    self.reactivating = Some(Box::new(self.activation.create()));
                    Ok(())
                }
            },
            Verdict::Pass | Verdict::Channel => self.session(action, frame, out, events),
            Verdict::Instead(frame) => self.session(action, &frame, out, events),
        }
    }

    fn session(
        &mut self,
        action: Action,
        frame: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), SourceError> {
        if action == Action::X224
            && let Some(begin) = self.channels.clipboard_begin(frame)
            && let Some(channel) = self.stage.get_svc_processor_mut::<CliprdrClient>()
        {
            fail_lost(channel, begin).map_err(|error| protocol(chain(&error)))?;
        }
        if action == Action::X224
            && let Some(orders) = &mut self.orders
            && let Some(data) = self.channels.io_data(frame)
        {
            orders.slow_path(data);
        }
        let outputs =
            self.stage.process(&mut self.picture.0, action, frame, None).map_err(|error| protocol(chain(&error)))?;
        self.damage(events);
        let about_clipboard = action == Action::X224 && self.channels.is_clipboard(frame);
        for output in outputs {
            match output {
                // Behind what of that channel waits: a message must not come between the pieces of another.
                ActiveStageOutput::ResponseFrame(frame) if about_clipboard => self.held.push(&frame),
                output => self.output(output, out, events)?,
            }
        }
        if self.stage.take_bitmap_recovery_request() {
            self.request_redraw(out)?;
        }
        if action == Action::X224 {
            self.received = self.received.saturating_add(frame.len());
            self.graphics(events)?;
            self.sound.take(events);
            self.microphone(events);
            self.touchable(events);
        }
        self.drive_changes(out)?;
        self.clipboard_tasks(events)
    }

    /// Tells the machine that the person changed the session's folder, where it waits to hear of that.
    fn drive_changes(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let changes = self.stage.get_svc_processor_mut::<Rdpdr>().map(Rdpdr::changes).unwrap_or_default();
        if changes.is_empty() { Ok(()) } else { self.drive_send(changes, out) }
    }

    /// Answers what the machine reads of the session's folder, until enough waits to be sent.
    fn drive_reads(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        while out.len() < DRIVE_OUT_BYTES_MAX {
            let answer = self.stage.get_svc_processor_mut::<Rdpdr>().and_then(Rdpdr::next_read);
            let Some(answer) = answer else { break };
            self.drive_send(vec![answer], out)?;
        }
        Ok(())
    }

    fn drive_send(&mut self, answers: Vec<Vec<u8>>, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let told = SvcProcessorMessages::<Rdpdr>::new(messages(answers));
        let frame = self.stage.process_svc_processor_messages(told).map_err(|error| protocol(chain(&error)))?;
        out.extend_from_slice(&frame);
        Ok(())
    }

    /// What a single program's channel has to say of its own: why the machine does not run it, and what the machine must be told.
    fn remote_app(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let Some(orders) = &mut self.orders else { return Ok(()) };
        if self.reactivating.is_some() {
            return Ok(());
        }
        let Some(channel) = self.stage.get_svc_processor_mut::<Rail>() else { return Ok(()) };
        if let Some(why) = channel.take_refusal() {
            return Err(SourceError::Refused(why));
        }
        self.runs |= channel.ran() || orders.windows().had_any();
        let mut messages = channel.resized(self.picture.width(), self.picture.height());
        if orders.take_hooked() {
            messages.extend(channel.hooked());
        }
        self.remote_app_send(messages, out)
    }

    fn remote_app_send(&mut self, messages: Vec<Vec<u8>>, out: &mut Vec<u8>) -> Result<(), SourceError> {
        if !messages.is_empty() {
            let told = SvcProcessorMessages::<Rail>::new(rail::messages(messages));
            let frame = self.stage.process_svc_processor_messages(told).map_err(|error| protocol(chain(&error)))?;
            out.extend_from_slice(&frame);
        }
        Ok(())
    }

    /// Tells what of the picture changed.
    fn damage(&mut self, events: &mut Vec<ScreenEvent>) {
        for region in self.stage.take_damage_regions() {
            let (w, h) = (region.right.saturating_sub(region.left), region.bottom.saturating_sub(region.top));
            let rect = Rect::new(region.left, region.top, w.saturating_add(1), h.saturating_add(1));
            let rect = rect.clip(self.picture.width(), self.picture.height());
            if !rect.is_empty() {
                events.push(ScreenEvent::Damage(rect));
            }
        }
    }

    /// What the graphics pipeline did, in its order.
    fn graphics(&mut self, events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
        let Some(mut channel) = self.stage.get_dvc_mut::<Graphics>() else { return Ok(()) };
        let id = channel.channel_id();
        let outputs = channel.processor_mut().take().map_err(protocol)?;
        for output in outputs {
            match output {
                Output::Reset { width, height } => {
                    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
                    let (width, height) = (side(width), side(height));
                    self.picture = Picture::new(width, height).map_err(protocol)?;
                    events.push(ScreenEvent::Resize { width, height });
                }
                Output::Damage(rect) => {
                    self.compose(rect)?;
                    self.damage(events);
                }
                Output::Copy { from_x, from_y, to } => {
                    let (width, height) = (self.picture.width(), self.picture.height());
                    self.compose(to)?;
                    if to.fits(width, height) && Rect::new(from_x, from_y, to.w, to.h).fits(width, height) {
                        drop(self.stage.take_damage_regions());
                        events.push(ScreenEvent::Copy { from_x, from_y, to });
                    } else {
                        self.damage(events);
                    }
                }
                Output::Video { rect, mut regions, codec, unit } => {
                    let (width, height) = (self.picture.width(), self.picture.height());
                    regions.iter_mut().for_each(|region| *region = region.clip(width, height));
                    regions.retain(|region| !region.is_empty());
                    events.push(ScreenEvent::Video {
                        rect,
                        regions: Some(regions),
                        codec,
                        key: unit.key,
                        bytes: unit.bytes,
                    });
                }
                Output::FrameEnd { frame } => {
                    self.mark(events);
                    let bytes = std::mem::take(&mut self.received);
                    self.waiting.push_back(Waiting { mark: self.marks, channel: id, frame, bytes });
                    if self.waiting.len() > FRAMES_PENDING_MAX {
                        self.waiting.pop_front();
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells whether a program on the machine records, where that is news. The channel goes when none does any more.
    fn microphone(&mut self, events: &mut Vec<ScreenEvent>) {
        let wanted = self.stage.get_dvc::<Microphone>().and_then(|channel| channel.processor().wanted());
        if wanted != self.recording {
            tracing::debug!(?wanted, "The machine's wish for a microphone changed");
            self.recording = wanted;
            events.push(ScreenEvent::Microphone(wanted));
        }
    }

    /// What the person says, where the machine wants it and takes what it is sent in time.
    fn hear(&mut self, format: MicrophoneFormat, samples: &[u8], out: &mut Vec<u8>) -> Result<(), SourceError> {
        if self.reactivating.is_some() || out.len() > MICROPHONE_WAITING_BYTES_MAX {
            return Ok(());
        }
        let Some(mut channel) = self.stage.get_dvc_mut::<Microphone>() else { return Ok(()) };
        let id = channel.channel_id();
        let messages = pdus(channel.processor_mut().samples(format, samples));
        self.send_over(id, messages, out)
    }

    /// Messages over the dynamic channel with that number.
    fn send_over(&mut self, id: u32, messages: Vec<DvcMessage>, out: &mut Vec<u8>) -> Result<(), SourceError> {
        if messages.is_empty() {
            return Ok(());
        }
        let messages = ironrdp_dvc::encode_dvc_messages(id, messages, ChannelFlags::empty())
            .map_err(|error| protocol(chain(&error)))?;
        out.extend(self.stage.encode_dvc_messages(messages).map_err(|error| protocol(chain(&error)))?);
        Ok(())
    }

    /// Tells what the machine takes of fingers and pens, where that is news. The channel goes when nobody is signed in any more.
    fn touchable(&mut self, events: &mut Vec<ScreenEvent>) {
        let ability = self.stage.get_dvc::<Touch>().map(|channel| channel.processor().ability()).unwrap_or_default();
        if ability != self.touchable {
            tracing::debug!(?ability, "What the machine takes of fingers and pens changed");
            self.touchable = ability;
            events.push(ScreenEvent::Touch(ability));
        }
    }

    /// What fingers or a pen did, or with none that they are all away.
    fn touch(&mut self, contacts: Option<&Contacts>, out: &mut Vec<u8>) -> Result<(), SourceError> {
        if self.reactivating.is_some() {
            return Ok(());
        }
        let size = (self.picture.width(), self.picture.height());
        let Some(mut channel) = self.stage.get_dvc_mut::<Touch>() else { return Ok(()) };
        let id = channel.channel_id();
        let touch = channel.processor_mut();
        let messages = pdus(match contacts {
            Some(contacts) => touch.contacts(contacts, size),
            None => touch.cancel(),
        });
        self.send_over(id, messages, out)
    }

    /// Brings what the pipeline's surfaces show in a part of the screen into the picture.
    fn compose(&mut self, rect: Rect) -> Result<(), SourceError> {
        let rect = rect.clip(self.picture.width(), self.picture.height());
        let parts =
            self.stage.get_dvc::<Graphics>().map(|channel| channel.processor().pixels(rect)).unwrap_or_default();
        self.stage.composite_rgba32(&mut self.picture.0, parts).map_err(|error| protocol(chain(&error)))?;
        Ok(())
    }

    /// Tells the server of every frame up to a mark that it is shown.
    fn acknowledge(&mut self, marks: u64, out: &mut Vec<u8>) -> Result<(), SourceError> {
        if self.reactivating.is_some() {
            return Ok(());
        }
        let mut behind: usize = self.waiting.iter().map(|waiting| waiting.bytes).sum();
        while let Some(first) = self.waiting.front().filter(|first| first.mark <= marks) {
            behind = behind.saturating_sub(first.bytes);
            let (id, frame) = (first.channel, first.frame);
            self.waiting.pop_front();
            let Some(mut channel) = self.stage.get_dvc_mut::<Graphics>().filter(|channel| channel.channel_id() == id)
            else {
                continue;
            };
            let message = channel.processor_mut().acknowledgement(frame, behind);
            self.send_over(id, vec![message], out)?;
        }
        Ok(())
    }

    fn output(
        &mut self,
        output: ActiveStageOutput,
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), SourceError> {
        match output {
            ActiveStageOutput::ResponseFrame(frame) => out.extend_from_slice(&frame),
            ActiveStageOutput::PointerDefault => events.push(ScreenEvent::CursorDefault),
            ActiveStageOutput::PointerHidden => events.push(ScreenEvent::CursorHidden),
            ActiveStageOutput::PointerPosition { x, y } => events.push(ScreenEvent::CursorMove { x, y }),
            ActiveStageOutput::PointerBitmap(pointer) => {
                // IronRDP hides the old pointer before it shows one from its cache.
                if events.last() == Some(&ScreenEvent::CursorHidden) {
                    events.pop();
                }
                events.push(cursor_event(&pointer));
            }
            ActiveStageOutput::DeactivateAll => {
                tracing::debug!("Server deactivates the session");
                self.reactivating = Some(Box::new(self.activation.create()));
            }
            ActiveStageOutput::Terminate(reason) => {
                let is_closed = self.orders.as_ref().is_some_and(|orders| orders.windows().is_closed());
                return Err(if is_closed {
                    SourceError::Refused(PROGRAM_CLOSED.to_owned())
                } else {
                    SourceError::Ended(sentence(&reason))
                });
            }
            ActiveStageOutput::LogonErrors(errors) => {
                tracing::info!(kind = ?errors.error_type, data = ?errors.error_data, "Machine reports on the logon");
                if errors.error_type == LogonErrorNotificationType::NoPermission {
                    return Err(SourceError::Ended("the user may not log in to this machine remotely".to_owned()));
                }
                if errors.error_data
                    == LogonErrorNotificationData::ErrorCode(LogonErrorNotificationDataErrorCode::FailedBadPassword)
                {
                    return Err(SourceError::Ended("the machine refused the user name or password".to_owned()));
                }
            }
            ActiveStageOutput::ServerRedirection(said) => return Err(self.sent_on(&said)),
            ActiveStageOutput::AutoReconnectCookie(cookie) => self.continuation.keep_cookie(cookie),
            ActiveStageOutput::AutoReconnectFailed => {
                self.continuation.drop_cookie();
                let messages = self.stage.get_svc_processor_mut::<Rail>().map(Rail::begin).unwrap_or_default();
                self.remote_app_send(messages, out)?;
            }
            ActiveStageOutput::MultitransportRequest(request) => {
                let refusal = MultitransportResponsePdu::abort(request.request_id);
                let frame =
                    self.stage.encode_multitransport_response(&refusal).map_err(|error| protocol(chain(&error)))?;
                out.extend_from_slice(&frame);
            }
            // Damage was taken as regions; the rest says nothing that a viewer shows.
            ActiveStageOutput::GraphicsUpdate(_)
            | ActiveStageOutput::MonitorLayout(_)
            | ActiveStageOutput::WindowingOrders(_)
            | ActiveStageOutput::WindowSurfaceUpdates(_)
            | ActiveStageOutput::SaveSessionInfo { .. }
            | ActiveStageOutput::SessionId(_)
            | ActiveStageOutput::AutoDetect(_) => {}
        }
        Ok(())
    }

    /// The machine sends us on to another one: the session ends here, and may go on there.
    fn sent_on(&self, said: &ServerRedirectionPdu) -> SourceError {
        if !self.follows {
            return SourceError::Ended(
                "it redirected the connection to another machine, which Oriel does not follow".to_owned(),
            );
        }
        match self.continuation.redirect(said) {
            Ok(()) => SourceError::Ended("it redirected the connection to another machine".to_owned()),
            Err(what) => protocol(what),
        }
    }

    /// One message of the deactivation-reactivation sequence (MS-RDPBCGR 1.3.1.3).
    fn reactivate(
        &mut self,
        frame: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), SourceError> {
        let Some(mut sequence) = self.reactivating.take() else { return Ok(()) };
        let mut buf = WriteBuf::new();
        sequence.step(frame, None, &mut buf).map_err(|error| protocol(chain(&error)))?;
        if let Some(sets) = confirm::capabilities(buf.filled_mut()) {
            confirm::announce_reconnect(sets);
        }
        for _ in 0..ACTIVATION_STEPS_MAX {
            if sequence.next_pdu_hint().is_some() || sequence.state().is_terminal() {
                break;
            }
            sequence.step_no_input(&mut buf).map_err(|error| protocol(chain(&error)))?;
        }
        out.extend_from_slice(buf.filled());
        match sequence.connection_activation_state() {
            ConnectionActivationState::Finalized {
                desktop_size,
                share_id,
                input_flags,
                static_channel_chunk_size,
                enable_server_pointer,
                pointer_software_rendering,
                refresh_rect_support,
                suppress_output_support,
                ..
            } => {
                let taken = self.stage.reactivate(
                    self.activation.io_channel_id(),
                    self.activation.user_channel_id(),
                    share_id,
                    enable_server_pointer,
                    pointer_software_rendering,
                    static_channel_chunk_size,
                );
                if !taken {
                    return Err(protocol("the reactivated session has an impossible channel chunk size"));
                }
                self.guard = Guard::new();
                self.fast_path_input = takes_fast_path(input_flags);
                (self.refresh_rect, self.suppress_output) = (refresh_rect_support, suppress_output_support);
                let DesktopSize { width, height } = desktop_size;
                tracing::debug!(width, height, "Session is active again");
                self.picture = Picture::new(width, height).map_err(protocol)?;
                events.push(ScreenEvent::Resize { width, height });
                if let Some(mut channel) = self.stage.get_dvc_mut::<Graphics>() {
                    channel.processor_mut().repaint();
                }
                self.graphics(events)?;
                let locks = self.input.keyboard.synchronize();
                self.send(&[locks], out)
            }
            ConnectionActivationState::Redirected { redirection } => Err(self.sent_on(&redirection)),
            _ => {
                self.reactivating = Some(sequence);
                Ok(())
            }
        }
    }

    /// Does what the clipboard channel asked for.
    fn clipboard_tasks(&mut self, events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
        loop {
            let Some(channel) = self.stage.get_svc_processor_mut::<CliprdrClient>() else { return Ok(()) };
            let Some(backend) = channel.downcast_backend_mut::<Clipboard>() else { return Ok(()) };
            let Some(task) = backend.take() else { return Ok(()) };
            let formats = backend.formats();
            let messages = match task {
                Task::Announce => channel.initiate_copy(&formats),
                Task::Fetch(ask) if !channel.is_ready() => {
                    if let Some(backend) = channel.downcast_backend_mut::<Clipboard>() {
                        backend.settle(ask.copy);
                    }
                    continue;
                }
                Task::Fetch(ask) => {
                    make_room(channel).map_err(|error| protocol(chain(&error)))?;
                    let asks = channel.downcast_backend_mut::<Clipboard>().is_some_and(|backend| backend.asks(ask));
                    if !asks {
                        continue;
                    }
                    channel.initiate_paste(ask.format)
                }
                Task::Answer(_) if !channel.is_ready() => continue,
                Task::Answer(format) => {
                    let has_room = self.held.len() <= CLIPBOARD_WAITING_BYTES_MAX;
                    let backend = channel.downcast_backend::<Clipboard>().filter(|_| has_room);
                    let answer = backend.map(|backend| backend.answer(format));
                    channel.submit_format_data(answer.unwrap_or_else(OwnedFormatDataResponse::new_error))
                }
                Task::Read(request) => match channel.request_file_contents(request) {
                    Ok(messages) => Ok(messages),
                    // The backend has heard of it.
                    Err(error) => {
                        tracing::debug!(error = chain(&error), "A file that the machine copied cannot be asked for");
                        continue;
                    }
                },
                Task::Arrived(Copied { html, png, text }) => {
                    events.extend(html.map(Rich::Html).into_iter().chain(png.map(Rich::Png)).map(ScreenEvent::Rich));
                    events.push(ScreenEvent::Clipboard(text.unwrap_or_default()));
                    continue;
                }
            };
            let messages = messages.map_err(|error| protocol(chain(&error)))?;
            let frame = self.stage.process_svc_processor_messages(messages).map_err(|error| protocol(chain(&error)))?;
            self.held.push(&frame);
        }
    }

    /// Offers the machine what the person has put into the session's folder, and answers what it reads of that, until enough waits to be sent.
    fn clipboard_files(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        loop {
            self.held.release(DRIVE_OUT_BYTES_MAX, out);
            let Some(channel) = self.stage.get_svc_processor_mut::<CliprdrClient>() else { return Ok(()) };
            if !channel.is_ready() {
                return Ok(());
            }
            let Some(backend) = channel.downcast_backend_mut::<Clipboard>() else { return Ok(()) };
            let messages = if let Some(files) = backend.offer() {
                channel.initiate_file_copy(files)
            } else {
                let has_room = self.held.len() == 0 && out.len() < DRIVE_OUT_BYTES_MAX;
                let Some(answer) = has_room.then(|| backend.next_read()).flatten() else { return Ok(()) };
                channel.submit_file_contents(answer)
            };
            let messages = messages.map_err(|error| protocol(chain(&error)))?;
            let frame = self.stage.process_svc_processor_messages(messages).map_err(|error| protocol(chain(&error)))?;
            self.held.push(&frame);
        }
    }

    fn send(&mut self, events: &[FastPathInputEvent], out: &mut Vec<u8>) -> Result<(), SourceError> {
        for chunk in events.chunks(FastPathInput::MAX_EVENTS) {
            if self.fast_path_input {
                let pdu = FastPathInput::new(chunk.to_vec()).map_err(|error| protocol(chain(&error)))?;
                out.extend_from_slice(&encode_vec(&pdu).map_err(|error| protocol(chain(&error)))?);
            } else {
                let pdu = InputEventPdu(chunk.iter().copied().filter_map(slow_path).collect());
                let mut buf = WriteBuf::new();
                self.stage
                    .encode_static(&mut buf, ShareDataPdu::Input(pdu))
                    .map_err(|error| protocol(chain(&error)))?;
                out.extend_from_slice(buf.filled());
            }
        }
        Ok(())
    }

    fn greet(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        if self.greeted {
            return Ok(());
        }
        self.greeted = true;
        let locks = self.input.keyboard.synchronize();
        self.send(&[locks], out)
    }

    /// Asks for another size, or remembers it until the display control channel is there.
    fn resize(&mut self, wanted: &InputEvent, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let sent = if self.reactivating.is_some() {
            None
        } else {
            match wanted {
                InputEvent::Resize { width, height, scale } => self.encode_window(*width, *height, *scale)?,
                InputEvent::Monitors(monitors) => self.encode_monitors(monitors)?,
                _ => return Ok(()),
            }
        };
        match sent {
            Some(frame) => {
                self.wanted = None;
                out.extend_from_slice(&frame);
            }
            None => self.wanted = Some(wanted.clone()),
        }
        Ok(())
    }

    /// None before the channel is there.
    fn encode_window(&mut self, width: u16, height: u16, scale: u16) -> Result<Option<Vec<u8>>, SourceError> {
        let (w, h) = MonitorLayoutEntry::adjust_display_size(u32::from(width), u32::from(height));
        let scale_factor = (100..=500).contains(&scale).then_some(u32::from(scale));
        let frame = self.stage.encode_resize(w, h, scale_factor, None);
        frame.transpose().map_err(|error| protocol(chain(&error)))
    }

    /// As [`Self::encode_window`]. A machine that does not take so much keeps what it has: the viewer sees that its screen is another.
    fn encode_monitors(&mut self, monitors: &Monitors) -> Result<Option<Vec<u8>>, SourceError> {
        let layout = monitors::layout(monitors).map_err(|error| protocol(chain(&error)))?;
        let Some(frame) = self.stage.encode_monitor_layout(&layout) else { return Ok(None) };
        Ok(Some(frame.unwrap_or_else(|error| {
            tracing::info!(
                monitors = monitors.as_slice().len(),
                error = chain(&error),
                "Machine takes no such monitors"
            );
            Vec::new()
        })))
    }

    fn input_event(&mut self, input: &InputEvent, out: &mut Vec<u8>) -> Result<(), SourceError> {
        self.greet(out)?;
        match input {
            InputEvent::Rich(rich) => {
                if let Some(clipboard) = self.clipboard() {
                    clipboard.add(rich);
                }
                Ok(())
            }
            InputEvent::Clipboard(text) => {
                let Some(channel) = self.stage.get_svc_processor_mut::<CliprdrClient>() else { return Ok(()) };
                let Some(backend) = channel.downcast_backend_mut::<Clipboard>() else { return Ok(()) };
                if !backend.set(text) {
                    tracing::info!(bytes = text.len(), "Clipboard of the viewer is too large, left out");
                    return Ok(());
                }
                let formats = backend.formats();
                // Before the channel is ready there is nothing to send: its start announces what we have by then.
                if channel.is_ready() {
                    let messages = channel.initiate_copy(&formats).map_err(|error| protocol(chain(&error)))?;
                    let frame =
                        self.stage.process_svc_processor_messages(messages).map_err(|error| protocol(chain(&error)))?;
                    self.held.push(&frame);
                    self.held.release(DRIVE_OUT_BYTES_MAX, out);
                }
                Ok(())
            }
            InputEvent::Microphone { format, samples } => self.hear(*format, samples, out),
            InputEvent::Contacts(contacts) => self.touch(Some(contacts), out),
            InputEvent::Resize { .. } | InputEvent::Monitors(_) => self.resize(input, out),
            _ => {
                let mut events = Vec::new();
                self.input.apply(input, self.picture.width(), self.picture.height(), &mut events);
                if *input == InputEvent::ReleaseAll {
                    self.touch(None, out)?;
                }
                // Input between deactivation and reactivation breaks the sequence (MS-RDPBCGR 1.3.1.3).
                if self.reactivating.is_some() {
                    return Ok(());
                }
                self.send(&events, out)
            }
        }
    }

    /// Runs something that decodes what the server sent. A panic in a decoder ends this session only.
    fn contained(&mut self, run: impl FnOnce(&mut Self) -> Result<(), SourceError>) -> Result<(), SourceError> {
        if self.dead {
            return Err(SourceError::Ended("the session is over".to_owned()));
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| run(self)))
            .unwrap_or_else(|_| Err(protocol("a picture that cannot be decoded")));
        self.dead = outcome.is_err();
        outcome
    }
}

impl Source for RdpSource {
    fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
        self.contained(|source| source.receive_bytes(bytes, out, events))
    }

    fn input(&mut self, input: &InputEvent, out: &mut Vec<u8>) -> Result<(), SourceError> {
        self.contained(|source| source.input_event(input, out))
    }

    fn shown(&mut self, marks: u64, out: &mut Vec<u8>) -> Result<(), SourceError> {
        if self.waiting.front().is_none_or(|first| first.mark > marks) {
            return Ok(());
        }
        self.contained(|source| source.acknowledge(marks, out))
    }

    fn go_on(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        self.contained(|source| {
            source.drive_changes(out)?;
            source.drive_reads(out)?;
            source.clipboard_files(out)
        })
    }

    fn want_key(&mut self, out: &mut Vec<u8>) -> Result<(), SourceError> {
        self.redraw(out)
    }

    fn windows(&self) -> Option<Windows<'_>> {
        let windows = self.orders.as_ref()?.windows();
        Some(Windows { title: windows.title(), runs: self.runs, closed: windows.is_closed() })
    }

    fn framebuffer(&self) -> &dyn Framebuffer {
        &self.picture
    }
}

fn takes_fast_path(flags: InputFlags) -> bool {
    flags.intersects(InputFlags::FASTPATH_INPUT | InputFlags::FASTPATH_INPUT_2)
}

/// A reason of the server as the end of "the machine ended the session: …".
fn sentence(reason: &GracefulDisconnectReason) -> String {
    match reason {
        GracefulDisconnectReason::UserInitiated => "the user logged out".to_owned(),
        GracefulDisconnectReason::ServerInitiated => {
            "the user logged out, or an administrator closed the session".to_owned()
        }
        GracefulDisconnectReason::Other(text) => {
            // "[Kind of code] Description of it." becomes "description of it".
            let text = text.split_once("] ").map_or(text.as_str(), |(_, text)| text).trim_end_matches('.');
            let mut letters = text.chars();
            letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
        }
    }
}
