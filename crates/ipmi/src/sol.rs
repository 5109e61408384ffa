//! A serial console over the LAN (15): what was typed goes out one packet at a time until it is acknowledged, and what the machine
//! says is acknowledged as far as there is room for it. No I/O, no clock of its own.

use crate::escape::Piece;
use crate::wire::Reader;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Characters of the machine that nobody has taken yet, at most.
pub(crate) const HEARD_BYTES_MAX: usize = 32 << 10;
/// Characters on their way to the machine, at most.
const TYPED_BYTES_MAX: usize = 4096;
/// Most characters of a packet: a BMC whose answer is larger is not believed to mean it.
const PACKET_CHARACTERS_MAX: usize = 255;
/// Bytes before the characters of a packet (15.9).
const HEADER_BYTES: usize = 4;
/// How long an acknowledgement is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a packet is sent before nobody is believed to be there.
const TRIES: u32 = 8;
/// How long there may be no room for what is typed while none of it is taken: nobody sees meanwhile that its person has left.
const STUCK_MAX: Duration = Duration::from_mins(1);

/// Bits of the fourth byte.
const NACK: u8 = 0x40;
const BREAK: u8 = 0x10;
/// Said by the BMC alone.
const DEACTIVATED: u8 = 0x10;

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The BMC said so.
    Deactivated,
    /// Nothing is acknowledged any more.
    Silent,
    /// It acknowledges, and takes nothing.
    Stuck,
}

/// What was sent, and is not acknowledged.
#[derive(Debug)]
struct Sent {
    number: u8,
    operation: u8,
    characters: Vec<u8>,
    again_at: Instant,
    tries: u32,
}

#[derive(Debug)]
pub(crate) struct Sol {
    /// Characters that the BMC takes in one packet.
    room: usize,
    number: u8,
    sent: Option<Sent>,
    typed: VecDeque<Piece>,
    /// What the machine said.
    pub heard: VecDeque<u8>,
    /// The last packet with characters, and how many of them were taken.
    last: Option<(u8, usize)>,
    /// It has more than there was room for.
    held: bool,
    /// What is to be acknowledged: number, characters, and whether more may come.
    owed: Option<(u8, u8, bool)>,
    /// Since when there is no room for what is typed, and none of it is taken.
    stuck_since: Option<Instant>,
}

impl Sol {
    /// `packet_bytes`: most bytes of a packet that the BMC takes.
    pub fn new(packet_bytes: u16) -> Self {
        Self {
            room: usize::from(packet_bytes).saturating_sub(HEADER_BYTES).clamp(1, PACKET_CHARACTERS_MAX),
            number: 0,
            sent: None,
            typed: VecDeque::new(),
            heard: VecDeque::new(),
            last: None,
            held: false,
            owed: None,
            stuck_since: None,
        }
    }

