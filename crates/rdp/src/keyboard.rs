//! Keys: what the viewer's keyboard does, as scan codes of set 1 (MS-RDPBCGR 2.2.8.1.2.2.1).
//!
//! The machine's lock keys follow the viewer's: nobody tells us the viewer's locks, but the character of a letter or
//! of a keypad key gives them away, and then the machine is corrected before the key is sent.

use ironrdp_pdu::input::fast_path::{FastPathInputEvent, KeyboardFlags, SynchronizeFlags};

const EXTENDED: u16 = 0xe000;
const PAUSE: u16 = 0xe11d;
const BREAK: u16 = 0xe046;
const CTRL: u16 = 0x1d;
const RIGHT_CTRL: u16 = 0xe01d;
const LEFT_SHIFT: u16 = 0x2a;
const RIGHT_SHIFT: u16 = 0x36;
const CAPS_LOCK: u16 = 0x3a;
const NUM_LOCK: u16 = 0x45;
const SCROLL_LOCK: u16 = 0x46;
const KEYSYM_PAUSE: u32 = 0xff13;

/// X11 keysyms of keys that make no character, for viewers that know no scan code (keyboards on a touch screen).
const KEYSYMS: &[(u32, u16)] = &[
    (0xff08, 0x0e),
    (0xff09, 0x0f),
    (0xff0d, 0x1c),
    (0xff8d, 0xe01c),
    (0xff1b, 0x01),
    (0xffff, 0xe053),
    (0xff63, 0xe052),
    (0xff50, 0xe047),
    (0xff57, 0xe04f),
    (0xff55, 0xe049),
    (0xff56, 0xe051),
    (0xff51, 0xe04b),
    (0xff52, 0xe048),
    (0xff53, 0xe04d),
    (0xff54, 0xe050),
    (0xff61, 0xe037),
    (0xffe1, LEFT_SHIFT),
    (0xffe2, RIGHT_SHIFT),
    (0xffe3, CTRL),
    (0xffe4, RIGHT_CTRL),
    (0xffe9, 0x38),
    (0xffea, 0xe038),
    (0xfe03, 0xe038),
    (0xffeb, 0xe05b),
    (0xffec, 0xe05c),
    (0xff67, 0xe05d),
    (0xffbe, 0x3b),
    (0xffbf, 0x3c),
    (0xffc0, 0x3d),
    (0xffc1, 0x3e),
    (0xffc2, 0x3f),
    (0xffc3, 0x40),
    (0xffc4, 0x41),
    (0xffc5, 0x42),
    (0xffc6, 0x43),
    (0xffc7, 0x44),
    (0xffc8, 0x57),
    (0xffc9, 0x58),
];

/// The character of an X11 keysym (the Unicode and Latin-1 ranges).
fn character(keysym: u32) -> Option<char> {
    match keysym {
        0x20..=0x7e | 0xa0..=0xff => char::from_u32(keysym),
        0x20ac => Some('€'),
        0x0100_0000..=0x0110_ffff => char::from_u32(keysym - 0x0100_0000),
        _ => None,
    }
}

#[derive(Debug, Default)]
pub(crate) struct Keyboard {
    /// Keys that are down on the machine, a bit each: plain codes, then extended ones.
    down: [u64; 4],
    locks: Locks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Locks {
    caps: bool,
    num: bool,
    scroll: bool,
}

impl Locks {
    fn event(self) -> FastPathInputEvent {
        let mut flags = SynchronizeFlags::empty();
        flags.set(SynchronizeFlags::CAPS_LOCK, self.caps);
        flags.set(SynchronizeFlags::NUM_LOCK, self.num);
        flags.set(SynchronizeFlags::SCROLL_LOCK, self.scroll);
        FastPathInputEvent::SyncEvent(flags)
    }
}

fn event(code: u16, down: bool) -> FastPathInputEvent {
    let mut flags = if down { KeyboardFlags::empty() } else { KeyboardFlags::RELEASE };
    if code & EXTENDED == EXTENDED {
        flags |= KeyboardFlags::EXTENDED;
    }
    FastPathInputEvent::KeyboardEvent(flags, code as u8)
}

impl Keyboard {
    /// Says which locks we believe in (none at first); the first thing a session sends.
    pub(crate) fn synchronize(&self) -> FastPathInputEvent {
        self.locks.event()
    }

    /// The machine says how its locks are.
    pub(crate) fn leds(&mut self, bits: u8) {
        self.locks = Locks { scroll: bits & 1 != 0, num: bits & 2 != 0, caps: bits & 4 != 0 };
    }

    fn bit(code: u16) -> Option<(usize, u64)> {
        let index = usize::from(code & 0x7f) + if code & EXTENDED == EXTENDED { 128 } else { 0 };
        (code & 0x80 == 0).then_some((index / 64, 1 << (index % 64)))
    }

