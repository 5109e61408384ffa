//! The USB side: messages of `/api/ws` become the reports that a machine sees (measured on kvmd 4.197 with its OTG gadget).

use crate::hid::{Hid, Name};
use crate::key;

/// Keys that fit a boot keyboard's report.
const KEYS_MAX: usize = 6;

/// A keyboard (8 bytes), a mouse with positions (7 bytes: buttons, x, y, wheel, pan) and one with steps (5 bytes).
///
/// Reports are added to its three lists; who drives a real port takes them out after each message.
#[derive(Debug)]
pub struct Gadget {
    /// The mouse with steps is the active one.
    pub relative: bool,
    modifiers: u8,
    keys: Vec<u8>,
    buttons: u8,
    at: (u16, u16),
    pub keyboard: Vec<[u8; 8]>,
    pub absolute: Vec<[u8; 7]>,
    pub steps: Vec<[u8; 5]>,
}

impl Default for Gadget {
    fn default() -> Self {
        let middle = scale(0);
        Self {
            relative: false,
            modifiers: 0,
            keys: Vec::new(),
            buttons: 0,
            at: (middle, middle),
            keyboard: Vec::new(),
            absolute: Vec::new(),
            steps: Vec::new(),
        }
    }
}

/// -32768 to 32767 onto 0 to 32767.
fn scale(value: i16) -> u16 {
    ((i64::from(value) + 32768) * 32767 / 65535) as u16
}

/// Codes of Linux from `KEY_RO` on, whose numbers are not those of scan codes (`input-event-codes.h`).
const LINUX: &[(u16, &str)] = &[
    (89, "IntlRo"),
    (92, "Convert"),
    (93, "KanaMode"),
    (94, "NonConvert"),
    (96, "NumpadEnter"),
    (97, "ControlRight"),
    (98, "NumpadDivide"),
    (99, "PrintScreen"),
    (100, "AltRight"),
    (102, "Home"),
    (103, "ArrowUp"),
    (104, "PageUp"),
    (105, "ArrowLeft"),
    (106, "ArrowRight"),
    (107, "End"),
    (108, "ArrowDown"),
    (109, "PageDown"),
    (110, "Insert"),
    (111, "Delete"),
    (113, "AudioVolumeMute"),
    (114, "AudioVolumeDown"),
    (115, "AudioVolumeUp"),
    (116, "Power"),
    (119, "Pause"),
    (124, "IntlYen"),
    (125, "MetaLeft"),
    (126, "MetaRight"),
    (127, "ContextMenu"),
    (183, "F13"),
    (184, "F14"),
    (185, "F15"),
    (186, "F16"),
    (187, "F17"),
    (188, "F18"),
    (189, "F19"),
    (190, "F20"),
    (191, "F21"),
    (192, "F22"),
    (193, "F23"),
    (194, "F24"),
];

/// Codes of Linux up to `KEY_F12` are those of the scan codes of the same number.
fn usage(name: &Name) -> Option<u8> {
    match name {
        Name::Named(name) => key::by_name(name),
        Name::Linux(code @ 0..=0x58) => key::by_code(*code),
        Name::Linux(code) => LINUX.iter().find(|(of, _)| of == code).and_then(|(_, name)| key::by_name(name)),
    }
    .map(|key| key.usage)
}

fn button(name: &Name) -> Option<u8> {
    let at = match name {
        Name::Named(name) => ["left", "right", "middle", "up", "down"].iter().position(|one| one == name)?,
        Name::Linux(code) => usize::from(code.checked_sub(0x110).filter(|at| *at < 5)?),
    };
    Some(1 << at)
}

impl Gadget {
    pub fn new(relative: bool) -> Self {
        Self { relative, ..Self::default() }
    }

    fn keyboard(&mut self) {
        let mut report = [0; 8];
        report[0] = self.modifiers;
        for (slot, key) in report.iter_mut().skip(2).zip(&self.keys) {
            *slot = *key;
        }
        self.keyboard.push(report);
    }

    fn mouse(&mut self, wheel: (i8, i8)) {
        let ([x0, x1], [y0, y1]) = (self.at.0.to_le_bytes(), self.at.1.to_le_bytes());
        self.absolute.push([self.buttons, x0, x1, y0, y1, wheel.1 as u8, wheel.0 as u8]);
    }

    fn step(&mut self, moved: (i8, i8), wheel: (i8, i8)) {
        self.steps.push([self.buttons, moved.0 as u8, moved.1 as u8, wheel.1 as u8, wheel.0 as u8]);
    }

    /// Everything comes up: a client came or went, or it was reset.
    pub fn clear(&mut self) {
        (self.modifiers, self.buttons) = (0, 0);
        self.keys.clear();
        self.keyboard();
        self.mouse((0, 0));
        self.step((0, 0), (0, 0));
    }

