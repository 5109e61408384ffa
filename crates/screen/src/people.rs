//! Who sits in front of one connection, and what they ask each other. The numbers are the wire's.

/// Most seats of one connection: the owner's (number 0) and those of guests.
pub const SEATS_MAX: usize = 9;
/// Longest name of a person, in bytes.
pub const PERSON_NAME_BYTES_MAX: usize = 120;

/// As what somebody sits there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PersonKind {
    /// Whose connection it is.
    Owner = 0,
    /// Came by an invitation.
    Guest = 1,
    /// An administrator.
    Helper = 2,
    /// Came by an invitation without an account: nobody knows whether the name is theirs.
    Visitor = 3,
}

/// Somebody in front of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// 0 is the owner's.
    pub seat: u8,
    pub kind: PersonKind,
    /// Their keys and pointer reach the machine.
    pub control: bool,
    /// The owner may give them control.
    pub may_control: bool,
    /// False for an owner who has left and may come back.
    pub here: bool,
    pub name: String,
}

/// What the owner is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum QuestionKind {
    /// Somebody wants to come and watch.
    Watch = 0,
    /// Somebody wants to come and help, with keys and pointer.
    Help = 1,
    /// Somebody who watches wants keys and pointer.
    Control = 2,
    /// Somebody without an account knocks: they want to come and watch.
    Knock = 3,
    /// As [`Self::Knock`], with keys and pointer.
    KnockHelp = 4,
}