    fn is_down(&self, code: u16) -> bool {
        Self::bit(code).is_some_and(|(word, bit)| self.down.get(word).is_some_and(|bits| bits & bit != 0))
    }

    fn any_down(&self) -> bool {
        self.down.iter().any(|bits| *bits != 0)
    }

    /// Sends a key and remembers it. A repeated press is sent again (the machine repeats nothing by itself), a
    /// release without a press is not.
    fn set(&mut self, code: u16, down: bool, events: &mut Vec<FastPathInputEvent>) {
        let Some((word, bit)) = Self::bit(code) else { return };
        let Some(bits) = self.down.get_mut(word) else { return };
        let was = *bits & bit != 0;
        if down {
            *bits |= bit;
        } else if was {
            *bits &= !bit;
        } else {
            return;
        }
        if down && !was {
            match code {
                CAPS_LOCK => self.locks.caps = !self.locks.caps,
                NUM_LOCK => self.locks.num = !self.locks.num,
                SCROLL_LOCK => self.locks.scroll = !self.locks.scroll,
                _ => {}
            }
        }
        events.push(event(code, down));
    }

    /// A key of the viewer (`InputEvent::Key`).
    pub(crate) fn key(&mut self, down: bool, code: u16, keysym: u32, events: &mut Vec<FastPathInputEvent>) {
        let code = match code {
            0 => match KEYSYMS.iter().find(|(known, _)| *known == keysym) {
                Some((_, code)) => *code,
                None => {
                    if let Some(character) = character(keysym).filter(|_| down) {
                        Self::character(character, events);
                    }
                    return;
                }
            },
            PAUSE | BREAK => PAUSE,
            NUM_LOCK if keysym == KEYSYM_PAUSE => PAUSE,
            // Some tables write these two as extended keys; no machine knows them so.
            0xe045 => NUM_LOCK,
            0xe036 => RIGHT_SHIFT,
            code => code,
        };
        if code == PAUSE {
            if down {
                self.pause(events);
            }
            return;
        }
        if code & 0xff == 0 || (code > 0x7f && code & 0xff00 != EXTENDED) {
            return;
        }
        if down {
            self.follow_locks(code, keysym, events);
        }
        self.set(code, down, events);
    }

    /// Pause has no release, and its own prefix; with Control it is Break.
    fn pause(&self, events: &mut Vec<FastPathInputEvent>) {
        if self.is_down(CTRL) || self.is_down(RIGHT_CTRL) {
            events.extend([event(BREAK, true), event(BREAK, false)]);
            return;
        }
        for flags in [KeyboardFlags::empty(), KeyboardFlags::RELEASE] {
            events.push(FastPathInputEvent::KeyboardEvent(flags | KeyboardFlags::EXTENDED1, CTRL as u8));
            events.push(FastPathInputEvent::KeyboardEvent(flags, NUM_LOCK as u8));
        }
    }

    fn follow_locks(&mut self, code: u16, keysym: u32, events: &mut Vec<FastPathInputEvent>) {
        let plain = !self.is_down(CTRL) && !self.is_down(RIGHT_CTRL) && !self.is_down(0x38) && !self.is_down(0xe038);
        let shift = self.is_down(LEFT_SHIFT) || self.is_down(RIGHT_SHIFT);
        let mut wanted = self.locks;
        if let Some(letter) = character(keysym).filter(char::is_ascii_alphabetic)
            && plain
        {
            wanted.caps = letter.is_ascii_uppercase() != shift;
        }
        let keypad = matches!(code, 0x47..=0x49 | 0x4b..=0x4d | 0x4f..=0x53);
        match keysym {
            0x2c | 0x2e | 0x30..=0x39 | 0xffac | 0xffae | 0xffb0..=0xffb9 if keypad && !shift => wanted.num = true,
            0xff50..=0xff58 | 0xff63 | 0xff95..=0xff9f | 0xffff if keypad && !shift => wanted.num = false,
            _ => {}
        }
        if wanted == self.locks {
            return;
        }
        if self.any_down() {
            // A synchronize event would let go of the keys that are held; tapping the lock key does not.
            for (differs, code) in
                [(wanted.caps != self.locks.caps, CAPS_LOCK), (wanted.num != self.locks.num, NUM_LOCK)]
            {
                if differs {
                    events.extend([event(code, true), event(code, false)]);
                }
            }
        } else {
            events.push(wanted.event());
        }
        self.locks = wanted;
    }

