use super::*;
use ironrdp_pdu::gcc::ChannelOptions;
use ironrdp_svc::SvcProcessor as _;
use proptest::prelude::*;

/// MS-RDPERP 4.2.1: the server's, and the client's.
const HANDSHAKE: [u8; 8] = [5, 0, 8, 0, 0x71, 0x17, 0, 0];
/// MS-RDPERP 4.3.2: `||WrongApp` is not allowed.
const WRONG_APP: &[u8] = b"\x80\0\x24\0\x08\0\x03\0\x15\0\0\0\0\0\x14\0|\0|\0W\0r\0o\0n\0g\0A\0p\0p\0";
/// MS-RDPERP 4.3.1: `||iexplore` in `f:\windows\system32` with `www.bing.com`.
const EXEC: &[u8] = b"\x01\0\x5e\0\x08\0\x14\0\x26\0\x18\0|\0|\0i\0e\0x\0p\0l\0o\0r\0e\0\
    f\0:\0\\\0w\0i\0n\0d\0o\0w\0s\0\\\0s\0y\0s\0t\0e\0m\x003\x002\0w\0w\0w\0.\0b\0i\0n\0g\0.\0c\0o\0m\0";
/// MS-RDPERP 4.4.1: high contrast is off.
const HIGH_CONTRAST: [u8; 18] = [3, 0, 0x12, 0, 0x43, 0, 0, 0, 0x7e, 0, 0, 0, 2, 0, 0, 0, 0, 0];
/// MS-RDPERP 4.1.1.1: the window 0x120158 of File Explorer. The last byte (EnforceServerZOrder) is announced there and left out of the capture.
const EXPLORER: &[u8] = b"\x2e\x81\0\x9e\xdf\x08\x19\x58\x01\x12\0\0\0\0\0\0\0\xcf\x14\0\x01\0\0\x05\
    \x1a\0F\0i\0l\0e\0 \0E\0x\0p\0l\0o\0r\0e\0r\0\x1b\x01\0\0\x34\x01\0\0\x07\0\0\0\x07\0\0\0\0\0\0\0\x07\0\0\0\
    \x8d\0\0\0\x9a\0\0\0\x8e\0\0\0\x9a\0\0\0\xe6\x05\0\0\x42\x03\0\0\x01\0\0\0\0\0\xe6\x05\x42\x03\
    \x8d\0\0\0\x9a\0\0\0\x01\0\0\0\0\0\xe6\x05\x42\x03\0";
/// MS-RDPERP 4.1.1.2: the window 0x30024 is gone.
const DELETED: [u8; 11] = [0x2e, 0x0b, 0, 0, 0, 0, 0x21, 0x24, 0, 3, 0];
/// MS-RDPERP 4.1.1.4: the icon 0 of the window 0x301f4 is gone.
const ICON_DELETED: [u8; 15] = [0x2e, 0x0f, 0, 1, 0, 0, 0x62, 0xf4, 1, 3, 0, 0, 0, 0, 0];
/// MS-RDPERP 4.1.1.5: the window 0x100a0 is in front of another one.
const DESKTOP: [u8; 20] = [0x2e, 0x14, 0, 0x30, 0, 0, 4, 0xa0, 0, 1, 0, 2, 0x66, 0, 2, 0, 0xa0, 0, 1, 0];
/// MS-RDPERP 4.1.1.6.
const NO_DESKTOP: [u8; 7] = [0x2e, 7, 0, 1, 0, 0, 4];
/// The same as 4.1.1.5 when the machine begins to look at a desktop.
const HOOKED: [u8; 7] = [0x2e, 7, 0, 2, 0, 0, 4];

fn iexplore() -> Rail {
    Rail::new("||iexplore", "f:\\windows\\system32", "www.bing.com", (800, 600), false)
}

fn result(code: u16) -> Vec<u8> {
    let mut message = WRONG_APP.to_vec();
    message[6..8].copy_from_slice(&code.to_le_bytes());
    message
}

