//! The numbers of MS-RDPEI §2.2.2, messages made by hand from §2.2.3, and steps that viewers get wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use oriel_screen::{PEN_BARREL, PRESSURE_MAX};
use proptest::prelude::*;

const SCREEN: (u16, u16) = (1920, 1080);
const SC_READY_100: &[u8] = &[1, 0, 10, 0, 0, 0, 0, 0, 1, 0];
const SC_READY_101: &[u8] = &[1, 0, 10, 0, 0, 0, 1, 0, 1, 0];
const SC_READY_200: &[u8] = &[1, 0, 10, 0, 0, 0, 0, 0, 2, 0];
/// With the feature of several pens.
const SC_READY_300: &[u8] = &[1, 0, 14, 0, 0, 0, 0, 0, 3, 0, 1, 0, 0, 0];
const SUSPEND: &[u8] = &[4, 0, 6, 0, 0, 0];
const RESUME: &[u8] = &[5, 0, 6, 0, 0, 0];

fn ready(hello: &[u8]) -> Touch {
    let mut touch = Touch::default();
    assert_eq!(touch.message(hello).len(), 1);
    touch
}

fn finger(id: u8, state: ContactState, x: u16, y: u16) -> Contact {
    Contact { id, state, x, y, width: 0, height: 0, pressure: 0, rotation: 0, tilt_x: 0, tilt_y: 0, flags: 0 }
}

fn said(contacts: &[Contact]) -> Contacts {
    Contacts { pen: false, after_ms: 16, contacts: contacts.to_vec() }
}

#[test]
fn numbers_are_as_the_specification_writes_them() {
    let bytes = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    // The examples of 2.2.2.1 to 2.2.2.5.
    assert_eq!(bytes(&|out| wire::two(out, 0x1a1b)), [0x9a, 0x1b]);
    assert_eq!(bytes(&|out| wire::two_signed(out, -0x1a1b)), [0xda, 0x1b]);
    assert_eq!(bytes(&|out| wire::two_signed(out, -2)), [0x42]);
    assert_eq!(bytes(&|out| wire::four(out, 0x001a_1b1c)), [0x9a, 0x1b, 0x1c]);
    assert_eq!(bytes(&|out| wire::four_signed(out, -0x001a_1b1c)), [0xba, 0x1b, 0x1c]);
    assert_eq!(bytes(&|out| wire::four_signed(out, -2)), [0x22]);
    assert_eq!(bytes(&|out| wire::eight(out, 0x001a_1b1c_1d1e_1f2a)), [0xda, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x2a]);
    // Where one byte more begins, and where it ends.
    assert_eq!(bytes(&|out| wire::two(out, 0x7f)), [0x7f]);
    assert_eq!(bytes(&|out| wire::two(out, 0x80)), [0x80, 0x80]);
    assert_eq!(bytes(&|out| wire::two(out, u16::MAX)), [0xff, 0xff]);
    assert_eq!(bytes(&|out| wire::two_signed(out, i16::MIN)), [0xff, 0xff]);
    assert_eq!(bytes(&|out| wire::four(out, 0x3f)), [0x3f]);
    assert_eq!(bytes(&|out| wire::four(out, 0x40)), [0x40, 0x40]);
    assert_eq!(bytes(&|out| wire::four(out, 0x3fff_ffff)), [0xff, 0xff, 0xff, 0xff]);
    assert_eq!(bytes(&|out| wire::four_signed(out, 0x1f)), [0x1f]);
    assert_eq!(bytes(&|out| wire::four_signed(out, 0x20)), [0x40, 0x20]);
    assert_eq!(bytes(&|out| wire::four_signed(out, i32::MIN)), [0xff, 0xff, 0xff, 0xff]);
    assert_eq!(bytes(&|out| wire::eight(out, 0)), [0]);
    assert_eq!(bytes(&|out| wire::eight(out, u64::MAX)), [0xff; 8]);
}

