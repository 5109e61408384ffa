//! How a session begins (13.15 and on): algorithms are agreed on, both sides prove that they know the password, and keys come of it.
//! No I/O.
//!
//! ```text
//!  Open Session Request ─▶ ◀─ its answer     which algorithms, and each other's numbers
//!  RAKP 1 ─▶ ◀─ RAKP 2                       random numbers, and the BMC's proof
//!  RAKP 3 ─▶ ◀─ RAKP 4                       ours, and that both have the same keys
//! ```

use crate::crypto::{Keys, Suite, same};
use crate::session::Session;
use crate::wire::{Reader, kind};
use crate::{Account, IpmiError, Role};
use aws_lc_rs::rand;
use secrecy::{ExposeSecret as _, SecretString};

/// Bytes of a payload that names algorithms (13.17).
const PROPOSAL_BYTES: u8 = 8;
/// The name alone says who it is; without this bit the first account of the role would be looked for (13.20).
const BY_NAME: u8 = 0x10;
/// What we say where the BMC's proof is wrong (13.24).
pub(crate) const WRONG_CODE: u8 = 0x0f;

pub(crate) struct Handshake {
    suite: Suite,
    role: Role,
    user: Vec<u8>,
    password: SecretString,
    console_id: u32,
    console_random: [u8; 16],
}

/// The BMC, once it has proven that it knows the password.
pub(crate) struct Met {
    bmc_id: u32,
    bmc_random: [u8; 16],
    guid: [u8; 16],
}

/// What a step answers to its own message: `None` where it is another's.
type Step<T> = Result<Option<T>, IpmiError>;

/// Status codes of RMCP+ and RAKP (13.24).
const fn status(code: u8, role: Role) -> IpmiError {
    match code {
        // None at all, and none for this role.
        0x01 | 0x0b => IpmiError::Busy("it has no session left"),
        // Each of its algorithms by itself, or all together.
        0x04..=0x07 | 0x10 | 0x11 => IpmiError::NoSuite,
        0x09 | 0x0a => IpmiError::RoleRefused(role),
        0x0d | WRONG_CODE => IpmiError::CredentialsRefused,
        code => IpmiError::Refused { what: "to begin a session", code },
    }
}

impl Handshake {
    pub fn new(account: &Account, suite: Suite, role: Role) -> Result<Self, IpmiError> {
        let failed = |_| IpmiError::Cryptography("random numbers");
        let (mut id, mut console_random) = ([0; 4], [0; 16]);
        rand::fill(&mut id).map_err(failed)?;
        rand::fill(&mut console_random).map_err(failed)?;
        Ok(Self {
            suite,
            role,
            user: account.user.clone().into_bytes(),
            password: account.password.clone(),
            // 0 is no session's.
            console_id: u32::from_le_bytes(id).max(1),
            console_random,
        })
    }

    pub fn open_request(&self, tag: u8) -> Vec<u8> {
        let mut out = vec![tag, self.role.number(), 0, 0];
        out.extend_from_slice(&self.console_id.to_le_bytes());
        for (number, algorithm) in (0..).zip(self.suite.algorithms()) {
            out.extend_from_slice(&[number, 0, 0, PROPOSAL_BYTES, algorithm, 0, 0, 0]);
        }
        out
    }

