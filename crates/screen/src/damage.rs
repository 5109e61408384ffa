//! (being built)
pub struct Damage;
