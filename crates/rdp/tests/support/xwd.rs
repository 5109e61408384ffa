//! What the X server itself shows, read from `xwd`.

use super::need;
use oriel_screen::Framebuffer;
use std::process::Command;

pub struct Shot {
    pub width: usize,
    pub height: usize,
    /// RGB, three bytes a pixel.
    pub rgb: Vec<u8>,
}

/// The root window of a display (X Window Dump version 7, 32 bits a pixel).
pub fn shot(display: u32, authority: Option<&str>) -> Shot {
    let mut command = Command::new(need("xwd"));
    command.args(["-root", "-silent", "-display", &format!(":{display}")]);
    if let Some(path) = authority {
        command.env("XAUTHORITY", path);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "xwd: {}", String::from_utf8_lossy(&output.stderr));
    let data = output.stdout;
    let field = |index: usize| u32::from_be_bytes(data[index * 4..index * 4 + 4].try_into().unwrap()) as usize;
    let (header, width, height, little, bits, stride, colours) =
        (field(0), field(4), field(5), field(7) == 0, field(11), field(12), field(19));
    assert!(little && bits == 32, "xwd gave {bits} bits");
    let pixels = &data[header + colours * 12..];
    let mut rgb = Vec::with_capacity(width * height * 3);
    for row in pixels.chunks_exact(stride).take(height) {
        for pixel in row.chunks_exact(4).take(width) {
            rgb.extend_from_slice(&[pixel[2], pixel[1], pixel[0]]);
        }
    }
    Shot { width, height, rgb }
}

pub struct Difference {
    /// Share of pixels that differ by more than `NEAR` in some channel.
    pub share: f64,
    pub mean: f64,
    pub largest: u8,
}

/// RemoteFX loses a little; further away than this is another picture.
const NEAR: u8 = 48;

pub fn compare(shot: &Shot, picture: &dyn Framebuffer) -> Difference {
    assert_eq!((shot.width, shot.height), (usize::from(picture.width()), usize::from(picture.height())));
    let (mut far, mut sum, mut largest) = (0usize, 0u64, 0u8);
    for (a, b) in shot.rgb.chunks_exact(3).zip(picture.rgba().chunks_exact(4)) {
        let worst = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        far += usize::from(worst > NEAR);
        sum += u64::from(worst);
        largest = largest.max(worst);
    }
    let pixels = (shot.width * shot.height) as f64;
    Difference { share: far as f64 / pixels, mean: sum as f64 / pixels, largest }
}
