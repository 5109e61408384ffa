//! A BMC in memory, after the standard and apart from the client's own code: both cipher suites, a machine's power, and faults.

use aws_lc_rs::cipher::{AES_128, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use std::net::SocketAddr;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sick {
    #[default]
    No,
    /// Takes no suite with SHA-256.
    Old,
    /// Offers what proves nothing, whatever is asked for.
    Downgrades,
    /// Lets the account in with fewer rights than were asked for.
    Lesser,
    /// Says nothing once the session is open.
    Silent,
    /// Its proof of the password is not one.
    WrongProof,
    /// Its answers have another's authentication code.
    WrongCode,
    /// Says again what it said before.
    Replays,
    /// Its answers lack their end.
    Truncates,
}

const PASSWORD: &[u8] = b"secret";
const GUID: [u8; 16] = *b"a BMC for a test";
const BMC_ID: [u8; 4] = [9, 8, 7, 6];
const RANDOM: [u8; 16] = [0x5a; 16];

pub struct Fake {
    pub at: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct Bmc {
    sick: Sick,
    sha256: bool,
    console_id: [u8; 4],
    console_random: Vec<u8>,
    /// Role, length of the name, name.
    claim: Vec<u8>,
    sik: Vec<u8>,
    sequence: u32,
    on: bool,
    last: Option<Vec<u8>>,
}

impl Fake {
    pub async fn start(sick: Sick) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let (mut bmc, mut bytes) = (Bmc { sick, ..Bmc::default() }, [0; 2048]);
            while let Ok((count, from)) = socket.recv_from(&mut bytes).await {
                for answer in bmc.hear(&bytes[..count]) {
                    socket.send_to(&answer, from).await.ok();
                }
            }
        });
        Self { at, task }
    }
}

