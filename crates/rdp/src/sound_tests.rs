//! PDUs made by hand from MS-RDPEA, in a row as a machine sends them, and bent.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use ironrdp_rdpsnd::client::Rdpsnd;
use ironrdp_svc::SvcProcessor as _;
use proptest::prelude::*;

/// SNDPROLOG (2.2.1) and a body.
fn pdu(kind: u8, size: usize, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0];
    bytes.extend_from_slice(&(size as u16).to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// AUDIO_FORMAT (2.2.2.1.1).
fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let align = channels * bits / 8;
    let mut bytes = Vec::new();
    for value in [tag, channels] {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    for value in [rate, rate * u32::from(align)] {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    for value in [align, bits, 0] {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes
}

/// Server Audio Formats and Version (2.2.2.1).
fn formats(version: u16, formats: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0; 14];
    body.extend_from_slice(&(formats.len() as u16).to_le_bytes());
    body.push(0xff);
    body.extend_from_slice(&version.to_le_bytes());
    body.push(0);
    body.extend(formats.concat());
    pdu(7, body.len(), &body)
}

fn training() -> Vec<u8> {
    pdu(6, 4, &[1, 0, 0, 0])
}

/// Wave2 (2.2.3.10) in the format of that number.
fn wave2(number: u16, block: u8, samples: &[u8]) -> Vec<u8> {
    let mut body = vec![7, 0];
    body.extend_from_slice(&number.to_le_bytes());
    body.extend_from_slice(&[block, 0, 0, 0, 9, 0, 0, 0]);
    body.extend_from_slice(samples);
    pdu(13, body.len(), &body)
}

/// WaveInfo and Wave (2.2.3.3, 2.2.3.4): two messages.
fn wave(number: u16, block: u8, samples: &[u8]) -> [Vec<u8>; 2] {
    let mut body = vec![7, 0];
    body.extend_from_slice(&number.to_le_bytes());
    body.extend_from_slice(&[block, 0, 0, 0]);
    body.extend_from_slice(&samples[..4]);
    [pdu(2, samples.len() + 8, &body), [&[0; 4], &samples[4..]].concat()]
}

struct Ear {
    channel: Rdpsnd,
    sound: Sound,
}

impl Ear {
    fn new() -> Self {
        let (player, sound) = pair();
        Self { channel: Rdpsnd::new(Box::new(player)), sound }
    }

    /// Answers to a message, as bytes.
    fn says(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let answers = self.channel.process(message).unwrap();
        answers.iter().map(|answer| answer.encode_unframed_pdu().unwrap()).collect()
    }

    fn heard(&mut self) -> Vec<ScreenEvent> {
        let mut events = Vec::new();
        self.sound.take(&mut events);
        events
    }
}

fn audio(channels: u8, rate: u32, time_ms: u32, bytes: &[u8]) -> ScreenEvent {
    ScreenEvent::Audio { codec: AudioCodec::Pcm, channels, rate, time_ms, bytes: Bytes::copy_from_slice(bytes) }
}

const PCM: u16 = 1;

#[test]
fn formats_training_waves_and_their_confirmations() {
    let mut ear = Ear::new();
    let offered = [
        format(0x55, 2, 44_100, 16),
        format(PCM, 2, 22_050, 8),
        format(PCM, 1, 48_000, 16),
        format(PCM, 2, 44_100, 16),
    ];
    let answers = ear.says(&formats(6, &offered));
    // Client Audio Formats (2.2.2.2): what plays, the best first. Then Quality Mode (2.2.2.3).
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(answers[0][0], 7);
    assert_eq!(answers[0][18..20], [2, 0], "two formats");
    assert_eq!(answers[0][24..42], offered[3]);
    assert_eq!(answers[0][42..60], offered[2]);
    assert_eq!(answers[1][0], 12);
    let [confirmed] = ear.says(&training()).try_into().unwrap();
    assert_eq!(confirmed[0], 6);

    // A tenth of a second, then one block more in the older form, then one in mono.
    let tenth: Vec<u8> = (0..17_640).map(|at| at as u8).collect();
    let [confirmed] = ear.says(&wave2(0, 5, &tenth)).try_into().unwrap();
    assert_eq!((confirmed[0], confirmed[6]), (5, 5), "{confirmed:?}");
    assert_eq!(ear.heard(), [audio(2, 44_100, 0, &tenth)]);
    let [info, rest] = wave(0, 6, &tenth[..4000]);
    assert!(ear.says(&info).is_empty());
    let [confirmed] = ear.says(&rest).try_into().unwrap();
    assert_eq!((confirmed[0], confirmed[6]), (5, 6));
    assert_eq!(ear.heard(), [audio(2, 44_100, 100, &tenth[..4000])]);
    ear.says(&wave2(1, 7, &tenth[..9]));
    assert_eq!(ear.heard(), [audio(1, 48_000, 122, &tenth[..8])], "half a sample is left out");
    assert!(ear.says(&pdu(1, 0, &[])).is_empty(), "the end needs no answer");
    assert!(ear.heard().is_empty());

    // Sound begins anew in a session that goes on.
    assert_eq!(ear.says(&formats(5, &offered)).len(), 1);
    assert_eq!(ear.says(&training()).len(), 1);
    ear.says(&wave2(0, 0, &tenth));
    assert_eq!(ear.heard().len(), 1);
}

#[test]
fn a_machine_without_a_format_that_plays_is_quiet() {
    let mut ear = Ear::new();
    let answers =
        ear.says(&formats(6, &[format(PCM, 6, 48_000, 16), format(PCM, 2, 96_000, 16), format(0xa106, 2, 44_100, 16)]));
    assert_eq!(answers[0][18..20], [0, 0]);
    ear.says(&training());
    // It plays in a format that was not agreed all the same.
    assert_eq!(ear.says(&wave2(0, 1, &[0; 400])).len(), 1);
    assert!(ear.heard().is_empty());
}

#[test]
fn what_is_not_taken_in_time_is_left_out() {
    let mut ear = Ear::new();
    ear.says(&formats(8, &[format(PCM, 2, 44_100, 16)]));
    ear.says(&training());
    for block in 0..200 {
        assert_eq!(ear.says(&wave2(0, block, &vec![1; 40_000])).len(), 1, "each is confirmed");
    }
    assert_eq!(ear.heard().len(), BLOCKS_MAX);
    ear.says(&wave2(0, 1, &vec![1; BLOCK_BYTES_MAX + 4]));
    assert!(ear.heard().is_empty());
}

proptest! {
    #[test]
    fn bent_messages_neither_end_nor_fill_anything(
        bends in prop::collection::vec((0usize..6, 0usize..64, any::<u8>(), any::<bool>()), 1..40),
    ) {
        let mut ear = Ear::new();
        let [info, rest] = wave(0, 6, &[7; 300]);
        let good = [formats(6, &[format(PCM, 2, 44_100, 16)]), training(), wave2(0, 5, &[3; 500]), info, rest, pdu(1, 0, &[])];
        for (which, at, value, cut) in bends {
            let mut message = good[which].clone();
            let at = at % message.len();
            message[at] = value;
            if cut {
                message.truncate(at);
            }
            let _ = ear.channel.process(&message);
            for event in ear.heard() {
                let ScreenEvent::Audio { channels, rate, bytes, .. } = event else { unreachable!() };
                prop_assert!(matches!(channels, 1 | 2) && RATES.contains(&rate));
                prop_assert!(bytes.len() <= BLOCK_BYTES_MAX && bytes.len() % (2 * usize::from(channels)) == 0);
            }
        }
    }
}

#[test]
fn a_format_of_absurdly_many_channels_is_passed_over() {
    let absurd = AudioFormat {
        format: WaveFormat::PCM,
        n_channels: u16::MAX,
        n_samples_per_sec: 48_000,
        n_avg_bytes_per_sec: 0,
        n_block_align: 4,
        bits_per_sample: 16,
        data: None,
    };
    assert_eq!(pair().0.choose_formats(&[absurd]), []);
}
