//! Questions to a KDC (a realm's key distribution centre, RFC 4120) and its answers, as they travel: whoever signs in to a machine has no
//! network of its own, and hands them to who has.
//!
//! ```text
//!  CredSSP (oriel-rdp) ──KDC-PROXY-MESSAGE──▶ server's process (oriel-broker) ──TCP 88──▶ KDC of the realm
//!                                                                        └──HTTPS──▶ KDC proxy, as it is
//! ```
//! They travel as MS-KKDCP has them, which say whose KDC is asked. Nothing is decrypted here; parsers are total.

mod as_rep;
mod der;
mod message;
mod realm;

pub use as_rep::{AsRep, HINTS_MAX, KeyHint, key_hints};
pub use message::{Envelope, EnvelopeError, MESSAGE_BYTES_MAX, error_code, is_question_of};
pub use realm::{REALM_BYTES_MAX, check_realm};