/// A window that is new, in the fields that are read.
fn window(id: u32, owner: u32, title: &str) -> Vec<u8> {
    let mut body = (0x1100_0000u32 | 0x16).to_le_bytes().to_vec();
    body.extend(id.to_le_bytes());
    body.extend(owner.to_le_bytes());
    body.push(5);
    let title: Vec<u8> = title.encode_utf16().flat_map(u16::to_le_bytes).collect();
    body.extend((title.len() as u16).to_le_bytes());
    body.extend(title);
    order(&body)
}

fn order(body: &[u8]) -> Vec<u8> {
    [&[0x2e][..], &(body.len() as u16 + 3).to_le_bytes(), body].concat()
}

/// An update with orders as a fast-path frame; `place` as it is written there.
fn frame(place: u8, update: &[u8]) -> Vec<u8> {
    let length = update.len() + 6;
    let head = [0, 0x80 | (length >> 8) as u8, length as u8, place << 4, update.len() as u8, (update.len() >> 8) as u8];
    [&head[..], update].concat()
}

fn update(orders: &[&[u8]]) -> Vec<u8> {
    [&(orders.len() as u16).to_le_bytes()[..], &orders.concat()].concat()
}

fn told(orders: &mut Orders, of: &[&[u8]]) {
    orders.fast_path(&frame(0, &update(of)));
}

#[test]
fn a_remote_app_is_asked_for() {
    let mut rail = iexplore();
    assert_eq!(rail.channel_name().as_str(), Some("rail"));
    assert!(rail.channel_options().contains(ChannelOptions::SHOW_PROTOCOL));
    // Nothing before the machine has said who it is (3.2.5.2.1).
    assert!(rail.take(WRONG_APP).is_empty() && rail.take_refusal().is_none());
    let said = rail.take(&HANDSHAKE);
    assert_eq!(said[0], HANDSHAKE);
    // Client Information (4.2.2), with its own flags: windows are not moved here, icons are not wanted.
    assert_eq!(said[1], [0x0b, 0, 8, 0, 0, 4, 0, 0]);
    assert_eq!(said[2], HIGH_CONTRAST);
    assert_eq!(said[said.len() - 2], [3, 0, 16, 0, 0x2f, 0, 0, 0, 0, 0, 0, 0, 0x20, 3, 0x58, 2]);
    assert_eq!(said[said.len() - 1], EXEC);
    assert!(said.iter().all(|message| u16::from_le_bytes([message[2], message[3]]) as usize == message.len()));
    assert!(!rail.ran());
    assert!(rail.take(&result(0)).is_empty() && rail.take_refusal().is_none() && rail.ran());
    // Introduced anew it runs still.
    let again = rail.take(&[0x13, 0, 0x0c, 0, 0x5d, 0x58, 0, 0, 1, 0, 0, 0]);
    assert_eq!(again.len(), said.len() - 1);
    assert!(rail.resized(800, 600).is_empty());
    assert_eq!(rail.resized(1920, 1080), [[3, 0, 16, 0, 0x2f, 0, 0, 0, 0, 0, 0, 0, 0x80, 7, 0x38, 4]]);
}

#[test]
fn why_a_remote_app_does_not_run() {
    for (code, words) in [
        (2, "did not understand"),
        (3, "publish it there as a RemoteApp"),
        (5, "not found"),
        (6, "Windows error 21"),
        (7, "locked"),
        (99, "Windows error 21"),
    ] {
        let mut rail = iexplore();
        rail.take(&HANDSHAKE);
        assert!(rail.take(&result(code)).is_empty());
        let why = rail.take_refusal().unwrap();
        assert!(why.contains(words) && why.contains("\"||iexplore\""), "{why}");
        assert_eq!(rail.take_refusal(), None);
    }
}

#[test]
fn a_remote_app_waits_for_the_logon() {
    let mut rail = iexplore();
    rail.take(&HANDSHAKE);
    assert!(rail.hooked().is_empty());
    for _ in 1..TRIES_MAX {
        rail.take(&result(1));
        assert_eq!(rail.hooked(), [EXEC]);
    }
    rail.take(&result(1));
    assert!(rail.hooked().is_empty());
    assert!(rail.take_refusal().unwrap().contains("nobody has logged on"));
}

