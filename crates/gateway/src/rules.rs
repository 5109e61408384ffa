//! A connection's rules, kept in the server's process: what of a viewer's input goes on, when a connection nobody touches is
//! locked, and when one ends. What a machine gives (clipboard, sound) is held back where its bytes are read.

use crate::booked::BookedClock;
use crate::idle::{IdleClock, IdleEnd, Use};
use crate::person::Browser;
use crate::registry;
use bytes::Bytes;
use oriel_model::{CLIPBOARD_KIB_MAX, Micros, SessionPolicy};
use oriel_screen::wire::{Notice, RULE_CLIPBOARD_TO_MACHINE, RULE_CLIPBOARD_TO_PERSON, RULE_SOUND, RULE_VIEW_ONLY};
use oriel_screen::wire::{RULE_DOWNLOAD, RULE_MICROPHONE, RULE_SHARE, RULE_SHARE_GUESTS, RULE_UPLOAD};
use oriel_screen::wire::{ServerRecord, ViewerRecord};
use oriel_screen::{ByeCode, InputEvent, Rich, ScreenEvent};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// How long before it happens the person is told that the connection will be locked: this, or half of the time.
const LOCK_WARNING: Duration = Duration::from_mins(1);
/// And that it will end.
const END_WARNINGS: [Duration; 3] = [Duration::from_mins(15), Duration::from_mins(5), Duration::from_mins(1)];

/// As what somebody is at a connection, as far as its rules tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Owner,
    Guest,
    /// A guest without an account.
    Visitor,
}

/// What is known of a connection's rules.
#[derive(Default)]
pub(crate) struct Rules {
    /// `None` until the machine was dialled.
    policy: watch::Sender<Option<SessionPolicy>>,
    /// Others need the desktop: it must be left then.
    asked_back: watch::Sender<Option<Micros>>,
    used: Mutex<Use>,
}

/// What becomes of a viewer whose time is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody touched the connection: whoever goes on must show who they are.
    Locked { minutes: u32 },
    /// The connection has lasted as long as it may.
    Over { minutes: u32 },
    /// Nobody touched it, and that is enough to end it.
    Idle { after: Duration },
    /// Others need the desktop: they have booked it, or its card.
    Booked,
}

impl Rules {
    /// The machine was dialled, and this is what its pool says.
    pub fn lay_down(&self, policy: SessionPolicy) {
        self.policy.send_replace(Some(policy));
    }

    /// What was laid down.
    pub fn policy(&self) -> Option<SessionPolicy> {
        self.policy.borrow().clone()
    }

    /// By when the desktop must be left for whoever booked it, if it must.
    pub fn ask_back(&self, by: Option<Micros>) {
        self.asked_back.send_if_modified(|asked| std::mem::replace(asked, by) != by);
    }

    /// Somebody opened the connection, or gave it input.
    pub fn touch(&self) {
        self.used().touch(Instant::now());
    }

    /// When somebody last did.
    pub fn touched(&self) -> Option<Instant> {
        self.used().touched()
    }

    fn used(&self) -> MutexGuard<'_, Use> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a viewer's record may go on.
    pub fn admit(&self, record: &ViewerRecord) -> bool {
        let policy = self.policy.borrow();
        match record {
            ViewerRecord::Input(InputEvent::Resize { .. } | InputEvent::Monitors(_) | InputEvent::ReleaseAll) => true,
            // Before the machine was dialled nothing can be meant for it; what is typed into a terminal waits in the connection,
            // which knows the rules when it goes on.
            ViewerRecord::Input(input) => {
                policy.as_ref().is_some_and(|policy| !policy.view_only && may_reach(policy, input))
            }
            ViewerRecord::TerminalInput(_) => !policy.as_ref().is_some_and(|policy| policy.view_only),
            _ => true,
        }
    }