impl Bmc {
    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let algorithm = if self.sha256 { hmac::HMAC_SHA256 } else { hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY };
        hmac::sign(&hmac::Key::new(algorithm, key), &parts.concat()).as_ref().to_vec()
    }

    fn code(&self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut code = self.mac(key, parts);
        code.truncate(if self.sha256 { 16 } else { 12 });
        code
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        // IPMI 1.5's header: Get Channel Authentication Capabilities.
        if bytes[4] == 0 {
            let data = [0x01, 0x80, 0x04, 0x02, 0, 0, 0, 0];
            let message = answer(&bytes[14..], 0, &data);
            return vec![
                [&[6, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, message.len() as u8], message.as_slice()].concat(),
            ];
        }
        let payload = &bytes[16..16 + usize::from(u16::from_le_bytes([bytes[14], bytes[15]]))];
        let answered = match bytes[5] {
            0x10 => (0x11, self.open(payload)),
            0x12 => (0x13, self.first(payload)),
            0x14 => (0x15, self.second(payload)),
            0xc0 => return self.message(bytes),
            _ => return Vec::new(),
        };
        let (kind, mut payload) = answered;
        if self.sick == Sick::Truncates && kind == 0x13 {
            payload.truncate(payload.len() / 2);
        }
        vec![[&[6, 0, 0xff, 7, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0, payload.len() as u8, 0], payload.as_slice()].concat()]
    }

    fn open(&mut self, asked: &[u8]) -> Vec<u8> {
        self.sha256 = asked[12] == 3;
        self.console_id = asked[4..8].try_into().unwrap();
        if self.sick == Sick::Old && self.sha256 {
            return [&[asked[0], 0x11, 0, 0], self.console_id.as_slice()].concat();
        }
        let mut chosen = asked[8..32].to_vec();
        if self.sick == Sick::Downgrades {
            (chosen[4], chosen[12], chosen[20]) = (0, 0, 0);
        }
        [&[asked[0], 0, 4, 0], self.console_id.as_slice(), &BMC_ID, &chosen].concat()
    }

    fn first(&mut self, asked: &[u8]) -> Vec<u8> {
        self.console_random = asked[8..24].to_vec();
        self.claim = [&[asked[24]], &asked[27..]].concat();
        let parts: [&[u8]; 6] = [&self.console_id, &BMC_ID, &self.console_random, &RANDOM, &GUID, &self.claim];
        let key = if self.sick == Sick::WrongProof { b"another" } else { PASSWORD };
        let proof = self.mac(key, &parts);
        [&[asked[0], 0, 0, 0], self.console_id.as_slice(), &RANDOM, &GUID, &proof].concat()
    }

    fn second(&mut self, asked: &[u8]) -> Vec<u8> {
        let proof = self.mac(PASSWORD, &[&RANDOM, &self.console_id, &self.claim]);
        if asked[1] != 0 || asked[8..] != proof {
            return [&[asked[0], 0x0f, 0, 0], self.console_id.as_slice()].concat();
        }
        self.sik = self.mac(PASSWORD, &[&self.console_random, &RANDOM, &self.claim]);
        let check = self.code(&self.sik, &[&self.console_random, &BMC_ID, &GUID]);
        [&[asked[0], 0, 0, 0], self.console_id.as_slice(), &check].concat()
    }

    fn message(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let (k1, k2) = (self.mac(&self.sik, &[&[1; 20]]), self.mac(&self.sik, &[&[2; 20]]));
        let key = || UnboundCipherKey::new(&AES_128, &k2[..16]).unwrap();
        let code = if self.sha256 { 16 } else { 12 };
        assert_eq!(self.code(&k1, &[&bytes[4..bytes.len() - code]]), bytes[bytes.len() - code..]);
        let length = usize::from(u16::from_le_bytes([bytes[14], bytes[15]]));
        let iv: [u8; 16] = bytes[16..32].try_into().unwrap();
        let mut asked = bytes[32..16 + length].to_vec();
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        DecryptingKey::cbc(key()).unwrap().decrypt(&mut asked, context).unwrap();
        let padding = usize::from(*asked.last().unwrap());
        asked.truncate(asked.len() - 1 - padding);
        if self.sick == Sick::Silent {
            return Vec::new();
        }
        if let (Sick::Replays, Some(last)) = (self.sick, &self.last) {
            return vec![last.clone(); 3];
        }
        let said = match (asked[1] >> 2, asked[5]) {
            (6, 0x3b) if self.sick == Sick::Lesser => answer(&asked, 0, &[2]),
            (6, 0x3b) => answer(&asked, 0, &asked[6..7]),
            (6, 0x3c) => answer(&asked, 0, &[]),
            (0, 1) => answer(&asked, 0, &[u8::from(self.on), 0, 0x40]),
            (0, 2) => {
                self.on = asked[6] == 1;
                answer(&asked, 0, &[])
            }
            _ => answer(&asked, 0xc1, &[]),
        };
        let padding = (16 - (said.len() + 1) % 16) % 16;
        let mut said = [said, (1..=padding as u8).collect(), vec![padding as u8]].concat();
        let context = EncryptingKey::cbc(key()).unwrap().encrypt(&mut said).unwrap();
        let DecryptionContext::Iv128(iv) = &context else { panic!("no vector") };
        self.sequence += 1;
        let length = (16 + said.len()) as u16;
        let mut body = vec![6, 0xc0];
        for part in [&self.console_id, &self.sequence.to_le_bytes()] {
            body.extend_from_slice(part);
        }
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(iv.as_ref());
        body.extend_from_slice(&said);
        let padding = (4 - (body.len() + 2) % 4) % 4;
        body.extend(vec![0xff; padding]);
        body.extend_from_slice(&[padding as u8, 7]);
        let key = if self.sick == Sick::WrongCode { b"another".to_vec() } else { k1 };
        let code = self.code(&key, &[&body]);
        let whole = [&[6, 0, 0xff, 7], body.as_slice(), &code].concat();
        self.last = Some(whole.clone());
        vec![whole]
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte))
}

/// A message that answers another.
fn answer(asked: &[u8], code: u8, data: &[u8]) -> Vec<u8> {
    let head = [0x81, asked[1] | 4];
    let rest = [&[0x20, asked[4], asked[5], code], data].concat();
    [head.as_slice(), &[sum(&head)], &rest, &[sum(&rest)]].concat()
}
