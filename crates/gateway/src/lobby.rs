//! Who watches a graphical connection: the owner's seat, those of guests, and what their records mean.

use crate::command::{Bye, Command, ViewerId};
use crate::connect::Task;
use crate::crowd::{Crowd, Ear};
use crate::microphone::Pace;
use crate::picture::Picture;
use crate::screen_recorder::ScreenRecorder;
use crate::seat::Seat;
use crate::tape::Tape;
use crate::{RESUME_SECONDS, VIDEO_TROUBLES_MAX, rules};
use oriel_model::SessionPolicy;
use oriel_rdp::Continuation;
use oriel_screen::wire::{ServerRecord, VideoAbility, VideoTrouble, ViewerRecord};
use oriel_screen::{ByeCode, Contacts, InputEvent, Monitors, StatusCode};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// The owner's seat: at most one sits in it; empty for too long ends the connection. And those of guests.
pub(crate) struct Lobby {
    pub viewer: Option<Picture>,
    pub crowd: Crowd<Picture>,
    pub gone_at: Instant,
    /// The window's width, height and scale, as last said.
    pub size: (u16, u16, u16),
    /// Where there are several: those that `size` is the box around.
    pub monitors: Option<Monitors>,
    pub title: String,
    pub policy: SessionPolicy,
    /// What of forwarded video the viewer shows.
    pub video: VideoAbility,
    /// How often its decoder lost its place.
    pub troubles: u32,
    /// What every viewer is told about recording.
    pub sign: Option<ServerRecord>,
    /// What the person said when they were asked.
    pub consent: Option<bool>,
    /// For the first picture.
    pub tape: Option<Tape>,
    /// Goes on when the machine is signed in to anew.
    pub recorder: Option<ScreenRecorder>,
    /// What the machine left for that.
    pub continuation: Continuation,
    /// How often a broken connection was taken up again.
    pub resumed: u32,
    /// Of what the owner's microphone hears.
    pub pace: Pace,
}

fn resume_deadline() -> Instant {
    Instant::now() + Duration::from_secs(RESUME_SECONDS)
}

/// What a command means beyond the seat.
pub(crate) enum Asked {
    Nothing,
    Attached,
    Detached,
    Input(InputEvent),
    Acknowledged,
    Thumbnail(u16, tokio::sync::oneshot::Sender<Option<Vec<u8>>>),
}

impl Lobby {
    pub fn new() -> Self {
        Self {
            viewer: None,
            crowd: Crowd::new(),
            gone_at: resume_deadline(),
            size: (0, 0, 100),
            monitors: None,
            title: String::new(),
            policy: SessionPolicy::default(),
            video: VideoAbility::None,
            troubles: 0,
            sign: None,
            consent: None,
            tape: None,
            recorder: None,
            continuation: Continuation::default(),
            resumed: 0,
            pace: Pace::default(),
        }
    }