    /// The beginning of every answer: the tag of what was asked, and how it went.
    fn begin<'a>(&self, tag: u8, payload: &'a [u8]) -> Step<Reader<'a>> {
        let mut reader = Reader(payload);
        let (Some(of), Some(code)) = (reader.byte(), reader.byte()) else { return Ok(None) };
        if of != tag {
            return Ok(None);
        }
        let (_reserved, id) = (reader.word(), reader.double());
        if code != 0 {
            // Not of a handshake before this one, whose tags were the same. Some leave the number out where they say no.
            let is_ours = id.is_none_or(|id| id == 0 || id == self.console_id);
            return if is_ours { Err(status(code, self.role)) } else { Ok(None) };
        }
        Ok((id == Some(self.console_id)).then_some(reader))
    }

    /// The BMC's number of the session.
    pub fn open_answer(&self, tag: u8, payload: &[u8]) -> Step<u32> {
        let Some(mut reader) = self.begin(tag, payload)? else { return Ok(None) };
        let Some(bmc_id) = reader.double() else { return Ok(None) };
        for (number, algorithm) in (0..).zip(self.suite.algorithms()) {
            let Some([of, _, _, _, chosen, ..]) = reader.array::<8>() else { return Ok(None) };
            if of != number || chosen & 0x3f != algorithm {
                return Err(IpmiError::NoSuite);
            }
        }
        Ok((bmc_id != 0).then_some(bmc_id))
    }

    const fn claim(&self) -> u8 {
        self.role.number() | BY_NAME
    }

    fn user_bytes(&self) -> u8 {
        self.user.len() as u8
    }

    pub fn rakp_1(&self, tag: u8, bmc_id: u32) -> Vec<u8> {
        let mut out = vec![tag, 0, 0, 0];
        out.extend_from_slice(&bmc_id.to_le_bytes());
        out.extend_from_slice(&self.console_random);
        out.extend_from_slice(&[self.claim(), 0, 0, self.user_bytes()]);
        out.extend_from_slice(&self.user);
        out
    }

    fn mac(&self, parts: &[&[u8]]) -> impl AsRef<[u8]> + use<> {
        self.suite.mac(self.password.expose_secret().as_bytes(), parts)
    }

    /// The BMC's proof (13.31): it knows the password, and means this session.
    pub fn rakp_2(&self, tag: u8, bmc_id: u32, payload: &[u8]) -> Step<Met> {
        let Some(mut reader) = self.begin(tag, payload)? else { return Ok(None) };
        let (Some(bmc_random), Some(guid)) = (reader.array(), reader.array()) else { return Ok(None) };
        let met = Met { bmc_id, bmc_random, guid };
        let proof = self.mac(&[
            &self.console_id.to_le_bytes(),
            &bmc_id.to_le_bytes(),
            &self.console_random,
            &met.bmc_random,
            &met.guid,
            &[self.claim(), self.user_bytes()],
            &self.user,
        ]);
        if !same(proof.as_ref(), reader.0) {
            return Err(IpmiError::CredentialsRefused);
        }
        Ok(Some(met))
    }

    /// Our proof.
    pub fn rakp_3(&self, tag: u8, met: &Met) -> Vec<u8> {
        let proof = self.mac(&[
            &met.bmc_random,
            &self.console_id.to_le_bytes(),
            &[self.claim(), self.user_bytes()],
            &self.user,
        ]);
        let mut out = vec![tag, 0, 0, 0];
        out.extend_from_slice(&met.bmc_id.to_le_bytes());
        out.extend_from_slice(proof.as_ref());
        out
    }

    /// Instead of our proof where the BMC's was wrong: it need not wait.
    pub fn rakp_3_refusal(tag: u8, bmc_id: u32) -> Vec<u8> {
        let mut out = vec![tag, WRONG_CODE, 0, 0];
        out.extend_from_slice(&bmc_id.to_le_bytes());
        out
    }

    /// The session, where the BMC has made the same keys.
    pub fn rakp_4(&self, tag: u8, met: &Met, payload: &[u8]) -> Step<Session> {
        let Some(reader) = self.begin(tag, payload)? else { return Ok(None) };
        // Of the password where the BMC has no key of its own (13.32).
        let sik = self.mac(&[&self.console_random, &met.bmc_random, &[self.claim(), self.user_bytes()], &self.user]);
        let check = self.suite.code(sik.as_ref(), &[&self.console_random, &met.bmc_id.to_le_bytes(), &met.guid]);
        if !same(&check, reader.0) {
            return Err(IpmiError::CredentialsRefused);
        }
        let keys = Keys::derive(self.suite, sik.as_ref())?;
        Ok(Some(Session::new(keys, met.bmc_id, self.console_id)))
    }
}

