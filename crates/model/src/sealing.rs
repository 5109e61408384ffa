//! Which program on a database has which sealing keys. Keys are called by their fingerprints: 16 hexadecimal digits.

use crate::Micros;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealProgram {
    /// What the program is called among those that share its database.
    pub program: String,
    /// The key that it seals with.
    pub seals: String,
    /// All keys that it has, the newest first.
    pub keys: Vec<String>,
    /// When it last said so.
    pub seen: Micros,
}

impl SealProgram {
    /// A program that has said nothing for so many seconds is gone, or will be refused when it comes back.
    pub const ALIVE_SECONDS: i64 = 60;
}