#[test]
fn a_session_that_is_taken_up_again_has_its_program() {
    let resumed = || Rail::new("||iexplore", "f:\\windows\\system32", "www.bing.com", (800, 600), true);
    let mut rail = resumed();
    let said = rail.take(&HANDSHAKE);
    assert_eq!(said[1], [0x0b, 0, 8, 0, 2, 4, 0, 0]);
    assert!(!said.iter().any(|message| message == EXEC));
    // Unless the machine says that it is another session, before or after.
    assert_eq!(rail.begin(), [EXEC]);
    let mut rail = resumed();
    assert!(rail.begin().is_empty());
    assert!(rail.take(&HANDSHAKE).iter().any(|message| message == EXEC));
    assert!(rail.begin().is_empty());
}

#[test]
fn what_a_remote_app_has_no_use_for_is_passed_over() {
    let mut rail = iexplore();
    rail.take(&HANDSHAKE);
    // MS-RDPERP 4.5.5, 4.6.2, 4.6.3, 4.7.1, 4.8.1.
    for message in [
        &[0x0d, 0, 8, 0, 1, 0, 0, 0][..],
        &[9, 0, 16, 0, 0x94, 0, 1, 0, 1, 0, 8, 0, 0x2c, 5, 0xe9, 3],
        &[10, 0, 24, 0, 0x94, 0, 1, 0, 0x48, 6, 0xb8, 4, 0, 0, 0, 0, 0x70, 0, 0x1b, 0, 0x4c, 6, 0xbc, 4],
        &[0x14, 0, 8, 0, 0x10, 5, 0x40, 0],
        &[0x16, 0, 8, 0, 1, 0, 0, 0],
        // Cut, lying about their length, unknown.
        &[0x80, 0, 8, 0, 8, 0, 3, 0],
        &[0x80, 0, 3, 0],
        &[5, 0, 0xff, 0xff, 1],
        &[0xff, 0xff, 4, 0],
        &[],
    ] {
        assert!(rail.take(message).is_empty() && rail.take_refusal().is_none(), "{message:?}");
    }
}

#[test]
fn what_is_too_long_is_cut_between_characters() {
    let long = "😀".repeat(300);
    let mut rail = Rail::new(&long, "", &"x".repeat(9000), (1, 1), false);
    let said = rail.take(&HANDSHAKE);
    let exec = said.last().unwrap();
    let field = |at: usize| u16::from_le_bytes([exec[at], exec[at + 1]]);
    assert_eq!((field(6), field(8), field(10)), (520, 0, 16_000));
    assert_eq!(exec.len(), 12 + 520 + 16_000);
    let mut rail = Rail::new("a", "%USERPROFILE%", "", (1, 1), false);
    assert_eq!(rail.take(&HANDSHAKE).last().unwrap()[4], 9);
}

#[test]
fn windows_of_the_specification() {
    let mut orders = Orders::default();
    assert!(!orders.windows().is_closed() && !orders.windows().had_any(), "none was there yet");
    told(&mut orders, &[EXPLORER, &DESKTOP]);
    assert_eq!(orders.windows().title(), "File Explorer");
    // Others than it are gone.
    told(&mut orders, &[&DELETED, &ICON_DELETED]);
    assert_eq!((orders.windows().counts(), orders.windows().is_closed()), ((1, 0), false));
    // Windows asks something on a desktop of its own: the program is still there.
    told(&mut orders, &[&NO_DESKTOP]);
    assert_eq!((orders.windows().counts(), orders.windows().is_closed()), ((0, 0), false));
    assert!(!orders.take_hooked());
    told(&mut orders, &[&HOOKED, EXPLORER]);
    assert!(orders.take_hooked() && !orders.take_hooked());
    let mut deleted = DELETED;
    deleted[7..].copy_from_slice(&0x0012_0158u32.to_le_bytes());
    told(&mut orders, &[&deleted]);
    assert_eq!((orders.windows().title(), orders.windows().is_closed()), ("", true));
}

