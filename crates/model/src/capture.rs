//! A version of an image that is made from a desktop: how far that is.
//!
//! ```text
//! Claimed ─▶ Sealing ─▶ Sealed          its guest is told to forget who it is, then shut down
//!    │          └─────▶ Leaving ─▶ Sealed   (Windows shuts down by itself when it has forgotten)
//!    └────────────────▶ Sealed          one that is not to be sealed
//! ```

use crate::OperationId;
use serde::{Deserialize, Serialize};

/// That a desktop is held for an operation which makes an image of its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    pub operation: OperationId,
    pub step: CaptureStep,
    /// It was to run before.
    pub was_running: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureStep {
    /// Nobody gets in any more; nothing was done to it yet.
    Claimed,
    /// Its guest is being told: it is no longer what it was.
    Sealing,
    /// Its guest was told, and goes off by itself when it has done it.
    Leaving,
    /// It may be shut down, and copied when it is off.
    Sealed,
}