    pub fn take(&mut self, task: &Task, command: Command) -> Result<Asked, Bye> {
        match command {
            Command::Attach { viewer, hello, video, seat: Seat::Guest(guest), number, out } => {
                let mut picture = Picture::new(viewer, hello, out);
                picture.without_video = !video.has_video();
                self.greet(task, &mut picture);
                self.crowd.arrive(viewer, number, guest, picture);
                Ok(Asked::Nothing)
            }
            Command::Attach { viewer, hello, video, seat: Seat::Owner { name }, out, .. } => {
                let taken = Bye::new(ByeCode::TakenOver, "this desktop was opened in another window");
                if let Some(old) = self.viewer.take() {
                    old.farewell(&taken);
                }
                self.size = (hello.width, hello.height, hello.scale);
                // One that comes back with all its windows says so in its next record: nothing changes until then.
                let size = (hello.width, hello.height);
                if self.monitors.as_ref().is_some_and(|monitors| monitors.size() != size) {
                    self.monitors = None;
                }
                (self.video, self.troubles) = (video, 0);
                let mut picture = Picture::new(viewer, hello, out);
                self.greet(task, &mut picture);
                self.viewer = Some(picture);
                self.crowd.owner_came(name);
                Ok(Asked::Attached)
            }
            Command::Detach { viewer } if self.is_seated(viewer) => {
                self.viewer = None;
                self.gone_at = resume_deadline();
                self.crowd.owner_left();
                Ok(Asked::Detached)
            }
            Command::Record { viewer, record } if self.is_seated(viewer) => Ok(match record {
                ViewerRecord::Input(InputEvent::Microphone { format, samples }) => {
                    if !rules::may_be_heard(&self.policy) || !self.pace.admit(Instant::now(), format, samples.len()) {
                        return Ok(Asked::Nothing);
                    }
                    Asked::Input(InputEvent::Microphone { format, samples })
                }
                ViewerRecord::Input(input) => {
                    self.note_window(&input);
                    self.note_pointer(0, &input);
                    Asked::Input(input)
                }
                ViewerRecord::Listen { on } => {
                    if let Some(picture) = &mut self.viewer {
                        picture.listen(on);
                    }
                    Asked::Nothing
                }
                ViewerRecord::Ack { sequence } => {
                    if let Some(picture) = &mut self.viewer {
                        picture.acknowledge(sequence);
                    }
                    Asked::Acknowledged
                }
                ViewerRecord::VideoTrouble(trouble) => {
                    self.troubles += 1;
                    tracing::info!(connection = %task.id, ?trouble, times = self.troubles, "Viewer cannot go on with the video");
                    if trouble == VideoTrouble::Undecodable || self.troubles >= VIDEO_TROUBLES_MAX {
                        self.video = VideoAbility::None;
                    } else if let Some(picture) = &mut self.viewer {
                        picture.lose_video();
                    }
                    Asked::Nothing
                }
                ViewerRecord::Consent { yes } => {
                    self.consent = Some(yes);
                    Asked::Nothing
                }
                ViewerRecord::Answer { seat, yes } => {
                    self.crowd.answer(seat, yes);
                    Asked::Nothing
                }
                ViewerRecord::Control { seat, on } => {
                    self.crowd.control(seat, on, None);
                    Asked::Nothing
                }
                _ => Asked::Nothing,
            }),
            Command::Record { viewer, record } => Ok(self.guest_said(task, viewer, record)),
            // A viewer that lost its seat may still have records on the way.
            Command::Detach { viewer } => {
                self.crowd.leave(viewer, None);
                Ok(Asked::Nothing)
            }
            Command::End { code, text } => Err(Bye { code, text }),
            Command::Thumbnail { width_max, reply } => Ok(Asked::Thumbnail(width_max, reply)),
        }
    }

    /// What every viewer is told first.
    fn greet(&self, task: &Task, picture: &mut Picture) {
        picture.tell(&ServerRecord::Hello {
            terminal: false,
            connection: task.id.0.into_bytes(),
            received: 0,
            title: self.title.clone(),
        });
        if let Some(sign) = &self.sign {
            picture.tell(sign);
        }
    }

    /// A guest's records: what is about their own picture, and with control what is for the machine. Their window's size is theirs.
    fn guest_said(&mut self, task: &Task, viewer: ViewerId, record: ViewerRecord) -> Asked {
        let Some(seated) = self.crowd.find(viewer) else { return Asked::Nothing };
        match record {
            ViewerRecord::Input(input) => {
                let (number, control) = (seated.number, seated.control);
                self.note_pointer(number, &input);
                let owners = matches!(
                    input,
                    InputEvent::Resize { .. } | InputEvent::Monitors(_) | InputEvent::Microphone { .. }
                );
                if control && !owners {
                    return Asked::Input(input);
                }
            }
            ViewerRecord::Listen { on } => seated.ear.listen(on),
            ViewerRecord::Ack { sequence } => {
                seated.ear.acknowledge(sequence);
                return Asked::Acknowledged;
            }
            ViewerRecord::VideoTrouble(trouble) => {
                // A guest may say it as often as they like: it is no news for the log, and shown anew they are once.
                tracing::debug!(connection = %task.id, ?trouble, "A guest cannot go on with the video");
                seated.troubles = seated.troubles.saturating_add(1);
                if seated.ear.without_video {
                    return Asked::Nothing;
                }
                if trouble == VideoTrouble::Undecodable || seated.troubles >= VIDEO_TROUBLES_MAX {
                    seated.ear.without_video = true;
                    // Shown anew, and told what is missing.
                    seated.fresh = true;
                } else {
                    seated.ear.lose_video();
                }
            }
            ViewerRecord::Control { seat, on } => self.crowd.control(seat, on, Some(viewer)),
            ViewerRecord::AskControl => self.crowd.wish(viewer, self.viewer.as_mut()),
            _ => {}
        }
        Asked::Nothing
    }

    /// What the owner's window is like, or those of several monitors.
    fn note_window(&mut self, input: &InputEvent) {
        match input {
            InputEvent::Resize { width, height, scale } => {
                (self.size, self.monitors) = ((*width, *height, *scale), None);
            }
            InputEvent::Monitors(monitors) => {
                let (width, height) = monitors.size();
                self.size = (width, height, monitors.primary().scale);
                self.monitors = Some(monitors.clone());
            }
            _ => {}
        }
    }

    /// The same as the machine is told it.
    pub fn window(&self) -> InputEvent {
        let (width, height, scale) = self.size;
        self.monitors.clone().map_or(InputEvent::Resize { width, height, scale }, InputEvent::Monitors)
    }