    /// As [`Self::admit`], of a guest.
    pub fn admit_guest(&self, record: &ViewerRecord) -> bool {
        let policy = self.policy.borrow();
        match record {
            ViewerRecord::Input(InputEvent::ReleaseAll) => true,
            // Their window's size is theirs, and a machine hears one person.
            ViewerRecord::Input(
                InputEvent::Resize { .. } | InputEvent::Monitors(_) | InputEvent::Microphone { .. },
            ) => false,
            ViewerRecord::Input(input) => {
                policy.as_ref().is_some_and(|policy| !policy.view_only && may_reach(policy, input))
            }
            // The owner's terminal answers what programs ask; a guest's would answer once more, into the owner's shell.
            ViewerRecord::TerminalInput(bytes) => {
                !policy.as_ref().is_some_and(|policy| policy.view_only) && !is_answer(bytes)
            }
            _ => true,
        }
    }

    /// As [`Self::admit_guest`], of one without an account: nothing of their clipboard comes in.
    pub fn admit_visitor(&self, record: &ViewerRecord) -> bool {
        let is_clipboard = matches!(record, ViewerRecord::Input(InputEvent::Clipboard(_) | InputEvent::Rich(_)));
        !is_clipboard && self.admit_guest(record)
    }

    /// Tells a guest the rules, with their own name where pictures are marked. It is neither locked nor warned: that is the owner's.
    pub async fn tell_guest(&self, person: &str, standing: Standing, out: mpsc::WeakSender<Bytes>) {
        if let Some(policy) = self.laid_down().await {
            say(&out, &rules_of(&policy, standing));
            if policy.watermark {
                say(&out, &ServerRecord::Watermark(person.to_owned()));
            }
        }
        std::future::pending::<()>().await;
    }

