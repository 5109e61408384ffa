//! The decoded picture, shown to the gateway without a second copy.

use ironrdp_graphics::image_processing::PixelFormat;
use ironrdp_session::image::DecodedImage;
use oriel_screen::{Framebuffer, SURFACE_PIXELS_MAX, SURFACE_SIDE_MAX};

#[derive(Debug)]
pub(crate) struct Picture(pub(crate) DecodedImage);

impl Picture {
    /// A black picture, or what is wrong with the size.
    pub(crate) fn new(width: u16, height: u16) -> Result<Self, String> {
        if width == 0 || height == 0 {
            return Err(format!("a screen of {width}x{height} pixels has nothing to show"));
        }
        if width > SURFACE_SIDE_MAX
            || height > SURFACE_SIDE_MAX
            || u32::from(width) * u32::from(height) > SURFACE_PIXELS_MAX
        {
            return Err(format!("a screen of {width}x{height} pixels is larger than Oriel accepts"));
        }
        Ok(Self(DecodedImage::new(PixelFormat::RgbA32, width, height)))
    }
}

impl Framebuffer for Picture {
    fn width(&self) -> u16 {
        self.0.width()
    }
    fn height(&self) -> u16 {
        self.0.height()
    }
    fn rgba(&self) -> &[u8] {
        self.0.data()
    }
}
