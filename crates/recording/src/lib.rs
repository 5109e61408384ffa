//! Recordings at rest: every block of a container (`oriel_screen::recording`) is one object, encrypted with the recording's
//! own key.
//!
//! ```text
//! {folder}/{recording}/{number}-{first ms}-{last ms}-{h|k|c|i}     AES-256-GCM; the nonce is the number, the name is
//!                                                                  authenticated with it
//! ```
//! Ended recordings may be moved to an S3 bucket ([`Bucket`]), where their parts have the same names and bytes.
//!
//! A part is written whole or not at all. So a program that is killed leaves a recording that is whole up to its last
//! part, and the names alone are its index. What is read is the container: its parts, decrypted, one behind the other.

mod cache;
mod export;
mod far;
mod key;
mod moving;
mod part;
mod store;

pub use export::{EXPORT_BYTES_MAX, ExportWriter, PIECE_BYTES};
pub use far::{Bucket, BucketOptions};
pub use key::DataKey;
pub use moving::Move;
pub use part::{Part, PartKind};
pub use store::{Place, RecordingStore, RecordingWriter};

use oriel_model::{OperationId, RecordingId};

/// Most parts of one recording.
pub const PARTS_MAX: usize = oriel_screen::recording::CHUNKS_MAX + 2;

#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("cannot use the folder of recordings {folder:?}: check that it can be made and belongs to you")]
    Folder { folder: std::path::PathBuf, source: std::io::Error },
    #[error("the storage of recordings failed: {0}; check that it is there and has room")]
    Storage(#[from] object_store::Error),
    #[error(
        "the bucket of recordings {place} failed: {said}; check `recording.store`, its endpoint, region and keys with `oriel doctor`"
    )]
    Bucket { place: String, said: String },
    #[error("the recording is kept in a bucket, and none is configured: set `recording.store` again")]
    NoBucket,
    #[error("the recording {recording} is no longer in {place}: somebody deleted it there; restore it from a backup")]
    Gone { recording: RecordingId, place: String },
    #[error("part {number} of the recording {recording} was damaged, or belongs to something else: restore a backup")]
    Damaged { recording: RecordingId, number: u32 },
    #[error("piece {number} of the export {id} was damaged, or belongs to something else: export the recording again")]
    DamagedExport { id: OperationId, number: u32 },
    #[error("the key of a recording is not one: its row was edited by hand or damaged")]
    BadKey,
    #[error("part {0} of a recording came out of its order")]
    OutOfOrder(u32),
    #[error("the recording is as large as one may be")]
    TooLarge,
    #[error("cannot encrypt: the cryptographic library refused")]
    Refused,
}