    fn note_pointer(&mut self, seat: u8, input: &InputEvent) {
        if let InputEvent::Pointer { x, y, .. } | InputEvent::Wheel { x, y, .. } | InputEvent::Touch { x, y, .. } =
            input
        {
            self.crowd.points(seat, *x, *y);
        }
        if let InputEvent::Contacts(Contacts { contacts, .. }) = input
            && let Some(first) = contacts.first()
        {
            self.crowd.points(seat, first.x, first.y);
        }
    }

    /// Tells everybody what they do not know, and lets go of guests to whom nothing can be said any more.
    pub fn attend(&mut self, task: &Task) {
        self.crowd.attend(self.viewer.as_mut());
        if let Some(picture) = &mut self.viewer {
            // One that is stuck is let go of where the connection is carried.
            picture.flush_control(&task.counters).ok();
        }
        let stuck = |picture: &mut Picture| picture.flush_control(&task.counters).err();
        let gone: Vec<(ViewerId, Bye)> =
            self.crowd.seated.iter_mut().filter_map(|seated| Some((seated.viewer, stuck(&mut seated.ear)?))).collect();
        for (viewer, bye) in gone {
            self.crowd.leave(viewer, Some(&bye));
        }
        self.crowd.flush_asking(|picture| drop(picture.flush_control(&task.counters)));
        let watching = self.crowd.watching() + usize::from(self.viewer.is_some());
        task.counters.viewers.store(watching as u32, Ordering::Relaxed);
    }

    /// When [`Self::attend`] or `Screen::attend` has something to do for guests.
    pub fn guests_wake_at(&self) -> Option<Instant> {
        let repairs = self.crowd.seated.iter().filter_map(|seated| seated.ear.repair_at());
        repairs.chain(self.crowd.wake_at()).min()
    }

    fn is_seated(&self, viewer: u64) -> bool {
        self.viewer.as_ref().is_some_and(|picture| picture.id == viewer)
    }

    pub fn flush(&mut self, task: &Task) {
        if let Some(picture) = &mut self.viewer {
            picture.flush_control(&task.counters).ok();
        }
        self.attend(task);
    }

    pub fn show_sign(&mut self, task: &Task, sign: ServerRecord) {
        if let Some(picture) = &mut self.viewer {
            picture.tell(&sign);
            picture.flush_control(&task.counters).ok();
        }
        // A question is the owner's to answer; guests see that it was asked.
        self.crowd.tell_all(&sign);
        self.attend(task);
        self.sign = Some(sign);
    }

    pub fn status(&mut self, task: &Task, code: StatusCode, text: &str) {
        self.tell(&ServerRecord::Status { code, text: text.to_owned() });
        self.flush(task);
    }

    /// Tells the owner and guests. Whoever waits to be let in is not told what is on the screen.
    pub fn tell(&mut self, record: &ServerRecord) {
        if let Some(picture) = &mut self.viewer {
            picture.tell(record);
        }
        self.crowd.seated.iter_mut().for_each(|seated| seated.ear.tell(record));
    }
}

impl Ear for Picture {
    fn tell(&mut self, record: &ServerRecord) -> bool {
        Self::tell(self, record);
        true
    }

    fn tell_lightly(&mut self, record: &ServerRecord) {
        Self::tell_lightly(self, record);
    }

    fn part(self, bye: &Bye) {
        self.farewell(bye);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::registry::Counters;
    use crate::seat::{Guest, GuestKind};
    use crate::target::{DialError, Dialler, Target};
    use crate::{COMMANDS_MAX, VIEWER_QUEUE_MAX};
    use bytes::Bytes;
    use oriel_model::{ConnectionId, DesktopId, GuestPort, UserId};
    use oriel_screen::wire::ViewerHello;
    use oriel_screen::{MicrophoneFormat, Monitor, Rect};
    use std::sync::Arc;
    use tokio::sync::mpsc;

    struct Nowhere;

    #[async_trait::async_trait]
    impl Dialler for Nowhere {
        async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
            Err(DialError { code: ByeCode::Unreachable, text: "nowhere".into() })
        }
    }

    pub(crate) fn task() -> (Task, mpsc::Sender<Command>) {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let task = Task {
            id: ConnectionId::new(),
            user: UserId::new(),
            desktop: DesktopId::new(),
            port: GuestPort::Console,
            recordings: None,
            commands: inbox,
            dialler: Arc::new(Nowhere),
            counters: Arc::new(Counters::default()),
            rules: Arc::default(),
            drive: Arc::default(),
        };
        (task, commands)
    }