    fn key(&mut self, usage: u8, down: bool) {
        let bit = usage.checked_sub(0xe0).map(|bit| 1u8 << bit.min(7));
        let held = bit.map_or(self.keys.contains(&usage), |bit| self.modifiers & bit != 0);
        if !down {
            if held {
                self.lift(usage, bit);
                self.keyboard();
            }
            return;
        }
        if held {
            self.lift(usage, bit);
            self.keyboard();
        }
        match bit {
            Some(bit) => self.modifiers |= bit,
            None => {
                if self.keys.len() >= KEYS_MAX {
                    self.modifiers = 0;
                    self.keys.clear();
                    self.keyboard();
                }
                self.keys.push(usage);
            }
        }
        self.keyboard();
    }

    fn lift(&mut self, usage: u8, bit: Option<u8>) {
        match bit {
            Some(bit) => self.modifiers &= !bit,
            None => self.keys.retain(|key| *key != usage),
        }
    }

    /// Takes a message; what it does not know it leaves out.
    pub fn take(&mut self, message: &Hid) {
        match message {
            Hid::Ping => {}
            Hid::Key { name, down, finish } => {
                let Some(usage) = usage(name) else { return };
                self.key(usage, *down);
                if *finish && *down {
                    self.key(usage, false);
                }
            }
            Hid::Button { name, down } => {
                let Some(bit) = button(name) else { return };
                self.buttons = if *down { self.buttons | bit } else { self.buttons & !bit };
                if self.relative { self.step((0, 0), (0, 0)) } else { self.mouse((0, 0)) }
            }
            Hid::Absolute { x, y } => {
                if !self.relative {
                    self.at = (scale(*x), scale(*y));
                    self.mouse((0, 0));
                }
            }
            Hid::Relative { steps, squash } => {
                if self.relative {
                    joined(steps, *squash).into_iter().for_each(|moved| self.step(moved, (0, 0)));
                }
            }
            Hid::Wheel { steps, squash } => {
                for wheel in joined(steps, *squash) {
                    if self.relative { self.step((0, 0), wheel) } else { self.mouse(wheel) }
                }
            }
        }
    }
}