#[test]
fn the_lower_version_is_spoken() {
    let mut touch = Touch::default();
    assert_eq!(touch.ability(), TouchAbility::default());
    assert!(touch.contacts(&said(&[finger(0, ContactState::Touches, 1, 1)]), SCREEN).is_empty());
    // Flags, version, fingers at once; version 1.0.0 gets no flag.
    let answer =
        |flags: u8, minor: u8, major: u8| vec![vec![2, 0, 16, 0, 0, 0, flags, 0, 0, 0, minor, 0, major, 0, 10, 0]];
    assert_eq!(touch.message(SC_READY_100), answer(0, 0, 1));
    assert_eq!(touch.ability(), TouchAbility { fingers: 10, pens: 0 });
    assert_eq!(touch.message(SC_READY_101), answer(2, 1, 1));
    assert_eq!(touch.ability().pens, 0);
    assert_eq!(touch.message(SC_READY_200), answer(2, 0, 2));
    assert_eq!(touch.ability(), TouchAbility { fingers: 10, pens: 1 });
    assert_eq!(touch.message(SC_READY_300), answer(2, 0, 3));
    // One that nobody knows yet.
    assert_eq!(touch.message(&[1, 0, 10, 0, 0, 0, 0, 0, 9, 0]), answer(2, 0, 3));
}

#[test]
fn a_tap_of_two_fingers() {
    let mut touch = ready(SC_READY_101);
    let down = touch.contacts(&said(&[finger(3, ContactState::Touches, 100, 9000)]), SCREEN);
    // Message, length; no time passed, one frame; one contact, no offset; number, no fields, 100, 1079, down.
    assert_eq!(down, [vec![3, 0, 17, 0, 0, 0, 0, 1, 1, 0, 3, 0, 0x40, 100, 0x44, 0x37, 0x19]]);
    // The one that did not change is there as well: 16 ms later, in contact.
    let second = touch.contacts(&said(&[finger(4, ContactState::Touches, 0, 0)]), SCREEN);
    let rest = [4, 0, 0, 0, 0x19, 3, 0, 0x40, 100, 0x44, 0x37, 0x1a];
    // 16,000 µs have three bytes.
    assert_eq!(second, [[&[3, 0, 24, 0, 0, 0, 0, 1, 2, 0x40, 0x3e, 0x80][..], &rest].concat()]);
    // Up where it was, whatever the viewer says.
    let up = touch.contacts(&said(&[finger(3, ContactState::Away, 50, 50)]), SCREEN);
    assert!(up[0].ends_with(&[3, 0, 0x40, 100, 0x44, 0x37, 0x04, 4, 0, 0, 0, 0x1a]), "{up:?}");
    // And once only.
    assert!(touch.contacts(&said(&[finger(3, ContactState::Away, 50, 50)]), SCREEN).is_empty());
    // Whoever loses the keyboard lets go.
    let cancelled = touch.cancel();
    assert!(cancelled[0].ends_with(&[4, 0, 0, 0, 0x24]), "{cancelled:?}");
    assert!(touch.cancel().is_empty());
}

#[test]
fn what_a_finger_covers_and_how_it_presses() {
    let mut touch = ready(SC_READY_100);
    let mut wide = finger(0, ContactState::Touches, 5, 6);
    (wide.width, wide.height, wide.rotation, wide.pressure) = (21, 10, 359, PRESSURE_MAX);
    let message = &touch.contacts(&said(&[wide]), SCREEN)[0];
    // -10, -5, 11, 5; 359; 1024.
    assert!(message.ends_with(&[7, 5, 6, 0x19, 0x4a, 0x45, 11, 5, 0x41, 0x67, 0x44, 0x00]), "{message:?}");
}