/// Payload types of a message and of its answer.
pub(crate) const OPEN: (u8, u8) = (kind::OPEN_REQUEST, kind::OPEN_ANSWER);
pub(crate) const FIRST: (u8, u8) = (kind::RAKP_1, kind::RAKP_2);
pub(crate) const SECOND: (u8, u8) = (kind::RAKP_3, kind::RAKP_4);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn handshake(suite: Suite) -> Handshake {
        let account = Account { user: "ada".to_owned(), password: "secret".into() };
        Handshake::new(&account, suite, Role::Operator).unwrap()
    }

    #[test]
    fn nothing_weaker_is_agreed_on() {
        let ours = handshake(Suite::Sha256);
        let request = ours.open_request(3);
        assert_eq!(request.len(), 32);
        let answer = |algorithms: [u8; 3]| {
            let mut out = vec![3, 0, 3, 0];
            out.extend_from_slice(&ours.console_id.to_le_bytes());
            out.extend_from_slice(&7_u32.to_le_bytes());
            for (number, algorithm) in (0..).zip(algorithms) {
                out.extend_from_slice(&[number, 0, 0, 8, algorithm, 0, 0, 0]);
            }
            out
        };
        assert_eq!(ours.open_answer(3, &answer([3, 4, 1])).unwrap(), Some(7));
        assert_eq!(ours.open_answer(4, &answer([3, 4, 1])).unwrap(), None, "another question's");
        // Cipher suites 0, 15 and 3 instead of 17.
        for weaker in [[0, 0, 0], [3, 0, 0], [3, 4, 0], [1, 1, 1]] {
            assert!(matches!(ours.open_answer(3, &answer(weaker)), Err(IpmiError::NoSuite)));
        }
        assert!(matches!(ours.open_answer(3, &[3, 0x11]), Err(IpmiError::NoSuite)));
        assert!(matches!(ours.open_answer(3, &[3, 1, 0, 0]), Err(IpmiError::Busy(_))));
        let refusal = |id: u32| [&[3, 0x11, 0, 0], id.to_le_bytes().as_slice()].concat();
        assert!(matches!(ours.open_answer(3, &refusal(ours.console_id)), Err(IpmiError::NoSuite)));
        let late = ours.open_answer(3, &refusal(ours.console_id.wrapping_add(1).max(1)));
        assert!(matches!(late, Ok(None)), "of a handshake before");
        assert!(matches!(ours.rakp_2(3, 7, &[3, 0x0d]), Err(IpmiError::CredentialsRefused)));
        assert!(matches!(ours.rakp_2(3, 7, &[3, 9]), Err(IpmiError::RoleRefused(Role::Operator))));
    }

    #[test]
    fn a_proof_that_is_missing_or_short_is_none() {
        let ours = handshake(Suite::Sha1);
        let mut answer = vec![3, 0, 0, 0];
        answer.extend_from_slice(&ours.console_id.to_le_bytes());
        answer.extend_from_slice(&[0; 32]);
        assert!(matches!(ours.rakp_2(3, 7, &answer), Err(IpmiError::CredentialsRefused)));
        answer.extend_from_slice(&[0; 20]);
        assert!(matches!(ours.rakp_2(3, 7, &answer), Err(IpmiError::CredentialsRefused)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let ours = handshake(Suite::Sha256);
            let mut own = vec![3, 0, 0, 0];
            own.extend_from_slice(&ours.console_id.to_le_bytes());
            own.extend_from_slice(&bytes);
            for bytes in [&bytes, &own] {
                ours.open_answer(3, bytes).ok();
                let met = ours.rakp_2(3, 7, bytes).ok().flatten();
                prop_assert!(met.is_none());
                let met = Met { bmc_id: 7, bmc_random: [0; 16], guid: [0; 16] };
                prop_assert!(!matches!(ours.rakp_4(3, &met, bytes), Ok(Some(_))));
            }
        }
    }
}
