//! Fingers and pens as they are, for machines that take them so: what [`InputEvent::Touch`](crate::InputEvent::Touch) is for machines that have
//! a pointer alone, with all fingers at once, pressure and tilt.

/// Most fingers of one frame, and most that a machine is told of at a time.
pub const CONTACTS_MAX: usize = 10;
/// The strongest pressure.
pub const PRESSURE_MAX: u16 = 1024;

/// What a machine takes of fingers and pens themselves; nothing of it is the default, and then they move its pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TouchAbility {
    /// So many fingers at once, at most [`CONTACTS_MAX`].
    pub fingers: u8,
    /// So many pens at once.
    pub pens: u8,
}

/// Where a finger or pen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ContactState {
    /// It has left.
    Away = 0,
    /// Over the screen, without touching it.
    Hovers = 1,
    Touches = 2,
    /// It has left, and nothing that it did was meant.
    Cancelled = 3,
}

/// The button at a pen's side is held.
pub const PEN_BARREL: u8 = 1;
/// Its other end touches the screen and erases.
pub const PEN_ERASER: u8 = 2;
/// Its other end points to the screen.
pub const PEN_INVERTED: u8 = 4;

/// One finger or pen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The viewer's number for as long as it is there; of no meaning for pens.
    pub id: u8,
    pub state: ContactState,
    /// Pixels of the remote surface.
    pub x: u16,
    pub y: u16,
    /// What it covers in pixels of the remote surface, around `x, y`; 0: not known. Of fingers.
    pub width: u16,
    pub height: u16,
    /// 1 to [`PRESSURE_MAX`]; 0: not known, or none.
    pub pressure: u16,
    /// Degrees below 360: by which a finger's area is turned (counter-clockwise), or a pen around itself (clockwise).
    pub rotation: u16,
    /// Degrees of a pen, -90 to 90: to the right, and towards the person.
    pub tilt_x: i8,
    pub tilt_y: i8,
    /// `PEN_…` of a pen.
    pub flags: u8,
}

/// What touches at one moment: those that changed since the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contacts {
    /// A pen's, and not fingers.
    pub pen: bool,
    /// Milliseconds since the frame of the same kind before; 0 for the first of a gesture.
    pub after_ms: u16,
    /// 1 to [`CONTACTS_MAX`].
    pub contacts: Vec<Contact>,
}