    /// A character without a key (an input method, a paste-as-typing).
    pub(crate) fn character(character: char, events: &mut Vec<FastPathInputEvent>) {
        let code = match character {
            '\n' => 0x1c,
            '\t' => 0x0f,
            '\u{8}' => 0x0e,
            '\u{1b}' => 0x01,
            character if character.is_control() => return,
            character => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    events.push(FastPathInputEvent::UnicodeKeyboardEvent(KeyboardFlags::empty(), *unit));
                    events.push(FastPathInputEvent::UnicodeKeyboardEvent(KeyboardFlags::RELEASE, *unit));
                }
                return;
            }
        };
        events.extend([event(code, true), event(code, false)]);
    }

    pub(crate) fn release_all(&mut self, events: &mut Vec<FastPathInputEvent>) {
        for code in (0..0x80).chain((0..0x80).map(|code| code | EXTENDED)) {
            if self.is_down(code) {
                events.push(event(code, false));
            }
        }
        self.down = [0; 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keyboard: &mut Keyboard, code: u16, keysym: u32) -> Vec<FastPathInputEvent> {
        let mut events = Vec::new();
        keyboard.key(true, code, keysym, &mut events);
        events
    }

    #[test]
    fn extended_keys_and_release_all() {
        let mut keyboard = Keyboard::default();
        assert_eq!(
            press(&mut keyboard, 0xe038, 0xfe03),
            [FastPathInputEvent::KeyboardEvent(KeyboardFlags::EXTENDED, 0x38)]
        );
        press(&mut keyboard, 0x1e, 0);
        let mut events = Vec::new();
        keyboard.release_all(&mut events);
        assert_eq!(events, [event(0x1e, false), event(0xe038, false)]);
        events.clear();
        keyboard.release_all(&mut events);
        keyboard.key(false, 0x1e, 0, &mut events);
        assert!(events.is_empty());
    }

    #[test]
    fn pause_print_screen_and_num_lock() {
        let mut keyboard = Keyboard::default();
        let pause = press(&mut keyboard, 0xe046, KEYSYM_PAUSE);
        assert_eq!(pause.len(), 4);
        assert_eq!(pause.first(), Some(&FastPathInputEvent::KeyboardEvent(KeyboardFlags::EXTENDED1, 0x1d)));
        assert_eq!(press(&mut keyboard, 0xe037, 0xff61), [event(0xe037, true)]);
        assert_eq!(
            press(&mut keyboard, 0xe045, 0xff7f),
            [FastPathInputEvent::KeyboardEvent(KeyboardFlags::empty(), 0x45)]
        );
        assert!(keyboard.locks.num);
        press(&mut keyboard, 0x1d, 0xffe3);
        assert_eq!(press(&mut keyboard, 0xe11d, KEYSYM_PAUSE), [event(BREAK, true), event(BREAK, false)]);
    }

    #[test]
    fn caps_lock_follows_the_letters() {
        let mut keyboard = Keyboard::default();
        // "A" without shift: caps lock is on over there.
        let events = press(&mut keyboard, 0x1e, u32::from(b'A'));
        assert_eq!(events, [FastPathInputEvent::SyncEvent(SynchronizeFlags::CAPS_LOCK), event(0x1e, true)]);
        // Now with a key held: "b" means it is off again, and the held key must stay down.
        let events = press(&mut keyboard, 0x30, u32::from(b'b'));
        assert_eq!(events, [event(CAPS_LOCK, true), event(CAPS_LOCK, false), event(0x30, true)]);
        // Shift and "C" agree with caps lock off.
        press(&mut keyboard, LEFT_SHIFT, 0xffe1);
        assert_eq!(press(&mut keyboard, 0x2e, u32::from(b'C')), [event(0x2e, true)]);
    }

    #[test]
    fn num_lock_follows_the_keypad() {
        let mut keyboard = Keyboard::default();
        assert_eq!(
            press(&mut keyboard, 0x48, 0xffb8),
            [FastPathInputEvent::SyncEvent(SynchronizeFlags::NUM_LOCK), event(0x48, true)]
        );
        let mut events = Vec::new();
        keyboard.key(false, 0x48, 0xffb8, &mut events);
        // The arrow key with the same number says nothing about num lock.
        assert_eq!(press(&mut keyboard, 0xe048, 0xff52), [event(0xe048, true)]);
    }

    #[test]
    fn keysyms_without_codes() {
        let mut keyboard = Keyboard::default();
        assert_eq!(press(&mut keyboard, 0, 0xff0d), [event(0x1c, true)]);
        let euro = press(&mut keyboard, 0, 0x20ac);
        assert_eq!(euro.first(), Some(&FastPathInputEvent::UnicodeKeyboardEvent(KeyboardFlags::empty(), 0x20ac)));
        assert!(press(&mut keyboard, 0, 0xfe50).is_empty());
        assert!(press(&mut keyboard, 0x1234, 0).is_empty());
    }
}