    pub(crate) fn attach(viewer: ViewerId, seat: Seat, number: u8) -> (Command, mpsc::Receiver<Bytes>) {
        let (out, messages) = mpsc::channel(VIEWER_QUEUE_MAX);
        (
            Command::Attach { viewer, hello: ViewerHello::default(), video: VideoAbility::H264, seat, number, out },
            messages,
        )
    }

    pub(crate) fn helper() -> Seat {
        let (connection, kind) = (ConnectionId::new(), GuestKind::Helper { ask: false });
        Seat::Guest(Guest { connection, name: "ben".into(), kind, control: false, may_control: true })
    }

    #[tokio::test]
    async fn a_guest_that_decodes_no_video_is_shown_the_screen_anew_once() {
        let (task, _commands) = task();
        let mut lobby = Lobby::new();
        let (ben, _messages) = attach(2, helper(), 1);
        lobby.take(&task, ben).unwrap();
        let fresh = |lobby: &mut Lobby| std::mem::take(&mut lobby.crowd.find(2).unwrap().fresh);
        assert!(fresh(&mut lobby));
        for first in [true, false, false] {
            let record = ViewerRecord::VideoTrouble(VideoTrouble::Undecodable);
            lobby.take(&task, Command::Record { viewer: 2, record }).unwrap();
            assert_eq!(fresh(&mut lobby), first);
        }
    }

    #[tokio::test]
    async fn a_voice_goes_on_where_the_rules_let_it_at_its_own_pace_and_of_the_owner_alone() {
        let (task, _commands) = task();
        let mut lobby = Lobby::new();
        let (ada, _adas) = attach(1, Seat::Owner { name: "ada".into() }, 0);
        let (ben, _bens) = attach(2, helper(), 1);
        lobby.take(&task, ada).unwrap();
        lobby.take(&task, ben).unwrap();
        lobby.crowd.find(2).unwrap().control = true;
        let format = MicrophoneFormat { channels: 1, rate: 48_000 };
        // A tenth of a second.
        let said = || ViewerRecord::Input(InputEvent::Microphone { format, samples: Bytes::from_static(&[0; 9600]) });
        let goes_on = |lobby: &mut Lobby, viewer| {
            let asked = lobby.take(&task, Command::Record { viewer, record: said() }).unwrap();
            matches!(asked, Asked::Input(InputEvent::Microphone { .. }))
        };
        assert!(!goes_on(&mut lobby, 1), "no rule says so");
        lobby.policy.microphone = true;
        assert!(!goes_on(&mut lobby, 2), "a guest is never heard");
        assert_eq!([0; 4].map(|_| goes_on(&mut lobby, 1)), [true, true, false, false], "what comes at once is late");
        lobby.policy.view_only = true;
        lobby.pace = Pace::default();
        assert!(!goes_on(&mut lobby, 1));
    }

    #[tokio::test]
    async fn the_owners_monitors_are_kept_for_the_next_sign_in_and_those_of_guests_are_nobodys() {
        let (task, _commands) = task();
        let mut lobby = Lobby::new();
        let (ada, _adas) = attach(1, Seat::Owner { name: "ada".into() }, 0);
        let (ben, _bens) = attach(2, helper(), 1);
        lobby.take(&task, ada).unwrap();
        lobby.take(&task, ben).unwrap();
        lobby.crowd.find(2).unwrap().control = true;
        let monitor = |x| Monitor { rect: Rect::new(x, 0, 800, 600), scale: 150, primary: x == 0 };
        let both = InputEvent::Monitors(Monitors::arrange(&[monitor(0), monitor(800)]).unwrap());
        let say = |lobby: &mut Lobby, viewer, input: &InputEvent| {
            lobby.take(&task, Command::Record { viewer, record: ViewerRecord::Input(input.clone()) }).unwrap()
        };
        assert!(matches!(say(&mut lobby, 2, &both), Asked::Nothing));
        assert!(lobby.monitors.is_none());
        assert!(matches!(say(&mut lobby, 1, &both), Asked::Input(InputEvent::Monitors(_))));
        assert_eq!((lobby.size, lobby.window()), ((1600, 600, 150), both.clone()));
        // The page comes back with the same windows, and then with one.
        for (width, kept) in [(1600, true), (800, false)] {
            let (mut ada, _adas) = attach(3, Seat::Owner { name: "ada".into() }, 0);
            if let Command::Attach { hello, .. } = &mut ada {
                (hello.width, hello.height, hello.scale) = (width, 600, 150);
            }
            lobby.take(&task, ada).unwrap();
            assert_eq!(lobby.window() == both, kept, "{width}");
        }
        say(&mut lobby, 3, &both);
        let one = InputEvent::Resize { width: 640, height: 480, scale: 100 };
        say(&mut lobby, 3, &one);
        assert_eq!(lobby.window(), one);
    }
}