#[test]
fn the_window_in_front_gives_the_title() {
    let mut orders = Orders::default();
    let active = |id: u32| order(&[&0x0400_0020u32.to_le_bytes()[..], &id.to_le_bytes()].concat());
    told(&mut orders, &[&window(1, 0, "Ledger\u{7}\n 2026"), &window(2, 1, ""), &window(3, 0, "Help")]);
    assert_eq!(orders.windows().title(), "Ledger 2026");
    told(&mut orders, &[&active(3)]);
    assert_eq!(orders.windows().title(), "Help");
    // A menu is its window's, and windows of the machine itself are nobody's.
    told(&mut orders, &[&active(2), &active(u32::MAX)]);
    assert_eq!(orders.windows().title(), "Ledger 2026");
    // An icon in the notification area keeps a program that has no window.
    let icon = |fields: u32| order(&[fields.to_le_bytes(), 1u32.to_le_bytes(), 9u32.to_le_bytes()].concat());
    let hide = |id: u32| order(&[&0x0100_0010u32.to_le_bytes()[..], &id.to_le_bytes(), &[0]].concat());
    told(&mut orders, &[&icon(0x1200_0000), &hide(1), &hide(2), &hide(3)]);
    assert!(!orders.windows().is_closed());
    told(&mut orders, &[&icon(0x2200_0000)]);
    assert!(orders.windows().is_closed());
    // Owners in a circle.
    told(&mut orders, &[&window(1, 2, ""), &window(2, 1, ""), &window(3, 3, ""), &active(1)]);
    assert_eq!(orders.windows().title(), "");
}

#[test]
fn updates_come_in_pieces_and_on_both_paths() {
    let whole = update(&[EXPLORER]);
    let (one, rest) = whole.split_at(40);
    let (two, three) = rest.split_at(40);
    let mut orders = Orders::default();
    for (place, piece) in [(2, one), (3, two), (1, three)] {
        assert_eq!(orders.windows().title(), "");
        orders.fast_path(&frame(place, piece));
    }
    assert_eq!(orders.windows().title(), "File Explorer");
    // One that is endless is passed over, and what comes after it is not.
    let mut orders = Orders::default();
    orders.fast_path(&frame(2, one));
    for _ in 0..ORDERS_BYTES_MAX / 8000 + 2 {
        orders.fast_path(&frame(3, &[0; 8000]));
    }
    orders.fast_path(&frame(1, three));
    assert_eq!(orders.windows().title(), "");
    told(&mut orders, &[EXPLORER]);
    assert_eq!(orders.windows().title(), "File Explorer");

    let mut data = vec![0u8; 18];
    (data[2], data[14]) = (0x17, 2);
    data.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    data.extend(EXPLORER);
    data[0] = data.len() as u8;
    let mut orders = Orders::default();
    orders.slow_path(&data);
    assert_eq!(orders.windows().title(), "File Explorer");
}

#[test]
fn orders_that_make_no_sense_end_nothing() {
    let mut orders = Orders::default();
    // A title that is longer than its order, then a window as it should be; behind an order of another kind nothing is read.
    let cut = order(&[&0x1100_0004u32.to_le_bytes()[..], &7u32.to_le_bytes(), &[0xff, 0xff, 65, 0]].concat());
    told(&mut orders, &[&cut, &window(1, 0, "One"), &[9, 9, 9], &window(2, 0, "Two")]);
    assert_eq!((orders.windows().counts(), orders.windows().title()), ((1, 0), "One"));
    let many: Vec<Vec<u8>> = (0..2000).map(|id| window(id, 0, "")).collect();
    let icons: Vec<Vec<u8>> = (0..2000u32)
        .map(|id| order(&[0x1200_0000u32.to_le_bytes(), 1u32.to_le_bytes(), id.to_le_bytes()].concat()))
        .collect();
    many.iter().chain(&icons).for_each(|one| told(&mut orders, &[one]));
    assert_eq!(orders.windows().counts(), (WINDOWS_MAX, ICONS_MAX));
    told(&mut orders, &[&window(1, 0, &"x".repeat(5000))]);
    assert_eq!(orders.windows().title().len(), TITLE_BYTES_MAX / 2);
}

proptest! {
    #[test]
    fn total(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..12)) {
        let (mut rail, mut orders) = (iexplore(), Orders::default());
        rail.take(&HANDSHAKE);
        for message in &messages {
            let answers = rail.take(message);
            prop_assert!(answers.len() <= 9);
            orders.fast_path(message);
            orders.slow_path(message);
            told(&mut orders, &[&order(message)]);
        }
    }
}