#[test]
fn a_pen_hovers_writes_and_leaves() {
    let mut pen = finger(77, ContactState::Hovers, 1, 2);
    (pen.tilt_x, pen.tilt_y, pen.rotation, pen.flags) = (-30, 90, 200, PEN_BARREL);
    let with = |contact| Contacts { pen: true, after_ms: 4, contacts: vec![contact] };
    assert!(ready(SC_READY_101).contacts(&with(pen), SCREEN).is_empty(), "a machine without pens");
    let mut touch = ready(SC_READY_200);
    let over = touch.contacts(&with(pen), SCREEN);
    // The only pen is number 0; flags, rotation and tilt, no pressure while it hovers.
    let lean = [0x80, 200, 0x5e, 0x80, 90];
    let fields = [&[0, 0x1d, 1, 2, 0x0a, 1][..], &lean].concat();
    assert_eq!(over, [[&[8, 0, 21, 0, 0, 0, 0, 1, 1, 0][..], &fields].concat()]);
    (pen.state, pen.pressure) = (ContactState::Touches, 512);
    let writes = touch.contacts(&with(pen), SCREEN);
    assert!(writes[0].ends_with(&[&[0, 0x1f, 1, 2, 0x19, 1, 0x42, 0x00][..], &lean].concat()), "{writes:?}");
    (pen.state, pen.x) = (ContactState::Hovers, 9);
    let lifted = touch.contacts(&with(pen), SCREEN);
    assert!(lifted[0].ends_with(&[&[0, 0x1f, 1, 2, 0x0c, 1, 0x42, 0x00][..], &lean].concat()), "{lifted:?}");
    (pen.state, pen.pressure) = (ContactState::Away, 0);
    let gone = touch.contacts(&with(pen), SCREEN);
    assert!(gone[0].ends_with(&[&[0, 0x1d, 9, 2, 0x02, 1][..], &lean].concat()), "{gone:?}");
    // A finger that hovers is dismissed, where everything is let go of.
    touch.contacts(&said(&[finger(6, ContactState::Hovers, 0, 0)]), SCREEN);
    assert_eq!(touch.cancel(), [vec![6, 0, 7, 0, 0, 0, 6]]);
}

#[test]
fn a_machine_that_wants_nothing_gets_nothing() {
    let mut touch = ready(SC_READY_300);
    touch.contacts(&said(&[finger(0, ContactState::Touches, 1, 1)]), SCREEN);
    assert!(touch.message(SUSPEND).is_empty());
    assert_eq!(touch.ability(), TouchAbility::default());
    assert!(touch.contacts(&said(&[finger(0, ContactState::Touches, 2, 2)]), SCREEN).is_empty());
    assert!(touch.cancel().is_empty());
    assert!(touch.message(RESUME).is_empty());
    assert_eq!(touch.ability().fingers, 10);
    // What was down before begins anew.
    let again = touch.contacts(&said(&[finger(0, ContactState::Touches, 2, 2)]), SCREEN);
    assert!(again[0].ends_with(&[1, 0, 0, 0, 2, 2, 0x19]), "{again:?}");
}

#[test]
fn a_frame_names_a_finger_once_and_never_more_than_was_said() {
    let mut touch = ready(SC_READY_101);
    let all: Vec<Contact> = (0..20).map(|id| finger(id, ContactState::Touches, 1, 1)).collect();
    let message = &touch.contacts(&said(&all), SCREEN)[0];
    assert_eq!(message[8], 10);
    let twice = [finger(0, ContactState::Away, 1, 1), finger(0, ContactState::Touches, 1, 1)];
    assert_eq!(touch.contacts(&said(&twice), SCREEN)[0][8], 10);
    assert_eq!(touch.fingers.len(), 9);
}

#[test]
fn broken_messages_are_left_out() {
    for broken in
        [&[][..], &[1], &SC_READY_200[..9], &[1, 0, 9, 0, 0, 0, 0, 0, 2], &[1, 0, 255, 255, 255, 255, 0, 0, 2, 0]]
    {
        let mut touch = Touch::default();
        assert!(touch.message(broken).is_empty());
        assert_eq!(touch.ability(), TouchAbility::default(), "{broken:?}");
    }
    let mut touch = ready(SC_READY_200);
    assert!(touch.message(&[3, 0, 6, 0, 0, 0]).is_empty(), "what only clients say");
    assert_eq!(touch.ability().fingers, 10);
}

proptest! {
    #[test]
    fn any_steps_are_steps_that_can_be(steps in prop::collection::vec((0u8..12, 0u8..4, any::<u16>()), 0..200)) {
        let mut touch = ready(SC_READY_101);
        for (id, step, x) in steps {
            let state = [ContactState::Away, ContactState::Hovers, ContactState::Touches, ContactState::Cancelled];
            let state = state[usize::from(step)];
            for message in touch.contacts(&said(&[finger(id, state, x, 3)]), SCREEN) {
                prop_assert_eq!(message.len(), u32::from_le_bytes(message[2..6].try_into().unwrap()) as usize);
                prop_assert!((1..=10).contains(&message[8]));
            }
        }
        prop_assert!(touch.fingers.len() <= CONTACTS_MAX);
    }

    #[test]
    fn any_bytes_are_answered_or_left_out(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut touch = Touch::default();
        prop_assert!(touch.message(&bytes).len() <= 1);
    }
}