    /// Waits until the machine was dialled.
    async fn laid_down(&self) -> Option<SessionPolicy> {
        let mut laid_down = self.policy.subscribe();
        laid_down.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Tells a viewer the rules, warns it, and says when its time is over. `started`: when the connection began; `idle`: when it ends
    /// because nobody touches it.
    pub async fn watch(
        &self,
        browser: &Browser,
        started: Instant,
        idle: impl Future<Output = Option<IdleEnd>> + Send,
        person: &str,
        out: mpsc::WeakSender<Bytes>,
    ) -> Verdict {
        // There is always one while `self` is there.
        let Some(policy) = self.laid_down().await else { return std::future::pending().await };
        say(&out, &rules_of(&policy, Standing::Owner));
        if policy.watermark {
            say(&out, &ServerRecord::Watermark(person.to_owned()));
        }
        let mut clock = Clock::new(&policy, started);
        let idle = idle.await;
        if let Some(end) = &idle {
            self.used().recall(end, Instant::now(), registry::now());
        }
        let mut idle = idle.map(IdleClock::new);
        let (mut booked, mut asked_back) = (BookedClock::default(), self.asked_back.subscribe());
        loop {
            let now = Instant::now();
            let due = match (clock.next(now, browser.touched()), &mut idle) {
                (Due::Wait(until), Some(idle)) => match idle.next(&mut self.used(), started, now, registry::now()) {
                    Due::Wait(other) => Due::Wait(until.into_iter().chain(other).min()),
                    due => due,
                },
                (due, _) => due,
            };
            let by = *asked_back.borrow_and_update();
            let due = match due {
                Due::Wait(until) => match booked.next(by, now, registry::now()) {
                    Due::Wait(other) => Due::Wait(until.into_iter().chain(other).min()),
                    due => due,
                },
                due => due,
            };
            match due {
                Due::Say(notice, left) => say(&out, &notice_of(notice, left)),
                Due::Wait(until) => {
                    let time = async {
                        match until {
                            Some(until) => sleep_until(until).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        () = time => {}
                        // The sender is in `self`.
                        _ = asked_back.changed() => {}
                    }
                }
                Due::Over(verdict) => return verdict,
            }
        }
    }
}

impl Rules {
    /// Waits until a browser that fell silent, without its viewer being closed, is to be locked. False where nothing is locked, and
    /// where somebody touched it meanwhile: they have viewers that see to it.
    pub async fn watch_silent(&self, browser: &Browser) -> bool {
        let minutes = self.policy.borrow().as_ref().and_then(|policy| policy.idle_lock_minutes);
        let Some(minutes) = minutes else { return false };
        let touched = browser.touched();
        sleep_until(touched + of_minutes(minutes)).await;
        browser.touched() == touched
    }
}

/// When what is due.
struct Clock {
    lock_minutes: Option<u32>,
    end: Option<(Instant, u32)>,
    /// The lock has been announced.
    warned: bool,
    /// How many of [`END_WARNINGS`] are over.
    told: usize,
}

pub(crate) enum Due {
    Say(Notice, Duration),
    /// `None`: for ever.
    Wait(Option<Instant>),
    Over(Verdict),
}

impl Clock {
    fn new(policy: &SessionPolicy, started: Instant) -> Self {
        Self {
            lock_minutes: policy.idle_lock_minutes,
            end: policy.session_minutes_max.map(|minutes| (started + of_minutes(minutes), minutes)),
            warned: false,
            told: 0,
        }
    }

    fn next(&mut self, now: Instant, touched: Instant) -> Due {
        match (self.ending(now), self.locking(now, touched)) {
            (Due::Wait(end), Due::Wait(lock)) => Due::Wait(end.into_iter().chain(lock).min()),
            (Due::Wait(_), due) | (due, _) => due,
        }
    }

    fn ending(&mut self, now: Instant) -> Due {
        let Some((end, minutes)) = self.end else { return Due::Wait(None) };
        if end <= now {
            return Due::Over(Verdict::Over { minutes });
        }
        while let Some(warning) = END_WARNINGS.get(self.told) {
            // A short session is not warned of its whole length, and a viewer that comes late is not told what was.
            let later = END_WARNINGS.get(self.told + 1).copied().unwrap_or_default();
            if of_minutes(minutes) <= *warning || end - now <= later {
                self.told += 1;
            } else if end - now <= *warning {
                self.told += 1;
                return Due::Say(Notice::End, end - now);
            } else {
                return Due::Wait(Some(end - *warning));
            }
        }
        Due::Wait(Some(end))
    }

    fn locking(&mut self, now: Instant, touched: Instant) -> Due {
        let Some(minutes) = self.lock_minutes else { return Due::Wait(None) };
        let patience = of_minutes(minutes);
        let locks_at = touched + patience;
        let warns_at = locks_at - LOCK_WARNING.min(patience / 2);
        if locks_at <= now {
            Due::Over(Verdict::Locked { minutes })
        } else if warns_at > now {
            if std::mem::take(&mut self.warned) {
                return Due::Say(Notice::Lock, Duration::ZERO);
            }
            Due::Wait(Some(warns_at))
        } else if std::mem::replace(&mut self.warned, true) {
            // A person who comes back sees the warning go soon.
            Due::Wait(Some(locks_at.min(now + Duration::from_secs(1))))
        } else {
            Due::Say(Notice::Lock, locks_at - now)
        }
    }
}

pub(crate) fn of_minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

impl Verdict {
    pub fn bye(&self) -> (ByeCode, String) {
        match self {
            Self::Locked { minutes } => (
                ByeCode::Locked,
                format!("locked after {} without a key or a pointer; enter your password to go on", in_words(*minutes)),
            ),
            Self::Idle { after } => (
                ByeCode::TimeOver,
                format!(
                    "disconnected after {} without a key or a pointer; connect again to go on where you were",
                    in_words(u32::try_from(after.as_secs().div_ceil(60)).unwrap_or(u32::MAX))
                ),
            ),
            Self::Booked => (
                ByeCode::TimeOver,
                "this desktop is needed by others now and is made anew: get one again when there is room".to_owned(),
            ),
            Self::Over { minutes } => (
                ByeCode::TimeOver,
                format!("connections here last {} at most; connect again to go on", in_words(*minutes)),
            ),
        }
    }
}

fn in_words(minutes: u32) -> String {
    match minutes {
        1 => "one minute".to_owned(),
        minutes if minutes >= 120 && minutes.is_multiple_of(60) => format!("{} hours", minutes / 60),
        minutes => format!("{minutes} minutes"),
    }
}

/// Whether a record shows that somebody is there.
pub(crate) fn touches(record: &ViewerRecord) -> bool {
    match record {
        // A room is heard whether somebody is in it or not.
        ViewerRecord::Input(
            InputEvent::Resize { .. }
            | InputEvent::Monitors(_)
            | InputEvent::ReleaseAll
            | InputEvent::Microphone { .. },
        ) => false,
        ViewerRecord::Input(_) => true,
        ViewerRecord::TerminalInput(bytes) => !is_answer(bytes),
        _ => false,
    }
}

/// Whether a terminal said this by itself: reports of its place, kind, modes and colours, and of the focus (ECMA-48 §8.3.14, §8.3.35;
/// xterm's control sequences). Shift+F3 looks like one.
fn is_answer(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let [0x1b, kind, after @ ..] = rest {
        let end = match kind {
            b'[' => {
                let parameters = after.iter().take_while(|byte| (0x20..0x40).contains(*byte)).count();
                after.get(parameters).filter(|last| b"cnRyuIO".contains(last)).map(|_| parameters + 1)
            }
            b'P' | b']' => {
                let text = after.iter().take_while(|byte| !matches!(byte, 0x1b | 0x07)).count();
                match after.get(text..) {
                    Some([0x07, ..]) => Some(text + 1),
                    Some([0x1b, b'\\', ..]) => Some(text + 2),
                    _ => None,
                }
            }
            _ => None,
        };
        match end.and_then(|end| after.get(end..)) {
            Some(left) => rest = left,
            None => return false,
        }
    }
    rest.is_empty() && !bytes.is_empty()
}

/// Whether a machine may hear the person's microphone.
pub(crate) const fn may_be_heard(policy: &SessionPolicy) -> bool {
    policy.microphone && !policy.view_only
}

/// Whether input of somebody who has keys and pointer may reach the machine.
fn may_reach(policy: &SessionPolicy, input: &InputEvent) -> bool {
    match input {
        InputEvent::Microphone { .. } => may_be_heard(policy),
        InputEvent::Clipboard(text) => policy.clipboard.to_machine && fits(policy, text),
        InputEvent::Rich(rich) => policy.clipboard.to_machine && fits_rich(policy, rich),
        _ => true,
    }
}

/// Whether a text of the machine's clipboard may reach the person.
fn may_copy(policy: &SessionPolicy, text: &str) -> bool {
    policy.clipboard.to_person && fits(policy, text)
}

/// What of an event of the machine's clipboard may reach the person. `goes_on`: parts of the same copy did, which only its text ends:
/// one that may not is left out of it.
pub(crate) fn copied(policy: &SessionPolicy, event: ScreenEvent, goes_on: &mut bool) -> Option<ScreenEvent> {
    match event {
        ScreenEvent::Rich(rich) => {
            let may = policy.clipboard.to_person && fits_rich(policy, &rich);
            *goes_on |= may;
            may.then_some(ScreenEvent::Rich(rich))
        }
        ScreenEvent::Clipboard(text) => {
            let goes_on = std::mem::take(goes_on);
            // An empty one alone would take away what the person has: that is what is left of a copy whose parts were all held back.
            if !text.is_empty() && may_copy(policy, &text) {
                Some(ScreenEvent::Clipboard(text))
            } else {
                goes_on.then(|| ScreenEvent::Clipboard(String::new()))
            }
        }
        event => Some(event),
    }
}

/// A limit below the largest holds for pictures as for text. The largest is that of text, and then a picture may have what one may have
/// on the wire.
fn fits_rich(policy: &SessionPolicy, rich: &Rich) -> bool {
    let limited = policy.clipboard.kib_max < CLIPBOARD_KIB_MAX;
    let bytes_max = if limited { (policy.clipboard.kib_max as usize) << 10 } else { rich.bytes_max() };
    rich.len() <= bytes_max
}

fn fits(policy: &SessionPolicy, text: &str) -> bool {
    text.len() as u64 <= u64::from(policy.clipboard.kib_max) << 10
}

/// A guest of the connection has no files of it and invites nobody, and one without an account has no clipboard of it either.
fn rules_of(policy: &SessionPolicy, standing: Standing) -> ServerRecord {
    let (guest, visitor) = (standing != Standing::Owner, standing == Standing::Visitor);
    let shares = policy.sharing != oriel_model::SharingPolicy::Off && !guest;
    let bits = [
        (policy.view_only, RULE_VIEW_ONLY),
        (policy.clipboard.to_machine && !policy.view_only && !visitor, RULE_CLIPBOARD_TO_MACHINE),
        (policy.clipboard.to_person && !visitor, RULE_CLIPBOARD_TO_PERSON),
        (policy.sound, RULE_SOUND),
        (may_be_heard(policy) && !guest, RULE_MICROPHONE),
        (policy.files.upload && !policy.view_only && !guest, RULE_UPLOAD),
        (policy.files.download && !guest, RULE_DOWNLOAD),
        (shares, RULE_SHARE),
        (shares && policy.share_guests, RULE_SHARE_GUESTS),
    ];
    let bits = bits.into_iter().filter(|(holds, _)| *holds).fold(0, |all, (_, bit)| all | bit);
    ServerRecord::Rules { bits, clipboard_kib: policy.clipboard.kib_max }
}

fn notice_of(notice: Notice, left: Duration) -> ServerRecord {
    ServerRecord::Notice { notice, seconds: left.as_secs_f64().round() as u32 }
}

fn say(out: &mpsc::WeakSender<Bytes>, record: &ServerRecord) {
    let mut message = Vec::new();
    record.encode(&mut message);
    if let Some(out) = out.upgrade() {
        // A viewer that is so far behind learns it with the next warning.
        out.try_send(message.into()).ok();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use oriel_screen::{MicrophoneFormat, Monitor, Monitors, Rect};

    fn policy(text: &str) -> SessionPolicy {
        text.parse().unwrap()
    }

    fn key() -> ViewerRecord {
        ViewerRecord::Input(InputEvent::Key { down: true, code: 30, keysym: 97 })
    }

    fn paste(bytes: usize) -> ViewerRecord {
        ViewerRecord::Input(InputEvent::Clipboard("x".repeat(bytes)))
    }

    #[tokio::test]
    async fn what_the_rules_forbid_does_not_go_on() {
        let resize = ViewerRecord::Input(InputEvent::Resize { width: 1, height: 1, scale: 100 });
        let rules = Rules::default();
        assert!(rules.admit(&resize) && !rules.admit(&key()), "nothing was dialled");
        rules.lay_down(policy("clipboard_kib=1"));
        assert!(rules.admit(&key()) && rules.admit(&paste(1024)) && !rules.admit(&paste(1025)));
        // A guest's size is nobody's, nor are its monitors.
        let monitor = Monitor { rect: Rect::new(0, 0, 800, 600), scale: 100, primary: true };
        let monitors = ViewerRecord::Input(InputEvent::Monitors(Monitors::arrange(&[monitor]).unwrap()));
        assert!(!rules.admit_guest(&monitors) && rules.admit(&monitors) && !touches(&monitors));
        assert!(rules.admit_visitor(&key()) && !rules.admit_visitor(&paste(1)) && rules.admit_guest(&paste(1)));
        assert!(!rules.admit_guest(&resize) && rules.admit_guest(&key()) && !rules.admit_guest(&paste(1025)));
        rules.lay_down(policy("clipboard=to_person"));
        assert!(rules.admit(&key()) && !rules.admit(&paste(1)));
        rules.lay_down(policy("view_only"));
        assert!(!rules.admit(&key()) && !rules.admit(&paste(1)) && rules.admit(&resize) && rules.admit(&monitors));
        assert!(!rules.admit(&ViewerRecord::TerminalInput(Bytes::from_static(b"x"))));
        assert!(
            !rules.admit_guest(&key()) && !rules.admit_guest(&ViewerRecord::TerminalInput(Bytes::from_static(b"x")))
        );
        assert!(rules.admit(&ViewerRecord::Ack { sequence: 1 }));
    }

    #[tokio::test]
    async fn a_microphone_is_heard_where_a_rule_says_so_and_of_the_owner_alone() {
        let said = ViewerRecord::Input(InputEvent::Microphone {
            format: MicrophoneFormat { channels: 1, rate: 48_000 },
            samples: Bytes::from_static(&[0; 960]),
        });
        let rules = Rules::default();
        assert!(!rules.admit(&said), "nothing was dialled");
        for (policy_text, heard) in [("default", false), ("microphone=on", true), ("microphone=on,view_only", false)] {
            rules.lay_down(policy(policy_text));
            assert_eq!((rules.admit(&said), rules.admit_guest(&said)), (heard, false), "{policy_text}");
            for (standing, told) in [(Standing::Owner, heard), (Standing::Guest, false), (Standing::Visitor, false)] {
                let ServerRecord::Rules { bits, .. } = rules_of(&policy(policy_text), standing) else { unreachable!() };
                assert_eq!(bits & RULE_MICROPHONE != 0, told, "{policy_text}");
            }
        }
        assert!(!touches(&said), "a room is heard whether somebody is in it or not");
    }

    #[test]
    fn one_without_an_account_has_no_clipboard_and_no_files() {
        let bits = |text: &str, standing| match rules_of(&policy(text), standing) {
            ServerRecord::Rules { bits, .. } => bits,
            other => unreachable!("{other:?}"),
        };
        assert_eq!(bits("sharing=control,share_guests", Standing::Visitor), RULE_SOUND);
        let shares = RULE_SHARE | RULE_SHARE_GUESTS;
        assert_eq!(bits("sharing=view,share_guests", Standing::Owner) & shares, shares);
        assert_eq!(bits("share_guests", Standing::Owner) & shares, 0, "nothing by itself");
        assert_eq!(bits("sharing=view", Standing::Owner) & shares, RULE_SHARE);
    }

    #[test]
    fn what_a_terminal_says_by_itself_is_nobody_typing() {
        for answer in [
            &b"\x1b[?1;2c"[..],
            b"\x1b[>0;276;0c",
            b"\x1b[12;40R",
            b"\x1b[0n\x1b[?1;2c",
            b"\x1b]11;rgb:0000/0000/0000\x1b\\",
            b"\x1b]10;rgb:ff/ff/ff\x07",
            b"\x1bP1$r0m\x1b\\",
            b"\x1b[I",
        ] {
            assert!(is_answer(answer), "{answer:?}");
            assert!(!touches(&ViewerRecord::TerminalInput(Bytes::from_static(answer))));
        }
        for typed in
            [&b""[..], b"x", b"\x1b", b"\x1b[A", b"\x1b[3~", b"\x1bOP", b"\x1b[200~c\x1b[201~", b"\x1b[0nx", b"\x1b]11"]
        {
            assert!(!is_answer(typed), "{typed:?}");
        }
        let rules = Rules::default();
        rules.lay_down(policy("default"));
        let answer = ViewerRecord::TerminalInput(Bytes::from_static(b"\x1b[?1;2c"));
        assert!(rules.admit(&answer) && !rules.admit_guest(&answer));
    }

    fn picture(bytes: usize) -> Rich {
        Rich::Png(vec![0; bytes].into())
    }

    #[test]
    fn parts_of_a_copy_have_the_same_rules() {
        let mega = 1 << 20;
        let input = |rich| InputEvent::Rich(rich);
        let html = |bytes: usize| Rich::Html("x".repeat(bytes));
        for (rules, rich, may) in [
            ("default", html(mega), true),
            ("default", picture(8 * mega), true),
            ("clipboard_kib=64", html(64 << 10), true),
            ("clipboard_kib=64", html((64 << 10) + 1), false),
            ("clipboard_kib=64", picture((64 << 10) + 1), false),
            ("clipboard_kib=1023", picture(mega), false),
            ("clipboard=to_person", picture(1), false),
            ("clipboard=off", html(1), false),
        ] {
            let policy = policy(rules);
            assert_eq!(may_reach(&policy, &input(rich.clone())), may, "{rules}");
            let mut goes_on = false;
            let to_person = may || (rules == "clipboard=to_person");
            let passed = copied(&policy, ScreenEvent::Rich(rich), &mut goes_on).is_some();
            assert_eq!((passed, goes_on), (to_person, to_person), "{rules}");
            // A text that is too large leaves the copy without one, and does not leave it open.
            let long = copied(&policy, ScreenEvent::Clipboard("x".repeat(mega + 1)), &mut goes_on);
            assert_eq!(long, to_person.then(|| ScreenEvent::Clipboard(String::new())), "{rules}");
            assert!(!goes_on && copied(&policy, ScreenEvent::Bell, &mut goes_on).is_some());
            assert_eq!(
                copied(&policy, ScreenEvent::Clipboard(String::new()), &mut goes_on),
                None,
                "nothing of it is left"
            );
        }
    }

    #[tokio::test]
    async fn what_the_machine_copied_is_held_back() {
        assert!(may_copy(&policy("default"), "x") && !may_copy(&policy("clipboard=to_machine"), "x"));
        assert!(!may_copy(&policy("clipboard_kib=1"), &"x".repeat(2000)));
    }

    /// Runs a clock through a time of its own: what is said when, and the verdict, in seconds since the beginning.
    fn run(rules: &str, touches: &[u64]) -> (Vec<(u64, Notice, u64)>, u64, Verdict) {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let mut clock = Clock::new(&policy(rules), began);
        let (mut now, mut said) = (began, Vec::new());
        loop {
            let touched = touches.iter().map(|touch| at(*touch)).filter(|touch| *touch <= now).max().unwrap_or(began);
            match clock.next(now, touched) {
                Due::Say(notice, left) => said.push(((now - began).as_secs(), notice, left.as_secs())),
                Due::Wait(until) => now = until.unwrap(),
                Due::Over(verdict) => return (said, (now - began).as_secs(), verdict),
            }
        }
    }

    #[test]
    fn nobody_there_locks_and_a_key_puts_it_off() {
        let (said, at, verdict) = run("idle_lock=10", &[570]);
        assert_eq!(said, [(540, Notice::Lock, 60), (570, Notice::Lock, 0), (1110, Notice::Lock, 60)]);
        assert_eq!((at, verdict), (1170, Verdict::Locked { minutes: 10 }));
        // As long as somebody is there nothing happens.
        let (said, at, _) = run("idle_lock=1", &(0..100).map(|n| n * 20).collect::<Vec<_>>());
        assert_eq!((said, at), (vec![(2010, Notice::Lock, 30)], 2040));
    }

    #[test]
    fn a_connection_ends_after_its_time_with_warnings() {
        let (said, at, verdict) = run("session=480", &[]);
        let hours = 8 * 3600;
        let warnings = [900, 300, 60].map(|left| (hours - left, Notice::End, left));
        assert_eq!((said.as_slice(), at, verdict), (&warnings[..], hours, Verdict::Over { minutes: 480 }));
        assert_eq!(run("session=5", &[]).0, [(240, Notice::End, 60)], "not warned of its whole length");
        let both = run("session=5,idle_lock=4", &[]);
        assert_eq!((both.1, both.2), (240, Verdict::Locked { minutes: 4 }));
        assert_eq!(
            Verdict::Over { minutes: 480 }.bye().1,
            "connections here last 8 hours at most; connect again to go on"
        );
    }

    #[test]
    fn a_viewer_that_comes_late_is_told_what_is_left() {
        let began = Instant::now();
        let mut clock = Clock::new(&policy("session=60"), began);
        let late = began + Duration::from_mins(57);
        assert!(matches!(clock.next(late, late), Due::Say(Notice::End, left) if left == Duration::from_mins(3)));
        assert!(matches!(clock.next(late, late), Due::Wait(Some(until)) if until == began + Duration::from_mins(59)));
    }

    #[tokio::test]
    async fn a_viewer_learns_the_rules_when_they_are_laid_down() {
        let (rules, browser) = (Rules::default(), Browser::default());
        let (out, mut messages) = mpsc::channel(16);
        let laying = async {
            tokio::task::yield_now().await;
            rules.lay_down(policy("watermark,sound=off"));
            let mut heard = Vec::new();
            while heard.len() < 2 {
                heard.extend(ServerRecord::decode_all(&messages.recv().await.unwrap()).unwrap());
            }
            heard
        };
        let heard = tokio::select! {
            _ = rules.watch(&browser, Instant::now(), async { None }, "anna", out.downgrade()) => unreachable!("nothing ends here"),
            heard = laying => heard,
        };
        assert!(
            matches!(heard[0], ServerRecord::Rules { bits, .. } if bits & RULE_SOUND == 0 && bits & RULE_UPLOAD != 0)
        );
        assert_eq!(heard[1], ServerRecord::Watermark("anna".into()));
    }
}
