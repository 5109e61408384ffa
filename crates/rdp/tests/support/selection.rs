//! A program of the desktop that has copied something, and hands out what is large in pieces as toolkits do (ICCCM §2.7.2, INCR).
//! `xclip` cannot stand for one there: its INCR property is empty, where a length belongs.

use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread::{JoinHandle, spawn};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, Property,
    SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, WindowClass,
};
use x11rb::rust_connection::{DefaultStream, RustConnection};
use x11rb::wrapper::ConnectionExt as _;
use x11rb::{COPY_DEPTH_FROM_PARENT, CURRENT_TIME, NONE};

/// What is longer goes in pieces of this length.
const PIECE_BYTES: usize = 128 << 10;
const COOKIE: &str = "MIT-MAGIC-COOKIE-1";

pub struct Owner(Option<JoinHandle<usize>>);

impl Owner {
    /// Owns the clipboard until another program copies something. `kind`: its content's type, `image/bmp`.
    pub fn copy(display: u32, authority: &str, kind: &str, content: Vec<u8>) -> Self {
        let (screen, x) = connect(display, authority);
        let atom = |name: &str| x.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
        let atoms = ["CLIPBOARD", "TARGETS", "INCR", kind].map(atom);
        let root = &x.setup().roots[screen];
        let window = x.generate_id().unwrap();
        x.create_window(
            COPY_DEPTH_FROM_PARENT,
            window,
            root.root,
            0,
            0,
            1,
            1,
            0,
            WindowClass::INPUT_OUTPUT,
            root.root_visual,
            &CreateWindowAux::new(),
        )
        .unwrap();
        x.set_selection_owner(window, atoms[0], CURRENT_TIME).unwrap();
        assert_eq!(x.get_selection_owner(atoms[0]).unwrap().reply().unwrap().owner, window);
        Self(Some(spawn(move || hand_out(&x, atoms, &content))))
    }

    /// How often its content was handed out whole, when another program has copied something.
    pub fn end(mut self) -> usize {
        self.0.take().unwrap().join().unwrap()
    }
}

fn connect(display: u32, authority: &str) -> (usize, RustConnection) {
    let list = Command::new("xauth").args(["-f", authority, "list", &format!(":{display}")]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let key = list.lines().find(|line| line.contains(COOKIE)).and_then(|line| line.split_whitespace().next_back());
    let key = key.unwrap_or_else(|| panic!("no key for :{display} in {authority}"));
    let key: Vec<u8> = (0..key.len()).step_by(2).map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap()).collect();
    let stream = UnixStream::connect(format!("/tmp/.X11-unix/X{display}")).unwrap();
    let (stream, _) = DefaultStream::from_unix_stream(stream).unwrap();
    let connection = RustConnection::connect_to_stream_with_auth_info(stream, 0, COOKIE.as_bytes().to_vec(), key);
    (0, connection.unwrap())
}

/// What one program is being given in pieces.
struct Giving {
    window: u32,
    property: Atom,
    at: usize,
}

fn hand_out(x: &RustConnection, [_, targets, incr, kind]: [Atom; 4], content: &[u8]) -> usize {
    let (mut giving, mut given): (Option<Giving>, usize) = (None, 0);
    loop {
        x.flush().unwrap();
        // The desktop has ended.
        let Ok(event) = x.wait_for_event() else { return given };
        match event {
            Event::SelectionClear(_) if giving.is_none() => return given,
            Event::SelectionRequest(asked) => {
                let mut property = asked.property;
                if asked.target == targets {
                    let kinds = [targets, kind];
                    x.change_property32(PropMode::REPLACE, asked.requestor, property, AtomEnum::ATOM, &kinds).unwrap();
                } else if asked.target != kind {
                    property = NONE;
                } else if content.len() <= PIECE_BYTES {
                    x.change_property8(PropMode::REPLACE, asked.requestor, property, kind, content).unwrap();
                    given += 1;
                } else {
                    let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
                    x.change_window_attributes(asked.requestor, &watch).unwrap();
                    let length = [content.len() as u32];
                    x.change_property32(PropMode::REPLACE, asked.requestor, property, incr, &length).unwrap();
                    giving = Some(Giving { window: asked.requestor, property, at: 0 });
                }
                answer(x, &asked, property);
            }
            Event::PropertyNotify(changed) if changed.state == Property::DELETE => {
                let is_it = |giving: &&mut Giving| (giving.window, giving.property) == (changed.window, changed.atom);
                let Some(taking) = giving.as_mut().filter(is_it) else { continue };
                // An empty piece is the end.
                let piece = &content[taking.at..content.len().min(taking.at + PIECE_BYTES)];
                taking.at += piece.len();
                x.change_property8(PropMode::REPLACE, changed.window, changed.atom, kind, piece).unwrap();
                if piece.is_empty() {
                    giving = None;
                    given += 1;
                }
            }
            _ => {}
        }
    }
}

fn answer(x: &RustConnection, asked: &SelectionRequestEvent, property: Atom) {
    let event = SelectionNotifyEvent {
        response_type: SELECTION_NOTIFY_EVENT,
        sequence: 0,
        time: asked.time,
        requestor: asked.requestor,
        selection: asked.selection,
        target: asked.target,
        property,
    };
    x.send_event(false, asked.requestor, EventMask::NO_EVENT, event).unwrap();
}
