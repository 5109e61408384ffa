//! The graphics pipeline against FreeRDP's shadow server, which shares an Xvfb of 1024x768.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use oriel_rdp::Pipeline;
use oriel_screen::{Rect, ScreenEvent, Source as _, VideoCodec};
use std::process::Command;
use std::time::Duration;
use support::client::Client;
use support::shadow::Shadow;
use support::xwd::{compare, shot};
use support::{need, run};

fn paint(server: &Shadow, colour: &str) {
    run(Command::new(need("xsetroot")).args(["-solid", colour]).env("DISPLAY", format!(":{}", server.display)));
}

/// The video frames so far: key, what they draw, their bytes.
fn video(client: &Client) -> Vec<(bool, Vec<Rect>, bytes::Bytes)> {
    let frames = client.events.iter().filter_map(|event| match event {
        ScreenEvent::Video { key, regions, bytes, .. } => {
            Some((*key, regions.clone().unwrap_or_default(), bytes.clone()))
        }
        _ => None,
    });
    frames.collect()
}

async fn connect(server: &Shadow, pipeline: Pipeline) -> Client {
    let mut options = server.options("");
    options.pipeline = pipeline;
    Client::connect(server.port, options).await.unwrap()
}

#[tokio::test]
async fn h264_arrives_untouched_and_is_acknowledged_when_it_is_shown() {
    let server = Shadow::open();
    let mut client = connect(&server, Pipeline::Video).await;
    let came = client.pump_until(Duration::from_secs(20), |client| !video(client).is_empty()).await;
    assert!(came, "no video came: {:?}\n{}", client.ended, server.logs());
    let (key, regions, bytes) = video(&client).remove(0);
    assert!(key, "the first frame does not stand alone");
    assert!(!regions.is_empty() && regions.iter().all(|region| region.fits(1024, 768)), "{regions:?}");
    assert!(bytes.starts_with(&[0, 0, 0, 1]), "not Annex B: {:?}", &bytes[..8]);
    // The parameter set is ours: rewriting it again changes nothing.
    let sps = bytes.windows(5).position(|at| at[..4] == [0, 0, 0, 1] && at[4] & 0x1f == 7).unwrap() + 4;
    let end = sps + bytes[sps..].windows(4).position(|at| at == [0, 0, 0, 1]).unwrap();
    let set = oriel_screen::h264::rewrite(&bytes[sps..end], oriel_screen::h264::Colour::FullBt709).unwrap();
    assert_eq!(set.nal, bytes[sps..end]);
    assert!(set.width >= 1024 && set.height >= 768, "{}x{}", set.width, set.height);
    // Frames go on while they are acknowledged.
    let mut seen = video(&client).len();
    for round in 0..20 {
        paint(&server, &format!("#{:02x}4488", round * 10));
        let more = client.pump_until(Duration::from_secs(10), |client| video(client).len() > seen).await;
        assert!(more, "no frame {round} came: {:?}\n{}", client.ended, server.logs());
        seen = video(&client).len();
    }
    eprintln!("{seen} frames, {} bytes", video(&client).iter().map(|frame| frame.2.len()).sum::<usize>());
    assert!(client.events.contains(&ScreenEvent::FrameEnd));
    if let Some(path) = std::env::var_os("ORIEL_RECORD") {
        std::fs::write(path, &client.received).unwrap();
    }
    // Whether this server can be asked for a frame that stands alone is told, not required.
    client.events.clear();
    client.redraw().await;
    client.pump(Duration::from_secs(3)).await;
    eprintln!("a redraw brings {} frames, key: {}", video(&client).len(), video(&client).iter().any(|frame| frame.0));
    drop(client);
    full_colours(&server).await;
}

/// What the video frames so far are, and which of them stand alone.
fn codecs(client: &Client) -> Vec<(VideoCodec, bool)> {
    let views = client.events.iter().filter_map(|event| match event {
        ScreenEvent::Video { codec, key, .. } => Some((*codec, *key)),
        _ => None,
    });
    views.collect()
}

/// The same server, asked for 4:4:4: whether it has that is told, but what it sends then is right.
async fn full_colours(server: &Shadow) {
    let mut client = connect(server, Pipeline::FullVideo).await;
    let came = client.pump_until(Duration::from_secs(20), |client| !codecs(client).is_empty()).await;
    assert!(came, "no video came: {:?}\n{}", client.ended, server.logs());
    paint(server, "#cc2211");
    let more = client.pump_until(Duration::from_secs(10), |client| codecs(client).len() > 1).await;
    assert!(more, "one frame and no more: {:?}\n{}", client.ended, server.logs());
    client.settle(Duration::from_secs(1)).await;
    assert!(client.ended.is_none(), "{:?}\n{}", client.ended, server.logs());
    let views = codecs(&client);
    eprintln!("asked for 4:4:4: {:?}", views.iter().take(6).collect::<Vec<_>>());
    assert!(views.first().is_some_and(|(codec, key)| *key && !codec.is_chroma()), "{views:?}");
    assert!(views.iter().all(|(codec, key)| !(*key && codec.is_chroma())));
    // One that splits its pictures sends both views of some.
    if views.iter().any(|(codec, _)| *codec == VideoCodec::H264Main) {
        assert!(views.iter().any(|(codec, _)| codec.is_chroma()), "{views:?}");
    }
}

#[tokio::test]
async fn without_h264_the_same_server_paints_pixels() {
    let server = Shadow::open();
    let mut client = connect(&server, Pipeline::Pixels).await;
    client.settle(Duration::from_secs(3)).await;
    paint(&server, "#2266aa");
    client.settle(Duration::from_secs(3)).await;
    assert!(client.ended.is_none(), "{:?}\n{}", client.ended, server.logs());
    assert!(video(&client).is_empty());
    let difference = compare(&shot(server.display, None), client.source.framebuffer());
    eprintln!("picture: {:.4} % far, mean {:.2}", difference.share * 100.0, difference.mean);
    assert!(difference.share < 0.002, "{} of the pixels differ", difference.share);
}