    /// Whether more may be typed.
    pub fn has_room(&self) -> bool {
        let bytes = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Break => 1,
        };
        self.typed.iter().map(bytes).sum::<usize>() < TYPED_BYTES_MAX
    }

    pub fn push(&mut self, piece: Piece) {
        self.typed.push_back(piece);
    }

    /// Takes a packet of the BMC.
    pub fn take(&mut self, packet: &[u8], now: Instant) -> Result<(), End> {
        let mut reader = Reader(packet);
        let Some([number, acknowledged, accepted, status]) = reader.array() else { return Ok(()) };
        let (number, acknowledged) = (number & 0x0f, acknowledged & 0x0f);
        self.acknowledge(acknowledged, accepted.into(), status & NACK != 0, now);
        if number != 0 {
            let characters = reader.0;
            // One that comes again has perhaps more at its end (15.11).
            let known = self.last.and_then(|(last, taken)| (last == number).then_some(taken)).unwrap_or(0);
            let fresh = characters.get(known..).unwrap_or_default();
            let room = HEARD_BYTES_MAX.saturating_sub(self.heard.len());
            let taken = fresh.len().min(room);
            self.heard.extend(fresh.iter().take(taken));
            let all = known + taken;
            self.last = Some((number, all));
            self.held = taken < fresh.len();
            self.owed = Some((number, u8::try_from(all).unwrap_or(u8::MAX), !self.held));
        }
        if status & DEACTIVATED != 0 { Err(End::Deactivated) } else { Ok(()) }
    }

    fn acknowledge(&mut self, number: u8, accepted: usize, nack: bool, now: Instant) {
        let Some(mut sent) = self.sent.take_if(|sent| number != 0 && sent.number == number) else { return };
        // Those that it took are gone; the rest goes in another packet.
        let rest = sent.characters.split_off(accepted.min(sent.characters.len()));
        if accepted > 0 || rest.is_empty() {
            self.stuck_since = None;
        }
        if nack && !rest.is_empty() && accepted == 0 {
            // It has no room, or nothing is behind it (a machine without power): this one later, as often as it says so.
            self.sent = Some(Sent { characters: rest, again_at: now + PATIENCE, tries: 1, ..sent });
        } else if !rest.is_empty() {
            self.typed.push_front(Piece::Bytes(rest));
        }
    }

    /// A packet that is to be sent now.
    pub fn next(&mut self, now: Instant) -> Result<Option<Vec<u8>>, End> {
        if self.has_room() {
            self.stuck_since = None;
        } else if now.saturating_duration_since(*self.stuck_since.get_or_insert(now)) >= STUCK_MAX {
            return Err(End::Stuck);
        }
        if let Some(sent) = &mut self.sent {
            if sent.again_at <= now {
                if sent.tries >= TRIES {
                    return Err(End::Silent);
                }
                sent.tries += 1;
                sent.again_at = now + PATIENCE;
                return Ok(Some(self.packet()));
            }
        } else if let Some((operation, characters)) = self.portion() {
            self.number = self.number % 15 + 1;
            self.sent = Some(Sent { number: self.number, operation, characters, again_at: now + PATIENCE, tries: 1 });
            return Ok(Some(self.packet()));
        }
        if self.held && self.heard.len() <= HEARD_BYTES_MAX / 2 {
            // There is room again.
            self.held = false;
            self.owed = self.last.map(|(number, taken)| (number, u8::try_from(taken).unwrap_or(u8::MAX), true));
        }
        let Some(acknowledgement) = self.take_owed() else { return Ok(None) };
        let [acknowledged, accepted, status] = acknowledgement;
        Ok(Some(vec![0, acknowledged, accepted, status]))
    }

    /// What goes into the next packet.
    fn portion(&mut self) -> Option<(u8, Vec<u8>)> {
        match self.typed.pop_front()? {
            Piece::Break => Some((BREAK, Vec::new())),
            Piece::Bytes(mut bytes) => {
                let rest = bytes.split_off(bytes.len().min(self.room));
                if !rest.is_empty() {
                    self.typed.push_front(Piece::Bytes(rest));
                }
                // What was typed meanwhile goes along.
                while bytes.len() < self.room
                    && let Some(Piece::Bytes(more)) = self.typed.front_mut()
                {
                    let rest = more.split_off(more.len().min(self.room - bytes.len()));
                    bytes.append(more);
                    if rest.is_empty() {
                        self.typed.pop_front();
                    } else {
                        *more = rest;
                    }
                }
                Some((0, bytes))
            }
        }
    }

    fn take_owed(&mut self) -> Option<[u8; 3]> {
        let (number, accepted, more) = self.owed.take()?;
        Some([number, accepted, if more { 0 } else { NACK }])
    }

    /// What was sent, with what is owed.
    fn packet(&mut self) -> Vec<u8> {
        let [acknowledged, accepted, mut status] = self.take_owed().unwrap_or_default();
        let Some(sent) = &self.sent else { return Vec::new() };
        status |= sent.operation;
        let mut out = Vec::with_capacity(HEADER_BYTES + sent.characters.len());
        out.extend_from_slice(&[sent.number, acknowledged, accepted, status]);
        out.extend_from_slice(&sent.characters);
        out
    }

    /// When [`Self::next`] has something to say by itself.
    pub fn wake_at(&self) -> Option<Instant> {
        self.sent.as_ref().map(|sent| sent.again_at)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(sol: &mut Sol, text: &str) {
        sol.push(Piece::Bytes(text.as_bytes().to_vec()));
    }

    fn heard(sol: &mut Sol) -> String {
        String::from_utf8(sol.heard.drain(..).collect()).unwrap()
    }

    #[test]
    fn what_is_typed_is_sent_until_it_is_taken() {
        let (mut sol, now) = (Sol::new(4 + 4), Instant::now());
        typed(&mut sol, "ab");
        typed(&mut sol, "cdef");
        sol.push(Piece::Break);
        typed(&mut sol, "g");
        assert_eq!(sol.next(now).unwrap().unwrap(), b"\x01\0\0\0abcd");
        assert_eq!(sol.next(now).unwrap(), None, "one at a time");
        assert_eq!(sol.next(now + PATIENCE).unwrap().unwrap(), b"\x01\0\0\0abcd", "again");
        // Another's acknowledgement, then two of four.
        sol.take(&[0, 9, 4, 0], now).unwrap();
        sol.take(&[0, 1, 2, 0], now).unwrap();
        assert_eq!(sol.next(now).unwrap().unwrap(), b"\x02\0\0\0cdef");
        // No room: later, and only that.
        sol.take(&[0, 2, 0, NACK], now).unwrap();
        assert_eq!(sol.next(now).unwrap(), None);
        assert_eq!(sol.next(now + PATIENCE).unwrap().unwrap(), b"\x02\0\0\0cdef");
        sol.take(&[0, 2, 4, 0], now).unwrap();
        assert_eq!(sol.next(now).unwrap().unwrap(), [3, 0, 0, BREAK]);
        sol.take(&[0, 3, 0, 0], now).unwrap();
        let mut at = now;
        assert_eq!(sol.next(at).unwrap().unwrap(), b"\x04\0\0\0g");
        for _ in 1..TRIES {
            at += PATIENCE;
            assert!(sol.next(at).unwrap().is_some());
        }
        assert_eq!(sol.next(at + PATIENCE), Err(End::Silent));
    }

    #[test]
    fn a_machine_that_takes_nothing_does_not_hold_a_console_for_ever() {
        let (mut sol, mut at) = (Sol::new(100), Instant::now());
        let full = |sol: &mut Sol| {
            while sol.has_room() {
                typed(sol, "hello");
            }
        };
        full(&mut sol);
        let refuse = |sol: &mut Sol, at: &mut Instant, seconds: u32| -> Result<(), End> {
            for _ in 0..seconds {
                let packet = sol.next(*at)?.unwrap();
                sol.take(&[0, packet[0], 0, NACK], *at).unwrap();
                full(sol);
                *at += PATIENCE;
            }
            Ok(())
        };
        refuse(&mut sol, &mut at, 50).unwrap();
        let packet = sol.next(at).unwrap().unwrap();
        sol.take(&[0, packet[0], 1, 0], at).unwrap();
        full(&mut sol);
        refuse(&mut sol, &mut at, 50).unwrap();
        assert_eq!(refuse(&mut sol, &mut at, 20), Err(End::Stuck));
    }

    #[test]
    fn numbers_go_round_without_nothing() {
        let (mut sol, now) = (Sol::new(100), Instant::now());
        for number in (1..=15).chain(1..=3) {
            typed(&mut sol, "x");
            assert_eq!(sol.next(now).unwrap().unwrap()[0], number);
            sol.take(&[0, number, 1, 0], now).unwrap();
        }
    }

    #[test]
    fn what_is_said_is_taken_once_and_acknowledged() {
        let (mut sol, now) = (Sol::new(100), Instant::now());
        sol.take(b"\x05\0\0\0login", now).unwrap();
        assert_eq!(sol.next(now).unwrap().unwrap(), [0, 5, 5, 0]);
        assert_eq!(sol.next(now).unwrap(), None);
        // Our acknowledgement was lost, and meanwhile there is more.
        sol.take(b"\x05\0\0\0login: ", now).unwrap();
        typed(&mut sol, "ada");
        assert_eq!(sol.next(now).unwrap().unwrap(), b"\x01\x05\x07\0ada", "acknowledged with what is typed");
        assert_eq!(heard(&mut sol), "login: ");
        assert_eq!(sol.take(&[0, 1, 3, DEACTIVATED], now), Err(End::Deactivated));
    }

    #[test]
    fn a_flood_is_held_until_there_is_room() {
        let (mut sol, now) = (Sol::new(100), Instant::now());
        let packet = |number: u8, count: usize| [&[number, 0, 0, 0], vec![b'x'; count].as_slice()].concat();
        let mut number = 0;
        while sol.heard.len() + 200 <= HEARD_BYTES_MAX {
            number = number % 15 + 1;
            sol.take(&packet(number, 200), now).unwrap();
            assert_eq!(sol.next(now).unwrap().unwrap(), [0, number, 200, 0]);
        }
        let room = HEARD_BYTES_MAX - sol.heard.len();
        number = number % 15 + 1;
        sol.take(&packet(number, 200), now).unwrap();
        assert_eq!(sol.next(now).unwrap().unwrap(), [0, number, room as u8, NACK]);
        assert_eq!((sol.next(now).unwrap(), sol.heard.len()), (None, HEARD_BYTES_MAX));
        sol.heard.clear();
        assert_eq!(sol.next(now).unwrap().unwrap(), [0, number, room as u8, 0], "go on");
        sol.take(&packet(number, 200), now).unwrap();
        assert_eq!(sol.heard.len(), 200 - room);
    }

    proptest! {
        #[test]
        fn any_packets_are_taken(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..200), size in any::<u16>()) {
            let (mut sol, mut now) = (Sol::new(size), Instant::now());
            for packet in packets {
                if sol.has_room() {
                    typed(&mut sol, "hello");
                }
                sol.take(&packet, now).ok();
                now += Duration::from_millis(300);
                if sol.next(now).is_err() {
                    break;
                }
                prop_assert!(sol.heard.len() <= HEARD_BYTES_MAX);
            }
        }
    }
}
