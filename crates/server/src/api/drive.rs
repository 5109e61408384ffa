//! The drive of a desktop, and the CD images for it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A desktop's CD drive, and what can be put into it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DesktopDrive {
    /// The image that is in it.
    #[schema(required)]
    pub image: Option<String>,
    pub images: Vec<DesktopDriveImage>,
    /// The desktop starts from it when it starts next, and not again.
    pub starts: bool,
    /// Most bytes of all images together, and most of them.
    pub bytes_max: u64,
    pub images_max: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DesktopDriveImage {
    pub name: String,
    pub bytes: u64,
    /// Seconds since 1970.
    pub changed: u64,
    /// All of it has arrived.
    pub complete: bool,
}

/// What is to be in the drive.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DesktopDriveChange {
    /// Nothing when null.
    #[schema(required)]
    pub image: Option<String>,
}

impl From<oriel_broker::DesktopDrive> for DesktopDrive {
    fn from(of: oriel_broker::DesktopDrive) -> Self {
        let images = of.images.into_iter().map(|image| DesktopDriveImage {
            name: image.name,
            bytes: image.bytes,
            changed: image.changed,
            complete: image.complete,
        });
        Self {
            image: of.inside,
            images: images.collect(),
            starts: of.starts,
            bytes_max: oriel_broker::DRIVE_BYTES_MAX,
            images_max: oriel_broker::DRIVE_IMAGES_MAX as u64,
        }
    }
}