/// Steps that may be joined are, while their sum fits.
fn joined(steps: &[(i8, i8)], squash: bool) -> Vec<(i8, i8)> {
    let mut out: Vec<(i8, i8)> = Vec::new();
    for (x, y) in steps {
        let sum = out.last().filter(|_| squash).and_then(|(a, b)| Some((a.checked_add(*x)?, b.checked_add(*y)?)));
        match (sum, out.last_mut()) {
            (Some(sum), Some(last)) => *last = sum,
            _ => out.push((*x, *y)),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    fn key(flags: u8, name: &str) -> Vec<u8> {
        [&[1, flags][..], name.as_bytes()].concat()
    }

    fn take(gadget: &mut Gadget, messages: &[Vec<u8>]) {
        messages.iter().for_each(|message| gadget.take(&Hid::decode(message).unwrap()));
    }

    /// The rows of facts §6 about keys: messages, and the reports that the real daemon made of them.
    #[test]
    fn keys_become_the_reports_of_kvmd() {
        let rows: [(&[Vec<u8>], &[&str]); 8] = [
            (&[key(1, "KeyA"), key(0, "KeyA")], &["0000040000000000", "0000000000000000"]),
            (&[key(3, "KeyA")], &["0000040000000000", "0000000000000000"]),
            (&[key(1, "ShiftLeft")], &["0200000000000000"]),
            (&[vec![1, 0x81, 0, 0x1e]], &["0000040000000000"]),
            // Pressing what is pressed releases it first.
            (&[key(1, "KeyA"), key(1, "KeyA")], &["0000040000000000", "0000000000000000", "0000040000000000"]),
            // Ctrl, Alt, Delete and back.
            (
                &[
                    key(1, "ControlLeft"),
                    key(1, "AltLeft"),
                    key(1, "Delete"),
                    key(0, "Delete"),
                    key(0, "AltLeft"),
                    key(0, "ControlLeft"),
                ],
                &[
                    "0100000000000000",
                    "0500000000000000",
                    "05004c0000000000",
                    "0500000000000000",
                    "0100000000000000",
                    "0000000000000000",
                ],
            ),
            // "aB!" and Enter as the daemon types them.
            (
                &[
                    key(3, "KeyA"),
                    key(1, "ShiftLeft"),
                    key(3, "KeyB"),
                    key(3, "Digit1"),
                    key(0, "ShiftLeft"),
                    key(3, "Enter"),
                ],
                &[
                    "0000040000000000",
                    "0000000000000000",
                    "0200000000000000",
                    "0200050000000000",
                    "0200000000000000",
                    "02001e0000000000",
                    "0200000000000000",
                    "0000000000000000",
                    "0000280000000000",
                    "0000000000000000",
                ],
            ),
            // A key that it does not know.
            (&[key(1, "Nonsense")], &[]),
        ];
        for (messages, reports) in rows {
            let mut gadget = Gadget::default();
            take(&mut gadget, messages);
            let reports: Vec<Vec<u8>> = reports.iter().map(|report| hex(report)).collect();
            let seen: Vec<Vec<u8>> = gadget.keyboard.iter().map(|report| report.to_vec()).collect();
            assert_eq!(seen, reports, "{messages:?}");
        }
    }

    #[test]
    fn every_code_of_linux_is_a_key_that_there_is() {
        for (code, name) in LINUX {
            assert_eq!(usage(&Name::Linux(*code)), key::by_name(name).map(|key| key.usage), "{code}");
            assert!(key::by_name(name).is_some(), "{name}");
        }
        assert_eq!((usage(&Name::Linux(103)), usage(&Name::Linux(240))), (Some(0x52), None));
    }

    #[test]
    fn a_seventh_key_lets_all_others_go() {
        let mut gadget = Gadget::default();
        let keys = ["KeyA", "KeyB", "KeyC", "KeyD", "KeyE", "KeyF", "KeyG"];
        take(&mut gadget, &keys.map(|name| key(1, name)));
        let last: Vec<&[u8; 8]> = gadget.keyboard.iter().rev().take(2).collect();
        assert_eq!([last[1].to_vec(), last[0].to_vec()], [hex("0000000000000000"), hex("00000a0000000000")]);
    }

    #[test]
    fn the_mouse_makes_the_reports_of_kvmd() {
        let at_end = vec![3, 0x7f, 0xff, 0x7f, 0xff];
        let rows: [(&[Vec<u8>], &str); 7] = [
            (&[vec![3, 0, 0, 0, 0]], "00ff3fff3f0000"),
            (&[vec![3, 0x80, 0, 0x80, 0]], "00000000000000"),
            (std::slice::from_ref(&at_end), "00ff7fff7f0000"),
            (&[vec![3, 0x80, 0, 0x80, 0], [&[2, 1][..], b"left"].concat()], "01000000000000"),
            (&[vec![3, 0x80, 0, 0x80, 0], vec![2, 0x81, 1, 0x11]], "02000000000000"),
            (&[at_end.clone(), vec![5, 0, 0, 0xfb]], "00ff7fff7ffb00"),
            (&[at_end.clone(), vec![5, 0, 3, 0]], "00ff7fff7f0003"),
        ];
        for (messages, report) in rows {
            let mut gadget = Gadget::default();
            take(&mut gadget, messages);
            assert_eq!(gadget.absolute.last().unwrap().to_vec(), hex(report), "{messages:?}");
            // Steps do nothing to a mouse with positions.
            let before = gadget.absolute.len();
            take(&mut gadget, &[vec![4, 0, 5, 0xfa]]);
            assert_eq!((gadget.absolute.len(), gadget.steps.len()), (before, 0));
        }
    }

    #[test]
    fn steps_are_joined_while_they_fit() {
        for (message, reports) in [
            (vec![4, 0, 5, 0xfa], &["0005fa0000"][..]),
            (vec![4, 1, 0x64, 0, 0x64, 0], &["0064000000", "0064000000"]),
            (vec![4, 1, 0x0a, 0x0a, 0x14, 0x14], &["001e1e0000"]),
        ] {
            let mut gadget = Gadget { relative: true, ..Gadget::default() };
            take(&mut gadget, &[message, vec![3, 0, 0, 0, 0]]);
            let reports: Vec<Vec<u8>> = reports.iter().map(|report| hex(report)).collect();
            let seen: Vec<Vec<u8>> = gadget.steps.iter().map(|report| report.to_vec()).collect();
            assert_eq!(seen, reports);
            assert!(gadget.absolute.is_empty(), "positions do nothing to a mouse with steps");
        }
    }

    #[test]
    fn who_comes_or_goes_clears_everything() {
        let mut gadget = Gadget::default();
        take(&mut gadget, &[key(1, "KeyA"), vec![3, 0x80, 0, 0x80, 0], [&[2, 1][..], b"left"].concat()]);
        gadget.clear();
        assert_eq!(gadget.keyboard.last().unwrap().to_vec(), hex("0000000000000000"));
        assert_eq!(gadget.absolute.last().unwrap().to_vec(), hex("00000000000000"));
        assert_eq!(gadget.steps.last().unwrap().to_vec(), hex("0000000000"));
    }
}
